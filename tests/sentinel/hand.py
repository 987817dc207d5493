"""Orders placed by hand, past the daemon: signed here, so that nothing of the house vouches for itself."""

import hashlib
import hmac
import json

import aiohttp

from executor.runtime.clock import Clock

KEY, SECRET = "sandbox-key", "sandbox-secret-0123456789abcdef"

LINEAR = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
RESTING = {
    "linear USDT": {**LINEAR, "price": "50000"},
    "linear USDC": {**LINEAR, "symbol": "BTCPERP", "price": "50000"},
    "linear conditional": {**LINEAR, "price": "50000", "triggerPrice": "80000", "triggerDirection": 1},
    "inverse": {**LINEAR, "category": "inverse", "symbol": "BTCUSD", "qty": "10", "price": "50000"},
    "inverse ETH": {**LINEAR, "category": "inverse", "symbol": "ETHUSD", "qty": "10", "price": "2000"},
    "spot": {**LINEAR, "category": "spot", "price": "50000"},
    "spot conditional": {
        **LINEAR,
        "category": "spot",
        "price": "80000",
        "triggerPrice": "79000",
        "orderFilter": "StopOrder",
    },
}
"""One order of every kind that rests far from the market."""


async def send(rest_url, path, fields):
    body = json.dumps(fields)
    stamp, window = str(Clock().now_ns() // 1_000_000), "5000"
    sign = hmac.new(SECRET.encode(), f"{stamp}{KEY}{window}{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "X-BAPI-API-KEY": KEY,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": sign,
        "Content-Type": "application/json",
    }
    async with (
        aiohttp.ClientSession() as http,
        http.post(rest_url + path, data=body, headers=headers) as answer,
    ):
        return await answer.json()


async def place(rest_url, kinds=tuple(RESTING)):
    """Place one order of each kind; every one must be taken."""
    for kind in kinds:
        answer = await send(rest_url, "/v5/order/create", RESTING[kind])
        assert answer["retCode"] == 0, (kind, answer)


def open_of(account):
    """Orders of an account's truth that still stand."""
    return [row for row in account["orders"] if row["status"] in {"New", "PartiallyFilled", "Untriggered"}]
