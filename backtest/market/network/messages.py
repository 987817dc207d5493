"""The words that hub and agents speak: a header with version and number, and one body that is read strictly.

On the wire a message is two frames, header and body; a publication has its topic before them. The header is `XM`, the
version and a number, so that what is refused for its version, its place or its rate is never decoded. The body is one
of the structs below as a MessagePack array that begins with its name; whatever is not exactly that is `Garbage`.

Prices are ticks, quantities lots, money whole units, instants nanoseconds of the market's clock, sides +1 and -1.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Final, TypeVar

import msgspec

VERSION: Final = 1
MAGIC: Final = b"XM"
BODY_BYTES_MAX: Final = 16 * 1024
"""Of what an agent may say; the socket lets four times as much pass, so that we say no ourselves where we can."""
INTENTS_MAX: Final = 64
LEVELS_MAX: Final = 32
TRADES_MAX: Final = 256
NO_TRADES: Final = 1 << 62
_HEADER: Final = struct.Struct("!2sHQ")
_NUMBER_MAX: Final = 1 << 62
_T = TypeVar("_T")

Whole = Annotated[int, msgspec.Meta(ge=0, le=_NUMBER_MAX)]
Signed = Annotated[int, msgspec.Meta(ge=-_NUMBER_MAX, le=_NUMBER_MAX)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
WireIntent = tuple[Signed, Signed, Signed, Signed, Signed, Signed, Signed]
"""An intent of `simulation.market.protocol`: what, asset, side, qty, px, time in force, extra. What is no order is the
market's to refuse, one by one."""
WireOrder = tuple[Whole, Whole, Signed, Whole, Whole]
"""An own order that waits: order id, asset, side, px (0: none), lots left."""
WireFill = tuple[Whole, Whole, Signed, Whole, Whole, Whole, Whole]
"""An own fill: order id, asset, own side, px, qty, 1 as maker and 0 as taker, instant."""
Level = tuple[Whole, Whole]
"""Price and quantity shown there."""
Print = tuple[Whole, Whole, Signed, Whole]
"""A public trade: price, quantity, side of the taker, instant."""
WireTold = tuple[Whole, str, Whole, float]
"""What an agent is told: published at, kind, asset, what it says (ticks)."""


class Fault(StrEnum):
    """In what way something is not a message."""

    FRAMES = "frames"
    """Not two frames."""
    SIZE = "size"
    """A body above `BODY_BYTES_MAX`."""
    MAGIC = "magic"
    """No header of ours."""
    VERSION = "version"
    """A header of another version."""
    BODY = "body"
    """A body that is none of the messages, or one with a value out of its range."""


class Garbage(ValueError):  # noqa: N818 - what it is, and not what it does
    """Something arrived that is no message.

    Parameters
    ----------
    fault
        In what way.
    detail
        What was found, for people.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault


class Why(IntEnum):
    """Why the hub refused a message, or said good-bye; a number is never used again for anything else."""

    GARBAGE = 1
    """It was no message; see the counts of the hub for the fault."""
    STRANGER = 2
    """Nobody has logged in on this connection: say hello (again)."""
    NOT_PROVED = 3
    """The answer to the question was wrong, or no question had been asked."""
    NO_SEAT = 4
    """There is no such seat."""
    REPEATED = 5
    """The number was used before; it was not carried out again."""
    GAP = 6
    """Numbers are missing before it. Orders are refused until the state has been asked for."""
    OUT_OF_STEP = 7
    """Orders after a gap, before the state was asked for."""
    RATE = 8
    """More messages than the seat is allowed; not read."""
    TAKEN_OVER = 9
    """The same seat has logged in elsewhere, and keeps its orders there."""
    SILENT = 10
    """Nothing was heard for too long; the orders of the seat were canceled."""
    TOO_SLOW = 11
    """What was sent was not taken in time; the orders stand until `SILENT`."""
    CLOSED = 12
    """The market is closed; all orders were canceled."""
    LEFT = 13
    """As was asked."""
    NO_ASSET = 14
    """There is no such asset."""
    UNREACHABLE = 15
    """The connection has ended; the orders stand until `SILENT`."""


class _Said(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Common form of all messages."""


