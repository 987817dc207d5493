"""The market's network without sockets: what is refused and told, and that nothing is lost unnoticed."""

from contextlib import suppress
from random import Random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backtest.market.network.allowance import Allowance
from backtest.market.network.identity import answer, is_answer
from backtest.market.network.messages import (
    BODY_BYTES_MAX,
    INTENTS_MAX,
    VERSION,
    Answered,
    AskMarket,
    AskState,
    Beat,
    Bye,
    Fault,
    Garbage,
    Hello,
    Leave,
    Market,
    Orders,
    Proof,
    Refused,
    State,
    Trades,
    Welcome,
    Why,
    number_of,
    read_down,
    read_public,
    read_up,
    write,
)
from backtest.market.network.sight import Noticed
from backtest.market.network.terms import HubTerms
from simulation.market.protocol import cancel, cancel_all, limit, market
from tests.backtest.market_wire import MS, TOKENS, Wire, make_floor

BUY, SELL = 1, -1


def read(frames):
    return number_of(frames), read_up(frames)


def order(*intents):
    return Orders(tuple(intents))


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    "message",
    [Hello(3), Proof(bytes(32)), order(limit(0, BUY, 5, 99)), AskState(7), AskMarket(0, 1), Beat(5), Leave()],
)
def test_what_is_written_is_read(message):
    frames = write(12, message)
    assert number_of(frames) == 12
    assert read_up(frames) == message


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([], Fault.FRAMES),
        ([b"x"] * 3, Fault.FRAMES),
        ([b"", b""], Fault.MAGIC),
        ([b"XX" + write(1, Beat(0))[0][2:], b""], Fault.MAGIC),
        ([b"XM" + (VERSION + 1).to_bytes(2, "big") + bytes(8), b""], Fault.VERSION),
        ([write(1, Beat(0))[0], bytes(BODY_BYTES_MAX + 1)], Fault.SIZE),
        ([write(1, Beat(0))[0], b"\xc1"], Fault.BODY),
        ([write(1, Beat(0))[0], write(1, Beat(0))[1] + b"\0"], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["beat", 1, 2])], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["beat", -1])], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["beat", 1.0])], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["beat", True])], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["bye", 1])], Fault.BODY),
        ([write(1, Beat(0))[0], msgspec.msgpack.encode(["orders", []])], Fault.BODY),
        (
            [write(1, Beat(0))[0], msgspec.msgpack.encode(["orders", [[0] * 7] * (INTENTS_MAX + 1)])],
            Fault.BODY,
        ),
        ([write(1, Beat(0))[0], b"\x91" * 5_000], Fault.BODY),
    ],
)
def test_garbage_is_named(frames, fault):
    with pytest.raises(Garbage) as caught:
        read(frames)
    assert caught.value.fault is fault


@given(st.lists(st.binary(max_size=300), max_size=4), st.booleans())
def test_any_bytes_are_a_message_or_garbage(frames, with_header):
    if with_header:
        frames = [write(1, Beat(0))[0], *frames[:1]]
    for some in (
        lambda: read(frames),
        lambda: read_down(frames),
        lambda: read_public(frames),
    ):
        with suppress(Garbage):  # and nothing else
            some()


# ---------------------------------------------------------------- who is who, and how much


def test_a_proof_is_good_for_one_seat_and_one_question():
    proof = answer(TOKENS[1], 1, b"question")
    assert is_answer(TOKENS[1], 1, b"question", proof)
    assert not is_answer(TOKENS[1], 2, b"question", proof)
    assert not is_answer(TOKENS[1], 1, b"question!", proof)
    assert not is_answer(TOKENS[2], 1, b"question", proof)


@given(st.lists(st.integers(0, 5 * 10**8), max_size=60), st.integers(1, 50), st.integers(1, 20))
def test_no_interval_has_more_than_its_allowance(waits_ns, per_s, burst):
    allowance, now_ns, taken_ns = Allowance(per_s, burst), 0, []
    for wait_ns in waits_ns:
        now_ns += wait_ns
        if allowance.take(now_ns):
            taken_ns.append(now_ns)
    for first, begin_ns in enumerate(taken_ns):
        for last in range(first, len(taken_ns)):
            assert last - first + 1 <= burst + (taken_ns[last] - begin_ns) * per_s / 1e9 + 1e-6 * per_s + 1


