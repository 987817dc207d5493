"""Baskets: all orders or none, once and never twice; and the limits over several parents, whatever comes first."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import Outcome, PlaceOrder, Reply
from executor.domain.events import (
    AmendRequested,
    BasketSteered,
    BasketSubmitted,
    BasketVerb,
    BookUpdated,
    CancelRequested,
    InstrumentLoaded,
)
from executor.domain.limits import Limits
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.engine.baskets import basket_refusals
from executor.engine.exposure import open_exposure
from executor.engine.own_volume import WINDOW_S, used_qty
from executor.runtime import record
from tests.builders import D, instrument, snapshot, submitted
from tests.engine.rig import Rig

ETH = dict(symbol="ETHUSDT")
OFF = dict(request_id="r", parent_id="P1", limit_px=None, clear_limit_px=False, deadline_ns=None)
UNCHANGED = OFF | dict(at_ns=0, urgency=None, strategy=None, params=None, expected_version=None)


def basket(*orders, key="b1", **over):
    rows = tuple(replace(order, idempotency_key=f"{key}-{at}") for at, order in enumerate(orders))
    usual = dict(at_ns=0, request_id="r1", idempotency_key=key, body_sha256="s", name="pair", orders=rows)
    return BasketSubmitted(**{**usual, **over})


def buy(qty, **over):
    return submitted(order_qty=D(qty), **over)


def sell(qty, **over):
    return submitted(order_qty=D(qty), side=Side.SELL, **over)


def open_rig(**limits):
    rig = Rig(limits=Limits(**limits))
    rig.open_market()
    show(rig, "ETHUSDT", 2_500)
    return rig


def show(rig, symbol, px):
    """Let a second symbol show its rules and a price."""
    rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(symbol=symbol)))
    rig.send(BookUpdated(at_ns=0, market=snapshot(str(px), f"{px}.1", symbol=symbol)))


def fill_all(rig):
    """Let everything fill that rests at the venue."""
    for entry in list(rig.venue.orders.values()):
        if entry.is_open:
            rig.venue.fill(entry, entry.order.qty - entry.executed)
    rig.settle()


def replied(rig):
    reply = rig.last_reply()
    return reply.outcome, reply.code


def test_a_basket_is_one_event_one_answer_and_a_parent_for_each_order():
    rig = open_rig()
    commands = rig.send(basket(buy("0.5"), sell("4", **ETH)))
    (answer,) = [command for command in commands if isinstance(command, Reply)]
    assert (answer.outcome, answer.parent_id) == (Outcome.ACCEPTED, "B1")
    state = rig.engine.state
    assert state.baskets["B1"].parents == ("P1", "P2") == tuple(state.open_parents)
    assert [state.parents[name].basket_id for name in ("P1", "P2")] == ["B1", "B1"]
    assert rig.kinds.count("BasketSubmitted") == 1


def test_the_same_basket_again_makes_nothing_and_another_under_its_key_is_refused():
    rig = open_rig()
    event = basket(buy("0.5"), sell("4", **ETH))
    rig.send(event)
    rig.send(event)
    assert rig.last_reply().parent_id == "B1"
    assert replied(rig) == (Outcome.REPEATED, "IDEMPOTENCY_KEY")
    rig.restart()
    rig.send(event)
    assert replied(rig) == (Outcome.REPEATED, "IDEMPOTENCY_KEY")
    rig.send(replace(event, body_sha256="other"))
    assert replied(rig) == (Outcome.CONFLICT, "IDEMPOTENCY_KEY")
    assert len(rig.engine.state.parents) == 2


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (buy("0.0001"), "QTY_MIN"),
        (buy("1", strategy="magic"), "STRATEGY"),
        (buy("1", position_idx=1), "POSITION_IDX"),
        (sell("1", **ETH), "OPPOSITE"),
    ],
)
def test_one_bad_order_keeps_all_out_and_each_reason_names_its_order(bad, code):
    rig = open_rig()
    event = basket(buy("4", **ETH), bad)
    before = record.encode_state(rig.engine.state)
    assert (1, code) in [(number, found) for number, _, found, _ in basket_refusals(rig.engine.state, event)]
    assert record.encode_state(rig.engine.state) == before, "looking changes nothing"
    rig.send(event)
    assert rig.last_reply().outcome is not Outcome.ACCEPTED
    assert f"order 2: {code}" in rig.last_reply().text
    assert not rig.engine.state.parents
    assert not rig.engine.state.baskets
    rig.send(basket(buy("4", **ETH), key="b1"))
    assert replied(rig)[0] is Outcome.ACCEPTED, "the key of what was refused is free"


def test_an_order_against_one_that_is_open_keeps_the_basket_out():
    rig = open_rig()
    rig.send(sell("1"))
    rig.send(basket(buy("0.5"), buy("4", **ETH)))
    assert replied(rig) == (Outcome.CONFLICT, "OPPOSITE")
    assert list(rig.engine.state.parents) == ["P1"]


def test_a_halted_engine_takes_no_basket_and_says_it_for_each_order():
    rig = open_rig()
    rig.engine.state.latched = True
    rig.send(basket(buy("0.5"), buy("4", **ETH)))
    assert replied(rig) == (Outcome.LOCKED, "HALTED")


def test_pause_resume_and_cancel_reach_every_parent_once():
    rig = open_rig()
    rig.send(basket(buy("0.5"), sell("4", **ETH)))

    def steer(verb, basket_id="B1"):
        commands = rig.send(BasketSteered(at_ns=0, request_id="q", basket_id=basket_id, verb=verb))
        (answer,) = [command for command in commands if isinstance(command, Reply)]
        rig.settle()
        return answer.outcome, {parent.status for parent in rig.engine.state.parents.values()}

    assert steer(BasketVerb.PAUSE) == (Outcome.ACCEPTED, {ParentStatus.PAUSED})
    assert steer(BasketVerb.PAUSE) == (Outcome.REPEATED, {ParentStatus.PAUSED})
    assert steer(BasketVerb.RESUME)[0] is Outcome.ACCEPTED
    assert steer(BasketVerb.RESUME)[0] is Outcome.REPEATED
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    assert steer(BasketVerb.CANCEL) == (Outcome.ACCEPTED, {ParentStatus.CANCELED})
    assert steer(BasketVerb.CANCEL) == (Outcome.REPEATED, {ParentStatus.CANCELED})
    assert steer(BasketVerb.CANCEL, "B9")[0] is Outcome.NOT_FOUND


def test_a_basket_of_journaled_events_replays_to_the_same_commands():
    rig = open_rig(parents_gross_notional_max=D(60_000))
    rig.send(basket(buy("0.5"), sell("4", **ETH), net_notional_max=D(30_000)))
    rig.send(BasketSteered(at_ns=0, request_id="q", basket_id="B1", verb=BasketVerb.PAUSE))
    again = Rig(limits=rig.limits)
    for kind, (event, commands) in zip(rig.kinds[1:], rig.journal[1:], strict=True):
        assert record.encode_commands(again.engine.on_event(record.decode_event(kind, event))) == commands
    assert record.encode_state(again.engine.state) == record.encode_state(rig.engine.state)


# ---------------------------------------------------------------- limits over several parents


@pytest.mark.parametrize(
    ("limits", "own", "accepted"),
    [
        ({}, {}, True),
        ({"parents_gross_notional_max": D(36_000)}, {}, True),
        ({"parents_gross_notional_max": D(34_000)}, {}, False),
        ({"parents_net_notional_max": D(26_000)}, {}, True),
        ({"parents_net_notional_max": D(24_000)}, {}, False),
        ({"symbol_net_notional_max": D(26_000)}, {}, True),
        ({"symbol_net_notional_max": D(24_000)}, {}, False),
        ({}, {"gross_notional_max": D(34_000)}, False),
        ({}, {"net_notional_max": D(24_000)}, False),
        ({}, {"net_notional_max": D(26_000), "gross_notional_max": D(36_000)}, True),
    ],
)
def test_each_limit_holds_for_a_basket_of_25000_bought_and_10000_sold(limits, own, accepted):
    rig = open_rig(**limits)
    rig.send(basket(buy("0.5"), sell("4", **ETH), **own))
    expected = (Outcome.ACCEPTED, "ACCEPTED") if accepted else (Outcome.INVALID, "JOINT_LIMITS")
    assert replied(rig) == expected
    name = next(iter({**limits, **own}), "")
    assert accepted or name in rig.last_reply().text


def test_single_orders_count_against_each_other_and_room_comes_back_at_the_end():
    rig = open_rig(parents_gross_notional_max=D(60_000))
    rig.send(buy("1"))
    rig.send(buy("0.5", idempotency_key="k2"))
    assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS")
    assert "limits.parents_gross_notional_max is 60000" in rig.last_reply().text
    rig.send(CancelRequested(at_ns=0, request_id="c", parent_id="P1"))
    rig.settle()
    rig.send(buy("0.5", idempotency_key="k3"))
    assert replied(rig)[0] is Outcome.ACCEPTED


def test_what_is_filled_of_an_open_order_still_counts():
    rig = open_rig(parents_gross_notional_max=D(60_000))
    rig.send(buy("1", duration_s=40))
    for _ in range(25):
        rig.tick(1)
        rig.settle()
    fill_all(rig)
    assert rig.parent().cum_qty > 0
    rig.send(buy("0.5", idempotency_key="k2"))
    assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS")


def test_an_order_is_made_larger_only_within_the_limits():
    rig = open_rig(parents_gross_notional_max=D(60_000))
    rig.send(buy("1"))
    rig.send(AmendRequested(order_qty=D("1.3"), **UNCHANGED))
    assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS")
    rig.send(AmendRequested(order_qty=D("1.1"), **UNCHANGED))
    assert replied(rig)[0] is Outcome.ACCEPTED
    rig.send(buy("0.15", idempotency_key="k2"))
    assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS"), "what was amended counts as it will be"


def test_what_only_leaves_a_position_is_under_no_limit():
    rig = Rig(limits=Limits(parents_gross_notional_max=D(1), symbol_net_notional_max=D(1)))
    rig.venue.opening = {("BTCUSDT", 0): D(3)}
    rig.open_market()
    rig.send(sell("3"))
    assert replied(rig)[0] is Outcome.ACCEPTED
    rig.send(sell("0.1", idempotency_key="k2"))
    assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS"), "this one would turn it"
    rig.send(sell("1", idempotency_key="k3", reduce_only=True))
    assert replied(rig)[0] is Outcome.ACCEPTED


def test_a_basket_whose_prices_come_later_begins_whole_or_fails_whole():
    for bound, status in ((D(36_000), ParentStatus.ACTIVE), (D(34_000), ParentStatus.FAILED)):
        rig = Rig(limits=Limits(parents_gross_notional_max=bound))
        rig.open_market()
        rig.send(basket(buy("0.5"), sell("4", **ETH)))
        assert replied(rig)[0] is Outcome.ACCEPTED
        rig.tick(1)
        assert rig.parent().waiting == ("BOOK_MISSING",), "the price of the other symbol is not known"
        assert not rig.commands(PlaceOrder)
        show(rig, "ETHUSDT", 2_500)
        rig.tick(1)
        assert rig.parent().status in {status, ParentStatus.EXECUTING} - (
            {ParentStatus.EXECUTING} if status is ParentStatus.FAILED else set()
        )
        if status is ParentStatus.FAILED:
            states = rig.engine.state.parents.values()
            assert {parent.reason for parent in states} == {Reason.BEYOND_LIMITS}
            assert not rig.commands(PlaceOrder)


_REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["BTCUSDT", "ETHUSDT"]),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 12),
        st.sampled_from(["alone", "basket", "amend", "cancel", "restart"]),
    ),
    min_size=4,
    max_size=20,
)


@given(_REQUESTS)
def test_no_order_of_requests_exceeds_a_limit(requests):
    limits = Limits(
        parents_gross_notional_max=D(70_000),
        parents_net_notional_max=D(45_000),
        symbol_net_notional_max=D(30_000),
    )
    rig = Rig(limits=limits)
    rig.open_market(warmup_s=2)
    show(rig, "ETHUSDT", 2_500)
    for number, (symbol, side, size, kind) in enumerate(requests):
        px = 50_000 if symbol == "BTCUSDT" else 2_500
        order = submitted(
            symbol=symbol,
            side=side,
            order_qty=D(size) * 2_000 / px,
            idempotency_key=f"k{number}",
            request_id=f"r{number}",
        )
        some = rig.engine.state.open_parents[:1]
        if kind == "alone":
            rig.send(order)
        elif kind == "basket":
            rig.send(basket(order, replace(order, order_qty=order.order_qty * 2), key=f"b{number}"))
        elif kind == "restart":
            rig.restart()
        elif some and kind == "amend":
            rig.send(AmendRequested(order_qty=order.order_qty, **UNCHANGED | {"parent_id": some[0]}))
        elif some:
            rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=some[0]))
            rig.settle()
        check(rig.engine.state, limits)


def check(state, limits):
    """The sums once more, from the orders themselves: nothing is held, so whole orders count."""
    px = {"BTCUSDT": D("50000.05"), "ETHUSDT": D("2500.05")}
    sums = {}
    for name in state.open_parents:
        parent = state.parents[name]
        asked = parent.pending.order_qty if parent.pending and parent.pending.order_qty else D(0)
        qty = max(parent.order.order_qty, asked)
        key = parent.order.symbol, parent.order.side
        sums[key] = sums.get(key, D(0)) + qty * px[parent.order.symbol]
    sides = [sum((v for (_, side), v in sums.items() if side is one), D(0)) for one in Side]
    assert sum(sides) <= limits.parents_gross_notional_max
    assert max(sides) <= limits.parents_net_notional_max
    assert max(sums.values(), default=D(0)) <= limits.symbol_net_notional_max
    found = open_exposure(state)
    assert abs(found.gross - sum(sides)) < D("0.0000001")


def test_the_same_walk_is_not_empty():
    """Of a seeded walk a good share is accepted and a good share refused for the limits."""
    random, counts = Random(3), {True: 0, False: 0}
    rig = open_rig(parents_gross_notional_max=D(70_000))
    for number in range(40):
        rig.send(buy(str(random.randint(1, 10) / 10), idempotency_key=f"k{number}"))
        if replied(rig)[0] is Outcome.ACCEPTED:
            counts[True] += 1
        else:
            assert replied(rig) == (Outcome.INVALID, "JOINT_LIMITS")
            counts[False] += 1
            oldest = rig.engine.state.open_parents[0]
            rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=oldest))
            rig.settle()
    assert min(counts.values()) >= 8


# ---------------------------------------------------------------- the share of all of a symbol's parents


def _worked(cap):
    """Two parents of one symbol side by side for a minute in a market of 5 a second; everything sent is filled."""
    rig = Rig(
        limits=Limits(
            symbol_participation_pct_max=cap,
            order_gap_s_min=D(1),
            orders_per_min_max=1000,
            child_notional_max=D(1_000_000),
            open_notional_max=D(5_000_000),
        )
    )
    rig.open_market(warmup_s=20)
    for key in ("a", "b"):
        rig.send(buy("50", idempotency_key=key, duration_s=60))
    most = D(0)
    for _ in range(60):
        rig.tick(1)
        rig.settle()
        most = max(most, used_qty(rig.engine.state, rig.parent().order))
        fill_all(rig)
    return rig, most


def test_all_parents_of_a_symbol_together_stay_within_their_share():
    cap = D(2)
    volume = D(5) * WINDOW_S
    _, free = _worked(None)
    assert free > cap * volume / 100, "without the limit they take more"
    rig, most = _worked(cap)
    assert D(0) < most <= cap * volume / 100
    assert sum(parent.cum_qty for parent in rig.engine.state.parents.values()) <= most


def test_own_volume_is_forgotten_after_its_window():
    rig, _ = _worked(D(2))
    order = rig.parent().order
    assert used_qty(rig.engine.state, order) > 0
    for name in ("P1", "P2"):
        rig.send(CancelRequested(at_ns=0, request_id="c", parent_id=name))
    rig.settle()
    rig.now_ns += (WINDOW_S + 11) * 1_000_000_000
    rig.book()
    assert used_qty(rig.engine.state, order) == 0
    assert order.category is Category.LINEAR
