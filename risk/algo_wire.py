"""The last look at a strategy order: the bytes that would leave are read again and held against the approval."""

from decimal import Decimal
from typing import Final

from executor.domain.algo import AlgoKind, NewAlgo
from executor.domain.approval import Approved
from executor.domain.errors import LocalProtocolError
from executor.domain.orders import Category, Side
from risk.wire import number_of, strict_object

_SIDES: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
_EVERY: Final = frozenset({"category", "symbol", "side", "size", "strategyType", "maxChasePrice"})
_POSITION: Final = frozenset({"positionIdx", "reduceOnly"})
_OF_KIND: Final = {
    AlgoKind.TWAP: frozenset({"duration", "interval", "isRandom"}),
    AlgoKind.ICEBERG: frozenset({"subSize"}),
    AlgoKind.POV: frozenset({"duration", "interval", "povParams"}),
}
_POV: Final = frozenset({"mode", "participationRate", "referenceWindow"})


def check_algo_bytes(body: bytes, approved: Approved[NewAlgo]) -> None:
    """Refuse a create request of a strategy order whose bytes do not say exactly what was approved.

    Raises
    ------
    LocalProtocolError
        If a key is missing, unknown or double, or any value differs from the approval.
    """
    algo = approved.order
    order, terms = algo.order, algo.terms
    sent = strict_object(body)
    spot = order.category is Category.SPOT
    # The documentation names no worst price for a POV: none is sent, so none may be believed to be.
    keys = (_EVERY if terms.kind is not AlgoKind.POV else _EVERY - {"maxChasePrice"}) | _OF_KIND[terms.kind]
    if set(sent) != (keys if spot else keys | _POSITION):
        raise LocalProtocolError(f"strategy request carries the keys {sorted(sent)}")
    expected: dict[str, object] = {
        "category": _family(order.category, order.symbol),
        "symbol": order.symbol,
        "side": _SIDES[order.side],
        "strategyType": terms.kind.value,
    }
    for key, value in expected.items():
        if sent[key] != value:
            raise LocalProtocolError(f"request says {key}={sent[key]!r}, approved was {value!r}")
    _check_number(sent, "size", order.qty)
    if "maxChasePrice" in keys:
        _check_number(sent, "maxChasePrice", order.px)
    if spot and (order.reduce_only or order.position_idx):
        raise LocalProtocolError("a spot order can neither reduce nor name a position")
    if not spot:
        _check_exact(sent, "positionIdx", order.position_idx)
        _check_exact(sent, "reduceOnly", order.reduce_only)
    match terms.kind:
        case AlgoKind.TWAP:
            _check_exact(sent, "duration", terms.duration_s)
            _check_exact(sent, "interval", terms.interval_s)
            _check_exact(sent, "isRandom", terms.noisy)
        case AlgoKind.ICEBERG:
            _check_number(sent, "subSize", terms.display_qty)
        case AlgoKind.POV:
            _check_exact(sent, "duration", terms.duration_s)
            _check_exact(sent, "interval", terms.interval_s)
            inner = sent["povParams"]
            if not isinstance(inner, dict) or set(inner) != _POV or inner["mode"] != "TradedVolume":
                raise LocalProtocolError(f"request says povParams={inner!r}")
            _check_number(inner, "participationRate", terms.rate_pct)
            _check_number(inner, "referenceWindow", Decimal(terms.window_s))


def _family(category: Category, symbol: str) -> str:
    """The word of strategy orders for a product family; only perpetuals and spot are ever sent."""
    if category is Category.SPOT:
        return "UTA_SPOT"
    if "-" in symbol or not symbol.endswith(("USDT", "PERP", "USD")):
        raise LocalProtocolError(f"{symbol} is of a family that is not offered")
    if category is Category.INVERSE:
        return "UTA_INVERSE"
    return "UTA_USDC" if symbol.endswith("PERP") else "UTA_USDT"


def _check_number(sent: dict[str, object], key: str, value: Decimal) -> None:
    if number_of(sent[key]) != value or value <= 0:
        raise LocalProtocolError(f"request says {key}={sent[key]!r}, approved was {value}")


def _check_exact(sent: dict[str, object], key: str, value: bool | int) -> None:
    if type(sent[key]) is not type(value) or sent[key] != value:
        raise LocalProtocolError(f"request says {key}={sent[key]!r}, approved was {value!r}")
