"""One case worked by one algorithm: every order, both sides, and what is kept of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from backtest.dataset.rows import Ints, Kind
from backtest.dataset.store import read_info, read_rows
from backtest.foretold import Foretold
from backtest.recorded import Conditions, Errand, MakeVenue, PlanError, Worked, plan_starts, work
from backtest.recording import Recording, find_recording
from benchmarks.algorithms_cases import Case, Group
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import BPS_PER_UNIT
from impact.models import read_model
from impact.tracking import tracking_error
from simulation.frictions import Charges
from simulation.replay.terms import Delay, ReplayTerms
from strategies.priced import PlanTerms

MODEL: Final = "square-root"
_FEED_NS: Final = 5 * NS_PER_MS
_WIRE_NS: Final = 10 * NS_PER_MS
_REQUESTS_PER_S: Final = 10
_BAND_BPS: Final = {Category.LINEAR: 100, Category.INVERSE: 100, Category.SPOT: 50}
_PRINT_LAG_NS: Final = 50 * NS_PER_MS
_CONFLATE_NS: Final = 100 * NS_PER_MS
Floats = NDArray[np.float64]
_TRADES: Final = (Kind.TRADE, Kind.EXECUTE, Kind.HIDDEN)
CHARGES: Final = Charges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What `executor plan` said of an order before it began, basis points of what it expected to do.

    Parameters
    ----------
    impact_bps, impact_low_bps, impact_high_bps
        Displacement paid, with its plausible range.
    spread_bps
        The whole spread.
    done_share
        Share of the order that was expected to be done, 0-1.
    risk_bps
        Standard deviation of the cost that the market's own moves make.
    expected_bps, low_bps, high_bps
        All of it with fees, and the interval of 95 %.
    """

    impact_bps: float
    impact_low_bps: float
    impact_high_bps: float
    spread_bps: float
    done_share: float
    risk_bps: float
    expected_bps: float
    low_bps: float
    high_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """How an order kept to the market's volume.

    Parameters
    ----------
    mean_pct
        Tracking error over the slices from its start to its deadline, per cent of the order.
    share_pct
        What it had done by its deadline of all that traded until it was done, own fills included, per cent.
    """

    mean_pct: float
    share_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one order came to.

    Parameters
    ----------
    number
        Of its moment in the case, from 1; both sides share it.
    side
        +1 for a buy, -1 for a sale.
    start_ns, ended_ns
        When it began and ended, UTC; 0 if it did not end.
    failure
        Why its cost cannot be told; empty if it can.
    cost_bps
        Arrival shortfall with fees, basis points of the value at arrival.
    filled, maker_share
        Share of the order that was filled, and of that which waited; 0-1.
    participation_pct
        Own share of everything that traded during its life, per cent.
    guessed
        Share of its fills that rest on a model of the queue.
    """

    number: int
    side: int
    start_ns: int
    ended_ns: int
    status: str
    reason: str
    failure: str
    cost_bps: float | None
    filled: float
    maker_share: float | None
    participation_pct: float | None
    fills: int
    guessed: int
    told: Told | None
    untold: str
    tracked: Tracked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """All orders of a case by one algorithm.

    Parameters
    ----------
    refused
        Why none could be worked; empty if they were.
    """

    case: str
    group: str
    algorithm: str
    every_s: int
    duration_s: int
    outcomes: tuple[Outcome, ...]
    refused: str = ""


def work_unit(
    root: Path, case: Case, algorithm: str, every_s: int, make_venue: MakeVenue, seed: int = 1
) -> Unit:
    """Work all orders of a case by one algorithm.

    Parameters
    ----------
    root
        Folder of the store.
    every_s
        Time from one order to the next, seconds.
    """
    venue, category, symbol = case.parts
    recording = find_recording(root, symbol, venue=venue, category=category)
    if recording.recv_known:
        recording = recording.with_clock(None)
    conditions = conditions_of(recording, case, seed)
    refused, all_worked = "", list[Worked]()
    try:
        starts = plan_starts(recording, conditions, case.order(seed), start_ns=None, every_s=every_s)
        errands = [
            Errand(
                number=number,
                start_ns=start_ns,
                order=case.by(algorithm, seed + number, side),
                policy=algorithm,
            )
            for number, start_ns in enumerate(starts, start=1)
            for side in Side
        ]
        all_worked = list(work(recording, conditions, errands, make_venue))
    except PlanError as error:
        refused = f"{error.got}; wanted {error.allowed}"
    market = market_volume(recording) if all_worked else None
    return Unit(
        case=case.name,
        group=case.group.value,
        algorithm=algorithm,
        every_s=every_s,
        duration_s=case.duration_s,
        outcomes=tuple(outcome_of(one, case, market) for one in all_worked),
        refused=refused,
    )


def read_unit(path: Path) -> Unit:
    """Read what was kept of a case by one algorithm.

    Raises
    ------
    msgspec.DecodeError
        If the file holds something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Unit)


def keep_unit(path: Path, unit: Unit) -> None:
    """Keep a result; the file is there when all of it is written."""
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(unit))
    part.replace(path)