class Hello(_Said, frozen=True, tag="hello"):
    """First word on a connection: who wants to sit where.

    Parameters
    ----------
    seat
        Number of the participant.
    """

    seat: Whole


class Proof(_Said, frozen=True, tag="proof"):
    """The answer to the hub's question, see `identity.answer`."""

    digest: Digest


class Orders(_Said, frozen=True, tag="orders"):
    """Intents, carried out in their order at the instant of arrival."""

    intents: Annotated[tuple[WireIntent, ...], msgspec.Meta(min_length=1, max_length=INTENTS_MAX)]


class AskState(_Said, frozen=True, tag="ask-state"):
    """Ask for the own account and orders, and for the own fills after a number."""

    fills_after: Whole


class AskMarket(_Said, frozen=True, tag="ask-market"):
    """Ask for the whole book of an asset and the trades after a number; after `NO_TRADES` there are none."""

    asset: Whole
    trades_after: Whole


class Beat(_Said, frozen=True, tag="beat"):
    """A sign of life, either way.

    Parameters
    ----------
    now_ns
        The sender's clock; the hub's is the market's.
    """

    now_ns: Whole


class Leave(_Said, frozen=True, tag="leave"):
    """Stop taking part: orders are canceled, the account stays."""


Up = Hello | Proof | Orders | AskState | AskMarket | Beat | Leave
"""All that an agent can say."""


class Question(_Said, frozen=True, tag="question"):
    """A word that is asked once."""

    word: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class Welcome(_Said, frozen=True, tag="welcome"):
    """The seat is taken; what holds here.

    Parameters
    ----------
    next_number
        Number that the seat's next message must have. All before it were heard, on whatever connection.
    assets
        How many there are.
    first_px
        Ticks, of each asset, before anything was traded.
    scale
        Money of one tick times one lot.
    beat_ms, silent_ms
        How often to give a sign of life, and after how long without one a side is taken for gone.
    per_s, burst
        Messages allowed each second, and at once.
    """

    seat: Whole
    now_ns: Whole
    next_number: Whole
    assets: Whole
    first_px: tuple[Whole, ...]
    scale: Whole
    beat_ms: Whole
    silent_ms: Whole
    per_s: Whole
    burst: Whole


class State(_Said, frozen=True, tag="state"):
    """A seat's own account and orders, whole.

    Parameters
    ----------
    cash
        Money that no open order has reserved.
    positions
        Lots by asset.
    first_fill
        Number of the first of the fills, which have no hole and end with the last one.
    next_number
        All own messages before this number have had their effect.
    refused
        How many own intents the market has refused so far.
    """

    now_ns: Whole
    cash: Signed
    positions: tuple[Signed, ...]
    orders: tuple[WireOrder, ...]
    first_fill: Whole
    fills: tuple[WireFill, ...]
    next_number: Whole
    refused: Whole


class Market(_Said, frozen=True, tag="market"):
    """What an asset's market is now, whole; published, or sent to who asked.

    Parameters
    ----------
    trades
        Number of the last trade.
    volume_qty, signed_qty
        Lots traded so far, and what takers bought less what they sold.
    """

    asset: Whole
    now_ns: Whole
    trades: Whole
    bids: Annotated[tuple[Level, ...], msgspec.Meta(max_length=LEVELS_MAX)]
    asks: Annotated[tuple[Level, ...], msgspec.Meta(max_length=LEVELS_MAX)]
    last_px: Whole
    volume_qty: Whole
    signed_qty: Signed


class Trades(_Said, frozen=True, tag="trades"):
    """Trades of an asset, without a hole: the first has this number.

    Parameters
    ----------
    lost
        In an answer: how many after the number that was asked for are no longer kept.
    """

    asset: Whole
    first: Whole
    prints: Annotated[tuple[Print, ...], msgspec.Meta(max_length=TRADES_MAX)]
    lost: Whole = 0


class Answered(_Said, frozen=True, tag="answered"):
    """What became of a message with orders, intent by intent.

    Parameters
    ----------
    number
        Of the message.
    at_ns
        When the market carried it out.
    results
        For each intent the order id (0: none) and the reason of a refusal (empty: none).
    """

    number: Whole
    at_ns: Whole
    results: tuple[tuple[Whole, str], ...]


