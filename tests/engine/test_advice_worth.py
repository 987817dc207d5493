"""What following advice is counted as: periods by hand, both sides, coin, late fills, restarts; predicted impact."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from executor.advice.band import Directive
from executor.advice.score import USUAL_FILLS_MIN, CostSource, usual_cost
from executor.domain.advice import Action, AdviceOutcome
from executor.domain.advice_facts import ImpactFacts
from executor.domain.advice_terms import Band, Triggers
from executor.domain.decision import Schedule, Slice
from executor.domain.events import (
    AmendRequested,
    CancelRequested,
    InstrumentLoaded,
    PauseRequested,
    ResumeRequested,
)
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.engine import worth
from executor.engine.advice_record import leaned_bps
from executor.engine.desk import Desk
from executor.engine.question import question_facts
from executor.engine.state import AdviceState, EngineState, MarketState, ParentState
from executor.engine.viewing import view_of
from executor.runtime import record
from tests.advice_records import ADVISER
from tests.builders import T0, D, fill, instrument, parent_order, snapshot
from tests.engine.test_advice import TERMS
from tests.engine.test_advice import Desk as AdvisedDesk

CALM = replace(
    TERMS,
    triggers=Triggers(spread_times=D(99), volatility_times=D(99), schedule_pct=D(99), drought_s=9_999),
)
"""A model that is asked at intervals only."""
USD = dict(category=Category.INVERSE, symbol="BTCUSD", quote_coin="USD", qty_step=D(1), min_order_qty=D(1))


class Book:
    """One parent whose schedule has a tenth of a unit due in each second, and whoever keeps count of it."""

    def __init__(self, side=Side.BUY, category=Category.LINEAR, qty_per_s="0.1", parent_id="P1"):
        names = USD if category is Category.INVERSE else {}
        self.rules = instrument(**names)
        self.state = EngineState(now_ns=T0, adviser=ADVISER)
        qty = D(qty_per_s) * 100
        order = parent_order(
            parent_id=parent_id,
            side=side,
            category=category,
            symbol=self.rules.symbol,
            order_qty=qty,
            deadline_ns=T0 + 100 * NS_PER_S,
        )
        piece = Slice(start_ns=T0, end_ns=T0 + 100 * NS_PER_S, qty=qty, target_qty=qty)
        self.parent = ParentState(
            order=order,
            status=ParentStatus.ACTIVE,
            reason=Reason.STARTED,
            created_ns=T0,
            idempotency_key="k",
            body_sha256="b",
            decision_px=None,
            started_ns=T0,
            schedule=Schedule(base_qty=D(0), slices=(piece,), asked=1),
            advice=AdviceState(),
        )
        self.state.parents[parent_id] = self.parent
        self.state.open_parents.append(parent_id)
        self.key = self.parent.market_key
        self.state.markets[self.key] = MarketState(instrument=self.rules)
        self.fills = 0
        self.mid(0, "100")

    @property
    def advice(self):
        return self.parent.advice

    @property
    def score(self):
        return self.advice.worth.score

    def at(self, second):
        self.state.now_ns = T0 + int(D(second) * NS_PER_S)
        return Desk(self.state)

    def mid(self, second, px):
        desk = self.at(second)
        bid, ask = D(px) - D("0.1"), D(px) + D("0.1")
        self.state.markets[self.key].snapshot = snapshot(
            str(bid), str(ask), category=self.rules.category, symbol=self.rules.symbol
        )
        worth.on_mid(self.parent, D(px), desk.now_ns)
        worth.follow(desk, self.parent)

    def advise(self, second, name="P1-1", hold_s=60, cost="0.05"):
        desk = self.at(second)
        worth.charge(self.state, self.parent, D(cost))
        self.advice.directive = Directive(
            decision_id=name,
            action=Action.ACCELERATE,
            rate=D("1.5"),
            start_ns=desk.now_ns,
            until_ns=desk.now_ns + hold_s * NS_PER_S,
            offset_qty=D(0),
            child_qty_max=None,
            limit_px=None,
            style=None,
            strategy=None,
            impact_adjustment=D(1),
            confidence=D("0.9"),
        )
        worth.follow(desk, self.parent)

    def fill(self, second, qty, px, fee="0", mid="100"):
        self.fills += 1
        execution = fill(
            category=self.rules.category,
            symbol=self.rules.symbol,
            exec_id=f"e{self.fills}",
            side=self.parent.order.side,
            last_qty=D(qty),
            last_px=D(px),
            fee=D(fee),
            fee_coin=self.rules.quote_coin,
        )
        worth.on_fill(self.at(second), self.parent, execution, D(mid))
        self.parent.cum_qty += execution.last_qty
        self.parent.cum_notional += execution.notional
        self.parent.cum_coin_qty += execution.coin_qty

    def end(self, second, status=ParentStatus.COMPLETE):
        desk = self.at(second)
        self.parent.status = status
        worth.follow(desk, self.parent)


@pytest.mark.parametrize(("side", "value"), [(Side.BUY, "-1.65"), (Side.SELL, "1.35")])
def test_a_period_by_hand(side, value):
    """Due 1 at 100, 1 at 101, 1 at 102, together 303; traded 3 for 304.5, fees 0.1, bill 0.05: 303 - 304.5 - 0.15."""
    book = Book(side)
    book.advise(0, hold_s=30)
    book.mid(10, "101")
    book.fill(15, "3", "101.5", "0.1")
    book.mid(20, "102")
    book.mid(40, "105")
    assert book.advice.period is None
    assert book.score.value(D(0)) == D(value)
    assert (book.score.count, book.score.traded_sum, book.score.notional_sum) == (1, D("304.5"), D("304.5"))
    assert book.state.worths[book.key] == book.advice.worth


@pytest.mark.parametrize(("side", "value"), [(Side.BUY, "2.95"), (Side.SELL, "-3.05")])
def test_what_was_done_early_is_marked_where_the_schedule_takes_over(side, value):
    """Due 2 at 100; traded 5 for 500; the 3 more are worth 101 each: 200 - 500 + 303, less the bill."""
    book = Book(side)
    book.advise(0, hold_s=20)
    book.fill(5, "5", "100")
    book.mid(20, "101")
    assert book.score.value(D(0)) == D(value)


@pytest.mark.parametrize(("side", "gain"), [(Side.BUY, 50), (Side.SELL, -50)])
def test_inverse_contracts_by_hand(side, gain):
    """Due 100 at 100 and 100 at 200, 1.5 coin; all 200 were traded at 100, 2 coin: half a coin more, worth 50."""
    book = Book(side, Category.INVERSE, qty_per_s="10")
    book.advise(0, hold_s=20, cost="0.5")
    book.fill(5, "200", "100", fee="2")
    book.mid(10, "200")
    book.mid(20, "200")
    assert book.score.value(D(0)) == gain - D("2.5")
    assert (book.score.traded_sum, book.score.notional_sum) == (200, 200)


def test_a_fill_belongs_to_the_period_in_which_it_comes():
    """What fills after the end is the schedule's, and usual once the slice after that in force then is over."""
    book = Book()
    pieces = tuple(
        Slice(
            start_ns=T0 + number * 10 * NS_PER_S,
            end_ns=T0 + (number + 1) * 10 * NS_PER_S,
            qty=D(1),
            target_qty=D(number + 1),
        )
        for number in range(10)
    )
    book.parent.schedule = Schedule(base_qty=D(0), slices=pieces, asked=10)
    book.advise(0, hold_s=9)
    book.fill(12, "1", "100.1", "0.02")  # nothing else has happened since the end
    assert book.advice.period is None
    assert book.score.traded_sum == 0
    usual = book.advice.worth.usual
    assert usual.count == 0, "put off by advice"
    book.fill(20, "1", "100.1", "0.02")
    assert (usual.count, usual.cost_sum, usual.notional_sum) == (1, D("0.12"), D("100.1"))
    book.advise(22, "P1-2")
    book.fill(23, "1", "100.1", "0.02")
    assert book.advice.period.cum_qty == 1
    assert usual.count == 1


