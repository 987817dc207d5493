"""Rows about what the account has done on linear perpetuals: open orders, history, fills, positions."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import LOW, placed
from tests.conformance.stage import BTC, BTC_SWAP, FLOATS, XRP, Stage
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Open orders, history, fills and positions", "records")


@ROWS.pybit("get_open_orders", "GET /v5/order/realtime")
def open_orders_by_page(stage: Stage) -> None:
    """Pages of two, followed by cursor, give every open order once, the newest first."""
    stage.btc_book()
    ids = [placed(stage, **LOW, qty=f"0.00{n}") for n in range(1, 6)]
    found, cursor = [], None
    while cursor != "":
        result = stage.http.get_open_orders(**BTC, limit=2, cursor=cursor)["result"]
        assert len(result["list"]) <= 2
        found += [row["orderId"] for row in result["list"]]
        cursor = result["nextPageCursor"]
    assert found == ids[::-1]


@ROWS.pybit("get_open_orders", "GET /v5/order/realtime")
def closed_orders_of_a_moment_ago(stage: Stage) -> None:
    """A closed order is found by link id, and among the recent ones with ``openOnly=1``, not among the open ones."""
    stage.btc_book()
    link = stage.link()
    order_id = placed(stage, **LOW, qty="0.010", orderLinkId=link)
    stage.http.cancel_order(**BTC, orderId=order_id)
    (by_link,) = stage.http.get_open_orders(**BTC, orderLinkId=link)["result"]["list"]
    (recent,) = stage.http.get_open_orders(**BTC, openOnly=1)["result"]["list"]
    assert by_link["orderId"] == recent["orderId"] == order_id
    assert stage.http.get_open_orders(**BTC, openOnly=0)["result"]["list"] == []


def _rows_if_let_in(stage: Stage) -> list[Any]:
    """Open orders, or none while too many questions were asked: a retry of pybit may sleep a negative time."""
    try:
        rows: list[Any] = stage.http.get_open_orders(**BTC)["result"]["list"]
    except stage.invalid_request:
        return []
    return rows


@ROWS.pybit("get_open_orders", "GET /v5/order/realtime")
def query_trails_the_matching(stage: Stage) -> None:
    """While the venue's queries lag, a new order is not to be seen yet; afterwards it is."""
    stage.btc_book()
    stage.do("lag", ms=1500)
    try:
        placed(stage, **LOW, qty="0.010")
        assert stage.http.get_open_orders(**BTC)["result"]["list"] == []
        poll_until(lambda: _rows_if_let_in(stage))
    finally:
        stage.do("lag", ms=0)


@ROWS.pybit("get_order_history", "GET /v5/order/history")
def history_by_status_and_symbol(stage: Stage) -> None:
    """History holds ended orders only, and picks by status, by symbol and by id."""
    stage.btc_book()
    filled = placed(stage, side="Buy", orderType="Market", qty="0.01")
    cancelled = placed(stage, **LOW, qty="0.010")
    stage.http.cancel_order(**BTC, orderId=cancelled)
    placed(stage, **LOW, qty="0.010")

    def history(**chosen: Any) -> list[str]:
        rows = stage.http.get_order_history(category="linear", **chosen)["result"]["list"]
        return [row["orderId"] for row in rows]

    assert history() == [cancelled, filled]
    assert history(orderStatus="Filled") == [filled]
    assert history(symbol="ETHUSDT") == []
    assert history(orderId=cancelled) == [cancelled]


@ROWS.pybit("get_order_history", "GET /v5/order/history", REFUSED)
def history_over_more_than_a_week(stage: Stage) -> None:
    """A window of more than seven days is a parameter error."""
    week_ms = 7 * 24 * 3600 * 1000
    window = {"startTime": 1_700_000_000_000, "endTime": 1_700_000_000_001 + week_ms}
    assert stage.refusal(stage.http.get_order_history, **BTC, **window)[0] == 10001


@ROWS.pybit("get_executions", "GET /v5/execution/list")
def executions_by_page_and_window(stage: Stage) -> None:
    """Every fill comes once over all pages; a window that ended before finds none; links are carried."""
    stage.btc_book()
    links = [stage.link() for _ in range(3)]
    for link in links:
        placed(stage, side="Buy", orderType="Market", qty="0.01", orderLinkId=link)
    found, cursor = [], None
    while cursor != "":
        result = stage.http.get_executions(**BTC, limit=1, cursor=cursor)["result"]
        found += result["list"]
        cursor = result["nextPageCursor"]
    assert len({row["execId"] for row in found}) == len(found) == 3
    assert [row["orderLinkId"] for row in found] == links[::-1]
    before_ms = int(found[-1]["execTime"]) - 60_000
    assert stage.http.get_executions(**BTC, endTime=before_ms)["result"]["list"] == []
    assert len(stage.http.get_executions(**BTC, orderLinkId=links[0])["result"]["list"]) == 1


