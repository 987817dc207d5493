"""Everything that is measured of one run of a simulated market: from its tape, its accounts and its agents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import Final, Protocol

import numpy as np

from executor.domain.timeline import NS_PER_S
from impact.estimation.observed import Observed
from impact.kyle import single_auction
from impact.order_flow.price_response import price_response
from impact.protocol import NS_PER_DAY
from simulation.agents.institution import InstitutionParams
from simulation.agents.kyle import KyleParams
from simulation.agents.order_splitter import WorkedOrder
from simulation.book.book import OrderBook
from simulation.clearing.rules import ClearingRules
from simulation.market.engine import RunSummary
from simulation.market.tape import AssetTape
from simulation.market.values import ValuePath
from simulation.phenomena.agent_graph import AgentGraph, Deal, agent_graph
from simulation.phenomena.bubbles import Bubble, Fall, bubbles, deepest_fall, share_of_time
from simulation.phenomena.discovery import Discovery, Recovery, price_discovery, recovery
from simulation.phenomena.liquidity import Liquidity, liquidity
from simulation.phenomena.performance import AgentFill, Performance, performance
from simulation.phenomena.quality import Quality, market_quality
from simulation.phenomena.stylised_facts import Figure, facts
from simulation.phenomena.trace import Bars, Floats, Ints, Trace, cut, held

EQUITIES_MAX: Final = 500
"""Instants at which the accounts of a run are looked at, beside its beginning."""
_LAGS: Final = (0.25, 1.0, 4.0)
"""When the price is looked at after a large order has ended, in multiples of the time it took."""
_FACTS_STEPS_MIN: Final = 500
_AUCTIONS_MIN: Final = 500
_PAIR_STEPS_MIN: Final = 40
_BPS: Final = 10_000.0


class Measure(StrEnum):
    """Numbers of a run that a scenario may expect something of."""

    BUBBLES = "bubbles"
    BUBBLES_OPEN = "bubbles_open"
    BUBBLE_PEAK = "bubble_peak"
    BUBBLE_SHARE = "bubble_share"
    FALL = "fall"
    RECOVERED = "recovered"
    HALF_LIFE_S = "half_life_s"
    GAP_CLOSED = "gap_closed"
    DEVIATION_BPS = "deviation_bps"
    BIAS_BPS = "bias_bps"
    INFORMATION_RATIO = "information_ratio"
    SPREAD_BPS = "spread_bps"
    ONE_TICK_SHARE = "one_tick_share"
    SPREAD_LATE_OVER_EARLY = "spread_late_over_early"
    DEPTH_LATE_OVER_EARLY = "depth_late_over_early"
    DEPTH_QTY = "depth_qty"
    VOLATILITY_HOURLY_PCT = "volatility_hourly_pct"
    VARIANCE_RATIO = "variance_ratio"
    EFFECTIVE_BPS = "effective_bps"
    PAIR_GAP_BPS = "pair_gap_bps"
    PAIR_HALF_LIFE_S = "pair_half_life_s"
    TRADES = "trades"
    FAULTS = "faults"
    CONSERVED = "conserved"
    KYLE_LAMBDA_RATIO = "kyle_lambda_ratio"
    KYLE_R_SQUARED = "kyle_r_squared"
    SHORTFALL_BPS = "shortfall_bps"
    FILLED_SHARE = "filled_share"
    MOVE_BPS = "move_bps"
    MOVE_LATER_BPS = "move_later_bps"
    LEFT_SHARE = "left_share"
    GAIN_BPS = "gain_bps"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """One participant.

    Parameters
    ----------
    name, kind
        Of its group, and what it is.
    cash, position_qty
        At the end: money over `scale`, and lots.
    refused
        Messages of it that were not let through.
    gain_bps
        What it has more at the end than if it had held what it began with, of its first equity.
    """

    number: int
    name: str
    kind: str
    cash: float
    position_qty: int
    refused: int
    gain_bps: float
    performance: Performance


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStudy:
    """One run, measured; what could not be measured is None.

    Parameters
    ----------
    conserved
        Whether all accounts together hold what was put in.
    figures
        Of the stylised facts, without those that need orders or a target.
    orders
        What large orders did to the price.
    measures
        Every number that was had, by its name.
    """

    seed: int
    summary: RunSummary
    conserved: bool
    trace: Trace
    bars: Bars
    discovery: Discovery | None
    recovery: Recovery | None
    bubbles: tuple[Bubble, ...]
    fall: Fall
    liquidity: Liquidity
    quality: Quality
    figures: dict[Figure, float]
    orders: tuple[Observed, ...]
    agents: tuple[AgentResult, ...]
    graph: AgentGraph
    measures: dict[Measure, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What a study looks at.

    Parameters
    ----------
    step_ns
        Length of the steps of returns.
    begin_ns
        What was before is not measured, but for the accounts.
    day_ns
        Length of a trading day, of whose volume and volatility the sizes and the impact of orders are told.
    shock_ns
        When the value was shocked; None where it was not.
    event_ns
        Before and after which liquidity is compared; None halves the run.
    fall_within_s, fall_after_s
        Time from top to bottom of a fall, and after which the recovery is told.
    overvalued, back
        Bounds of a bubble, shares of the value.
    """

    step_ns: int
    begin_ns: int = 0
    day_ns: int = NS_PER_DAY
    shock_ns: int | None = None
    event_ns: int | None = None
    fall_within_s: float = 60.0
    fall_after_s: float = 300.0
    overvalued: float = 0.10
    back: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """Agents of whom more is asked than of others.

    Parameters
    ----------
    worked
        Large orders that have been finished, by participant.
    institution
        Who works one chosen order, and that order.
    auctions
        Rounds of Kyle's dealer: net flow, price and value less the mean; and what its auctions are.
    auction_deviation_ticks
        Standard deviation of the value of such an auction.
    """

    worked: Mapping[int, Sequence[WorkedOrder]]
    institution: tuple[int, InstitutionParams] | None = None
    auctions: tuple[Sequence[tuple[int, float, float]], KyleParams] | None = None
    auction_deviation_ticks: float = 0.0


