"""`executor doctor`: what would keep this account from being traded, and what to do about it."""

import os
import re
import sys
from collections import Counter
from typing import Annotated, Final

import typer

from config.load import load_settings
from config.problems import quoted
from executor.domain.finding import FOUND_AT, Finding, Verdict
from executor.domain.orders import Category
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.kinds import SYMBOL_FORM
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, YesLive
from executor.interfaces.output import emit_json, page_width, show, wrapped

_SYMBOL: Final = re.compile(r"\A[A-Z0-9-]{3,32}\Z", re.ASCII)


def doctor(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    yes_live: YesLive = False,
    symbol: Annotated[str, typer.Option("--symbol", help="Instrument to look at.")] = "BTCUSDT",
    category: Annotated[str, typer.Option("--category", help="linear, inverse or spot.")] = "linear",
    set_position_mode: Annotated[
        bool,
        typer.Option(
            "--set-position-mode",
            help="First switch the symbol to venue.position_mode; the only thing this command ever changes.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at everything that trading needs.

    Sends no order, and may run beside the daemon. One line for each thing: ok, warn or FAIL, what was
    found, and what to do. Ends with 0 when nothing failed, otherwise with 10 (docs/doctor.md).
    """
    if category not in set(Category):
        raise failed(
            ExitCode.USAGE,
            "CATEGORY",
            "--category",
            quoted(category),
            ", ".join(Category),
            "executor doctor --help",
        )
    if not _SYMBOL.match(symbol):
        raise failed(
            ExitCode.USAGE,
            "SYMBOL",
            "--symbol",
            quoted(symbol),
            SYMBOL_FORM,
            "executor doctor --help",
        )
    settings = load_settings(profile, config, os.environ, yes_live)
    from executor.app.doctor import run_doctor  # noqa: PLC0415 - brings the whole daemon with it

    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            show(_line(finding, on_terminal=sys.stdout.isatty()))

    run_doctor(settings, Category(category), symbol, tell, set_position_mode=set_position_mode)
    counts = Counter(finding.verdict for finding in findings)
    healthy = not counts[Verdict.FAIL]
    if as_json:
        emit_json({"ok": healthy, "findings": [finding.record() for finding in findings]})
    else:
        show(f"{counts[Verdict.OK]} ok, {counts[Verdict.WARN]} warnings, {counts[Verdict.FAIL]} failed")
    raise typer.Exit(ExitCode.OK if healthy else ExitCode.UNHEALTHY)


def _line(finding: Finding, *, on_terminal: bool) -> str:
    """What is told of a finding: wrapped where somebody reads it, elsewhere one line, which can be searched."""
    line = finding.line()
    return wrapped(line, page_width(), " " * FOUND_AT) if on_terminal else line
