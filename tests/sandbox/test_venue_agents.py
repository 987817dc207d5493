"""Agents who trade on the venue's own book: they see clients, react to them, and can hurt nobody when they fail.

Method: the same agents here and in the simulation; the venue and they are asked the same questions after each step; and
liars at the other end of the line.
"""

import shlex
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from decimal import Decimal
from fractions import Fraction
from statistics import mean
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.market.build import build
from backtest.market.scenarios import load
from backtest.market.venue_agents import GUESTS_CASH, GUESTS_QTY
from sandbox.__main__ import main, parse
from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.agents_link import LINE_BYTES_MAX, PIECE_BYTES, AgentsError, AgentsLink, call
from sandbox.bybit_server.agents_market import AgentsCall, agents, agents_play, traded
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.instruments import listed_instruments
from sandbox.bybit_server.orders import Status
from sandbox.bybit_server.refusal import RefusalError
from simulation.agent_seat import EmptySeat
from tests.sandbox.agents_ground import MAKERS, NOISE, VALUE, Here, ground

S = 1_000_000_000


# ---- the market ------------------------------------------------------------------------------------------


def test_the_book_stands_when_the_venue_opens_and_nothing_is_printed_of_what_led_there():
    place = ground()
    bid, ask = place.touch()
    assert 9_950 < bid < ask < 10_050
    assert place.tape() == []
    assert place.market.mark_px == place.market.index_px
    assert place.item.px(bid) < place.market.mark_px < place.item.px(ask)
    assert place.market.last_px == place.market.open_px == place.item.px((bid + ask) // 2)
    place.check()
    place.pass_ms(10_000)
    assert len(place.tape()) > 10
    assert sum(lots for _, lots, _ in place.tape()) == place.item.lots(place.market.volume)
    assert len({px for px, _, _ in place.tape()}) > 3
    place.check()


@pytest.mark.parametrize("name", ["basic", "multi-agent", "market-maker-withdrawal"])
def test_undisturbed_it_is_the_simulated_market_event_by_event(name):
    """The venue's book and the simulation's know nothing of each other; equal hashes say that both are right."""
    scenario = load(name)
    scenario = scenario.model_copy(update={"run": scenario.run.model_copy(update={"warm_up_s": 20.0})})
    here = Here(scenario, 5)
    play = agents_play(AgentsCall(command=(), say=pytest.fail), here)
    clock = ManualClock()
    venue = Exchange(clock, instruments=(play.instrument,), source=agents(play))
    for _ in range(100):
        clock.advance_ms(100)
        venue.advance()
    other = build(scenario, 5, taped=False).engine
    other.add_agent(EmptySeat(), cash=GUESTS_CASH, positions_qty=(GUESTS_QTY,))
    summary = other.run(until_ns=30 * S)
    assert here.market.engine.run(until_ns=30 * S) == summary
    assert summary.trades > 10


def lift(groups, lots):
    """How much higher the middle is for a purchase, in ticks: just after it, 5 s and 20 s later, over some seeds."""
    found = []
    for seed in range(4):
        mids = []
        for size in (0, lots):
            place = ground(*groups, seed=seed)
            place.pass_ms(2000)
            if size:
                assert place.send("Buy", size).status is Status.FILLED
            mids.append([place.mid()])
            for wait_s in (5, 15):
                place.pass_ms(1000 * wait_s)
                mids[-1].append(place.mid())
            place.check()
        found.append([bought - still for still, bought in zip(*mids, strict=True)])
    return [mean(each) for each in zip(*found, strict=True)]


def test_a_large_purchase_lifts_the_price_and_who_knows_the_value_brings_it_back():
    at_once, soon, later = lift([MAKERS, VALUE, NOISE], 100)
    assert at_once > 7
    assert soon < 0.7 * at_once
    assert later < 0.3 * at_once
    # Where nobody knows what it is worth, the price believes the purchase.
    at_once, soon, later = lift([MAKERS, NOISE], 100)
    assert at_once > 7
    assert min(soon, later) > 0.8 * at_once


def test_while_makers_stay_what_was_taken_is_offered_again():
    def offered(place):
        return sum(lots for _, lots in place.market.book.asks.levels(20))

    left = {**MAKERS, "leave_s": 7.05}
    for makers, ratio in ((MAKERS, 0.5), (left, 0.0)):
        place = ground(makers, VALUE, NOISE)
        place.pass_ms(2000)
        before = offered(place)
        place.send("Buy", 100)
        assert offered(place) < 0.4 * before
        place.pass_ms(5000)
        assert (offered(place) > 0.5 * before) is (ratio > 0)


def test_an_order_that_waits_is_filled_by_agents_and_moves_both_ledgers():
    place = ground()
    bid, _ = place.touch()
    order = place.send("Buy", 7, bid - 1)
    before = place.check()
    place.pass_ms(20_000)
    assert order.status is Status.FILLED
    assert {(place.item.ticks(fill.px), fill.is_maker) for fill in order.executions} == {(bid - 1, True)}
    assert place.check() - before == 7 == place.net_lots()
    shown = [(px, side) for px, lots, side in place.tape() if px == bid - 1 and side < 0]
    assert len(shown) >= len(order.executions)


def test_agents_hear_of_a_fill_before_they_live_on():
    place = ground({**MAKERS, "count": 1}, warm_up_s=3.0)
    maker = place.theirs.engine.exchange
    before = maker.house.shares[0][0]
    place.send("Sell", 20)
    assert maker.house.shares[0][0] == before
    place.pass_ms(100)
    assert maker.house.shares[0][0] == before + 20
    place.check()


def test_the_operator_withdraws_quotes_and_trades_and_the_agents_know():
    place = ground()
    assert place.do("clear_crowd")["withdrawn"] > 10
    place.pass_ms(100)
    place.check()
    place.pass_ms(2000)
    assert None not in place.touch()
    _, ask = place.touch()
    place.do("trade", side="Buy", qty="0.003", price=str(place.item.px(ask)))
    before = place.guests_qty()
    place.pass_ms(100)
    assert place.check() == before + 3
    place.do("quote", side="Buy", qty="5", price=str(place.item.px(ask + 20)))
    place.pass_ms(3000)
    assert place.check() > before + 3
    with pytest.raises(RefusalError, match="traded with"):
        place.do("jump", bps=5)
    (state,) = place.do("agents")["agents"]
    assert (state["symbol"], state["ended"]) == ("BTCUSDT", "")
    assert state["messages"] > state["orders"] > 0


def test_frozen_agents_go_on_where_they_were():
    place, other = ground(), ground()
    place.do("freeze", on=True)
    place.pass_ms(3000)
    assert place.tape() == []
    place.do("freeze", on=False)
    for each in (place, other):
        each.pass_ms(2000)
    assert place.tape() == other.tape() != []


def test_a_pace_is_how_many_of_their_seconds_go_into_one():
    place = ground(pace=Fraction(5, 2))
    place.pass_ms(2000)
    assert place.do("agents")["agents"][0]["lived_ms"] == 5000 + 5000


def test_a_venue_that_stood_still_does_not_make_them_live_through_all_of_it():
    place = ground()
    place.clock.advance_ms(3_600_000)
    place.exchange.advance()
    assert place.said == ["the agents are 3600 s behind; they go on from where they are"]
    place.pass_ms(1000)
    assert 6000 <= place.do("agents")["agents"][0]["lived_ms"] <= 6500


def played(seed, lots):
    place = ground(seed=seed)
    place.pass_ms(1000)
    place.send("Buy", lots)
    resting = place.send("Sell", 5, place.touch()[1] + 2)
    place.pass_ms(3000)
    place.check()
    fills = [(fill.px, fill.qty, fill.is_maker) for fill in resting.executions]
    return place.theirs.engine.run(until_ns=9 * S).event_hash, place.tape(), place.touch(), fills


def test_the_same_seed_and_the_same_requests_give_the_same_market():
    assert played(3, 40) == played(3, 40)
    others = (played(4, 40), played(3, 41))
    assert len({played(3, 40)[0], *(each[0] for each in others)}) == 3


ACTS = st.one_of(
    st.tuples(st.just("market"), st.sampled_from(["Buy", "Sell"]), st.integers(1, 60)),
    st.tuples(
        st.just("limit"),
        st.sampled_from(["Buy", "Sell"]),
        st.integers(1, 40),
        st.integers(-12, 12),
        st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"]),
        st.booleans(),
    ),
    st.tuples(st.just("reduce"), st.sampled_from(["Buy", "Sell"]), st.integers(1, 20), st.integers(-5, 5)),
    st.tuples(st.just("trigger"), st.sampled_from(["Buy", "Sell"]), st.integers(1, 20), st.integers(1, 10)),
    st.tuples(st.just("amend"), st.integers(1, 40), st.integers(-5, 5)),
    st.tuples(st.sampled_from(["cancel", "clear"])),
)


def act(place, what, *fields):
    """Do one thing that a client or the operator may do; whatever is refused is refused."""
    account = place.account
    middle = int(place.mid()) if None not in place.touch() else 10_000
    match what, fields:
        case "market", (side, lots):
            place.send(side, lots)
        case "limit", (side, lots, off, tif, is_other):
            place.send(side, lots, middle + off, place.other if is_other else account, timeInForce=tif)
        case "reduce", (side, lots, off):
            place.send(side, lots, middle + off, reduceOnly=True)
        case "trigger", (side, lots, off):
            rises = side == "Buy"
            px = place.item.px(middle + off if rises else middle - off)
            place.send(side, lots, triggerPrice=str(px), triggerDirection=1 if rises else 2)
        case "amend", (lots, off):
            for order in list(account.open_orders.values())[:1]:
                names = {"category": "linear", "symbol": "BTCUSDT", "orderId": order.order_id}
                wish = {"qty": str(place.item.qty(lots)), "price": str(place.item.px(middle + off))}
                place.exchange.amend(account, Fields({**names, **wish}))
        case "cancel", ():
            place.exchange.cancel_all(account, Fields({"category": "linear", "symbol": "BTCUSDT"}))
        case "clear", ():
            place.do("clear_crowd")


@settings(max_examples=20 if settings().max_examples == 50 else settings().max_examples)
@given(st.lists(st.tuples(st.integers(0, 5), ACTS), min_size=3, max_size=25), st.integers(0, 3))
def test_whatever_clients_do_both_sides_hold_the_same(steps, seed):
    place = ground(seed=seed, warm_up_s=3.0)
    for waits, (what, *fields) in steps:
        place.pass_ms(100 * waits)
        with suppress(RefusalError):
            act(place, what, *fields)
    place.pass_ms(100)
    assert place.check() - GUESTS_QTY == place.net_lots()
    assert place.said == []


# ---- what they trade -------------------------------------------------------------------------------------


def test_a_tick_brings_their_first_price_near_the_usual_one():
    items = {item.symbol: item for item in listed_instruments() if item.category == "linear"}
    for symbol, first_px, tick, px in (
        ("BTCUSDT", 10_000, "5", "50000"),
        ("BTCUSDT", 120_000, "0.5", "60000"),
        ("BTCUSDT", 100, "500", "50000"),
        ("DOGEUSDT", 10_000, "0.00002", "0.20000"),
    ):
        item = traded(items[symbol], first_px, None, None)
        assert (str(item.tick_size), item.start_px) == (tick, Decimal(px))
        assert item.qty_step == items[symbol].qty_step
    item = traded(items["BTCUSDT"], 10_000, Decimal("0.01"), Decimal("0.03"))
    assert (item.start_px, item.qty_min, item.limit_qty_max) == (100, Decimal("0.03"), Decimal("1189.98"))


# ---- those who fail --------------------------------------------------------------------------------------


@contextmanager
def far_end(*lines, hello='["hello",1,10000,0]', quiet_s=5.0, hang_up=True):
    """Somebody at the other end of the line who says this, a line for a line, whatever is asked."""
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def talk():
        with theirs, theirs.makefile("rb") as heard, suppress(OSError):
            for line in (hello, *lines):
                theirs.sendall(f"{line}\n".encode())
                heard.readline()
            if not hang_up:
                done.wait(20)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield AgentsLink(ours, quiet_s=quiet_s)
    finally:
        done.set()
        ours.close()
        thread.join(20)


RESTS = ('["limit",1,0,1,9990,50,0]', '["limit",2,0,-1,10010,50,0]', '["done",1000001]')


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((), "hung up"),
        (("gibberish",), "sent what is no message here: 'gibberish'"),
        (('{"limit": 1}',), "no message"),
        (('["limit",3,0,1,9990,50]',), "no message"),
        (('["limit",3,0,1,9990.0,50,0]',), "no message"),
        (('["limit",3,0,true,9990,50,0]',), "no message"),
        (('["limit",3,0,2,9990,50,0]',), "no message"),
        (('["limit",3,0,1,0,50,0]',), "no message"),
        (('["limit",3,0,1,9990,-1,0]',), "no message"),
        (('["limit",3,0,1,9990,5,4]',), "no message"),
        (('["limit",3,0,1,9990,2199023255552,0]',), "no message"),
        (('["limit",2,0,1,9990,1,0]',), "no message"),
        (('["limit",99999999999999999999,0,1,9990,1,0]',), "no message"),
        (('["depth",1,1001]',), "no message"),
        (('["done",6]',), "no message"),
        (('["done"]',), "no message"),
        (('["buy","all"]',), "no message"),
        (("x" * (LINE_BYTES_MAX + 2 * PIECE_BYTES),), "bytes without an end of line"),
    ],
)
def test_agents_who_fail_are_told_and_leave_a_venue_that_goes_on(lines, why):
    with far_end(*RESTS, *lines) as link:
        venue, said = opened(link)
        assert (venue.market.book.bids.best(), venue.market.book.asks.best()) == (9990, 10010)
        venue.clock.advance_ms(100)
        venue.exchange.advance()
    assert len(said) == 1
    assert why in said[0]
    assert said[0].startswith("the agents ")
    assert said[0].endswith("their 2 orders are withdrawn, and clients trade among themselves")
    assert venue.market.book.bids.best() is None
    assert why in venue.source.state()["ended"]
    clients_trade(venue)


