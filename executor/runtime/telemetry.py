"""What Prometheus sees: counters fed by the single writer, and gauges read from the engine's state when asked.

The page is written on the event loop that owns the engine, so a scrape never sees half a change of a parent; not in a
thread, which would hold the interpreter for as long and every commit of the loop with it. After some parents everything
else in the process has its turn. A parent has series only while it lives and
for ten minutes after; `PARENT_SERIES_MAX` bounds their number.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from mmap import PAGESIZE
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from executor.advice.breaker import BreakerPhase
from executor.advice.score import Worth, usual_cost
from executor.domain.advice import AdviceRecord
from executor.domain.commands import Command, PlaceOrder, RaiseAlert, RefuseOrder, ReplaceOrder
from executor.domain.decision import Style
from executor.domain.events import (
    Event,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    ReconcileFailed,
    Stream,
)
from executor.domain.fills import Fill
from executor.domain.link_figures import LinkFigures
from executor.domain.order_state import ChildStatus
from executor.domain.orders import NewOrder, Terms, TimeInForce
from executor.domain.parent_state import PARENT_FINAL, ParentStatus
from executor.domain.places import venue_of
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS, NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO
from executor.engine.booking import find_child
from executor.engine.report import running_shortfall_bps, schedule_progress
from executor.engine.state import ChildState, EngineState, ParentState
from executor.runtime import metrics
from executor.runtime.advice_counts import counts_of_call, counts_of_ending
from executor.runtime.exposition import Beginnings, beginning, head, number
from executor.runtime.limits_in_use import limits_in_use
from executor.runtime.market_recorder import CaptureCounts
from executor.runtime.metrics import METRICS, Kind, Metric
from executor.runtime.parent_costs import RECKONED_MAX, ParentCosts, Sample
from executor.runtime.venue_counts import VenueCounts

PARENT_SHOWN_AFTER_END_NS: Final = 10 * NS_PER_MIN
"""How long a finished parent keeps its series."""
PARENT_SERIES_MAX: Final = len(ParentStatus) + 8 + RECKONED_MAX
"""Series of one parent: one per status, its information, seven figures of now, and those that are reckoned in turn."""
PARENTS_PER_TURN: Final = 50
"""Parents that are written before everything else in the process has its turn: two or three milliseconds."""
HOME_VENUE: Final = "bybit"
"""What the venue without a name is called where venues stand beside each other."""
REJECT_CLASSES: Final = frozenset({10, 110, 170})
"""Thousands of the venue's codes that are counted apart: requests, derivatives, spot."""

_PCT: Final = Decimal(100)
_OBSERVED: Final = tuple(
    metric for metric in METRICS if metric.kind is Kind.GAUGE and metric is not metrics.INBOX_DEPTH
)
_HEADS: Final = {metric.name: head(metric) for metric in _OBSERVED}
_STYLES: Final = {TimeInForce.POST_ONLY: Style.REST, TimeInForce.IOC: Style.CROSS}