def test_another_directive_begins_another_period():
    book = Book()
    book.advise(0)
    book.advise(10, "P1-2")
    book.advise(20, "P1-2")  # an earlier advice that stands in: the same name, put into force again
    assert book.score.count == 2
    assert book.advice.period.start_ns == T0 + 20 * NS_PER_S
    assert book.score.value(D(0)) == D("-0.1"), "each with the bill of its own answer"
    assert book.advice.period.bill == D("0.05")


@pytest.mark.parametrize("status", [ParentStatus.PAUSED, ParentStatus.ADJUSTING, ParentStatus.CANCELED])
def test_what_is_not_at_work_is_in_no_period(status):
    book = Book()
    book.advise(0)
    book.end(10, status)
    assert book.advice.period is None
    assert book.score.notional_sum == 100


def test_what_is_due_ends_with_the_directive_and_with_the_schedule():
    book = Book()
    book.advise(0, hold_s=10)
    book.mid(50, "100")
    assert book.score.notional_sum == 100
    book.advise(80, hold_s=60)
    book.mid(120, "100")
    assert book.score.notional_sum == 300


def test_costs_of_silence_count_too():
    """An answer that came too late is paid for: by the next period that begins, or at the end of the parent."""
    book = Book()
    worth.charge(book.state, book.parent, D("0.3"))
    book.advise(0, hold_s=10)
    worth.charge(book.state, book.parent, D("0.1"))
    assert book.score.value(D(0)) == 0
    book.mid(10, "100")
    assert book.score.value(D(0)) + 100 == D("99.65")
    book.end(12)
    assert book.score.value(D(0)) == D("-0.45")
    worth.charge(book.state, book.parent, D("0.2"))
    assert book.score.value(D(0)) == D("-0.65"), "the parent is over: nothing else would take it"
    assert book.advice.bill == 0


