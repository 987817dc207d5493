"""A scenario set from history: volatility and spread of candles or of a recorded book, and the rate of its trades.

What history does not tell is left as it is, and every change says where it comes from. The shape of the market, who is
in it and how they think, stays the scenario's own: only its scales are set.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import exp, isfinite, log, sqrt
from pathlib import Path
from statistics import median
from typing import Any, Final

from backtest.market.build import build
from backtest.market.recorded_facts import recorded_facts
from backtest.market.scenarios import AgentsPart, Scenario, parse

_TIMES: Final = ("open_time", "start_at", "starttime", "start", "timestamp", "date", "datetime", "time")
_CLOSES: Final = ("close", "closeprice", "adj close")
_HIGHS: Final = ("high", "highprice")
_LOWS: Final = ("low", "lowprice")
_ROWS_MIN: Final = 30
_PROBE_STEPS: Final = 600
_MILLI: Final = 10**11
"""Times above this are told in milliseconds: in seconds it would be the year 5138."""
_WAITS: Final = ("mean_wait_ns", "mean_idle_ns", "decay_ns")
_RATED: Final = frozenset({"block-taker", "noise", "hawkes", "order-splitter"})
_BPS: Final = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a file tells.

    Parameters
    ----------
    source
        For people.
    px
        Last price, quote units.
    volatility
        Standard deviation of the log price over a second.
    spread_bps
        Full spread; None where nothing tells it.
    trades_per_s
        None where nobody counted them.
    how
        From what the spread was taken.
    """

    source: str
    px: float
    volatility: float
    spread_bps: float | None
    trades_per_s: float | None
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that was set.

    Parameters
    ----------
    field
        Where it is.
    before, after
        As written.
    why
        Where the new value comes from.
    """

    field: str
    before: str
    after: str
    why: str

    def words(self) -> str:
        """Tell it in a line."""
        return f"{self.field}: {self.before} -> {self.after} ({self.why})"

    def record(self) -> dict[str, str]:
        """Give it for machines."""
        return {"field": self.field, "before": self.before, "after": self.after, "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """The new scenario and what was changed in it."""

    scenario: Scenario
    changes: tuple[Change, ...]

    def toml(self) -> str:
        """Write the scenario as a file."""
        return _toml(self.scenario.model_dump(mode="json", exclude_defaults=True))


def history_of(path: Path, symbol: str | None) -> History:
    """Read candles, or a recording of a store.

    Parameters
    ----------
    path
        CSV file, or the folder of a store.
    symbol
        Of the recording.

    Raises
    ------
    ValueError
        If it cannot be read, or says too little.
    DataError
        If the store has no such recording.
    """
    if path.is_dir():
        if symbol is None:
            raise ValueError("a folder: --symbol says which recording of that store")
        return _of_recording(path, symbol)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _of_candles(path.name, csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot be read: {error}") from error


def calibrated(scenario: Scenario, history: History) -> Calibrated:
    """Set a scenario's scales from history.

    The value's volatility, per second and relative to its price, becomes that of history; market makers quote its
    spread; and where trades were counted, everybody who trades by chance waits longer or shorter by the same factor, so
    that a trial of the scenario has as many of them.
    """
    changes: list[Change] = []
    raw = scenario.model_dump(mode="json", exclude_defaults=True)
    ticks = history.volatility * scenario.value.px
    if scenario.value.kind == "constant":
        raw["value"]["kind"] = "mean-reverting"
        changes.append(
            Change(
                field="value.kind",
                before="constant",
                after="mean-reverting",
                why="a random walk, so that it can have the volatility of history",
            )
        )
    volatile = "jump_ticks" if scenario.value.kind == "jump" else "volatility_ticks"
    if volatile == "jump_ticks":
        ticks *= sqrt(scenario.value.mean_wait_s)  # a jump stands for what the time between two would add
    changes.append(
        Change(
            field=f"value.{volatile}",
            before=f"{getattr(scenario.value, volatile):g}",
            after=f"{ticks:.6g}",
            why=f"{history.volatility * _BPS:.4g} bps a second in {history.source}",
        )
    )
    raw["value"][volatile] = float(f"{ticks:.6g}")
    if history.spread_bps is not None:
        quoting = [group for group in raw["agents"] if group["kind"] == "market-maker"]
        changes += [_spread(group, history) for group in quoting]
    if history.trades_per_s is not None:
        changes += _rates(scenario, raw, history.trades_per_s)
    return Calibrated(scenario=parse(raw, "calibrated scenario"), changes=tuple(changes))


def _spread(group: dict[str, Any], history: History) -> Change:
    params = group.setdefault("params", {})
    before = params.get("base_spread_bps", 50.0)
    params["base_spread_bps"] = float(f"{history.spread_bps:.6g}")
    return Change(
        field=f"agents {group['name']}.params.base_spread_bps",
        before=f"{before:g}",
        after=f"{history.spread_bps:.6g}",
        why=history.how,
    )


def _rates(scenario: Scenario, raw: dict[str, Any], trades_per_s: float) -> list[Change]:
    """Wait longer or shorter, all by one factor; a trial says how often the scenario trades as it is."""
    trial = scenario.sized(None, _PROBE_STEPS)
    market = build(trial, 0)
    market.engine.run(steps=_PROBE_STEPS)
    own = market.engine.summary().trades / (_PROBE_STEPS * trial.run.step_s)
    if not own:
        raise ValueError("nobody trades in this scenario: its rates cannot be set")
    factor = own / trades_per_s
    changes = []
    groups: Iterable[tuple[AgentsPart, dict[str, Any]]] = zip(scenario.agents, raw["agents"], strict=True)
    for group, written in groups:
        if group.kind not in _RATED:
            continue
        parameters = group.parameters()
        for name in _WAITS:
            before = getattr(parameters, name, None)
            if before is None:
                continue
            params = written.setdefault("params", {})
            params.pop(f"{name.removesuffix('_ns')}_s", None)
            params[name] = max(1, round(before * factor))
            changes.append(
                Change(
                    field=f"agents {group.name}.params.{name}",
                    before=str(before),
                    after=str(params[name]),
                    why=f"{trades_per_s:.4g} trades a second in history, {own:.4g} in a trial",
                )
            )
    return changes


def _of_recording(root: Path, name: str) -> History:
    venue, _, rest = name.partition("/")
    category, _, symbol = rest.partition("/")
    found = (
        recorded_facts(root, symbol, venue=venue, category=category) if symbol else recorded_facts(root, name)
    )
    assert found.book is not None, "a recording has a book"
    assert found.quality is not None, "and what goes with it"
    return History(
        source=found.name,
        px=found.last_px,
        volatility=found.quality.volatility_hourly_pct / 100.0 / 60.0,
        spread_bps=found.book.spread_bps,
        trades_per_s=found.trades / (found.steps * found.step_s),
        how=f"time-weighted spread of {found.name}",
    )


def _of_candles(name: str, rows: Iterable[Mapping[str, str]]) -> History:
    """Volatility from closes; the spread from closes, highs and lows, where they tell one."""
    times, closes, highs, lows = [], [], [], []
    for number, row in enumerate(rows, start=2):
        told = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key}
        at, close = _first(told, _TIMES), _first(told, _CLOSES)
        if at is None or close is None:
            raise ValueError(f"no column of times or closes among {', '.join(told)}")
        if close.lower() in {"null", "nan", ""}:
            raise ValueError(f"line {number}: no close")
        times.append(_seconds(at, number))
        closes.append(_number(close, number))
        high, low = _first(told, _HIGHS), _first(told, _LOWS)
        if high and low:
            highs.append(_number(high, number))
            lows.append(_number(low, number))
    if len(closes) < _ROWS_MIN:
        raise ValueError(f"{len(closes)} candles: {_ROWS_MIN} are needed")
    if times[0] > times[-1]:
        for column in (times, closes, highs, lows):
            column.reverse()  # newest first, as Bybit answers
    gaps = [later - one for one, later in pairwise(times)]
    if min(gaps) <= 0.0:
        raise ValueError("the candles are not in order of time")
    step_s = median(gaps)
    # Over a weekend or a gap the price moves more than in one candle: such moves are left out.
    moves = [
        log(later / one)
        for (one, later), gap in zip(pairwise(closes), gaps, strict=True)
        if gap <= 1.5 * step_s
    ]
    mean = sum(moves) / len(moves)
    variance = sum((one - mean) ** 2 for one in moves) / (len(moves) - 1)
    if variance <= 0.0:
        raise ValueError("the price does not move")
    spread = _abdi_ranaldo(closes, highs, lows) if len(highs) == len(closes) else None
    return History(
        source=f"{name}, {len(closes)} candles of {step_s:g} s",
        px=closes[-1],
        volatility=sqrt(variance / step_s),
        spread_bps=spread,
        trades_per_s=None,
        how="close, high and low of candles (Abdi and Ranaldo, 2017)",
    )


def _abdi_ranaldo(closes: Sequence[float], highs: Sequence[float], lows: Sequence[float]) -> float | None:
    """Full spread, basis points: 2 sqrt(mean of (c_t - e_t)(c_t - e_(t+1))), e the middle of log high and log low.

    F. Abdi and A. Ranaldo, Review of Financial Studies 30 (2017), eq. 11. None where the mean is not above zero: then
    the spread is too small beside the moves to be seen.
    """
    middles = [(log(high) + log(low)) / 2.0 for high, low in zip(highs, lows, strict=True)]
    products = [
        (log(close) - one) * (log(close) - later)
        for close, one, later in zip(closes, middles, middles[1:], strict=False)
    ]
    mean = sum(products) / len(products)
    return (exp(2.0 * sqrt(mean)) - 1.0) * _BPS if mean > 0.0 else None


def _first(told: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((told[name] for name in names if name in told), None)


def _number(text: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"line {line}: {text!r} is no number") from None
    if not isfinite(value) or value <= 0.0:
        raise ValueError(f"line {line}: {text} is no price")
    return value


def _seconds(text: str, line: int) -> float:
    """Read a time: seconds or milliseconds since 1970, or a date of ISO 8601."""
    try:
        value = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"line {line}: {text!r} is no time") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return value / 1_000.0 if value > _MILLI else value


def _toml(raw: Mapping[str, Any]) -> str:
    """Write plain values first, then tables, then lists of tables: TOML knows no null, and none are given."""
    lines = [f"{name} = {_value(value)}" for name, value in raw.items() if not _is_table(value)]
    for name, value in raw.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", *_fields(value)]
        elif _is_table(value):
            for one in value:
                lines += ["", f"[[{name}]]", *_fields(one)]
    return "\n".join(lines) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _fields(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in table.items() if value is not None]


def _value(value: Any) -> str:  # noqa: ANN401 - whatever a scenario holds
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        inner = (f"{name} = {_value(one)}" for name, one in value.items() if one is not None)
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return repr(value)
