"""Any order of acknowledgements, fills, cancels, rejects, losses, duplicates, restarts and operators' verbs.

A model venue holds the truth. After every step: nothing is over-committed, nothing is booked that did not
happen, every move is legal (an illegal one raises). After healing: every fill is booked, nothing unknown or
open is left, every parent has ended or says why not.
"""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from executor.domain.commands import CancelOrder, Outcome, PlaceOrder, QueryOrder, Reconcile
from executor.domain.events import (
    AmendRequested,
    BookLost,
    CancelOutcomeUnknown,
    CancelRequested,
    HaltRequested,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderRejected,
    PauseRequested,
    RearmRequested,
    ReconcileFailed,
    ResumeRequested,
    Stream,
    StreamChanged,
    VenueStatus,
)
from executor.domain.limits import Limits, Timings
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, ResidualRule, Side, TwapParams
from executor.domain.parent_state import ParentStatus
from executor.engine.state import worst_case_qty
from executor.runtime import record
from tests.builders import submitted
from tests.engine.rig import Rig

TIMINGS = Timings(
    absence_margin_s=3, recv_window_ms=2_000, query_gap_s=1, confirm_s=1, recancel_s=1, reconcile_s=10
)
LIMITS = Limits(
    order_gap_s_min=Decimal(1),
    orders_per_s_max=20,
    orders_per_min_max=1_000,
    children_per_hour_max=100_000,
    children_per_parent_max=100_000,
    volatility_hourly_pct_max=Decimal(50),
)
LOTS = st.integers(1, 400).map(lambda lots: lots * Decimal("0.001"))