class Telemetry:
    """The daemon's metrics, in a registry of their own.

    Parameters
    ----------
    state
        Gives the engine's state as it is now.
    now_ns
        Gives the present, UTC nanoseconds; ages are measured against it, so that they grow while nothing happens.
    """

    def __init__(self, state: Callable[[], EngineState], now_ns: Callable[[], int]) -> None:
        self._state = state
        self._executions = 0
        self._amending: dict[str, Terms] = {}
        self._calls_outlive: set[str] = set()
        self._counters = {metric.name: _counter(metric) for metric in METRICS if metric.kind is Kind.COUNTER}
        self._histograms = {
            metric.name: _histogram(metric) for metric in METRICS if metric.kind is Kind.HISTOGRAM
        }
        self._capture: Callable[[], CaptureCounts] | None = None
        self._captured = CaptureCounts(frames=0, written_bytes=0, dropped=0, errors=0)
        self._asked: dict[str, tuple[int, int, int]] = {}
        self._inbox = Gauge(metrics.INBOX_DEPTH.name, metrics.INBOX_DEPTH.text, registry=None)
        self._registry = CollectorRegistry()
        self._registry.register(
            _Recorded([*self._counters.values(), *self._histograms.values(), self._inbox])
        )
        self._costs = ParentCosts(state, now_ns)
        self._observed = _Observed(state, now_ns, self._costs)

    def observe(
        self, event: Event, commands: Sequence[Command], decisions: Sequence[AdviceRecord] = ()
    ) -> None:
        """Count one engine call: what happened, what the engine wants done about it, and which questions have ended."""
        for record in decisions:
            self._count_advice(record)
        if decisions:
            self._calls_outlive &= self._state().spend.reserved.keys()
        match event:
            case OrderAcked():
                self._count_ack(event)
                self._count_outcome(event.client_order_id, "acked")
            case OrderRejected():
                self._count(metrics.ORDERS_REJECTED, _reject_class(event.code))
                self._count_outcome(event.client_order_id, "rejected")
            case OrderNotSent():
                self._count_outcome(event.client_order_id, "not_sent")
            case OrderOutcomeUnknown():
                self._count(metrics.OUTCOMES_UNKNOWN)
                self._count_outcome(event.client_order_id, "unknown")
            case OrderFilled():
                self._count_fill(event.fill)
            case ReconcileFailed():
                self._count(metrics.RECONCILE_FAILURES, event.category)
            case _:
                pass
        self._executions = len(self._state().executions)
        if self._amending:
            self._count_resolved()
        for command in commands:
            match command:
                case PlaceOrder():
                    self._count_placed(command.approved.order)
                case ReplaceOrder():
                    new = command.approved.order
                    self._amending[new.client_order_id] = new.terms
                    self._count(metrics.AMENDS_SENT, new.category, new.symbol)
                case RefuseOrder():
                    for code in command.codes:
                        self._count(metrics.ORDERS_REFUSED, code)
                case RaiseAlert():
                    self.on_alarm(command)
                case _:
                    pass

    def on_alarm(self, alarm: RaiseAlert) -> None:
        """Count an alarm."""
        self._count(metrics.ALERTS, alarm.code, alarm.severity)

    def on_journal_commit(self, seconds: float) -> None:
        """Note how long one durable commit took, seconds."""
        self._histograms[metrics.JOURNAL_COMMIT_SECONDS.name].observe(seconds)

    def on_engine_call(self, seconds: float) -> None:
        """Note how long the engine took for one event, seconds."""
        self._histograms[metrics.ENGINE_CALL_SECONDS.name].observe(seconds)

    def on_loop_lag(self, seconds: float) -> None:
        """Note how late the event loop was, seconds."""
        self._histograms[metrics.LOOP_LAG_SECONDS.name].observe(seconds)

    def on_inbox_depth(self, count: int) -> None:
        """Note how many events wait for the engine."""
        self._inbox.set(count)

    def on_reconnect(self, stream: Stream) -> None:
        """Count a connection that was made again after a loss."""
        self._count(metrics.RECONNECTS, stream)

    def on_calibration(self, outcome: metrics.CalibrationOutcome) -> None:
        """Count a calibration of impact that was due."""
        self._count(metrics.CALIBRATIONS, outcome)

    def on_notice(self, way: str, outcome: str) -> None:
        """Count what became of a notice to people."""
        self._count(metrics.NOTICES, way, outcome)

    def follow_capture(self, counts: Callable[[], CaptureCounts]) -> None:
        """Take what became of a recording from here whenever the page is asked for."""
        self._capture = counts

    def follow_venues(self, look: Callable[[], Iterable[VenueCounts]]) -> None:
        """Take how the ways to other venues stand from here whenever the page is asked for."""
        self._observed.elsewhere = look

    def introduce(self, version: str, venue: str, link: Callable[[], LinkFigures] | None = None) -> None:
        """Say what is running, and where it can be asked how the way to the venue stands (None on paper)."""
        self._observed.build, self._observed.link = (version, venue), link

    def refresh_costs(self) -> None:
        """Reckon the costs of some parents anew, for a few milliseconds; a scrape shows what was last reckoned."""
        state = self._state()
        self._costs.refresh(_shown(state))

    async def page(self) -> tuple[bytes, str]:
        """Write everything in Prometheus' text form, on the event loop; returns the body and its content type.

        One page at a time: whoever asks sees to that.
        """
        if self._capture is not None:
            self._count_captured(self._capture())
        for each in self._observed.elsewhere():
            self._count_asked(each)
        lines = {name: [text] for name, text in _HEADS.items()}
        for _ in self._observed.write(lines):
            await asyncio.sleep(0)
        observed = "".join(chain.from_iterable(lines.values()))
        return generate_latest(self._registry) + observed.encode(), CONTENT_TYPE_PLAIN_1_0_0

    def _count_captured(self, counts: CaptureCounts) -> None:
        before, self._captured = self._captured, counts
        self._count(metrics.CAPTURE_FRAMES, amount=counts.frames - before.frames)
        self._count(metrics.CAPTURE_BYTES, amount=counts.written_bytes - before.written_bytes)
        self._count(metrics.CAPTURE_DROPPED, amount=counts.dropped - before.dropped)
        self._count(metrics.CAPTURE_ERRORS, amount=counts.errors - before.errors)

    def _count_asked(self, now: VenueCounts) -> None:
        answered, unanswered, barred = self._asked.get(now.venue, (0, 0, 0))
        self._asked[now.venue] = (now.answered, now.unanswered, now.barred)
        self._count(metrics.VENUE_QUESTIONS, now.venue, "answered", amount=now.answered - answered)
        self._count(metrics.VENUE_QUESTIONS, now.venue, "unanswered", amount=now.unanswered - unanswered)
        self._count(metrics.VENUE_BARRED, now.venue, amount=now.barred - barred)

    def _count_outcome(self, client_order_id: str, outcome: str) -> None:
        child = self._state().children.get(client_order_id)
        if child is not None:
            self._count(metrics.VENUE_ORDERS, _venue_name(child.order.symbol), outcome)

    def _count(self, metric: Metric, *labels: str, amount: Decimal | int = 1) -> None:
        counter = self._counters[metric.name]
        (counter.labels(*labels) if labels else counter).inc(float(amount))

    def _count_advice(self, record: AdviceRecord) -> None:
        """Count a question that has ended, and its call: at once, or when it is over if it outlives the question."""
        name = record.decision_id
        if name not in self._calls_outlive:
            for metric, labels, amount in counts_of_ending(record):
                self._count(metric, *labels, amount=amount)
            if record.confidence is not None:
                self._histograms[metrics.ADVICE_CONFIDENCE.name].observe(float(record.confidence))
        if name in self._state().spend.reserved:
            self._calls_outlive.add(name)
            return
        for metric, labels, amount in counts_of_call(record):
            self._count(metric, *labels, amount=amount)
        if record.latency_ns > 0:
            self._histograms[metrics.ADVICE_LATENCY_SECONDS.name].observe(record.latency_ns / NS_PER_S)

    def _count_placed(self, order: NewOrder) -> None:
        style = _STYLES[order.time_in_force]
        self._count(metrics.ORDERS_PLACED, order.category, order.symbol, order.side.name, style)

    def _count_resolved(self) -> None:
        """Count the amendments about which the engine is now sure."""
        children = self._state().children
        for name, asked in tuple(self._amending.items()):
            child = children[name]
            if child.pending == asked and not child.is_final:
                continue
            late = child.pending == asked
            outcome = "ended" if late else "unchanged" if child.lapsed == asked else "applied"
            del self._amending[name]
            self._count(metrics.AMENDS_RESOLVED, outcome)

    def _count_ack(self, event: OrderAcked) -> None:
        child = self._state().children.get(event.client_order_id)
        if child is None:
            return
        self._count(metrics.ORDERS_ACKED, child.order.category, child.order.symbol)
        self._histograms[metrics.ACK_SECONDS.name].observe((event.at_ns - child.created_ns) / NS_PER_S)

    def _count_fill(self, fill: Fill) -> None:
        """Count a fill the engine has just booked; a repeat leaves the number of known executions as it was."""
        state = self._state()
        booked = len(state.executions) > self._executions
        if not booked or find_child(state, fill.client_order_id, fill.venue_order_id) is None:
            return
        labels = (fill.category, fill.symbol, fill.side.name, fill.liquidity)
        self._count(metrics.FILLS, *labels)
        self._count(metrics.FILLED_BASE, *labels, amount=fill.last_qty)
        self._count(metrics.FILLED_QUOTE, *labels, amount=fill.notional)


