"""The last question before an order with real money: the same words once more."""

import sys
from typing import Final

from config.problems import quoted
from executor.interfaces.client import Client
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.output import say

LIVE: Final = "live"


def confirm_live(client: Client, words: str, given: str | None) -> None:
    """Ask for symbol and quantity again if the daemon trades real money; elsewhere do nothing.

    Parameters
    ----------
    given
        What `--yes-live` said; None asks on the terminal, if there is one.

    Raises
    ------
    CommandFailed
        LIVE_NOT_CONFIRMED if the words are not the same.
    """
    daemon = client.get("/v1/status")["daemon"]
    assert isinstance(daemon, dict), "the daemon describes itself as an object"
    if not any(LIVE in str(daemon[name]).lower() for name in ("venue", "profile")):
        return
    if given is None and sys.stdin.isatty():
        say(f"This is real money. Type {words} to send the order:")
        given = sys.stdin.readline().strip()
    if given != words:
        raise failed(
            ExitCode.USAGE,
            "LIVE_NOT_CONFIRMED",
            "--yes-live",
            "nothing" if given is None else quoted(given),
            quoted(words),
            f"repeat the command with --yes-live {quoted(words)}; nothing was sent",
        )
