"""All that the engine remembers, as plain records that can be written down and read back.

Nothing outside the engine changes these; the shell may read them. What can be derived is derived: the open
quantity of a child and the exposure of a parent are functions here, not fields.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.advice.band import Directive
from executor.advice.breaker import Breaker
from executor.advice.budget import Spend
from executor.advice.score import Worth
from executor.advice.worst_case import WorstCase
from executor.domain.advice import Advice, AdviceRecord, Trigger
from executor.domain.advice_facts import AdviceFacts
from executor.domain.advice_terms import AdviserTerms
from executor.domain.algo import AlgoTerms
from executor.domain.cost_forecast import CostForecast
from executor.domain.decision import Schedule, Style
from executor.domain.events import AmendRequested, CoinBalance, VenueStatus
from executor.domain.fill_mark import FillMark
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument, notional
from executor.domain.limits import Limits, Tightened, Timings
from executor.domain.market import ContractFigures, MarketSnapshot, SecondOpinion
from executor.domain.order_state import CHILD_FINAL, ChildStatus
from executor.domain.orders import Category, NewOrder, ParentOrder, Terms
from executor.domain.parent_state import PARENT_FINAL, ParentStatus, Reason
from executor.domain.routing import RoutedOrder, RouteLeg
from executor.domain.units import ZERO, Money, Price, Quantity
from impact.tca.fill_costs import FillCosts, ImpactPath
from impact.tca.mark_outs import MarkSums
from risk.circuit import Estimates
from strategies.signals.collected import Collected
from strategies.signals.exchange_flow import Flow

_WORKING = frozenset({ParentStatus.ACTIVE, ParentStatus.EXECUTING})


@dataclass(slots=True, kw_only=True)
class ChildState:
    """One child order: what we sent and what is proved about it.

    Parameters
    ----------
    order
        The order on the terms that are proved to be in force.
    pending
        Terms that were asked for and of which nothing is proved yet; None when nothing is asked.
    lapsed
        Terms that were asked for and held to be refused, should they come into force after all.
    former
        Terms that were in force before the present ones, to know a late copy of old news.
    amendable
        Whether its terms may be asked to change again; an amendment that failed is not repeated.
    replaced_ns
        When its terms were last asked to change; 0 for never.
    replace_sent_ns
        Latest instant at which the amend request may have left; restarts with the process; 0 until it was answered.
    replace_refused_ns
        When the venue said that it knows no such open order to amend; 0 for never.
    cum_qty, cum_notional
        Sum of the booked fills and their value; base units, quote units.
    cum_coin_qty
        Coin that the fills are worth; inverse contracts only.
    final_qty
        The venue's own executed quantity once a final status is proved; None before.
    sent_ns
        Latest instant at which its create request may have left; restarts with the process; 0 if it never left.
    seen
        Whether the venue ever showed that it has the order: an acknowledgement, an update, a fill.
    cancels
        Cancel requests sent so far.
    asked_ns
        When the question now under way was asked; 0 when none is. What a stream tells answers no question.
    cancel_nothing_ns
        When the cancel was asked that found no such order, late enough to count; 0 for none.
    absent_rounds
        Evidence gathered so far that an unanswered order never existed.
    algo
        How the venue works it by itself; None for an order of ours. Its `venue_order_id` is then the strategy's, and
        `px` of the order the price beyond which it is to stop.
    looked_ns
        When it was last asked after.
    queue_px, queue_qty, queue_ahead_qty
        Price and own quantity for which it was estimated, and at most how much stands before it there, base units; None
        while unknown.
    costs, marks
        What its fills cost by source, and the mids after them; None where fills are not marked.
    """

    order: NewOrder
    style: Style
    status: ChildStatus
    created_ns: int
    sent_ns: int
    arrival_mid_px: Decimal
    venue_order_id: str = ""
    seen: bool = False
    pending: Terms | None = None
    lapsed: Terms | None = None
    former: Terms | None = None
    amendable: bool = True
    replaced_ns: int = 0
    replace_sent_ns: int = 0
    replace_refused_ns: int = 0
    cum_qty: Decimal = ZERO
    cum_notional: Decimal = ZERO
    cum_coin_qty: Decimal = ZERO
    maker_qty: Decimal = ZERO
    fees: Decimal = ZERO
    spread_captured: Decimal = ZERO
    final_qty: Decimal | None = None
    venue_cum_qty: Decimal = ZERO
    updated_ms: int = 0
    acked_ns: int = 0
    done_ns: int = 0
    absent_rounds: int = 0
    absent_round_ns: int = 0
    cancel_nothing_ns: int = 0
    cancel_sent_ns: int = 0
    cancels: int = 0
    asked_ns: int = 0
    detail: str = ""
    queue_px: Decimal | None = None
    queue_qty: Decimal = ZERO
    queue_ahead_qty: float | None = None
    algo: AlgoTerms | None = None
    looked_ns: int = 0
    costs: FillCosts | None = None
    marks: MarkSums | None = None

    @property
    def is_final(self) -> bool:
        """Whether the order can no longer be open at the venue."""
        return self.status in CHILD_FINAL

    @property
    def cancel_found_nothing(self) -> bool:
        """Whether a cancel that counts found no such order."""
        return self.cancel_nothing_ns > 0

    @property
    def open_qty(self) -> Quantity:
        """Quantity that must stay reserved: everything not proved finished or booked."""
        bound = self.bound_qty if self.final_qty is None else self.final_qty
        return Quantity(max(bound - self.cum_qty, ZERO))

    @property
    def bound_qty(self) -> Quantity:
        """The most it could ever execute: while terms are in doubt, the larger of both quantities."""
        return self.order.qty if self.pending is None else max(self.order.qty, self.pending.qty)

    @property
    def open_notional(self) -> Money:
        """Value of what must stay reserved, at the dearest price it could have; quote units."""
        px = self.order.px if self.pending is None else max(self.order.px, self.pending.px)
        return notional(self.order.category, self.open_qty, px)

    @property
    def terms(self) -> Terms:
        """Quantity and price in force."""
        return Terms(qty=self.order.qty, px=self.order.px)

    @property
    def avg_px(self) -> Price | None:
        """Average price of the fills, quote per base."""
        return average_px(self.order.category, self.cum_qty, self.cum_notional, self.cum_coin_qty)

    @property
    def is_released(self) -> bool:
        """Whether nothing of it can ever fill again, as far as the venue has proved."""
        return self.is_final and self.final_qty is not None and self.cum_qty >= self.final_qty


@dataclass(slots=True, kw_only=True)
class Benchmarks:
    """Sums over the life of a parent from which its report is made.

    Parameters
    ----------
    market_qty, market_notional
        Public trades during the life, own trades included; base and quote units.
    market_coin_qty
        Coin that those trades are worth; inverse contracts only.
    mid_integral, mid_time_ns
        Integral of the mid over time and the time it covers; price times nanoseconds, nanoseconds.
    last_mid_px
        Mid in force since `last_mid_ns`; the instant is 0 while the book is lost.
    """

    market_qty: Decimal = ZERO
    market_notional: Decimal = ZERO
    market_coin_qty: Decimal = ZERO
    mid_integral: Decimal = ZERO
    mid_time_ns: int = 0
    last_mid_px: Decimal | None = None
    last_mid_ns: int = 0


@dataclass(slots=True, kw_only=True)
class OpenQuestion:
    """A question about a parent that waits for its answer."""

    trigger: Trigger
    asked_ns: int
    due_ns: int
    facts: AdviceFacts
    snapshot_hash: str


@dataclass(slots=True, kw_only=True)
class Spare:
    """The last usable advice, what it was given on and when (UTC); it may stand in for one late answer."""

    advice: Advice
    facts: AdviceFacts
    heard_ns: int = 0


@dataclass(slots=True, kw_only=True)
class OpenPeriod:
    """A period in which one directive is in force, as far as it has come.

    Parameters
    ----------
    decision_id, start_ns
        Which directive, and since when that is in force.
    until_ns
        When the directive, or the schedule, is over.
    at_ns, mid_px
        Until when the schedule's due quantity is counted, and the mid in force since then.
    start_px, spread_bps
        Mid and width of the touch when the period began.
    schedule_qty, schedule_value
        What the schedule had due, and its value at the mids when due; inverse contracts: in coin.
    cum_qty, cum_value, fees
        What was filled, its value at the prices paid (inverse contracts: in coin), and fees in quote units.
    bill
        What answers have cost from the beginning of the period before to that of this one, US dollars.
    """

    decision_id: str
    start_ns: int
    until_ns: int
    at_ns: int
    mid_px: Decimal
    start_px: Decimal
    spread_bps: Decimal
    bill: Decimal
    schedule_qty: Decimal = ZERO
    schedule_value: Decimal = ZERO
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass(slots=True, kw_only=True)
class Prediction:
    """The estimate of impact that was told with the first question that was answered, and what has come of it.

    Parameters
    ----------
    mid_px
        When it was asked, quote per base.
    estimate_bps, adjusted_bps
        As told, and times the adjustment that was advised.
    cum_qty, cum_value
        What was filled since, and its value at the mids before each fill; inverse contracts: in coin.
    realised_bps
        How far the mids at the fills were from `mid_px`, against the order: impact and, mostly, what the market did
        anyway; None while the parent works, and for a parent that was not completed.
    """

    decision_id: str
    mid_px: Decimal
    estimate_bps: Decimal
    low_bps: Decimal
    high_bps: Decimal
    adjusted_bps: Decimal
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    realised_bps: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class AdviceState:
    """Where the advice about one parent stands.

    Parameters
    ----------
    asked_no
        Questions so far, also those that were not sent.
    next_ns, last_asked_ns
        When the next question is due, and when the last one was.
    directive
        What holds of the last advice; None while the schedule decides.
    switch_to, switch_until_ns, switches
        Schedule that takes over with the next decision if that comes in time, and how often advice has switched it.
    news
        Whether something was reported since the last question.
    watched_spread_bps, watched_volatility_pct, watched_off
        As they were at the last question; the last says whether the order was off its schedule.
    recent
        The last questions, oldest first.
    outcomes
        How often each outcome came.
    worst
        What advice can do at most by the schedule in force; None before there is one.
    bounded_ns, bounds_before
        When that was reckoned, and how often there was another worst case before.
    period
        What is being done under the directive in force; None while the schedule decides.
    settling_ns
        Until when the schedule makes up for what was advised, UTC.
    bill
        What answers have cost since the last period began, US dollars.
    worth
        What advice about this parent was worth so far.
    """

    asked_no: int = 0
    next_ns: int = 0
    last_asked_ns: int = 0
    question: OpenQuestion | None = None
    directive: Directive | None = None
    spare: Spare | None = None
    switch_to: str = ""
    switch_until_ns: int = 0
    switches: int = 0
    news: bool = False
    watched_spread_bps: Decimal = ZERO
    watched_volatility_pct: Decimal | None = None
    watched_off: bool = False
    recent: list[AdviceRecord] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    worst: WorstCase | None = None
    bounded_ns: int = 0
    bounds_before: int = 0
    period: OpenPeriod | None = None
    settling_ns: int = 0
    bill: Decimal = ZERO
    prediction: Prediction | None = None
    worth: Worth = field(default_factory=Worth)


@dataclass(slots=True, kw_only=True)
class ParentState:
    """One parent order at work.

    Parameters
    ----------
    goal
        Final state it is heading for while children are still being proved finished; None while it works.
    resume_to_start
        Whether a resume leads back to INITIALIZED because it was paused before it began.
    waiting
        Why nothing is being sent right now: codes for people and machines.
    detail
        A sentence about the last thing that stopped it, such as a missing symbol or a rejection.
    plan_market_base_qty, slice_market_base_qty
        Public volume since the parent began, at the moments at which plan and slice in force did.
    last_slice_market_qty
        Public volume of the slice before the one in force; zero where that was not worked right before.
    reprices
        How often an order of it has followed a market that ran away.
    version
        Counts changes by operators.
    pending
        An accepted amendment that waits until no child is at work.
    replan
        Whether the schedule must be made anew before work goes on.
    retry_ns
        No order is tried before this instant.
    unread
        A child that was refused and of which the venue has not yet said, asked after, that it does not exist.
    amends
        Amendments of children sent so far.
    cum_coin_qty
        Coin that the fills are worth; inverse contracts only.
    other_fees
        Fees in coins that have no price here, by coin; they are in no sum of money.
    live
        Numbers of the children that are not released.
    path
        How far the mid has moved in the seconds after its own fills; None before the first one that is marked.
    marks_pending
        Fills that still wait for a mark.
    advice
        None where no model is asked.
    basket_id
        The basket that it came with; empty if it came alone.
    cleared
        Whether it was held, with a known price, against the limits over all parents.
    forecast
        What it is expected to cost, reckoned once, when its first plan is made; None where no model was named.
    route_id
        The routed order of which it is a leg; empty if it is none. Its quantity is then what that has granted it.
    """

    order: ParentOrder
    status: ParentStatus
    reason: Reason
    created_ns: int
    idempotency_key: str
    body_sha256: str
    decision_px: Decimal | None
    arrival_px: Decimal | None = None
    started_ns: int = 0
    finished_ns: int = 0
    schedule: Schedule | None = None
    slice_no: int = -1
    slice_base_qty: Decimal = ZERO
    plan_market_base_qty: Decimal = ZERO
    slice_market_base_qty: Decimal = ZERO
    last_slice_market_qty: Decimal = ZERO
    reprices: int = 0
    extended: bool = False
    replan: bool = False
    goal: ParentStatus | None = None
    goal_reason: Reason | None = None
    resume_to_start: bool = False
    pending: AmendRequested | None = None
    waiting: tuple[str, ...] = ()
    detail: str = ""
    version: int = 1
    cum_qty: Decimal = ZERO
    cum_notional: Decimal = ZERO
    cum_coin_qty: Decimal = ZERO
    other_fees: dict[str, Decimal] = field(default_factory=dict)
    ordered_qty: Decimal = ZERO
    ordered_at_rearm_qty: Decimal = ZERO
    children: list[str] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    amends: int = 0
    children_at_rearm: int = 0
    last_order_ns: int = 0
    retry_ns: int = 0
    unread: str = ""
    refusals_in_row: int = 0
    rejects_in_row: int = 0
    shortfall_alerted: bool = False
    benchmarks: Benchmarks = field(default_factory=Benchmarks)
    last_fill_ns: int = 0
    path: ImpactPath | None = None
    marks_pending: int = 0
    advice: AdviceState | None = None
    basket_id: str = ""
    cleared: bool = False
    forecast: CostForecast | None = None
    route_id: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the parent has ended."""
        return self.status in PARENT_FINAL

    @property
    def is_working(self) -> bool:
        """Whether the parent trades now."""
        return self.status in _WORKING and self.goal is None

    @property
    def market_key(self) -> str:
        """Name of its market."""
        return market_key(self.order.category, self.order.symbol)

    @property
    def leaves_qty(self) -> Quantity:
        """What is left to fill."""
        return Quantity(max(self.order.order_qty - self.cum_qty, ZERO))

    @property
    def repeats(self) -> int:
        """Children and amendments sent so far."""
        return len(self.children) + self.amends

    @property
    def avg_px(self) -> Price | None:
        """Average price of the fills, quote per base."""
        return average_px(self.order.category, self.cum_qty, self.cum_notional, self.cum_coin_qty)


