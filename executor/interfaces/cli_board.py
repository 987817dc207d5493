"""The boards: the command that lets a browser in, and the one that shows the board in this terminal."""

import asyncio
import sys
import webbrowser
from typing import Annotated

import typer

from executor.interfaces.client import Client
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
    way_to_daemon,
)
from executor.interfaces.output import emit_json, say, show


def board(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="For looking only: no verb works in that browser.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the address of the web board, good for one browser."""
    address, good_for_s = board_address(connect(profile, config, url, token_file), read_only=read_only)
    if as_json:
        emit_json({"url": address, "read_only": read_only, "good_for_s": good_for_s})
    else:
        show(address)
        say(
            "good once, for ten minutes; from another machine: ssh -L PORT:127.0.0.1:PORT to the one of the daemon"
        )
    if open_it and not webbrowser.open(address):
        say("no browser was found on this machine; open the address in one")


def watch(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="For looking only: the daemon refuses every verb of this board."),
    ] = False,
) -> None:
    """Show the board in this terminal.

    Orders, charts, alarms, limits and markets; pause, amend, cancel, halt and rearm by keys. ? lists the keys, q
    leaves, and the daemon goes on. Needs 80 columns and 24 rows.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise failed(
            ExitCode.USAGE,
            "TERMINAL",
            "executor watch",
            "no terminal",
            "a terminal of 80 columns and 24 rows",
            "`executor status` and `executor list` print to anything; `executor board` is for a browser",
        )
    try:
        from executor.interfaces.terminal_board.app import TerminalBoard  # noqa: PLC0415 - brings textual
        from executor.interfaces.terminal_board.feed import DaemonFeed  # noqa: PLC0415 - brings aiohttp
    except ImportError as error:
        raise failed(
            ExitCode.USAGE,
            "PACKAGE",
            "executor watch",
            f"{error.name or error} is not installed",
            "the packages of the terminal board",
            "pip install 'bybit-executor[watch]'; `executor board` needs none of them",
        ) from None
    way = way_to_daemon(profile, config, url, token_file)
    Client(way()).get("/v1/board")
    feed = DaemonFeed(way, read_only=read_only)

    async def show_until_left() -> None:
        await TerminalBoard(feed).run_async()
        await feed.leave()

    asyncio.run(show_until_left())


def board_address(client: Client, *, read_only: bool) -> tuple[str, object]:
    """Ask a daemon to let one browser in: the address to open, and for how many seconds it is good."""
    told = client.post("/v1/board/codes", {"read_only": read_only})
    return f"{client.url}/board#code={told['code']}", told["good_for_s"]
