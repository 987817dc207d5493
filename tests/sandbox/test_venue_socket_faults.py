"""Messages, pings and whole connections that go wrong on the private, public and trade sockets."""

import asyncio
import json

import aiohttp
import pytest

from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload
from sandbox.bybit_server.stream_control import idle_limit_s
from tests.sandbox.venue_support import poll_until
from tests.sandbox.venue_talk import talk_to

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}


@pytest.fixture
def spoil(control):
    async def call(on, act, **details):
        return await asyncio.to_thread(control, "POST", "/_fault", {"on": on, "act": act, **details})

    return call


@pytest.fixture
def clear(control):
    async def call():
        return await asyncio.to_thread(control, "DELETE", "/_fault")

    return call


@pytest.fixture
def act(control):
    async def call(what, **fields):
        return await asyncio.to_thread(control, "POST", "/_ex", {"do": what, **fields})

    return call


@pytest.fixture
def place(raw, key):
    """Places a resting order with a name, over REST."""

    async def call(name, **changes):
        body = {**ORDER, "price": "64500.0", "orderLinkId": f"{key.key}-{name}", **changes}
        answer = await asyncio.to_thread(raw.post, "/v5/order/create", body)
        assert answer["retCode"] == 0
        return answer

    return call


@pytest.fixture
async def private(venue, key):
    """A private socket that hears of orders and executions."""
    async with talk_to(venue, "/v5/private") as talk:
        await talk.authenticate(key)
        assert (await talk.subscribe("order", "execution"))["success"]
        yield talk


@pytest.fixture
async def trade(venue, key):
    async with talk_to(venue, "/v5/trade") as talk:
        assert (await talk.authenticate(key))["retCode"] == 0
        yield talk


def name_of(message):
    return message["data"][0]["orderLinkId"].partition("-")[2]


def trade_request(key, name, window="5000", **changes):
    header = {"X-BAPI-TIMESTAMP": str(now_ms(SystemClock())), "X-BAPI-RECV-WINDOW": window}
    order = {**ORDER, "price": "64500.0", "orderLinkId": f"{key.key}-{name}", **changes}
    return {"op": "order.create", "reqId": name, "header": header, "args": [order]}


# ---- pushed messages --------------------------------------------------------------------------------------


async def test_a_hundred_copies(private, spoil, place):
    await spoil("private", "dup", copies=100, match={"topic": "order"})
    await place("many")
    await place("last")
    heard = [name_of(await private.hear()) for _ in range(101)]
    assert heard == ["many"] * 100 + ["last"]


async def test_messages_in_another_order_within_a_window(private, spoil, place):
    await spoil("private", "reorder", window=4, match={"topic": "order"})
    names = [f"r{n}" for n in range(4)]
    for name in names:
        await place(name)
    heard = [name_of(await private.hear()) for _ in names]
    assert heard != names
    assert sorted(heard) == names


async def test_a_window_that_never_fills_is_let_go(private, spoil, place, clear):
    await spoil("private", "reorder", window=50, within=0.2, match={"topic": "order"})
    await place("alone")
    assert name_of(await private.hear()) == "alone"
    await spoil("private", "reorder", window=50, within=60, match={"topic": "order"})
    await clear()
    await spoil("private", "reorder", window=50, within=60, match={"topic": "order"})
    await place("kept")
    assert await private.hears_nothing()
    await clear()
    assert name_of(await private.hear()) == "kept"


@pytest.mark.parametrize("act_name", ["corrupt", "truncate"])
async def test_a_message_that_is_no_json(private, spoil, place, act_name):
    await spoil("private", act_name, match={"topic": "order"})
    await place("hurt")
    with pytest.raises(json.JSONDecodeError):
        await private.hear()
    await place("well")
    assert name_of(await private.hear()) == "well"


