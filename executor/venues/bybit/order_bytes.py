"""Order requests as bytes: written once, held against the approval, signed and sent as they are.

A create's body is put together from pieces that repeat (what belongs to a symbol, what belongs to a kind of
order), because its making lies on the path from a price to an order. What the pieces amount to is read
again by `risk.wire` before it leaves.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from executor.domain.commands import CancelOrder
from executor.domain.orders import Category, NewOrder, Replacement, Side, TimeInForce
from executor.domain.units import plain

_SIDE_WORD: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
_KINDS_MAX: Final = 4_096


class Act(StrEnum):
    """What can be asked of an order."""

    CREATE = "create"
    AMEND = "amend"
    CANCEL = "cancel"


def create_body(order: NewOrder) -> bytes:
    """The body of a create request: exactly the keys the gate knows, numbers as plain decimals."""
    kind = _kind(
        order.category,
        order.symbol,
        order.side,
        order.time_in_force,
        order.position_idx,
        order.reduce_only,
    )
    # `str` is twice as quick as `format`, and the same unless the number is written with an exponent.
    qty, px = str(order.qty), str(order.px)
    if "E" in qty or "E" in px:
        qty, px = plain(order.qty), plain(order.px)
    return f'{kind}{qty}","price":"{px}","orderLinkId":"{order.client_order_id}"}}'.encode()


def amend_body(order: Replacement) -> bytes:
    """The body of an amend request: the new total quantity and the new price, both always named."""
    return msgspec.json.encode(
        {
            "category": order.category.value,
            "symbol": order.symbol,
            "orderLinkId": order.client_order_id,
            "qty": plain(order.qty),
            "price": plain(order.px),
        }
    )


def cancel_body(command: CancelOrder) -> bytes:
    """The body of a cancel request."""
    return msgspec.json.encode(
        {
            "category": command.category.value,
            "symbol": command.symbol,
            "orderLinkId": command.client_order_id,
        }
    )


class Framer:
    """Makes messages for the socket that takes orders.

    Parameters
    ----------
    prefix
        Beginning of every request's id: letters, digits and dashes, never used before for this account.
    recv_window_ms
        Age at which the venue refuses a message, milliseconds.
    """

    def __init__(self, prefix: str, recv_window_ms: int) -> None:
        self._prefix = prefix
        self._forms = {
            act: (
                f'{{"reqId":"{prefix}-%d","header":{{"X-BAPI-TIMESTAMP":"%d",'
                f'"X-BAPI-RECV-WINDOW":"{recv_window_ms}"}},"op":"order.{act}","args":[%b]}}'
            ).encode()
            for act in Act
        }

    def request_id(self, number: int) -> str:
        """The id of a request, by which its answer is known again; at most 36 characters."""
        return f"{self._prefix}-{number}"

    def frame(self, act: Act, number: int, stamp_ms: int, body: bytes) -> bytes:
        """One message with these very bytes as its only argument; `stamp_ms` is the venue's time, milliseconds."""
        return self._forms[act] % (number, stamp_ms, body)


@lru_cache(_KINDS_MAX)
def _kind(
    category: Category,
    symbol: str,
    side: Side,
    time_in_force: TimeInForce,
    position_idx: int,
    reduce_only: bool,
) -> str:
    """All that orders of one kind have in common, up to the quantity."""
    fields: dict[str, object] = {
        "category": category.value,
        "symbol": symbol,
        "side": _SIDE_WORD[side],
        "orderType": "Limit",
        "timeInForce": time_in_force.value,
    }
    if category is not Category.SPOT:
        fields |= {"positionIdx": position_idx, "reduceOnly": reduce_only}
    return f'{msgspec.json.encode(fields).decode()[:-1]},"qty":"'
