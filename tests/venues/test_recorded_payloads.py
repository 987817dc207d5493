"""All sixty recorded messages of the real venue are read, and what an execution client lives on is read rightly."""

import json
from decimal import Decimal
from random import Random

import pytest

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import ExecutionUnexplained, OrderUpdated, VenueStatus
from executor.domain.orders import Category, Liquidity, Side
from executor.venues.bybit.codec import FastExecution, decode_position_update
from executor.venues.bybit.codec_control import ControlReply
from executor.venues.bybit.codec_frames import AccountFrame, Ignored, decode_frame
from executor.venues.bybit.codec_json import parse_object
from executor.venues.bybit.codec_public import BookFrame, TickerFrame
from tests.venues.recordings import needs_real_data, payload, payload_names
from tests.venues.rest_replies import Reply, decode_reply

pytestmark = needs_real_data
D = Decimal
NEW, CANCELED, REJECTED = VenueStatus.NEW, VenueStatus.CANCELED, VenueStatus.REJECTED

# Path that was asked, category (None: options, or none), and how many rows there are; None where nothing
# has a use for them.
REPLIES = {
    "account_info": ("/v5/account/info", None, None),
    "executions": ("/v5/execution/list", Category.LINEAR, 2),
    "fee_rate": ("/v5/account/fee-rate", None, None),
    "funding_history": ("/v5/market/funding/history", None, None),
    "instruments_inverse": ("/v5/market/instruments-info", Category.INVERSE, 1),
    "instruments_inverse_symbol_type": ("/v5/market/instruments-info", Category.INVERSE, 1),
    "instruments_linear": ("/v5/market/instruments-info", Category.LINEAR, 2),
    "instruments_linear_symbol_type": ("/v5/market/instruments-info", Category.LINEAR, 1),
    "instruments_option": ("/v5/market/instruments-info", None, None),
    "instruments_option_symbol_id": ("/v5/market/instruments-info", None, None),
    "instruments_spot": ("/v5/market/instruments-info", Category.SPOT, 2),
    "instruments_spot_xstocks": ("/v5/market/instruments-info", Category.SPOT, 1),
    "klines_linear": ("/v5/market/kline", None, None),
    "order_partially_filled_rejected": ("/v5/order/history", Category.LINEAR, 1),
    "orderbook": ("/v5/market/orderbook", None, None),
    "orders_history": ("/v5/order/history", Category.LINEAR, 1),
    "orders_history_with_duplicate": ("/v5/order/history", Category.LINEAR, 2),
    "orders_realtime": ("/v5/order/realtime", Category.LINEAR, 2),
    "orders_realtime_tp_sl": ("/v5/order/realtime", Category.LINEAR, 2),
    "positions": ("/v5/position/list", Category.LINEAR, 3),
    "positions_with_open_time": ("/v5/position/list", Category.LINEAR, 1),
    "trades_recent": ("/v5/market/recent-trade", None, None),
    "user_escrow_sub_members": ("/v5/user/escrow_sub_members", None, None),
    "user_sub_members": ("/v5/user/query-sub-members", None, None),
    "user_sub_members_paged": ("/v5/user/submembers", None, None),
    "wallet_balance": ("/v5/account/wallet-balance", None, 1),
    "wallet_balance_spot_short": ("/v5/account/wallet-balance", None, 1),
    "wallet_balance_with_spot_borrow": ("/v5/account/wallet-balance", None, 1),
}
BARE = "ws_account_position_with_open_time"  # a position without the envelope of a frame


def reply(name):
    path, category, _ = REPLIES[name.removeprefix("http_get_")]
    return decode_reply(path, category, payload(f"http_get_{name.removeprefix('http_get_')}"))


def read(name):
    if name.startswith("http_"):
        return reply(name)
    return (
        decode_position_update(parse_object(payload(name))) if name == BARE else decode_frame(payload(name))
    )