def market_volume(recording: Recording) -> tuple[Ints, Floats]:
    """Times (exchange's, in order) and quantities (base units) of all that traded in a recording."""
    times, lots = [], []
    for day in recording.days:
        rows, lot = read_rows(day.path), float(read_info(day.path).lot_size)
        traded = np.isin(rows.kind, _TRADES)
        times.append(rows.exch_ns[traded])
        lots.append(rows.qty[traded] * lot)
    at_ns, qty = np.concatenate(times), np.concatenate(lots)
    order = np.argsort(at_ns, kind="stable")
    return at_ns[order], qty[order]


def tracked_of(
    own: Sequence[tuple[int, float]],
    market: tuple[Ints, Floats],
    start_ns: int,
    duration_s: int,
    interval_s: int,
    order_qty: float,
) -> Tracked | None:
    """Hold an order's fills until its deadline against what others traded; None where either did nothing.

    What was done after the deadline counts in the last slice.

    Parameters
    ----------
    own
        Time and quantity (base units) of each fill.
    """
    times, qty = market
    end_ns = start_ns + duration_s * NS_PER_S
    edges = np.arange(start_ns, end_ns + 1, interval_s * NS_PER_S)
    inside = (times >= start_ns) & (times < end_ns)
    others = np.histogram(times[inside], bins=edges, weights=qty[inside])[0]
    at_ns = np.asarray([min(at, end_ns - 1) for at, _ in own], np.int64)
    done = np.histogram(at_ns, bins=edges, weights=np.asarray([one for _, one in own], np.float64))[0]
    if others.sum() <= 0.0 or done.sum() <= 0.0:
        return None
    in_time = [(at, one) for at, one in own if at < end_ns]
    own_qty = sum(one for _, one in in_time)
    whole = own_qty >= order_qty * (1 - 1e-9)
    until_ns = max(at for at, _ in in_time) if whole else end_ns
    traded = float(qty[(times >= start_ns) & (times <= until_ns)].sum())
    return Tracked(
        mean_pct=tracking_error(done.tolist(), others.tolist()).mean_pct,
        share_pct=100.0 * own_qty / (own_qty + traded) if own_qty + traded else 0.0,
    )


def conditions_of(recording: Recording, case: Case, seed: int) -> Conditions:
    """As `executor backtest` has them: usual limits, fees and ways of the wire; the feed as it was recorded."""
    feed = Delay(measured=True) if recording.recv_known else Delay(constant_ns=_FEED_NS)
    model = read_model(MODEL)
    assert model is not None, "it is one"
    return Conditions(
        terms=ReplayTerms(
            feed=feed,
            entry=Delay(constant_ns=_WIRE_NS),
            answer=Delay(constant_ns=_WIRE_NS),
            queue_model=0,
            price_band_bps=_BAND_BPS[recording.rules.category],
            requests_per_s_max=_REQUESTS_PER_S,
            print_lag_ns=_PRINT_LAG_NS,
            conflate_ns=_CONFLATE_NS,
            prices_only=True,
            seed=seed,
        ),
        charges=CHARGES,
        warmup_s=case.warmup_s,
        over_gaps=case.group is Group.BARE,
        seed=seed,
        plan_terms=PlanTerms(
            model=model,
            maker_fee_bps=float(CHARGES.maker_fee_rate * BPS_PER_UNIT),
            taker_fee_bps=float(CHARGES.taker_fee_rate * BPS_PER_UNIT),
        ),
    )


def outcome_of(worked: Worked, case: Case, market: tuple[Ints, Floats] | None) -> Outcome:
    """Keep what is told of an order; how it kept to the market is told where its volume is given."""
    errand, report = worked.errand, worked.report
    facts = None if report is None else report.facts
    own = [(fill.ts_exchange_ns, float(fill.last_qty)) for fill, _ in worked.fills]
    tracked = None
    if own and market is not None:
        tracked = tracked_of(
            own, market, errand.start_ns, case.duration_s, case.interval_s, float(errand.order.order_qty)
        )
    maker_share = None if report is None else report.maker_share
    participation = None if report is None else report.participation_pct
    return Outcome(
        number=errand.number,
        side=errand.order.side.sign,
        start_ns=errand.start_ns,
        ended_ns=worked.ended_ns,
        status="" if facts is None else facts.status.value,
        reason="" if facts is None else facts.reason.value,
        failure=worked.failure,
        cost_bps=None if worked.drive is None else float(worked.drive.cost_bps),
        filled=0.0 if report is None else float(report.fill_rate),
        maker_share=None if maker_share is None else float(maker_share),
        participation_pct=None if participation is None else float(participation),
        fills=len(worked.fills),
        guessed=sum(ground.value == "queue-model" for _, ground in worked.fills),
        told=_told(worked.foretold),
        untold="" if worked.foretold is None else worked.foretold.unknown,
        tracked=tracked,
    )


def _told(found: Foretold | None) -> Told | None:
    if found is None or found.cost is None:
        return None
    cost = found.cost
    impact = cost.told.impact
    return Told(
        impact_bps=impact.estimate_bps,
        impact_low_bps=impact.low_bps,
        impact_high_bps=impact.high_bps,
        spread_bps=found.spread_bps,
        done_share=found.done_share,
        risk_bps=cost.told.risk_bps,
        expected_bps=cost.expected_bps,
        low_bps=cost.low_bps,
        high_bps=cost.high_bps,
    )
