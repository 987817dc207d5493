"""A recording as a market: it happens again, clients take part by the written rules, and the replay venue agrees."""

import re
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from types import SimpleNamespace

import pybit.unified_trading as pybit_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.dataset.rows import DTYPES, Kind
from sandbox.__main__ import main, parse
from sandbox.bybit_server import SandboxOptions
from sandbox.bybit_server.book_feed import BookFeed
from sandbox.bybit_server.candles import INTERVALS
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.kline_feed import KlineFeed
from sandbox.bybit_server.orders import Status
from sandbox.bybit_server.recorded_market import LOOP_GAP_NS, PlaySettings
from sandbox.bybit_server.recording import RecordingError, find_recording
from sandbox.bybit_server.refusal import RefusalError
from simulation.replay import codes
from simulation.replay.terms import ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.sandbox.played_days import MS, RULES, STREAM, T0_NS, Play, row, snapshot, store
from tests.sandbox.venue_support import poll_until, venue_in_thread

BOOK = snapshot([(1000, 50), (999, 70)], [(1002, 40), (1003, 60)])
LATE = row(60_000, Kind.LEVEL, 1, 900, 1)


@pytest.fixture
def play(tmp_path):
    def make(*rows, **chosen):
        return Play(tmp_path, [*BOOK, *rows, LATE], **chosen)

    return make


def test_the_book_and_the_tape_are_the_recording_s_at_their_time(play):
    venue = play(
        row(10, Kind.LEVEL, 1, 1001, 5),
        row(20, Kind.TRADE, -1, 1001, 3),
        row(20, Kind.LEVEL, 1, 1001, 2),
        row(30, Kind.LEVEL, -1, 1002, 0),
    )
    assert (venue.levels(1), venue.levels(-1)) == ([(1000, 50), (999, 70)], [(1002, 40), (1003, 60)])
    venue.pass_ms(10)
    assert venue.levels(1)[0] == (1001, 5)
    venue.pass_ms(9)
    assert venue.tape() == []
    venue.pass_ms(1)
    assert (venue.levels(1)[0], venue.tape()) == ((1001, 2), [(1001, 3, -1)])
    venue.pass_ms(10)
    assert venue.levels(-1) == [(1003, 60)]
    candle = venue.market.candles[-1]
    assert (candle.close_px, candle.volume) == (Decimal("100.1"), Decimal("0.03"))


def test_it_plays_as_fast_as_it_is_told(play):
    venue = play(row(10, Kind.LEVEL, 1, 1001, 5), row(30, Kind.LEVEL, 1, 1001, 6), speed=Fraction(5, 2))
    venue.pass_ms(4)
    assert venue.levels(1)[0] == (1001, 5)
    venue.pass_ms(8)
    assert venue.levels(1)[0] == (1001, 6)


def test_it_begins_where_it_is_told_with_the_book_as_it_stood(play):
    venue = play(
        row(10, Kind.TRADE, 1, 1002, 7),
        row(20, Kind.LEVEL, 1, 1001, 5),
        row(40, Kind.LEVEL, 1, 1001, 6),
        start_ns=T0_NS + 30 * MS,
    )
    assert (venue.levels(1)[0], venue.tape(), venue.market.last_px) == ((1001, 5), [], Decimal("100.2"))
    venue.pass_ms(10)
    assert venue.levels(1)[0] == (1001, 6)


def test_a_frozen_recording_goes_on_where_it_stood(play):
    venue = play(row(10, Kind.LEVEL, 1, 1001, 5))
    flow = venue.exchange.flows["linear", "ABCUSDT"]
    venue.pass_ms(4)
    flow.frozen = True
    venue.pass_ms(1000)
    flow.frozen = False
    venue.pass_ms(5)
    assert venue.levels(1)[0] == (1000, 50)
    venue.pass_ms(1)
    assert venue.levels(1)[0] == (1001, 5)


