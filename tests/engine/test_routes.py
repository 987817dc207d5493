"""Routed orders: where quantity goes, how it moves, what operators may ask, and that a kill loses nothing."""

from dataclasses import replace
from itertools import pairwise

import pytest

from executor.domain.commands import CancelOrder, Outcome, PlaceOrder, RefuseOrder, ReplaceOrder, Reply
from executor.domain.errors import InvariantViolation
from executor.domain.events import (
    AmendRequested,
    BasketVerb,
    BookUpdated,
    CancelRequested,
    HaltRequested,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderOutcomeUnknown,
    OrderRejected,
    RearmRequested,
    RouteAmended,
    RouteSteered,
    Stream,
    StreamChanged,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.engine import routes
from executor.engine.exposure import open_exposure
from executor.engine.route_legs import check_within_route, open_parent
from executor.runtime import record
from tests.builders import D, instrument, snapshot, submitted
from tests.engine.two_markets import PERP, SPOT, TwoMarkets, leg, no_route_is_over_granted, routed

LIMITS = dict(
    order_gap_s_min=D(1), orders_per_s_max=20, orders_per_min_max=1_000, volatility_hourly_pct_max=D(50)
)


def open_rig(**limits):
    rig = TwoMarkets(limits=Limits(**(LIMITS | limits)))
    rig.open_market()
    return rig


def run(rig, seconds, *, fills=True, name="R1"):
    """Let time pass while everything is answered, and looked at after every second."""
    for _ in range(seconds):
        rig.settle()
        if fills:
            rig.fills()
        no_route_is_over_granted(rig.engine.state, rig.venue)
        if rig.route(name).is_final:
            return
        rig.tick(1, volume="50")


def steer(rig, verb):
    rig.send(RouteSteered(at_ns=0, request_id="s", route_id="R1", verb=verb))
    return rig.last_reply().outcome, rig.last_reply().code


def amend(rig, **changes):
    rig.send(RouteAmended(at_ns=0, request_id="a", route_id="R1", **changes))
    return rig.last_reply().outcome, rig.last_reply().code


def legs_of(rig):
    return [open_parent(rig.engine.state, each) for each in rig.route().legs]


def test_everything_goes_where_it_is_cheapest_and_follows_when_that_changes():
    rig = open_rig()
    rig.basis = D(-20)
    rig.tick(1)
    rig.send(routed())
    run(rig, 10)
    assert rig.filled() == (0, D("0.4"))
    rig.basis = D(30)
    run(rig, 60)
    route = rig.route()
    assert (route.status, route.reason) == (ParentStatus.COMPLETE, Reason.ALL_FILLED)
    assert rig.filled() == (D("0.8"), D("0.4"))
    assert [rig.parent(name).status for each in route.legs for name in each.parents] == [
        ParentStatus.COMPLETE,
        ParentStatus.COMPLETE,
    ]


def test_a_lower_fee_draws_the_order_to_the_dearer_price():
    rig = open_rig()
    rig.basis = D(5)
    rig.tick(1)
    rig.send(routed(legs=(leg(Category.LINEAR, fee="10"), leg(Category.SPOT, fee="1"))))
    run(rig, 70)
    assert rig.filled() == (0, D("1.2"))


def test_both_books_are_taken_when_one_does_not_display_enough():
    """Two units are displayed at each touch and three are wanted at once."""
    rig = open_rig(participation_pct_max=D(100), child_notional_max=D(10**6))
    rig.send(routed(order_qty=D(3), params=StrategyParams(interval_s=60, passiveness=D(0))))
    run(rig, 5, fills=False)
    assert sorted(rig.granted()) == [1, 2]
    run(rig, 70)
    assert sum(rig.filled()) == 3


def test_the_levels_behind_the_touch_decide_where_they_are_told():
    """Three units are wanted; the perpetual displays two at the touch and plenty right behind it, spot is dearer."""
    rig = open_rig(participation_pct_max=D(100), child_notional_max=D(10**6))
    rig.basis = D(20)
    rig.tick(1)
    market = rig.engine.state.markets[PERP]
    deeper = ((market.snapshot.best_ask + 1, D(50)),)
    market.snapshot = replace(market.snapshot, deeper_asks=deeper)
    rig.send(routed(order_qty=D(3), params=StrategyParams(interval_s=60, passiveness=D(0))))
    assert rig.granted() == (3, 0)


def test_a_snapshot_of_before_there_were_levels_is_read():
    body = record.encode_event(BookUpdated(at_ns=1, market=snapshot(symbol="BTCUSDT")))
    older = body.replace(b',"deeper_bids":[],"deeper_asks":[]', b"")
    assert older != body
    assert record.decode_event("BookUpdated", older) == record.decode_event("BookUpdated", body)


def test_nothing_is_given_to_another_leg_before_it_is_taken_back_from_the_first():
    """The first leg's order rests and its cancel is not proved: the second leg gets nothing of what it could fill."""
    rig = open_rig()
    rig.basis = D(20)
    rig.tick(1)
    rig.send(routed())
    rig.settle()
    assert rig.granted() == (D("0.4"), 0)
    rig.basis = D(-50)
    rig.tick(3)
    assert [command for command in rig.pending if type(command).__name__ == "CancelOrder"]
    assert rig.granted() == (D("0.4"), 0), "asked to cancel, not cancelled"
    (entry,) = rig.venue.orders.values()
    rig.venue.fill(entry, D("0.1"))
    rig.settle()
    assert rig.filled() == (D("0.1"), 0)
    assert rig.granted() == (D("0.1"), D("0.3")), "what was filled meanwhile stays where it is"
    run(rig, 90)
    assert sum(rig.filled()) == D("1.2")


def test_an_order_of_unknown_fate_counts_as_done_and_its_leg_gets_nothing_more():
    rig = open_rig()
    rig.send(routed())
    (create,) = [command for command in rig.pending if isinstance(command, PlaceOrder)]
    rig.pending.clear()
    name = create.approved.order.client_order_id
    rig.send(OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="lost"))
    first = 0 if create.approved.order.category is Category.LINEAR else 1
    rig.send(
        StreamChanged(
            at_ns=0, stream=Stream.PUBLIC, category=create.approved.order.category, live=False, detail=""
        )
    )
    for _ in range(5):
        rig.pending.clear()
        rig.tick(1)
        assert rig.granted()[first] == D("0.4")
        assert rig.granted()[1 - first] == 0, "the slice is as good as done"
        no_route_is_over_granted(rig.engine.state, rig.venue)


