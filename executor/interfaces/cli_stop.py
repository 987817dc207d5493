"""Commands that stop without a daemon: kill, and the sentinel that does it when the daemon falls silent."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from config.secrets import make_private_dir
from config.stop import StopSettings, load_stop_settings
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.operator_name import operator_name
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile
from executor.interfaces.output import emit_json, say, show

KILL_WORD: Final = "KILL"
LISTED_MAX: Final = 20


def sentinel(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    ends_with_daemon: Annotated[
        bool,
        typer.Option("--ends-with-daemon", help="End when the daemon has ended; `executor run` uses it."),
    ] = False,
) -> None:
    """Cancel everything when the daemon falls silent.

    A process of its own, one per data directory; `executor run` starts one unless told not to. Ends with 3 if orders
    may remain, 5 if another sentinel is there, 8 if the daemon fell and everything is cancelled (docs/sentinel.md).
    """
    settings = _settings(profile, config)
    make_private_dir(settings.data_dir)
    from executor.sentinel.process import run_sentinel  # noqa: PLC0415 - needed here only
    from executor.sentinel.watcher import Ending  # noqa: PLC0415

    codes = {Ending.UNFINISHED: ExitCode.ORDERS_MAY_REMAIN, Ending.DAEMON_FELL: ExitCode.HALTED}
    raise typer.Exit(codes.get(run_sentinel(settings, ends_with_daemon=ends_with_daemon), ExitCode.OK))


def kill(
    reason: Annotated[str, typer.Option("--reason", help="Why; one line.")] = "killed from the command line",
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who; your user name if not given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, max=86_400, help="Seconds to wait for proof.")
    ] = 60.0,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Cancel every open order of the account now, without the daemon.

    Writes the latch file first, so that no daemon opens anything before `executor rearm`. Exit code 0 if it is proved
    that nothing is open, 3 if orders may remain (docs/reference/exit-codes.md).
    """
    settings = _settings(profile, config)
    _confirm(settings, yes=yes)
    from executor.sentinel.kill import kill_everything  # noqa: PLC0415 - brings the HTTP client

    def tell(message: str, **fields: object) -> None:
        fields.pop("level", None)
        details = " ".join(f"{name}={value}" for name, value in fields.items())
        say(f"{message} {details}".rstrip())

    result = kill_everything(
        settings, tell, operator=operator or operator_name(), reason=reason, deadline_s=timeout
    )
    if as_json:
        emit_json({**asdict(result), "proved": result.proved})
    elif result.proved:
        count = len(result.cancelled)
        were = f"{count} order{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} cancelled"
        show(f"nothing is open; {were if count else 'nothing was open'}")
        for order in result.cancelled:
            show(f"  cancelled: {order}")
        show(f"halted; `executor rearm --operator NAME --reason TEXT` clears {result.latch_file}")
    if not result.proved:
        _tell_what_remains(result.may_remain, result.latch_error, as_json=as_json)


def _tell_what_remains(may_remain: tuple[str, ...], latch_error: str, *, as_json: bool) -> None:
    """End with exit code 3 and what may be open, or may be opened."""
    if as_json:
        raise typer.Exit(ExitCode.ORDERS_MAY_REMAIN)
    listed = ", ".join(may_remain[:LISTED_MAX])
    more = f" and {len(may_remain) - LISTED_MAX} more" if len(may_remain) > LISTED_MAX else ""
    latch = f"the latch file could not be written ({latch_error}): end the daemon" if latch_error else ""
    raise failed(
        ExitCode.ORDERS_MAY_REMAIN,
        "ORDERS_MAY_REMAIN",
        "kill",
        "; ".join(filter(None, (f"{listed}{more}", latch))),
        "none",
        "run it again, and look at the venue itself",
    )


def _settings(profile: str, config: Path | None) -> StopSettings:
    settings, remarks = load_stop_settings(profile, config, os.environ)
    for remark in remarks:
        say(f"ignored here: {remark.line()}")
    return settings


def _confirm(settings: StopSettings, *, yes: bool) -> None:
    """Ask on the terminal; without one the flag must have said so.

    Raises
    ------
    CommandFailed
        KILL_NOT_CONFIRMED if the word was not given.
    """
    if yes:
        return
    given = None
    if sys.stdin.isatty():
        say(
            f"This cancels EVERY open order of the account at {settings.rest_url}, stop-losses and orders made by hand"
            f" included; positions stay. Type {KILL_WORD} to do it:"
        )
        given = sys.stdin.readline().strip()
    if given != KILL_WORD:
        raise failed(
            ExitCode.USAGE,
            "KILL_NOT_CONFIRMED",
            "--yes",
            "nothing" if given is None else f'"{given[:20]}"',
            f"{KILL_WORD} typed on a terminal, or --yes",
            "repeat the command with --yes; nothing was sent",
        )
