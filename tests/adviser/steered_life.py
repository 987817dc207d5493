"""The life of one parent order under arbitrary advice: the engine's part in it, and what must hold at every instant.

No engine, venue or clock: a case says everything beforehand (the order, the band, which advice comes when, how much of
what is ordered fills), and the life is played from wake-up to wake-up until the schedule is over.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import cycle

from executor.advice.band import Directive, ahead_qty_max, behind_qty_max, style_of
from executor.advice.ruling import Clip, Standing, Stop, direct
from executor.advice.worst_case import may_switch, worst_case
from executor.domain.advice import Action, Advice
from executor.domain.advice_terms import Band
from executor.domain.decision import Style, View, Working
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO
from executor.engine.steering import steer, switched
from strategies.base import STRATEGIES
from strategies.placement import CROSS_CAP_BPS
from tests.builders import D, snapshot

BID, ASK = "50000.0", "50000.5"
PLAN_PX = D("49900")
SPREAD_BPS_MAX = D(20)
ASKED_AT_ONCE_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`advice`: what comes when, as a share of the duration, negative before the start; None is no usable answer.

    `fills`: filled shares of what is ordered, in turn; `late_ns`: how much later than asked the next look comes.
    `fallback`: schedule that takes over without a usable answer; `done_qty`: filled before the order was planned.
    """

    order: ParentOrder
    rules: Instrument
    band: Band
    advice: tuple[tuple[float, Advice | None], ...]
    fills: tuple[Decimal, ...]
    late_ns: tuple[int, ...] = (0,)
    fallback: str = ""
    done_qty: Decimal = ZERO

    @property
    def complete(self) -> bool:
        return set(self.fills) == {D(1)} and set(self.late_ns) == {0}


