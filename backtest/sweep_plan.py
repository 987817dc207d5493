"""What a sweep tries, out of its file: a list in the file is a choice, and every combination of choices is a cell.

A cell says everything that it is computed from, defaults included, and is named by a hash of that. So a result that is
there already is known again, whatever else was added to the file.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Final

from backtest.policies import BASELINES, POLICIES
from backtest.sweep_cell import Cell, cell_of
from config.problems import ConfigProblems, Problem, place, quoted

CELLS_MAX: Final = 10_000
_MARKET_USUAL: Final = {"symbol": None, "qty": None}
_WINDOW: Final = ("start", "until")
_STRATEGY_USUAL: Final = {"name": None, "interval": "20s", "urgency": "MEDIUM", "residual": "cross"}
_STRATEGY_MORE: Final = (
    "extend", "passiveness", "randomize_size", "randomize_timing", "catch_up", "max_catch_up", "reprice_ticks",
    "participation", "max_participation", "display", "randomize_display", "peg", "peg_offset_ticks", "max_reprices",
    "max_chase", "give_up", "trigger_price", "trigger_qty", "risk_aversion", "curve",
    "session_weights", "wrappers",
)  # fmt: skip
_ORDERS_USUAL: Final = {
    "side": "buy", "duration": "5m", "every": None, "warmup": "60s", "over_gaps": "false", "seed": "1",
}  # fmt: skip
_VENUE_USUAL: Final = {
    "queue": "risk-averse", "latency_order": "10", "latency_response": "10", "maker_fee": "2", "taker_fee": "5.5",
    "requests_per_s": "10", "print_lag_ms": "50", "impact": "none", "twin": "false",
}  # fmt: skip
_VENUE_MORE: Final = ("latency_feed", "price_band_bps")
"""What hangs on the recording where it is not given."""
_ALLOWED: Final = {
    "market": (*_MARKET_USUAL, "days", *_WINDOW),
    "strategy": (*_STRATEGY_USUAL, *_STRATEGY_MORE),
    "orders": tuple(_ORDERS_USUAL),
    "venue": (*_VENUE_USUAL, *_VENUE_MORE),
}
_TOP: Final = ("data", *_ALLOWED)
_MANY: Final = ("market", "strategy")
"""Tables that there may be several of: [[market]], [[strategy]]."""
_OF_A_SCHEDULE: Final = ("interval", *(name for name in _STRATEGY_MORE if name != "extend"))
"""What a baseline decides by itself."""
STRATEGY_KEYS: Final = tuple(
    "strategy" if name == "name" else name for name in (*_STRATEGY_USUAL, *_STRATEGY_MORE)
)
KEYS: Final = (
    "symbol", "day", *_WINDOW, "qty", *STRATEGY_KEYS, *_ORDERS_USUAL, *_VENUE_USUAL, *_VENUE_MORE,
)  # fmt: skip
"""Everything that a cell can say, in the order of the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What a file asks for, before anybody has looked at the data."""

    root: Path
    terms: tuple[Mapping[str, str], ...]

    def cells(self, data_of: Mapping[tuple[str, str | None], str]) -> list[Cell]:
        """Make the cells.

        Parameters
        ----------
        data_of
            Mark of the recording of a symbol and day.
        """
        return [
            cell_of(number, self.root, dict(terms), data_of[terms["symbol"], terms.get("day")])
            for number, terms in enumerate(self.terms, start=1)
        ]


def read_grid(path: Path, usual_root: Path) -> Grid:
    """Read the file of a sweep.

    Raises
    ------
    ConfigProblems
        With everything that is wrong with its form: what the values mean is not looked at.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise _alone(path, "FILE", str(error.strerror), "a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _alone(path, "TOML", str(error), "TOML in UTF-8") from error
    reader = _Reader(path)
    root = reader.root(found, usual_root)
    tables = {name: reader.tables(found, name) for name in _ALLOWED}
    orders = reader.choices(tables["orders"], "orders", _ORDERS_USUAL)
    venue = reader.choices(tables["venue"], "venue", _VENUE_USUAL)
    strategies = reader.strategies(tables["strategy"])
    markets = reader.markets(tables["market"])
    if reader.problems:
        raise ConfigProblems(reader.problems)
    combined = [
        {name: text for part in parts for name, text in part.items()}
        for parts in product(markets, strategies, orders, venue)
    ]
    if len(combined) > CELLS_MAX:
        raise _alone(path, "SWEEP", f"{len(combined)} cells", f"at most {CELLS_MAX}")
    seen = {tuple(sorted(terms.items())) for terms in combined}
    if len(seen) < len(combined):
        raise _alone(
            path, "SWEEP", f"{len(combined) - len(seen)} cells twice", "every combination of choices once"
        )
    return Grid(root=root, terms=tuple(combined))


class _Reader:
    """Reads tables and collects what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self.problems: list[Problem] = []
        self._path = path

    def root(self, found: Mapping[str, object], usual: Path) -> Path:
        """Find the folder of the store, and what is written beside the tables."""
        for name in found:
            if name not in _TOP:
                self._refuse(name, quoted(name), f"data, {', '.join(_form(one) for one in _ALLOWED)}")
        data = found.get("data", str(usual))
        if not isinstance(data, str) or not data:
            self._refuse("data", quoted(data), "the folder of a store, as text")
            return usual
        return Path(data)

    def tables(self, found: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
        """Give the tables of a name, and refuse keys that are none of theirs."""
        value = found.get(name, [] if name in _MANY else {})
        listed = value if name in _MANY else [value]
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            self._refuse(
                _form(name), quoted(value), f"a table {_form(name)} with {', '.join(_ALLOWED[name])}"
            )
            return []
        if name in _MANY and not listed:
            self._refuse(_form(name), "nothing", f"one table {_form(name)} at least")
        for one in listed:
            for key in one:
                if key not in _ALLOWED[name]:
                    self._refuse(f"{_form(name)} {key}", quoted(key), ", ".join(_ALLOWED[name]))
        return listed

    def choices(
        self,
        tables: Sequence[Mapping[str, object]],
        name: str,
        usual: Mapping[str, str | None],
        single: Sequence[str] = (),
    ) -> list[dict[str, str]]:
        """Every combination that the tables of a name ask for."""
        combined = []
        for table in tables:
            known = {key: value for key, value in table.items() if key in _ALLOWED[name] and key != "days"}
            texts = {key: [text] for key, text in usual.items() if text is not None}
            texts |= {key: list(self._texts(f"{_form(name)} {key}", value)) for key, value in known.items()}
            for key in single:
                if len(texts.get(key, [])) > 1:
                    self._refuse(f"{_form(name)} {key}", quoted(table[key]), "one value")
            combined += [dict(zip(texts, chosen, strict=True)) for chosen in product(*texts.values())]
        return combined

    def markets(self, tables: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
        """Every instrument, quantity, and day or window."""
        combined = []
        for table in tables:
            for key in _MARKET_USUAL:
                if key not in table:
                    self._refuse(
                        f"[[market]] {key}",
                        "nothing",
                        "the recorded instrument" if key == "symbol" else "sizes",
                    )
            if "days" in table and any(key in table for key in _WINDOW):
                self._refuse("[[market]] days", "days and a window", "either days, or start and until")
            days = list(self._days(table["days"])) if "days" in table else [{}]
            chosen = self.choices([table], "market", _MARKET_USUAL, _WINDOW)
            combined += [{**one, **day} for day in days for one in chosen]
        return combined

    def strategies(self, tables: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
        """Every strategy with its parameters."""
        combined = []
        for table in tables:
            names = list(self._texts("[[strategy]] name", table.get("name", [])))
            known = [name for name in names if name.upper() in POLICIES]
            if not names or known != names:
                self._refuse("[[strategy]] name", quoted(table.get("name")), ", ".join(POLICIES))
            own = [key for key in _OF_A_SCHEDULE if key in table]
            usual = dict(_STRATEGY_USUAL)
            if {name.upper() for name in known} & set(BASELINES):
                usual.pop("interval")
                if own or any(name.upper() not in BASELINES for name in known):
                    self._refuse(
                        "[[strategy]] name",
                        quoted(table["name"]),
                        f"{' and '.join(BASELINES)} in a table of their own without {', '.join(_OF_A_SCHEDULE)}",
                    )
            chosen = self.choices([table], "strategy", usual)
            combined += [{"strategy": one.pop("name", "").upper(), **one} for one in chosen]
        return combined

    def _days(self, value: object) -> Iterator[dict[str, str]]:
        """Read days, as TOML's own dates or as text."""
        for one in value if isinstance(value, list) else [value]:
            try:
                if isinstance(one, datetime):
                    raise ValueError  # noqa: TRY004 - a wrong form like any other
                yield {"day": (one if isinstance(one, date) else date.fromisoformat(str(one))).isoformat()}
            except ValueError:
                self._refuse("[[market]] days", quoted(str(one)), "days such as 2026-08-09")
        if value == []:
            self._refuse("[[market]] days", "[]", "one day at least; without `days` all that is stored")

    def _texts(self, where: str, value: object) -> Iterator[str]:
        """Read one value or several, each as it would be typed behind an option."""
        listed = value if isinstance(value, list) else [value]
        if not listed:
            self._refuse(
                where, "[]", "one value at least; a list is a choice, and each of its values makes cells"
            )
        for one in listed:
            match one:
                case bool():
                    yield str(one).lower()
                case str() if one:
                    yield one
                case int():
                    yield str(one)
                case Decimal() if one.is_finite():
                    yield f"{one:f}"
                case datetime() if one.tzinfo is not None:
                    yield one.isoformat().replace("+00:00", "Z")
                case _:
                    self._refuse(where, quoted(str(one)), "text, a number, true or false, or a list of such")

    def _refuse(self, where: str, got: str, allowed: str) -> None:
        self.problems.append(_problem(self._path, "SWEEP", where, got, allowed))


def _form(name: str) -> str:
    return f"[[{name}]]" if name in _MANY else f"[{name}]"


def _problem(path: Path, code: str, where: str, got: str, allowed: str) -> Problem:
    at = f"{place(path)} {where}".rstrip()
    return Problem(
        code=code,
        where=at,
        got=got,
        allowed=allowed,
        next_step="correct the file; docs/backtest.md, section Sweeps, has one that works",
    )


def _alone(path: Path, code: str, got: str, allowed: str) -> ConfigProblems:
    return ConfigProblems([_problem(path, code, "", got, allowed)])
