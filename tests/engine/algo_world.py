"""An engine whose parents are worked by strategy orders of the venue, and a model of a venue that works them.

The model knows a strategy by its own id alone: its create request carries none of ours, its fills come under the ids of
orders that nobody here has sent, and no stream tells of its state.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from executor.domain.algo import AlgoKind, NewAlgo
from executor.domain.commands import PlaceAlgo, QueryAlgo, StopAlgo
from executor.domain.events import (
    AlgoOrdersSeen,
    CancelAcked,
    CancelOutcomeUnknown,
    CancelRequested,
    EngineStarted,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderRejected,
    OrderUpdated,
    RearmRequested,
    VenueStatus,
)
from executor.domain.fills import Fill
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Liquidity, ResidualRule, StrategyParams
from executor.domain.units import ZERO
from executor.engine.state import live_algos, worst_case_qty
from tests.builders import submitted
from tests.engine.model_venue import ModelVenue, VenueOrder
from tests.engine.rig import Rig

D = Decimal
LIMITS = Limits(
    order_gap_s_min=D(1),
    orders_per_s_max=20,
    orders_per_min_max=1_000,
    orders_per_day_max=1_000_000,
    children_per_hour_max=100_000,
    children_per_parent_max=100_000,
    volatility_hourly_pct_max=D(50),
    amplification_max=D(1_000),
)
TIMINGS = Timings(
    absence_margin_s=3, recv_window_ms=2_000, query_gap_s=1, confirm_s=1, recancel_s=1, reconcile_s=10
)


@dataclass
class Strategy(VenueOrder):
    """A strategy at the venue; `created_ns` is when it came there."""

    algo: NewAlgo | None = None
    created_ns: int = 0
    order_ids: list[str] = field(default_factory=list)


class StrategyVenue(ModelVenue):
    """The model venue, which works strategies too. `foreign_links` gives their orders an id of the venue's making."""

    foreign_links = False

    def begin(self, command: PlaceAlgo, *, now_ns: int) -> Strategy:
        algo = command.approved.order
        name = algo.order.client_order_id
        assert name not in self.orders, "sent twice"
        entry = Strategy(
            order=algo.order, venue_order_id=f"s{len(self.orders) + 1}", algo=algo, created_ns=now_ns
        )
        self.orders[name] = entry
        return entry

    def tell(self, entry) -> None:
        if not isinstance(entry, Strategy):
            super().tell(entry)

    def strategies(self) -> list[Strategy]:
        return [entry for entry in self.orders.values() if isinstance(entry, Strategy)]

    def piece_fills(self, entry: Strategy, qty: Decimal, *, same_order: bool = False) -> None:
        """One order of a strategy executes; the stream tells of the execution and of nothing else."""
        qty = min(qty, entry.order.qty - entry.executed)
        if not entry.is_open or qty <= 0:
            return
        if not (same_order and entry.order_ids):
            entry.order_ids.append(f"{entry.venue_order_id}-o{len(entry.order_ids) + 1}")
        self.executions += 1
        execution = Fill(
            category=entry.order.category,
            symbol=entry.order.symbol,
            exec_id=f"e{self.executions}",
            client_order_id=f"venue-{entry.order_ids[-1]}" if self.foreign_links else "",
            venue_order_id=entry.order_ids[-1],
            side=entry.order.side,
            last_qty=qty,
            last_px=entry.order.px,
            fee=D("0.01"),
            fee_coin="",
            liquidity=Liquidity.TAKER,
            ts_exchange_ns=1,
        )
        entry.executions.append(execution)
        entry.executed += qty
        entry.version += 1
        if entry.executed == entry.order.qty:
            entry.status = VenueStatus.FILLED
        else:
            entry.status = VenueStatus.PARTIALLY_FILLED
        self.mail.append(OrderFilled(at_ns=0, fill=execution))

    def find(self, command: QueryAlgo) -> Strategy | None:
        for entry in self.strategies():
            if command.strategy_id:
                if entry.venue_order_id == command.strategy_id:
                    return entry
            elif (
                entry.venue_order_id not in command.not_ids
                and command.since_ns <= entry.created_ns <= command.until_ns
            ):
                mine, asked = entry.algo, command.algo
                if (mine.order.qty, mine.order.side, mine.terms) == (
                    asked.order.qty,
                    asked.order.side,
                    asked.terms,
                ):
                    return entry
        return None

    def answer_algo(self, command: QueryAlgo, *, now_ns: int) -> list:
        entry = self.find(command)
        name = command.algo.order.client_order_id
        if entry is None:
            return [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=now_ns)]
        shown = replace(
            self.update_of(entry), client_order_id=name, px=command.algo.order.px, asked_ns=now_ns
        )
        seen = AlgoOrdersSeen(
            at_ns=0,
            client_order_id=name,
            strategy_id=entry.venue_order_id,
            venue_order_ids=tuple(entry.order_ids),
        )
        return [seen, shown]

    def stop(self, command: StopAlgo) -> bool:
        for entry in self.strategies():
            if entry.venue_order_id == command.strategy_id and entry.is_open:
                self.end(entry)
                return True
        return False

    def answer_reconcile(self, command, *, now_ns: int) -> list:
        events = super().answer_reconcile(command, now_ns=now_ns)
        names = {entry.order.client_order_id for entry in self.strategies()}
        kept = [e for e in events if not (isinstance(e, OrderUpdated) and e.client_order_id in names)]
        done = kept[-1]
        open_ids = tuple(name for name in done.open_client_order_ids if name not in names)
        return [*kept[:-1], replace(done, open_client_order_ids=open_ids)]