@dataclass(kw_only=True)
class Life:
    case: Case
    seen: Counter = field(default_factory=Counter)
    clips: Counter = field(default_factory=Counter)
    cum_qty: Decimal = ZERO
    open_qty: Decimal = ZERO
    directive: Directive | None = None
    switches: int = 0
    worst_ahead_pct: Decimal = ZERO
    worst_behind_pct: Decimal = ZERO
    changed: int = 0

    def play(self) -> None:
        case = self.case
        self.order = case.order
        self.schedule = STRATEGIES[self.order.strategy].plan(
            order=self.order,
            instrument=case.rules,
            reference_px=PLAN_PX,
            start_ns=self.order.start_ns,
            end_ns=self.order.deadline_ns,
            cum_qty=case.done_qty,
        )
        if not self.schedule.slices:
            self.seen["nothing planned"] += 1
            return
        self.first, self.cum_qty = self.schedule, case.done_qty
        self.told = self.worst()
        self.slice_no, self.slice_base_qty, self.working = -1, self.cum_qty, None
        self.fills, self.lateness = cycle(case.fills), cycle(case.late_ns)
        start_ns, end_ns = self.order.start_ns, self.order.deadline_ns
        due = [(start_ns + int((end_ns - start_ns) * share), advice) for share, advice in case.advice]
        now_ns = min([start_ns, *(at_ns for at_ns, _ in due)])
        while now_ns < end_ns:
            while due and due[0][0] <= now_ns:
                self.take(due.pop(0)[1], now_ns)
            wake_ns = self.work(now_ns) + next(self.lateness)
            now_ns = min(max(wake_ns, now_ns + NS_PER_MS), due[0][0] if due else end_ns)
            now_ns = max(now_ns, self.last_ns + 1)
        if case.complete:
            assert self.cum_qty == self.order.order_qty, (self.cum_qty, self.order.order_qty)
            self.seen["done"] += 1

    def worst(self):
        return worst_case(
            self.case.band,
            self.order,
            self.schedule,
            least_qty=self.case.rules.round_qty(min(self.cum_qty, self.schedule.base_qty)),
            switchable=may_switch(
                self.case.band,
                self.order.strategy,
                switches=self.switches,
                others=(self.case.fallback,),
            ),
            spread_bps=SPREAD_BPS_MAX,
            cross_cap_bps=CROSS_CAP_BPS,
            path_bps=D(0),
            bill_max=D(1),
        )

    def view(self, now_ns: int) -> View:
        index = self.schedule.slice_at(now_ns)
        if index != self.slice_no:
            self.slice_no, self.slice_base_qty = index, self.cum_qty
        return View(
            now_ns=now_ns,
            order=self.order,
            instrument=self.case.rules,
            market=snapshot(BID, ASK),
            schedule=self.schedule,
            cum_qty=self.cum_qty,
            slice_base_qty=self.slice_base_qty,
            working=self.working,
            cross_spread_bps_max=SPREAD_BPS_MAX,
            price_collar_bps_max=D(500),
        )

    def take(self, advice: Advice | None, now_ns: int) -> None:
        if advice is None:
            self.directive = None
            if self.case.fallback not in {"", self.order.strategy}:
                self.seen["fell back"] += self.switch(self.case.fallback, now_ns)
            return
        view = self.view(now_ns)
        ruling = direct(
            advice, self.case.band, Standing(view=view, directive=self.directive, switches=self.switches)
        )
        self.clips.update(ruling.clips)
        self.seen[advice.action] += 1
        assert (ruling.stop is not None) is (
            advice.action is Action.CANCEL and Clip.LOW_CONFIDENCE not in ruling.clips
        )
        if not self.case.band.cancel_allowed:
            assert ruling.stop is not Stop.CANCEL
        self.directive = ruling.directive
        if self.directive is None or self.directive.strategy is None:
            return
        if self.switch(self.directive.strategy, now_ns):
            self.switches += 1
            self.seen["switched"] += 1
            assert self.switches <= self.case.band.switches_max

    def switch(self, name: str, now_ns: int) -> bool:
        order = replace(self.order, strategy=name)
        plan = switched(self.view(now_ns), order, STRATEGIES[name])
        if plan is None:
            return False
        self.check_switch(plan, now_ns)
        self.check_moved(plan, now_ns)
        self.order, self.schedule, self.slice_no = order, plan, -1
        return True

    def check_switch(self, plan, now_ns) -> None:
        """The new plan takes over where the old one is; less only by a lag that the new slices could not make up."""
        old = self.schedule
        params, step = self.order.params, self.case.rules.qty_step
        times = params.catch_up_max if params.catch_up else D(1)
        start_qty, slice_qty = plan.base_qty, old.slices[old.slice_at(now_ns)].qty
        assert start_qty <= old.pro_rata_qty(now_ns)
        assert start_qty - self.cum_qty <= (times - 1) * (self.order.order_qty - start_qty)
        if self.case.complete:
            assert old.pro_rata_qty(now_ns) - start_qty <= slice_qty / 2 + step * (len(old.slices) + 1)

    def check_moved(self, plan, now_ns) -> None:
        """No switch moves the end or the total, or the schedule by more than was told with the first one."""
        first, told = self.first, self.told.switching
        ends = [(each.slices[-1].end_ns, each.slices[-1].target_qty) for each in (first, plan)]
        assert ends[0] == ends[1]
        assert told.moved_pct > 0
        turns = {now_ns, *(piece.end_ns for each in (first, plan) for piece in each.slices)}
        for at_ns in turns:  # between two turns both grow evenly
            if at_ns >= now_ns:
                moved_qty = abs(plan.pro_rata_qty(at_ns) - first.pro_rata_qty(at_ns))
                assert moved_qty * 100 / self.order.order_qty <= told.moved_pct

    def check_told(self, view, reach_qty, slice_qty) -> None:
        """What was told with the first schedule holds to the end, whatever was switched to."""
        told, whole_qty = self.told, self.order.order_qty
        due_qty = self.first.pro_rata_qty(view.now_ns)
        assert told.complete_ns == self.order.deadline_ns == self.schedule.slices[-1].end_ns
        assert slice_qty * 100 / whole_qty <= told.switching.slice_pct
        if slice_qty or told.switching.moved_pct:
            assert (reach_qty - due_qty) * 100 / whole_qty <= told.switching.ahead_pct
        if self.case.complete or told.switching.moved_pct:
            assert (due_qty - reach_qty) * 100 / whole_qty <= told.switching.behind_pct

    def work(self, now_ns: int) -> int:
        """Ask, check, fill, and ask again at once after a fill, as the engine does."""
        for _ in range(ASKED_AT_ONCE_MAX):
            self.last_ns = now_ns
            view = self.view(now_ns)
            decision, changed = steer(view, STRATEGIES[self.order.strategy], self.directive, self.case.band)
            self.check(view, decision, changed)
            self.open_qty = decision.qty
            self.working = None
            filled = self.case.rules.round_qty(self.open_qty * next(self.fills))
            self.cum_qty += filled
            self.open_qty -= filled
            if self.open_qty:
                self.working = Working(style=decision.style, px=decision.px, leaves_qty=self.open_qty)
            assert self.cum_qty + self.open_qty <= self.order.order_qty
            if not filled:
                break
        return decision.wake_ns

    def check(self, view, decision, changed) -> None:
        case, order, band, schedule = self.case, self.order, self.case.band, self.schedule
        plain = STRATEGIES[order.strategy].decide(view)
        if self.directive is None or view.now_ns >= self.directive.until_ns:
            assert (decision, changed) == (plain, False)
        start_ns, end_ns = order.start_ns, order.deadline_ns
        if (view.now_ns - start_ns) * 100 >= (end_ns - start_ns) * band.act_until_pct:
            assert decision.qty >= plain.qty
            assert plain.style is not Style.CROSS or decision.style is Style.CROSS
        self.changed += changed
        self.seen[decision.style] += 1
        self.seen[decision.why] += changed
        assert decision.wake_ns > view.now_ns or plain.wake_ns <= view.now_ns
        self.check_order(view, decision, plain)
        reach_qty = view.cum_qty + decision.qty
        assert reach_qty <= order.order_qty
        # A switch rounds the quantity that it carries over down to a step.
        due_qty, step = schedule.pro_rata_qty(view.now_ns), case.rules.qty_step
        slice_qty = max(piece.qty for piece in schedule.slices)
        ahead = reach_qty - due_qty
        assert ahead <= ahead_qty_max(band, order) + slice_qty or not decision.qty
        self.worst_ahead_pct = max(self.worst_ahead_pct, ahead * 100 / order.order_qty)
        self.check_told(view, reach_qty, decision.qty and decision.qty + view.cum_qty - view.slice_base_qty)
        worst = self.told if self.schedule is self.first else self.worst()
        if decision.qty:
            assert ahead * 100 / order.order_qty <= worst.ahead_pct + step * 100 / order.order_qty
        assert worst.complete_ns == order.deadline_ns
        if case.complete:
            behind = due_qty - reach_qty
            assert behind <= behind_qty_max(band, order) + slice_qty, (
                behind,
                behind_qty_max(band, order),
                slice_qty,
            )
            assert behind * 100 / order.order_qty <= worst.behind_pct
            self.worst_behind_pct = max(self.worst_behind_pct, behind * 100 / order.order_qty)

    def check_order(self, view, decision, plain) -> None:
        if decision.style is Style.WAIT:
            assert decision.qty == 0
            assert decision.px is None
            return
        order, band, schedule = self.order, self.case.band, self.schedule
        rules, sign = self.case.rules, self.order.side.sign
        assert decision.qty > 0
        assert rules.is_on_step(decision.qty)
        assert rules.is_on_tick(decision.px)
        assert decision.px > 0
        if order.limit_px is not None:
            assert sign * (decision.px - order.limit_px) <= 0
        far = view.market.far_touch(order.side)
        assert sign * (decision.px - far) * 10_000 <= CROSS_CAP_BPS * far
        if decision.style is Style.REST:
            assert sign * (decision.px - view.market.touch(order.side)) <= 0
        piece = schedule.slices[schedule.slice_at(view.now_ns)]
        done_qty = view.cum_qty - view.slice_base_qty
        most = band.slice_times_max * piece.qty - done_qty
        assert decision.qty <= max(most, plain.qty)
        worst = self.told if self.schedule is self.first else self.worst()
        assert decision.qty + done_qty <= worst.participation_times * piece.qty
        if self.directive is not None and style_of(self.directive, band, view) is Style.WAIT:
            raise AssertionError("something is wanted while the advice to wait binds")


def advice_of(action=Action.PASSIVE, **over):
    usual = dict(
        decision_id="P1-1",
        snapshot_hash="0" * 16,
        action=action,
        strategy=None,
        qty=None,
        order_kind=None,
        limit_px=None,
        rate=None,
        wait_s=None,
        confidence=D(1),
        impact_adjustment=D(1),
        reasoning="",
        risk_assessment="",
    )
    return Advice(**{**usual, **over})
