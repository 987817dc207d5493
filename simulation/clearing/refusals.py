"""Why the clearing house lets an order not reach the book."""

from enum import IntEnum


class Refusal(IntEnum):
    """A reason; the sentence for people is `sentence`."""

    UNKNOWN_PARTICIPANT = 1
    UNKNOWN_ASSET = 2
    BAD_SIDE = 3
    BAD_QTY = 4
    QTY_MAX = 5
    BAD_PX = 6
    DUPLICATE_ORDER = 7
    CLOSED = 8
    CASH = 9
    SHARES = 10
    LENDABLE = 11
    MARGIN_ACCOUNT = 12
    NO_MARK = 13
    MARGIN = 14
    UNKNOWN_ORDER = 15
    NOT_LIQUIDATED = 16

    @property
    def sentence(self) -> str:
        """The reason in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Refusal.UNKNOWN_PARTICIPANT: "no participant has this number",
    Refusal.UNKNOWN_ASSET: "no asset has this number",
    Refusal.BAD_SIDE: "a side is +1 to buy or -1 to sell",
    Refusal.BAD_QTY: "a quantity is a whole number of lots above zero",
    Refusal.QTY_MAX: "an order of more lots than the rules allow",
    Refusal.BAD_PX: "a price is a whole number of ticks above zero",
    Refusal.DUPLICATE_ORDER: "an order with this number is open",
    Refusal.CLOSED: "the asset has been redeemed",
    Refusal.CASH: "the order could cost more than the cash that no other order has reserved",
    Refusal.SHARES: "more than is owned, without permission to sell short",
    Refusal.LENDABLE: "not so many shares are left to be lent",
    Refusal.MARGIN_ACCOUNT: "this asset is for accounts on margin only",
    Refusal.NO_MARK: "margin cannot be counted before the asset has a price",
    Refusal.MARGIN: "the order could ask for more margin than the account is worth",
    Refusal.UNKNOWN_ORDER: "no order with this number is open",
    Refusal.NOT_LIQUIDATED: "a liquidation only reduces an account that has fallen below its maintenance margin",
}
