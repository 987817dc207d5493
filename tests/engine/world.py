"""Everything that can happen to an engine at work, one deed at a time: operators, market, wire, restarts.

A model venue holds the truth. Whoever chooses the deeds (Hypothesis, or a weighted random walk) checks the
invariants after each.
"""

from decimal import Decimal

from executor.domain.commands import CancelOrder, Outcome, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder
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
    ReplaceNotSent,
    ReplaceOutcomeUnknown,
    ReplaceRejected,
    ResumeRequested,
    Stream,
    VenueRestricted,
    VenueStatus,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category, Side, StrategyParams
from tests.builders import instrument, submitted
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


class World:
    def __init__(self, kind: str = "one-way") -> None:
        """`kind` is "one-way", "hedge" (the long position for buys, the short one for sells) or "inverse"."""
        self.kind = kind
        category = Category.INVERSE if kind == "inverse" else Category.LINEAR
        self.rig = Rig(
            limits=LIMITS,
            timings=TIMINGS,
            rules=instrument(category=category, min_notional=Decimal(0) if kind == "inverse" else Decimal(5)),
            position_idx=1 if kind == "hedge" else 0,
        )
        self.keys = 0
        self.late_creates: list[tuple[int, PlaceOrder]] = []
        self.late_amends: list[tuple[int, ReplaceOrder]] = []
        self.side = Side.BUY

    # ---------------------------------------------------------------- operators

    def submit(self, qty, duration_s, interval_s, passiveness, residual, catch_up, dust, spread_pct) -> str:
        self.keys += 1
        params = StrategyParams(
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
                category=self.rig.rules.category,
                side=self.side,
                position_idx={Side.BUY: 1, Side.SELL: 2}[self.side] if self.kind == "hedge" else 0,
                order_qty=qty + dust,
                duration_s=duration_s,
                residual=residual,
                extend_s=20,
                params=params,
            )
        )
        reply = self.rig.last_reply()
        return reply.parent_id if reply.outcome is Outcome.ACCEPTED else "P0"

    def pause(self, parent_id) -> None:
        self.rig.send(PauseRequested(at_ns=0, request_id="p", parent_id=parent_id))

    def resume(self, parent_id) -> None:
        self.rig.send(ResumeRequested(at_ns=0, request_id="p", parent_id=parent_id))

    def cancel(self, parent_id) -> None:
        self.rig.send(CancelRequested(at_ns=0, request_id="p", parent_id=parent_id))

    def amend(self, parent_id, qty, more_s, limit) -> None:
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

    def halt(self) -> None:
        self.rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))

    def rearm(self) -> None:
        self.rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))

    # ---------------------------------------------------------------- market, streams, process

    def time_passes(self, seconds, move) -> None:
        self.rig.tick(seconds, volume="50", move=str(move))

    def lose_book(self) -> None:
        self.rig.send(BookLost(at_ns=0, category=self.rig.rules.category, symbol="BTCUSDT", detail=""))

    def private_stream(self, live) -> None:
        self.rig.stream(Stream.PRIVATE, live=live)

    def trade_stream(self, live) -> None:
        self.rig.stream(Stream.TRADE, live=live)

    def restricted(self, seconds) -> None:
        until_ns = self.rig.now_ns + seconds * 1_000_000_000
        self.rig.send(VenueRestricted(at_ns=0, until_ns=until_ns, detail="maintenance"))

    def opinion_differs(self) -> None:
        self.rig.say("elsewhere", self.rig.mid * 2)

    def opinion_agrees(self) -> None:
        self.rig.say("elsewhere", self.rig.mid)

    def all_honest(self) -> None:
        self.rig.settle()

    def restart(self) -> None:
        self.rig.restart()

    # ---------------------------------------------------------------- the wire

    def carry_out(self, pick, fate) -> None:
        rig = self.rig
        if not rig.pending:
            return
        command = rig.pending.pop(pick % len(rig.pending))
        match command:
            case PlaceOrder():
                self._create(command, fate)
            case ReplaceOrder():
                self._replace(command, fate)
            case CancelOrder():
                self._cancel(command, fate)
            case QueryOrder():
                if fate in {"lost", "refused", "ack lost"}:
                    rig.send(OrderQueryFailed(at_ns=0, client_order_id=command.client_order_id, detail=fate))
                else:
                    rig.answer(command)
            case Reconcile():
                if fate in {"lost", "refused", "ack lost"}:
                    rig.send(
                        ReconcileFailed(at_ns=0, category=command.category, asked_ns=rig.now_ns, detail=fate)
                    )
                else:
                    rig.answer(command)

    def _create(self, command, fate) -> None:
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

    def _replace(self, command, fate) -> None:
        rig = self.rig
        name = command.approved.order.client_order_id
        unknown = ReplaceOutcomeUnknown(at_ns=0, client_order_id=name, detail=fate)
        match fate:
            case "answer":
                rig.answer(command)
            case "ack lost":
                rig.venue.amend(command)
                rig.send(unknown)
            case "late":
                self.late_amends.append((rig.now_ns, command))
                rig.send(unknown)
            case "lost":
                rig.send(unknown)
            case "refused" if self.keys % 2:
                rig.send(ReplaceNotSent(at_ns=0, client_order_id=name, detail=fate))
            case _:
                rig.send(
                    ReplaceRejected(at_ns=0, client_order_id=name, code=10006, text="too many", gone=False)
                )

    def late_amend_arrives(self) -> None:
        """Inside the venue's window it is taken; after it, refused: that is what makes the old terms provable."""
        if not self.late_amends:
            return
        sent_ns, command = self.late_amends.pop()
        if self.rig.now_ns - sent_ns < TIMINGS.recv_window_ms * 1_000_000:
            self.rig.venue.amend(command)

    def _cancel(self, command, fate) -> None:
        rig = self.rig
        unknown = CancelOutcomeUnknown(at_ns=0, client_order_id=command.client_order_id, detail=fate)
        if fate in {"lost", "refused"}:
            rig.send(unknown)
            return
        answer = rig.venue.answer_cancel(command, now_ns=rig.now_ns)
        rig.send(unknown if fate == "ack lost" else answer)

    def late_create_arrives(self) -> None:
        """Inside the venue's window it is accepted, after it refused: that is what makes absence provable."""
        if not self.late_creates:
            return
        sent_ns, command = self.late_creates.pop()
        if self.rig.now_ns - sent_ns < TIMINGS.recv_window_ms * 1_000_000:
            self.rig.venue.create(command, now_ns=self.rig.now_ns)

    def venue_fills(self, pick, qty, whole) -> None:
        open_orders = [entry for entry in self.rig.venue.orders.values() if entry.is_open]
        if open_orders:
            entry = open_orders[pick % len(open_orders)]
            self.rig.venue.fill(entry, entry.order.qty if whole else qty)

    def venue_ends(self, pick, status) -> None:
        open_orders = [entry for entry in self.rig.venue.orders.values() if entry.is_open]
        if open_orders:
            entry = open_orders[pick % len(open_orders)]
            if status is VenueStatus.REJECTED and entry.executed:
                status = VenueStatus.CANCELED
            self.rig.venue.end(entry, status)

    def mail_arrives(self, pick, fate) -> None:
        mail = self.rig.venue.mail
        if not mail:
            return
        event = mail[pick % len(mail)]
        if fate != "keep":
            mail.remove(event)
        if fate != "drop":
            self.rig.send(event)
        if fate == "twice":
            self.rig.send(event)