class Histories(RuleBasedStateMachine):
    parents = Bundle("parents")

    def __init__(self):
        super().__init__()
        self.rig = Rig(limits=LIMITS, timings=TIMINGS)
        self.keys = 0
        self.late_creates = []
        self.side = Side.BUY

    @initialize(side=st.sampled_from(list(Side)), ready=st.booleans())
    def begin(self, side, ready):
        self.side = side
        if ready:
            self.rig.open_market()

    # ---------------------------------------------------------------- operators

    @rule(
        target=parents,
        qty=LOTS,
        duration_s=st.integers(5, 60),
        interval_s=st.integers(1, 20),
        passiveness=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]),
        residual=st.sampled_from(list(ResidualRule)),
        catch_up=st.booleans(),
        dust=st.sampled_from([Decimal(0), Decimal("0.0004")]),
        spread_pct=st.sampled_from([0, 30]),
    )
    def submit(self, qty, duration_s, interval_s, passiveness, residual, catch_up, dust, spread_pct):
        self.keys += 1
        params = TwapParams(
            interval_s=interval_s,
            passiveness=passiveness,
            catch_up=catch_up,
            randomize_size_pct=spread_pct,
            randomize_timing_pct=spread_pct,
        )
        self.rig.send(
            submitted(
                request_id=f"r{self.keys}",
                idempotency_key=f"k{self.keys}",
                side=self.side,
                order_qty=qty + dust,
                duration_s=duration_s,
                residual=residual,
                extend_s=20,
                params=params,
            )
        )
        reply = self.rig.last_reply()
        return reply.parent_id if reply.outcome is Outcome.ACCEPTED else "P0"

    @rule(parent_id=parents)
    def pause(self, parent_id):
        self.rig.send(PauseRequested(at_ns=0, request_id="p", parent_id=parent_id))

    @rule(parent_id=parents)
    def resume(self, parent_id):
        self.rig.send(ResumeRequested(at_ns=0, request_id="p", parent_id=parent_id))

    @rule(parent_id=parents)
    def cancel(self, parent_id):
        self.rig.send(CancelRequested(at_ns=0, request_id="p", parent_id=parent_id))

    @rule(
        parent_id=parents,
        qty=st.none() | LOTS,
        more_s=st.none() | st.integers(-10, 60),
        limit=st.none() | st.sampled_from([Decimal(49990), Decimal(50010)]),
    )
    def amend(self, parent_id, qty, more_s, limit):
        deadline = None if more_s is None else self.rig.now_ns + more_s * 1_000_000_000
        self.rig.send(
            AmendRequested(
                at_ns=0,
                request_id="a",
                parent_id=parent_id,
                order_qty=qty,
                limit_px=limit,
                clear_limit_px=False,
                deadline_ns=deadline,
                urgency=None,
                strategy=None,
                params=None,
                expected_version=None,
            )
        )

    @rule()
    def halt(self):
        self.rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))

    @rule()
    def rearm(self):
        self.rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))

    # ---------------------------------------------------------------- market and time

    @rule(seconds=st.sampled_from([0.2, 1, 3]), move=st.integers(-20, 20))
    def time_passes(self, seconds, move):
        self.rig.tick(seconds, volume="50", move=str(move))

    @rule()
    def lose_book(self):
        self.rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail=""))

    @rule(live=st.booleans())
    def private_stream(self, live):
        self.rig.send(StreamChanged(at_ns=0, stream=Stream.PRIVATE, live=live, detail=""))

    # ---------------------------------------------------------------- the wire

    @precondition(lambda self: self.rig.pending)
    @rule(
        pick=st.integers(0, 1_000),
        fate=st.sampled_from(["answer", "answer", "answer", "ack lost", "lost", "late", "refused"]),
    )
    def carry_out(self, pick, fate):
        rig = self.rig
        command = rig.pending.pop(pick % len(rig.pending))
        match command:
            case PlaceOrder():
                self._create(command, fate)
            case CancelOrder():
                if fate in {"lost", "refused"}:
                    answer = CancelOutcomeUnknown(
                        at_ns=0, client_order_id=command.client_order_id, detail=fate
                    )
                else:
                    answer = rig.venue.answer_cancel(command, now_ns=rig.now_ns)
                    if fate == "ack lost":
                        answer = CancelOutcomeUnknown(
                            at_ns=0, client_order_id=command.client_order_id, detail=""
                        )
                rig.send(answer)
            case QueryOrder():
                if fate in {"lost", "refused", "ack lost"}:
                    rig.send(OrderQueryFailed(at_ns=0, client_order_id=command.client_order_id, detail=fate))
                else:
                    rig.answer(command)
            case Reconcile():
                if fate in {"lost", "refused", "ack lost"}:
                    rig.send(ReconcileFailed(at_ns=0, category=command.category, detail=fate))
                else:
                    rig.answer(command)

    def _create(self, command, fate):
        rig = self.rig
        name = command.approved.order.client_order_id
        unknown = OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=fate)
        match fate:
            case "answer":
                rig.answer(command)
            case "ack lost":
                rig.venue.create(command, now_ns=rig.now_ns)
                rig.send(unknown)
            case "late":
                self.late_creates.append((rig.now_ns, command))
                rig.send(unknown)
            case "lost":
                rig.send(unknown)
            case _:
                rig.send(OrderRejected(at_ns=0, client_order_id=name, code=110007, text="", fatal=False))

    @precondition(lambda self: self.late_creates)
    @rule()
    def late_create_arrives(self):
        """Inside the venue's window it is accepted, after it refused: that is what makes absence provable."""
        sent_ns, command = self.late_creates.pop()
        if self.rig.now_ns - sent_ns < TIMINGS.recv_window_ms * 1_000_000:
            self.rig.venue.create(command, now_ns=self.rig.now_ns)

    @precondition(lambda self: self.rig.venue.orders)
    @rule(pick=st.integers(0, 1_000), qty=LOTS, whole=st.booleans())
    def venue_fills(self, pick, qty, whole):
        open_orders = [entry for entry in self.rig.venue.orders.values() if entry.is_open]
        if open_orders:
            entry = open_orders[pick % len(open_orders)]
            self.rig.venue.fill(entry, entry.order.qty if whole else qty)

    @precondition(lambda self: self.rig.venue.orders)
    @rule(pick=st.integers(0, 1_000), status=st.sampled_from([VenueStatus.CANCELED, VenueStatus.REJECTED]))
    def venue_ends(self, pick, status):
        open_orders = [entry for entry in self.rig.venue.orders.values() if entry.is_open]
        if open_orders:
            entry = open_orders[pick % len(open_orders)]
            if status is VenueStatus.REJECTED and entry.executed:
                status = VenueStatus.CANCELED
            self.rig.venue.end(entry, status)

    @precondition(lambda self: self.rig.venue.mail)
    @rule(pick=st.integers(0, 1_000), fate=st.sampled_from(["deliver", "deliver", "twice", "drop", "keep"]))
    def mail_arrives(self, pick, fate):
        mail = self.rig.venue.mail
        event = mail[pick % len(mail)]
        if fate != "keep":
            mail.remove(event)
        if fate != "drop":
            self.rig.send(event)
        if fate == "twice":
            self.rig.send(event)

    @rule()
    def all_honest(self):
        self.rig.settle()

    @rule()
    def restart(self):
        self.rig.restart()

    # ---------------------------------------------------------------- what must always hold

    @invariant()
    def nothing_is_over_committed(self):
        state = self.rig.engine.state
        committed: dict[str, Decimal] = {}
        for entry in self.rig.venue.orders.values():
            name = entry.order.parent_id
            committed[name] = committed.get(name, Decimal(0)) + entry.committed
        for parent in state.parents.values():
            bound = parent.order.order_qty
            assert committed.get(parent.order.parent_id, Decimal(0)) <= bound
            assert worst_case_qty(state, parent) <= bound
            assert parent.cum_qty == sum(
                (state.children[name].cum_qty for name in parent.children), Decimal(0)
            )
            reserved = sum((state.children[name].open_qty for name in parent.children), Decimal(0))
            assert parent.cum_qty + reserved <= bound

    @invariant()
    def nothing_is_invented(self):
        for child in self.rig.engine.state.children.values():
            entry = self.rig.venue.orders.get(child.order.client_order_id)
            assert child.cum_qty <= (entry.executed if entry else Decimal(0))

    @invariant()
    def what_may_be_open_is_reserved(self):
        for name, entry in self.rig.venue.orders.items():
            child = self.rig.engine.state.children[name]
            assert child.cum_qty + child.open_qty >= entry.committed, name

    @invariant()
    def final_means_nothing_is_open(self):
        state = self.rig.engine.state
        for parent in state.parents.values():
            assert parent.is_final == (parent.order.parent_id not in state.open_parents)
            if parent.status is ParentStatus.COMPLETE:
                assert parent.leaves_qty < Decimal("0.001")
            if parent.is_final:
                entries = [self.rig.venue.orders.get(name) for name in parent.children]
                assert not any(entry.is_open for entry in entries if entry)

    def teardown(self):
        """Heal: everything is answered honestly for two minutes; then nothing may be left unexplained."""
        rig = self.rig
        self.late_creates.clear()
        rig.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, live=True, detail=""))
        rig.send(StreamChanged(at_ns=0, stream=Stream.PRIVATE, live=True, detail=""))
        rig.open_market(warmup_s=1)
        for _ in range(60):
            rig.settle()
            rig.tick(3, volume="50")
        rig.settle()
        state = rig.engine.state
        for name, child in state.children.items():
            entry = rig.venue.orders.get(name)
            assert child.cum_qty == (entry.executed if entry else Decimal(0)), name
            assert child.status is not ChildStatus.UNKNOWN, name
        for parent in state.parents.values():
            assert parent.is_final, (parent.status, parent.reason, parent.goal)
            assert not parent.live
        self.nothing_is_over_committed()
        self.final_means_nothing_is_open()
        for body, commands in rig.journal:
            assert body
            assert commands
        assert record.encode_state(state) == record.encode_state(
            record.decode_state(record.encode_state(state))
        )


Histories.TestCase.settings = settings(stateful_step_count=40)
TestHistories = Histories.TestCase
