"""What a tear sheet is made of: the folder that a run or a comparison has written, read back and checked."""

import csv
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

import msgspec

from backtest.dataset.errors import DataError
from backtest.journals import JOURNALS
from backtest.results import SUMMARY, TRADES
from executor.domain.units import BPS_PER_UNIT

_AGAIN: Final = "name a folder that `executor backtest run --out` or `compare --out` has written"


class Parts(msgspec.Struct, frozen=True):
    """The parts of an implementation shortfall, basis points."""

    delay: Decimal
    trading: Decimal
    opportunity: Decimal
    fees: Decimal


class Report(msgspec.Struct, frozen=True):
    """The figures of a cost report that are drawn; basis points unless the name says otherwise."""

    category: str = ""
    symbol: str = ""
    side: Literal["BUY", "SELL", ""] = ""
    status: str = ""
    reason: str = ""
    order_qty: Decimal | None = None
    cum_qty: Decimal | None = None
    decision_px: Decimal | None = None
    arrival_px: Decimal | None = None
    avg_px: Decimal | None = None
    arrival_shortfall_bps: Decimal | None = None
    shortfall_bps: Parts | None = None
    spread_captured_quote: Decimal | None = None
    vwap_slippage_bps: Decimal | None = None
    fees_bps: Decimal | None = None
    participation_pct: Decimal | None = None
    maker_share: Decimal | None = None
    duration_s: Decimal | None = None
    orders_sent: int | None = None

    def parts_bps(self) -> dict[str, Decimal] | None:
        """The cost in parts that sum to it; None where there is no cost.

        The part `trading` of the report (fills against the arrival price) is told apart into *spread*, which is what
        the fills were away from the mid of their moment, and *drift*, which is how far that mid was from arrival.
        """
        if (
            self.shortfall_bps is None
            or self.spread_captured_quote is None
            or not self.order_qty
            or not self.decision_px
        ):
            return None
        parts = self.shortfall_bps
        paper = self.order_qty * self.decision_px
        spread = (-self.spread_captured_quote * BPS_PER_UNIT / paper).quantize(Decimal("0.0001"))
        return {
            "delay": parts.delay,
            "spread": spread,
            "drift": parts.trading - spread,
            "opportunity": parts.opportunity,
            "fees": parts.fees,
        }


class OfGround(msgspec.Struct, frozen=True):
    """Fills that rest on one thing."""

    fills: int
    qty: Decimal


class Parent(msgspec.Struct, frozen=True):
    """One order."""

    name: str
    number: int
    start: str
    policy: str
    failure: str
    fills: int
    fills_by_ground: dict[str, OfGround]
    report: Report
    funding_quote: Decimal
    funding_bps: Decimal | None
    impact_model_bps: Decimal | None
    impact_model_low_bps: Decimal | None
    impact_model_high_bps: Decimal | None


class Mean(msgspec.Struct, frozen=True):
    """Mean cost of a run, basis points."""

    orders: int
    mean: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    blocks: int | None = None


class Charged(msgspec.Struct, frozen=True):
    """Mean of what a model of impact charges, basis points; None where it can say nothing."""

    orders: int
    unknown: int
    mean: float | None
    low: float | None
    high: float | None


class Holding(msgspec.Struct, frozen=True):
    """What holding has cost, basis points."""

    orders_charged: int
    mean_bps: float | None


class Pair(msgspec.Struct, frozen=True):
    """One policy against another: cost of the first less cost of the second, basis points."""

    first: str
    second: str
    cheaper: str | None
    mean: float
    low: float
    high: float
    confidence: float
    standard_error: float
    p: float
    p_holm: float
    smallest_shown: float | None
    power: float
    blocks: int
    block: int


class Contest(msgspec.Struct, frozen=True):
    """A comparison of policies."""

    moments: int
    moments_left_out: int
    mean_cost_bps: dict[str, float]
    tests: int
    pairs: list[Pair]
    each: list[dict[str, float]]
    impact_model_bps: dict[str, Charged | None]
    funding: dict[str, Holding]

    @property
    def is_whole(self) -> bool:
        """Whether every policy has a cost at every moment, and there are moments enough for the blocks."""
        named = {*self.mean_cost_bps, *(name for pair in self.pairs for name in (pair.first, pair.second))}
        return (
            bool(self.pairs)
            and all(named | {"number", "recording"} <= each.keys() for each in self.each)
            and all(pair.block >= 1 for pair in self.pairs)
            and min(self.lengths(), default=0) > 1
        )

    def lengths(self) -> list[int]:
        """How many moments each recording has."""
        return [len(list(group)) for _, group in groupby(each["recording"] for each in self.each)]


class Market(msgspec.Struct, frozen=True):
    """A recording, and on which terms it was traded."""

    recording: dict[str, object]
    conditions: dict[str, object]


class Summary(msgspec.Struct, frozen=True):
    """Everything of a run, or of a comparison."""

    orders: int
    failed: int
    fills_by_ground: dict[str, OfGround]
    warnings: list[str]
    note: str
    parents: list[Parent]
    recording: dict[str, object] | None = None
    conditions: dict[str, object] | None = None
    recordings: tuple[Market, ...] = ()
    arrival_shortfall_bps: Mean | None = None
    contest: Contest | None = None
    impact_model_bps: Charged | None = None
    funding: Holding | None = None

    def markets(self) -> tuple[Market, ...]:
        """All recordings, with their terms."""
        if self.recording is None or self.conditions is None:
            return self.recordings
        return (Market(self.recording, self.conditions),)

    def charged(self, policy: str) -> Charged | None:
        """What a model of impact charges a policy; None where none was asked."""
        return self.impact_model_bps if self.contest is None else self.contest.impact_model_bps.get(policy)

    def held(self, policy: str) -> Holding | None:
        """What holding has cost a policy."""
        return self.funding if self.contest is None else self.contest.funding.get(policy)

    def policies(self) -> list[str]:
        """Names of how orders were worked, in the order of their first use."""
        return list(dict.fromkeys(one.policy for one in self.parents))


class Trade(msgspec.Struct, frozen=True):
    """One fill."""

    name: str
    ts_exchange_ns: int
    qty: Decimal
    px: Decimal
    liquidity: str
    ground: str


class Results:
    """A folder of results; what is read of it is a `DataError` where it is missing, or not as it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def summary(self) -> Summary:
        """What the run came to."""
        path = self.folder / SUMMARY
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Summary)
        except OSError as error:
            raise DataError(path, f"cannot be read: {error.strerror}", _AGAIN) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(path, f"not as it is written: {error}", _AGAIN) from error
        if found.contest is not None and not found.contest.is_whole:
            raise DataError(
                path, "not as it is written: a comparison without all costs of each moment", _AGAIN
            )
        return found

    @cached_property
    def trades(self) -> Mapping[str, list[Trade]]:
        """Fills of each order."""
        path = self.folder / TRADES
        found: dict[str, list[Trade]] = {}
        try:
            with path.open(newline="") as file:
                for line in csv.DictReader(file):
                    one = msgspec.convert(line, Trade, strict=False)
                    found.setdefault(one.name, []).append(one)
        except OSError as error:
            raise DataError(path, f"cannot be read: {error.strerror}", _AGAIN) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(path, f"not as it is written: {error}", _AGAIN) from error
        return found

    @cached_property
    def journals(self) -> Mapping[str, Path]:
        """Journals that were kept; none outside of the folder, whatever an order is called."""
        return {path.stem: path for path in sorted((self.folder / JOURNALS).glob("*.db"))}
