"""One agent's side of the wire without its sockets: it takes its seat, keeps its numbers, and finds its way back.

Bytes and instants come in, bytes go out. The hub is lost when nothing was heard of it for too long or when it says that
it does not know us: the seat is asked for again, and the welcome tells which of our messages were heard.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Final

from backtest.market.network.identity import answer
from backtest.market.network.messages import (
    INTENTS_MAX,
    TOPIC_MARKET,
    TOPIC_PACE,
    TOPIC_TRADES,
    AskMarket,
    AskState,
    Beat,
    Bye,
    Down,
    Hello,
    Leave,
    Orders,
    Pace,
    Proof,
    Question,
    Refused,
    State,
    Up,
    Welcome,
    Why,
    read_down,
    read_public,
    write,
)
from backtest.market.network.sight import Sight
from simulation.market.protocol import Intent

_NS_PER_MS: Final = 1_000_000
_HELLO_MS: Final = 500
_SAMPLES_MAX: Final = 100_000
_FINAL: Final = frozenset({Why.CLOSED, Why.LEFT, Why.TAKEN_OVER, Why.NOT_PROVED, Why.NO_SEAT})
"""After these there is nothing to come back to."""


class _Stage(Enum):
    LOOKING = "looking"
    SEATED = "seated"
    OVER = "over"


class Caller:
    """Speaks for one seat.

    Parameters
    ----------
    seat
        Number of the participant.
    token
        Its token.
    follows_trades
        Whether trades are heard one by one.

    Attributes
    ----------
    outbox
        Frames to be sent, in order; the transport takes them from the front.
    topics
        What is to be subscribed to.
    asked_ns
        When each message with orders left that has been answered, by our own clock.
    answer_ns
        How long each message with orders waited for its answer, nanoseconds.
    why
        Why it is over, as soon as it is.
    """

    def __init__(self, seat: int, token: bytes, *, follows_trades: bool = False) -> None:
        self.outbox: list[list[bytes]] = []
        self.asked_ns: array[int] = array("q")
        self.answer_ns: array[int] = array("q")
        self.why: Why | None = None
        self.counts: Counter[str] = Counter()
        self.topics = (TOPIC_MARKET, TOPIC_PACE, *(TOPIC_TRADES,) * follows_trades)
        self._follows_trades = follows_trades
        self._seat = seat
        self._token = token
        self._stage = _Stage.LOOKING
        self._sight: Sight | None = None
        self._number = 1
        self._offset_ns: int | None = None
        self._sent_ns: dict[int, int] = {}
        self._heard_ns = 0
        self._beat_ns = self._silent_ns = _HELLO_MS * _NS_PER_MS
        self._due_ns = 0

    @property
    def sight(self) -> Sight | None:
        """What the agent sees; None before it sat for the first time."""
        return self._sight

    @property
    def is_seated(self) -> bool:
        """Whether orders can be sent."""
        return self._stage is _Stage.SEATED

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to come back to."""
        return self._stage is _Stage.OVER

    def market_ns(self, now_ns: int) -> int:
        """The market's clock at an instant of our own: never later than it really is, by what the wire takes."""
        return now_ns + (self._offset_ns or 0)

    def order(self, intents: Sequence[Intent], now_ns: int) -> None:
        """Send intents, in messages of at most `INTENTS_MAX`.

        Parameters
        ----------
        now_ns
            Our own clock.
        """
        assert self._sight is not None
        assert self.is_seated, "only who sits sends orders"
        for start in range(0, len(intents), INTENTS_MAX):
            some = tuple(intents[start : start + INTENTS_MAX])
            self._sent_ns[self._number] = now_ns
            self._sight.sent(self._number, len(some))
            self._say(Orders(some))

    def leave(self) -> None:
        """Say good-bye."""
        if self.is_seated:
            self._say(Leave())

    def take_private(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Take what the hub said to us.

        Raises
        ------
        Garbage
            If it is no message: this is no hub.
        """
        number, message = read_down(frames)
        self._heard_ns = now_ns
        self.counts["private"] += 1
        if number == 0:
            self._unseated(message, now_ns)
            return
        match message:
            case Welcome():
                self._sit(message, now_ns)
                return
            case Bye():
                self._bye(message.why, now_ns)
                return
            case Beat():
                self._set_clock(message.now_ns, now_ns)
            case Refused():
                self._forget(message.first, message.last)
            case State():
                self._forget(0, message.next_number - 1)
            case _:
                answered = getattr(message, "number", None)
                sent_ns = self._sent_ns.pop(answered, None) if answered is not None else None
                if sent_ns is not None and len(self.answer_ns) < _SAMPLES_MAX:
                    self.asked_ns.append(sent_ns)
                    self.answer_ns.append(now_ns - sent_ns)
        if self._sight is not None:
            self._ask(self._sight.private(number, message))

    def take_public(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Take a publication.

        Raises
        ------
        Garbage
            If it is none: this is no hub.
        """
        topic, number, message = read_public(frames)
        self.counts["public"] += 1
        self._heard_ns = now_ns
        if isinstance(message, Bye):
            self._bye(message.why, now_ns)
            return
        if isinstance(message, Pace):
            self._set_clock(message.now_ns, now_ns)
        if self._sight is not None:
            self._ask(self._sight.public(topic, number, message))

    def tick(self, now_ns: int) -> None:
        """Do what is due: a sign of life, or looking for a hub that was lost."""
        if self.is_over:
            return
        if self.is_seated and now_ns - self._heard_ns > self._silent_ns:
            self.counts["hub lost"] += 1
            self._look(now_ns)
        if now_ns < self._due_ns:
            return
        if self.is_seated:
            self._due_ns = now_ns + self._beat_ns
            self._say(Beat(now_ns))
        else:
            self._look(now_ns)

    def due_ns(self) -> int:
        """When `tick` has something to do next, by our own clock."""
        return self._due_ns

    def _look(self, now_ns: int) -> None:
        """Ask for the seat; what had not left is dropped, and known to be."""
        self._stage = _Stage.LOOKING
        self._due_ns = now_ns + _HELLO_MS * _NS_PER_MS
        self.outbox = [write(0, Hello(self._seat))]

    def _unseated(self, message: Down, now_ns: int) -> None:
        match message:
            case Question() if self._stage is _Stage.LOOKING:
                self.outbox.append(write(0, Proof(answer(self._token, self._seat, message.word))))
            case Refused(why=Why.STRANGER) if self.is_seated:
                self._look(now_ns)
            case Refused() if message.why in _FINAL:
                self._bye(message.why, now_ns)
            case Bye():
                self._bye(message.why, now_ns)
            case _:
                pass

    def _sit(self, welcome: Welcome, now_ns: int) -> None:
        self._stage = _Stage.SEATED
        self.counts["logins"] += 1
        self._number = welcome.next_number
        self._beat_ns = welcome.beat_ms * _NS_PER_MS
        self._silent_ns = welcome.silent_ms * _NS_PER_MS
        self._due_ns = now_ns + self._beat_ns
        self._offset_ns = None
        self._set_clock(welcome.now_ns, now_ns)
        self._sent_ns.clear()
        self.outbox.clear()
        if self._sight is None:
            self._sight = Sight(welcome, follows_trades=self._follows_trades)
        self._ask(self._sight.seated(welcome))

    def _bye(self, why: Why, now_ns: int) -> None:
        self.counts[f"bye {why.name.lower()}"] += 1
        if why in _FINAL:
            self._stage, self.why = _Stage.OVER, why
            self.outbox.clear()
        elif self.is_seated:
            self._look(now_ns)

    def _set_clock(self, market_ns: int, now_ns: int) -> None:
        """The message that was fastest on its way tells best."""
        offset_ns = market_ns - now_ns
        if self._offset_ns is None or offset_ns > self._offset_ns:
            self._offset_ns = offset_ns

    def _forget(self, first: int, last: int) -> None:
        for number in [number for number in self._sent_ns if first <= number <= last]:
            del self._sent_ns[number]

    def _ask(self, asks: Sequence[AskState | AskMarket]) -> None:
        if self.is_seated:
            for wanted in asks:
                self._say(wanted)

    def _say(self, message: Up) -> None:
        self.outbox.append(write(self._number, message))
        self._number += 1