def test_a_pause_that_a_person_must_end_stays_with_the_leg_until_then():
    """The account can not pay in one market: all is taken back, and nothing is tried there again by itself."""
    rig = open_rig()
    rig.basis = D(20)
    rig.tick(1)
    rig.send(routed())
    (create,) = [command for command in rig.pending if isinstance(command, PlaceOrder)]
    rig.pending.clear()
    name = create.approved.order.client_order_id
    rig.send(OrderRejected(at_ns=0, client_order_id=name, code=1, text="no", fatal=False, unfunded=True))
    assert rig.granted() == (D("0.4"), 0), "not taken back before the venue was asked once more"
    run(rig, 25)
    assert rig.route().legs[0].why_nothing == "PAUSED_INSUFFICIENT_FUNDS"
    assert rig.filled()[0] == 0
    assert rig.filled()[1] > 0
    assert steer(rig, BasketVerb.RESUME)[0] is Outcome.ACCEPTED
    run(rig, 60)
    assert rig.filled()[0] > 0
    assert sum(rig.filled()) == D("1.2")


def test_a_refused_order_that_fills_after_all_stops_everything_and_is_booked():
    """The belief was wrong: what was moved to the other leg has filled there already."""
    rig = open_rig()
    rig.basis = D(20)
    rig.tick(1)
    rig.send(routed(order_qty=D("0.3"), duration_s=20))
    (create,) = [command for command in rig.pending if isinstance(command, PlaceOrder)]
    rig.pending.clear()
    refused = rig.venue.create(create, now_ns=rig.now_ns)
    rig.venue.mail.clear()
    name = create.approved.order.client_order_id
    rig.send(OrderRejected(at_ns=0, client_order_id=name, code=1, text="no", fatal=False, unfunded=True))
    rig.pending.clear()
    rig.send(OrderAbsent(at_ns=0, client_order_id=name, asked_ns=rig.now_ns))
    for _ in range(8):
        rig.pending = [command for command in rig.pending if isinstance(command, PlaceOrder)]
        rig.settle()
        rig.tick(1, volume="50")
    assert rig.granted() == (0, D("0.3"))
    (other,) = [entry for entry in rig.venue.orders.values() if entry is not refused]
    rig.venue.fill(other, D("0.2"))
    rig.pending.clear()
    rig.settle()
    rig.venue.fill(refused, D("0.3"))
    rig.settle()
    assert rig.engine.state.latched
    assert sum(rig.filled()) == D("0.5")
    for _ in range(80):
        rig.settle()
        rig.tick(1)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.FAILED, Reason.OVER_FILLED)
    assert not rig.engine.state.open_routes