def opened(link):
    """A venue whose agents have lived through their first moment, and what it said."""
    said = []
    play = agents_play(AgentsCall(command=(), say=said.append), link)
    clock = ManualClock()
    exchange = Exchange(clock, instruments=(play.instrument,), source=agents(play))
    (source,) = exchange.flows.values()
    (market,) = exchange.markets.values()
    clock.advance_ms(1)
    exchange.advance()
    return SimpleNamespace(clock=clock, exchange=exchange, source=source, market=market), said


def clients_trade(venue):
    account = venue.exchange.accounts[Credentials().uid]
    fields = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    ack = venue.exchange.create(account, Fields({**fields, "price": "50000"}))
    venue.clock.advance_ms(100)
    venue.exchange.advance()
    assert account.orders[ack["orderId"]].status is Status.NEW


def test_agents_who_say_nothing_are_waited_for_and_then_left():
    with far_end(*RESTS, quiet_s=0.05, hang_up=False) as link:
        venue, said = opened(link)
        venue.clock.advance_ms(100)
        venue.exchange.advance()
        assert said == [
            "the agents said nothing for 0.05 s; their 2 orders are withdrawn, and clients trade among themselves"
        ]
        clients_trade(venue)


def test_agents_who_never_have_enough_are_stopped(monkeypatch):
    monkeypatch.setattr("sandbox.bybit_server.agents_link.MESSAGES_MAX", 50)
    with far_end(*RESTS, *['["depth",1,5]'] * 60) as link:
        venue, said = opened(link)
        venue.clock.advance_ms(100)
        venue.exchange.advance()
        assert "asked for 50 things in one moment" in said[0]


