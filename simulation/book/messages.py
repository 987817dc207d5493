"""The words of the order book: what is asked of it, and what it answers; all numbers, so that code can be compiled.

A price is a whole number of ticks from 1, a quantity one of lots from 1; side is +1 for buy and -1 for sell.
"""

from typing import Final, NamedTuple

BUY: Final = 1
SELL: Final = -1

# Kinds of messages.
LIMIT: Final = 1
MARKET: Final = 2
CANCEL: Final = 3
AMEND: Final = 4
STOP: Final = 5

# Time in force.
GTC: Final = 0
IOC: Final = 1
FOK: Final = 2
POST_ONLY: Final = 3

# Kinds of outcomes.
ACCEPTED: Final = 1
REJECTED: Final = 2
FILL: Final = 3
CANCELED: Final = 4
TRIGGERED: Final = 5
AMENDED: Final = 6

# Why a message was rejected, or an order canceled. A rejected message changes nothing.
NO_REASON: Final = 0
ORDER_ID_RANGE: Final = 1
ORDER_ID_USED: Final = 2
BAD_OWNER: Final = 3
BAD_SIDE: Final = 4
BAD_PX: Final = 5
BAD_QTY: Final = 6
BAD_TIME_IN_FORCE: Final = 7
BAD_DISPLAY: Final = 8
UNKNOWN_ORDER: Final = 9
ORDER_ENDED: Final = 10
IS_STOP: Final = 11
PX_TOO_FAR: Final = 12
NO_ROOM: Final = 13
WOULD_TAKE: Final = 14
NOT_FILLABLE: Final = 15
REQUESTED: Final = 16
SELF_TRADE: Final = 17
NOTHING_LEFT: Final = 18
BAD_KIND: Final = 19

REASON_WORDS: Final = {
    NO_REASON: "",
    ORDER_ID_RANGE: "the order id is not within 1 and `ids_max` - 1",
    ORDER_ID_USED: "the order id was used before",
    BAD_OWNER: "the owner is not within 0 and 2 ** 31 - 1",
    BAD_SIDE: "the side is neither +1 nor -1",
    BAD_PX: "the price is not within 1 and 2 ** 40",
    BAD_QTY: "the quantity is not within 1 and 2 ** 40",
    BAD_TIME_IN_FORCE: "no such time in force",
    BAD_DISPLAY: "what is displayed is below zero, or above 2 ** 40, or of an order that may not rest",
    UNKNOWN_ORDER: "there never was such an order",
    ORDER_ENDED: "the order is filled or canceled already",
    IS_STOP: "a stop order is not amended: cancel it, and send another one",
    PX_TOO_FAR: "prices of waiting orders would lie `window` ticks apart or more",
    NO_ROOM: "the book is full: `orders_max` orders are waiting, or `outcomes_max` outcomes are caused at once",
    WOULD_TAKE: "a post-only order would trade at once",
    NOT_FILLABLE: "fill or kill: not all of it can be filled now",
    REQUESTED: "canceled as asked",
    SELF_TRADE: "it would have traded with an order of the same owner",
    NOTHING_LEFT: "nothing is left to trade with, and the order may not rest",
    BAD_KIND: "no such kind of message",
}

NUMBER_MAX: Final = 1 << 40
"""Largest price, quantity and display."""
OWNER_MAX: Final = (1 << 31) - 1


class Outcome(NamedTuple):
    """One thing that a message caused.

    Parameters
    ----------
    kind
        ACCEPTED (an order), REJECTED (a message), FILL, CANCELED, TRIGGERED (a stop became an order), AMENDED.
    reason
        Of REJECTED and CANCELED; words for people are in `REASON_WORDS`.
    order_id, owner, side
        The order concerned; of a fill the taker. A rejected message is given back as it came, with 0 for what it does
        not say.
    px
        Ticks. Of a fill the maker's price, of others the limit (of a stop that waits its trigger), 0 of a market order.
    qty
        Lots: accepted, filled, canceled, or what an amended order has open now.
    leaves
        Lots that the order has open afterwards, hidden ones too.
    maker_order_id, maker_owner, maker_leaves
        Of a fill the resting order; elsewhere 0.
    """

    kind: int
    reason: int
    order_id: int
    owner: int
    side: int
    px: int
    qty: int
    leaves: int
    maker_order_id: int
    maker_owner: int
    maker_leaves: int