@ROWS.pybit("get_positions", "GET /v5/position/list")
def position_opened_reduced_closed(stage: Stage) -> None:
    """Size, side, entry and realised profit follow a buy, a half sale at a better price and the rest."""
    stage.lay_book([("65010.0", "0.010"), ("64999.0", "5")], [("65020.0", "5")], **BTC)
    stage.do("quote", **BTC, side="Sell", price="65015.0", qty="0.020")
    placed(stage, side="Buy", orderType="Market", qty="0.02")
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert (position["side"], position["size"], D(position["avgPrice"])) == ("Buy", "0.02", D(65015))
    assert (position["positionIdx"], position["leverage"]) == (0, "10")
    assert D(position["positionIM"]) == D("0.02") * 65015 / 10
    placed(stage, side="Sell", orderType="Market", qty="0.01", reduceOnly=True)
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert (position["size"], D(position["avgPrice"])) == ("0.01", D(65015))
    placed(stage, side="Sell", orderType="Market", qty="0.01", reduceOnly=True)
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert (position["side"], position["size"]) == ("", "0")
    profit = D("0.01") * (65010 - 65015) + D("0.01") * (64999 - 65015)
    fees = sum(D(f["execFee"]) for f in stage.http.get_executions(**BTC)["result"]["list"])
    wallet = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"][0]["coin"][0]
    assert D(wallet["walletBalance"]) == 1_000_000 + profit - fees


@ROWS.pybit("get_positions", "GET /v5/position/list")
def position_turned_round(stage: Stage) -> None:
    """A sale of more than the position leaves a short with the sale's price as entry."""
    stage.lay_book([("64999.9", "1")], [("65000.1", "1")], **BTC)
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    placed(stage, side="Sell", orderType="Market", qty="0.03")
    (position,) = stage.http.get_positions(category="linear", settleCoin="USDT")["result"]["list"]
    assert (position["side"], position["size"], D(position["avgPrice"])) == ("Sell", "0.02", D("64999.9"))
    fills = stage.http.get_executions(**BTC)["result"]["list"]
    assert D(fills[0]["closedSize"]) == D("0.01")


@ROWS.pybit("get_positions", "GET /v5/position/list")
def flat_rows(stage: Stage) -> None:
    """By symbol a flat row is shown with side and size empty; by settle coin nothing is."""
    (flat,) = stage.http.get_positions(**XRP)["result"]["list"]
    assert (flat["side"], flat["size"], flat["positionIdx"]) == ("", "0", 0)
    assert stage.http.get_positions(category="linear", settleCoin="USDT")["result"]["list"] == []


@ROWS.ccxt("fetch_closed_orders", "GET /v5/order/history")
async def closed_orders(stage: Stage, ccxt: Any) -> None:
    """Filled orders are closed, canceled ones are not among them but among the canceled and closed."""
    stage.btc_book()
    bought = await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    dropped = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
    await ccxt.cancel_order(dropped["id"], BTC_SWAP)
    (closed,) = await ccxt.fetch_closed_orders(BTC_SWAP)
    assert (closed["id"], closed["status"], closed["filled"]) == (bought["id"], "closed", 0.01)
    both = await ccxt.fetch_canceled_and_closed_orders(BTC_SWAP)
    assert {order["id"] for order in both} == {bought["id"], dropped["id"]}


@ROWS.ccxt("fetch_open_order", "GET /v5/order/realtime")
async def one_open_order(stage: Stage, ccxt: Any) -> None:
    """One open order is fetched by id; a closed one by fetch_closed_order."""
    stage.btc_book()
    resting = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
    filled = await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    assert (await ccxt.fetch_open_order(resting["id"], BTC_SWAP))["status"] == "open"
    assert (await ccxt.fetch_closed_order(filled["id"], BTC_SWAP))["status"] == "closed"


@ROWS.ccxt("fetch_my_trades", "GET /v5/execution/list")
async def my_trades(stage: Stage, ccxt: Any) -> None:
    """Fills carry order, side, price, amount, role and fee in USDT, for a taker and for a maker."""
    stage.btc_book()
    taker = await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    maker = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 65000)
    stage.do("trade", **BTC, side="Sell", price="65000.0", qty="0.01")
    trades = {trade["order"]: trade for trade in await ccxt.fetch_my_trades(BTC_SWAP)}
    took, made = trades[taker["id"]], trades[maker["id"]]
    assert (took["takerOrMaker"], took["price"], took["amount"], took["side"]) == (
        "taker",
        65000.1,
        0.01,
        "buy",
    )
    assert (took["fee"]["currency"], took["fee"]["cost"]) == ("USDT", FLOATS(0.01 * 65000.1 * 0.00055))
    assert (made["takerOrMaker"], made["price"]) == ("maker", 65000.0)
    assert (made["fee"]["rate"], made["fee"]["cost"]) == (0.0002, FLOATS(0.01 * 65000 * 0.0002))
    (one,) = await ccxt.fetch_order_trades(maker["id"], BTC_SWAP)
    assert one["id"] == made["id"]


@ROWS.ccxt("fetch_positions", "GET /v5/position/list")
async def positions(stage: Stage, ccxt: Any) -> None:
    """A short is parsed with contracts, entry price, leverage, notional and mark."""
    stage.btc_book()
    await ccxt.create_order(BTC_SWAP, "market", "sell", 0.02)
    (position,) = await ccxt.fetch_positions([BTC_SWAP])
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", 0.02, 64999.9)
    assert (position["leverage"], position["hedged"], position["symbol"]) == (10.0, False, BTC_SWAP)
    assert position["initialMargin"] == FLOATS(0.02 * 64999.9 / 10, rel=0.01)
    single = await ccxt.fetch_position(BTC_SWAP)
    assert (single["side"], single["contracts"]) == ("short", 0.02)
