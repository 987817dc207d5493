"""Orders worked by the live engine in recorded books: each by an engine and in a venue of its own.

One machine goes through the recording once. Where an order begins, it is forked: the order's own copy of the venue goes
on with the same rows, and what the order takes is missing for nobody else. So the orders of a day do not disturb
each other, and several policies find exactly the same market.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Final

from backtest.counsel import VirtualModel
from backtest.foretold import Foretold, foretold
from backtest.grounds import Ground, ground_of
from backtest.holding import funding_paid
from backtest.own_impact import OwnImpact, own_impact, pace_at
from backtest.recording import Gap, Recording, Reel
from backtest.run import Drive, DriveError, MakeAdviser, measured, open_engine
from executor.advice.prompt import Template
from executor.domain.advice_terms import AdviserTerms
from executor.domain.errors import ExecutorError, InvariantViolation
from executor.domain.events import ParentSubmitted
from executor.domain.fills import Fill
from executor.domain.limits import Limits, Timings
from executor.domain.orders import ResidualRule
from executor.domain.parent_state import Reason
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import BPS_PER_UNIT, ZERO, Price, install_decimal_context
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import ParentState
from executor.runtime.journal import Journal
from executor.runtime.virtual import VirtualRuntime
from impact.protocol import ImpactModel
from impact.shortfall import CostReport, make_report
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.spoken import Account, ReplayVenue
from simulation.replay.terms import ReplayTerms
from simulation.replay_venue import CONFLATE_NS, Chunk, RecordedWorld
from simulation.strategy_world import StrategyWorld
from strategies.priced import PlanTerms

_HEARD_NS_MAX: Final = 180 * NS_PER_S
"""So long after its row a fill is heard at the latest."""
_COIN_NOISE: Final = Decimal("1e-18")
"""Quotients are rounded, and their sums hang on the order of adding."""
TAIL_S: Final = 10
"""Time after an order's last possible trade in which everything must have been heard, seconds."""
CLOSING_S: Final = 2
"""What the recording must hold after an order's time, seconds: what is left is crossed then, and answers come."""