class _Recorded(Collector):
    """What was counted as it happened, without the library's extra `_created` series."""

    def __init__(self, instruments: Sequence[MetricWrapperBase]) -> None:
        self._instruments = instruments

    def collect(self) -> Iterable[Family]:
        for instrument in self._instruments:
            for family in instrument.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family


class _Observed:
    """What the engine's state says at the moment of the scrape."""

    def __init__(
        self, state: Callable[[], EngineState], now_ns: Callable[[], int], costs: ParentCosts
    ) -> None:
        self._state = state
        self._now_ns = now_ns
        self._costs = costs
        self._beginnings = Beginnings()
        self._statuses: dict[str, tuple[ParentStatus, str]] = {}
        self.build: tuple[str, str] | None = None
        self.link: Callable[[], LinkFigures] | None = None
        self.elsewhere: Callable[[], Iterable[VenueCounts]] = tuple

    def write(self, lines: Mapping[str, list[str]]) -> Iterator[None]:
        """Write all gauges into the lines of each metric; yields where something else may have its turn."""
        state, now_ns = self._state(), self._now_ns()
        self._beginnings.begin_page()
        for metric, labels, value in (
            *_engine(state, now_ns),
            *_adviser(state),
            *_markets(state, now_ns),
            *_elsewhere(state, now_ns, self.elsewhere()),
            *self._process(),
        ):
            lines[metric.name].append(f"{self._beginnings.of(metric, labels)}{number(value)}\n")
        statuses, self._statuses = self._statuses, {}
        for number_so_far, parent in enumerate(tuple(_shown(state)), start=1):
            for metric, labels, value in _parent(parent, parent.finished_ns if parent.is_final else now_ns):
                lines[metric.name].append(f"{self._beginnings.of(metric, labels)}{number(value)}\n")
            for metric, written in self._costs.lines(parent):
                lines[metric.name].append(written)
            name = parent.order.parent_id
            kept = statuses.get(name)
            if kept is None or kept[0] is not parent.status:
                kept = (parent.status, _status_lines(parent))
            self._statuses[name] = kept
            lines[metrics.PARENT_STATE.name].append(kept[1])
            if number_so_far % PARENTS_PER_TURN == 0:
                yield

    def _process(self) -> Iterator[Sample]:
        resident = _resident_bytes()
        if resident is not None:
            yield metrics.RESIDENT_BYTES, (), resident
        if self.build is not None:
            yield metrics.BUILD_INFO, self.build, 1
        if self.link is None:
            return
        link = self.link()
        if link.clock_offset_ms is not None:
            yield metrics.CLOCK_OFFSET_SECONDS, (), link.clock_offset_ms * NS_PER_MS / NS_PER_S
        for budget, ratio in link.used_ratios:
            yield metrics.REQUESTS_USED_RATIO, (budget,), ratio