class AlgoRig(Rig):
    """A rig in which the venue's strategy orders are switched on."""

    def __init__(self, *, on: bool = True, foreign_links: bool = False, **over) -> None:
        self.on = on
        super().__init__(limits=over.pop("limits", LIMITS), timings=over.pop("timings", TIMINGS), **over)
        opening = self.venue.opening
        self.venue = StrategyVenue()
        self.venue.opening = opening
        self.venue.foreign_links = foreign_links

    def send(self, event):
        if isinstance(event, EngineStarted):
            event = replace(event, venue_algorithms=self.on)
        commands = super().send(event)
        self.pending += [each for each in commands if isinstance(each, PlaceAlgo | StopAlgo | QueryAlgo)]
        return commands

    def answer(self, command) -> None:
        match command:
            case PlaceAlgo():
                entry = self.venue.begin(command, now_ns=self.now_ns)
                self.send(self.acked(entry))
            case StopAlgo():
                self.venue.stop(command)
                self.send(CancelAcked(at_ns=0, client_order_id=command.client_order_id))
            case QueryAlgo():
                for event in self.venue.answer_algo(command, now_ns=self.now_ns):
                    self.send(event)
            case _:
                super().answer(command)

    def acked(self, entry: Strategy) -> OrderAcked:
        return self.venue.acked(entry)

    def carry_out(self, command, fate: str) -> None:
        """Let one command meet a fate: answered, answered into the void, lost, late or refused."""
        if fate == "answer":
            self.answer(command)
            return
        match command:
            case PlaceAlgo():
                name = command.approved.order.order.client_order_id
                if fate == "refused":
                    self.send(
                        OrderRejected(at_ns=0, client_order_id=name, code=10001, text="no", fatal=False)
                    )
                    return
                if fate == "ack lost":
                    self.venue.begin(command, now_ns=self.now_ns)
                self.send(OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=fate))
            case StopAlgo():
                if fate == "ack lost":
                    self.venue.stop(command)
                name = command.client_order_id
                self.send(CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=fate))
            case QueryAlgo():
                name = command.algo.order.client_order_id
                self.send(OrderQueryFailed(at_ns=0, client_order_id=name, detail=fate))
            case _:
                super().answer(command)

    def strategy(self, number: int = -1) -> Strategy:
        return self.venue.strategies()[number]

    def submit(self, strategy: str = "venue-twap", **over):
        usual = dict(strategy=strategy, duration_s=600, residual=ResidualRule.LEAVE, order_qty=D("0.6"))
        params = {
            "venue-twap": StrategyParams(interval_s=30),
            "venue-iceberg": StrategyParams(interval_s=30, display_qty=D("0.1")),
            "venue-pov": StrategyParams(interval_s=30, participation=D("0.05")),
        }
        if strategy == "venue-pov":
            usual["duration_s"] = 1_200
        self.send(submitted(**{**usual, "params": params[strategy], **over}))
        return self.last_reply()

    def at_work(self, strategy: str = "venue-twap", **over):
        """An open market and a parent whose strategy order is at work."""
        self.open_market()
        self.submit(strategy, **over)
        self.run(2)
        return self.parent()

    def run(self, seconds: int, volume: str = "50") -> None:
        for _ in range(seconds):
            self.settle()
            self.tick(1, volume=volume)
        self.settle()


def check_strategies(rig: AlgoRig) -> None:
    """What must hold after every step, held fills included."""
    state = rig.engine.state
    for parent in state.parents.values():
        entries = [rig.venue.orders.get(name) for name in parent.children]
        committed = sum((entry.committed for entry in entries if entry), ZERO)
        assert committed <= parent.order.order_qty, "more is committed at the venue than the parent allows"
        assert worst_case_qty(state, parent) <= parent.order.order_qty
        assert parent.cum_qty == sum((state.children[name].cum_qty for name in parent.children), ZERO)
        if parent.is_final:
            assert not any(entry.is_open for entry in entries if entry), "ended with something at work"
    booked = ZERO
    for name, child in state.children.items():
        entry = rig.venue.orders.get(name)
        assert child.cum_qty <= (entry.executed if entry else ZERO)
        if entry is not None:
            assert child.cum_qty + child.open_qty >= entry.committed, (name, child.status)
        booked += child.order.side.sign * child.cum_qty
    waiting = sum((fill.side.sign * fill.last_qty for fill in state.unattributed.values()), ZERO)
    net = sum((ledger.net_qty for ledger in state.ledgers.values()), ZERO)
    assert net == booked + waiting


def heal(rig: AlgoRig, look=lambda: None) -> None:
    """Everything is answered, and everybody wants an end: then nothing may be open, lost or unexplained."""
    rig.streams_live()
    rig.open_market(warmup_s=1)
    for name in list(rig.engine.state.open_parents):
        rig.send(CancelRequested(at_ns=0, request_id="z", parent_id=name))
    for seconds in [1] * 8 + [60] * 20 + [1] * 3:
        rig.settle()
        look()
        rig.tick(seconds, volume="50")
        check_strategies(rig)
    rig.settle()
    # An iceberg has no end of its own: one that the venue never showed is let go by a person alone.
    unknown = live_algos(rig.engine.state)
    assert all(rig.engine.state.children[name].algo.kind is AlgoKind.ICEBERG for name in unknown), unknown
    rig.send(RearmRequested(at_ns=0, request_id="z", operator="o", reason="looked"))
    rig.settle()
    look()
    state = rig.engine.state
    for name, child in state.children.items():
        entry = rig.venue.orders.get(name)
        assert child.is_released, (name, child.status, child.detail)
        assert child.cum_qty == (entry.executed if entry else ZERO), name
    assert not state.unattributed
    assert not state.held
    assert not state.orphans
    assert not state.open_parents, [state.parents[name].detail for name in state.open_parents]
    assert not any(market.blocked for market in state.markets.values())
