"""One drive: parents worked in a market from a seed, from the first look at the book to the last parent's end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from backtest.counsel import VirtualModel
from backtest.scripted import Drift
from executor.advice.prompt import Template
from executor.adviser.playback import VirtualAdviser
from executor.domain.advice import AdviceOutcome, Failure
from executor.domain.advice_terms import AdviserTerms
from executor.domain.errors import ExecutorError
from executor.domain.events import (
    RULES_NOW,
    EngineStarted,
    InstrumentLoaded,
    ParentSubmitted,
    Stream,
    StreamChanged,
)
from executor.domain.instrument import Instrument, notional
from executor.domain.limits import Limits, Timings
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO, Money, install_decimal_context
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import EngineState
from executor.runtime.journal import Journal
from executor.runtime.virtual import VirtualRuntime
from impact.shortfall import CostReport, make_report
from simulation.drawn_world import DrawnWorld
from simulation.frictions import Charges, Latencies
from simulation.touch_venue import TouchVenue
from simulation.walk_market import Walk, WalkMarket

START_NS: Final = 1_700_000_000 * NS_PER_S
INSTANCE: Final = "sim"
_TEMPLATE: Final = Template(name="virtual", text="Reply with one JSON object.")
FELL_BACK: Final = frozenset(
    {AdviceOutcome.LATE, AdviceOutcome.UNUSABLE, AdviceOutcome.FAILED, AdviceOutcome.NOT_ASKED}
)
"""What became of a question after which the schedule decided alone."""

MakeAdviser = Callable[[Drift, int], VirtualAdviser]
"""Makes the adviser of one drive from what can be known of its market beforehand, and from its seed."""


class DriveError(ExecutorError):
    """A drive did not come to an end that could be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything about a drive but its seed and its adviser.

    Parameters
    ----------
    parents
        What is ordered, all at the end of the warm-up; when, and whether they are advised, is set by the drive.
    terms
        Under which an adviser is asked, where there is one.
    template
        The fixed text of the questions.
    limits
        They may ask for no second opinion about the price: a market of one venue has none.
    warmup_s
        Time in which the engine watches the market before anything is ordered, seconds.
    grace_s
        Time after the last deadline in which the parents must have ended, seconds.
    """

    walk: Walk
    parents: tuple[ParentSubmitted, ...]
    terms: AdviserTerms
    charges: Charges = field(default_factory=Charges)
    latencies: Latencies = field(default_factory=Latencies)
    limits: Limits = field(default_factory=lambda: Limits(references_min=0))
    timings: Timings = field(default_factory=Timings)
    template: Template = _TEMPLATE
    warmup_s: int = 15
    grace_s: int = 120

    def __post_init__(self) -> None:
        """Refuse a scene in which nothing could be measured."""
        if not self.parents or self.warmup_s < 0 or self.grace_s < 0:
            raise ValueError("a scene needs a parent, and times that are not negative")
        if self.limits.references_min:
            raise ValueError("a market of one venue has no second opinions; references_min must be 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """What one drive came to.

    Parameters
    ----------
    cost_bps
        Arrival shortfall of all parents with fees, of their value at arrival.
    paper_notional
        That value, quote units.
    bill
        What the adviser cost, in the currency of the price table.
    calls
        Questions that were sent.
    outcomes
        What became of all questions, by name.
    reasons
        Why the schedule decided alone, by name, for each question after which it did.
    missed
        Questions that the tape that was played does not hold.
    events
        Events that the engine worked.
    """

    seed: int
    reports: tuple[CostReport, ...]
    cost_bps: Decimal
    paper_notional: Decimal
    bill: Money
    calls: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    missed: int
    events: int


def drive(
    scene: Scene, seed: int, make_adviser: MakeAdviser | None = None, journal: Journal | None = None
) -> Drive:
    """Work the parents of a scene once.

    Parameters
    ----------
    make_adviser
        None works them by their schedules alone.

    Raises
    ------
    DriveError
        If a parent was not accepted, never began, or had no end.
    """
    runtime = prepare(scene, seed, make_adviser, journal)
    longest_s = max(parent.duration_s + parent.extend_s for parent in scene.parents)
    wanted = len(scene.parents)
    runtime.run(
        START_NS + (scene.warmup_s + longest_s + scene.grace_s) * NS_PER_S,
        lambda state: len(state.parents) == wanted and not state.open_parents,
    )
    runtime.finish()
    try:
        return measured(runtime, seed, wanted)
    except DriveError as error:
        raise DriveError(f"seed {seed}: {error}") from error


def prepare(
    scene: Scene, seed: int, make_adviser: MakeAdviser | None = None, journal: Journal | None = None
) -> VirtualRuntime:
    """Put a drive together, up to its first instant: the market, the venue, the adviser, and what is ordered."""
    install_decimal_context()
    market = WalkMarket(scene.walk, seed=seed, start_ns=START_NS)
    adviser = None if make_adviser is None else make_adviser(market.drift_bps_per_min, seed)
    runtime = VirtualRuntime(
        engine=Engine(),
        world=DrawnWorld(
            market=market,
            venue=TouchVenue(scene.walk.instrument, scene.charges),
            latencies=scene.latencies,
            start_ns=START_NS,
        ),
        start_ns=START_NS,
        counsel=None if adviser is None else _counsel(scene, adviser),
        journal=journal,
    )
    open_engine(
        runtime,
        scene.walk.instrument,
        venue="simulation",
        limits=scene.limits,
        timings=scene.timings,
        terms=scene.terms,
        seed=seed,
    )
    for number, parent in enumerate(scene.parents, start=1):
        name = f"p{number}"
        submitted = replace(parent, request_id=name, idempotency_key=name, advised=adviser is not None)
        runtime.post(submitted, START_NS + scene.warmup_s * NS_PER_S)
    return runtime


def _counsel(scene: Scene, adviser: VirtualAdviser) -> VirtualModel:
    return VirtualModel(adviser=adviser, template=scene.template, tokens_max=scene.terms.tokens_max)


def open_engine(
    runtime: VirtualRuntime,
    rules: Instrument,
    *,
    venue: str,
    limits: Limits,
    timings: Timings,
    terms: AdviserTerms | None,
    seed: int,
    impact_model: str = "",
    venue_algorithms: bool = False,
) -> None:
    """Let everything happen that comes before the first look at the book: terms, rules and live connections."""
    at_ns = runtime.now_ns
    runtime.post(
        EngineStarted(
            at_ns=at_ns,
            version="",
            instance=INSTANCE,
            venue=venue,
            limits=limits,
            timings=timings,
            sentinel_required=False,
            seed=seed,
            hedge_mode=False,
            adviser=terms,
            marks_fills=True,
            impact_model=impact_model,
            venue_algorithms=venue_algorithms,
            rules=RULES_NOW,
        ),
        at_ns,
    )
    runtime.post(InstrumentLoaded(at_ns=at_ns, instrument=rules), at_ns)
    for stream in (Stream.PUBLIC, Stream.TRADE, Stream.PRIVATE):
        category = rules.category if stream is Stream.PUBLIC else None
        event = StreamChanged(at_ns=at_ns, stream=stream, category=category, live=True, detail="")
        runtime.post(event, at_ns)


def measured(runtime: VirtualRuntime, seed: int, wanted: int) -> Drive:
    """Sum a drive up that has come to its end.

    Raises
    ------
    DriveError
        If a parent was not accepted, never began, or had no end.
    """
    state: EngineState = runtime.engine.state
    if len(state.parents) != wanted:
        raise DriveError(f"refused: {'; '.join(reply.text for reply in runtime.replies)}")
    if state.latched:
        raise DriveError(f"halted: {state.latch_reason}")
    reports = []
    cost, paper = ZERO, ZERO
    for parent in state.parents.values():
        report = make_report(parent_facts(state, parent))
        if not parent.is_final or report.arrival_shortfall_bps is None or parent.arrival_px is None:
            why = ": ".join(text for text in (str(parent.reason), parent.detail) if text)
            raise DriveError(f"{parent.status} without a cost that can be told, {why}")
        value = notional(parent.order.category, parent.order.order_qty, parent.arrival_px)
        cost += report.arrival_shortfall_bps * value / BPS_PER_UNIT
        paper += value
        reports.append(report)
    return Drive(
        seed=seed,
        reports=tuple(reports),
        cost_bps=cost * BPS_PER_UNIT / paper,
        paper_notional=paper,
        bill=Money(sum((bill.cost for bill in state.spend.parents.values()), ZERO)),
        calls=sum(bill.calls for bill in state.spend.parents.values()),
        outcomes=dict(Counter(record.outcome.value for record in runtime.decisions.values())),
        reasons=dict(
            Counter(
                record.reason or record.outcome.value
                for record in runtime.decisions.values()
                if record.outcome in FELL_BACK
            )
        ),
        missed=sum(record.reason == Failure.NOT_ON_TAPE for record in runtime.decisions.values()),
        events=runtime.events,
    )
