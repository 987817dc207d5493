"""The command line: its commands, and the one place where a failure becomes a line and an exit code."""

import sys
from collections.abc import Sequence
from functools import cache, partial
from itertools import dropwhile, islice, takewhile
from types import TracebackType
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from config.problems import ConfigProblems, Problem, quoted
from executor.domain.errors import AlreadyRunning, ConfigError, ExecutorError, JournalError, TransportError
from executor.interfaces import (
    cli_advice,
    cli_agents,
    cli_backtest,
    cli_backup,
    cli_basket,
    cli_board,
    cli_config,
    cli_curve,
    cli_daemon,
    cli_data,
    cli_doctor,
    cli_impact,
    cli_journal,
    cli_limits,
    cli_market,
    cli_models,
    cli_news,
    cli_orders,
    cli_plan,
    cli_published,
    cli_record,
    cli_recorded,
    cli_sheet,
    cli_simulate,
    cli_stop,
    cli_sweep,
    cli_tca,
    cli_watch,
)
from executor.interfaces.exit_codes import ExitCode, exit_code_of
from executor.interfaces.failure import CommandFailed
from executor.interfaces.output import prepare_streams, say, show, tell_problems
from executor.interfaces.version import version as own_version

_MEANING: Final[dict[type[ExecutorError], tuple[str, str, str]]] = {
    ConfigError: (
        "CONFIG",
        "settings and arguments that can be used",
        "do what the text says; `executor config check` lists every problem of the settings",
    ),
    JournalError: (
        "DB",
        "a journal this version can trust and write",
        "do what the text says, then start again",
    ),
    AlreadyRunning: (
        "ALREADY_RUNNING",
        "one daemon per data directory and per account, one sentinel per data directory",
        "stop the other one first, or ask it with `executor status`",
    ),
    TransportError: (
        "UNREACHABLE",
        "an exchange that answers",
        "check the address and the network, then try again",
    ),
}
"""For each error that can end a command: its code, what would have been right, and the next step."""

_EXTRA: Final = ("llvmlite", "numba", "numpy", "plotly", "pyarrow", "zmq", "zstandard")
"""Packages of the extra `backtest`, by the names of their modules."""
_GROUPS: Final = ("backtest", "config", "data", "impact", "journal", "limits", "market", "simulate")
_AGAIN: Final = "run it again"
_AFTER_INTERRUPT: Final[dict[str, str]] = {
    "audit": f"{_AGAIN}: it changes nothing",
    "backup": f"{_AGAIN}: nothing was left behind",
    "backtest": f"{_AGAIN}; --out, where it was given, wants a new or empty folder",
    "backtest report": _AGAIN,
    "backtest session": f"{_AGAIN}: it changes nothing",
    "backtest sweep": f"{_AGAIN}: what is finished is kept",
    "config": _AGAIN,
    "data": f"{_AGAIN}: it changes nothing",
    "data convert": f"{_AGAIN}: nothing was written",
    "data fetch": f"{_AGAIN}: what is here is gone on with",
    "data import": f"`executor data info` lists what was stored; {_AGAIN}",
    "data record": "`executor data import` reads the capture that was named at the start",
    "demo": _AGAIN,
    "doctor": f"{_AGAIN}: it changes nothing",
    "impact": f"{_AGAIN}: nothing was kept",
    "journal": f"{_AGAIN}: it changes nothing",
    "limits": "`executor limits` shows what holds; a limit may have been tightened all the same",
    "market": "the folder keeps what happened; `executor market status` shows it",
    "plan": f"{_AGAIN}: it changes nothing",
    "restore": f"{_AGAIN}: what was there is kept beside it",
    "simulate": f"{_AGAIN}: the same seed gives the same market",
    "tca": f"{_AGAIN}: journals are only read",
}
"""What to do after Ctrl-C, by command or group; the others speak with a daemon, which goes on."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Works large orders on Bybit as many small safe ones, and accounts for every fill.",
    epilog="Exit codes are listed in docs/reference/exit-codes.md: 0 is done, 2 is a mistake in what was typed.",
)
config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check and show the settings.")
config_app.command("check")(cli_config.check)
config_app.command("show")(cli_config.show_settings)

app.command()(cli_daemon.run)
app.command()(cli_orders.submit)
app.command()(cli_basket.basket)
app.command()(cli_plan.plan)
app.command()(cli_watch.status)
app.command("list")(cli_watch.list_parents)
app.command()(cli_orders.pause)
app.command()(cli_orders.resume)
app.command()(cli_orders.amend)
app.command()(cli_orders.cancel)
app.command()(cli_board.board)
app.command()(cli_board.watch)
app.command()(cli_watch.halt)
app.command()(cli_watch.rearm)
app.command()(cli_stop.kill)
app.command()(cli_stop.sentinel)
app.command()(cli_doctor.doctor)
app.command()(cli_watch.report)
app.command()(cli_tca.tca)
app.command()(cli_advice.decisions)
app.command()(cli_news.news)
app.command("inflow")(cli_news.exchange_flow)
app.command()(cli_daemon.audit)
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)(cli_daemon.sandbox)
cli_backtest.backtest_app.command(short_help="Work orders in recorded or simulated markets.")(
    cli_recorded.run
)
cli_backtest.backtest_app.command(short_help="Try every combination of what a file lists.")(cli_sweep.sweep)
cli_backtest.backtest_app.command(short_help="Write the tear sheet of a run or a comparison.")(
    cli_sheet.report
)
app.add_typer(cli_backtest.backtest_app, name="backtest")
app.add_typer(config_app, name="config")
cli_data.data_app.command(short_help="Record public streams, and store what was said.")(cli_record.record)
cli_data.data_app.command("volume-curve", short_help="Estimate how volume spreads over the hours of a week.")(
    cli_curve.volume_curve
)
app.add_typer(cli_data.data_app, name="data")
cli_impact.impact_app.command(short_help="Hold the mathematics against printed figures.")(
    cli_published.published
)
app.add_typer(cli_impact.impact_app, name="impact")
app.add_typer(cli_journal.journal_app, name="journal")
app.add_typer(cli_limits.limits_app, name="limits")
app.add_typer(cli_market.market_app, name="market")
cli_simulate.simulate_app.command("impact", short_help="Measure what own orders do to the price.")(
    cli_agents.impact
)
cli_simulate.simulate_app.command("models", short_help="Let language models trade with each other.")(
    cli_models.play_models
)
app.add_typer(cli_simulate.simulate_app, name="simulate")
app.command()(cli_daemon.demo)
app.command()(cli_daemon.version)


def _tell_version(wanted: bool) -> None:
    if wanted:
        show(own_version())
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an unforeseen error came from.")
    ] = False,
) -> None:
    if not traceback:
        sys.excepthook = _one_line


_command: Final = cache(partial(typer.main.get_command, app))
"""Builds all commands, once: that takes longer than most of them need."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code (see `executor.interfaces.exit_codes`)."""
    prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        result = _command().main(args=words, prog_name="executor", standalone_mode=False)
    except TyperException as error:
        return _usage(error, as_json=as_json)
    except typer.Abort:
        return _interrupted(words, as_json=as_json)
    except CommandFailed as error:
        tell_problems(error.problems, as_json=as_json)
        return error.exit_code
    except ConfigProblems as error:
        tell_problems(error.problems, as_json=as_json)
        return ExitCode.USAGE
    except ExecutorError as error:
        tell_problems([_of_error(error)], as_json=as_json)
        return exit_code_of(error)
    except ImportError as error:
        if str(error.name).partition(".")[0] not in _EXTRA:
            raise  # a fault of the program, no package that is missing
        tell_problems([_no_package(words, error)], as_json=as_json)
        return ExitCode.USAGE
    if result == ExitCode.INTERRUPTED:
        return _interrupted(words, as_json=as_json)
    return int(result) if isinstance(result, int) else ExitCode.OK