@pytest.mark.parametrize(
    "terms", [dict(silent_ms=1_000), dict(levels=0), dict(queue_max=0), dict(fills_kept=0)]
)
def test_terms_that_could_not_work_are_refused(terms):
    with pytest.raises(ValueError, match=r"."):
        HubTerms(**terms)


def test_nobody_sits_without_the_token_of_the_seat():
    wire = Wire()
    assert wire.sit(b"x", 1, token=TOKENS[2]) == Refused(Why.NOT_PROVED, 0, 0)
    # Neither with a proof that was not asked for, nor with one that was used.
    wire.send(b"x", write(0, Proof(bytes(32))))
    assert wire.heard(b"x") == [Refused(Why.NOT_PROVED, 0, 0)]
    wire.send(b"x", write(0, Hello(99)))
    assert wire.heard(b"x") == [Refused(Why.NO_SEAT, 0, 0)]
    wire.send(b"x", write(0, Hello(1)))
    (question,) = wire.heard(b"x")
    used = write(0, Proof(answer(TOKENS[1], 1, question.word)))
    wire.send(b"x", used)
    assert isinstance(wire.heard(b"x")[0], Welcome)
    wire.send(b"y", used)
    wire.send(b"y", write(0, Hello(1)))
    wire.send(b"y", used)
    assert [type(said).__name__ for said in wire.heard(b"y")] == ["Refused", "Question", "Refused"]
    assert not wire.floor.orders(1)
    wire.send(b"y", write(1, order(limit(0, BUY, 1, 90))))
    assert wire.heard(b"y") == [Refused(Why.STRANGER, 1, 1)]
    assert not wire.floor.orders(1)


def test_nobody_can_touch_an_order_of_somebody_else():
    wire = Wire()
    wire.join(0)
    one, other = wire.callers[b"A"], wire.join(1)
    one.order([limit(0, BUY, 5, 90)], 0)
    wire.carry()
    ((order_id, *_),) = wire.floor.orders(0)
    other.order([cancel(order_id), (4, 0, 0, 3, 91, 0, order_id), cancel_all(0)], 0)
    wire.carry()
    assert [one[0] for one in wire.floor.orders(0)] == [order_id]
    assert not wire.floor.breaches()


# ---------------------------------------------------------------- numbers


def test_a_repeated_number_is_carried_out_once_and_a_gap_stops_orders_until_the_state_is_asked_for():
    wire = Wire()
    assert wire.sit(b"x", 0).next_number == 1
    for _ in range(3):
        wire.send(b"x", write(1, order(limit(0, BUY, 1, 90))))
    assert len(wire.floor.orders(0)) == 1
    assert [said for said in wire.heard(b"x") if isinstance(said, Refused)] == [
        Refused(Why.REPEATED, 1, 1)
    ] * 2
    wire.send(b"x", write(4, order(limit(0, BUY, 1, 90))))
    assert wire.heard(b"x") == [Refused(Why.GAP, 2, 3), Refused(Why.OUT_OF_STEP, 4, 4)]
    wire.send(b"x", write(5, AskState(0)))
    assert isinstance(wire.heard(b"x")[0], State)
    wire.send(b"x", write(6, order(limit(0, BUY, 1, 90))))
    assert len(wire.floor.orders(0)) == 2


def test_garbage_is_refused_with_its_number_counted_and_said_and_the_seat_goes_on():
    wire = Wire()
    wire.sit(b"x", 0)
    header = write(1, Beat(0))[0]
    assert not wire.send(b"x", [header, b"\xc1"])
    assert not wire.send(b"x", [b"no header", b""])
    assert not wire.send(b"x", [b"1", b"2", b"3"])
    assert wire.heard(b"x") == [
        Refused(Why.GARBAGE, 1, 1),
        Refused(Why.GARBAGE, 0, 0),
        Refused(Why.GARBAGE, 0, 0),
    ]
    assert {name: count for name, count in wire.desk.counts.items() if "garbage" in name} == {
        "garbage body": 1, "garbage magic": 1, "garbage frames": 1, "refused garbage": 3
    }  # fmt: skip
    assert any("seat 0 sent what is no message" in remark for remark in wire.desk.remarks)
    assert wire.send(b"x", write(2, order(limit(0, BUY, 1, 90))))
    assert len(wire.floor.orders(0)) == 1


