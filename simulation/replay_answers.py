"""What the replay venue answers to a request, in the engine's words."""

from typing import Final

from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderRejected,
    ReplaceAcked,
    ReplaceRejected,
)
from simulation.replay import codes

WORDS: Final = {
    codes.RATE_LIMIT: "too many requests in a second",
    codes.HALTED: "trading is halted",
    codes.NO_MARKET: "there is no market: the book is void",
    codes.BAD_TERMS: "price or quantity out of bounds",
    codes.PRICE_BAND: "price outside the band",
    codes.OPEN_ORDERS: "too many open orders",
    codes.UNKNOWN_ORDER: "no such open order",
    codes.BELOW_FILLED: "filled beyond that",
    codes.UNCHANGED: "nothing would change",
    codes.WOULD_TAKE: "post-only would have taken liquidity",
    codes.NOT_WHOLE: "not all of it was there",
    codes.NOTHING_MORE: "nothing more within the limit price",
    codes.SELF_TRADE: "it would have met an order of ours",
    codes.AS_ASKED: "cancelled as asked",
}
"""Why the venue said no, or ended an order, for people."""


def is_answer(kind: int, detail: int) -> bool:
    """Whether something heard answers a request; fills and orders that end by themselves answer none."""
    return kind != codes.FILLED and (kind != codes.ENDED or detail == codes.AS_ASKED)


def answer_event(kind: int, detail: int, name: str, *, venue_order_id: str, asked_ns: int) -> Event:
    """Say an answer as an event without an instant.

    Parameters
    ----------
    kind, detail
        As the venue has them; one that `is_answer`.
    name
        The client's name of the order.
    venue_order_id
        Told with an acknowledgement.
    asked_ns
        When a cancel was sent, told where it found nothing.
    """
    text = WORDS.get(detail, "")
    match kind:
        case codes.ACCEPTED:
            return OrderAcked(at_ns=0, client_order_id=name, venue_order_id=venue_order_id, sent_sha256="")
        case codes.REJECTED:
            return OrderRejected(at_ns=0, client_order_id=name, code=detail, text=text, fatal=False)
        case codes.AMENDED:
            return ReplaceAcked(at_ns=0, client_order_id=name)
        case codes.AMEND_REJECTED:
            gone = detail == codes.UNKNOWN_ORDER
            return ReplaceRejected(at_ns=0, client_order_id=name, code=detail, text=text, gone=gone)
        case codes.ENDED:
            return CancelAcked(at_ns=0, client_order_id=name)
        case _:
            if detail == codes.UNKNOWN_ORDER:
                return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
            return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=text)
