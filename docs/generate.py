"""Write the reference pages drawn from the code: commands, settings, strategies, states, metrics, refusals, alerts, ...

    python docs/generate.py            write docs/reference/
    python docs/generate.py --check    exit 1 and name the pages that differ

The project must be installed, or its root on PYTHONPATH.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from command_line import commands_page
from diagrams import state_diagram
from http_interface import interface_page
from pages import Pages, run, table

from config.fields import Kind
from config.reader import PROFILE_DIR, PROFILES
from config.schema import SECTIONS
from config.secrets import ADVISER_ENV, ENV_NAMES
from config.section import Section
from config.settings import shown
from config.written import Written, read_file
from executor.advice.ruling import CLIP_TEXT
from executor.adviser.preflight import CHECKS as MODEL_CHECKS
from executor.domain.limits import MONEY_LIMITS, Limits, Timings
from executor.domain.order_state import CHILD_MOVES
from executor.domain.orders import StrategyParams
from executor.domain.parent_state import PARENT_MOVES
from executor.domain.timeline import NS_PER_MIN
from executor.interfaces.advice_reasons import OUTCOME_TEXT, REASON_TEXT
from executor.interfaces.alerts import ALERT_TEXT
from executor.interfaces.choices import PARAM_OF
from executor.interfaces.doctor import CHECKS as HOME_CHECKS
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.remedies import ANSWER_REMEDY, END_REMEDY, REFUSAL_REMEDY
from executor.runtime.metrics import METRICS
from executor.runtime.premises import CHECKS as PREMISES_CHECKS
from executor.runtime.telemetry import PARENT_SERIES_MAX, PARENT_SHOWN_AFTER_END_NS
from executor.venues.bybit.examination import CHECKS as VENUE_CHECKS
from risk.refusals import REFUSAL_TEXT
from strategies.base import STRATEGIES
from strategies.reads import readers

FOLDER: Final = Path(__file__).resolve().parent / "reference"
UNITS: Final = {
    "notional": "quote units",
    "loss": "quote units",
    "bps": "basis points",
    "pct": "per cent",
    "ms": "milliseconds",
    "s": "seconds",
}
"""What a part of a setting's name says about its unit; the first that fits."""
DURATIONS: Final = frozenset({"shutdown.drain"})
"""Settings that are written with their unit and kept in seconds."""
UNITLESS: Final = {
    "limits.orders_per_s_max": "orders a second",
    "limits.orders_per_min_max": "orders a minute",
    "limits.orders_per_day_max": "orders a UTC day",
    "limits.children_per_parent_max": "orders a parent",
    "limits.children_per_hour_max": "orders an hour",
    "limits.amplification_max": "multiple",
    "market.book_depth": "levels",
    "adviser.input_price": "US dollars for 10^6 tokens",
    "adviser.cached_price": "US dollars for 10^6 tokens",
    "adviser.output_price": "US dollars for 10^6 tokens",
    "adviser.max_tokens": "tokens",
    "adviser.reasoning_tokens_max": "tokens",
    "adviser.parent_cost_max": "US dollars",
    "adviser.hour_cost_max": "US dollars",
    "adviser.day_cost_max": "US dollars",
    "adviser.parent_calls_max": "questions",
    "adviser.hour_calls_max": "questions",
    "adviser.day_calls_max": "questions",
    "adviser.switches_max": "changes",
    "adviser.rate_min": "multiple",
    "adviser.rate_max": "multiple",
    "adviser.slice_times_max": "multiple",
    "adviser.slice_times_min": "multiple",
    "adviser.news_items_max": "texts",
    "adviser.questions_max": "questions",
    "adviser.prompt_bytes_max": "bytes",
    "adviser.breaker_failures_max": "questions",
    "adviser.breaker_growth": "multiple",
    "adviser.trigger_spread_times": "multiple",
    "adviser.trigger_volatility_times": "multiple",
}
"""Settings whose names count something."""
PARENT_PLACES: Final = {
    "INITIALIZED": (0, 1),
    "ACTIVE": (1, 2),
    "EXECUTING": (4, 1),
    "FILLED": (3, 2),
    "ADJUSTING": (2, 1),
    "PAUSED": (1, 0),
}
CHILD_PLACES: Final = {
    "PENDING_NEW": (0.6, 0),
    "NEW": (3.4, 0),
    "PARTIALLY_FILLED": (2, 1),
    "PENDING_REPLACE": (4, 2),
    "PENDING_CANCEL": (2, 3),
    "UNKNOWN": (0, 1),
}
"""Column and row of each state that goes on in its diagram; where lines cross least."""
Status = TypeVar("Status", bound=StrEnum)
_NOTE: Final = "<!-- Written by docs/generate.py from `{source}`. Change that, then run it again. -->"