@given(
    st.lists(
        st.tuples(*[st.integers(-(1 << 62), 1 << 62) | st.integers(-2, 120)] * 7), min_size=1, max_size=20
    )
)
def test_wild_numbers_hurt_nobody(intents):
    wire = Wire(seats=2)
    wire.join(0).order([limit(0, SELL, 50, 101), limit(0, BUY, 50, 99)], 0)
    wire.carry()
    before = wire.floor.orders(0)
    wire.sit(b"x", 1)
    wire.send(b"x", write(1, Orders(tuple(intents))))
    (said,) = (one for one in wire.heard(b"x") if isinstance(one, Answered))
    assert len(said.results) == len(intents)
    assert not wire.floor.breaches()
    wire.desk.chores(wire.now_ns)
    assert wire.desk.status()["trades"] != [0, 0] or wire.floor.orders(0) == before


def test_who_floods_is_refused_in_few_words_and_nobody_else():
    wire = Wire()
    wire.sit(b"x", 0)
    honest = wire.join(1)
    worth = sum(wire.send(b"x", write(number, order(limit(0, BUY, 1, 90)))) for number in range(1, 5_001))
    assert worth == 100  # the burst; no time passed
    honest.order([limit(0, SELL, 1, 105)], 0)
    wire.carry()
    assert len(wire.floor.orders(1)) == 1
    wire.desk.chores(wire.now_ns)
    wire.carry()
    refused = [said for said in wire.heard(b"x") if isinstance(said, Refused)]
    assert refused == [Refused(Why.RATE, 101, 5_000)]
    assert wire.desk.counts["refused rate"] == 4_900
    wire.now_ns += 10 * MS
    # Time gives it room again, and nothing is missing in its numbers.
    assert wire.send(b"x", write(5_001, order(cancel_all(0))))
    assert not wire.floor.orders(0)


def test_strangers_are_few_and_slow():
    wire = Wire(terms=HubTerms(strangers_max=4))
    for _ in range(50):
        wire.send(b"flood", write(0, Hello(0)))
    assert wire.desk.counts["refused rate of strangers"] == 30
    assert len(wire.heard(b"flood")) == 20
    for number in range(50):
        wire.send(b"peer %d" % number, [b"", b""])
    assert len(wire.desk._strangers) <= 4
    assert isinstance(wire.sit(b"x", 0), Welcome)


# ---------------------------------------------------------------- life and death


def test_who_is_silent_loses_its_orders_and_finds_its_account_again():
    wire = Wire()
    dead, living = wire.join(0), wire.join(1)
    dead.order([limit(0, BUY, 10, 99)], 0)
    living.order([limit(0, SELL, 4, 99)], 0)
    wire.carry()
    assert wire.floor.positions(0)[0] == 1_004
    assert len(wire.floor.orders(0)) == 1
    del wire.callers[b"A"]
    wire.pass_ms(200)
    assert wire.floor.orders(0), "it may come back"
    wire.pass_ms(200)
    assert not wire.floor.orders(0)
    assert living.is_seated
    assert wire.desk.counts["ended silent"] == 1
    again = wire.join(0, b"again")
    assert again.is_seated
    assert again.sight.position_qty(0) == 1_004
    assert again.sight.cash == wire.floor.cash(0)
    assert not again.sight.open_orders