def test_a_leg_whose_stream_is_down_gets_nothing_and_the_other_does_all():
    rig = open_rig()
    rig.basis = D(-20)
    rig.tick(1)
    rig.send(routed())
    rig.settle()
    assert rig.granted() == (0, D("0.4"))
    rig.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=Category.SPOT, live=False, detail=""))
    run(rig, 5, fills=False)
    assert rig.route().legs[1].why_nothing == "PUBLIC_STREAM_DOWN"
    run(rig, 90)
    assert rig.filled() == (D("1.2"), 0)


def test_a_leg_whose_orders_are_refused_gets_nothing_for_longer_each_time_and_the_other_does_all():
    """The perpetual's largest order is below its smallest: whatever is asked for there is refused."""
    rig = open_rig()
    rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(max_order_qty=D("0.0001"))))
    rig.basis = D(20)
    rig.tick(1)
    rig.send(routed(order_qty=D("0.6")))
    run(rig, 120)
    assert rig.filled() == (0, D("0.6"))
    refusals = rig.commands(RefuseOrder)
    assert 2 <= len(refusals) <= 12, len(refusals)
    assert len(rig.engine.state.parents) < 10


def test_a_symbol_that_does_not_exist_is_no_leg_and_the_order_goes_on():
    rig = open_rig()
    rig.send(routed(legs=(leg(Category.LINEAR), leg(Category.SPOT, symbol="BTCUSDX"))))
    rig.send(InstrumentMissing(at_ns=0, category=Category.SPOT, symbol="BTCUSDX", detail="none"))
    run(rig, 90)
    assert rig.filled() == (D("1.2"), 0)
    assert rig.route().legs[1].why_nothing == "ENDED_INSTRUMENT_UNUSABLE"


def test_it_fails_when_no_leg_is_left():
    rig = open_rig()
    rig.send(routed())
    run(rig, 2, fills=False)
    for parent in legs_of(rig):
        if parent is not None:
            rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=parent.order.parent_id))
    run(rig, 3, fills=False)
    assert not rig.route().is_final, "the other leg goes on"
    for parent in legs_of(rig):
        if parent is not None:
            rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=parent.order.parent_id))
    run(rig, 3, fills=False)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.FAILED, Reason.OPERATOR)


def test_a_basis_beyond_its_bound_leaves_the_leg_out_until_it_is_back():
    rig = open_rig()
    rig.basis = D(-200)  # 40 basis points
    rig.tick(1)
    rig.send(routed(basis_bps_max=D(30)))
    run(rig, 15)
    assert rig.route().legs[1].why_nothing == "BASIS"
    assert rig.filled() == (D("0.4"), 0)
    rig.basis = D(-100)
    run(rig, 80)
    assert rig.filled() == (D("0.4"), D("0.8"))


