"""Create requests of strategy orders: their form, and the limits that the venue documents for each kind.

The codes 60088-60095 are documented for POV; for the other kinds none is, so a defect there is 10001.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import ZERO, is_multiple, parse_positive
from sandbox.bybit_server.instruments import INVERSE, SPOT, Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.order_requests import read_position_index, read_price
from sandbox.bybit_server.orders import Trigger
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.strategies import CHASE, ICEBERG, POV, TWAP, Wish

TWAP_INTERVALS_S: Final = (5, 10, 15, 30, 60, 120)
TWAP_DURATION_S: Final = (300, 86_400)
POV_DURATION_S: Final = (900, 86_400)
POV_INTERVAL_S: Final = (5, 3_600)
POV_WINDOW_S: Final = (60, 14_400)
POV_DEPTH: Final = (1, 10)
POV_RATE_PCT: Final = (Decimal(1), Decimal(100))
TRADED: Final = "TradedVolume"
OPPOSITE: Final = "OppositeSideLiquidity"
SAME: Final = "SameSideLiquidity"
CHASE_E4_MAX: Final = 500
ICEBERG_E4_MAX: Final = 100
ORDERS_MAX: Final = 10_000
_VALUE_SPARE: Final = Decimal("1.1")


def family(item: Instrument) -> str:
    """Return the word that strategy orders have for the product family of a symbol."""
    if item.category == SPOT:
        return "UTA_SPOT"
    if item.category == INVERSE:
        return "UTA_INVERSE" if item.is_perpetual else "UTA_INVERSE_FUTURE"
    coin = "USDC" if item.settle_coin == "USDC" else "USDT"
    return f"UTA_{coin}" if item.is_perpetual else f"UTA_{coin}_FUTURE"


def find_strategy_market(markets: dict[SymbolKey, Market], fields: Fields) -> Market:
    """Return the market that a request names by family and symbol."""
    symbol, wanted = fields.text("symbol"), fields.text("category")
    for (_, name), market in markets.items():
        if name == symbol and family(market.instrument) == wanted:
            return market
    raise parameter_error("params error: category or symbol invalid")


def read_wish(market: Market, fields: Fields, *, hedged: bool) -> Wish:
    """Check the form of a create request.

    Raises
    ------
    RefusalError
        With the documented code of a POV's defect, and 10001 for every other.
    """
    item = market.instrument
    kind = fields.text("strategyType")
    if kind not in {TWAP, CHASE, ICEBERG, POV}:
        raise parameter_error("params error: strategyType invalid")
    if kind == POV and item.is_spot:
        raise parameter_error("params error: category invalid")
    try:
        side = Side(fields.text("side"))
    except ValueError as error:
        raise parameter_error("params error: side invalid") from error
    index = read_position_index(item, fields, hedged=hedged)
    closes = index == (2 if side is Side.BUY else 1)
    common = {
        "kind": kind,
        "instrument": item,
        "side": side,
        "size": _read_size(item, fields),
        "reduce_only": (fields.flag("reduceOnly") or closes) and not item.is_spot,
        "position_idx": index,
        "guard_px": _px(item, fields, "maxChasePrice"),
    }
    if fields.text("positionValue"):
        raise parameter_error("params error: positionValue is not served here")
    special = {TWAP: _twap, CHASE: _chase, ICEBERG: _iceberg, POV: _pov}[kind]
    return Wish(**common, **special(market, fields, common["size"]))  # type: ignore[arg-type]


def _read_size(item: Instrument, fields: Fields) -> Decimal:
    size = parse_positive(fields.text("size"))
    if size is None or size <= 0 or not is_multiple(size, item.qty_step):
        raise parameter_error("params error: size invalid")
    return size


def _px(item: Instrument, fields: Fields, name: str) -> Decimal | None:
    text = fields.text(name)
    return None if text in {"", "0"} else read_price(item, text)


def _trigger(market: Market, fields: Fields) -> Trigger | None:
    px = _px(market.instrument, fields, "triggerPrice")
    return None if px is None else Trigger(px=px, rises=px > market.last_px)


def _distances(fields: Fields, e4_max: int) -> JsonObject:
    """Read a distance from the best price; the absolute one wins."""
    text = fields.text("chaseDistance")
    if text not in {"", "0"}:
        distance = parse_positive(text)
        if distance is None:
            raise parameter_error("params error: chaseDistance invalid")
        return {"distance": distance}
    if fields.text("chasePercentE4") in {"", "0"}:
        return {}
    return {"distance_e4": fields.whole("chasePercentE4", 0, 0, e4_max)}


def _check_least(market: Market, size: Decimal, orders: int) -> None:
    """Refuse a total of which one order would be less than the venue takes."""
    item = market.instrument
    least = item.qty_min * orders
    if not item.is_inverse:
        least = max(least, item.notional_min * orders / market.last_px * _VALUE_SPARE)
    if size < least:
        raise parameter_error("params error: size is less than the minimum of all sub orders")


def _twap(market: Market, fields: Fields, size: Decimal) -> JsonObject:
    item = market.instrument
    interval_s = fields.whole("interval", 30, 0, 10**6)
    duration_s = fields.whole("duration", 0, *TWAP_DURATION_S)
    if interval_s not in TWAP_INTERVALS_S or not duration_s or duration_s % interval_s:
        raise parameter_error("params error: duration or interval invalid")
    orders = duration_s // interval_s
    _check_least(market, size, orders)
    if not item.is_spot and size / orders > item.market_qty_max / 2:
        raise parameter_error("params error: sub order size is more than half of the maximum")
    return {
        "duration_s": duration_s,
        "interval_s": interval_s,
        "is_random": fields.flag("isRandom"),
        "trigger": _trigger(market, fields),
        **_distances(fields, 10_000),
    }


def _chase(market: Market, fields: Fields, size: Decimal) -> JsonObject:
    _check_least(market, size, 1)
    return {
        "sub_qty": size,
        "post_only": True,
        "trigger": _trigger(market, fields),
        **_distances(fields, CHASE_E4_MAX),
    }


def _iceberg(market: Market, fields: Fields, size: Decimal) -> JsonObject:
    item = market.instrument
    sub_text = fields.text("subSize")
    if sub_text:
        sub = parse_positive(sub_text)
        if sub is None or not ZERO < sub < size or not is_multiple(sub, item.qty_step):
            raise parameter_error("params error: subSize invalid")
    else:
        count = fields.whole("orderCount", 0, 2, ORDERS_MAX)
        if not count:
            raise parameter_error("params error: subSize or orderCount is required")
        sub = item.qty(item.lots(size / count))
    _check_least(market, sub, 1)
    takes = fields.text("chaseDistance") == "-1"
    return {
        "sub_qty": sub,
        "takes": takes,
        # 0 is post-only when creating, and nothing said is not.
        "post_only": fields.text("postOnly") == "0" and not takes,
        "limit_px": _px(item, fields, "limitPrice"),
        **({} if takes else _distances(fields, ICEBERG_E4_MAX)),
    }


def _pov(market: Market, fields: Fields, size: Decimal) -> JsonObject:
    params = fields.values.get("povParams")
    if not isinstance(params, dict):
        raise parameter_error("params error: povParams is required")
    inner = Fields(params)
    mode = inner.text("mode")
    if mode not in {TRADED, OPPOSITE, SAME}:
        raise RefusalError(60088, "Invalid mode")
    rate = parse_positive(inner.text("participationRate"))
    if rate is None or not POV_RATE_PCT[0] <= rate <= POV_RATE_PCT[1] or rate * 10 % 1:
        raise RefusalError(60089, "participationRate invalid")
    try:
        window_s = inner.whole("referenceWindow", 0, *POV_WINDOW_S)
        depth = inner.whole("depthReference", 0, *POV_DEPTH)
    except RefusalError as error:
        raise RefusalError(60090, "referenceWindow or depthReference invalid") from error
    if not (window_s if mode == TRADED else depth):
        raise RefusalError(60090, "referenceWindow or depthReference is required")
    interval_s = fields.whole("interval", 0, 0, POV_INTERVAL_S[1])
    if 0 < interval_s < POV_INTERVAL_S[0]:
        raise parameter_error("params error: interval invalid")
    try:
        duration_s = fields.whole("duration", 0, *POV_DURATION_S)
    except RefusalError as error:
        raise RefusalError(60093, "duration invalid") from error
    if duration_s and interval_s > duration_s:
        raise RefusalError(60095, "interval exceeds duration")
    _check_least(market, size, 1)
    return {
        "duration_s": duration_s,
        "interval_s": interval_s,
        "mode": mode,
        "rate_pct": rate,
        "window_s": window_s,
        "depth": depth,
    }