def test_who_loses_the_connection_and_is_back_in_time_keeps_its_orders_and_hears_its_fills():
    wire = Wire()
    one, other = wire.join(0), wire.join(1)
    one.order([limit(0, BUY, 10, 99)], 0)
    wire.carry()
    wire.desk.gone(b"A", Why.UNREACHABLE, wire.now_ns)
    wire.callers[b"new"] = wire.callers.pop(b"A")
    other.order([limit(0, SELL, 4, 99)], 0)
    wire.carry()
    one.order([limit(0, BUY, 1, 98)], 0)  # it does not know yet, and this is refused
    wire.carry()
    assert one.is_seated
    assert one.counts["logins"] == 2
    one.sight.open_eyes(wire.now_ns)
    assert [fill[3:6] for fill in one.sight.fills] == [(99, 4, 1)]
    assert [left[3] for left in one.sight.open_orders.values()] == [6]
    assert one.sight.noticed[Noticed.UNHEARD] + one.sight.noticed[Noticed.REFUSED] == 1
    assert one.sight.in_flight == 0
    one.order([limit(0, BUY, 1, 98)], 0)
    wire.carry()
    assert len(wire.floor.orders(0)) == 2


def test_the_owner_of_the_token_takes_its_seat_over():
    wire = Wire()
    old = wire.join(0)
    old.order([limit(0, BUY, 10, 99)], 0)
    wire.carry()
    new = wire.join(0, b"new")
    assert old.is_over
    assert old.why is Why.TAKEN_OVER
    assert list(new.sight.open_orders.values()) == [(0, BUY, 99, 10)]


def test_a_hub_that_falls_silent_is_looked_for():
    wire = Wire()
    caller = wire.join(0)
    caller.tick(wire.now_ns + 301 * MS)
    assert not caller.is_seated
    wire.now_ns += 301 * MS
    wire.carry()
    assert caller.is_seated
    assert caller.counts["hub lost"] == 1


def test_the_end_cancels_everything_and_tells_everybody():
    wire = Wire()
    callers = [wire.join(seat) for seat in range(3)]
    for caller in callers:
        caller.order([limit(0, BUY, 5, 90), limit(1, SELL, 5, 70)], 0)
    wire.carry()
    wire.desk.close(wire.now_ns)
    wire.carry()
    assert all(caller.why is Why.CLOSED for caller in callers)
    assert wire.floor.open_orders == 0
    assert not wire.floor.breaches()
    wire.send(b"late", write(0, Hello(0)))
    assert wire.heard(b"late") == [Bye(Why.CLOSED)]


def test_a_leaver_takes_its_orders_along():
    wire = Wire()
    caller = wire.join(0)
    caller.order([limit(0, BUY, 5, 90)], 0)
    caller.leave()
    wire.carry()
    assert caller.why is Why.LEFT
    assert not wire.floor.orders(0)


# ---------------------------------------------------------------- what is seen, and that nothing is lost unnoticed


def test_an_agent_sees_what_the_market_is():
    wire = Wire()
    one, other = wire.join(0), wire.join(1)
    one.order([limit(0, BUY, 5, 98), limit(0, BUY, 5, 97), limit(0, SELL, 5, 102)], 0)
    wire.carry()
    other.order([market(0, BUY, 2)], 0)
    wire.carry()
    wire.pass_ms(50)
    sight = other.sight
    assert (sight.bid(0), sight.ask(0), sight.mid2(0), sight.last_px(0)) == (98, 102, 200, 102)
    assert (sight.bid(1), sight.ask(1), sight.mid2(1), sight.last_px(1)) == (0, 0, 100, 50)
    assert sight.depth(0, BUY, 5) == ((98, 5), (97, 5))
    assert sight.depth(0, SELL, 1) == ((102, 3),)
    assert (sight.volume_qty(0), sight.signed_qty(0)) == (2, 2)
    assert sight.position_qty(0) == 1_002
    assert sight.cash == wire.floor.cash(1)
    assert sight.in_flight == 0
    assert not sight.is_called(hears_fills=False)
    assert sight.is_called(hears_fills=True)
    sight.open_eyes(7)
    assert [fill[1:6] for fill in sight.fills] == [(0, BUY, 102, 2, 0)]
    assert sight.now_ns >= 7
    sight.open_eyes(8)
    assert not sight.fills