def test_another_quote_coin_is_not_compared():
    rig = open_rig()
    rules = instrument(symbol="BTCUSDC", category=Category.SPOT, quote_coin="USDC")
    rig.spot_rules = rules
    rig.send(routed(legs=(leg(Category.LINEAR), leg(Category.SPOT, symbol="BTCUSDC"))))
    rig.send(InstrumentLoaded(at_ns=0, instrument=rules))
    run(rig, 90)
    assert rig.route().legs[1].why_nothing == "OTHER_COIN"
    assert rig.filled() == (D("1.2"), 0)


def test_what_is_below_every_legs_minimum_fails_with_words():
    rig = open_rig()
    rig.send(routed(order_qty=D("0.00001")))
    assert rig.last_reply().outcome is Outcome.INVALID
    fine = instrument(
        category=Category.SPOT, qty_step=D("0.000001"), min_order_qty=D("0.00001"), min_notional=D(0)
    )
    rig.spot_rules = fine
    rig.send(InstrumentLoaded(at_ns=0, instrument=fine))
    rig.send(routed(order_qty=D("0.00002")))
    run(rig, 90)
    assert rig.filled() == (0, D("0.00002")), "the leg with the finest steps can"


def test_an_odd_quantity_is_filled_to_the_last_step_of_the_finest_leg():
    rig = open_rig()
    rig.send(routed(order_qty=D("1.2345678")))
    run(rig, 120)
    assert rig.route().status is ParentStatus.COMPLETE
    assert D("1.2345678") - sum(rig.filled()) < D("0.0002"), "what is left is worth less than any venue takes"


@pytest.mark.parametrize(
    ("residual", "status"),
    [
        (ResidualRule.LEAVE, ParentStatus.EXPIRED),
        (ResidualRule.EXTEND, ParentStatus.COMPLETE),
        (ResidualRule.CROSS, ParentStatus.COMPLETE),
    ],
)
def test_the_rest_at_the_deadline(residual, status):
    """Nothing fills until the deadline, everything after it."""
    rig = open_rig()
    rig.send(routed(residual=residual, extend_s=40))
    run(rig, 59, fills=False)
    assert sum(rig.filled()) == 0
    rig.tick(1)
    run(rig, 75)
    assert rig.route().status is status
    assert sum(rig.filled()) == (0 if status is ParentStatus.EXPIRED else D("1.2"))
    assert not rig.engine.state.open_parents


def test_at_the_deadline_the_rest_goes_where_it_can_be_filled():
    rig = open_rig()
    rig.send(routed(residual=ResidualRule.CROSS))
    run(rig, 58, fills=False)
    rig.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=Category.LINEAR, live=False, detail=""))
    run(rig, 40)
    assert rig.filled() == (0, D("1.2"))


def test_pause_resume_and_cancel_act_on_every_leg_and_answer_once():
    rig = open_rig()
    rig.send(routed())
    rig.settle()
    before = len(rig.commands(Reply))
    assert steer(rig, BasketVerb.PAUSE) == (Outcome.ACCEPTED, "PAUSE")
    assert len(rig.commands(Reply)) == before + 1
    run(rig, 3, fills=False)
    assert all(parent is None or parent.status is ParentStatus.PAUSED for parent in legs_of(rig))
    assert steer(rig, BasketVerb.PAUSE)[0] is Outcome.REPEATED
    assert not any(entry.is_open for entry in rig.venue.orders.values())
    assert steer(rig, BasketVerb.RESUME) == (Outcome.ACCEPTED, "RESUME")
    assert steer(rig, BasketVerb.RESUME)[0] is Outcome.REPEATED
    run(rig, 5)
    filled = sum(rig.filled())
    assert filled > 0
    assert steer(rig, BasketVerb.CANCEL) == (Outcome.ACCEPTED, "CANCEL")
    run(rig, 5, fills=False)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.CANCELED, Reason.OPERATOR)
    assert sum(rig.filled()) == filled
    assert steer(rig, BasketVerb.CANCEL) == (Outcome.STATE, "ENDED")
    rig.send(RouteSteered(at_ns=0, request_id="s", route_id="R9", verb=BasketVerb.CANCEL))
    assert rig.last_reply().outcome is Outcome.NOT_FOUND


