"""Rows about private streams: orders, fills, positions, the wallet, funding, and protection on disconnection."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import order_of, placed
from tests.conformance.sockets import acks_of, assert_pings
from tests.conformance.stage import BTC, FLOATS, INVERSE, MAKER, SPOT, TAKER, Stage, quiet_threads
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Private streams heard by pybit", "private stream")
TOPICS = ("order", "execution", "execution.fast", "position", "wallet")


class Diary:
    """What a private socket of pybit has told: rows by topic, and the topics in the order of their messages."""

    def __init__(self, socket: Any) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {topic: [] for topic in TOPICS}
        self.sequence: list[str] = []
        self.socket = socket

    def listen(self, *topics: str) -> None:
        """Subscribe topics, and wait until the venue has acknowledged each."""
        acked = acks_of(self.socket)
        streams = {
            "order": self.socket.order_stream,
            "execution": self.socket.execution_stream,
            "execution.fast": self.socket.fast_execution_stream,
            "position": self.socket.position_stream,
            "wallet": self.socket.wallet_stream,
        }
        for topic in topics:
            streams[topic](self._listener(topic))
        poll_until(lambda: acked == [True] * len(topics))

    def wait(self, topic: str, wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> dict[str, Any]:
        """Wait for a row that is wanted."""
        found: dict[str, Any] = poll_until(
            lambda: next((row for row in list(self.rows[topic]) if wanted(row)), None)
        )
        return found

    def _listener(self, topic: str) -> Callable[[dict[str, Any]], None]:
        def hear(message: dict[str, Any]) -> None:
            assert message["topic"] == topic
            self.rows[topic] += message["data"]
            self.sequence.append(topic)

        return hear


def listening(stage: Stage, *topics: str, **options: Any) -> Diary:
    """Open a private socket that hears of topics."""
    diary = Diary(stage.socket("private", **options))
    diary.listen(*topics)
    return diary


@ROWS.pybit_ws("order_stream", "order")
def life_of_an_order(stage: Stage) -> None:
    """New, PartiallyFilled, amended and Cancelled are told in this order, each with what is filled and left."""
    stage.btc_book()
    diary = listening(stage, "order")
    order_id = placed(
        stage, side="Buy", orderType="Limit", price="65000", qty="0.010", orderLinkId=stage.link()
    )
    stage.do("trade", **BTC, side="Sell", price="65000", qty="0.004")
    stage.http.amend_order(**BTC, orderId=order_id, qty="0.020")
    stage.http.cancel_order(**BTC, orderId=order_id)
    last = diary.wait("order", lambda row: row["orderStatus"] == "Cancelled")
    told = [(row["orderStatus"], row["qty"], row["cumExecQty"]) for row in diary.rows["order"]]
    assert told == [
        ("New", "0.010", "0.000"),
        ("PartiallyFilled", "0.010", "0.004"),
        ("PartiallyFilled", "0.020", "0.004"),
        ("Cancelled", "0.020", "0.004"),
    ]
    assert (last["category"], last["cancelType"], last["rejectReason"]) == (
        "linear",
        "CancelByUser",
        "EC_PerCancelRequest",
    )


@ROWS.pybit_ws("order_stream", "order")
def market_order_is_told_once(stage: Stage) -> None:
    """A market order on a contract is told once, as Filled."""
    stage.btc_book()
    diary = listening(stage, "order")
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    diary.wait("order", lambda row: row["orderStatus"] == "New")
    assert [row["orderStatus"] for row in diary.rows["order"]] == ["Filled", "New"]


@ROWS.pybit_ws("order_stream", "order")
def post_only_is_told_cancelled(stage: Stage) -> None:
    """A crossing PostOnly order is told as Cancelled with its reason."""
    stage.btc_book()
    diary = listening(stage, "order")
    placed(stage, side="Buy", orderType="Limit", price="65000.1", qty="0.01", timeInForce="PostOnly")
    row = diary.wait("order", lambda row: row["orderStatus"] == "Cancelled")
    assert (row["rejectReason"], row["cancelType"]) == ("EC_PostOnlyWillTakeLiquidity", "UNKNOWN")


@ROWS.pybit_ws("order_stream", "order")
def order_rejected_after_its_ack(stage: Stage) -> None:
    """An acknowledged order that the engine refuses is told as Rejected with the reason."""
    stage.btc_book()
    diary = listening(stage, "order")
    stage.do("reject_next", reason="EC_ReachRiskPriceLimit")
    order_id = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    row = diary.wait("order", lambda row: row["orderStatus"] == "Rejected")
    assert (row["orderId"], row["rejectReason"], D(row["cumExecQty"])) == (
        order_id,
        "EC_ReachRiskPriceLimit",
        0,
    )


@ROWS.pybit_ws("order_stream", "order")
def lost_cancel_race_is_told_twice(stage: Stage) -> None:
    """Losing the race gives a second Filled, with CancelByUser and EC_OrigClOrdIDDoesNotExist."""
    stage.btc_book()
    diary = listening(stage, "order")
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000", qty="0.01")
    stage.do("fill", orderId=order_id)
    stage.do("lost_race", orderId=order_id)
    row = diary.wait("order", lambda row: row["cancelType"] == "CancelByUser")
    assert (row["orderStatus"], row["rejectReason"]) == ("Filled", "EC_OrigClOrdIDDoesNotExist")
    assert [each["orderStatus"] for each in diary.rows["order"]] == ["New", "Filled", "Filled"]


@ROWS.pybit_ws("execution_stream", "execution")
def fills(stage: Stage) -> None:
    """Both fills of a market order come with exact price, quantity, fee, rate and what is left."""
    stage.btc_book()
    diary = listening(stage, "execution")
    order_id = placed(stage, side="Buy", orderType="Market", qty="0.03")
    poll_until(lambda: len(diary.rows["execution"]) == 2)
    first, second = diary.rows["execution"]
    assert (first["execPrice"], first["execQty"], first["leavesQty"]) == ("65000.10", "0.020", "0.010")
    assert (second["execPrice"], second["execQty"], second["leavesQty"]) == ("65000.50", "0.010", "0.000")
    assert D(first["execFee"]) == D("0.02") * D("65000.1") * TAKER
    assert {row["orderId"] for row in (first, second)} == {order_id}
    by_rest = {row["execId"] for row in stage.http.get_executions(**BTC)["result"]["list"]}
    assert by_rest == {first["execId"], second["execId"]}


@ROWS.pybit_ws("execution_stream", "execution")
def spot_fills(stage: Stage) -> None:
    """A spot buy's fill has its fee in bitcoin."""
    stage.spot_book()
    diary = listening(stage, "execution")
    placed(stage, SPOT, side="Buy", orderType="Market", qty="0.01", marketUnit="baseCoin")
    row = diary.wait("execution")
    assert (row["category"], row["feeCurrency"], D(row["execFee"])) == ("spot", "BTC", D("0.00001"))