def test_trades_that_are_no_longer_kept_are_known_to_be_lost():
    wire = Wire(terms=HubTerms(trades_kept=3))
    one, other = wire.join(0), wire.join(1)
    for _ in range(5):
        one.order([limit(0, SELL, 1, 100)], 0)
        wire.carry()
        other.order([market(0, BUY, 1)], 0)
        wire.carry()
    wire.sit(b"x", 2)
    wire.send(b"x", write(1, AskMarket(0, 1)))
    trades, book = wire.heard(b"x")
    assert isinstance(trades, Trades)
    assert (trades.first, len(trades.prints), trades.lost) == (3, 3, 1)
    assert isinstance(book, Market)
    assert book.trades == 5
    wire.send(b"x", write(2, AskMarket(9, 0)))
    assert wire.heard(b"x") == [Refused(Why.NO_ASSET, 2, 2)]


@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.4]))
@example(29, 0.02)  # the first trades that are ever published
def test_whatever_is_lost_is_noticed_and_mended(seed, share):
    draws = Random(seed)
    wire = Wire(follows_trades=True)
    callers = [wire.join(seat) for seat in range(3)]
    wire.pass_ms(100)
    heard = {caller: [] for caller in callers}
    wire.loses = lambda what: what != "up" and draws.random() < share
    for step in range(30):
        caller = draws.choice(callers)
        if caller.is_seated:
            px = 100 + draws.randint(-3, 3)
            intents = [limit(0, draws.choice((BUY, SELL)), draws.randint(1, 5), px)]
            if caller.sight.open_orders and draws.random() < 0.5:
                intents.append(cancel(min(caller.sight.open_orders)))
            caller.order(intents, wire.now_ns)
        wire.carry()
        if step % 10 == 9:
            wire.pass_ms(50)
    wire.loses = lambda _what: False
    wire.pass_ms(700)
    for seat, caller in enumerate(callers):
        sight = caller.sight
        sight.open_eyes(wire.now_ns)
        heard[caller] += sight.fills
        assert sight.cash == wire.floor.cash(seat)
        assert tuple(sight.position_qty(asset) for asset in (0, 1)) == wire.floor.positions(seat)
        assert tuple((number, *left) for number, left in sight.open_orders.items()) == wire.floor.orders(seat)
        assert sight.in_flight == 0
        assert len(sight.prints(0)) == wire.desk.status()["trades"][0]
        assert (
            sum(side * fill[4] for fill in heard[caller] for side in fill[2:3])
            == sight.position_qty(0) - 1_000
        )
    assert bool(wire.lost) == any(sum(caller.sight.noticed.values()) for caller in callers)
    assert not wire.floor.breaches()


@given(st.integers(0, 2**32))
def test_own_messages_that_are_lost_are_noticed_and_never_carried_out_twice(seed):
    draws = Random(seed)
    wire = Wire()
    caller = wire.join(0)
    wire.loses = lambda what: what == "up" and draws.random() < 0.2
    sent = 0
    for _ in range(20):
        if caller.is_seated:
            caller.order([limit(0, BUY, 1, 90)], wire.now_ns)
            sent += 1
        wire.carry()
        wire.pass_ms(50)
    wire.loses = lambda _what: False
    wire.pass_ms(700)
    caller.order([cancel(10**6)], wire.now_ns)
    wire.pass_ms(100)
    noticed = caller.sight.noticed
    assert caller.sight.in_flight == 0
    assert len(wire.floor.orders(0)) + noticed[Noticed.REFUSED] + noticed[Noticed.UNHEARD] == sent


# ---------------------------------------------------------------- the same entries, the same events


@given(st.integers(0, 2**32))
def test_entries_give_the_same_events_again(seed):
    draws = Random(seed)
    wire = Wire()
    callers = [wire.join(seat) for seat in range(3)]
    for _ in range(25):
        px = 100 + draws.randint(-3, 3)
        draws.choice(callers).order(
            [limit(0, draws.choice((BUY, SELL)), draws.randint(1, 5), px)], wire.now_ns
        )
        wire.carry()
        wire.now_ns += draws.randint(0, 5 * MS)
    wire.desk.close(wire.now_ns)
    again = make_floor(3)
    for entry in wire.entries:
        again.enter(entry)
    assert again.digest() == wire.floor.digest()
    assert again.events == wire.floor.events > 0
    changed = make_floor(3)
    for at_ns, seat, intents in wire.entries[1:]:
        changed.enter((at_ns, seat, intents))
    assert changed.digest() != wire.floor.digest()