def test_a_switch_of_the_schedule_is_measured_from_where_it_is():
    book = Book()
    book.advise(0)
    desk = book.at(10)
    worth.count_due(book.parent, desk.now_ns)
    rest = Slice(start_ns=desk.now_ns, end_ns=T0 + 100 * NS_PER_S, qty=D(9), target_qty=D(10))
    first = replace(rest, end_ns=T0 + 20 * NS_PER_S, qty=D(4), target_qty=D(5))
    last = replace(rest, start_ns=first.end_ns, qty=D(5))
    book.parent.schedule = Schedule(base_qty=D(1), slices=(first, last), asked=2)
    book.mid(20, "100")
    assert book.advice.period.schedule_qty == 5


def test_without_advice_nothing_is_counted():
    book = Book()
    book.parent.advice = None
    book.fill(1, "1", "100")
    book.mid(2, "101")
    worth.charge(book.state, book.parent, D(1))
    assert book.state.worths == {}


@settings(max_examples=60, deadline=None)
@given(
    side=some.sampled_from(Side),
    inverse=some.booleans(),
    cost_bps=some.integers(-5, 20),
    steps=some.lists(
        some.tuples(some.booleans(), some.integers(1, 5), some.integers(1, 40)), min_size=3, max_size=15
    ),
)
def test_advice_that_changes_nothing_is_worth_minus_its_bill(side, inverse, cost_bps, steps):
    """In a market that stands still, with every fill as dear as the schedule's: whatever is done ahead or behind."""
    category = Category.INVERSE if inverse else Category.LINEAR
    book = Book(side, category, qty_per_s="1000" if inverse else "0.1")
    # An inverse contract is priced in coin: of a seller's 1/p the same share must be missing that a buyer pays more.
    shift = D(cost_bps) / 10_000 * side.sign
    px = 100 / (1 - shift) if inverse else 100 * (1 + shift)
    for _ in range(USUAL_FILLS_MIN):
        book.fill("0.5", "10", px)
    second, bill = D(1), D(0)
    for number, (asks, gap_s, parts) in enumerate(steps):
        second += gap_s
        if asks:
            bill += D("0.01")
            book.advise(second, f"P1-{number}", hold_s=2, cost="0.01")
        book.fill(second, D(parts) * 10, px)
    book.end(second + 5)
    cost, source = usual_cost(book.advice.worth.usual, book.score)
    assert source is CostSource.MEASURED
    traded = book.score.traded_sum
    # The usual cost is rounded to 0.0001 bps, and is of the value paid, not of the mid.
    assert abs(book.score.value(cost) + bill) <= traded * (D("1e-8") + D(cost_bps) ** 2 / 10**8)


def predicted(book, desk, estimate="4", low="2", high="8", adjusted="6"):
    view = view_of(desk, book.parent)
    facts = question_facts(book.state, book.parent, view, ADVISER.band, "P1-1")
    told = ImpactFacts(estimate_bps=D(estimate), low_bps=D(low), high_bps=D(high))
    worth.predict(book.advice, replace(facts, impact=told), D(adjusted))