async def test_frames_of_any_text_and_any_bytes(private, spoil, place):
    crafted = '{"topic":"order","data":[{"qty":"NaN"}]}'
    await spoil("private", "frame_raw", frame_raw=crafted, match={"topic": "order"})
    await place("text")
    assert (await private.hear())["data"] == [{"qty": "NaN"}]
    await spoil("private", "frame_hex", frame_hex="00ff10", binary=True, match={"topic": "order"})
    await place("bytes")
    message = await private.socket.receive(timeout=30)
    assert (message.type, message.data) == (aiohttp.WSMsgType.BINARY, b"\x00\xff\x10")
    await spoil("private", "frame_hex", frame_hex="c328", match={"topic": "order"})
    await place("not-utf-8")
    message = await private.socket.receive(timeout=30)
    assert message.type in {aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_rows_are_edited(private, spoil, place):
    await spoil(
        "private",
        "edit",
        match={"topic": "execution"},
        edit={"execQty": "9", "execFee": None, "seq": "text"},
        set={"orderPrice": None},
        rename={"execPrice": "price"},
        keep=True,
    )
    await place("edited", orderType="Market")
    first = await private.hear(lambda message: message["topic"] == "execution")
    second = await private.hear(lambda message: message["topic"] == "execution")
    true, false = first["data"][0], second["data"][0]
    assert true["execId"] == false["execId"]
    assert (true["execQty"], false["execQty"]) == ("0.001", "9")
    assert "execFee" not in false
    assert (false["seq"], false["orderPrice"], false["price"]) == ("text", None, true["execPrice"])
    assert "execPrice" not in false


async def test_silence_while_pongs_go_on(private, spoil, place, clear):
    await spoil("private", "silence_topics")
    await place("unheard")
    assert await private.hears_nothing()
    assert (await private.ask(op="ping"))["op"] == "pong"
    await clear()
    await place("heard")
    assert name_of(await private.hear()) == "heard"


async def test_the_socket_is_closed_when_a_message_is_due(private, spoil, place):
    await spoil("private", "close", code=1012, match={"topic": "order"})
    await place("goodbye")
    message = await private.socket.receive(timeout=30)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1012)


# ---- pings, acks, logins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "on"), [("/v5/private", "private"), ("/v5/trade", "trade"), ("/v5/public/linear", "public")]
)
async def test_no_pong_of_either_kind(venue, spoil, clear, path, on):
    async with talk_to(venue, path) as talk:
        answers = asyncio.create_task(talk.socket.receive())
        await spoil(on, "no_pong")
        await talk.say(op="ping")
        await talk.socket.ping(b"x")
        done, _ = await asyncio.wait({answers}, timeout=0.2)
        assert not done
        await clear()
        await talk.say(op="ping")
        assert "pong" in (await asyncio.wait_for(answers, 5)).data


async def test_a_subscription_without_an_answer(venue, key, spoil):
    async with talk_to(venue, "/v5/private") as talk:
        await talk.authenticate(key)
        await spoil("private", "no_ack", times=1)
        await talk.say(op="subscribe", args=["order"])
        assert await talk.hears_nothing()
        assert (await talk.subscribe("order"))["success"]
    async with talk_to(venue, "/v5/public/linear") as talk:
        await spoil("public", "no_ack", match={"topic": "orderbook.*"})
        await talk.say(op="subscribe", args=["orderbook.50.BTCUSDT"])
        assert await talk.hears_nothing()
        assert (await talk.subscribe("tickers.BTCUSDT"))["success"]


async def test_logins_fail_with_a_code(venue, key, spoil):
    await spoil("private", "auth_fail", code=33004)
    await spoil("trade", "auth_fail", code=10004)
    async with talk_to(venue, "/v5/private") as talk:
        answer = await talk.authenticate(key)
        assert (answer["success"], answer["ret_msg"]) == (False, "Your api key has expired.")
        assert not (await talk.subscribe("order"))["success"]
        assert (await talk.authenticate(key))["success"]
    async with talk_to(venue, "/v5/trade") as talk:
        assert (await talk.authenticate(key))["retCode"] == 10004
        assert (await talk.authenticate(key))["retCode"] == 0


# ---- whole connections ------------------------------------------------------------------------------------


async def test_a_half_open_socket_says_nothing_until_it_heals(private, spoil, place):
    assert (await spoil("private", "stall"))["stalled"] == 1
    await place("held")
    await private.say(op="ping", req_id="late")
    await private.socket.ping(b"x")
    assert await private.hears_nothing()
    await spoil("private", "resume")
    heard = [await private.hear() for _ in range(2)]
    assert name_of(heard[0]) == "held"
    assert heard[1]["req_id"] == "late"


async def test_later_sockets_may_be_half_open_too(venue, spoil, clear):
    await spoil("public", "stall", future=True)
    async with talk_to(venue, "/v5/public/spot") as talk:
        await talk.say(op="ping")
        assert await talk.hears_nothing()
        await clear()
        assert (await talk.hear())["ret_msg"] == "pong"


@pytest.mark.parametrize("code", [1000, 1001, 1013])
async def test_everybody_is_sent_home_with_a_code(private, spoil, code):
    assert (await spoil("private", "close", code=code))["closed"] == 1
    message = await private.socket.receive(timeout=30)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)