def test_a_paused_order_that_never_resumes_expires():
    rig = open_rig()
    rig.send(routed())
    steer(rig, BasketVerb.PAUSE)
    run(rig, 120)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.EXPIRED, Reason.DEADLINE)


def test_a_halt_pauses_it_and_a_person_resumes_it():
    rig = open_rig()
    rig.send(routed())
    run(rig, 2, fills=False)
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
    run(rig, 3, fills=False)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.PAUSED, Reason.HALTED)
    assert steer(rig, BasketVerb.RESUME)[0] is Outcome.LOCKED
    rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))
    sent = len(rig.commands(PlaceOrder))
    run(rig, 3)
    assert len(rig.commands(PlaceOrder)) == sent
    assert steer(rig, BasketVerb.RESUME)[0] is Outcome.ACCEPTED
    run(rig, 120)
    assert sum(rig.filled()) == D("1.2")


def test_it_is_made_larger_and_smaller_down_to_what_may_fill():
    rig = open_rig()
    rig.send(routed())
    rig.settle()
    assert amend(rig, order_qty=D("0.3")) == (Outcome.INVALID, "QTY"), "0.4 are at work"
    assert amend(rig, order_qty=D("0.4")) == (Outcome.ACCEPTED, "AMENDED")
    run(rig, 90)
    assert (rig.route().status, sum(rig.filled())) == (ParentStatus.COMPLETE, D("0.4"))
    rig.send(routed(idempotency_key="k2"))
    rig.settle()
    rig.send(RouteAmended(at_ns=0, request_id="a", route_id="R2", order_qty=D("1.5"), expected_version=1))
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    run(rig, 120, name="R2")
    assert sum(rig.filled("R2")) == D("1.5")
    rig.send(RouteAmended(at_ns=0, request_id="a", route_id="R2", order_qty=D("2")))
    assert rig.last_reply().code == "ENDED"


def test_limit_and_deadline_reach_every_leg():
    rig = open_rig()
    rig.send(routed())
    run(rig, 2, fills=False)
    assert amend(rig, limit_px=D(49_000), deadline_ns=rig.now_ns + 90 * 10**9)[0] is Outcome.ACCEPTED
    run(rig, 3, fills=False)
    assert [parent.order.limit_px for parent in legs_of(rig) if parent] == [D(49_000)]
    assert [parent.order.deadline_ns for parent in legs_of(rig) if parent] == [rig.route().order.deadline_ns]
    run(rig, 20)
    assert sum(rig.filled()) == 0, "the market is far beyond the limit"
    assert amend(rig, clear_limit_px=True)[0] is Outcome.ACCEPTED
    run(rig, 120)
    assert sum(rig.filled()) == D("1.2")
    assert rig.route().status is ParentStatus.COMPLETE


def test_amendments_that_mean_nothing_are_refused():
    rig = open_rig()
    rig.send(routed())
    rig.settle()
    assert amend(rig) == (Outcome.INVALID, "NOTHING")
    assert amend(rig, deadline_ns=rig.now_ns) == (Outcome.INVALID, "TIME")
    assert amend(rig, order_qty=D(2), expected_version=7) == (Outcome.VERSION, "VERSION")
    assert amend(rig, limit_px=D(49_000))[0] is Outcome.ACCEPTED
    assert amend(rig, limit_px=D(48_000)) == (Outcome.STATE, "ADJUSTING"), "the first is still being applied"