class Account(_Said, frozen=True, tag="account"):
    """What changed for a seat, in order, and its account afterwards.

    Parameters
    ----------
    waiting
        Orders that wait now and are new or not what they were.
    first_fill
        Number of the first of the fills, counted from 1 for each seat.
    fills
        Own fills.
    ended
        Orders that wait no longer, with the reason; an empty one is a fill.
    cash
        Money that no open order has reserved.
    positions
        Lots by asset.
    """

    now_ns: Whole
    waiting: tuple[WireOrder, ...]
    first_fill: Whole
    fills: tuple[WireFill, ...]
    ended: tuple[tuple[Whole, str], ...]
    cash: Signed
    positions: tuple[Signed, ...]


class Hear(_Said, frozen=True, tag="hear"):
    """What a seat is told, and nobody else with it."""

    told: tuple[WireTold, ...]


class Refused(_Said, frozen=True, tag="refused"):
    """Messages of these numbers, both included, were not carried out."""

    why: Why
    first: Whole
    last: Whole


class Bye(_Said, frozen=True, tag="bye"):
    """The session is over."""

    why: Why


Down = Question | Welcome | State | Market | Trades | Answered | Account | Hear | Refused | Beat | Bye
"""All that the hub can say to one agent."""


class Pace(_Said, frozen=True, tag="pace"):
    """How many publications there were under each topic, so that a loss at the end is seen too.

    Parameters
    ----------
    counts
        For each asset the publications of its market, those of its trades, and the number of its last trade.
    """

    now_ns: Whole
    counts: tuple[tuple[Whole, Whole, Whole], ...]


Public = Market | Trades | Pace | Bye
"""All that the hub publishes."""

TOPIC_MARKET: Final = b"m"
"""Of an asset's market, followed by the asset's number in two bytes; a subscription may end anywhere."""
TOPIC_TRADES: Final = b"t"
"""Of its trades, followed by the number in the same way."""
TOPIC_PACE: Final = b"p"
"""Of what concerns everybody."""

_encoder: Final = msgspec.msgpack.Encoder()
_read_up: Final = msgspec.msgpack.Decoder(Up)
_read_down: Final = msgspec.msgpack.Decoder(Down)
_read_public: Final = msgspec.msgpack.Decoder(Public)


def write(number: int, message: Up | Down | Public) -> list[bytes]:
    """Make the two frames of a message."""
    return [_HEADER.pack(MAGIC, VERSION, number), _encoder.encode(message)]


def number_of(frames: Sequence[bytes]) -> int:
    """Read the header alone; gives the message's number.

    Raises
    ------
    Garbage
        If there are not two frames, or the first is no header of this version.
    """
    if len(frames) != 2:
        raise Garbage(Fault.FRAMES, f"{len(frames)} frames")
    if len(frames[0]) != _HEADER.size or frames[0][:2] != MAGIC:
        raise Garbage(Fault.MAGIC, f"a header of {len(frames[0])} bytes")
    _, version, number = _HEADER.unpack(frames[0])
    if version != VERSION:
        raise Garbage(Fault.VERSION, f"version {version}, here {VERSION} is spoken")
    return int(number)


def read_up(frames: Sequence[bytes]) -> Up:
    """Read what an agent said, whose header was read before.

    Raises
    ------
    Garbage
        If it is none of the messages.
    """
    if len(frames[1]) > BODY_BYTES_MAX:
        raise Garbage(Fault.SIZE, f"{len(frames[1])} bytes")
    message: Up = _decoded(_read_up, frames[1])
    return message


def read_down(frames: Sequence[bytes]) -> tuple[int, Down]:
    """Read what the hub said to one agent: number and message.

    Raises
    ------
    Garbage
        If it is none of the messages.
    """
    return number_of(frames), _decoded(_read_down, frames[1])


def read_public(frames: Sequence[bytes]) -> tuple[bytes, int, Public]:
    """Read a publication: topic, number under this topic, and message.

    Raises
    ------
    Garbage
        If it is none.
    """
    if len(frames) != 3:
        raise Garbage(Fault.FRAMES, f"{len(frames)} frames")
    return frames[0], number_of(frames[1:]), _decoded(_read_public, frames[2])


def _decoded(decoder: "msgspec.msgpack.Decoder[_T]", body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Garbage(Fault.BODY, str(error)) from error
