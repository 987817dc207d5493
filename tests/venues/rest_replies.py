"""One answer of the REST interface as text, read with the daemon's own row decoders, by the path that was asked.

What nothing here has a use for is still known, by its path: `Ignored` says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import Event, PositionReport
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.venues.bybit.codec import (
    decode_execution,
    decode_instrument,
    decode_order,
    decode_position,
    decode_rows,
    decode_wallet,
)
from executor.venues.bybit.codec_fields import Row
from executor.venues.bybit.codec_frames import Ignored
from executor.venues.bybit.codec_json import parse_object, rows_of

Value = Event | PositionReport | Instrument
_Decoder = Callable[[Row, Category], Value | None]

_INSTRUMENTS: Final = "/v5/market/instruments-info"
_USED: Final[dict[str, _Decoder]] = {
    _INSTRUMENTS: decode_instrument,
    "/v5/order/realtime": decode_order,
    "/v5/order/history": decode_order,
    "/v5/execution/list": decode_execution,
    "/v5/position/list": decode_position,
    "/v5/account/wallet-balance": lambda row, _: decode_wallet(row),
}
_NO_USE: Final = frozenset(
    {"/v5/market/orderbook", "/v5/market/kline", "/v5/market/funding/history", "/v5/market/recent-trade"}
    | {"/v5/account/fee-rate", "/v5/account/info", "/v5/user/query-sub-members", "/v5/user/submembers"}
    | {"/v5/user/escrow_sub_members"}
)
_OPTION: Final = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A granted request: its rows, what of them could not be read, and where the next page begins (empty: nowhere)."""

    values: tuple[Value, ...]
    bad: tuple[RemoteProtocolError, ...]
    next_cursor: str


def decode_reply(path: str, category: Category | None, text: str) -> Reply | Ignored:
    """Read one answer.

    Parameters
    ----------
    category
        What was asked for; None for options, and where there is none.

    Raises
    ------
    RemoteProtocolError
        If the answer has no form that is known, or refuses what was asked.
    """
    body = parse_object(text)
    code, result = body.get("retCode"), body.get("result")
    if type(code) is not int:
        raise RemoteProtocolError("an answer without a return code")
    if code:
        raise RemoteProtocolError(f"refused: {code}: {str(body.get('retMsg'))[:100]!r}")
    if not isinstance(result, dict):
        raise RemoteProtocolError("an answer without a result")
    if path in _NO_USE:
        return Ignored(kind=path)
    decode = _USED.get(path)
    if decode is None:
        raise RemoteProtocolError(f"an answer to {path[:80]!r} is not known")
    if category is None and path != "/v5/account/wallet-balance":
        return Ignored(kind=f"{path} {_OPTION}")
    asked = category or Category.LINEAR
    values: list[Value]
    values, bad = decode_rows(rows_of(result, "list"), lambda row: decode(row, asked))
    cursor = result.get("nextPageCursor")
    return Reply(values=tuple(values), bad=tuple(bad), next_cursor=cursor if isinstance(cursor, str) else "")