class Held(Protocol):
    """The clearing house of a run, as it is studied."""

    @property
    def cash(self) -> Sequence[int]:
        """Money by account."""

    @property
    def shares(self) -> Sequence[Sequence[int]]:
        """Lots by asset and account."""

    @property
    def scale(self) -> int:
        """Money of one tick times one lot."""

    @property
    def rules(self) -> ClearingRules:
        """What it charges."""

    def conserved(self) -> bool:
        """Whether all accounts together hold what was put in."""


class Traded(Protocol):
    """The exchange of a run, as it is studied."""

    @property
    def house(self) -> Held:
        """Who has what."""

    @property
    def books(self) -> Sequence[OrderBook]:
        """By asset."""

    @property
    def first_pxs(self) -> Sequence[int]:
        """What counted as the last price before the first trade, ticks."""

    @property
    def last_pxs(self) -> Sequence[int]:
        """Prices of the last trades, ticks."""

    @property
    def refused(self) -> Sequence[int]:
        """Messages by participant that were not let through."""


class Ran(Protocol):
    """A market that has run, in whichever engine."""

    @property
    def seed(self) -> int:
        """Of everything that was drawn."""

    @property
    def now_ns(self) -> int:
        """Simulated time, nanoseconds."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each participant."""

    @property
    def values(self) -> Sequence[ValuePath]:
        """What each asset is worth."""

    @property
    def exchange(self) -> Traded:
        """Books and accounts."""

    def summary(self) -> RunSummary:
        """Say what the run came to."""

    def at(self, at_ns: int, action: Callable[[int], int | None]) -> None:
        """Have something done at an instant; what it returns is when to do it again, or None."""


class Accounts:
    """Looks at all accounts at even times of a run.

    Parameters
    ----------
    engine
        Not begun yet.
    every_ns
        Time between two looks.

    Attributes
    ----------
    equities
        Cash and position at the mid of every participant, look by look.
    last_px
        Mid of the first asset at the last look.
    last_pxs
        Mids of all of them.
    """

    def __init__(self, engine: Ran, every_ns: int) -> None:
        self._engine = engine
        self._every_ns = every_ns
        self.equities: list[list[float]] = []
        self.last_px = 0.0
        self.last_pxs: list[float] = []
        engine.at(0, self._look)

    @property
    def every_ns(self) -> int:
        """Time between two looks, nanoseconds."""
        return self._every_ns

    def last(self) -> None:
        """Look once more when the run has ended, if it ended between two looks or at one that was not taken."""
        if len(self.equities) <= self._engine.now_ns // self._every_ns:
            self._look(self._engine.now_ns)

    def _look(self, at_ns: int) -> int:
        exchange = self._engine.exchange
        house = exchange.house
        mids = []
        for asset, book in enumerate(exchange.books):
            bid, ask = book.best_bid, book.best_ask
            mids.append((bid + ask) / 2.0 if bid and ask else float(exchange.last_pxs[asset]))
        self.last_px, self.last_pxs = mids[0], mids
        self.equities.append(
            [
                house.cash[number] / house.scale
                + sum(mid * house.shares[asset][number] for asset, mid in enumerate(mids))
                for number in range(len(self._engine.names))
            ]
        )
        return at_ns + self._every_ns