@pytest.mark.parametrize(
    ("side", "category", "realised", "inside"),
    [
        (Side.BUY, Category.LINEAR, 5, 1),
        (Side.SELL, Category.LINEAR, -5, 0),
        (Side.BUY, Category.INVERSE, D("4.9975"), 1),
    ],
)
def test_predicted_impact_is_held_against_the_mids_at_the_fills(side, category, realised, inside):
    """Half of it at the mid of the question, half at one that is 10 bps higher; the prices paid do not matter."""
    book = Book(side, category)
    predicted(book, book.at(0))
    book.fill(1, "5", "99", mid="100")
    predicted(book, book.at(2), estimate="400", adjusted="400")  # of an order's questions the first counts
    book.fill(3, "5", "123", mid="100.1")
    book.end(4)
    told = book.advice.prediction
    assert told.realised_bps.quantize(D("0.0001")) == realised
    plain, adjusted = book.advice.worth.plain, book.advice.worth.adjusted
    assert (plain.count, plain.ranged, plain.inside) == (1, 1, inside)
    assert (plain.predicted_sum, adjusted.predicted_sum) == (4, 6)
    assert plain.realised_sum == adjusted.realised_sum == told.realised_bps
    book.end(5)
    assert plain.count == 1
    assert book.state.worths[book.key].plain == plain


@pytest.mark.parametrize(
    ("factor", "leaned"), [("1", "4"), ("1.5", "6"), ("2", "8"), ("0.5", "2"), ("3", "8"), ("0.1", "2")]
)
def test_an_opinion_leans_an_estimate_within_its_range(factor, leaned):
    told = ImpactFacts(estimate_bps=D(4), low_bps=D(2), high_bps=D(8))
    assert leaned_bps(told, D(factor)) == D(leaned)
    assert leaned_bps(ImpactFacts(), D(factor)) is None


def test_an_order_that_was_not_completed_says_nothing_about_an_estimate():
    book = Book()
    predicted(book, book.at(0))
    book.fill(1, "5", "100")
    book.end(2, ParentStatus.CANCELED)
    assert book.advice.prediction.realised_bps is None
    assert book.advice.worth.plain.count == 0


def advised_life(desk):
    """A life with answers and one failure; yields between its steps."""
    for count, action in enumerate(("ACCELERATE", "AGGRESSIVE", None, "DECELERATE", "PASSIVE"), start=1):
        request = desk.until_asked(count)
        if action is None:
            desk.fail(request)
        else:
            desk.advise(request, desk.reply(request, action=action, impact_adjustment="1.5"))
        for number in range(12):
            desk.tick(1, move="3" if number % 3 else "-7")
            desk.settle()
            for entry in tuple(desk.venue.orders.values()):
                desk.venue.fill(entry, D("0.03"))
            desk.settle()
        yield count


def test_periods_of_an_engine_at_work():
    desk = AdvisedDesk(CALM)
    for _ in advised_life(desk):
        pass
    score = desk.advice.worth.score
    assert score.count == 3, "the fifth lasts, the third had no answer"
    assert desk.advice.outcomes == {AdviceOutcome.APPLIED: 4, AdviceOutcome.FAILED: 1}
    bills = desk.engine.state.spend.parents["P1"].cost
    desk.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    desk.settle()
    assert desk.parent.status is ParentStatus.CANCELED
    assert (score.count, desk.advice.period, desk.advice.bill) == (4, None, 0)
    assert score.traded_sum + desk.advice.worth.usual.notional_sum == desk.parent.cum_notional
    assert 0 < bills < abs(score.value_sum)
    assert desk.engine.state.worths["linear:BTCUSDT"].score == score


def test_counting_goes_on_after_a_checkpoint_in_the_middle_of_a_period():
    """The state read back counts on to the same bytes."""
    whole, broken = AdvisedDesk(CALM), AdvisedDesk(CALM)
    for count, _ in zip(advised_life(whole), advised_life(broken), strict=True):
        assert (broken.advice.period is None) is (count == 3), broken.advice.period
        broken.engine.state = record.decode_state(record.encode_state(broken.engine.state))
    assert record.encode_state(broken.engine.state) == record.encode_state(whole.engine.state)


def test_a_state_from_before_anything_was_counted_is_read():
    """A checkpoint without these fields loads; counting begins with the next directive."""
    desk = AdvisedDesk(CALM)
    life = advised_life(desk)
    next(life)
    state = json.loads(record.encode_state(desk.engine.state))
    del state["worths"]
    for name in ("worst", "period", "bill", "prediction", "worth"):
        del state["parents"]["P1"]["advice"][name]
    desk.engine.state = record.decode_state(json.dumps(state).encode())
    assert (desk.advice.worth.score.count, desk.advice.worst) == (0, None)
    next(life)
    assert desk.advice.period is not None
    assert desk.advice.directive is not None


