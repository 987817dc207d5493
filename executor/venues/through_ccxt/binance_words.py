"""What the words of Binance prove: its own error codes, as its public documentation describes them. Pure.

Sources, by page of developers.binance.com:
spot: `binance-spot-api-docs/errors` (codes, messages, filter failures) and `binance-spot-api-docs/rest-api`
(HTTP return codes, timing security);
contracts: `derivatives/usds-margined-futures/error-code` and `.../general-info`.

A create counts as refused only by status 400 or 401 with a code of a table below. Of a 5xx both pages say that the
execution status is unknown; 403, 409, 418 and 429 are said by whoever stands in front. Not in the tables, on purpose:

* -1000, -1001, -1006, -1007, -1008, -1010, -1016, -1020: internal, "execution status unknown", or without a meaning;
* -1003, -1015: a limit of requests; ccxt sorts them under rate limits, which agree with no refusal;
* -1021: the documentation says that such a request is turned away, but ccxt's class (`InvalidNonce`) agrees with no
  refusal, so it would count as unknown anyway;
* -1013 at contracts, where no word says what it means; at spot "the request didn't reach the matching engine";
* -2010 at contracts, whose page has no words for it; at spot only with the messages below, because "Duplicate order
  sent." has the same code and says that an order of our id exists;
* -4116 (duplicate id): the same;
* -2011, -2013: no answers to a create. To a cancel, -2011 with "Unknown order sent." says that no such order is open:
  it may have ended, or never have come. -2013 to a question says that none was found, which alone proves nothing.
"""

from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.venues.bybit.answers import printable
from executor.venues.through_ccxt.dialect import RawAnswer

REFUSING_STATUS: Final = frozenset({400, 401})
_FATAL: Final = frozenset({-1002, -1022, -2014, -2015})
"""UNAUTHORIZED, INVALID_SIGNATURE, BAD_API_KEY_FMT, REJECTED_MBX_KEY: so would be every other request."""
_MALFORMED: Final = frozenset(
    {
        -1014,  # UNKNOWN_ORDER_COMPOSITION: Unsupported order combination
        *range(
            -1106, -1099
        ),  # illegal characters; too many, missing, unknown, unread, empty, needless parameters
        -1111,  # BAD_PRECISION
        *range(-1118, -1113),  # time in force, type, side, empty id
        -1121,  # BAD_SYMBOL
        -1128,  # OPTIONAL_PARAMS_BAD_COMBO
        -1130,  # INVALID_PARAMETER
    }
)
"""Said of the request itself, alike on both pages."""
SPOT_REFUSED: Final = _MALFORMED | {-1013}  # INVALID_MESSAGE: a filter failed, or "Market is closed."
LINEAR_REFUSED: Final = _MALFORMED | {
    -2018,  # BALANCE_NOT_SUFFICIENT
    -2019,  # MARGIN_NOT_SUFFICIEN
    -2022,  # REDUCE_ONLY_REJECT
    -2024,  # POSITION_NOT_SUFFICIENT
    -2025,  # MAX_OPEN_ORDER_EXCEEDED
    -2026,  # REDUCE_ONLY_ORDER_TYPE_NOT_SUPPORTED
    -2027,  # MAX_LEVERAGE_RATIO
    -2028,  # MIN_LEVERAGE_RATIO
    *range(-4005, -4000),  # price and quantity below or above their bounds
    *range(-4016, -4012),  # lowest price, tick, length of the id, price cap
    -4023,  # QTY_NOT_INCREASED_BY_STEP_SIZE
    -4024,  # PRICE_LOWER_THAN_MULTIPLIER_DOWN
    -4060,  # INVALID_POSITION_SIDE
    -4062,  # REDUCE_ONLY_CONFLICT
    -4087,  # REDUCE_ONLY_ORDER_PERMISSION
    -4088,  # NO_PLACE_ORDER_PERMISSION
    -4118,  # REDUCE_ONLY_MARGIN_CHECK_FAILED
    -4140,  # INVALID_OPENING_POSITION_STATUS
    -4141,  # SYMBOL_ALREADY_CLOSED
    -4164,  # MIN_NOTIONAL
    -5022,  # a post-only order that would have taken
}
LINEAR_FATAL: Final = _FATAL | {-4061}  # POSITION_SIDE_NOT_MATCH: the account is in hedge mode
SPOT_FATAL: Final = _FATAL
POSITION_MODE: Final = frozenset({-4061})
UNFUNDED: Final = frozenset({-2018, -2019, -2028})
NEW_ORDER_REJECTED: Final = -2010
CANCEL_REJECTED: Final = -2011
NO_SUCH_ORDER: Final = -2013
UNKNOWN_ORDER: Final = "Unknown order sent."
NO_FUNDS: Final = "Account has insufficient balance for requested action."
REJECTED_BECAUSE: Final = {
    NO_FUNDS: False,
    "Market is closed.": False,
    "Order would immediately match and take.": False,
    "Price * QTY is zero or less.": False,
    "This symbol is not permitted for this account.": False,
    "This symbol is restricted for this account.": False,
    "This action is disabled on this account.": True,
    "This account may not place or cancel orders.": True,
    "Rest API trading is not enabled.": True,
}
"""Messages of -2010 that refuse a limit order, and whether every other would be refused too."""


def read_refusal(answer: RawAnswer) -> tuple[int, str]:
    """The code and the message of an answer that says no.

    Raises
    ------
    RemoteProtocolError
        If its status is not one of a refusal, or it has no code: such an answer proves nothing.
    """
    if answer.status not in REFUSING_STATUS:
        raise RemoteProtocolError(f"HTTP {answer.status}")
    told = answer.json()
    code = told.get("code") if isinstance(told, dict) else None
    if type(code) is not int or not isinstance(told, dict):
        raise RemoteProtocolError("an answer without a code")
    return code, printable(told.get("msg", ""))


def says(answer: RawAnswer | None, wanted: int) -> bool:
    """Whether an answer says no with that code."""
    if answer is None:
        return False
    try:
        code, _ = read_refusal(answer)
    except RemoteProtocolError:
        return False
    return code == wanted