def test_a_leg_is_amended_only_with_the_whole():
    rig = open_rig()
    rig.send(routed())
    rig.settle()
    (parent,) = [each for each in legs_of(rig) if each]
    rig.send(
        AmendRequested(
            at_ns=0,
            request_id="a",
            parent_id=parent.order.parent_id,
            order_qty=D(5),
            limit_px=None,
            clear_limit_px=False,
            deadline_ns=None,
            urgency=None,
            strategy=None,
            params=None,
            expected_version=None,
        )
    )
    assert (rig.last_reply().outcome, rig.last_reply().code) == (Outcome.STATE, "LEG")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (dict(legs=(leg(Category.LINEAR),)), "ROUTE"),
        (dict(legs=(leg(Category.LINEAR), leg(Category.LINEAR))), "ROUTE"),
        (dict(legs=(leg(Category.LINEAR), leg(Category.INVERSE, symbol="BTCUSD"))), "ROUTE"),
        (dict(strategy="iceberg"), "ROUTE"),
        (dict(strategy="nonsense"), "ROUTE"),
        (dict(params=StrategyParams(display_qty=D(1))), "PARAMS"),
    ],
)
def test_what_can_not_be_routed_is_refused(change, code):
    rig = open_rig()
    rig.send(routed(**change))
    assert (rig.last_reply().outcome, rig.last_reply().code) == (Outcome.INVALID, code)
    assert not rig.engine.state.routes


def test_two_sides_of_one_market_never_meet():
    rig = open_rig()
    rig.send(submitted(side=Side.SELL))
    rig.send(routed())
    assert rig.last_reply().code == "OPPOSITE"
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.settle()
    rig.send(routed())
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.send(submitted(side=Side.SELL, category=Category.SPOT, idempotency_key="k3"))
    assert rig.last_reply().code == "OPPOSITE", "also where nothing is granted yet"


def test_the_same_key_is_the_same_order_also_after_a_restart():
    rig = open_rig()
    rig.send(routed())
    rig.send(routed())
    assert (rig.last_reply().outcome, rig.last_reply().parent_id) == (Outcome.REPEATED, "R1")
    rig.restart()
    rig.send(routed(body_sha256="other"))
    assert rig.last_reply().outcome is Outcome.CONFLICT
    assert list(rig.engine.state.routes) == ["R1"]


def test_limits_over_several_parents_count_it_once_and_in_every_market_it_could_reach():
    rig = open_rig(parents_gross_notional_max=D(70_000))
    rig.send(routed(order_qty=D("1.5")))
    assert rig.last_reply().code == "JOINT_LIMITS"
    rig.send(routed())
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    seen = set()
    for _ in range(60):
        rig.settle()
        rig.fills()
        found = open_exposure(rig.engine.state)
        seen.add(found.gross.quantize(D(1)))
        for name in (PERP, SPOT):
            assert found.reach.get((name, Side.BUY), D(0)) <= D(60_001)
        if rig.route().is_final:
            break
        rig.tick(1, volume="50")
    assert rig.route().is_final
    assert D(60_000) in seen
    assert max(seen) <= D(60_001), "what is granted and what is not is never counted twice"


def test_it_is_not_made_larger_beyond_a_limit():
    rig = open_rig(parents_gross_notional_max=D(70_000))
    rig.send(routed())
    assert amend(rig, order_qty=D("1.5")) == (Outcome.INVALID, "JOINT_LIMITS")
    assert amend(rig, order_qty=D("1.3"))[0] is Outcome.ACCEPTED


def test_one_accepted_without_a_price_is_looked_at_before_it_begins():
    rig = TwoMarkets(limits=Limits(**LIMITS, parents_gross_notional_max=D(50_000)))
    rig.send(routed())
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.open_market()
    run(rig, 20)
    assert (rig.route().status, rig.route().reason) == (ParentStatus.FAILED, Reason.BEYOND_LIMITS)
    assert "parents_gross_notional_max" in rig.route().detail
    assert not rig.engine.state.parents


def test_an_order_beyond_the_whole_is_never_approved():
    """The second of the two rooms in which the sum is asserted: the planner's."""
    rig = open_rig()
    rig.send(routed())
    rig.settle()
    (parent,) = [each for each in legs_of(rig) if each]
    check_within_route(rig.engine.state, parent, D("0.8"))
    with pytest.raises(InvariantViolation, match="R1"):
        check_within_route(rig.engine.state, parent, D("0.800001"))