def test_trades_at_the_price_use_up_the_queue_and_then_fill(play):
    venue = play(
        row(10, Kind.TRADE, -1, 1000, 30), row(20, Kind.TRADE, -1, 1000, 24), row(30, Kind.TRADE, -1, 1000, 9)
    )
    order = venue.send("Buy", 1000, 10)
    venue.pass_ms(10)
    assert venue.fills(order) == []
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 4, True)]
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 4, True), (1000, 6, True)]
    assert order.status is Status.FILLED
    # The tape has every recorded lot once, parted where a client got some of them.
    assert venue.tape() == [(1000, 30, -1), (1000, 4, -1), (1000, 20, -1), (1000, 6, -1), (1000, 3, -1)]
    assert venue.levels(1)[0] == (1000, 50)


def test_what_is_cancelled_leaves_from_behind_the_client_first(play):
    venue = play(
        row(10, Kind.LEVEL, 1, 1000, 80),
        row(20, Kind.LEVEL, 1, 1000, 45),
        row(30, Kind.TRADE, -1, 1000, 45),
        row(31, Kind.TRADE, -1, 1000, 1),
    )
    order = venue.send("Buy", 1000, 10)
    venue.pass_ms(30)
    assert venue.fills(order) == []
    venue.pass_ms(1)
    assert venue.fills(order) == [(1000, 1, True)]


def test_a_trade_beyond_the_price_fills_by_its_lots_and_leaves_nobody_ahead(play):
    venue = play(row(10, Kind.TRADE, -1, 999, 3), row(20, Kind.TRADE, -1, 1000, 2))
    better, order = venue.send("Buy", 1001, 2), venue.send("Buy", 1000, 10)
    venue.pass_ms(10)
    assert (venue.fills(better), venue.fills(order)) == ([(1001, 2, True)], [(1000, 1, True)])
    assert venue.tape() == [(1001, 2, -1), (1000, 1, -1), (999, 3, -1)]
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 1, True), (1000, 2, True)]


def test_no_level_fills_while_trading_is_halted_and_what_stands_across_does_afterwards(play):
    venue = play(row(10, Kind.HALT, 0, 0, 0), row(20, Kind.LEVEL, -1, 1000, 4), row(30, Kind.HALT, 0, 0, 2))
    order = venue.send("Buy", 1000, 10)
    venue.pass_ms(20)
    assert venue.fills(order) == []
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 4, True)]


def test_a_void_book_is_a_closed_market_until_both_sides_are_there(play):
    venue = play(
        row(10, Kind.CLEAR, 0, 0, 0),
        row(20, Kind.TRADE, -1, 1000, 1),
        row(30, Kind.LEVEL, 1, 1000, 9),
        row(40, Kind.LEVEL, -1, 1002, 9),
    )
    for _ in range(3):
        venue.pass_ms(10)
        with pytest.raises(RefusalError):
            venue.send("Buy", 1000, 1)
    venue.pass_ms(10)
    assert venue.fills(venue.send("Buy", 1002, 1)) == [(1002, 1, False)]


def test_what_a_snapshot_shows_again_stays_taken(play):
    venue = play(*snapshot([(1000, 50)], [(1002, 40), (1003, 9)], ms=10))
    order = venue.send("Buy", 1002, 30, "IOC")
    venue.pass_ms(10)
    assert venue.fills(order) == [(1002, 30, False)]
    assert venue.levels(-1) == [(1002, 10), (1003, 9)]


def test_a_level_that_comes_to_the_client_trades_and_is_missing_then(play):
    venue = play(row(10, Kind.LEVEL, -1, 1000, 25))
    order = venue.send("Buy", 1000, 10)
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 10, True)]
    assert venue.levels(-1)[0] == (1000, 15)


def test_what_was_taken_stays_taken_until_the_recording_takes_it_away(play):
    venue = play(
        row(10, Kind.LEVEL, -1, 1002, 40),
        row(20, Kind.LEVEL, -1, 1002, 46),
        row(30, Kind.LEVEL, -1, 1002, 20),
        row(40, Kind.LEVEL, -1, 1002, 0),
        row(50, Kind.LEVEL, -1, 1002, 40),
    )
    order = venue.send("Buy", 1002, 30, "IOC")
    assert venue.fills(order) == [(1002, 30, False)]
    seen = [dict(venue.levels(-1)).get(1002)]
    for _ in range(5):
        venue.pass_ms(10)
        seen.append(dict(venue.levels(-1)).get(1002))
    assert seen == [10, 10, 16, 16, None, 40]


