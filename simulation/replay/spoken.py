"""What a replay venue is told and what it says, as the Python side of either twin sees it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from simulation.replay import codes

if TYPE_CHECKING:
    import numpy.typing as npt

    Column = Sequence[int] | npt.NDArray[Any]


class Answer(NamedTuple):
    """What the exchange said of an order, and when it is heard.

    Parameters
    ----------
    due_ns, at_ns
        When it reaches us, and when it happened at the exchange.
    kind
        ACCEPTED, REJECTED, FILLED, ENDED, AMENDED, AMEND_REJECTED or CANCEL_REJECTED.
    px, qty
        Of a fill in ticks and lots; otherwise the order's own.
    leaves
        What can still trade afterwards, lots.
    detail
        The reason; of a fill MAKER or TAKER.
    """

    due_ns: int
    at_ns: int
    kind: int
    order_id: int
    side: int
    px: int
    qty: int
    leaves: int
    detail: int


class Glance(NamedTuple):
    """The market as we see it: ticks and lots, 0 where a side is empty; totals of the public trades since the start."""

    seen_ns: int
    bid_px: int
    bid_qty: int
    ask_px: int
    ask_qty: int
    traded_qty: int
    traded_value: int


class Account(NamedTuple):
    """What trading did: lots, and sums of ticks times lots.

    Parameters
    ----------
    position
        Signed lots.
    cash
        What was got for sales less what was paid for purchases, without fees.
    maker_turnover, taker_turnover
        The fee of each kind is its turnover times the rate; a negative rate is a rebate.
    funding
        Paid for holding, in parts of 1e-9; negative was got.
    fills
        How many.
    """

    position: int
    cash: int
    maker_turnover: int
    taker_turnover: int
    funding: int
    fills: int


class Columns(Protocol):
    """Rows of a recording, column by column, in the order in which they were received."""

    @property
    def exch_ns(self) -> "Column":
        """When it happened at the exchange, UTC."""

    @property
    def recv_ns(self) -> "Column":
        """When the recorder saw it, UTC."""

    @property
    def kind(self) -> "Column":
        """What the row is."""

    @property
    def side(self) -> "Column":
        """+1 bid or buyer, -1 ask or seller, 0 neither."""

    @property
    def px(self) -> "Column":
        """Ticks."""

    @property
    def qty(self) -> "Column":
        """Lots."""

    @property
    def order_id(self) -> "Column":
        """Of order-level data; 0 otherwise."""

    @property
    def flags(self) -> "Column":
        """Bits; LAST ends a message."""


class ReplayVenue(Protocol):
    """Both twins."""

    @property
    def now_ns(self) -> int:
        """Our time."""

    @property
    def row_ns(self) -> int:
        """Exchange's time of the latest row that was played."""

    @property
    def lag_ns(self) -> int:
        """How much later than the exchange we saw the latest message."""

    def fork(self) -> Self:
        """Make a second venue that goes on from here, with the rows that were handed over."""

    def feed(self, rows: Columns, *, final: bool) -> None:
        """Hand over the next rows; only when all before them have been used up."""

    def place(self, order_id: int, side: int, px: int, qty: int, hold: int = codes.GTC) -> None:
        """Send an order off."""

    def amend(self, order_id: int, px: int, qty: int) -> None:
        """Send an amendment off: new price, new total quantity."""

    def cancel(self, order_id: int) -> None:
        """Send a cancel off."""

    def advance(self, until_ns: int, wake: int = 0) -> int:
        """Let time pass."""

    def answers(self) -> list[Answer]:
        """Take what was heard by now."""

    def glance(self) -> Glance:
        """See the market."""

    def account(self) -> Account:
        """Read position and money, as the exchange has them."""

    def state_hash(self) -> int:
        """Sum everything up in 64 bits."""