def states_page() -> str:
    """Show both state machines and list every move with its reason."""
    return _page(
        "States",
        "executor/domain/parent_state.py, executor/domain/order_state.py",
        "What is not listed is illegal: the engine halts rather than make such a move. A line with two tips goes both "
        "ways; the dot marks where every order begins.",
        "## Parent order",
        "![The states of a parent order](parent-states.svg)",
        _moves_table(PARENT_MOVES),
        "## Child order",
        "![The states of a child order](child-states.svg)",
        _moves_table(CHILD_MOVES),
    )


def parent_diagram() -> str:
    """Draw the states of a parent order."""
    return state_diagram("The states of a parent order", PARENT_MOVES, PARENT_PLACES)


def child_diagram() -> str:
    """Draw the states of a child order."""
    return state_diagram("The states of a child order", CHILD_MOVES, CHILD_PLACES)


def cli_page() -> str:
    """List every command with its options."""
    return _page("Commands", "executor/interfaces/cli.py", *commands_page())


def http_page() -> str:
    """List every route of the HTTP interface with what it takes."""
    return _page("The HTTP interface", "executor/interfaces/openapi.py", *interface_page())


def metrics_page() -> str:
    """List every metric of the daemon."""
    rows = (
        (f"`{each.name}`", each.kind, each.unit, ", ".join(f"`{label}`" for label in each.labels), each.text)
        for each in METRICS
    )
    buckets = (
        (f"`{each.name}`", ", ".join(f"{bound:g}" for bound in each.buckets))
        for each in METRICS
        if each.buckets
    )
    return _page(
        "Metrics",
        "executor/runtime/metrics.py",
        "Served in Prometheus' text format. A figure that is not known is absent, never zero.",
        f"A parent has series while it lives and for {PARENT_SHOWN_AFTER_END_NS // NS_PER_MIN} minutes after, at most "
        f"{PARENT_SERIES_MAX} of them. Symbols and parents come from the engine's state; every other label takes its "
        "values from a short fixed list.",
        table(("name", "kind", "unit", "labels", "meaning"), rows),
        "## Buckets of the histograms, each in its own unit",
        table(("name", "upper bounds"), buckets),
    )


def refusals_page() -> str:
    """List every reason for which the gate refuses an order."""
    return _page(
        "Refusals",
        "risk/refusals.py, executor/interfaces/remedies.py",
        "The gate looks at every child order before it leaves and collects all reasons that hold. A refused order "
        "is recorded and never sent. Limits named here are listed by `executor config show` and explained in "
        "[configuration.md](configuration.md).",
        table(
            ("code", "when", "what helps"),
            ((f"`{code}`", text, REFUSAL_REMEDY[code]) for code, text in REFUSAL_TEXT.items()),
        ),
        "## A parent order that fails before its first child",
        "`executor submit` waits up to 2 s for this verdict and ends with 1; `executor list` shows it later.",
        table(
            ("reason", "what would have been right", "what helps"),
            ((f"`{reason}`", *texts) for reason, texts in END_REMEDY.items()),
        ),
        "## Requests that the engine refuses",
        table(
            ("code", "what would have been right", "what helps"),
            ((f"`{code}`", *texts) for code, texts in ANSWER_REMEDY.items()),
        ),
    )


def alerts_page() -> str:
    """List everything that people are alerted about."""
    return _page(
        "Alerts",
        "executor/interfaces/alerts.py",
        "Each stands in the daemon's log as `ALERT CODE` with the order and the particulars, and is counted in "
        "`executor_alerts_total`.",
        table(
            ("code", "what has happened", "what to do"),
            ((f"`{code}`", *texts) for code, texts in ALERT_TEXT.items()),
        ),
    )