@dataclass(slots=True, kw_only=True)
class MarketState:
    """What is known of one symbol.

    Parameters
    ----------
    book_ns
        When the engine last saw a sound book; None while the book is lost.
    feed_traded_qty, feed_traded_notional
        Running totals of the feed at the last snapshot; they start again at zero with the process.
    traded_qty
        The same quantity since the first snapshot ever, never falling; base units.
    recent_mids
        The last mids with the venue's time of each, oldest first, to value a fill by the book before it.
    recent_asks
        Best asks of the last of these books, where fills are marked; the last of both are of one book.
    losses
        The venue's times of those books after which the book was lost; no mid is known from there to the next book.
    marks_due
        Heap: when the next mark of a fill is due by the venue's clock, and of which fill.
    opinions
        What other sources last said of the price, by source.
    disagreement_told
        Whether people were told that a second opinion is too far away, and it still is.
    hedged
        Whether the venue keeps a long and a short position of this symbol apart, by its last complete read.
    compared
        Whether a complete read agreed with our positions here since we began to listen: since the start, or the
        return of the private stream.
    unlisted
        Whether the last complete read showed no position here, not even an empty one, though it was asked for.
    blocked
        Why nothing may be opened here; empty when nothing is unexplained.
    figures
        What the ticker of a contract said last; None while it is not heard.
    signals
        What is collected for the strategies of open parents; None where none of them reads any.
    own_recent
        What own orders have filled lately: number of the ten seconds, UTC, and quantity, oldest first.
    """

    instrument: Instrument | None = None
    snapshot: MarketSnapshot | None = None
    book_ns: int | None = None
    estimates: Estimates = field(default_factory=Estimates)
    feed_traded_qty: Decimal = ZERO
    feed_traded_notional: Decimal = ZERO
    traded_qty: Decimal = ZERO
    recent_mids: list[tuple[int, Decimal]] = field(default_factory=list)
    recent_asks: list[Decimal] = field(default_factory=list)
    losses: list[int] = field(default_factory=list)
    marks_due: list[tuple[int, str]] = field(default_factory=list)
    opinions: dict[str, SecondOpinion] = field(default_factory=dict)
    disagreement_told: bool = False
    hedged: bool = False
    compared: bool = False
    unlisted: bool = False
    blocked: str = ""
    figures: ContractFigures | None = None
    signals: Collected | None = None
    own_recent: list[tuple[int, Decimal]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Position and money of one instrument (one position index).

    Parameters
    ----------
    opening_qty
        Signed position found at the venue before our first fill; None until it was read. Of spot it is what takes the
        fills of others out of `net_qty` again.
    rebase
        Whether a person re-armed, so that the next reading is taken for the opening position and said so.
    told_qty
        Position by the venue's stream while it differs from ours; None when it agrees.
    last_px
        Price of the last fill, quote per base.
    net_qty
        Signed sum of all fills since the beginning; fees of spot that were taken in the base coin come off.
    day, day_qty, day_fees, day_notional
        Within one UTC day: its number, signed quantity, fees and traded value; base units, quote units.
    day_payments
        What holding the position cost in the day (funding, settlement), quote units.
    day_cash
        What the day's trades brought in: quote units; for inverse contracts coin, positive for a buy.
    difference_qty, differs_since_ns
        Unexplained difference between the venue's position and ours, and since when it is the same.
    """

    opening_qty: Decimal | None = None
    rebase: bool = False
    told_qty: Decimal | None = None
    last_px: Decimal = ZERO
    net_qty: Decimal = ZERO
    day: int = 0
    day_cash: Decimal = ZERO
    day_qty: Decimal = ZERO
    day_fees: Decimal = ZERO
    day_notional: Decimal = ZERO
    day_payments: Decimal = ZERO
    difference_qty: Decimal = ZERO
    differs_since_ns: int = 0

    @property
    def position_qty(self) -> Decimal | None:
        """Signed position, or None while the venue's opening position is unknown."""
        return None if self.opening_qty is None else self.opening_qty + self.net_qty


@dataclass(slots=True, kw_only=True)
class BasketState:
    """Parents that were accepted together.

    Parameters
    ----------
    name
        What people call it; may be empty.
    parents
        Their ids, in the order in which they were asked for.
    gross_notional_max, net_notional_max
        Bounds on all its parents together, as those over all parents; None for none.
    """

    basket_id: str
    name: str
    idempotency_key: str
    body_sha256: str
    created_ns: int
    parents: tuple[str, ...]
    gross_notional_max: Decimal | None = None
    net_notional_max: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class LegState:
    """One market of a routed order.

    Parameters
    ----------
    parents
        Its parent orders, one after the other: the last one works, unless it has ended.
    target_qty
        What the leg should have filled when the slice in force ends, base units.
    arrival_px
        Its own mid when the routed order began, quote per base; None if there was none.
    why_nothing
        Why it gets nothing now: a code for people and machines; empty if it does.
    barred_until_ns, bars, last_rejected
        Until when it gets nothing because its orders were refused, how often in a row that was, and the last child
        that the venue refused.
    held
        Why its parent was paused when everything was taken back from it, until a person resumes the routed order;
        None if it was not.
    """

    leg: RouteLeg
    parents: list[str] = field(default_factory=list)
    target_qty: Decimal = ZERO
    arrival_px: Decimal | None = None
    why_nothing: str = ""
    barred_until_ns: int = 0
    bars: int = 0
    last_rejected: str = ""
    held: Reason | None = None

    @property
    def market_key(self) -> str:
        """Name of its market."""
        return market_key(self.leg.category, self.leg.symbol)


@dataclass(slots=True, kw_only=True)
class RouteState:
    """One order over several markets. What is filled, reserved and granted is that of its legs' parents.

    Parameters
    ----------
    arrival_px, arrival_leg
        Mid of the first leg that could be traded when it began, quote per base, and the number of that leg.
    end_px
        Mid of the same leg when it ended, quote per base.
    goal
        Final state it is heading for while its legs are still ending; None while it works.
    schedule, slice_no, slice_base_qty
        The plan of the whole, the slice in force, and what was filled when that began, base units.
    divided_ns, divided_among, divided_stuck_qty
        When quantity was last divided, over which legs, and how much of other legs was not proved finished then.
    cleared
        Whether it was held, with a known price, against the limits over all parents.
    """

    order: RoutedOrder
    status: ParentStatus
    reason: Reason
    created_ns: int
    idempotency_key: str
    body_sha256: str
    legs: list[LegState]
    arrival_px: Decimal | None = None
    arrival_leg: int = 0
    end_px: Decimal | None = None
    started_ns: int = 0
    finished_ns: int = 0
    schedule: Schedule | None = None
    slice_no: int = -1
    slice_base_qty: Decimal = ZERO
    replan: bool = False
    extended: bool = False
    divided_ns: int = 0
    divided_among: tuple[str, ...] = ()
    divided_stuck_qty: Decimal = ZERO
    goal: ParentStatus | None = None
    goal_reason: Reason | None = None
    detail: str = ""
    version: int = 1
    cleared: bool = False

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in PARENT_FINAL


@dataclass(slots=True, kw_only=True)
class OrphanFill:
    """A fill that belongs to no order of ours that we know."""

    key: str
    client_order_id: str
    venue_order_id: str
    symbol: str
    last_qty: Decimal


@dataclass(slots=True, kw_only=True)
class Links:
    """How we stand with one venue.

    Parameters
    ----------
    private_live, trade_live
        Whether what becomes of our orders is heard, and whether orders can be sent.
    restricted_until_ns
        Until when it bars us, UTC nanoseconds.
    """

    private_live: bool = False
    trade_live: bool = False
    restricted_until_ns: int = 0


@dataclass(slots=True, kw_only=True)
class EngineState:
    """Everything. Serialisable as it is.

    Parameters
    ----------
    elsewhere
        How we stand with each venue other than Bybit, by its name.
    reconciled, reconciling
        By place (`executor.domain.places`): whether the last complete read succeeded; of one under way, when it was
        asked for.
    read_symbols
        By place, the symbols of which the last complete read was asked.
    revived_parents
        Parents that had ended and of which a child turned out not to be finished.
    unattributed
        Executions without an order id of ours, kept until a copy or an acknowledgement says whose they are.
    venue_algorithms
        Whether strategy orders of the venue may be used.
    rules
        See `EngineStarted`.
    queued
        Parents that wait for room in the budgets of orders (`executor.engine.turns`).
    held
        Since when executions wait that may be of a strategy order at work, by key; they are in `unattributed` too.
    unplaced
        Executions that are in no ledger, because nothing says which of two positions they changed.
    public_live
        Whether market data flows, by place; one that is not named has no stream.
    trade_live
        Whether orders can be sent.
    hedge_mode
        Whether long and short are kept apart by what is configured; None where nobody said.
    wallet
        The venue's balances by coin, for people; nothing is decided by them.
    adviser
        Terms under which a model is asked; None where there is none.
    worths
        What advice was worth so far, by market.
    marks_fills, marks
        Whether the mids after fills are noted, and the fills that wait for one.
    exchange_flows
        Net flow to exchanges, by coin.
    basket_keys, route_keys
        Baskets, and routed orders, by the key under which they were asked for.
    impact_model
        By which the cost of an order is foretold where the order names no model; empty foretells nothing.
    tightened
        Limits that a person has tightened, by name; `limits` has them in it. The last field, so that a state without
        any is written as it was before there were such.
    """

    instance: str = ""
    venue: str = ""
    impact_model: str = ""
    limits: Limits = field(default_factory=Limits)
    timings: Timings = field(default_factory=Timings)
    seed: int = 0
    now_ns: int = 0
    started_ns: int = 0
    latched: bool = False
    latch_reason: str = ""
    halt_epoch: int = 0
    tickets: int = 0
    draining: bool = False
    leave_orders: bool = False
    private_live: bool = False
    public_live: dict[str, bool] = field(default_factory=dict)
    trade_live: bool = False
    restricted_until_ns: int = 0
    elsewhere: dict[str, Links] = field(default_factory=dict)
    sentinel_required: bool = False
    sentinel_alive: bool = False
    hedge_mode: bool | None = None
    venue_algorithms: bool = False
    wallet: dict[str, CoinBalance] = field(default_factory=dict)
    reconciled: dict[str, bool] = field(default_factory=dict)
    reconciling: dict[str, int] = field(default_factory=dict)
    read_symbols: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exec_cursor_ms: dict[str, int] = field(default_factory=dict)
    next_parent_no: int = 1
    parents: dict[str, ParentState] = field(default_factory=dict)
    open_parents: list[str] = field(default_factory=list)
    revived_parents: list[str] = field(default_factory=list)
    children: dict[str, ChildState] = field(default_factory=dict)
    venue_ids: dict[str, str] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    unattributed: dict[str, Fill] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    payments: dict[str, str] = field(default_factory=dict)
    orphans: list[OrphanFill] = field(default_factory=list)
    markets: dict[str, MarketState] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    idempotency: dict[str, str] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    order_times_ns: list[int] = field(default_factory=list)
    rules: int = 0
    queued: list[str] = field(default_factory=list)
    day: int = 0
    orders_day: int = 0
    adviser: AdviserTerms | None = None
    spend: Spend = field(default_factory=Spend)
    breaker: Breaker = field(default_factory=Breaker)
    worths: dict[str, Worth] = field(default_factory=dict)
    marks_fills: bool = False
    marks: dict[str, FillMark] = field(default_factory=dict)
    exchange_flows: dict[str, Flow] = field(default_factory=dict)
    next_basket_no: int = 1
    baskets: dict[str, BasketState] = field(default_factory=dict)
    basket_keys: dict[str, str] = field(default_factory=dict)
    next_route_no: int = 1
    routes: dict[str, RouteState] = field(default_factory=dict)
    open_routes: list[str] = field(default_factory=list)
    route_keys: dict[str, str] = field(default_factory=dict)
    tightened: dict[str, Tightened] = field(default_factory=dict)


VENUE_TO_CHILD = {
    VenueStatus.NEW: ChildStatus.NEW,
    VenueStatus.PARTIALLY_FILLED: ChildStatus.PARTIALLY_FILLED,
    VenueStatus.FILLED: ChildStatus.FILLED,
    VenueStatus.CANCELED: ChildStatus.CANCELED,
    VenueStatus.REJECTED: ChildStatus.REJECTED,
}


def market_key(category: str, symbol: str) -> str:
    """Name a market; a symbol alone is ambiguous between spot and linear."""
    return f"{category}:{symbol}"


def ledger_key(category: str, symbol: str, position_idx: int) -> str:
    """Name a position."""
    return f"{category}:{symbol}:{position_idx}"


def live_children(state: EngineState) -> list[str]:
    """Names of all children not proved finished, also of parents that have ended and came back to life."""
    names = [*state.open_parents, *state.revived_parents]
    return [name for parent_id in names for name in state.parents[parent_id].live]


def live_algos(state: EngineState) -> list[str]:
    """Names of the strategy orders of the venue that are not proved finished."""
    return [name for name in live_children(state) if state.children[name].algo is not None]


def parents_of(state: EngineState, category: str, symbol: str) -> list[ParentState]:
    """Open parents of one symbol, in the order of their acceptance."""
    return [
        parent
        for parent in (state.parents[name] for name in state.open_parents)
        if parent.order.symbol == symbol and parent.order.category == category
    ]


def reserved_qty(state: EngineState, parent: ParentState) -> Decimal:
    """Quantity of a parent that is open at the venue or not proved to be otherwise."""
    return sum((state.children[name].open_qty for name in parent.live), ZERO)


def worst_case_qty(state: EngineState, parent: ParentState) -> Decimal:
    """Quantity the parent could end with if everything not proved finished fills: its exposure."""
    return parent.cum_qty + reserved_qty(state, parent)


def average_px(
    category: Category, cum_qty: Decimal, cum_notional: Decimal, cum_coin_qty: Decimal
) -> Price | None:
    """Average price of fills: value over quantity; of inverse contracts their number over the coin they are worth."""
    if not cum_qty:
        return None
    return Price(cum_qty / cum_coin_qty if category is Category.INVERSE else cum_notional / cum_qty)


def maker_share(child_states: list[ChildState]) -> Decimal:
    """Share of the filled quantity that waited in the book, 0-1; zero when nothing filled."""
    filled = sum((child.cum_qty for child in child_states), ZERO)
    return sum((child.maker_qty for child in child_states), ZERO) / filled if filled else ZERO