def _engine(state: EngineState, now_ns: int) -> Iterator[Sample]:
    for category, live in state.public_live.items():
        yield metrics.STREAM_UP, (Stream.PUBLIC, category), live
    yield metrics.STREAM_UP, (Stream.PRIVATE, ""), state.private_live
    yield metrics.STREAM_UP, (Stream.TRADE, ""), state.trade_live
    yield metrics.VENUE_RESTRICTED, (), now_ns < state.restricted_until_ns
    if state.sentinel_required or state.sentinel_alive:
        yield metrics.SENTINEL_ALIVE, (), state.sentinel_alive
    for coin, balance in state.wallet.items():
        yield metrics.WALLET_COIN, (coin,), balance.wallet_qty
    yield metrics.HALT_LATCHED, (), state.latched
    for category, done in state.reconciled.items():
        yield metrics.RECONCILED, (category,), done
    doubtful = _doubtful(state)
    yield metrics.UNKNOWN_ORDERS, (), len(doubtful)
    yield (
        metrics.UNKNOWN_AGE_SECONDS,
        (),
        max((_age_s(now_ns, child.created_ns) for child in doubtful), default=0),
    )
    for use in limits_in_use(state):
        yield metrics.LIMIT_USED_RATIO, (use.limit,), use.ratio
    if state.started_ns:
        yield metrics.START_TIME_SECONDS, (), state.started_ns / NS_PER_S
    statuses = Tally(state.parents[name].status for name in state.open_parents)
    for status in ParentStatus:
        if status not in PARENT_FINAL:
            yield metrics.OPEN_PARENTS, (status,), statuses[status]
    for status, count in Tally(state.routes[name].status for name in state.open_routes).items():
        yield metrics.OPEN_ROUTES, (status,), count


