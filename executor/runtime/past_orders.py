"""What became of own orders, read back from a journal: what was known when each began, and what the price did since.

The journal is replayed from its first event, beside its daemon or after it; nothing is changed. Volatility and
volume are those that the engine knew at that moment, so a forecast made of them uses nothing that came later.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import heappop, heappush
from itertools import islice
from math import log
from pathlib import Path
from typing import Final

import apsw

from executor.domain.errors import ExecutorError, JournalError
from executor.domain.orders import Category
from executor.domain.parent_state import ParentStatus
from executor.domain.units import BPS_PER_UNIT, ZERO
from executor.engine.engine import Engine
from executor.engine.markets import expected_volume_qty, volatility_pct
from executor.engine.state import EngineState, MarketState, ParentState, market_key
from executor.runtime import record
from executor.runtime.integrity import DAMAGE, explained, rows
from executor.runtime.reading import open_to_read
from impact.estimation.metaorders import LAGS
from impact.estimation.observed import Observed
from impact.pre_trade import planned, pre_trade
from impact.protocol import NS_PER_DAY, Execution, ImpactModel, Pace
from impact.scoring import Forecast

_S_PER_HOUR: Final = 3_600
_BPS: Final = float(BPS_PER_UNIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOrder:
    """One own order that has ended and was filled, at least in part.

    Parameters
    ----------
    instrument
        VENUE/CATEGORY/SYMBOL.
    plan
        What was planned when it began.
    pace, spread_bps
        The market as the engine knew it then; None where it had not been watched for long enough.
    order_qty, filled_qty
        Base units; contracts for inverse.
    arrival_px, avg_px, end_px
        Mid at the beginning, mean price of the fills, mid at the end; quote per base.
    first_ns, last_ns
        When the engine heard of the first and of the last fill, UTC.
    complete
        Whether it was filled to the end.
    maker_share
        Share of what was filled that had waited in the book, 0-1.
    after
        How the mid stood after the last fill: (nanoseconds since, mid) each.
    """

    name: str
    instrument: str
    strategy: str
    sign: int
    started_ns: int
    plan: tuple[Execution, ...]
    pace: Pace | None
    spread_bps: float | None
    order_qty: float
    filled_qty: float
    arrival_px: float
    avg_px: float
    end_px: float | None
    first_ns: int
    last_ns: int
    complete: bool
    maker_share: float
    after: tuple[tuple[int, float], ...]

    @property
    def realised_bps(self) -> float:
        """What the fills cost over the mid at the beginning, basis points of it; fees are no part."""
        return self.sign * (self.avg_px / self.arrival_px - 1.0) * _BPS

    def observed(self) -> Observed | None:
        """The order as a calibration takes it; None where the market was not known when it began."""
        if self.pace is None:
            return None
        unit = self.pace.volatility_daily_bps / _BPS

        def moved(px: float) -> float:
            return self.sign * log(px / self.arrival_px) / unit

        return Observed(
            ended_ns=self.last_ns,
            size=self.filled_qty / self.pace.volume_daily_qty,
            days=(self.last_ns - self.first_ns) / NS_PER_DAY,
            # The mid at the end of an order that ran out of time is one from long after its last fill.
            peak=moved(self.end_px) if self.complete and self.end_px is not None else None,
            paid=moved(self.avg_px),
            after=tuple((since / NS_PER_DAY, moved(px)) for since, px in self.after),
        )

    def forecast(self, model: ImpactModel, crossing: float, z: float) -> Forecast | None:
        """What the model would have said of the plan, beside what came; None where the market was not known.

        Parameters
        ----------
        crossing
            Share of the quantity that is held to cross the spread, 0-1.
        z
            Standard deviations to either side that the interval is to hold, > 0.

        Raises
        ------
        ValueError
            If the model knows nothing of such a plan.
        """
        if self.pace is None or self.spread_bps is None or not self.plan:
            return None
        told = pre_trade(
            model,
            self.plan,
            self.pace,
            order_qty=self.order_qty,
            notional_quote=self.order_qty * self.arrival_px,
            spread_bps=self.spread_bps,
            crossing=crossing,
        )
        low_bps, high_bps = told.interval_bps(z)
        return Forecast(
            name=self.name,
            at_ns=self.started_ns,
            predicted_bps=told.expected_bps,
            low_bps=low_bps,
            high_bps=high_bps,
            realised_bps=self.realised_bps,
        )


@dataclass(slots=True)
class _Followed:
    """An order of which more is to come."""

    pace: Pace | None
    spread_bps: float | None
    plan: tuple[Execution, ...]
    cum_qty: Decimal = field(default_factory=Decimal)
    first_ns: int = 0
    last_ns: int = 0
    after: list[tuple[int, float]] = field(default_factory=list)


def past_orders(path: Path, progress: Callable[[int, int], None] | None = None) -> list[PastOrder]:
    """Read the orders of a journal that have ended with fills, in order of their beginning.

    Parameters
    ----------
    progress
        Called now and then with events done and events in all.

    Raises
    ------
    JournalError
        If it is not there, or cannot be read or replayed.
    """
    if not path.is_file():
        raise JournalError(f"{path}: no such file; name a journal.db that is there", "DB_MISSING")
    try:
        db = open_to_read(path)
        try:
            db.execute("BEGIN")  # one snapshot: a daemon may write meanwhile
            return _replayed(db, progress)
        finally:
            db.close()
    except JournalError:
        raise
    except ExecutorError as error:
        raise JournalError(f"{path}: cannot be replayed: {error}", "DB_REPLAY") from error
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error


def _replayed(db: apsw.Connection, progress: Callable[[int, int], None] | None) -> list[PastOrder]:
    engine, total = Engine(), db.execute("SELECT count(*) FROM journal").fetchone()
    followed: dict[str, _Followed] = {}
    at_work: dict[str, ParentState] = {}
    seen = 0
    due: list[tuple[int, str, int]] = []
    for number, link in enumerate(rows(db, 0)):
        while due and due[0][0] <= link.at_ns:
            _look(engine.state, followed, *heappop(due))
        commands = engine.on_event(record.decode_event(link.kind, link.event))
        if record.encode_commands(commands) != link.commands:
            raise JournalError(
                f"row {link.seq} ({link.kind}): this version of the code decides differently; read it with the"
                " version that wrote it",
                "DB_OTHER_VERSION",
            )
        parents = engine.state.parents
        if len(parents) > seen:  # the youngest are the last
            at_work |= dict(list(islice(reversed(parents.items()), len(parents) - seen))[::-1])
            seen = len(parents)
        for name, parent in list(at_work.items()):
            _follow(engine.state, name, parent, followed)
            if parent.is_final:
                del at_work[name]
                _plan_looks(name, followed.get(name), due)
        if progress is not None and total and number % 1_000 == 0:
            progress(number, total[0])
    told = (_told(engine.state, name, one) for name, one in followed.items() if name not in at_work)
    return sorted((one for one in told if one is not None), key=lambda one: (one.started_ns, one.name))


def _follow(state: EngineState, name: str, parent: ParentState, followed: dict[str, _Followed]) -> None:
    """Note what is known when an order begins, and when it is filled."""
    if not parent.started_ns or (parent.schedule is None and name not in followed):
        return
    one = followed.get(name)
    if one is None:
        market = _market(state, parent)
        plan = () if parent.schedule is None else tuple(planned(parent.schedule, parent.order.side))
        one = followed[name] = _Followed(pace_known(state, market), _spread_bps(market), plan)
    if parent.cum_qty > one.cum_qty:
        one.cum_qty, one.last_ns = parent.cum_qty, state.now_ns
        one.first_ns = one.first_ns or state.now_ns


def pace_known(state: EngineState, market: MarketState) -> Pace | None:
    """How volatile and busy the engine holds a market to be; None where it has not seen enough, or nothing moved."""
    volatility, volume = volatility_pct(state, market), expected_volume_qty(state, market, _S_PER_HOUR)
    if not volatility or not volume:
        return None
    return Pace(float(volatility), float(volume))


def _plan_looks(name: str, one: _Followed | None, due: list[tuple[int, str, int]]) -> None:
    """Look at the price again some times after the last fill."""
    if one is None or one.last_ns <= one.first_ns:
        return
    for lag in LAGS:
        since_ns = round(lag * (one.last_ns - one.first_ns))
        heappush(due, (one.last_ns + since_ns, name, since_ns))


def _look(state: EngineState, followed: dict[str, _Followed], _at_ns: int, name: str, since_ns: int) -> None:
    snapshot = _market(state, state.parents[name]).snapshot
    if snapshot is not None:
        followed[name].after.append((since_ns, float(snapshot.mid_px)))


def _market(state: EngineState, parent: ParentState) -> MarketState:
    return state.markets.get(market_key(parent.order.category, parent.order.symbol)) or MarketState()


def _spread_bps(market: MarketState) -> float | None:
    snapshot = market.snapshot
    if snapshot is None:
        return None
    return float((snapshot.best_ask - snapshot.best_bid) / snapshot.mid_px) * _BPS


def _told(state: EngineState, name: str, one: _Followed) -> PastOrder | None:
    parent = state.parents[name]
    if not one.cum_qty or parent.arrival_px is None:
        return None
    order = parent.order
    worth = parent.cum_coin_qty if order.category is Category.INVERSE else parent.cum_qty
    end_px = parent.benchmarks.last_mid_px
    return PastOrder(
        name=name,
        instrument="/".join((state.venue.partition("-")[0] or state.venue, order.category, order.symbol)),
        strategy=order.strategy,
        sign=order.side.sign,
        started_ns=parent.started_ns,
        plan=one.plan,
        pace=one.pace,
        spread_bps=one.spread_bps,
        order_qty=float(order.order_qty),
        filled_qty=float(parent.cum_qty),
        arrival_px=float(parent.arrival_px),
        avg_px=float(parent.cum_notional / worth),
        end_px=None if end_px is None else float(end_px),
        first_ns=one.first_ns,
        last_ns=one.last_ns,
        complete=parent.status is ParentStatus.COMPLETE,
        maker_share=float(
            sum((state.children[child].maker_qty for child in parent.children), ZERO) / parent.cum_qty
        ),
        after=tuple(one.after),
    )


def each_journal(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> Iterator[PastOrder]:
    """Read the orders of several journals, one after the other.

    Raises
    ------
    JournalError
        As `past_orders`.
    """
    for number, path in enumerate(paths):
        if progress is not None:
            progress(number, len(paths))
        yield from past_orders(path)
