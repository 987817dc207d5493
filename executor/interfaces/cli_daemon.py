"""Commands that run something in this process: the daemon, the demonstration, an audit, the sandbox."""

import os
import shlex
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from config.hosts import LOOPBACK
from config.load import load_settings
from config.problems import place, printable, quoted
from config.secrets import make_private_dir
from executor.domain.events import LimitsReleased
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.models import REASON_CHARS_MAX
from executor.interfaces.operator_name import operator_name
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, YesLive
from executor.interfaces.output import emit_json, progress_on_terminal, say, show
from executor.interfaces.version import version as own_version

KNOCK_S_MAX: Final = 0.5


def run(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    yes_live: YesLive = False,
    init: Annotated[bool, typer.Option("--init", help="Create the database of a new account.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Sandbox and paper: put the old database aside and begin anew.")
    ] = False,
    no_sentinel: Annotated[
        bool, typer.Option("--no-sentinel", help="Do not start a sentinel; one that runs by itself is used.")
    ] = False,
    release_limits: Annotated[
        str | None,
        typer.Option(
            "--release-limits",
            metavar="REASON",
            help="Let go of limits that were tightened while a daemon ran; say why.",
        ),
    ] = None,
) -> None:
    """Run the daemon until it is asked to end.

    It starts a sentinel beside it, which cancels everything should the daemon fall silent (docs/sentinel.md).

    Ends with 2 if the settings cannot be used or the control port is taken, 5 if another daemon holds the data
    directory or the account (docs/reference/exit-codes.md).
    """
    release = None if release_limits is None else _release(release_limits)
    settings = load_settings(profile, config, os.environ, yes_live)
    if settings.lacks_key:
        settings.require()
    make_private_dir(settings.executor.data_dir)
    _say_if_nobody_answers(settings.venue.rest_url)
    from executor.app.start import run_daemon  # noqa: PLC0415 - brings the whole daemon with it

    words = ["--profile", profile, *(["--config", str(config)] if config is not None else [])]
    raise typer.Exit(
        run_daemon(
            settings,
            profile,
            init=init,
            new=new,
            sentinel_words=None if no_sentinel else words,
            release=release,
        )
    )


def _release(reason: str) -> LimitsReleased:
    """Who lets go of tightened limits, and why; both go into the journal.

    Raises
    ------
    CommandFailed
        REASON if none is given.
    """
    if not reason.strip() or len(reason) > REASON_CHARS_MAX or printable(reason) != reason:
        raise failed(
            ExitCode.USAGE,
            "REASON",
            "--release-limits",
            quoted(reason),
            f"one line of text, 1 to {REASON_CHARS_MAX} characters",
            "say in a few words why",
        )
    return LimitsReleased(at_ns=0, operator=operator_name(), reason=reason.strip())


def _say_if_nobody_answers(rest_url: str) -> None:
    """Say how the local exchange is started if the daemon is to trade on this machine and nobody listens there."""
    parts = urlsplit(rest_url)
    if parts.hostname not in LOOPBACK:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or 80), KNOCK_S_MAX).close()
    except OSError:
        say(
            f"hint: no exchange answers at {rest_url}; start one in another terminal with"
            f" `executor sandbox --port {parts.port}`; the daemon goes on trying until then"
        )


def demo(
    seconds: Annotated[int, typer.Option(min=1, max=86_400, help="Length of the sample order.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 7,
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            help="Go on after the report until Ctrl-C, so that the board can be looked at; usual in a terminal.",
        ),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open the board in the browser of this machine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Work sample orders on a local exchange, with a board.

    The address of the board comes first; the cost report of the order that is followed comes last. Ends with the
    code of that order: 0 if everything of it was filled.
    """
    from executor.interfaces.demo import run_demo  # noqa: PLC0415 - needed here only

    raise typer.Exit(run_demo(json_output=as_json, seconds=seconds, seed=seed, stay=stay, open_it=open_it))


def audit(
    database: Annotated[Path, typer.Argument(metavar="DB", help="Database of a daemon that has stopped.")],
    as_json: AsJson = False,
) -> None:
    """Replay a stopped daemon's journal and verify it."""
    if not database.is_file():
        raise failed(
            ExitCode.DURABILITY,
            "DB_READ",
            place(database),
            "a directory" if database.is_dir() else "no such file",
            "the database of a daemon",
            "look into the data directory (`executor config show`)",
        )
    from executor.app.journal import run_audit  # noqa: PLC0415 - brings the engine with it

    with progress_on_terminal("replaying") as progress:
        result = run_audit(database, progress)
    if as_json:
        emit_json(asdict(result))
    else:
        verdict = "identical" if result.identical else f"DIFFERS: {result.first_difference}"
        show(
            f"{result.events} events, {result.commands} commands, {result.checkpoints} checkpoints: {verdict}"
        )
        show(f"head of the chain {result.head_sha256}")
    raise typer.Exit(ExitCode.OK if result.identical else ExitCode.AUDIT_DIFFERS)


def sandbox(context: typer.Context) -> None:
    """Run the local stand-in exchange (docs/sandbox.md)."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Exchange and agents know nothing of each other: who plays its market of agents is said to it here.
    agents = ["--agents-by", shlex.join([sys.executable, "-m", "backtest.market.venue_agents"])]
    # The exchange takes the place of this process, so that whoever stops the command stops the exchange.
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *agents, *context.args])  # noqa: S606 - our own module


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        emit_json({"version": own_version()})
    else:
        show(own_version())