@pytest.mark.parametrize(
    "hello",
    [
        '["hello",2,10000,0]',
        '["hello",1,0,0]',
        '["hello",1,10000]',
        '["done",1]',
        '["hello",1,10000,-1]',
        "?",
    ],
)
def test_agents_who_do_not_introduce_themselves_are_not_let_in(hello):
    with far_end(hello=hello) as link, pytest.raises(AgentsError, match="no message"):
        agents_play(AgentsCall(command=()), link)


def test_a_program_that_fails_is_told_and_one_that_stays_is_ended(monkeypatch):
    with pytest.raises(AgentsError, match="cannot be started: /none/such: No such file"):
        call(["/none/such"])
    link = call([sys.executable, "-S", "-c", "import sys; sys.stdin.readline(); sys.exit(7)"])
    with pytest.raises(AgentsError, match="ended with exit code 7"):
        link.moment((0, 1, 0, 0, (), ()), lambda heard: ())
    link.close()
    monkeypatch.setattr("sandbox.bybit_server.agents_link.END_S_MAX", 0.01)
    deaf = call(
        [sys.executable, "-S", "-c", "import time; print('[\"done\",1]', flush=True); time.sleep(60)"]
    )
    assert deaf.receive() == ("done", (1,))
    deaf.close()
    with pytest.raises(AgentsError, match="ended with exit code -9"):
        deaf.send("go")


