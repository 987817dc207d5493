"""A stand-in for Binance, written from its public documentation: one spot market and one USD-M contract, one account.

It checks what Binance checks of a request (signature, time, parameters, tick and
step, double ids among open orders, post-only) and answers in its forms and codes; faults are put in by hand.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
from contextlib import asynccontextmanager
from decimal import Decimal
from urllib.parse import parse_qsl

from aiohttp import web

from executor.runtime.clock import Clock

KEY, SECRET = "binance-key", "binance-secret"
SYMBOL = "BTCUSDT"
BID, ASK = Decimal("60100.0"), Decimal("60110.0")
SPOT_ORDER = {"symbol", "side", "type", "quantity", "price", "newClientOrderId", "newOrderRespType"}
LINEAR_ORDER = SPOT_ORDER | {"timeInForce", "reduceOnly", "positionSide"}
DAY_MS = 86_400_000


def now_ms():
    return Clock().now_ns() // 1_000_000


class Refused(Exception):  # noqa: N818 - reads as what happened
    def __init__(self, code, msg, status=400):
        super().__init__(msg)
        self.code, self.msg, self.status = code, msg, status


class Account:
    """The orders and executions of one family, and the faults to come."""

    def __init__(self, *, spot):
        self.spot = spot
        self.orders, self.trades, self.requests, self.faults = [], [], [], []
        self.hedged, self.ignored_cancels, self.position = False, 0, Decimal(0)
        self.numbers = itertools.count(1)

    # ------------------------------------------------------------------ levers

    def fault(self, act, *, path="order", method="POST", when="after", **more):
        self.faults.append({"act": act, "path": path, "method": method, "when": when, **more})

    def fill(self, name, qty=None):
        order = next(each for each in self.orders if each["clientOrderId"] == name)
        self.execute(order, Decimal(qty) if qty else order["qty"] - order["cum"], is_maker=True)

    def sent(self, path="order", method="POST"):
        return [text for how, where, text in self.requests if (how, where) == (method, path)]

    def execute(self, order, qty, *, is_maker):
        order["cum"] += qty
        order["status"] = "FILLED" if order["cum"] == order["qty"] else "PARTIALLY_FILLED"
        order["updated"] = now_ms()
        self.position += qty if order["side"] == "BUY" else -qty
        self.trades.append(
            {
                "symbol": SYMBOL,
                "id": next(self.numbers),
                "orderId": order["orderId"],
                "price": str(order["px"]),
                "qty": str(qty),
                "quoteQty": str(qty * order["px"]),
                "commission": str(qty / 1000) if self.spot else "0.01200000",
                "commissionAsset": "BTC" if self.spot else "USDT",
                "time": now_ms(),
                **(
                    {
                        "orderListId": -1,
                        "isBuyer": order["side"] == "BUY",
                        "isMaker": is_maker,
                        "isBestMatch": True,
                    }
                    if self.spot
                    else {
                        "side": order["side"],
                        "buyer": order["side"] == "BUY",
                        "maker": is_maker,
                        "positionSide": "BOTH",
                        "realizedPnl": "0",
                    }
                ),
            }
        )

    # ------------------------------------------------------------------ answers

    def answer(self, method, path, asked, is_signed):
        if is_signed:
            sent = (
                asked.pop("timestamp", None),
                int(asked.pop("recvWindow", "5000")),
                asked.pop("signature", None),
            )
            if not sent[0] or not sent[2]:
                raise Refused(
                    -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
                )
            if now_ms() - int(sent[0]) > sent[1] or int(sent[0]) > now_ms() + 1000:
                raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
        return getattr(self, f"{method.lower()}_{path}")(asked)

    def get_time(self, _):
        return {"serverTime": now_ms()}

    def get_exchangeInfo(self, _):  # noqa: N802 - the name of the path
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000.000", "stepSize": "0.001"},
            {"filterType": "NOTIONAL", "minNotional": "5.00", "maxNotional": "9000000.00"}
            if self.spot
            else {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ]
        coin = {
            "symbol": SYMBOL,
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "filters": filters,
        }
        kinds = {
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "isSpotTradingAllowed": True,
            "permissions": [],
        }
        contract = {
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "marginAsset": "USDT",
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            "quantityPrecision": 3,
            "pricePrecision": 2,
        }
        return {
            "timezone": "UTC",
            "serverTime": now_ms(),
            "symbols": [coin | (kinds if self.spot else contract)],
        }

    def get_depth(self, _):
        book = {"lastUpdateId": next(self.numbers), "bids": [[str(BID), "1.5"]], "asks": [[str(ASK), "2.5"]]}
        return book if self.spot else book | {"E": now_ms(), "T": now_ms()}

    def get_aggTrades(self, _):  # noqa: N802
        row = {"p": "60105.0", "q": "0.5", "f": 1, "l": 1, "T": now_ms(), "m": False}
        return [{"a": next(self.numbers), **row, **({"M": True} if self.spot else {})}]

    def get_account(self, _):
        return {"accountType": "SPOT", "balances": [{"asset": "BTC", "free": "1", "locked": "0.1"}]}

    def get_positionRisk(self, _):  # noqa: N802
        side = ("LONG" if self.position > 0 else "SHORT") if self.hedged else "BOTH"
        row = {
            "symbol": SYMBOL,
            "positionSide": side,
            "positionAmt": str(self.position),
            "entryPrice": "60000.0",
            "breakEvenPrice": "60000.0",
            "markPrice": "60105.0",
            "unRealizedProfit": "0",
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": str(self.position * 60105),
            "marginAsset": "USDT",
            "isolatedWallet": "0",
            "initialMargin": "0",
            "maintMargin": "0",
            "positionInitialMargin": "0",
            "openOrderInitialMargin": "0",
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": now_ms(),
        }
        return [row] if self.position else []

    def post_order(self, asked):
        known = SPOT_ORDER | {"timeInForce"} if self.spot else LINEAR_ORDER
        lacking = sorted((SPOT_ORDER if self.spot else SPOT_ORDER | {"timeInForce"}) - set(asked))
        is_maker = asked.get("type") == "LIMIT_MAKER"
        if set(asked) - known:
            raise Refused(-1104, "Not all sent parameters were read.")
        if lacking or (self.spot and is_maker == ("timeInForce" in asked)):
            raise Refused(
                -1102, f"Mandatory parameter '{lacking[:1]}' was not sent, was empty/null, or malformed."
            )
        if asked["symbol"] != SYMBOL:
            raise Refused(-1121, "Invalid symbol.")
        if self.hedged:
            raise Refused(-4061, "Order's position side does not match user's setting.")
        qty, px = Decimal(asked["quantity"]), Decimal(asked["price"])
        if px < 1000 and self.spot:
            raise Refused(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
        if px < 1000:
            raise Refused(-4024, "Limit price can't be lower than 50000.0.")
        if qty > 100:
            raise (
                Refused(-2010, "Account has insufficient balance for requested action.")
                if self.spot
                else Refused(-2019, "Margin is insufficient.")
            )
        if any(each["clientOrderId"] == asked["newClientOrderId"] for each in self.open()):
            raise (
                Refused(-2010, "Duplicate order sent.")
                if self.spot
                else Refused(-4116, "ClientOrderId is duplicated.")
            )
        crosses = px >= ASK if asked["side"] == "BUY" else px <= BID
        if crosses and is_maker:
            raise Refused(-2010, "Order would immediately match and take.")
        if crosses and asked.get("timeInForce") == "GTX":
            raise Refused(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected.",
            )
        order = {
            "orderId": next(self.numbers),
            "clientOrderId": asked["newClientOrderId"],
            "side": asked["side"],
            "type": asked["type"],
            "tif": asked.get("timeInForce", "GTC"),
            "px": px,
            "qty": qty,
            "cum": Decimal(0),
            "status": "NEW",
            "time": now_ms(),
            "updated": now_ms(),
        }
        self.orders.append(order)
        if crosses:
            self.execute(order, qty, is_maker=False)
        elif order["tif"] == "IOC":
            order["status"] = "EXPIRED"
        shown = self.row(order)
        return shown | {"transactTime": order["time"]} if self.spot else shown

    def delete_order(self, asked):
        if set(asked) - {"symbol", "origClientOrderId", "orderId"}:
            raise Refused(-1104, "Not all sent parameters were read.")
        order = next((each for each in self.open() if self.is_asked(each, asked)), None)
        if order is None:
            raise Refused(-2011, "Unknown order sent.")
        if self.ignored_cancels:
            self.ignored_cancels -= 1
            return self.row(order) | {"status": "CANCELED", "origClientOrderId": order["clientOrderId"]}
        order["status"], order["updated"] = "CANCELED", now_ms()
        shown = self.row(order)
        if self.spot:  # the id of the cancel stands where that of the order stood
            shown |= {"origClientOrderId": order["clientOrderId"], "clientOrderId": "cancelMyOrder1"}
        return shown

    def get_order(self, asked):
        order = next((each for each in self.orders if self.is_asked(each, asked)), None)
        if order is None:
            raise Refused(-2013, "Order does not exist.")
        return self.row(order)

    def get_openOrders(self, _):  # noqa: N802
        return [self.row(order) for order in self.open()]

    def get_allOrders(self, asked):  # noqa: N802
        return [self.row(order) for order in self.orders][-int(asked["limit"]) :]

    def get_myTrades(self, asked):  # noqa: N802
        allowed = (
            ({"orderId", "fromId"}, {"startTime", "endTime"})
            if self.spot
            else (
                {"orderId", "fromId"},
                {"orderId", "startTime", "endTime"},
            )
        )
        named = set(asked) - {"symbol", "limit"}
        if not any(named <= each for each in allowed):
            raise Refused(-1128, "Combination of optional parameters invalid.")
        start, end = int(asked.get("startTime", 0)), int(asked.get("endTime", now_ms() + DAY_MS))
        if "endTime" in asked and end - start > (1 if self.spot else 7) * DAY_MS:
            raise Refused(-1127, "More than 24 hours between startTime and endTime.")
        rows = [
            row
            for row in self.trades
            if start <= row["time"] <= end
            and str(row["orderId"]) == asked.get("orderId", str(row["orderId"]))
            and row["id"] >= int(asked.get("fromId", 0))
        ]
        return rows[: int(asked["limit"])]

    get_userTrades = get_myTrades  # noqa: N815

    # ------------------------------------------------------------------ rows

    def open(self):
        return [each for each in self.orders if each["status"] in {"NEW", "PARTIALLY_FILLED"}]

    @staticmethod
    def is_asked(order, asked):
        return asked.get("origClientOrderId") == order["clientOrderId"] or asked.get("orderId") == str(
            order["orderId"]
        )

    def row(self, order):
        shared = {
            "symbol": SYMBOL,
            "orderId": order["orderId"],
            "clientOrderId": order["clientOrderId"],
            "price": str(order["px"]),
            "origQty": str(order["qty"]),
            "executedQty": str(order["cum"]),
            "status": order["status"],
            "timeInForce": order["tif"],
            "type": order["type"],
            "side": order["side"],
            "time": order["time"],
            "updateTime": order["updated"],
        }
        if self.spot:
            return shared | {
                "orderListId": -1,
                "cummulativeQuoteQty": str(order["cum"] * order["px"]),
                "isWorking": True,
            }
        return shared | {
            "avgPrice": str(order["px"]) if order["cum"] else "0.00",
            "cumQuote": str(order["cum"] * order["px"]),
            "reduceOnly": False,
            "closePosition": False,
            "positionSide": "BOTH",
            "origType": order["type"],
        }


class Standin:
    """Both families at one address."""

    def __init__(self):
        self.spot, self.linear = Account(spot=True), Account(spot=False)
        self.rest_url = ""

    async def serve(self, request):
        account = self.spot if request.path.startswith("/api/") else self.linear
        path = request.path.rpartition("/")[2]
        text = await request.text() if request.method == "POST" else request.query_string
        account.requests.append((request.method, path, text))
        fault = next(
            (each for each in account.faults if (each["method"], each["path"]) == (request.method, path)),
            None,
        )
        if fault:
            account.faults.remove(fault)
            if fault["when"] == "before":
                return await self.spoil(request, fault)
        status, told = self.told(account, request, path, text)
        if fault:
            return await self.spoil(request, fault)
        return web.json_response(told, status=status)

    @staticmethod
    def told(account, request, path, text):
        asked = dict(parse_qsl(text, keep_blank_values=True))
        try:
            if "signature" in asked:
                signed = text.rpartition("&signature=")[0]
                right = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
                if request.headers.get("X-MBX-APIKEY") != KEY:
                    raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
                if asked["signature"] != right:
                    raise Refused(-1022, "Signature for this request is not valid.")
            return 200, account.answer(request.method, path, asked, "signature" in asked)
        except Refused as refusal:
            return refusal.status, {"code": refusal.code, "msg": refusal.msg}

    @staticmethod
    async def spoil(request, fault):
        match fault["act"]:
            case "drop":
                request.transport.abort()
                return web.Response()
            case "delay":
                await asyncio.sleep(fault["delay_s"])
                return web.json_response({})
            case "code":
                told = {"code": fault["code"], "msg": fault.get("msg", "said by hand")}
                return web.json_response(told, status=fault.get("status", 400))
            case "raw":
                kind = fault.get("kind", "application/json")
                return web.Response(text=fault["text"], status=fault.get("status", 200), content_type=kind)
        raise AssertionError(json.dumps(fault))


@asynccontextmanager
async def running_standin():
    standin = Standin()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", standin.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    standin.rest_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield standin
    finally:
        await runner.cleanup()