def trace_of(tape: AssetTape, value: ValuePath, end_ns: int, looks: Looks) -> Trace:
    """Bring the tape of an asset into the arrays that every measure takes; prices are ticks, quantities lots.

    The fills of one taker's order are put together, as in recordings.

    Raises
    ------
    ValueError
        If the market never had two sides.
    """
    if not tape.quote_ns:
        raise ValueError("the market never had both a bid and an ask: nothing can be measured")
    quote_ns = np.array(tape.quote_ns, np.int64)
    bid_px, ask_px = np.array(tape.bid_px, np.float64), np.array(tape.ask_px, np.float64)
    sweeps = _sweeps(tape)
    trade_ns = np.array(tape.trade_ns, np.int64)[sweeps]
    fills_qty = np.array(tape.trade_qty, np.float64)
    qty = np.add.reduceat(fills_qty, sweeps) if len(sweeps) else np.zeros(0)
    paid = np.add.reduceat(fills_qty * np.array(tape.trade_px, np.float64), sweeps) if len(sweeps) else qty
    mid = np.array(tape.trade_mid2_px, np.float64)[sweeps] / 2.0
    # While a side was empty there was no mid: the last one that there was stands for it.
    mid = np.where(mid > 0.0, mid, held(quote_ns, (bid_px + ask_px) / 2.0, trade_ns - 1))
    value_ns = np.arange(looks.begin_ns, end_ns + 1, looks.step_ns, dtype=np.int64)
    quotes = slice(int(np.searchsorted(quote_ns, looks.begin_ns)), None)
    trades = slice(int(np.searchsorted(trade_ns, looks.begin_ns)), None)
    return Trace(
        tick_px=1.0,
        quote_ns=quote_ns[quotes],
        bid_px=bid_px[quotes],
        bid_qty=np.array(tape.bid_qty, np.float64)[quotes],
        ask_px=ask_px[quotes],
        ask_qty=np.array(tape.ask_qty, np.float64)[quotes],
        bid_depth_qty=np.array(tape.bid_depth_qty, np.float64)[quotes],
        ask_depth_qty=np.array(tape.ask_depth_qty, np.float64)[quotes],
        trade_ns=trade_ns[trades],
        trade_px=(paid / qty if len(qty) else qty)[trades],
        trade_qty=qty[trades],
        trade_sign=np.array(tape.trade_sign, np.float64)[sweeps][trades],
        trade_mid_px=mid[trades],
        value_ns=value_ns,
        value_px=np.array([value.at(at_ns) for at_ns in value_ns.tolist()]),
    )


def study(
    engine: Ran,
    tape: AssetTape,
    accounts: Accounts,
    looks: Looks,
    *,
    kinds: Sequence[str],
    special: Special,
    second: AssetTape | None = None,
) -> RunStudy:
    """Measure a run that has ended; of two assets the first one, and what there is between them.

    Parameters
    ----------
    tape
        Of the first asset.
    second
        Of the second one.
    kinds
        Of each participant.
    special
        Of whom more is asked.

    Raises
    ------
    ValueError
        If it left nothing to measure.
    """
    summary = engine.summary()
    trace = trace_of(tape, engine.values[0], summary.at_ns, looks)
    bars = cut(trace, looks.step_ns)
    found = bubbles(bars, looks.overvalued, looks.back)
    shocked = None if looks.shock_ns is None else _recovery(bars, looks.shock_ns)
    house = engine.exchange.house
    result = RunStudy(
        seed=engine.seed,
        summary=summary,
        conserved=house.conserved(),
        trace=trace,
        bars=bars,
        discovery=price_discovery(bars) if len(bars.mid_px) > 20 else None,
        recovery=shocked,
        bubbles=found,
        fall=deepest_fall(bars, looks.fall_within_s, looks.fall_after_s),
        liquidity=liquidity(trace),
        quality=market_quality(trace, bars),
        figures=facts(trace, bars) if len(bars.volume_qty) >= _FACTS_STEPS_MIN else {},
        orders=tuple(_orders(tape, trace, bars, special.worked, looks.day_ns)),
        agents=_agents(engine, tape, accounts, kinds, second),
        graph=agent_graph(_deals(tape), len(kinds)),
        measures={},
    )
    result.measures.update(_measures(result, looks))
    if second is not None:
        result.measures.update(_pair(bars, second))
    if special.institution is not None:
        result.measures.update(_worked_by(tape, trace, *special.institution))
    if special.auctions is not None:
        result.measures.update(_auctions(*special.auctions, special.auction_deviation_ticks))
    return result


