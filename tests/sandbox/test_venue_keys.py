"""What a key may do, and a key that dies while it is in use: the same verdict at every door."""

import aiohttp
import pytest

from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}


@pytest.fixture
def change(control, key):
    def call(**fields):
        return control("POST", "/_ex", {"do": "key", "key": key.key, **fields})

    yield call
    call(revoke=0, readOnly=False, expiredAt="2099-05-15T03:21:05Z")


def far(key, name):
    return {**ORDER, "price": "64500", "orderLinkId": f"{key.key}-{name}"}


def auth(key):
    expires = str(now_ms(SystemClock()) + 5000)
    return {"op": "auth", "args": [key.key, expires, sign(key.secret, stream_payload(expires))]}


def test_the_key_tells_about_itself(http, key, change):
    info = http.get_api_key_information()["result"]
    assert (info["apiKey"], info["readOnly"], info["ips"], info["userID"]) == (key.key, 0, ["*"], key.uid)
    assert info["permissions"]["Wallet"] == []
    assert (info["uta"], info["unified"], info["isMaster"]) == (1, 0, True)
    change(
        readOnly=True,
        permissions={"ContractTrade": ["Order"], "Wallet": ["AccountTransfer", "Withdraw"]},
        ips=["10.0.0.1"],
        expiredAt="2098-01-02T03:04:05Z",
    )
    info = http.get_api_key_information()["result"]
    assert (info["readOnly"], info["ips"], info["expiredAt"]) == (1, ["10.0.0.1"], "2098-01-02T03:04:05Z")
    assert info["permissions"]["Wallet"] == ["AccountTransfer", "Withdraw"]
    assert info["deadlineDay"] > 10_000
    change(expiredAt="")
    assert http.get_api_key_information()["result"]["deadlineDay"] == -1


def test_a_key_that_may_only_read(raw, key, change):
    change(readOnly=True)
    assert raw.post("/v5/order/create", far(key, "ro"))["retCode"] == 10005
    assert raw.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT")["retCode"] == 0
    change(readOnly=False)
    assert raw.post("/v5/order/create", far(key, "rw"))["retCode"] == 0


def test_permissions_are_by_product(raw, key, change):
    change(permissions={"Spot": ["SpotTrade"], "ContractTrade": ["Position"]})
    assert raw.post("/v5/order/create", far(key, "c"))["retCode"] == 10005
    spot = {**far(key, "s"), "category": "spot", "price": "64900"}
    assert raw.post("/v5/order/create", spot)["retCode"] == 0
    leverage = {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "3", "sellLeverage": "3"}
    assert raw.post("/v5/position/set-leverage", leverage)["retCode"] == 0
    change(permissions={"ContractTrade": ["Order"]})
    assert raw.post("/v5/position/set-leverage", leverage)["retCode"] == 10005
    assert raw.post("/v5/order/cancel-all", {"category": "spot"})["retCode"] == 10005


@pytest.mark.parametrize("code", [10003, 10005, 10010, 33004])
async def test_a_revoked_key_is_refused_at_every_door(venue, raw, key, change, code):
    import asyncio

    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.ws_url + "/v5/trade") as before,
        client.ws_connect(venue.ws_url + "/v5/trade") as later,
        client.ws_connect(venue.ws_url + "/v5/private") as private,
    ):
        await before.send_json(auth(key))
        assert (await before.receive(5)).json()["retCode"] == 0
        assert (await asyncio.to_thread(change, revoke=code))["revoke"] == code
        answer = await asyncio.to_thread(raw.get, "/v5/account/info")
        assert (answer["retCode"], answer["result"]) == (code, {})
        assert (await asyncio.to_thread(raw.post, "/v5/order/create", far(key, "x")))["retCode"] == code
        header = {"X-BAPI-TIMESTAMP": now_ms(SystemClock())}
        request = {"op": "order.create", "reqId": "1", "header": header, "args": [far(key, "y")]}
        await before.send_json(request)
        assert (await before.receive(5)).json()["retCode"] == code
        await later.send_json(auth(key))
        assert (await later.receive(5)).json()["retCode"] == code
        await private.send_json(auth(key))
        verdict = (await private.receive(5)).json()
        assert (verdict["success"], verdict["op"]) == (False, "auth")
        await asyncio.to_thread(change, revoke=0)
        await before.send_json({**request, "reqId": "2"})
        assert (await before.receive(5)).json()["retCode"] == 0


def test_a_key_past_its_date(raw, change):
    change(expiredAt="2020-01-01T00:00:00Z")
    assert raw.get("/v5/account/info")["retCode"] == 33004
    change(expiredAt="2099-01-01T00:00:00Z")
    assert raw.get("/v5/account/info")["retCode"] == 0
