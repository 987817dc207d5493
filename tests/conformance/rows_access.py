"""Rows about access: keys of both kinds, clocks, permissions, allowances, bans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.calls import REFUSED, Client, Rows, Setting
from tests.conformance.rows_linear import CREATE, placed
from tests.conformance.stage import BTC, BTC_SWAP, SPOT, Stage
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Keys, clocks and allowances", "access")
OPEN_ORDERS = "GET /v5/order/realtime"
LOW = {"side": "Buy", "orderType": "Limit", "price": "64000", "qty": "0.01"}


@ROWS.pybit("place_order", CREATE)
def rsa_key(stage: Stage) -> None:
    """A key of the RSA kind signs requests by GET and POST."""
    key, private_pem = stage.venue.fresh_rsa_key()
    stage.btc_book()
    http = stage.pybit_http(rsa_authentication=True, api_key=key.key, api_secret=private_pem)
    order_id = http.place_order(**BTC, **LOW)["result"]["orderId"]
    (order,) = http.get_open_orders(**BTC, orderId=order_id)["result"]["list"]
    assert order["orderStatus"] == "New"
    http.cancel_order(**BTC, orderId=order_id)


@ROWS.pybit_ws("order_stream", "order")
def rsa_key_on_sockets(stage: Stage) -> None:
    """A key of the RSA kind opens the private and the trade socket."""
    key, private_pem = stage.venue.fresh_rsa_key()
    identity = {"rsa_authentication": True, "api_key": key.key, "api_secret": private_pem}
    assert stage.socket("private", **identity).auth is True
    assert stage.socket("trade", **identity).auth is True


@ROWS.pybit("get_open_orders", OPEN_ORDERS, REFUSED)
def rsa_key_of_somebody_else(stage: Stage) -> None:
    """An RSA signature by another private key is 10004."""
    (first, _), (_, other_pem) = stage.venue.fresh_rsa_key(), stage.venue.fresh_rsa_key()
    http = stage.pybit_http(
        rsa_authentication=True, api_key=first.key, api_secret=other_pem, retry_codes={-999}, max_retries=1
    )
    assert stage.refusal(http.get_open_orders, **BTC)[0] == 10004


def _ccxt_with_rsa(client: Client) -> Any:
    async def act(stage: Stage) -> None:
        key, private_pem = stage.venue.fresh_rsa_key()
        stage.btc_book()
        async with stage.ccxt_client(client, apiKey=key.key, secret=private_pem) as exchange:
            order = await exchange.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
            gone = await exchange.cancel_order(order["id"], BTC_SWAP)
            assert gone["id"] == order["id"]

    act.__name__ = "rsa key"
    act.__doc__ = "A secret that is a private key in PEM signs as RSA: an order is placed and cancelled."
    return act


ROWS.plain(Client.CCXT, "create_order", CREATE)(_ccxt_with_rsa(Client.CCXT))
ROWS.plain(Client.CCXT_ASYNC, "create_order", CREATE)(_ccxt_with_rsa(Client.CCXT_ASYNC))


@ROWS.pybit("get_open_orders", OPEN_ORDERS, REFUSED)
def unknown_key(stage: Stage) -> None:
    """A key the venue does not know is 10003."""
    http = stage.pybit_http(api_key="nobody", retry_codes={-999}, max_retries=1)
    assert stage.refusal(http.get_open_orders, **BTC) == (10003, "API key is invalid.")


@ROWS.pybit("get_open_orders", OPEN_ORDERS, REFUSED)
def wrong_secret(stage: Stage) -> None:
    """A wrong secret is 10004, and the text shows what the venue signed."""
    http = stage.pybit_http(api_secret="wrong", retry_codes={-999}, max_retries=1)
    code, text = stage.refusal(http.get_open_orders, **BTC)
    assert code == 10004
    assert text.startswith("error sign! origin_string[")
    assert "category=linear&symbol=BTCUSDT]" in text


@ROWS.pybit("place_order", CREATE, REFUSED)
def stale_stamp(stage: Stage) -> None:
    """A stamp older than the window is 10002, and no order is made."""
    stage.btc_book()
    with stage.clock_moved(6_000):
        assert stage.refusal(stage.http.place_order, **BTC, **LOW)[0] == 10002
    assert stage.truth()["orders"] == []


@ROWS.pybit("place_order", CREATE, REFUSED)
def stamp_from_the_future(stage: Stage) -> None:
    """A stamp more than a second ahead of the venue is 10002 whatever the window."""
    http = stage.pybit_http(retry_codes={-999}, max_retries=1, recv_window=60_000)
    with stage.clock_moved(-1_500):
        assert stage.refusal(http.place_order, **BTC, **LOW)[0] == 10002


@ROWS.pybit("place_order", CREATE)
def wide_window_forgives_a_slow_clock(stage: Stage) -> None:
    """The same stale stamp passes with a window of a minute."""
    stage.btc_book()
    http = stage.pybit_http(recv_window=60_000)
    with stage.clock_moved(6_000):
        assert http.place_order(**BTC, **LOW)["retCode"] == 0


@ROWS.pybit("get_open_orders", OPEN_ORDERS, REFUSED)
def library_retries_a_stale_stamp_by_itself(stage: Stage) -> None:
    """Left to its defaults the library widens its window by 2.5 s a try: 9 s pass at the third, 60 s end as 400."""
    http = stage.pybit_http(retry_delay=0)
    with stage.clock_moved(9_000):
        assert http.get_open_orders(**BTC)["retCode"] == 0
    with stage.clock_moved(60_000), pytest.raises(Exception, match="retries exceeded maximum"):
        http.get_open_orders(**BTC)


def until_refused(call: Callable[[], object]) -> Any:
    """Repeat a call until it is refused; return the error."""

    def hammer() -> None:
        for _ in range(300):
            call()

    with pytest.raises(Exception, match="Too many visits") as caught:
        hammer()
    return caught.value


@ROWS.pybit("get_fee_rates", "GET /v5/account/fee-rate", REFUSED)
def allowance_used_up(stage: Stage) -> None:
    """Five requests of a second count down, the sixth is 10006 with a reset stamp that is not in the past."""
    http = stage.pybit_http(retry_codes={-999}, max_retries=1, return_response_headers=True)
    asked_ms = stage.http.get_server_time()["time"]
    left: list[str] = []
    error = until_refused(lambda: left.append(http.get_fee_rates(**BTC)[2]["X-Bapi-Limit-Status"]))
    assert (left[0], left[-1]) == ("4", "0")
    assert error.status_code == 10006
    assert error.resp_headers["X-Bapi-Limit"] == "5"
    assert asked_ms < int(error.resp_headers["X-Bapi-Limit-Reset-Timestamp"])


@ROWS.pybit("get_fee_rates", "GET /v5/account/fee-rate")
def library_waits_out_an_allowance(stage: Stage) -> None:
    """Left to its defaults the library sleeps until the reset stamp and goes on: seven requests succeed."""
    http = stage.pybit_http(retry_codes={10006}, max_retries=3)
    assert [http.get_fee_rates(**BTC)["retCode"] for _ in range(7)] == [0] * 7


@ROWS.pybit("place_order", CREATE, REFUSED)
def orders_too_fast(stage: Stage) -> None:
    """After ten contract orders in a second the next is 10006, and that one is not made."""
    stage.btc_book()
    taken: list[str] = []
    error = until_refused(lambda: taken.append(placed(stage, **LOW)))
    assert error.status_code == 10006
    assert len(taken) >= 10
    assert [row["orderId"] for row in stage.truth()["orders"]] == taken


@ROWS.ccxt("fetch_trading_fee", "GET /v5/account/fee-rate", REFUSED)
async def allowance_used_up_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """The sixth request of a second is RateLimitExceeded."""

    async def hammer() -> None:
        for _ in range(300):
            await ccxt.private_get_v5_account_fee_rate(BTC)

    assert "10006" in await stage.ccxt_refusal("RateLimitExceeded", hammer())


@ROWS.ccxt("fetch_open_orders", OPEN_ORDERS, REFUSED)
async def stale_stamp_of_ccxt(stage: Stage, ccxt: Any) -> None:
    """A stamp outside the window, either way, is InvalidNonce."""
    await ccxt.fetch_open_orders(BTC_SWAP)
    for offset_ms in (6_000, -1_500):
        with stage.clock_moved(offset_ms):
            assert "10002" in await stage.ccxt_refusal("InvalidNonce", ccxt.fetch_open_orders(BTC_SWAP))


@ROWS.ccxt("load_time_difference", "GET /v5/market/time")
async def clock_difference_is_measured(stage: Stage, ccxt: Any) -> None:
    """After measuring the difference, requests pass although the clocks are 6 s apart."""
    await ccxt.fetch_open_orders(BTC_SWAP)
    with stage.clock_moved(6_000):
        await ccxt.load_time_difference()
        ccxt.options["adjustForTimeDifference"] = True
        assert await ccxt.fetch_open_orders(BTC_SWAP) == []


def _ccxt_with_a_wrong_identity(client: Client) -> Any:
    async def act(stage: Stage) -> None:
        for identity, code in (({"secret": "wrong"}, "10004"), ({"apiKey": "nobody"}, "10003")):
            async with stage.ccxt_client(client, loads=False, **identity) as exchange:
                attempt = exchange.private_get_v5_order_realtime(BTC)
                assert code in await stage.ccxt_refusal("AuthenticationError", attempt)

    act.__name__ = "wrong secret and unknown key"
    act.__doc__ = "A wrong secret (10004) and an unknown key (10003) are AuthenticationError."
    return act


ROWS.plain(Client.CCXT, "fetch_open_orders", OPEN_ORDERS, REFUSED)(_ccxt_with_a_wrong_identity(Client.CCXT))
ROWS.plain(Client.CCXT_ASYNC, "fetch_open_orders", OPEN_ORDERS, REFUSED)(
    _ccxt_with_a_wrong_identity(Client.CCXT_ASYNC)
)


@ROWS.pybit("place_order", CREATE, REFUSED)
def key_that_may_only_read(stage: Stage) -> None:
    """A read-only key reads, and is refused an order with 10005."""
    stage.btc_book()
    stage.do("key", key=stage.key.key, readOnly=True)
    try:
        assert stage.http.get_open_orders(**BTC)["retCode"] == 0
        assert stage.http.get_api_key_information()["result"]["readOnly"] == 1
        assert stage.refusal(stage.http.place_order, **BTC, **LOW)[0] == 10005
    finally:
        stage.do("key", key=stage.key.key, readOnly=False)


@ROWS.pybit("get_open_orders", OPEN_ORDERS, REFUSED)
def key_taken_away(stage: Stage) -> None:
    """A key that is bound to another address is 10010, one that has expired 33004, one deleted 10003."""
    for code in (10010, 33004, 10003):
        stage.do("key", key=stage.key.key, revoke=code)
        try:
            assert stage.refusal(stage.http.get_open_orders, **BTC)[0] == code
        finally:
            stage.do("key", key=stage.key.key, revoke=0)


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def key_without_permission(stage: Stage, ccxt: Any) -> None:
    """Without permission an order is PermissionDenied; an expired key is AuthenticationError."""
    stage.btc_book()
    await ccxt.fetch_open_orders(BTC_SWAP)
    stage.do("key", key=stage.key.key, permissions={"ContractTrade": []})
    order = ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
    assert "10005" in await stage.ccxt_refusal("PermissionDenied", order)
    stage.do("key", key=stage.key.key, permissions={"ContractTrade": ["Order", "Position"]}, revoke=33004)
    try:
        assert "33004" in await stage.ccxt_refusal("AuthenticationError", ccxt.fetch_open_orders(BTC_SWAP))
    finally:
        stage.do("key", key=stage.key.key, revoke=0)


@ROWS.pybit("get_server_time", "GET /v5/market/time", REFUSED, Setting.STRICT)
def address_shut_out(stage: Stage) -> None:
    """Too many requests from one address are HTTP 403: FailedRequestError 403, also for what was allowed before."""
    http = stage.pybit_http()

    def hammer() -> None:
        for _ in range(60):
            http.get_server_time()

    for attempt in (hammer, http.get_server_time):
        with pytest.raises(stage.failed_request) as caught:
            attempt()
        error: Any = caught.value
        assert error.status_code == 403


def _ccxt_shut_out(client: Client) -> Any:
    async def act(stage: Stage) -> None:
        async with stage.ccxt_client(client, loads=False) as exchange:

            async def hammer() -> None:
                for _ in range(60):
                    await exchange.fetch_time()

            await stage.ccxt_refusal("RateLimitExceeded", hammer())

    act.__name__ = "address shut out"
    act.__doc__ = "HTTP 403 after too many requests is RateLimitExceeded."
    return act


ROWS.plain(Client.CCXT, "fetch_time", "GET /v5/market/time", REFUSED, Setting.STRICT)(
    _ccxt_shut_out(Client.CCXT)
)
ROWS.plain(Client.CCXT_ASYNC, "fetch_time", "GET /v5/market/time", REFUSED, Setting.STRICT)(
    _ccxt_shut_out(Client.CCXT_ASYNC)
)


@ROWS.pybit("place_order", CREATE, REFUSED)
def symbol_that_is_closed(stage: Stage) -> None:
    """An order on a contract that has been closed is 110074, and the instrument says so."""
    where = {"category": "linear", "symbol": "BTCPERP"}
    stage.do("instrument", **where, status="Closed")
    try:
        order = {"side": "Buy", "orderType": "Limit", "price": "64000", "qty": "0.01"}
        assert stage.refusal(stage.http.place_order, **where, **order)[0] == 110074
        (item,) = stage.http.get_instruments_info(**where, status="Closed")["result"]["list"]
        assert item["status"] == "Closed"
    finally:
        stage.do("instrument", **where, status="Trading")


@ROWS.pybit("place_order", CREATE, REFUSED)
def spot_pair_that_is_closed(stage: Stage) -> None:
    """An order on a spot pair that has been closed is 170151."""
    stage.spot_book()
    stage.do("instrument", **SPOT, status="Closed")
    try:
        order = {"side": "Buy", "orderType": "Limit", "price": "64900", "qty": "0.01"}
        assert stage.refusal(stage.http.place_order, **SPOT, **order)[0] == 170151
    finally:
        stage.do("instrument", **SPOT, status="Trading")


@ROWS.pybit("get_borrow_history", "GET /v5/account/borrow-history", REFUSED)
def unknown_route(stage: Stage) -> None:
    """An endpoint that the venue does not serve is HTTP 404: FailedRequestError 404."""
    with pytest.raises(stage.failed_request, match="404"):
        stage.http.get_borrow_history()


@ROWS.ccxt("private_get_v5_account_borrow_history", "GET /v5/account/borrow-history", REFUSED)
async def unknown_route_of_ccxt(stage: Stage, ccxt: Any) -> None:
    """The body beside HTTP 404 says 10017: BadRequest."""
    attempt = ccxt.private_get_v5_account_borrow_history({})
    assert "10017" in await stage.ccxt_refusal("BadRequest", attempt)


@ROWS.pybit("get_open_orders", OPEN_ORDERS)
def allowance_comes_back(stage: Stage) -> None:
    """A refused allowance is whole again a second later."""
    assert until_refused(lambda: stage.http.get_fee_rates(**BTC)).status_code == 10006

    def again() -> bool:
        try:
            stage.http.get_fee_rates(**BTC)
        except stage.invalid_request:
            return False
        return True

    assert poll_until(again)