def test_after_a_restart_the_time_between_is_nobodys():
    """However long it was, while what was advised would still have held."""
    at_once, later = AdvisedDesk(CALM), AdvisedDesk(CALM)
    for desk, gap_s in ((at_once, 0), (later, 100)):
        next(advised_life(desk))
        assert desk.advice.period.schedule_qty > 0
        desk.now_ns += gap_s * NS_PER_S
        assert desk.now_ns < desk.advice.period.until_ns
        desk.restart()
        assert desk.advice.period is None
    assert later.advice.worth.score.count == 1
    assert later.advice.worth.score == at_once.advice.worth.score


def test_an_answer_that_a_restart_has_cost_is_on_the_bill_of_its_parent():
    desk = AdvisedDesk(CALM)
    desk.until_asked()
    worst_cost = desk.engine.state.spend.reserved["P1-1"].worst_cost
    desk.restart()
    assert desk.advice.bill == worst_cost > 0
    desk.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    desk.settle()
    assert desk.parent.status is ParentStatus.CANCELED
    for counted in (desk.advice.worth, desk.engine.state.worths["linear:BTCUSDT"]):
        assert counted.score.value(D(0)) == -worst_cost


def other_rules(desk):
    """The venue changes its rules: the schedule is made anew."""
    desk.rules = replace(desk.rules, max_order_qty=desk.rules.max_order_qty * 2)
    desk.send(InstrumentLoaded(at_ns=0, instrument=desk.rules))


def other_schedule(desk):
    """The next answer switches the schedule."""
    request = desk.asked()[1]
    desk.advise(request, desk.reply(request, action="SWITCH_STRATEGY", strategy="arrival-price"))


def fallen_back(desk):
    """There is no answer: the fallback takes over."""
    desk.fail(desk.asked()[1])


@pytest.mark.parametrize("change", [other_rules, other_schedule, fallen_back])
def test_what_was_due_until_another_schedule_took_over_was_due_by_the_old_one(change):
    """Between two mids, so that nothing else has counted it."""
    desk = AdvisedDesk(replace(CALM, fallback="vwap"))
    first = desk.until_asked()
    desk.advise(first, desk.reply(first, rate="1.5"))
    desk.until_asked(2)
    period, old = desk.advice.period, desk.parent.schedule
    due_qty, at_ns = period.schedule_qty, period.at_ns
    desk.now_ns += NS_PER_S // 2
    change(desk)
    assert desk.parent.schedule != old
    more_qty = old.pro_rata_qty(desk.now_ns) - old.pro_rata_qty(at_ns)
    assert period.schedule_qty == due_qty + more_qty > due_qty


def test_a_pause_ends_a_period_and_going_on_begins_one():
    desk = AdvisedDesk(CALM)
    next(advised_life(desk))
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    desk.settle()
    assert desk.advice.period is None
    desk.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    assert desk.advice.period is not None


def test_the_worst_case_is_told_with_the_first_schedule_and_before_any_question():
    desk = AdvisedDesk(CALM)
    desk.until_asked()
    kinds = [type(command).__name__ for command in desk.log]
    codes = [getattr(command, "code", None) for command in desk.log]
    assert codes.index("ADVICE_BOUNDED") < kinds.index("RequestAdvice")
    worst = desk.advice.worst
    # 20 slices of 5 % each, and 10 % of the band.
    assert (worst.ahead_pct, worst.behind_pct, worst.participation_times) == (15, 15, 2)
    assert (worst.crossing_bps, worst.bill_max) == (30, TERMS.caps.parent_cost_max)
    assert worst.complete_ns == desk.parent.order.deadline_ns
    assert worst.timing_bps is not None
    assert (desk.advice.bounded_ns, desk.advice.bounds_before) == (desk.parent.schedule.slices[0].start_ns, 0)
    told = next(command for command in desk.log if getattr(command, "code", None) == "ADVICE_BOUNDED")
    assert "15.0 % ahead of its schedule or 15.0 % behind, one slice included" in told.detail
    # The band lets advice switch the schedule: then nothing less than the whole order is a bound.
    switching = worst.switching
    assert (switching.moved_pct, switching.ahead_pct, switching.behind_pct, switching.slice_pct) == (100,) * 4
    assert "by switching the schedule, which keeps its end, it moves that by up to 100.0 %" in told.detail