@ROWS.pybit_ws("execution_stream", "execution")
def funding(stage: Stage) -> None:
    """Funding is an execution of type Funding: quantity is the position, a positive fee is paid from the wallet."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.02")
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    before = D(wallet["coin"][0]["walletBalance"])
    diary = listening(stage, "execution")
    stage.do("funding", **BTC, rate="0.001")
    row = diary.wait("execution", lambda row: row["execType"] == "Funding")
    assert (D(row["execQty"]), row["orderLinkId"], row["orderType"]) == (D("0.02"), "", "UNKNOWN")
    fee = D(row["execFee"])
    assert fee == FLOATS(D("0.02") * D(row["markPrice"]) * D("0.001"))
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    assert D(wallet["coin"][0]["walletBalance"]) == before - fee
    listed = stage.http.get_executions(**BTC, execType="Funding")["result"]["list"]
    assert [each["execId"] for each in listed] == [row["execId"]]


@ROWS.pybit_ws("execution_stream", "execution")
def liquidated(stage: Stage) -> None:
    """A liquidation is a BustTrade that closes the position; the symbol's orders are cancelled before it."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.02")
    resting = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    diary = listening(stage, "execution", "position")
    stage.do("liquidate", **BTC, key=stage.key.key)
    row = diary.wait("execution", lambda row: row["execType"] == "BustTrade")
    assert (row["side"], D(row["execQty"])) == ("Sell", D("0.02"))
    diary.wait("position", lambda row: row["size"] == "0")
    assert order_of(stage, resting)["cancelType"] == "CancelAllBeforeLiq"