def test_a_snapshot_carries_no_client_forward(play):
    venue = play(
        row(10, Kind.CLEAR, 0, 0, 0),
        row(20, Kind.LEVEL, 1, 1000, 90, 0),
        row(20, Kind.LEVEL, -1, 1002, 1),
        row(30, Kind.TRADE, -1, 1000, 50),
        row(40, Kind.TRADE, -1, 1000, 1),
    )
    order = venue.send("Buy", 1000, 5)
    venue.pass_ms(30)
    assert venue.fills(order) == []
    venue.pass_ms(10)
    assert venue.fills(order) == [(1000, 1, True)]


def test_a_snapshot_that_passes_over_a_price_leaves_nobody_ahead_of_the_client(play):
    venue = play(
        row(10, Kind.CLEAR, 0, 0, 0, 0),
        row(10, Kind.LEVEL, -1, 1005, 8, 0),
        row(10, Kind.LEVEL, 1, 1001, 8, 0),
        row(10, Kind.LEVEL, 1, 999, 8),
        row(20, Kind.TRADE, -1, 1000, 1),
        row(30, Kind.CLEAR, 0, 0, 0, 0),
        row(30, Kind.LEVEL, -1, 1005, 8, 0),
        row(30, Kind.LEVEL, 1, 1001, 8),
        row(40, Kind.TRADE, -1, 999, 1),
        row(40, Kind.TRADE, -1, 998, 1),
    )
    passed, beyond = venue.send("Buy", 1000, 5), venue.send("Buy", 998, 5)
    venue.pass_ms(20)
    assert (venue.fills(passed), venue.fills(beyond)) == ([(1000, 1, True)], [])


def test_mark_halt_and_funding_are_the_recording_s(play):
    venue = play(
        row(10, Kind.MARK, 0, 1005, 0, 0),
        row(20, Kind.HALT, 0, 0, 0, 0),
        row(30, Kind.HALT, 0, 0, 2, 0),
        row(40, Kind.FUNDING, 0, 100_000, 0, 0),
    )
    assert venue.market.mark_px == Decimal("100.1")
    assert venue.fills(venue.send("Buy", 1002, 10)) == [(1002, 10, False)]
    venue.pass_ms(10)
    assert (venue.market.mark_px, venue.market.index_px) == (Decimal("100.5"), Decimal("100.5"))
    venue.pass_ms(10)
    with pytest.raises(RefusalError):
        venue.send("Buy", 1002, 10)
    venue.pass_ms(10)
    venue.send("Buy", 1000, 10)
    before = venue.account.balances["USDT"]
    venue.pass_ms(10)
    assert before - venue.account.balances["USDT"] == Decimal("100.5") * Decimal("0.1") * Decimal("0.0001")
    # The venue's own calendar pays nothing: what was recorded is all there is.
    paid = venue.account.balances["USDT"]
    venue.pass_ms(9 * 3_600_000)
    assert venue.account.balances["USDT"] == paid


def test_when_it_is_over_the_book_stands_and_the_streams_are_silent(play):
    venue = play()
    book = BookFeed(venue.market, 1)
    candles = KlineFeed(venue.market, INTERVALS["1"], now_ms(venue.clock))
    venue.pass_ms(60_000)
    assert venue.said == ["bybit/linear/ABCUSDT is over; its last book stands, and the streams are silent"]
    venue.pass_ms(600_000)
    for feed in (book, candles):
        assert feed.due(venue.clock.monotonic_ns(), now_ms(venue.clock)) == []
    assert venue.fills(venue.send("Buy", 1002, 10, "IOC")) == [(1002, 10, False)]