def configuration_page() -> str:
    """List every setting: what may be written, the default, the unit and the meaning; and what each profile says."""
    sections: list[str] = []
    for name, model in SECTIONS.items():
        texts = _texts_of_settings(model)
        rows = (
            (
                f"`{key}`",
                next(kind.form for kind in field.metadata if isinstance(kind, Kind)),
                _default(name, key, field.default),
                _unit(f"{name}.{key}"),
                texts[key],
            )
            for key, field in model.model_fields.items()
        )
        sections += [f"## `[{name}]`", table(("key", "allowed", "default", "unit", "what it does"), rows)]
    pairs = ((mode.value, f"`{key}`", f"`{secret}`") for mode, (key, secret) in ENV_NAMES.items())
    profiles = (
        (f"`{section}.{key}`", *(_written(layers[profile], section, key) for profile in PROFILES))
        for layers in [{name: read_file(PROFILE_DIR / f"{name}.toml")[0] for name in PROFILES}]
        for section, model in SECTIONS.items()
        for key in model.model_fields
        if any(key in layer.get(section, {}) for layer in layers.values())
    )
    return _page(
        "Configuration",
        "config/schema.py, config/adviser.py, executor/domain/limits.py",
        "Four layers, each over the one before: the defaults of this page, the profile (`--profile`), your own file "
        "(`--config FILE`), environment variables. A file holds `[section]` headers and one `key = value` per line; "
        "the variable of a setting is `EXECUTOR_SECTION__KEY`, such as `EXECUTOR_LIMITS__CHILD_NOTIONAL_MAX=20000`. "
        "`executor config check` tells every problem at once, file by file and line by line; `executor config show` "
        "prints each setting in force and where it came from.",
        "Text, paths, words and durations stand in quotes, numbers without. In mode `live` there is no default for "
        f"{', '.join(f'`{name}`' for name in MONEY_LIMITS)}: each must be written. Relative paths are looked for "
        "below the directory in which the command is started, not beside the file that names them.",
        *sections,
        "## API keys",
        "Never in a settings file: from these variables, or from the file that `venue.api_key_file` names. Only the "
        "names of the mode in force are read. The sandbox needs none.",
        table(("mode", "key", "secret"), pairs),
        f"The key of the model's server is another one: from `{ADVISER_ENV}`, or from the file that "
        "`adviser.api_key_file` names.",
        "## What the profiles say",
        "A dash stands for the default above.",
        table(("key", *(f"`{name}`" for name in PROFILES)), profiles),
    )


def exit_codes_page() -> str:
    """List the exit codes of the command line with the text beside each."""
    texts = _texts_of_members(ExitCode)
    return _page(
        "Exit codes",
        "executor/interfaces/exit_codes.py",
        "How a command of `executor` ends.",
        table(
            ("code", "name", "meaning"),
            ((str(int(code)), f"`{code.name}`", texts[code.name]) for code in ExitCode),
        ),
    )


def checks_page() -> str:
    """List everything that `executor doctor` looks at."""
    parts = (
        ("## This machine", {**HOME_CHECKS, **PREMISES_CHECKS}),
        ("## The venue", VENUE_CHECKS),
        ("## The model, where `adviser.enabled` is true", MODEL_CHECKS),
    )
    tables = (
        (head, table(("check", "all is well when"), ((f"`{name}`", text) for name, text in checks.items())))
        for head, checks in parts
    )
    return _page(
        "What `executor doctor` looks at",
        "executor/interfaces/doctor.py, executor/runtime/premises.py, executor/venues/bybit/examination.py, "
        "executor/adviser/preflight.py",
        "In this order; what depends on something that failed is left out. What to do about a finding: "
        "[../doctor.md](../doctor.md).",
        *(block for table in tables for block in table),
    )


def advice_page() -> str:
    """List how a question to a model can end, why, and what can keep advice from holding as it was given."""
    return _page(
        "What becomes of advice",
        "executor/interfaces/advice_reasons.py, executor/advice/ruling.py",
        "Each question has one outcome; `executor decisions` shows it with its reason and with every difference "
        "between what was advised and what holds. They are counted in `executor_advice_outcomes_total`. More: "
        "[../adviser.md](../adviser.md).",
        "## Outcomes",
        table(
            ("outcome", "what it means"),
            ((f"`{outcome}`", text.format(after_ms="…")) for outcome, text in OUTCOME_TEXT.items()),
        ),
        "## Reasons",
        table(("reason", "what it means"), ((f"`{code}`", text) for code, text in REASON_TEXT.items())),
        "## Differences",
        table(("code", "what it means"), ((f"`{clip}`", text) for clip, text in CLIP_TEXT.items())),
    )