def test_all_sixty_are_read():
    names = payload_names()
    assert len(names) == 60
    for name in names:
        found = read(name)
        if isinstance(found, Reply | AccountFrame):
            assert found.bad == (), name
        if isinstance(found, Reply | Ignored) and name.startswith("http_"):
            _, _, count = REPLIES[name.removeprefix("http_get_")]
            assert (len(found.values) if isinstance(found, Reply) else None) == count, name


ORDERS = [
    ("order", "client-1", CANCELED, Side.BUY, "0.010", "30000", "0"),
    ("order_filled", "test-client-order-001", VenueStatus.FILLED, Side.BUY, "0.100", "30000.50", "0.100"),
    ("order_partially_filled_rejected", "O-20251001-164609-APEX-000-49", REJECTED, Side.BUY, "100.0", "1.500", "50.0"),
    ("order_buy_stop_market", "test-client-buy-stop-market-001", NEW, Side.BUY, "0.100", "0", "0"),
    ("order_stop_market", "test-client-stop-market-001", NEW, Side.SELL, "0.100", "0", "0"),
    ("order_stop_limit", "test-client-stop-limit-001", NEW, Side.SELL, "0.100", "44500.00", "0"),
    ("order_stop_loss", "test-client-sl-001", NEW, Side.SELL, "0.500", "0", "0"),
    ("order_take_profit", "test-client-tp-001", NEW, Side.SELL, "0.500", "0", "0"),
    ("order_limit_if_touched", "test-client-lit-001", NEW, Side.BUY, "0.100", "55500.00", "0"),
    ("order_market_if_touched", "test-client-mit-001", NEW, Side.BUY, "0.100", "0", "0"),
    ("order_sell_market_if_touched", "test-client-sell-mit-001", NEW, Side.SELL, "0.100", "0", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "client_order_id", "status", "side", "qty", "px", "cum_qty"), ORDERS)
def test_orders_of_the_stream(name, client_order_id, status, side, qty, px, cum_qty):
    (order,) = read(f"ws_account_{name}").events
    assert isinstance(order, OrderUpdated)
    assert (order.client_order_id, order.status, order.side) == (client_order_id, status, side)
    assert (order.qty, order.px, order.cum_qty) == (D(qty), D(px), D(cum_qty))


def test_orders_of_queries():
    (rejected,) = reply("order_partially_filled_rejected").values
    assert (rejected.status, rejected.cum_qty, rejected.qty) == (REJECTED, D("0.005"), D("0.010"))
    assert "INSUFFICIENT_MARGIN" in rejected.detail
    profit, loss = reply("orders_realtime_tp_sl").values
    assert (profit.status, profit.px, loss.status, loss.px) == (NEW, 0, NEW, D(47500))
    assert [(order.client_order_id, order.status) for order in reply("orders_history_with_duplicate").values] == [
        ("client-open-1", NEW),
        ("client-closed-1", CANCELED),
    ]  # fmt: skip


def test_executions():
    maker, taker = (event.fill for event in reply("executions").values)
    assert (maker.liquidity, taker.liquidity) == (Liquidity.MAKER, Liquidity.TAKER)
    assert (maker.last_qty, maker.last_px, maker.fee, maker.fee_coin) == (
        D("0.1"),
        D(50_000),
        D("0.015"),
        "USDT",
    )
    (event,) = read("ws_account_execution").events
    assert (event.fill.side, event.fill.last_qty, event.fill.last_px) == (Side.SELL, D("0.5"), D("95900.1"))
    (told,) = read("ws_account_execution_adl").events
    assert (type(told), told.kind, told.symbol) == (ExecutionUnexplained, "AdlTrade", "BTCUSDT")


def test_fast_executions():
    (fast,) = read("ws_account_execution_fast").events
    assert isinstance(fast, FastExecution)
    assert (fast.symbol, fast.side, fast.last_qty, fast.last_px) == ("ICPUSDT", Side.SELL, 3_000, D("12.015"))
    assert (fast.client_order_id, fast.liquidity) == ("test-order-link-001", Liquidity.TAKER)
    assert read("ws_account_execution_fast_envelope_id").events == ()