@ROWS.pybit_ws("execution_stream", "execution")
def deleveraged(stage: Stage) -> None:
    """Auto-deleveraging is an AdlTrade that takes half of the position."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.02")
    diary = listening(stage, "execution")
    stage.do("adl", **BTC, key=stage.key.key, qty="0.01")
    row = diary.wait("execution", lambda row: row["execType"] == "AdlTrade")
    assert (row["side"], D(row["execQty"])) == ("Sell", D("0.01"))
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert D(position["size"]) == D("0.01")


@ROWS.pybit_ws("fast_execution_stream", "execution.fast")
def fast_fills(stage: Stage) -> None:
    """The short form has the fill's id and role and no fee; a maker's fill does not tell its link id."""
    stage.btc_book()
    diary = listening(stage, "execution.fast", "execution")
    link = stage.link()
    taker = placed(stage, side="Buy", orderType="Market", qty="0.01", orderLinkId=link)
    maker = placed(stage, side="Buy", orderType="Limit", price="65000", qty="0.01", orderLinkId=stage.link())
    stage.do("trade", **BTC, side="Sell", price="65000", qty="0.01")
    took = diary.wait("execution.fast", lambda row: row["orderId"] == taker)
    made = diary.wait("execution.fast", lambda row: row["orderId"] == maker)
    assert (took["orderLinkId"], took["isMaker"], took["execPrice"]) == (link, False, "65000.10")
    assert (made["orderLinkId"], made["isMaker"], made["execPrice"]) == ("", True, "65000.00")
    assert "execFee" not in took
    full = diary.wait("execution", lambda row: row["execId"] == made["execId"])
    assert D(full["execFee"]) == D("0.01") * 65000 * MAKER


@ROWS.pybit_ws("position_stream", "position")
def position(stage: Stage) -> None:
    """A fill moves the position; here the entry price is called entryPrice; placing alone is told too."""
    stage.btc_book()
    diary = listening(stage, "position")
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    flat = diary.wait("position")
    assert (flat["side"], flat["size"]) == ("", "0")
    placed(stage, side="Sell", orderType="Market", qty="0.02")
    row = diary.wait("position", lambda row: row["side"] == "Sell")
    assert (row["size"], D(row["entryPrice"]), row["positionIdx"]) == ("0.02", D("64999.9"), 0)
    assert "avgPrice" not in row


@ROWS.pybit_ws("position_stream", "position")
def inverse_position(stage: Stage) -> None:
    """An inverse position is told in dollars under its own category."""
    stage.inverse_book()
    diary = listening(stage, "position")
    placed(stage, INVERSE, side="Buy", orderType="Market", qty="300")
    row = diary.wait("position", lambda row: row["side"] == "Buy")
    assert (row["category"], row["symbol"], D(row["size"])) == ("inverse", "BTCUSD", 300)


@ROWS.pybit_ws("wallet_stream", "wallet")
def wallet(stage: Stage) -> None:
    """After a spot sale both coins are told with their new balances."""
    stage.spot_book()
    diary = listening(stage, "wallet")
    placed(stage, SPOT, side="Sell", orderType="Market", qty="0.01")
    due = 1_000_000 + D("0.01") * D("64999.9") * D("0.999")

    def balances() -> dict[str, D]:
        return {
            entry["coin"]: D(entry["walletBalance"])
            for row in list(diary.rows["wallet"])
            for entry in row["coin"]
        }

    poll_until(lambda: balances().get("USDT") == due and balances().get("BTC") == D("9.99"))


@ROWS.pybit_ws("order_stream", "order, execution, execution.fast, position, wallet")
def sequence_of_a_fill(stage: Stage) -> None:
    """Of one fill the short execution comes first, then the execution, the order, the position and the wallet."""
    stage.btc_book()
    diary = listening(stage, *TOPICS)
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    poll_until(lambda: set(diary.sequence) == set(TOPICS))
    firsts = sorted(TOPICS, key=diary.sequence.index)
    assert firsts == ["execution.fast", "execution", "order", "position", "wallet"]


@ROWS.pybit_ws("order_stream", "order")
def nothing_of_other_accounts(stage: Stage) -> None:
    """A stranger's order is not told; the own one that follows is."""
    stage.btc_book()
    diary = listening(stage, "order")
    other = Stage(stage.venue, stage.setting)
    try:
        placed(other, side="Buy", orderType="Limit", price="64000", qty="0.01")
        mine = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
        diary.wait("order")
    finally:
        other.close()
    assert {row["orderId"] for row in diary.rows["order"]} == {mine}


@ROWS.pybit_ws("order_stream", "order")
def two_sockets_of_one_account(stage: Stage) -> None:
    """Every socket of the account is told."""
    stage.btc_book()
    first, second = listening(stage, "order"), listening(stage, "order")
    order_id = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    assert first.wait("order")["orderId"] == second.wait("order")["orderId"] == order_id


@ROWS.pybit_ws("order_stream", "order")
def reconnects_and_authenticates_anew(stage: Stage) -> None:
    """With ``retries=0`` a private socket that is cut comes back by itself and is told of what happens then."""
    stage.btc_book()
    diary = listening(stage, "order", retries=0)
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    diary.wait("order")
    stage.fault(on="private", act="close")
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.02")
    known = len(diary.rows["order"])

    def told_again() -> bool:
        if len(diary.rows["order"]) > known:
            return True
        stage.http.cancel_all_orders(**BTC)
        placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.03")
        return False

    stage.http.retry_codes = {10006}
    stage.http.max_retries = 5
    poll_until(told_again)
    assert diary.socket.is_connected()