async def test_a_stream_is_cut_again_and_again(venue, spoil, clear, control):
    await spoil("public.spot", "cut", every=0.1)
    before = (await asyncio.to_thread(control, "GET", "/_wire"))["connects"].get("public.spot", 0)
    for _ in range(3):
        async with talk_to(venue, "/v5/public/spot") as talk:
            message = await talk.socket.receive(timeout=30)
            assert message.type in {
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
                aiohttp.WSMsgType.CLOSE,
            }
    await clear()
    async with talk_to(venue, "/v5/public/spot") as talk:
        assert await talk.hears_nothing(0.3)
        wire = await asyncio.to_thread(control, "GET", "/_wire")
        assert wire["connects"]["public.spot"] == before + 4
        assert wire["open"]["public.spot"] == 1


async def test_a_crafted_frame_reaches_everyone_at_once(private, trade, spoil):
    frame = json.dumps({"topic": "order", "id": "x", "creationTime": 0, "data": []})
    assert (await spoil("private", "inject", frame_raw=frame))["injected"] == 1
    assert (await private.hear())["id"] == "x"
    await spoil("private", "inject", frame_raw=frame, copies=6000)
    heard = [await private.hear() for _ in range(6000)]
    assert len(heard) == 6000
    await spoil("trade", "inject", frame_raw='{"op":"order.create","retCode":10019}')
    assert (await trade.hear())["retCode"] == 10019


async def test_a_frame_of_five_megabytes(venue, spoil):
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.ws_url + "/v5/public/linear", max_msg_size=0) as socket,
    ):
        await spoil("public", "inject", frame_raw="x" * 5_000_000)
        assert len((await socket.receive(timeout=30)).data) == 5_000_000


# ---- the trade socket -------------------------------------------------------------------------------------


async def test_intake_that_is_late_meets_the_time_window(trade, key, spoil):
    match = {"path": "order.create", "linkId": f"{key.key}-*"}
    await spoil("trade", "delay", when="before_apply", delay=0.4, match=match)
    assert (await trade.ask(**trade_request(key, "late", window="200")))["retCode"] == 10002
    await spoil("trade", "delay", when="after_apply", delay=0.3, match=match)
    assert (await trade.ask(**trade_request(key, "in-time")))["retCode"] == 0


async def test_a_message_that_arrives_twice(trade, key, spoil, control):
    await spoil("trade", "dup", match={"path": "order.create", "linkId": f"{key.key}-*"})
    await trade.say(**trade_request(key, "twice"))
    answers = [await trade.hear() for _ in range(2)]
    assert [answer["retCode"] for answer in answers] == [0, 20006]
    wire = await asyncio.to_thread(control, "GET", "/_wire?path=order.create")
    entry = next(one for one in wire["requests"] if f"{key.key}-twice" in one["raw"])
    assert (entry["transport"], entry["applied_count"]) == ("trade", 2)
    assert entry["headers"]["x-bapi-recv-window"] == "5000"


async def test_a_storm_of_refusals_reaches_the_trade_socket(trade, key, act, clear):
    assert len((await act("storm", p=1, path="order.*"))["faults"]) == 2
    ack = await trade.ask(**trade_request(key, "stormy"))
    assert (ack["retCode"], ack["retMsg"]) == (10006, "Too many visits. Exceeded the API Rate Limit.")
    await clear()
    assert (await trade.ask(**trade_request(key, "calm")))["retCode"] == 0


@pytest.mark.parametrize(("when", "count"), [("before_apply", 0), ("after_apply", 1)])
@pytest.mark.parametrize("act_name", ["drop", "close", "reset", "corrupt", "truncate", "body_raw"])
async def test_an_ack_goes_wrong(trade, key, spoil, control, act_name, when, count):
    await spoil("trade", act_name, when=when, match={"linkId": f"{key.key}-*"})
    await trade.say(**trade_request(key, "lost"))
    if act_name == "drop":
        assert await trade.hears_nothing()
    elif act_name in {"close", "reset"}:
        message = await trade.socket.receive(timeout=30)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
    else:
        with pytest.raises(json.JSONDecodeError):
            await trade.hear()
    truth = await asyncio.to_thread(control, "GET", "/_truth")
    assert len(truth["accounts"][str(key.uid)]["orders"]) == count


# ---- books ------------------------------------------------------------------------------------------------

BOOK = "orderbook.50.BTCUSDT"


class Book:
    """A client's book, kept by the rules."""

    def __init__(self, talk):
        self.talk = talk
        self.sides = {"b": {}, "a": {}}
        self.steps = []
        self.update_id = None

    async def next(self):
        message = await self.talk.hear(lambda one: one.get("topic") == BOOK)
        data = message["data"]
        if message["type"] == "snapshot":
            self.sides = {side: dict(data[side]) for side in "ba"}
        else:
            self.steps.append(data["u"] - self.update_id)
            for side in "ba":
                for px, size in data[side]:
                    if size == "0":
                        del self.sides[side][px]
                    else:
                        self.sides[side][px] = size
        self.update_id = data["u"]
        return message

    async def until(self, condition):
        async with asyncio.timeout(30):
            while not condition(self):
                await self.next()

    @property
    def bids(self):
        return sorted(map(float, self.sides["b"]))

    @property
    def asks(self):
        return sorted(map(float, self.sides["a"]))