def test_grants_beyond_the_whole_stop_everything(monkeypatch):
    """The first of the two rooms: were it forgotten that the first leg's order may fill, nothing is granted twice."""
    rig = open_rig()
    rig.basis = D(20)
    rig.tick(1)
    rig.send(routed(order_qty=D("0.4"), duration_s=20))
    rig.settle()
    assert rig.granted() == (D("0.4"), 0)
    monkeypatch.setattr(routes, "leg_worst_qty", lambda state, leg: D(0))
    rig.basis = D(-60)
    with pytest.raises(InvariantViolation, match="granted"):
        rig.tick(3)


# ---------------------------------------------------------------- a kill in the middle


class Killed(Exception):  # noqa: N818 - it is no error
    """The process ended here."""


def crossing_life(kill_at=None, *, carried_out=0, seen=None):
    """One life in which quantity is moved twice; at one event the process dies, with so many commands carried out."""
    rig = TwoMarkets(
        limits=Limits(**LIMITS), timings=Timings(absence_margin_s=1, recv_window_ms=1_000, query_gap_s=1)
    )
    rig.open_market()
    start = len(rig.journal)
    send, left = rig.send, [kill_at]

    def watched(event):
        before = len(rig.pending)
        commands = send(event)
        if seen is not None and "R1" in rig.engine.state.routes:
            works = any(isinstance(each, PlaceOrder | CancelOrder | ReplaceOrder) for each in commands)
            seen.append((len(rig.journal) - start, rig.granted(), works))
        if left[0] is not None and len(rig.journal) - start >= left[0]:
            left[0] = None
            del rig.pending[before + carried_out :]
            raise Killed
        return commands

    rig.send = watched
    script = [(D(-20), 4, False), (D(30), 6, False), (D(-40), 6, False), (D(30), 6, True), (D(-40), 60, True)]
    submitted_already = False
    for basis, seconds, fills in script:
        rig.basis = basis
        for _ in range(seconds):
            try:
                if not submitted_already:
                    rig.tick(1, volume="50")
                    submitted_already = True
                    rig.send(routed())
                rig.settle()
                if fills:
                    rig.fills()
                rig.tick(1, volume="50")
            except Killed:
                _come_back(rig)
            no_route_is_over_granted(rig.engine.state, rig.venue)
            if rig.route().is_final:
                return rig
    for _ in range(60):
        rig.settle()
        rig.fills()
        rig.tick(1, volume="50")
        no_route_is_over_granted(rig.engine.state, rig.venue)
    return rig


def _come_back(rig):
    """What was on its way to the venue may still arrive; answers on their way are lost."""
    kept = list(rig.pending)
    rig.venue.mail.clear()
    rig.pending.clear()
    rig.pending.extend(kept)
    for command in list(rig.pending):
        if isinstance(command, PlaceOrder):
            rig.venue.create(command, now_ns=rig.now_ns)
    rig.venue.mail.clear()
    state = record.encode_state(rig.engine.state)
    rig.restart()
    assert state
    rig.open_market(warmup_s=1)


def moments_that_matter():
    """Numbers of the events after which a leg's grant was another than before, or something was to be sent."""
    seen = []
    rig = crossing_life(seen=seen)
    assert rig.route().status is ParentStatus.COMPLETE
    moves = {at for (_, before, _), (at, after, _) in pairwise(seen) if before != after}
    assert len(moves) >= 3
    return sorted(moves | {at for at, _, works in seen if works})


def test_a_kill_at_any_move_of_a_grant_loses_and_doubles_nothing():
    """Killed after the event is written down, with none, or one, of its commands on the way."""
    for at in moments_that_matter():
        for carried_out in (0, 1):
            rig = crossing_life(at, carried_out=carried_out)
            route = rig.route()
            assert route.is_final, (at, carried_out, route.status)
            executed = sum((entry.executed for entry in rig.venue.orders.values()), D(0))
            assert sum(rig.filled()) == executed <= D("1.2"), (at, carried_out)
