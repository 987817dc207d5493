"""What a client may read about its own account."""

from __future__ import annotations

from decimal import Decimal

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.instruments import instrument_shape
from sandbox.bybit_server.order_requests import find_market, read_category
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.private_shapes import position_shape, wallet_shape
from sandbox.bybit_server.refusal import parameter_error


def positions(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer position/list: a flat row too when the symbol is named, else what is not flat."""
    category = read_category(fields)
    if category == "spot":
        raise parameter_error("params error: category invalid")
    symbol, base, settle = (fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    if category == "linear" and not (symbol or settle):
        raise parameter_error("params error: symbol or settleCoin is required")
    if symbol:
        market = exchange.markets.get((category, symbol))
        if market is None:
            raise parameter_error("params error: symbol invalid")
        rows = list(account.slots(market.instrument))
    else:
        rows = [
            position
            for position in account.positions.values()
            if position.size
            and position.instrument.category == category
            and settle in {"", position.instrument.settle_coin}
            and base in {"", position.instrument.base_coin}
        ]
    marks = exchange.marks()
    chosen, cursor = page(
        rows, fields, limit_default=20, limit_max=200, name=lambda p: f"{p.instrument.symbol}.{p.index}"
    )
    shapes = [position_shape(account, p, marks[p.instrument.key]) for p in chosen]
    return {"category": category, "list": shapes, "nextPageCursor": cursor}


def wallet_balance(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/wallet-balance for the coins named, or for all that are not zero."""
    if fields.text("accountType") != "UNIFIED":
        raise parameter_error("accountType only support UNIFIED.")
    named = [coin for coin in fields.text("coin").split(",") if coin]
    coins = named or [coin for coin, amount in account.balances.items() if amount]
    for coin in named:
        account.credit(coin, Decimal(0))
    return {"list": [wallet_shape(account, exchange.marks(), coins)]}


def fee_rate(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/fee-rate."""
    category = read_category(fields)
    symbol = fields.text("symbol")
    rows: list[JsonObject] = [
        {
            "symbol": market.instrument.symbol,
            "takerFeeRate": short(market.instrument.taker_rate),
            "makerFeeRate": short(market.instrument.maker_rate),
        }
        for key, market in exchange.markets.items()
        if key[0] == category and symbol in {"", key[1]}
    ]
    if symbol and not rows:
        raise parameter_error("params error: symbol invalid")
    return {"category": category, "list": rows} if category == "spot" else {"list": rows}


def account_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/info."""
    return {
        "marginMode": account.margin_mode,
        "updatedTime": "1697078946000",
        "unifiedMarginStatus": 6,
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def key_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer user/query-api for the key that asks."""
    server_ms = now_ms(exchange.clock)
    return {
        "id": "13770661",
        "note": "sandbox",
        "apiKey": fields.caller,
        **exchange.key_ring.rights(fields.caller).shape(server_ms),
        "secret": "",
        "type": 1,
        "createdAt": "2022-10-16T02:24:40Z",
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": exchange.keys[fields.caller].public_key_pem,
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }


def coin_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer asset/coin/query-info with one chain per coin."""
    wanted = fields.text("coin")
    coins = sorted(
        {market.instrument.base_coin for market in exchange.markets.values()}
        | {market.instrument.quote_coin for market in exchange.markets.values()}
    )
    rows: list[JsonObject] = [
        {
            "name": coin,
            "coin": coin,
            "remainAmount": "10000000",
            "chains": [
                {
                    "chainType": coin,
                    "confirmation": "6",
                    "withdrawFee": "0",
                    "depositMin": "0",
                    "withdrawMin": "0",
                    "minAccuracy": "8",
                    "chain": coin,
                    "chainDeposit": "1",
                    "chainWithdraw": "1",
                    "withdrawPercentageFee": "0",
                    "contractAddress": "",
                    "safeConfirmNumber": "6",
                }
            ],
        }
        for coin in coins
        if wanted in {"", coin}
    ]
    return {"rows": rows}


def account_instruments(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/instruments-info: what this account may trade, in the form of the public list."""
    category = read_category(fields)
    symbol = fields.text("symbol")
    rows = [
        market.instrument
        for key, market in exchange.markets.items()
        if key[0] == category and symbol in {"", key[1]}
    ]
    chosen, cursor = page(rows, fields, limit_default=200, limit_max=200, name=lambda item: item.symbol)
    shapes = [instrument_shape(item) for item in chosen]
    return {"category": category, "list": shapes, "nextPageCursor": cursor}


def spot_borrow_check(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/spot-borrow-check: what the balance is good for; nothing can be borrowed here."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    if not item.is_spot:
        raise parameter_error("params error: category invalid")
    is_buy = fields.text("side") == "Buy"
    coin = item.quote_coin if is_buy else item.base_coin
    free = max(Decimal(0), account.balances.get(coin, Decimal(0)) - account.locked(coin))
    qty = free / market.last_px if is_buy else free
    amount = free if is_buy else free * market.last_px
    qty_text = item.qty_text(item.qty(item.lots(qty)))
    amount_text = short(amount.quantize(Decimal("1E-8")))
    return {
        "symbol": item.symbol,
        "side": fields.text("side"),
        "maxTradeQty": qty_text,
        "maxTradeAmount": amount_text,
        "spotMaxTradeQty": qty_text,
        "spotMaxTradeAmount": amount_text,
        "borrowCoin": coin,
    }