def test_a_loop_begins_again_after_a_pause_and_meets_who_waited(play):
    venue = play(
        row(10, Kind.LEVEL, -1, 1002, 0),
        row(10, Kind.LEVEL, -1, 1003, 0),
        row(10, Kind.LEVEL, -1, 1009, 1),
        loop=True,
    )
    venue.pass_ms(10)
    order = venue.send("Buy", 1003, 45)
    assert venue.fills(order) == []
    venue.pass_ms(60_000)
    assert venue.market.is_silent
    venue.pass_ms(LOOP_GAP_NS // MS)
    assert not venue.market.is_silent
    assert venue.fills(order) == [(1003, 40, True), (1003, 5, True)]
    assert (venue.levels(1), venue.levels(-1)) == ([(1000, 50), (999, 70)], [(1003, 55)])
    venue.pass_ms(10)
    assert venue.levels(-1) == [(1009, 1)]
    assert len(venue.said) == 2


# ---- the replay venue, which shares no line with this one, finds the same fills

PRICES = st.integers(994, 1008)
LOTS = st.integers(1, 30)
ROWS = st.one_of(
    st.tuples(st.just(Kind.LEVEL), st.just(1), st.integers(994, 1003), st.integers(0, 30)),
    st.tuples(st.just(Kind.LEVEL), st.just(-1), st.integers(999, 1008), st.integers(0, 30)),
    st.tuples(st.just(Kind.TRADE), st.sampled_from((1, -1)), PRICES, LOTS),
    st.tuples(st.just(Kind.CLEAR), st.sampled_from((0, 1, -1)), st.just(0), st.just(0)),
    st.tuples(st.just(Kind.HALT), st.just(0), st.just(0), st.sampled_from((0, 2, 2))),
)
ACTS = st.one_of(
    st.tuples(st.just("place"), PRICES, LOTS, st.sampled_from(("GTC", "GTC", "PostOnly", "IOC", "FOK"))),
    st.tuples(st.just("amend"), PRICES, LOTS, st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.just(0), st.just(0), st.integers(0, 3)),
)
HOLDS = {"GTC": codes.GTC, "PostOnly": codes.POST_ONLY, "IOC": codes.IOC, "FOK": codes.FOK}


class Sandbox:
    """The venue under test, asked as the replay venue is."""

    def __init__(self, root, rows, side):
        self.play, self.side, self.orders = Play(root, rows), side, []

    def act(self, what, px, lots, how):
        if what == "place":
            try:
                order = self.play.send("Buy" if self.side > 0 else "Sell", px, lots, how)
            except RefusalError:
                order = None
            self.orders.append(order)
        elif how < len(self.orders) and self.orders[how] is not None:
            order = self.orders[how]
            fields = (
                {}
                if what == "cancel"
                else {"price": str(px * Decimal("0.1")), "qty": str(lots * Decimal("0.01"))}
            )
            with suppress(RefusalError):
                self.play.call(what, order, **fields)

    def touch(self):
        bids, asks = (next(iter(self.play.levels(sign)), (0, 0)) for sign in (1, -1))
        return (*bids, *asks)

    def found(self):
        lots = self.play.recording.instrument.lots
        return [
            ([], 0)
            if order is None
            else (self.play.fills(order), lots(order.leaves_qty) if order.is_open else 0)
            for order in self.orders
        ]


class Replay:
    """The replay venue without latencies."""

    def __init__(self, rows, side):
        self.side, self.twin, self.heard, self.open = (
            side,
            ReplayTwin(ReplayTerms(print_lag_ns=0), start_ns=T0_NS),
            [],
            {},
        )
        columns = dict(zip(DTYPES, zip(*rows, strict=True), strict=True))
        # To the replay venue a halt is what is not 0 (R9).
        halts = [kind == Kind.HALT for kind in columns["kind"]]
        columns["qty"] = [
            int(qty != 2) if halt else qty for halt, qty in zip(halts, columns["qty"], strict=True)
        ]
        self.twin.feed(SimpleNamespace(**columns), final=True)
        self.twin.advance(T0_NS)

    def act(self, what, px, lots, how):
        if what == "place":
            number = len(self.open)
            self.open[number] = ([], lots)
            self.twin.place(number, self.side, px, lots, HOLDS[how])
        elif how < len(self.open):
            if what == "cancel":
                self.twin.cancel(how)
            else:
                self.twin.amend(how, px, lots)
        self.settle(self.twin.now_ns)

    def settle(self, at_ns):
        self.twin.advance(at_ns)
        for answer in self.twin.answers():
            fills, leaves = self.open[answer.order_id]
            if answer.kind == codes.FILLED:
                fills.append((answer.px, answer.qty, answer.detail == codes.MAKER))
            refused = answer.kind in {codes.AMEND_REJECTED, codes.CANCEL_REJECTED}
            self.open[answer.order_id] = (fills, leaves if refused else answer.leaves)

    def found(self):
        return list(self.open.values())


@settings(max_examples=100)
@given(
    side=st.sampled_from((1, -1)),
    steps=st.lists(st.one_of(ROWS, ROWS, ACTS), min_size=1, max_size=40),
)
def test_the_replay_venue_agrees(tmp_path_factory, side, steps):
    rows = [
        *BOOK,
        *(row(ms, *step) for ms, step in enumerate(steps, 1) if len(step) == 4 and isinstance(step[0], Kind)),
        LATE,
    ]
    sandbox = Sandbox(tmp_path_factory.mktemp("play"), rows, side)
    replay = Replay(rows, side)
    for ms, step in enumerate(steps, 1):
        sandbox.play.pass_ms(1)
        replay.settle(T0_NS + ms * MS)
        if not isinstance(step[0], Kind):
            sandbox.act(*step)
            replay.act(*step)
        assert sandbox.found() == replay.found(), (ms, step)
        assert sandbox.touch() == tuple(replay.twin.glance()[1:5]), (ms, step)


# ---- the store, the command line, and a client on the wire


def test_rules_that_nobody_said_are_assumed_and_named(tmp_path):
    rules = {**RULES, "min_notional": None, "base_coin": None}
    recording = find_recording(
        store(tmp_path, [*BOOK, row(1, Kind.TRADE, 1, 1002, 1)], rules=rules), "ABCUSDT"
    )
    item = recording.instrument
    assert (item.base_coin, item.quote_coin, item.notional_min, item.start_px) == (
        "ABC", "USDT", Decimal(5), Decimal("100.2"),
    )  # fmt: skip
    assert {"coins ABC and USDT", "min_notional 5"} < set(recording.assumed)
    bare = find_recording(store(tmp_path / "bare", BOOK, rules=None), "ABCUSDT")
    assert bare.instrument.tick_size == Decimal("0.1")
    assert any(text.startswith("tick_size") for text in bare.assumed)


def test_days_with_other_steps_are_brought_to_the_finer_one(tmp_path):
    store(tmp_path, BOOK, tick="0.2")
    store(tmp_path, [row(86_400_000, Kind.LEVEL, 1, 2001, 5)])
    recording = find_recording(tmp_path, "ABCUSDT")
    rows = [each for each in recording.rows() if each.kind == Kind.LEVEL]
    assert (rows[0].px, rows[-1].px, recording.instrument.tick) == (2000, 2001, Decimal("0.1"))


def test_a_recording_order_by_order_is_played_as_its_levels(play):
    """Orders come, shrink, go and are hit; a client waits behind what was there and is filled by what is hit."""
    there = play(
        row(20, Kind.ADD, 1, 1000, 5),
        row(30, Kind.ADD, 1, 1001, 8),
        row(2_000, Kind.REDUCE, 1, 1001, 3),
        row(2_010, Kind.ADD, 1, 1001, 4),
        row(3_000, Kind.EXECUTE, 1, 1001, 5),
        row(3_010, Kind.EXECUTE, 1, 1001, 2),
        row(4_000, Kind.DELETE, -1, 1002, 40),
        row(5_000, Kind.HIDDEN, 1, 1001, 9),
    )
    there.pass_ms(100)
    assert there.levels(1) == [(1001, 8), (1000, 55), (999, 70)]
    order = there.send("Buy", 1001, 3)
    there.pass_ms(2_000)
    assert there.levels(1)[0] == (1001, 9)
    there.pass_ms(1_000)
    assert there.fills(order) == [(1001, 2, True)], "five were ahead, of the seven that were hit two are ours"
    there.pass_ms(1_000)
    assert there.levels(-1) == [(1003, 60)]
    there.pass_ms(1_000)
    assert sum(lots for px, lots, _ in there.tape() if px == 1001) == 16, "those of hidden orders included"
    assert {sign for _, _, sign in there.tape()} == {-1}


def test_levels_out_of_orders_are_the_sums_of_what_rests(tmp_path):
    chance, rows, resting = Random(3), [*BOOK], {}
    for number in range(1, 400):
        side = chance.choice((1, -1))
        px = 1001 - side * chance.randint(1, 4)
        if resting and chance.random() < 0.5:
            name = chance.choice(sorted(resting))
            side, px, left = resting.pop(name)
            kind = chance.choice((Kind.REDUCE, Kind.DELETE, Kind.EXECUTE))
            qty = left if kind is Kind.DELETE else chance.randint(1, left)
            if left > qty:
                resting[name] = (side, px, left - qty)
        else:
            name, kind, qty = number, Kind.ADD, chance.randint(1, 30)
            resting[name] = (side, px, qty)
        rows.append((*row(number, kind, side, px, qty)[:6], name, *row(number, kind, side, px, qty)[7:]))
    played = {}
    for each in find_recording(store(tmp_path, rows), "ABCUSDT").rows():
        if each.kind == Kind.LEVEL:
            played[each.side, each.px] = each.qty
    expected = {(1, 1000): 50, (1, 999): 70, (-1, 1002): 40, (-1, 1003): 60}
    for side, px, left in resting.values():
        expected[side, px] = expected.get((side, px), 0) + left
    assert {key: lots for key, lots in played.items() if lots} == expected


def test_what_cannot_be_played_is_refused_in_words(tmp_path):
    def refusal(root, **chosen):
        with pytest.raises(RecordingError) as caught:
            find_recording(root, "ABCUSDT", **chosen)
        return str(caught.value)

    assert refusal(tmp_path) == f"no recording of ABCUSDT in {tmp_path}: it holds nothing"
    store(tmp_path, BOOK)
    store(tmp_path, BOOK, stream=replace(STREAM, venue="binance"))
    assert "binance/linear/ABCUSDT, bybit/linear/ABCUSDT; name --venue" in refusal(tmp_path)
    assert find_recording(tmp_path, "ABCUSDT", venue="bybit").name == "bybit/linear/ABCUSDT"
    damaged = store(tmp_path / "damaged", BOOK)
    assert "no multiples" in refusal(store(tmp_path / "off", BOOK, rules={**RULES, "tick_size": "0.25"}))
    (next(damaged.rglob("rows.parquet"))).write_bytes(b"PAR1")
    assert "cannot be read" in refusal(damaged)


def test_options_of_a_recorded_market(tmp_path, capsys):
    root = store(tmp_path, [*BOOK, LATE])
    words = ["--market", "recorded", "--data", str(root), "--symbol", "ABCUSDT"]
    options, _ = parse([*words, "--start", "2023-11-14T22:13:30Z", "--speed", "2.5", "--loop"])
    assert (options.played.start_ns, options.played.speed, options.played.loop) == (
        T0_NS + 10_000 * MS, Fraction(5, 2), True,
    )  # fmt: skip
    span = "is recorded from 2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z"
    for bad, told in (
        (words[2:], "belong to --market recorded"),
        (words[:4], f"needs --symbol; {root} holds bybit/linear/ABCUSDT"),
        ([*words, "--speed", "0"], "positive number"),
        ([*words, "--start", "noon"], "2026-08-09T12:00:00Z"),
        ([*words, "--start", "2023-11-14T22:13:30"], "says no zone"),
        ([*words, "--start", "2020-01-01T00:00:00Z"], f"{span}, not at 2020-01-01T00:00:00Z"),
        ([*words, "--start", "2030-01-01T00:00:00Z"], f"{span}, not at 2030-01-01T00:00:00Z"),
        ([*words[:-1], "X"], "no recording of X"),
        ([*words[:-1], "linear/ABCUSDT"], "VENUE/CATEGORY/SYMBOL"),
        ([*words[:-1], "binance/linear/ABCUSDT"], "no recording of binance/linear/ABCUSDT"),
    ):
        with pytest.raises(SystemExit) as ended:
            parse(bad)
        said = capsys.readouterr().err
        assert (ended.value.code, said.count("\n")) == (2, 1)
        assert told in said


def test_a_recording_without_a_whole_book_ends_the_command(tmp_path, capsys):
    root = store(tmp_path, [row(0, Kind.LEVEL, 1, 1000, 5), LATE])
    words = ["--market", "recorded", "--data", str(root), "--symbol", "ABCUSDT"]
    assert main([*words, "--port", "0", "--control-port", "0"]) == 2
    said = capsys.readouterr().err
    assert "plays bybit/linear/ABCUSDT; its recording does not say, so assumed: fees" in said
    assert said.endswith("bybit/linear/ABCUSDT has no whole book that goes on at that time\n")


def test_the_store_and_the_instrument_are_found_as_by_the_other_commands(tmp_path, monkeypatch):
    store(tmp_path / "var/market", [*BOOK, LATE])
    store(tmp_path / "else", [*BOOK, LATE], stream=replace(STREAM, symbol="XYZUSDT"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXECUTOR_MARKET_DATA", raising=False)
    options, _ = parse(["--market", "recorded", "--symbol", "bybit/linear/ABCUSDT"])
    assert options.played.recording.name == "bybit/linear/ABCUSDT"
    monkeypatch.setenv("EXECUTOR_MARKET_DATA", "else")
    options, _ = parse(["--market", "recorded", "--symbol", "XYZUSDT"])
    assert options.played.recording.name == "bybit/linear/XYZUSDT"


def test_many_instruments_are_counted_and_the_nearest_named(tmp_path):
    for number in range(9):
        store(tmp_path, BOOK, stream=replace(STREAM, symbol=f"{number}BTCUSDT"))
    store(tmp_path, BOOK, stream=replace(STREAM, symbol="ETHUSD"))
    with pytest.raises(RecordingError) as caught:
        find_recording(tmp_path, "ETHUSDT")
    assert "it holds 10 instruments, among them bybit/linear/ETHUSD, " in str(caught.value)


def test_a_client_on_the_wire_sees_the_recorded_touch(tmp_path):
    root = store(tmp_path, [*BOOK, row(500, Kind.LEVEL, 1, 1001, 5), row(600, Kind.TRADE, -1, 1001, 2), LATE])
    settings = PlaySettings(recording=find_recording(root, "ABCUSDT"), say=lambda text: None)
    messages, trades = [], []
    local = re.compile(r"^wss://[^/]+")
    with venue_in_thread(SandboxOptions(played=settings)) as venue:

        class LocalSocket(pybit_client.WebSocket):
            def _connect(self, url):
                super()._connect(local.sub(venue.ws_url, url))

        flow = venue.exchange.flows["linear", "ABCUSDT"]
        flow.frozen = True
        socket = LocalSocket(testnet=False, channel_type="linear")
        try:
            socket.orderbook_stream(50, "ABCUSDT", messages.append)
            socket.trade_stream("ABCUSDT", trades.append)
            poll_until(lambda: messages)
            assert messages[0]["data"]["b"][0] == ["100.0", "0.50"]
            flow.frozen = False
            poll_until(lambda: len(messages) == 2 and trades)
        finally:
            socket.exit()
    book = messages[-1]["data"]
    assert sorted(book["b"], key=lambda level: float(level[0]))[-2:] == [["100.0", "0.50"], ["100.1", "0.05"]]
    assert book["a"] == [["100.2", "0.40"], ["100.3", "0.60"]]
    assert len(messages) == 2
    first = trades[0]["data"][0]
    assert (first["p"], first["v"], first["S"]) == ("100.1", "0.02", "Sell")