@ROWS.pybit_ws("subscribe", "dcp.future")
def protection_on_disconnection(stage: Stage) -> None:
    """Three seconds after the only socket that holds ``dcp.future`` is gone, orders end as CancelByDCP."""
    stage.btc_book()
    stage.http.set_dcp(product="DERIVATIVES", timeWindow=3)
    socket = stage.socket("private")
    acked = acks_of(socket)
    socket.subscribe("dcp.future", print, "future")
    poll_until(lambda: acked == [True])
    order_id = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    spot_id = placed(stage, SPOT, side="Buy", orderType="Limit", price="64900", qty="0.01")
    socket.exit()
    poll_until(lambda: stage.truth_of(order_id)["status"] == "Cancelled", 12.0)
    assert order_of(stage, order_id)["cancelType"] == "CancelByDCP"
    assert order_of(stage, spot_id, SPOT)["orderStatus"] == "New"


@ROWS.pybit_ws("order_stream", "order", REFUSED)
def wrong_secret(stage: Stage) -> None:
    """A socket with a wrong secret is not authenticated; the library ends it and tells nothing to its caller."""
    with quiet_threads():
        socket = stage.socket("private", api_secret="wrong", waits=False)
        poll_until(lambda: not socket.is_connected())
    assert socket.auth is False


@ROWS.pybit_ws("fast_execution_stream", "execution.fast.linear")
def fast_fills_of_one_category(stage: Stage) -> None:
    """A subscription of one category hears of a contract's fill under its own topic and nothing of a spot fill."""
    stage.btc_book()
    stage.spot_book()
    heard: list[dict[str, Any]] = []
    socket = stage.socket("private")
    acked = acks_of(socket)
    socket.fast_execution_stream(heard.append, "linear")
    poll_until(lambda: acked == [True])
    placed(stage, SPOT, side="Sell", orderType="Market", qty="0.001")
    placed(stage, side="Buy", orderType="Market", qty="0.001")
    poll_until(lambda: heard)
    assert {message["topic"] for message in heard} == {"execution.fast.linear"}
    assert {row["category"] for message in heard for row in message["data"]} == {"linear"}


@ROWS.pybit_ws("subscribe", "order.spot")
def orders_of_one_category(stage: Stage) -> None:
    """``order.spot`` tells spot orders under that very topic."""
    stage.spot_book()
    stage.btc_book()
    heard: list[dict[str, Any]] = []
    socket = stage.socket("private")
    acked = acks_of(socket)
    socket.subscribe("order.spot", heard.append, "spot")
    poll_until(lambda: acked == [True])
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001")
    placed(stage, SPOT, side="Buy", orderType="Limit", price="64900", qty="0.001")
    poll_until(lambda: heard)
    assert [(message["topic"], message["data"][0]["category"]) for message in heard] == [
        ("order.spot", "spot")
    ]


@ROWS.pybit_ws("subscribe", "order, order.linear", REFUSED)
def whole_and_one_category_together(stage: Stage) -> None:
    """The topic of all categories and that of one do not go together on a connection: the library ends it."""
    socket = stage.socket("private")
    acked = acks_of(socket)
    socket.order_stream(print)
    poll_until(lambda: acked == [True])
    with quiet_threads():
        socket.subscribe("order.linear", print, "linear")
        poll_until(lambda: not socket.is_connected())
    assert acked == [True]


@ROWS.pybit_ws("greek_stream", "greeks")
def greeks(stage: Stage) -> None:
    """The topic of option greeks may be subscribed."""
    socket = stage.socket("private")
    acked = acks_of(socket)
    socket.greek_stream(print)
    poll_until(lambda: acked == [True])


@ROWS.pybit_ws("order_stream", "order, execution")
def trade_by_hand(stage: Stage) -> None:
    """What the owner trades by hand is told like any other fill, with an order of an unknown id."""
    stage.btc_book()
    diary = listening(stage, "order", "execution", "position")
    done = stage.do("external", **BTC, key=stage.key.key, side="Buy", qty="0.01", price="65000")
    row = diary.wait("execution")
    assert (row["orderId"], row["execId"], D(row["execQty"])) == (done["orderId"], done["execId"], D("0.01"))
    assert diary.wait("order")["orderStatus"] == "Filled"
    assert diary.wait("position", lambda row: row["side"] == "Buy")["size"] == "0.01"


@ROWS.pybit_ws("wallet_stream", "wallet")
def money_paid_in(stage: Stage) -> None:
    """A changed balance is told without any order."""
    diary = listening(stage, "wallet")
    stage.do("balance", key=stage.key.key, coin="USDT", amount="1234.5")
    row = diary.wait("wallet")
    (entry,) = [coin for coin in row["coin"] if coin["coin"] == "USDT"]
    assert D(entry["walletBalance"]) == D("1234.5")


@ROWS.pybit_ws("order_stream", "order")
def pings_on_the_private_socket(stage: Stage) -> None:
    """Frames and texts of ping are answered: a socket that pings every 0.3 s lives on."""
    assert_pings(stage.socket("private", ping_interval=0.3, ping_timeout=0.2))