def test_positions():
    assert [(position.symbol, position.qty) for position in reply("positions").values] == [
        ("BTCUSDT", D("0.5")),
        ("ETHUSDT", -5),
        ("SOLUSDT", 0),
    ]
    for name in ("ws_account_position", "ws_account_position_short"):
        (event,) = read(name).events
        assert (event.report.symbol, event.report.qty) == ("ETHUSDT", D("-0.01"))
    bare = read(BARE).report
    assert (bare.symbol, bare.qty, bare.category) == ("BTCUSDT", D("0.1"), Category.LINEAR)
    (opened,) = reply("positions_with_open_time").values
    assert (opened.symbol, opened.qty) == ("LTCUSDT", 1)


@pytest.mark.parametrize(
    ("name", "balances"),
    [
        ("ws_account_wallet", {"BTC": D("0.00102964"), "USDT": D("9647.75537647")}),
        ("ws_account_wallet_locked_exceeds_total", {"USDT": 100}),
        ("ws_account_wallet_small_order", {"USDT": D("51333.82543837")}),
        ("http_get_wallet_balance_spot_short", {"ETH": 0, "USDT": 2500}),
    ],
)
def test_wallets(name, balances):
    found = read(name)
    (wallet,) = found.events if isinstance(found, AccountFrame) else found.values
    assert {balance.coin: balance.wallet_qty for balance in wallet.balances} == balances


def test_public_messages_and_answers():
    assert isinstance(read("ws_orderbook_snapshot"), BookFrame)
    assert read("ws_orderbook_delta").data.a == [("27451.00", "0")]
    ticker = read("ws_ticker_linear")
    assert isinstance(ticker, TickerFrame)
    assert (ticker.numbers["markPrice"], ticker.numbers["indexPrice"]) == (D("17217.33"), D("17227.36"))
    assert (read("ws_kline"), read("ws_public_trade")) == (Ignored(kind="kline"), Ignored(kind="trade"))
    refused = read("ws_auth_failure")
    assert (refused.ok, refused.code, refused.text) == (False, 10003, "Invalid apikey")
    for name, ok in (
        ("ws_auth_success", True),
        ("ws_subscription_ack", True),
        ("ws_subscription_failure", False),
    ):
        assert isinstance(read(name), ControlReply)
        assert read(name).ok is ok


def test_damaged_recordings_are_read_or_named():
    """Every recorded message with bytes cut out, doubled or exchanged, two thousand times with one seed."""
    random, texts = Random(20260809), {name: payload(name) for name in payload_names()}
    named = 0
    for _ in range(2_000):
        name = random.choice(sorted(texts))
        text = texts[name]
        for _ in range(random.randint(1, 3)):
            at, length = random.randrange(len(text)), random.randint(0, 12)
            piece = random.choice(
                ["", text[at : at + length] * 2, '"', "null", "-1", "NaN", '"x":1,', "[", "\ud800"]
            )
            text = text[:at] + piece + text[at + length :]
        try:
            if name.startswith("http_"):
                path, category, _ = REPLIES[name.removeprefix("http_get_")]
                decode_reply(path, category, text)
            else:
                decode_frame(text)
        except RemoteProtocolError as error:
            str(error).encode()
            named += 1
    assert named > 1_000


def test_an_answer_that_refuses_or_is_none_is_named():
    whole = json.loads(payload("http_get_positions"))
    for broken in ({"retCode": 10002}, {"retCode": "0"}, {"result": []}, {"result": {}}, {"retCode": True}):
        with pytest.raises(RemoteProtocolError):
            decode_reply("/v5/position/list", Category.LINEAR, json.dumps({**whole, **broken}))
    with pytest.raises(RemoteProtocolError, match="not known"):
        decode_reply("/v5/something", Category.LINEAR, json.dumps(whole))
