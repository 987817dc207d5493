"""Requests of strategy orders as bytes. What they amount to is read again by `risk.algo_wire` before it leaves.

A POV has no documented worst price, so none is sent. An iceberg names neither a price nor `postOnly`: its orders then
stand at the best price of their own side, and the documentation contradicts itself on what `postOnly` means.
"""

from decimal import Decimal
from typing import Final

import msgspec

from executor.domain.algo import AlgoKind, NewAlgo
from executor.domain.commands import StopAlgo
from executor.domain.orders import Category, Side
from executor.domain.units import plain

CREATE_PATH: Final = "/v5/strategy/create"
STOP_PATH: Final = "/v5/strategy/stop"
_SIDE_WORD: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}


def family_word(category: Category, symbol: str) -> str:
    """The word that strategy orders have for the family of a perpetual or of spot."""
    if category is Category.SPOT:
        return "UTA_SPOT"
    if category is Category.INVERSE:
        return "UTA_INVERSE"
    return "UTA_USDC" if symbol.endswith("PERP") else "UTA_USDT"


def algo_body(algo: NewAlgo) -> bytes:
    """The body of a create request: exactly the keys that the last look knows, numbers as plain decimals."""
    order, terms = algo.order, algo.terms
    fields: dict[str, object] = {
        "category": family_word(order.category, order.symbol),
        "symbol": order.symbol,
        "side": _SIDE_WORD[order.side],
        "size": plain(order.qty),
        "strategyType": terms.kind.value,
    }
    if order.category is not Category.SPOT:
        fields |= {"positionIdx": order.position_idx, "reduceOnly": order.reduce_only}
    if terms.kind is not AlgoKind.POV:
        fields["maxChasePrice"] = plain(order.px)
    match terms.kind:
        case AlgoKind.TWAP:
            fields |= {"duration": terms.duration_s, "interval": terms.interval_s, "isRandom": terms.noisy}
        case AlgoKind.ICEBERG:
            fields["subSize"] = plain(terms.display_qty)
        case AlgoKind.POV:
            fields |= {
                "duration": terms.duration_s,
                "interval": terms.interval_s,
                "povParams": {
                    "mode": "TradedVolume",
                    "participationRate": plain(Decimal(terms.rate_pct).normalize() + 0),
                    "referenceWindow": str(terms.window_s),
                },
            }
    return msgspec.json.encode(fields)


def stop_body(command: StopAlgo) -> bytes:
    """The body of a stop request."""
    return msgspec.json.encode({"strategyId": command.strategy_id})