def _sweeps(tape: AssetTape) -> Ints:
    """Places of the first fill of each taker's order."""
    if not tape.trade_ns:
        return np.zeros(0, np.int64)
    keys = np.stack([np.array(one, np.int64) for one in (tape.trade_ns, tape.trade_sign, tape.taker)])
    changed = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return np.flatnonzero(np.concatenate(([True], changed))).astype(np.int64)


def _recovery(bars: Bars, shock_ns: int) -> Recovery | None:
    try:
        return recovery(bars, shock_ns)
    except ValueError:
        return None  # the gap did not close in the time there was


def _deals(tape: AssetTape) -> list[Deal]:
    columns = (tape.taker, tape.maker, tape.trade_sign, tape.trade_qty, tape.trade_px)
    return [
        Deal(
            buyer=taker if sign > 0 else maker,
            seller=maker if sign > 0 else taker,
            taker=taker,
            qty=float(qty),
            px=float(px),
        )
        for taker, maker, sign, qty, px in zip(*columns, strict=True)
    ]


def _agents(
    engine: Ran, tape: AssetTape, accounts: Accounts, kinds: Sequence[str], second: AssetTape | None
) -> tuple[AgentResult, ...]:
    exchange = engine.exchange
    house = exchange.house
    fills: list[list[AgentFill]] = [[] for _ in kinds]
    columns = (tape.trade_ns, tape.taker, tape.maker, tape.trade_sign, tape.trade_qty, tape.trade_px)
    fees = (house.rules.taker_fee_ppm * 1e-6, house.rules.maker_fee_ppm * 1e-6)
    for at_ns, taker, maker, sign, qty, px in zip(*columns, strict=True):
        fills[taker].append(AgentFill(at_ns, float(sign * qty), float(px), fees[0] * qty * px))
        fills[maker].append(AgentFill(at_ns, float(-sign * qty), float(px), fees[1] * qty * px))
    equities = np.array(accounts.equities)
    last_px = accounts.last_px
    traded = {} if second is None else _net_qtys(second)
    found = []
    for number, kind in enumerate(kinds):
        last = house.shares[0][number]
        first = last - round(sum(one.signed_qty for one in fills[number]))
        begun = float(equities[0, number])
        if begun <= 0.0:
            continue  # who begins with nothing has no return
        held_on = begun + first * (last_px - exchange.first_pxs[0])
        if second is not None:
            also_first = house.shares[1][number] - traded.get(number, 0)
            held_on += also_first * (accounts.last_pxs[1] - exchange.first_pxs[1])
        found.append(
            AgentResult(
                number=number,
                name=engine.names[number],
                kind=kind,
                cash=house.cash[number] / house.scale,
                position_qty=last,
                refused=exchange.refused[number],
                gain_bps=_BPS * (float(equities[-1, number]) - held_on) / begun,
                performance=performance(
                    equities[:, number],
                    accounts.every_ns,
                    fills[number],
                    position=float(first),
                    position_px=float(exchange.first_pxs[0]),
                ),
            )
        )
    return tuple(found)


def _net_qtys(tape: AssetTape) -> dict[int, int]:
    """Lots that each participant bought less those that it sold."""
    found: dict[int, int] = {}
    for taker, maker, sign, qty in zip(tape.taker, tape.maker, tape.trade_sign, tape.trade_qty, strict=True):
        found[taker] = found.get(taker, 0) + sign * qty
        found[maker] = found.get(maker, 0) - sign * qty
    return found