@pytest.fixture
async def book(venue):
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.subscribe(BOOK)
        one = Book(talk)
        await one.next()
        yield one


def sick(kind, **more):
    return {"fault": kind, "symbol": "BTCUSDT", "depth": 50, **more}


async def test_a_gap_and_a_replay(book, act):
    assert (await act("book", **sick("gap")))["topics"] == 1
    await book.until(lambda one: 2 in one.steps)
    assert set(book.steps) <= {1, 2}
    book.steps.clear()
    await act("book", **sick("replay"))
    ids = []
    while len(ids) == len(set(ids)):
        ids.append((await book.talk.hear(lambda one: one.get("topic") == BOOK))["data"]["u"])
    assert ids[-1] == ids[-2]


async def test_the_service_of_one_book_restarts(book, act):
    await act("book", **sick("restart"))
    await book.until(lambda one: one.update_id == 1)
    assert book.bids[-1] < book.asks[0]


@pytest.mark.parametrize(
    ("kind", "is_sick"),
    [
        ("crossed", lambda one: one.bids[-1] > one.asks[0]),
        ("locked", lambda one: one.bids[-1] == one.asks[0]),
        ("one_sided", lambda one: one.bids and not one.asks),
        ("empty", lambda one: not one.bids and not one.asks),
    ],
)
async def test_a_book_falls_ill_and_recovers_without_a_false_change(book, act, control, kind, is_sick):
    """Goal: also the changes into and out of a sick book never delete a level that the client has not."""
    await act("book", **sick(kind, s=30))
    await book.until(is_sick)
    assert set(book.steps) <= {1}
    await act("heal")
    await book.until(lambda one: one.bids and one.asks and one.bids[-1] < one.asks[0])
    for _ in range(3):
        await book.next()
        assert book.bids[-1] < book.asks[0]


async def test_a_book_goes_stale_while_pongs_go_on(book, act):
    await act("book", **sick("stale", s=0.6))
    while not await book.talk.hears_nothing(0.2):
        pass
    assert (await book.talk.ask(op="ping"))["ret_msg"] == "pong"
    message = await book.talk.hear()
    assert message["type"] == "delta"


# ---- rules of the doors that nothing breaks ---------------------------------------------------------------


async def test_the_login_of_the_private_socket_accepts_both_kinds_of_expiry(venue, key):
    for kind in (int, str):
        async with talk_to(venue, "/v5/private") as talk:
            expires = kind(now_ms(SystemClock()) + 5000)
            signature = sign(key.secret, stream_payload(str(expires)))
            assert (await talk.ask(op="auth", args=[key.key, expires, signature]))["success"]


async def test_protection_is_held_by_the_sockets_that_asked_for_it(venue, key):
    watch = venue.exchange.dcp_watch
    async with talk_to(venue, "/v5/private") as talk, talk_to(venue, "/v5/private") as other:
        for each in (talk, other):
            await each.authenticate(key)
        assert (await talk.subscribe("dcp.future", "greeks", "wallet"))["success"]
        assert (await other.subscribe("dcp.future"))["success"]
        assert watch.is_held(key.uid, "dcp.future")
        assert (await other.ask(op="unsubscribe", args=["dcp.future"]))["success"]
        assert watch.lost_since_ns(key.uid, "dcp.future") is None
    await asyncio.to_thread(poll_until, lambda: watch.lost_since_ns(key.uid, "dcp.future"))
    assert not watch.is_held(key.uid, "dcp.future")


@pytest.mark.parametrize(
    ("text", "limit_s"),
    [("", 600), ("30s", 30), ("1s", 30), ("90s", 90), ("1m", 60), ("10m", 600), ("99m", 600), ("1h", 600)],
)
def test_how_long_a_socket_may_be_silent(text, limit_s):
    assert idle_limit_s(text) == limit_s


async def test_a_socket_that_is_silent_too_long_is_closed(venue, monkeypatch):
    monkeypatch.setattr("sandbox.bybit_server.server.idle_limit_s", lambda text: 0.2)
    async with talk_to(venue, "/v5/private?max_active_time=30s") as talk:
        message = await talk.socket.receive(timeout=30)
        assert message.type is aiohttp.WSMsgType.CLOSE