def bounds_told(desk):
    return [each.detail for each in desk.log if getattr(each, "code", None) == "ADVICE_BOUNDED"]


def test_nothing_is_said_of_switches_where_nothing_may_switch():
    desk = AdvisedDesk(replace(CALM, band=Band(strategies=("twap",)), fallback="twap"))
    desk.until_asked()
    worst = desk.advice.worst
    assert (worst.switching.moved_pct, worst.switching.ahead_pct) == (0, worst.ahead_pct)
    assert worst.switching.slice_pct == 10, "twice a slice of 5 %"
    assert bounds_told(desk)[0].endswith("nothing may switch the schedule")


def test_the_bounds_know_how_many_switches_are_left():
    band = Band(strategies=("twap", "vwap", "arrival-price"), switches_max=1)
    desk = AdvisedDesk(replace(CALM, band=band))
    first = desk.until_asked()
    assert desk.advice.worst.switching.moved_pct == 100
    desk.advise(first, desk.reply(first, action="SWITCH_STRATEGY", strategy="arrival-price"))
    assert desk.parent.order.strategy == "arrival-price"
    assert desk.advice.worst.switching.moved_pct == 0
    assert len(bounds_told(desk)) == 2


def test_other_terms_have_other_bounds_before_anybody_is_asked_by_them():
    desk = AdvisedDesk(CALM)
    desk.until_asked()
    desk.restart()
    assert len(bounds_told(desk)) == 1, "the same terms"
    desk.adviser = replace(CALM, band=Band(ahead_pct_max=D(30)))
    desk.restart()
    assert len(bounds_told(desk)) == 2
    worst = desk.advice.worst
    assert (worst.ahead_pct, worst.switching.moved_pct, worst.switching.ahead_pct) == (35, 0, 35)
    desk.limits = replace(desk.limits, cross_spread_bps_max=D(25))
    desk.restart()
    assert desk.advice.worst.crossing_bps == 35
    assert (len(bounds_told(desk)), desk.advice.bounds_before) == (3, 2)
    assert len(desk.asked()) == 1


def test_what_is_left_is_the_bound_of_a_plan_made_in_mid_life():
    desk = AdvisedDesk(CALM)
    next(advised_life(desk))
    assert desk.parent.cum_qty > 0
    other_rules(desk)
    left_pct = (desk.parent.order.order_qty - desk.parent.cum_qty) * 100 / desk.parent.order.order_qty
    assert desk.advice.worst.switching.moved_pct == left_pct < 100


def test_a_switch_that_was_advised_and_has_not_begun_is_reckoned_with():
    """The rules change while the order waits for its book: it is planned anew before it is switched."""
    band = Band(strategies=("twap", "vwap"), switches_max=1)
    desk = AdvisedDesk(replace(CALM, band=band))
    first = desk.until_asked()
    desk.advice.switches, desk.advice.switch_to = 1, "vwap"
    desk.advice.switch_until_ns = desk.now_ns + NS_PER_S
    other_rules(desk)
    anew, switched = bounds_told(desk)[-2:]
    assert "by switching the schedule" in anew
    assert "nothing may switch the schedule" in switched
    assert (first.facts.order.strategy, desk.parent.order.strategy) == ("twap", "vwap")


def test_the_worst_case_is_told_again_only_where_an_amendment_changes_it():
    desk = AdvisedDesk(CALM)
    desk.until_asked()
    first = desk.advice.worst
    amend = AmendRequested(
        at_ns=0, request_id="a", parent_id="P1", expected_version=None, order_qty=None, limit_px=None,
        clear_limit_px=False, deadline_ns=desk.now_ns + 2_400 * NS_PER_S, urgency=None, strategy=None, params=None,
    )  # fmt: skip
    desk.send(amend)
    for _ in range(10):
        desk.settle()
        desk.tick(1)
    assert desk.advice.worst != first
    assert desk.alerts().count("ADVICE_BOUNDED") == 2
    assert desk.advice.bounds_before == 1
    assert desk.advice.bounded_ns == desk.parent.schedule.slices[0].start_ns


def test_a_schedule_made_for_nobody_who_is_advised_has_no_worst_case():
    desk = AdvisedDesk(CALM, advised=False)
    desk.tick(1)
    assert desk.parent.schedule is not None
    assert desk.advice is None
    assert "ADVICE_BOUNDED" not in desk.alerts()