def _usage(error: TyperException, *, as_json: bool) -> int:
    """Tell what is wrong with the command line; the parser names the nearest command or flag."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "executor"
    if not message or type(error).__name__ == "NoArgsIsHelpError":
        say(message)
        return ExitCode.USAGE
    problem = Problem(
        code="USAGE",
        where=path,
        got=quoted(message),
        allowed="the commands and options that --help lists",
        next_step=f"{path} --help",
    )
    tell_problems([problem], as_json=as_json)
    return ExitCode.USAGE


def _interrupted(words: Sequence[str], *, as_json: bool) -> int:
    """Tell what became of a command that was interrupted: of one in a group, by the group, unless it says more."""
    names = _names(words)
    after = _AFTER_INTERRUPT.get(" ".join(names)) or _AFTER_INTERRUPT.get(names[0] if names else "")
    problem = Problem(
        code="INTERRUPTED",
        where=_place(names),
        got="Ctrl-C",
        allowed="a command that comes to its end",
        next_step=after or "`executor status` shows what was accepted",
    )
    tell_problems([problem], as_json=as_json)
    return ExitCode.INTERRUPTED


def _no_package(words: Sequence[str], error: ImportError) -> Problem:
    """Tell that a command needs more packages than the daemon does, and how they come."""
    return Problem(
        code="PACKAGES",
        where=_place(_names(words)),
        got=f"no package {quoted(str(error.name))}",
        allowed="the packages of the extra `backtest`",
        next_step="`make backtest` in a checkout, or pip install 'bybit-executor[backtest]'",
    )


def _names(words: Sequence[str]) -> list[str]:
    """Give the command and the word right behind it: what follows an option may be its value."""
    own = dropwhile(_is_option, words)
    return list(islice(takewhile(lambda word: not _is_option(word), own), 2))


def _is_option(word: str) -> bool:
    return word.startswith("-")


def _place(names: Sequence[str]) -> str:
    """Name the command, with its group where it has one."""
    return "executor " + " ".join(names if names and names[0] in _GROUPS else names[:1])


def _of_error(error: ExecutorError) -> Problem:
    code, allowed, next_step = _MEANING.get(
        type(error),
        ("FAILED", "none of this", "look into the daemon's log; it may be a fault of the program"),
    )
    if isinstance(error, JournalError):
        code = error.code
    return Problem(code=code, where="executor", got=str(error), allowed=allowed, next_step=next_step)


def _one_line(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Replace the traceback of an unforeseen error by one line."""
    say(f"INTERNAL: {kind.__name__}: {quoted(str(error))}; next: run again with `executor --traceback …`")


if __name__ == "__main__":
    sys.exit(main())