def _pair(bars: Bars, second: AssetTape) -> dict[Measure, float]:
    """How far two prices part, and how soon that is made good: the lag at which the gap is half autocorrelated."""
    quote_ns = np.array(second.quote_ns, np.int64)
    since = bars.at_ns >= quote_ns[0] if len(quote_ns) else np.zeros(len(bars.at_ns), bool)
    if since.sum() < _PAIR_STEPS_MIN:
        return {}
    mids = (np.array(second.bid_px, np.float64) + np.array(second.ask_px, np.float64)) / 2.0
    gap = np.log(bars.mid_px[since] / held(quote_ns, mids, bars.at_ns[since]))
    gap -= gap.mean()
    variance = float((gap * gap).mean())
    found = {Measure.PAIR_GAP_BPS: _BPS * variance**0.5}
    before = 1.0
    for lag in range(1, len(gap) // 4 + 1):
        kept = float((gap[lag:] * gap[:-lag]).mean()) / variance if variance else 0.0
        if kept <= 0.5:
            steps = lag - 1 + (before - 0.5) / (before - kept)
            return {**found, Measure.PAIR_HALF_LIFE_S: steps * bars.step_ns / NS_PER_S}
        before = kept
    return found


def _orders(
    tape: AssetTape,
    trace: Trace,
    bars: Bars,
    worked: Mapping[int, Sequence[WorkedOrder]],
    day_ns: int,
) -> list[Observed]:
    """What each large order did to the mid, in the volatility and volume of this run."""
    deviation = float(bars.returns.std()) * (day_ns / bars.step_ns) ** 0.5
    volume = float(trace.trade_qty.sum()) * day_ns / float(trace.span_ns[1] - trace.span_ns[0] or 1)
    if not deviation or not volume or not worked:
        return []
    takers, times = np.array(tape.taker, np.int64), np.array(tape.trade_ns, np.int64)
    qtys, pxs = np.array(tape.trade_qty, np.float64), np.array(tape.trade_px, np.float64)
    logs, end_ns = np.log(trace.mid_px), trace.span_ns[1]
    found = []
    for number, orders in worked.items():
        own = takers == number
        own_ns, own_qty, own_px = times[own], qtys[own], pxs[own]
        nexts = [*(one.begun_ns for one in orders), end_ns + 1][1:]
        for one, next_ns in zip(orders, nexts, strict=True):
            # Pieces reach the market after they were sent; orders of one agent never overlap.
            begin, end = np.searchsorted(own_ns, (one.begun_ns, min(one.ended_ns + NS_PER_S, next_ns)))
            if begin == end:
                continue
            first_ns, last_ns = int(own_ns[begin]), int(own_ns[end - 1])
            qty = float(own_qty[begin:end].sum())
            paid = float((own_qty[begin:end] * own_px[begin:end]).sum()) / qty
            start = _log_at(trace.quote_ns, logs, first_ns - 1)
            took_ns = last_ns - first_ns
            after = [
                (lag * took_ns / day_ns, _log_at(trace.quote_ns, logs, last_ns + round(lag * took_ns)))
                for lag in _LAGS
                if took_ns and last_ns + lag * took_ns <= end_ns
            ]
            found.append(
                Observed(
                    ended_ns=last_ns,
                    size=qty / volume,
                    days=took_ns / day_ns,
                    peak=one.side * (_log_at(trace.quote_ns, logs, last_ns) - start) / deviation,
                    paid=one.side * (log(paid) - start) / deviation,
                    after=tuple((since, one.side * (then - start) / deviation) for since, then in after),
                )
            )
    return found


def _worked_by(tape: AssetTape, trace: Trace, number: int, order: InstitutionParams) -> dict[Measure, float]:
    """What one chosen order cost and did to the price; positive is a cost, and a move with it."""
    times = np.array(tape.trade_ns, np.int64)
    own = (np.array(tape.taker, np.int64) == number) | (np.array(tape.maker, np.int64) == number)
    qty = np.array(tape.trade_qty, np.float64)[own]
    if not len(qty):
        return {Measure.FILLED_SHARE: 0.0}
    logs, end_ns = np.log(trace.mid_px), order.begin_ns + order.duration_ns
    start = _log_at(trace.quote_ns, logs, order.begin_ns)
    paid = float(qty @ np.array(tape.trade_px, np.float64)[own]) / float(qty.sum())
    last_ns = int(times[own][-1])
    moved = order.side * (_log_at(trace.quote_ns, logs, last_ns) - start)
    found = {
        Measure.FILLED_SHARE: float(qty.sum()) / order.order_qty,
        Measure.SHORTFALL_BPS: order.side * (log(paid) - start) * _BPS,
        Measure.MOVE_BPS: moved * _BPS,
    }
    later_ns = end_ns + order.duration_ns
    if later_ns <= trace.span_ns[1]:
        later = order.side * (_log_at(trace.quote_ns, logs, later_ns) - start)
        found[Measure.MOVE_LATER_BPS] = later * _BPS
        if moved > 0.0:
            found[Measure.LEFT_SHARE] = later / moved
    return found


def _auctions(
    rounds: Sequence[tuple[int, float, float]], params: KyleParams, deviation_ticks: float
) -> dict[Measure, float]:
    """Hold what was learned against the equilibrium; the first rounds, in which everybody guesses, do not count."""
    settled = rounds[params.memory_count :]
    if len(settled) < _AUCTIONS_MIN or deviation_ticks <= 0.0:
        return {}
    flows = [float(flow) for flow, _, _ in settled]
    prices = price_response([moved for _, moved, _ in settled], flows)
    values = price_response([surprise for _, _, surprise in settled], flows)
    expected = single_auction(deviation_ticks**2, float(params.crowd_qty)).auctions[0].price_impact
    found = {Measure.KYLE_LAMBDA_RATIO: prices.coefficients[1] / expected}
    if values.r_squared is not None:
        found[Measure.KYLE_R_SQUARED] = values.r_squared
    return found


def _log_at(times_ns: Ints, logs: Floats, at_ns: int) -> float:
    return float(logs[max(int(np.searchsorted(times_ns, at_ns, side="right")) - 1, 0)])


def _measures(run: RunStudy, looks: Looks) -> dict[Measure, float]:
    """Collect the numbers that scenarios may speak of."""
    found: dict[Measure, float | None] = {
        Measure.BUBBLES: float(len(run.bubbles)),
        Measure.BUBBLES_OPEN: float(sum(one.open for one in run.bubbles)),
        Measure.BUBBLE_PEAK: max((one.peak for one in run.bubbles), default=0.0),
        Measure.BUBBLE_SHARE: share_of_time(run.bubbles, run.bars),
        Measure.FALL: run.fall.depth,
        Measure.RECOVERED: run.fall.recovered,
        Measure.SPREAD_BPS: run.liquidity.spread_bps,
        Measure.ONE_TICK_SHARE: run.liquidity.one_tick_share,
        Measure.DEPTH_QTY: run.liquidity.depth_qty,
        Measure.VOLATILITY_HOURLY_PCT: run.quality.volatility_hourly_pct,
        Measure.VARIANCE_RATIO: run.quality.variance_ratio,
        Measure.TRADES: float(run.summary.trades),
        Measure.FAULTS: float(len(run.summary.faults)),
        Measure.CONSERVED: float(run.conserved),
    }
    if run.quality.spreads is not None:
        found[Measure.EFFECTIVE_BPS] = run.quality.spreads.effective_bps
    if run.discovery is not None:
        found[Measure.DEVIATION_BPS] = run.discovery.deviation_bps
        found[Measure.BIAS_BPS] = run.discovery.bias_bps
        found[Measure.INFORMATION_RATIO] = run.discovery.information_ratio
    if run.recovery is not None:
        found[Measure.HALF_LIFE_S] = run.recovery.half_life_s
        found[Measure.GAP_CLOSED] = run.recovery.closed
    early, late = _halves(run.trace, looks.event_ns)
    if early is not None and late is not None:
        found[Measure.SPREAD_LATE_OVER_EARLY] = late.spread_bps / early.spread_bps
        found[Measure.DEPTH_LATE_OVER_EARLY] = late.depth_qty / early.depth_qty
    return {name: value for name, value in found.items() if value is not None}


def _halves(trace: Trace, event_ns: int | None) -> tuple[Liquidity | None, Liquidity | None]:
    """Liquidity before and after an instant."""
    first_ns, last_ns = trace.span_ns
    middle_ns = (first_ns + last_ns) // 2 if event_ns is None else event_ns
    return _part(trace, first_ns, middle_ns), _part(trace, middle_ns, last_ns)


def _part(trace: Trace, begin_ns: int, end_ns: int) -> Liquidity | None:
    """Liquidity of a part of a run, with the quote that was in force when it began."""
    begin = max(int(np.searchsorted(trace.quote_ns, begin_ns, side="right")) - 1, 0)
    end = int(np.searchsorted(trace.quote_ns, end_ns, side="left"))
    if end <= begin or end_ns <= begin_ns:
        return None
    quotes = slice(begin, end)
    last = slice(end - 1, end)
    columns = {
        name: np.concatenate((getattr(trace, name)[quotes], getattr(trace, name)[last]))
        for name in ("bid_px", "bid_qty", "ask_px", "ask_qty", "bid_depth_qty", "ask_depth_qty")
    }
    times_ns = np.append(np.maximum(trace.quote_ns[quotes], begin_ns), end_ns)
    return liquidity(Trace(tick_px=trace.tick_px, quote_ns=times_ns, **columns))