def _adviser(state: EngineState) -> Iterator[Sample]:
    if state.adviser is None:
        return
    yield metrics.ADVICE_QUESTIONS_OUT, (), len(state.spend.reserved)
    for phase in BreakerPhase:
        yield metrics.ADVICE_BREAKER_STATE, (phase,), state.breaker.phase is phase
    for key, worth in state.worths.items():
        category, _, symbol = key.partition(":")
        yield from _worth(worth, (category, symbol))


def _worth(worth: Worth, market: tuple[str, str]) -> Iterator[Sample]:
    """What advice was worth in a market; what is not known has no series."""
    score, plain, adjusted = worth.score, worth.plain, worth.adjusted
    yield metrics.ADVICE_PERIODS, market, score.count
    yield metrics.ADVICE_IMPACT_ORDERS, market, plain.count
    cost_bps, source = usual_cost(worth.usual, score)
    value_bps = error_bps = None
    if cost_bps is not None:
        value_bps, error_bps = score.value_bps(cost_bps), score.standard_error_bps(cost_bps)
    covered_pct = plain.coverage_pct
    samples: tuple[tuple[Metric, tuple[str, ...], Decimal | None], ...] = (
        (metrics.ADVICE_VALUE_BPS, market, value_bps),
        (metrics.ADVICE_VALUE_ERROR_BPS, market, error_bps),
        (metrics.ADVICE_USUAL_COST_BPS, (*market, source), cost_bps),
        (metrics.ADVICE_IMPACT_PREDICTED_BPS, (*market, "plain"), plain.mean_predicted_bps),
        (metrics.ADVICE_IMPACT_PREDICTED_BPS, (*market, "adjusted"), adjusted.mean_predicted_bps),
        (metrics.ADVICE_MID_SLIPPAGE_BPS, market, plain.mean_realised_bps),
        (metrics.ADVICE_IMPACT_DISTANCE_BPS, (*market, "plain"), plain.mean_distance_bps),
        (metrics.ADVICE_IMPACT_DISTANCE_BPS, (*market, "adjusted"), adjusted.mean_distance_bps),
        (metrics.ADVICE_IMPACT_COVERAGE_RATIO, market, None if covered_pct is None else covered_pct / _PCT),
    )
    for metric, labels, value in samples:
        if value is not None:
            yield metric, labels, value


def _doubtful(state: EngineState) -> list[ChildState]:
    return [
        state.children[name]
        for parent_id in state.open_parents
        for name in state.parents[parent_id].live
        if state.children[name].status is ChildStatus.UNKNOWN
    ]


def _elsewhere(state: EngineState, now_ns: int, ways: Iterable[VenueCounts]) -> Iterator[Sample]:
    """How we stand with each venue; with Bybit, only what the other metrics do not tell."""
    doubtful = Tally(_venue_name(child.order.symbol) for child in _doubtful(state))
    for venue in dict.fromkeys((HOME_VENUE, *state.elsewhere, *doubtful)):
        yield metrics.VENUE_UNKNOWN_ORDERS, (venue,), doubtful[venue]
    for venue, links in state.elsewhere.items():
        yield metrics.VENUE_LINK_UP, (venue, "private"), links.private_live
        yield metrics.VENUE_LINK_UP, (venue, "trade"), links.trade_live
        yield metrics.VENUE_LINK_UP, (venue, "allowed"), now_ns >= links.restricted_until_ns
    for way in ways:
        for what, read_ns in way.read_ns.items():
            yield metrics.VENUE_READ_AGE_SECONDS, (way.venue, what), _age_s(now_ns, read_ns)