class PlanError(ExecutorError):
    """What is asked cannot be tried in this recording.

    Parameters
    ----------
    where, got, allowed, next_step
        As a problem of the command line has them.
    """

    def __init__(self, where: str, got: str, allowed: str, next_step: str) -> None:
        self.where, self.got, self.allowed, self.next_step = where, got, allowed, next_step
        super().__init__(f"{where}: {got}; wanted {allowed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything about a run but its orders.

    Parameters
    ----------
    terms
        Of the venue: latencies, queue model, what the touch is watched for.
    limits
        They may ask for no second opinion about the price: a recording of one venue has none.
    warmup_s
        Time in which the engine watches the market before anything is ordered, seconds.
    adviser, template, adviser_name
        Terms and wording of the questions, where an order is advised, and who answers.
    over_gaps
        Whether orders are worked where something is missing; the engine sees a lost book there, as it would live.
    impact
        What own executions do to the price, reckoned afterwards and beside the cost; None reckons nothing. The report
        of each order keeps what it foretold as well.
    plan_terms
        By which each order's cost is foretold before it is given; None foretells nothing.
    venue_algorithms
        Whether the venue works strategy orders as Bybit documents them (`simulation.strategy_desk`).
    """

    terms: ReplayTerms
    charges: Charges
    limits: Limits = field(default_factory=lambda: Limits(references_min=0))
    timings: Timings = field(default_factory=Timings)
    warmup_s: int = 60
    adviser: AdviserTerms | None = None
    template: Template | None = None
    adviser_name: str = ""
    over_gaps: bool = False
    seed: int = 1
    impact: ImpactModel | None = None
    plan_terms: PlanTerms | None = None
    venue_algorithms: bool = False

    def __post_init__(self) -> None:
        """Refuse conditions under which nothing could be opened."""
        if self.limits.references_min or self.warmup_s < 0:
            raise ValueError("a recording of one venue has no second opinions, and no time before its start")

    def window(self, errand: "Errand") -> tuple[int, int]:
        """From the beginning of an order's warm-up to the instant at which it must have ended."""
        order = errand.order
        end_ns = errand.start_ns + order.duration_s * NS_PER_S + self.tail_ns(order)
        return errand.start_ns - self.warmup_s * NS_PER_S, end_ns

    def tail_ns(self, order: ParentSubmitted) -> int:
        """How long after its duration an order may still be at work: where something keeps it from being filled."""
        residual_s = self.timings.residual_window_s if order.residual is ResidualRule.CROSS else 0
        return (order.extend_s + residual_s + TAIL_S) * NS_PER_S + self._wires_ns

    def closing_ns(self, order: ParentSubmitted) -> int:
        """How much of the recording there must be after an order's duration."""
        return (order.extend_s + CLOSING_S) * NS_PER_S + self._wires_ns

    @property
    def _wires_ns(self) -> int:
        ways = (self.terms.feed, self.terms.entry, self.terms.answer)
        return sum(max((way.constant_ns, *way.samples_ns)) for way in ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One order to be worked once.

    Parameters
    ----------
    number
        Of the moment in the run, from 1; both sides and all policies of a moment share it.
    start_ns
        When it is ordered, our clock.
    policy
        How it is worked, by name.
    make_adviser
        None works it by its schedule alone.
    """

    number: int
    start_ns: int
    order: ParentSubmitted
    policy: str
    make_adviser: MakeAdviser | None = None

    @property
    def name(self) -> str:
        """Names it in files."""
        return f"{self.number:04d}-{self.order.side.name.lower()}-{self.policy.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What one errand came to.

    Parameters
    ----------
    drive
        None if it did not come to an end that can be measured; `failure` says why.
    fills
        As the venue made them, each with what it rests on.
    account
        Position and money at the venue, ticks and lots.
    state_hash
        Of the venue at the end.
    problem
        Why it was not even ordered; None if it was.
    funding
        Paid for holding what was filled while the order was at work, quote units; in no cost.
    impact
        What a model of impact charges it, in no cost; None where none was asked for.
    foretold
        What it was expected to cost, by what was known before it was given; None where nobody asked.
    ended_ns
        When it ended, our clock; 0 if it did not.
    unmeasured
        Facts of an order whose cost cannot be told.
    """

    errand: Errand
    drive: Drive | None
    failure: str
    fills: tuple[tuple[Fill, Ground], ...]
    account: Account
    state_hash: int
    events: int
    problem: PlanError | None = None
    funding: Decimal = ZERO
    impact: OwnImpact | None = None
    foretold: Foretold | None = None
    ended_ns: int = 0
    unmeasured: CostReport | None = None

    @property
    def report(self) -> CostReport | None:
        """What is known of the order; None if it was not even taken."""
        return self.unmeasured if self.drive is None else self.drive.reports[0]

    @property
    def lived_ns(self) -> int:
        """How long it was at work, and at least for as long as it was meant to be."""
        meant_ns = self.errand.order.duration_s * NS_PER_S
        return max(self.ended_ns - self.errand.start_ns, meant_ns) if self.ended_ns else meant_ns

    @property
    def funding_bps(self) -> Decimal | None:
        """Funding of the value at arrival; None where there is no such value."""
        return None if self.drive is None else self.funding * BPS_PER_UNIT / self.drive.paper_notional


MakeVenue = Callable[[ReplayTerms], ReplayVenue]
OpenJournal = Callable[[Errand], AbstractContextManager[Journal | None]]


def plan_starts(
    recording: Recording,
    conditions: Conditions,
    order: ParentSubmitted,
    *,
    start_ns: int | None,
    every_s: int | None,
    until_ns: int | None = None,
) -> list[int]:
    """Find the instants at which orders begin.

    Parameters
    ----------
    start_ns
        Of the first; None takes the first whole second at which the book has been whole for the warm-up.
    every_s
        Time from one to the next; None is a single order.
    until_ns
        None begins the last one as late as the recording allows.

    Raises
    ------
    PlanError
        If the first does not fit into the recording.
    """
    before_ns = conditions.warmup_s * NS_PER_S
    after_ns = order.duration_s * NS_PER_S + conditions.closing_ns(order)
    first_ns, last_ns = recording.first_ns + before_ns, recording.last_ns - after_ns
    if start_ns is None:
        whole_ns = recording.whole_ns()
        if whole_ns is None:
            raise PlanError(
                "--symbol",
                f"{recording.stream.symbol}, whose book never has two sides in what is stored",
                "a recording with a snapshot of the book",
                "`executor data info` says what is stored",
            )
        feed = conditions.terms.feed
        seen_ns = max(whole_ns + max((feed.constant_ns, *feed.samples_ns)) + before_ns, first_ns)
        at_ns = -(-seen_ns // NS_PER_S) * NS_PER_S
        if at_ns > last_ns:
            raise _too_long(recording, conditions, order, last_ns + order.duration_s * NS_PER_S - at_ns)
    else:
        at_ns = start_ns
        if first_ns > last_ns:
            raise _too_long(recording, conditions, order, last_ns + order.duration_s * NS_PER_S - first_ns)
    if not first_ns <= at_ns <= last_ns:
        raise PlanError(
            "--start",
            iso_utc(at_ns),
            f"{iso_utc(first_ns)} to {iso_utc(last_ns)}, which leaves {conditions.warmup_s} s for the warm-up before,"
            f" and {conditions.closing_ns(order) / NS_PER_S:g} s after, an order of {order.duration_s} s",
            "choose another instant, a shorter --duration or --warmup; `executor data info` says what is stored",
        )
    if every_s is None:
        return [at_ns]
    if until_ns is not None and until_ns < at_ns:
        raise PlanError(
            "--until",
            iso_utc(until_ns),
            f"an instant after the first order, {iso_utc(at_ns)}",
            "choose a later --until, or an earlier --start",
        )
    end_ns = last_ns if until_ns is None else min(until_ns, last_ns)
    return list(range(at_ns, end_ns + 1, every_s * NS_PER_S))


def _too_long(
    recording: Recording, conditions: Conditions, order: ParentSubmitted, room_ns: int
) -> PlanError:
    """An order for which there is no room, with how long one might be."""
    longest_s = room_ns // NS_PER_S
    extension = f", {order.extend_s} s of extension" if order.extend_s else ""
    allowed = f"at most {longest_s}s" if longest_s >= 1 else "none: there is no room for any order"
    return PlanError(
        "--duration",
        f"{order.duration_s}s",
        f"{allowed}: stored is {iso_utc(recording.first_ns)} to {iso_utc(recording.last_ns)}, of which"
        f" {conditions.warmup_s} s are warm-up{extension} and {CLOSING_S} s for what is left at the end",
        "a shorter --duration or --warmup, or a longer recording; `executor data info` says what is stored",
    )


def work(
    recording: Recording,
    conditions: Conditions,
    errands: Sequence[Errand],
    make_venue: MakeVenue,
    open_journal: OpenJournal = lambda _errand: nullcontext(),
) -> Iterator[Worked]:
    """Work all errands, in order of their starts.

    Raises
    ------
    PlanError
        If something is missing in the recording where an order would be at work, its quantity is not the venue's, or
        there is no whole book where the first one begins.
    """
    install_decimal_context()
    ordered = sorted(errands, key=attrgetter("start_ns"))
    if not ordered:
        return
    shown = recording.since(ordered[0].start_ns - conditions.warmup_s * NS_PER_S)
    _check_quantities(recording, ordered)
    _check_gaps(shown, conditions, ordered)
    reel = Reel(shown)
    scout, reader = make_venue(conditions.terms), reel.chunks(0)
    for start_ns, group in groupby(ordered, key=attrgetter("start_ns")):
        here_ns = start_ns - conditions.warmup_s * NS_PER_S
        while scout.advance(here_ns) == codes.MORE:
            rows, final = next(reader)
            scout.feed(rows, final=final)
        reel.forget_before(reader.number - 1)
        for errand in group:
            with open_journal(errand) as journal:
                is_last = errand is ordered[-1]
                one = _work_one(
                    recording, conditions, errand, scout.fork(), reel, reader.number, journal, is_last=is_last
                )
                if one.problem is not None and errand is ordered[0]:
                    raise one.problem
                yield one


def _work_one(
    recording: Recording,
    conditions: Conditions,
    errand: Errand,
    venue: ReplayVenue,
    reel: Reel,
    chunk: int,
    journal: Journal | None,
    *,
    is_last: bool,
) -> Worked:
    """Work one order in a venue of its own; rows that nobody needs after the last one are let go of as it goes on."""
    grounds: dict[str, Ground] = {}

    def chunks() -> Iterator[Chunk]:
        for rows in reel.chunks(chunk):
            if is_last:
                _note_grounds(grounds, world, recording, reel)
                reel.forget_until(world.now_ns - _HEARD_NS_MAX)
            yield rows

    _, end_ns = conditions.window(errand)
    inner = RecordedWorld(
        venue=venue,
        chunks=chunks(),
        terms=conditions.terms,
        steps=recording.steps,
        rules=recording.rules,
        charges=conditions.charges,
        conflate_ns=conditions.terms.conflate_ns or CONFLATE_NS,
    )
    desk = StrategyWorld(inner) if conditions.venue_algorithms else None
    world = desk or inner
    seed = conditions.seed + errand.number
    runtime = VirtualRuntime(
        engine=Engine(),
        world=world,
        start_ns=venue.now_ns,
        counsel=_counsel(conditions, errand, seed),
        journal=journal,
        send_algo=None if desk is None else desk.send_algo,
    )
    open_engine(
        runtime,
        recording.rules,
        venue=f"recorded {recording.stream.venue}",
        limits=conditions.limits,
        timings=conditions.timings,
        terms=conditions.adviser if errand.make_adviser else None,
        seed=seed,
        impact_model="" if conditions.impact is None else conditions.impact.name,
        venue_algorithms=conditions.venue_algorithms,
    )
    runtime.run(errand.start_ns - 1)
    problem = _problem_of_book(recording, venue, errand)
    pace = pace_at(runtime.engine.state, recording.rules)
    told = None
    if conditions.plan_terms is not None:
        told = foretold(runtime.engine.state, errand.order, conditions.plan_terms, errand.start_ns)
    if problem is None:
        advised = errand.make_adviser is not None
        order = replace(errand.order, request_id="p1", idempotency_key="p1", seed=seed, advised=advised)
        runtime.post(order, errand.start_ns)
        runtime.run(end_ns, lambda state: bool(state.parents) and not state.open_parents)
    runtime.finish()
    fills = [fill for one in world.orders for fill in one.executions]
    parent = next(iter(runtime.engine.state.parents.values()), None)
    drive, failure = None, "" if problem is None else str(problem)
    try:
        drive = None if problem is not None else measured(runtime, seed, 1)
    except DriveError as error:
        failure = str(error)
        failure += _way_out(conditions, parent)
    _check_conservation(recording, venue.account(), fills, runtime)
    _note_grounds(grounds, world, recording, reel)
    fills.sort(key=lambda fill: (fill.ts_exchange_ns, int(fill.exec_id[1:])))
    settlements = reel.settlements(errand.start_ns, venue.row_ns)
    impact = None
    if conditions.impact is not None:
        known = pace if drive is not None else "the order came to no end that can be measured"
        impact = own_impact(conditions.impact, fills, known, errand.order.order_qty)
    return Worked(
        errand=errand,
        drive=drive,
        failure=failure,
        fills=tuple((fill, grounds[fill.exec_id]) for fill in fills),
        account=venue.account(),
        state_hash=venue.state_hash(),
        events=runtime.events,
        problem=problem,
        funding=funding_paid(recording.rules, recording.steps, venue.account(), fills, settlements),
        impact=impact,
        foretold=told,
        ended_ns=0 if parent is None else parent.finished_ns,
        unmeasured=(
            make_report(parent_facts(runtime.engine.state, parent))
            if parent is not None and drive is None
            else None
        ),
    )


def _way_out(conditions: Conditions, parent: ParentState | None) -> str:
    """Say what lets an order come to an end that came to none, where that is known."""
    if parent is None:
        return ""
    if parent.reason is Reason.BEYOND_LIMITS:
        return "; a settings file with other limits (--config) opens it"
    needed_s = conditions.timings.volatility_warmup_s
    if not parent.started_ns and conditions.warmup_s < needed_s:
        return f": it never began; an order waits until the market was watched for {needed_s} s (--warmup)"
    return ""


def _note_grounds(
    grounds: dict[str, Ground], world: RecordedWorld | StrategyWorld, recording: Recording, reel: Reel
) -> None:
    """Find out what the fills rest on that were heard since the last time."""
    for order in world.orders:
        for fill in order.executions:
            if fill.exec_id not in grounds:
                grounds[fill.exec_id] = ground_of(fill, recording.steps, reel)


def _counsel(conditions: Conditions, errand: Errand, seed: int) -> VirtualModel | None:
    if errand.make_adviser is None:
        return None
    assert conditions.adviser is not None, "who is advised has terms"
    assert conditions.template is not None, "and a wording"
    return VirtualModel(
        adviser=errand.make_adviser(_nobody_knows, seed),
        template=conditions.template,
        tokens_max=conditions.adviser.tokens_max,
    )


def _nobody_knows(_at_ns: int) -> float:
    """Drift of a recorded market: there is none that could be known beforehand."""
    return 0.0


def _check_conservation(
    recording: Recording, account: Account, fills: Sequence[Fill], runtime: VirtualRuntime
) -> None:
    """What the venue filled is what was told, and what the engine has booked, to the last lot and cent.

    Raises
    ------
    InvariantViolation
        If it is not.
    """
    steps = recording.steps
    parents = runtime.engine.state.parents.values()
    signed = sum((fill.side.sign * fill.last_qty for fill in fills), ZERO)
    turnover = sum((fill.side.sign * fill.last_qty * fill.last_px for fill in fills), ZERO)
    value = sum((fill.side.sign * fill.notional for fill in fills), ZERO)
    coin_qty = sum((fill.side.sign * fill.coin_qty for fill in fills), ZERO)
    booked_coin_qty = sum((one.order.side.sign * one.cum_coin_qty for one in parents), ZERO)
    of_venue = account.position * steps.lot_size, -account.cash * steps.tick_size * steps.lot_size
    booked = (
        sum((one.order.side.sign * one.cum_qty for one in parents), ZERO),
        sum((one.order.side.sign * one.cum_notional for one in parents), ZERO),
    )
    if (
        of_venue != (signed, turnover)
        or booked != (signed, value)
        or abs(booked_coin_qty - coin_qty) > _COIN_NOISE
        or account.fills != len(fills)
    ):
        raise InvariantViolation(
            f"venue, messages and engine disagree about what was filled: {of_venue}, {(signed, turnover)}, {booked},"
            f" coin {coin_qty} and {booked_coin_qty}"
        )


def _check_quantities(recording: Recording, errands: Sequence[Errand]) -> None:
    rules = recording.rules
    for qty in {errand.order.order_qty for errand in errands}:
        if qty < rules.min_order_qty or not rules.is_on_step(qty):
            raise PlanError(
                "--qty",
                f"{qty:f}",
                f"at least {max(rules.min_order_qty, rules.qty_step):f} {rules.symbol}, in steps of {rules.qty_step:f}",
                "choose a larger or rounder quantity",
            )


def _problem_of_book(recording: Recording, venue: ReplayVenue, errand: Errand) -> PlanError | None:
    glance = venue.glance()
    if not 0 < glance.bid_px < glance.ask_px:
        return PlanError(
            "--start",
            f"{iso_utc(errand.start_ns)}, where no whole book is known",
            "an instant after the first snapshot, with both sides in their order",
            "choose a later --start",
        )
    smallest = recording.rules.smallest_qty(Price(glance.bid_px * recording.steps.tick_size))
    if errand.order.order_qty < smallest:
        return PlanError(
            "--qty",
            f"{errand.order.order_qty:f}",
            f"at least {smallest:f} {recording.rules.symbol} at this price, which is the venue's smallest value",
            "choose a larger quantity",
        )
    return None


def _check_gaps(recording: Recording, conditions: Conditions, errands: Sequence[Errand]) -> None:
    """Go through the recording once beforehand, so that nothing is begun that cannot be ended."""
    if conditions.over_gaps:
        return
    reel = Reel(recording)
    for errand in errands:
        gaps = reel.gaps(*conditions.window(errand))
        if gaps:
            raise _gap(errand, gaps)
        reel.forget_all()


def _gap(errand: Errand, gaps: Sequence[Gap]) -> PlanError:
    more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
    return PlanError(
        "--start",
        f"an order at {iso_utc(errand.start_ns)} with something missing from {gaps[0]}{more}",
        "a window without gaps, the warm-up and the time after the order included",
        "choose other instants, or --over-gaps: the engine then sees a lost book there, as it would live",
    )