# ---- the command -----------------------------------------------------------------------------------------


def test_words_for_the_agents():
    options, _ = parse(
        shlex.split(
            """--market agents --agents-by "play 'my own.py'" --scenario basic --agents 30 --seed 11 --pace 5/2
            --symbol ETHUSDT --tick-size 0.5 --lot-size 1e1"""
        )
    )
    wanted = options.agents
    assert wanted.command == ("play", "my own.py", "--scenario", "basic", "--agents", "30", "--seed", "11")
    assert (wanted.key, wanted.pace) == (("linear", "ETHUSDT"), Fraction(5, 2))
    assert (str(wanted.tick), str(wanted.lot)) == ("0.5", "10")
    assert options.played is None
    assert parse([])[0].agents is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--market", "agents"], "executor sandbox --market agents"),
        (["--market", "agents", "--agents-by", "'x"], "No closing quotation"),
        (
            ["--market", "agents", "--agents-by", "x", "--symbol", "NOPE"],
            "linear symbols are BTCUSDT, ETHUSDT",
        ),
        (["--market", "agents", "--agents-by", "x", "--category", "option"], "option symbols are none"),
        (["--market", "agents", "--agents-by", "x", "--pace", "0"], "a speed is a positive number"),
        (["--market", "agents", "--agents-by", "x", "--agents", "0"], "counted 1, 2, 3"),
        (["--market", "agents", "--agents-by", "x", "--tick-size", "nan"], "a step is a positive number"),
        (["--scenario", "basic"], "--scenario belongs to --market agents"),
        (["--pace", "2"], "--pace belongs to --market agents"),
        (["--symbol", "BTCUSDT"], "--symbol belong to"),
    ],
)
def test_words_that_cannot_be_used_say_what_would_do(words, why, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err


def test_a_venue_whose_agents_do_not_come_does_not_open(capfd):
    words = ["--port", "0", "--control-port", "0", "--market", "agents"]
    program = f"{sys.executable} -S -c 'raise SystemExit(3)'"
    assert main([*words, "--agents-by", program]) == 2
    assert capfd.readouterr().err == "sandbox: the agents ended with exit code 3\n"