def _venue_name(symbol: str) -> str:
    return venue_of(symbol) or HOME_VENUE


def _markets(state: EngineState, now_ns: int) -> Iterator[Sample]:
    for key, market in state.markets.items():
        category, _, symbol = key.partition(":")
        yield metrics.MARKET_BLOCKED, (category, symbol), bool(market.blocked)
        if market.snapshot is None or market.book_ns is None:
            continue
        labels = (str(market.snapshot.category), market.snapshot.symbol)
        yield metrics.MARKET_SPREAD_BPS, labels, market.snapshot.spread_bps
        yield metrics.BOOK_AGE_SECONDS, labels, _age_s(now_ns, market.book_ns)
        mid_px = market.snapshot.mid_px
        for source, each in market.opinions.items():
            gap_bps = abs(each.px - mid_px) / mid_px * BPS_PER_UNIT
            yield metrics.REFERENCE_GAP_BPS, (*labels, source), gap_bps


def _shown(state: EngineState) -> Iterator[ParentState]:
    """The parents that have series: those that live, and those that ended a short while ago."""
    for parent in state.parents.values():
        if not parent.is_final or state.now_ns - parent.finished_ns < PARENT_SHOWN_AFTER_END_NS:
            yield parent


def _parent(parent: ParentState, at_ns: int) -> Iterator[Sample]:
    order = parent.order
    mine = (order.parent_id,)
    yield metrics.PARENT_INFO, (*mine, order.category, order.symbol, order.side.name, order.strategy), 1
    yield metrics.PARENT_LEAVES_BASE, mine, parent.leaves_qty
    left_ns = 0 if parent.is_final else max(order.deadline_ns - at_ns, 0)
    yield metrics.PARENT_TIME_LEFT_SECONDS, mine, left_ns / NS_PER_S
    progress = schedule_progress(parent, at_ns)
    yield metrics.PARENT_DONE_RATIO, mine, progress.done_ratio
    if progress.scheduled_ratio is not None and progress.deviation_ratio is not None:
        yield metrics.PARENT_SCHEDULED_RATIO, mine, progress.scheduled_ratio
        yield metrics.PARENT_DEVIATION_RATIO, mine, progress.deviation_ratio
    sums = parent.benchmarks
    shortfall = None if sums.last_mid_px is None else running_shortfall_bps(parent, sums.last_mid_px)
    if shortfall is not None:
        yield metrics.PARENT_SHORTFALL_BPS, mine, shortfall
    if sums.market_qty >= parent.cum_qty and sums.market_qty > ZERO:
        yield metrics.PARENT_PARTICIPATION_RATIO, mine, parent.cum_qty / sums.market_qty


def _status_lines(parent: ParentState) -> str:
    """One line for each status a parent could be in; kept until it changes, for they are many."""
    return "".join(
        f"{beginning(metrics.PARENT_STATE, (parent.order.parent_id, status))}{number(parent.status is status)}\n"
        for status in ParentStatus
    )


def _resident_bytes() -> int | None:
    """Memory of this process that is in use, as Linux tells it; None elsewhere."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * PAGESIZE


def _age_s(now_ns: int, since_ns: int) -> float:
    return max(now_ns - since_ns, 0) / NS_PER_S


def _reject_class(code: int) -> str:
    return f"{code // 1000}xxx" if code // 1000 in REJECT_CLASSES else "other"


def _counter(metric: Metric) -> Counter:
    return Counter(metric.name, metric.text, metric.labels, registry=None)


def _histogram(metric: Metric) -> Histogram:
    return Histogram(metric.name, metric.text, registry=None, buckets=metric.buckets)
