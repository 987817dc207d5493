"""Whether what an advised engine does is within what was promised: judged from events and commands alone.

Written apart from the rooms that hold the band, the budget and the gate, so that a mistake in one of them is not
repeated here. It keeps accounts of its own: fills and open orders, calls and money. Of the engine it reads the schedule
in force, where a parent stands, and the records of questions.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal

from executor.advice.facts import snapshot_hash
from executor.advice.worst_case import Switching
from executor.domain.advice import Action, AdviceOutcome, AdviceRecord
from executor.domain.commands import PlaceOrder, PublishMove, RefuseOrder, ReplaceOrder, RequestAdvice
from executor.domain.decision import Schedule, Style
from executor.domain.events import (
    AdviceFailed,
    AdviceReceived,
    EngineStarted,
    OrderFilled,
    OrderUpdated,
    ParentSubmitted,
    ReplaceAcked,
    ReplaceRejected,
    ResumeRequested,
    VenueStatus,
)
from executor.domain.orders import Category, ParentOrder, ResidualRule, TimeInForce
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.desk import Desk
from executor.engine.turns import turn_ns
from executor.engine.viewing import view_of
from strategies.base import STRATEGIES

GRACE_NS = 250 * NS_PER_MS
CROSS_CAP_BPS = Decimal(10)
HOUR_NS, DAY_NS = 3_600 * NS_PER_S, 86_400 * NS_PER_S
TOKENS_MAX = 100_000_000
KEYS = frozenset(
    {
        *("decision_id", "snapshot_hash", "reasoning", "risk_assessment", "action", "strategy", "quantity"),
        *("order_type", "limit_price", "rate", "wait_seconds", "confidence", "impact_adjustment"),
    }
)
UNANSWERED = {AdviceOutcome.LATE, AdviceOutcome.FAILED, AdviceOutcome.UNUSABLE}
FREE = {"UNREACHABLE", "RATE_LIMITED", "NOT_AUTHORISED", "NOT_ON_TAPE", "CROWDED", "UNWRITTEN"}


@dataclass(kw_only=True)
class OpenOrder:
    """One order as the venue may have it; `asked_qty` while an amendment is under way."""

    parent_id: str
    qty: Decimal
    px: Decimal
    cum_qty: Decimal = Decimal(0)
    asked_qty: Decimal | None = None
    asked_px: Decimal | None = None
    over: bool = False

    @property
    def left_qty(self) -> Decimal:
        return Decimal(0) if self.over else max(self.qty, self.asked_qty or self.qty) - self.cum_qty


@dataclass(kw_only=True)
class Watched:
    """One parent as it was handed in, and what the judge has counted of it."""

    order: ParentOrder
    cum_qty: Decimal = Decimal(0)
    sent_ns: int = 0
    schedule: Schedule | None = None
    strategy: str = ""
    first: Schedule | None = None
    told: Switching | None = None
    slice_no: int = -1
    slice_base_qty: Decimal = Decimal(0)
    slice_start_ns: int = 0
    switches: int = 0
    stopped: bool = False
    resumed: bool = False


@dataclass(kw_only=True)
class Call:
    """A request that is under way, or was and has not been heard of."""

    request: RequestAdvice
    asked_ns: int


@dataclass(kw_only=True)
class Judge:
    """Looks at every event of a floor and its commands; raises AssertionError at the first that breaks a promise."""

    seen: Counter = field(default_factory=Counter)
    parents: dict[str, Watched] = field(default_factory=dict)
    orders: dict[str, OpenOrder] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)
    sent_ns: list[int] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    waiting: dict[str, Call] = field(default_factory=dict)
    records: dict[str, AdviceRecord] = field(default_factory=dict)
    bills: Counter = field(default_factory=Counter)
    counts: Counter = field(default_factory=Counter)
    excess: Decimal = Decimal(0)
    judged: int = 0
    idle: int = 0

    def __call__(self, floor, event, commands) -> None:
        self.floor, self.state, self.now_ns = floor, floor.engine.state, floor.now_ns
        self.take(event, commands)
        self.look_at_slices()
        for record in floor.engine.touched.decisions:
            self.judge_record(record, event, commands)
        for command in commands:
            match command:
                case PlaceOrder():
                    self.judge_order(command.approved.order)
                case ReplaceOrder():
                    self.judge_amendment(command.approved.order)
                case RequestAdvice():
                    self.judge_question(command)
                case PublishMove():
                    self.judge_move(command, event)
                case _:
                    pass
        self.look_at_waiting(self.now_ns)

    def look_at_waiting(self, now_ns: int) -> None:
        """Whatever has happened or has not: a question beyond its deadline has its outcome."""
        for name, call in self.waiting.items():
            due_ns = call.asked_ns + call.request.within_ms * NS_PER_MS
            assert now_ns <= due_ns + GRACE_NS, (
                f"{name} has no outcome {now_ns - due_ns} ns after its deadline"
            )

    # ---------------------------------------------------------------- what happened

    def take(self, event, commands) -> None:
        match event:
            case OrderFilled() if event.fill.exec_id not in self.executions:
                self.executions.add(event.fill.exec_id)
                order = self.orders[event.fill.client_order_id]
                known = self.parents[order.parent_id]
                order.cum_qty += event.fill.last_qty
                known.cum_qty += event.fill.last_qty
                if known.sent_ns < known.slice_start_ns:  # it is of the slice for which its order was sent
                    known.slice_base_qty += event.fill.last_qty
            case OrderUpdated() if event.status not in {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED}:
                self.orders[event.client_order_id].over = True
            case ReplaceAcked() | ReplaceRejected():
                order = self.orders[event.client_order_id]
                if (
                    isinstance(event, ReplaceAcked)
                    and order.asked_qty is not None
                    and order.asked_px is not None
                ):
                    order.qty, order.px = order.asked_qty, order.asked_px
                order.asked_qty = order.asked_px = None
            case ParentSubmitted():
                for name, parent in self.state.parents.items():
                    self.parents.setdefault(name, Watched(order=parent.order))
            case AdviceReceived() | AdviceFailed():
                self.take_answer(event, commands)
            case ResumeRequested():
                self.parents[event.parent_id].resumed = True
            case EngineStarted():
                for call in self.calls.values():
                    self.charge(call, self.worst_cost())
                self.calls.clear()
            case _:
                pass

    def take_answer(self, event, commands) -> None:
        call = self.calls.pop(event.decision_id, None)
        if call is None:
            assert commands == (), "an answer that nobody waits for did something"
            self.idle += 1
            return
        if isinstance(event, AdviceFailed):
            cost = Decimal(0) if event.failure in FREE else self.worst_cost()
        else:
            self.judged += 1
            cost = self.cost_of(event)
        self.charge(call, cost)
        assert self.state.spend.parents[event.parent_id].cost == self.bills[event.parent_id]

    def look_at_slices(self) -> None:
        for name in self.state.open_parents:
            parent, known = self.state.parents[name], self.parents.get(name)
            if known is None or parent.schedule is None:
                continue
            if parent.schedule is not known.schedule and parent.schedule != known.schedule:
                same = known.strategy == parent.order.strategy
                if same and known.schedule is not None and is_revised(parent.schedule, known.schedule):
                    self.look_at_revision(parent, known)
                else:
                    self.look_at_plan(parent, known)
                    known.slice_no = -1
            known.schedule, known.strategy = parent.schedule, parent.order.strategy
            number = parent.schedule.slice_at(self.now_ns)
            if number != known.slice_no:
                known.slice_no, known.slice_base_qty = number, known.cum_qty
                known.slice_start_ns = parent.schedule.slices[number].start_ns if number >= 0 else 0

    def look_at_revision(self, parent, known: Watched) -> None:
        """What the market makes of a plan was told of before, comes as a slice begins, and leaves what was due."""
        plan, old = parent.schedule, known.schedule
        index = plan.slice_at(self.now_ns)
        assert known.sent_ns < plan.slices[max(index, 0)].start_ns, "in the middle of a slice"
        assert plan.slices[:index] == old.slices[:index]
        assert known.told.ahead_pct == known.told.behind_pct == known.told.slice_pct
        assert known.told.slice_pct * known.order.order_qty >= 100 * (known.order.order_qty - known.cum_qty)
        self.seen["revised"] += 1

    def look_at_plan(self, parent, known: Watched) -> None:
        """A plan covers the order exactly, and another one in mid-life neither takes back nor gives more time."""
        plan, old = parent.schedule, known.schedule
        assert (
            not plan.slices
            or plan.base_qty + sum(piece.qty for piece in plan.slices) == known.order.order_qty
        )
        if plan.slices and not parent.extended:
            assert plan.slices[-1].end_ns <= known.order.deadline_ns
        if old is None or parent.extended or known.resumed:
            known.resumed = (
                False  # a plan made anew, from what is filled: a person or the deadline has said so
            )
            known.first = plan
            known.told = parent.advice.worst.switching if plan.slices else None
            return
        known.switches += 1
        assert known.told.moved_pct > 0, "nothing was told of a switch"
        assert plan.slices[-1].end_ns == known.first.slices[-1].end_ns
        assert parent.advice.switches <= self.state.adviser.band.switches_max
        assert self.state.adviser.fallback or known.switches <= parent.advice.switches
        assert plan.base_qty <= scheduled_qty(old, self.now_ns)
        self.seen["switched"] += 1

    # ---------------------------------------------------------------- orders

    def judge_order(self, order) -> None:
        known = self.parents[order.parent_id]
        assert order.client_order_id not in self.orders, "sent twice"
        ours = known.order
        assert (order.side, order.category, order.symbol) == (ours.side, ours.category, ours.symbol)
        assert (order.position_idx, order.reduce_only) == (ours.position_idx, ours.reduce_only)
        assert not self.open_of(order.parent_id), "a second child beside the first"
        self.orders[order.client_order_id] = OpenOrder(parent_id=order.parent_id, qty=order.qty, px=order.px)
        self.judge_size(known, order.qty, order.qty, order.px)
        self.judge_price(known, order.px, takes=order.time_in_force is TimeInForce.IOC)
        self.judge_pace(known)
        self.judge_schedule(known, order.qty)
        self.seen[f"{order.time_in_force} {ours.side.name} {ours.category}"] += 1

    def judge_amendment(self, new) -> None:
        order, known = self.orders[new.client_order_id], self.parents[new.parent_id]
        ours = known.order
        assert order.parent_id == new.parent_id
        assert (new.side, new.category, new.symbol) == (ours.side, ours.category, ours.symbol)
        assert new.qty > order.cum_qty
        order.asked_qty, order.asked_px = new.qty, new.px
        self.judge_size(known, new.qty, new.qty - order.cum_qty, new.px)
        self.judge_price(known, new.px, takes=False)
        self.judge_pace(known)
        self.judge_schedule(known, new.qty - order.cum_qty)
        self.seen["amended"] += 1

    def open_of(self, parent_id: str) -> list[str]:
        found = []
        for name in self.state.parents[parent_id].children:
            order = self.orders.get(name)
            # One that was on its way when the process fell, and was proved never to have arrived.
            lost = name not in self.floor.venue.orders and self.state.children[name].is_final
            if order is not None and order.left_qty > 0 and not lost:
                found.append(name)
        return found

    def judge_size(self, known: Watched, total_qty: Decimal, open_qty: Decimal, px: Decimal) -> None:
        stall, limits, ours = self.stall(known), self.floor.limits, known.order
        rules = stall.rules
        assert total_qty > 0
        assert total_qty % rules.qty_step == 0
        assert rules.min_order_qty <= total_qty <= rules.max_order_qty
        value = total_qty if ours.category is Category.INVERSE else total_qty * px
        assert rules.min_notional <= value <= limits.child_notional_max
        expected_qty = stall.volume_per_s * ours.params.interval_s
        assert total_qty <= limits.participation_pct_max / 100 * expected_qty * Decimal("1.000001")
        committed = known.cum_qty + sum(self.orders[name].left_qty for name in self.open_of(ours.parent_id))
        assert committed <= ours.order_qty, f"{committed} of {ours.order_qty}"
        at_work = Decimal(0)
        for parent_id in self.state.open_parents:
            for name in self.open_of(parent_id):
                order = self.orders[name]
                coins = self.parents[parent_id].order.category is not Category.INVERSE
                at_work += order.left_qty * (max(order.px, order.asked_px or order.px) if coins else 1)
        assert at_work <= limits.open_notional_max

    def judge_price(self, known: Watched, px: Decimal, *, takes: bool) -> None:
        stall, limits, ours = self.stall(known), self.floor.limits, known.order
        sign = ours.side.sign
        assert px > 0
        assert px % stall.rules.tick_size == 0
        assert ours.limit_px is None or sign * (px - ours.limit_px) <= 0, "beyond the parent's limit"
        bid, ask = stall.shown
        near, far = (bid, ask) if sign > 0 else (ask, bid)
        mid = (near + far) / 2
        assert abs(px - mid) * 10_000 <= limits.price_collar_bps_max * mid
        if takes:
            assert (ask - bid) * 10_000 <= limits.cross_spread_bps_max * mid
            assert sign * (px - far) * 10_000 <= CROSS_CAP_BPS * far
        else:
            assert (
                sign * (px - near) <= 0 or self.state.parents[ours.parent_id].order.params.reprice_ticks > 0
            )

    def judge_pace(self, known: Watched) -> None:
        limits, now_ns = self.floor.limits, self.now_ns
        assert now_ns - known.sent_ns >= limits.order_gap_s_min * NS_PER_S
        known.sent_ns = now_ns
        self.sent_ns.append(now_ns)
        assert sum(at_ns > now_ns - NS_PER_S for at_ns in self.sent_ns[-200:]) <= limits.orders_per_s_max
        assert (
            sum(at_ns > now_ns - 60 * NS_PER_S for at_ns in self.sent_ns[-5_000:])
            <= limits.orders_per_min_max
        )

    def judge_schedule(self, known: Watched, open_qty: Decimal) -> None:
        """Not ahead of the schedule by more than the band and a slice, not too much of a slice, not after the end."""
        ours, parent, band = known.order, self.state.parents[known.order.parent_id], self.floor.terms.band
        late_ns = self.now_ns - ours.deadline_ns
        if late_ns >= 0:
            allowed_s = {
                ResidualRule.CROSS: self.floor.timings.residual_window_s,
                ResidualRule.EXTEND: ours.extend_s,
                ResidualRule.LEAVE: 0,
            }[ours.residual]
            assert late_ns < allowed_s * NS_PER_S, "an order after the end"
        plan = parent.schedule
        assert plan is not None
        if late_ns >= 0 or self.now_ns >= plan.slices[-1].end_ns:
            return
        reach_qty = known.cum_qty + open_qty
        slice_qty = max(piece.qty for piece in plan.slices)
        step = self.stall(known).rules.qty_step
        most = scheduled_qty(plan, self.now_ns) + band.ahead_pct_max * ours.order_qty / 100 + slice_qty
        assert reach_qty <= most + step * known.switches, f"{reach_qty} is ahead of {most}"
        ahead_qty = reach_qty - scheduled_qty(known.first, self.now_ns)
        assert ahead_qty * 100 / ours.order_qty <= known.told.ahead_pct, "ahead of what was told first"
        piece = plan.slices[plan.slice_at(self.now_ns)]
        times = max(band.slice_times_max, ours.params.catch_up_max if ours.params.catch_up else Decimal(1))
        done_qty = known.cum_qty - known.slice_base_qty
        assert (done_qty + open_qty) * 100 / ours.order_qty <= known.told.slice_pct
        assert done_qty + open_qty <= times * piece.qty, f"{done_qty} + {open_qty} in a slice of {piece.qty}"

    def behind(self, parent_id: str) -> Decimal | None:
        """How much further behind its schedule a parent is than it may be, if all that is ordered fills; else <= 0."""
        known, parent = self.parents[parent_id], self.state.parents[parent_id]
        plan, band = parent.schedule, self.floor.terms.band
        if plan is None or not parent.is_working or known.stopped or not plan.slices:
            return None
        open_qty = sum(self.orders[name].left_qty for name in self.open_of(parent_id))
        allowed = band.behind_pct_max * known.order.order_qty / 100 + max(piece.qty for piece in plan.slices)
        return scheduled_qty(plan, self.now_ns) - known.cum_qty - open_qty - allowed

    # ---------------------------------------------------------------- questions

    def judge_question(self, request: RequestAdvice) -> None:
        terms, name = self.floor.terms, request.decision_id
        known = self.parents[request.parent_id]
        assert name not in self.records
        assert name not in self.waiting
        assert not [each for each in self.waiting.values() if each.request.parent_id == request.parent_id]
        told = request.facts.order
        ours = known.order
        assert (told.side, told.symbol, told.category) == (ours.side, ours.symbol, ours.category)
        assert told.cum_qty == known.cum_qty
        assert 0 < request.within_ms <= terms.deadline_ms
        worst = self.worst_cost()
        reserved, of_parent = worst * len(self.calls), worst * self.calls_of(request.parent_id)
        self.calls[name] = self.waiting[name] = Call(request=request, asked_ns=self.now_ns)
        assert len(self.calls) <= terms.questions_max
        caps = terms.caps
        for scope, under_way, cost_max, calls_max in (
            (request.parent_id, of_parent, caps.parent_cost_max, caps.parent_calls_max),
            (f"hour {self.now_ns // HOUR_NS}", reserved, caps.hour_cost_max, caps.hour_calls_max),
            (f"day {self.now_ns // DAY_NS}", reserved, caps.day_cost_max, caps.day_calls_max),
        ):
            self.counts[scope] += 1
            assert self.counts[scope] <= calls_max, scope
            assert self.bills[scope] + under_way + worst <= cost_max, scope

    def judge_record(self, record: AdviceRecord, event, commands) -> None:
        name = record.decision_id
        before = self.records.get(name)
        if before is not None:
            late = replace(
                before,
                cost=record.cost,
                cost_at_most=record.cost_at_most,
                usage=record.usage,
                model=record.model,
                latency_ns=record.latency_ns,
            )
            assert record == late, f"{name} has a second outcome"
            self.seen["booked late"] += 1
            return
        self.records[name] = record
        call = self.waiting.pop(name, None)
        self.seen[record.outcome] += 1
        self.seen[record.reason] += 1
        self.seen.update(record.clips)
        assert record.decided_ns == self.now_ns
        if call is None:
            assert record.outcome is AdviceOutcome.NOT_ASKED
            advice = self.state.parents[record.parent_id].advice
            assert (advice.directive, advice.spare) == (None, None), "nobody is asked, and old advice goes on"
            assert "the schedule decides" in record.held, record
            self.judge_fallback(record, commands)
            return
        assert record.outcome is not AdviceOutcome.NOT_ASKED
        assert record.asked_ns == call.asked_ns
        assert record.decided_ns - record.asked_ns <= call.request.within_ms * NS_PER_MS + GRACE_NS
        advice = self.state.parents[record.parent_id].advice
        if record.outcome in UNANSWERED | {AdviceOutcome.WITHOUT_EFFECT}:
            assert advice.directive is None, record
        if record.outcome is AdviceOutcome.APPLIED:
            assert isinstance(event, AdviceReceived)
            self.judge_reply(call, event)
            assert record.confidence >= self.floor.terms.band.confidence_min
        if record.outcome in UNANSWERED:
            self.judge_fallback(record, commands)

    def judge_reply(self, call: Call, event: AdviceReceived) -> None:
        """What acts is one object with the keys that were asked for, each once, and repeats the question's identity."""

        def each_once(pairs):
            assert len(dict(pairs)) == len(pairs)
            assert set(dict(pairs)) == KEYS
            return dict(pairs)

        told = json.loads(event.raw.decode(), object_pairs_hook=each_once)
        assert (told["decision_id"], told["snapshot_hash"]) == (
            call.request.decision_id,
            snapshot_hash(call.request.facts),
        )
        assert {type(value) for value in told.values()} <= {str, type(None)}
        assert (event.model, event.refusal) == (self.floor.terms.model, "")
        assert event.finish_reason != "length"
        assert len(event.raw) <= 16_384
        assert self.now_ns < call.asked_ns + call.request.within_ms * NS_PER_MS

    def judge_fallback(self, record: AdviceRecord, commands) -> None:
        """What the schedule wants, and may be sent, is sent in the very event in which the question ended."""
        parent = self.state.parents[record.parent_id]
        view = view_of(Desk(self.state), parent)
        placed = [
            one
            for one in commands
            if isinstance(one, PlaceOrder) and one.approved.order.parent_id == record.parent_id
        ]
        refused = [
            one for one in commands if isinstance(one, RefuseOrder) and one.parent_id == record.parent_id
        ]
        if placed or refused:
            self.seen["fallback acted"] += 1
            return
        gap_ns = int(self.floor.limits.order_gap_s_min * NS_PER_S)
        early = self.now_ns < max(
            parent.retry_ns,
            parent.last_order_ns + gap_ns if parent.last_order_ns else 0,
            turn_ns(self.state, parent) if self.is_scarce() else 0,  # it may be somebody else's turn
        )
        if not parent.is_working or parent.live or parent.unread or early or view is None:
            return
        if self.now_ns < parent.order.deadline_ns:
            wish = STRATEGIES[parent.order.strategy].decide(view)
            assert wish.style is Style.WAIT, f"{record.decision_id}: nothing was placed, and {wish} is wanted"

    def is_scarce(self) -> bool:
        """Whether the orders of a second or a minute could be used up, if each open parent sent one."""
        limits, others = self.floor.limits, len(self.state.open_parents)
        return any(
            sum(at_ns > self.now_ns - span_s * NS_PER_S for at_ns in self.sent_ns[-5_000:]) + others
            > most // 2
            for span_s, most in ((1, limits.orders_per_s_max), (60, limits.orders_per_min_max))
        )

    def judge_move(self, move: PublishMove, event) -> None:
        """Only advice to cancel stops a parent by advice, and it ends one only where that is allowed."""
        allowed = self.floor.terms.band.cancel_allowed
        if move.target is ParentStatus.CANCELED:
            assert allowed
            assert move.reason is Reason.ADVICE
        elif move.reason is Reason.ADVICE:
            assert move.target is ParentStatus.PAUSED
            assert not allowed
            assert isinstance(event, AdviceReceived)
            assert self.floor.engine.touched.decisions[-1].action is Action.CANCEL
        if move.target is ParentStatus.PAUSED:
            self.parents[move.parent_id].stopped = True
            self.seen["paused"] += 1

    # ---------------------------------------------------------------- money

    def worst_cost(self) -> Decimal:
        terms = self.floor.terms
        prompt = (terms.prompt_bytes_max + 64) * max(terms.prices.prompt, terms.prices.cached)
        return (prompt + terms.tokens_max * terms.prices.completion) / 1_000_000

    def cost_of(self, event: AdviceReceived) -> Decimal:
        """By the server's count where it can be true, else a token for each byte."""
        prices, usage = self.floor.terms.prices, event.usage
        told = usage is not None and usage.reported
        prompt = usage.prompt_tokens if told else -1
        cached = usage.cached_tokens if told else 0
        completion = usage.completion_tokens if told else -1
        if prompt < (Decimal(event.prompt_bytes) / 16).to_integral_value(ROUND_CEILING):
            prompt, cached = event.prompt_bytes + 64, 0
        if completion < (Decimal(len(event.raw)) / 16).to_integral_value(ROUND_CEILING):
            completion = len(event.raw) + 64
        prompt, completion = min(prompt, TOKENS_MAX), min(completion, TOKENS_MAX)
        cached = min(max(cached, 0), prompt)
        total = (prompt - cached) * prices.prompt + cached * prices.cached + completion * prices.completion
        return total / 1_000_000

    def charge(self, call: Call, cost: Decimal) -> None:
        """Count what a call has cost, and by how much that is more than it can cost at an honest server."""
        self.excess += max(cost - self.worst_cost(), Decimal(0))
        hour, day = self.now_ns // HOUR_NS, self.now_ns // DAY_NS
        for scope in (call.request.parent_id, f"hour {hour}", f"day {day}"):
            self.bills[scope] += cost

    def calls_of(self, parent_id: str) -> int:
        return sum(call.request.parent_id == parent_id for call in self.calls.values())

    def final(self) -> None:
        """At the end: every question has its outcome, and the caps held but for calls that cost more than they can."""
        assert not self.waiting
        caps = self.floor.terms.caps
        spend = self.state.spend
        assert spend.hour_bill.cost == self.bills[f"hour {spend.hour}"]
        assert spend.day_bill.cost == self.bills[f"day {spend.day}"]
        for scope, cost in self.bills.items():
            kind = scope.split()[0]
            most = {"hour": caps.hour_cost_max, "day": caps.day_cost_max}.get(kind, caps.parent_cost_max)
            assert cost <= most + self.excess, scope
        for name, parent in self.state.parents.items():
            if parent.advice is not None:
                numbers = [int(one.rpartition("-")[2]) for one in self.records if one.startswith(f"{name}-")]
                assert sorted(numbers) == list(range(1, parent.advice.asked_no + 1))
                assert sum(parent.advice.outcomes.values()) == parent.advice.asked_no

    def stall(self, known: Watched):
        key = (known.order.category, known.order.symbol)
        return next(each for each in self.floor.stalls if (each.rules.category, each.rules.symbol) == key)


def is_revised(new: Schedule, old: Schedule) -> bool:
    """Whether a plan is another one with its slices divided anew: the same times, the same whole."""
    return bool(new.slices and old.slices) and (
        [(one.start_ns, one.end_ns) for one in new.slices]
        == [(one.start_ns, one.end_ns) for one in old.slices]
        and (new.base_qty, new.slices[-1].target_qty) == (old.base_qty, old.slices[-1].target_qty)
    )


def scheduled_qty(plan: Schedule, at_ns: int) -> Decimal:
    """Quantity that an even execution of a plan has at an instant, base units."""
    done = plan.base_qty
    for piece in plan.slices:
        if at_ns >= piece.end_ns:
            done += piece.qty
        elif at_ns > piece.start_ns:
            done += piece.qty * (at_ns - piece.start_ns) / (piece.end_ns - piece.start_ns)
    return done