def strategies_page() -> str:
    """List the strategies, and every parameter with its names, its usual value and who reads it."""
    texts = _texts_of_parameters(StrategyParams)
    usual = StrategyParams()
    parts = {name: type(strategy) for name, strategy in STRATEGIES.items()}
    rows = (
        (
            f"`--{field.replace('_', '-')}`",
            f"`{param}`",
            texts[param],
            _usual(getattr(usual, param)),
            "all"
            if set(STRATEGIES) <= set(readers(param))
            else ", ".join(f"`{name}`" for name in readers(param)),
        )
        for field, param in PARAM_OF.items()
    )
    return _page(
        "Strategies and their parameters",
        "strategies/, executor/domain/orders.py",
        "What each does and when to use it: [../algorithms.md](../algorithms.md). In a request of the HTTP interface a "
        "parameter has the name of its flag with underscores. One that a strategy does not read is refused. Where "
        "nothing is usual (-), the strategy has its own way.",
        "## Strategies",
        table(
            ("strategy", "what it is"),
            ((f"`{name}`", _first_line(sys.modules[kind.__module__])) for name, kind in parts.items()),
        ),
        "## Parameters",
        table(("flag", "in the journal", "what it is", "usual", "read by"), rows),
    )


def _first_line(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").partition("\n")[0]


def _usual(value: object) -> str:
    return "-" if value is None or value == () else f"`{shown(value)}`"


PAGES: Final[Pages] = {
    "configuration.md": configuration_page,
    "states.md": states_page,
    "strategies.md": strategies_page,
    "metrics.md": metrics_page,
    "refusals.md": refusals_page,
    "alerts.md": alerts_page,
    "exit-codes.md": exit_codes_page,
    "checks.md": checks_page,
    "advice.md": advice_page,
    "cli.md": cli_page,
    "http.md": http_page,
    "parent-states.svg": parent_diagram,
    "child-states.svg": child_diagram,
}


def _page(title: str, source: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", _NOTE.format(source=source), *blocks)) + "\n"


def _moves_table(moves: Mapping[Status, Mapping[Status, str]]) -> str:
    rows = [
        (f"`{source}`", f"`{target}`", reason)
        for source, targets in moves.items()
        for target, reason in targets.items()
    ]
    rows += [(f"`{source}`", "", "nothing follows") for source, targets in moves.items() if not targets]
    return table(("from", "to", "when"), rows)


def _texts_of_members(kind: type) -> dict[str, str]:
    """Read the string that stands under each member of an enumeration in its source."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for member, note in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name):
            assert isinstance(note, ast.Expr), f"{kind.__name__}.{member.targets[0].id} has no text"
            assert isinstance(note.value, ast.Constant)
            texts[member.targets[0].id] = str(note.value.value)
    return texts


def _texts_of_settings(section: type[Section]) -> dict[str, str]:
    """Read what each setting of a section does: below its field, or where the domain explains it."""
    explained = {"limits": Limits, "timings": Timings}
    for name, kind in explained.items():
        if SECTIONS[name] is section:
            return _texts_of_parameters(kind)
    (definition,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for member, note in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            assert isinstance(note, ast.Expr), f"{section.__name__}.{member.target.id} has no text"
            assert isinstance(note.value, ast.Constant)
            texts[member.target.id] = " ".join(str(note.value.value).split())
    return texts


def _texts_of_parameters(kind: type) -> dict[str, str]:
    """Read the parameters of a numpydoc docstring; several names may share one text."""
    doc = inspect.getdoc(kind) or ""
    blocks = re.split(r"\n(?=\S)", doc.partition("----------\n")[2])
    return {
        name.strip(): " ".join(textwrap.dedent(text).split())
        for names, _, text in (block.partition("\n") for block in blocks)
        for name in names.split(",")
    }


def _default(section: str, key: str, default: object) -> str:
    """Show a default the way it would be written."""
    text = shown(default)
    if f"{section}.{key}" in DURATIONS:
        text = f"{text}s"
    return f"`{text}`" if text and default is not None else text or "empty"


def _unit(key: str) -> str:
    """Say the unit that the name of a setting ends in."""
    if key in UNITLESS:
        return UNITLESS[key]
    words = set(key.partition(".")[2].split("_"))
    return next((unit for word, unit in UNITS.items() if word in words), "")


def _written(layer: Mapping[str, Mapping[str, Written]], section: str, key: str) -> str:
    written = layer.get(section, {}).get(key)
    return "-" if written is None else f"`{written.text or 'empty'}`"


if __name__ == "__main__":
    what = "Write the reference pages that are drawn from the code."
    raise SystemExit(run(Path(__file__), what, PAGES, FOLDER, sys.argv[1:]))
