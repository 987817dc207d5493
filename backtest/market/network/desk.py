"""The hub without its sockets: who speaks, whether they may, what the market makes of it, and who is told.

Bytes and instants come in, bytes for peers and publications go out. A peer is one connection, named by the transport;
a seat is a participant of the market. A peer speaks for a seat after it has answered a question, and for no other.
What a seat says is numbered for ever, over all its connections: nothing is carried out twice, and what is missing is
seen. An agent that leaves, or of which nothing is heard for too long, loses its open orders; its account stays for its
return. Who loses a connection and is back before that finds the orders as they are.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from backtest.market.network.allowance import Allowance
from backtest.market.network.identity import is_answer, make_question
from backtest.market.network.messages import (
    NO_TRADES,
    TOPIC_MARKET,
    TOPIC_PACE,
    TOPIC_TRADES,
    TRADES_MAX,
    Account,
    Answered,
    AskMarket,
    AskState,
    Beat,
    Bye,
    Down,
    Garbage,
    Hear,
    Hello,
    Leave,
    Market,
    Orders,
    Pace,
    Print,
    Proof,
    Public,
    Question,
    Refused,
    State,
    Trades,
    Welcome,
    Why,
    WireFill,
    WireIntent,
    WireOrder,
    WireTold,
    number_of,
    read_up,
    write,
)
from backtest.market.network.terms import HubTerms

_NS_PER_MS: Final = 1_000_000
_STRANGER_PER_S: Final = 20
_REMARKS_MAX: Final = 200
_MAX_NUMBER: Final = 1 << 62


@dataclass(slots=True)
class SeatChanges:
    """What happened to one seat since it was last asked."""

    waiting: list[WireOrder] = field(default_factory=list)
    fills: list[WireFill] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)
    told: list[WireTold] = field(default_factory=list)


class Floor(Protocol):
    """The market as the desk uses it. Instants never go back."""

    @property
    def first_px(self) -> Sequence[int]:
        """Price of each asset before anything was traded, ticks."""

    @property
    def scale(self) -> int:
        """Money of one tick times one lot."""

    def carry_out(self, seat: int, intents: Sequence[WireIntent], at_ns: int) -> Sequence[tuple[int, str]]:
        """Carry out what a seat wants; gives order id (0: none) and reason of refusal for each intent."""

    def advance(self, at_ns: int) -> None:
        """Let the market's own time pass."""

    def withdraw(self, seat: int, at_ns: int) -> None:
        """Cancel all orders of a seat."""

    def take_changes(self) -> Mapping[int, SeatChanges]:
        """Give what happened to each seat since the last call."""

    def take_prints(self) -> Mapping[int, Sequence[Print]]:
        """Give the trades of each asset since the last call."""

    def market(self, asset: int, levels: int, now_ns: int, trades: int) -> Market:
        """Give what an asset's market is now."""

    def cash(self, seat: int) -> int:
        """Money of a seat that no open order has reserved."""

    def positions(self, seat: int) -> tuple[int, ...]:
        """Lots of a seat by asset."""

    def orders(self, seat: int) -> tuple[WireOrder, ...]:
        """Orders of a seat that wait."""

    def refused(self, seat: int) -> int:
        """Count the intents of a seat that the market has refused so far."""


@dataclass(slots=True)
class _Seat:
    token: bytes
    allowance: Allowance
    fills: deque[WireFill]
    fills_count: int = 0
    next_number: int = 1
    peer: bytes | None = None
    spoken: int = 0
    """Number of the last message to this connection."""
    heard_ns: int = 0
    is_awaited: bool = False
    """Whether it took part and has not been given up: its orders stand."""
    is_in_step: bool = True
    refused: tuple[int, int] | None = None
    """Numbers refused for their rate that have not been told yet."""
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Stranger:
    allowance: Allowance
    question: bytes = b""
    seat: int = -1


class Desk:
    """Takes messages and gives messages.

    Parameters
    ----------
    floor
        The market.
    tokens
        Of each seat, by its number.
    terms
        Limits.
    ask
        Makes a word that is asked once.

    Attributes
    ----------
    outbox
        (peer, frames) to be sent, in order; the transport empties it.
    publications
        Frames to be published, in order; the transport empties them.
    counts
        What happened how often, by name.
    remarks
        What an operator should read, newest last.
    """

    def __init__(
        self,
        floor: Floor,
        tokens: Sequence[bytes],
        terms: HubTerms,
        ask: Callable[[], bytes] = make_question,
    ) -> None:
        self.outbox: list[tuple[bytes, list[bytes]]] = []
        self.publications: list[list[bytes]] = []
        self.counts: Counter[str] = Counter()
        self.remarks: deque[str] = deque(maxlen=_REMARKS_MAX)
        self.is_closed = False
        self._floor = floor
        self._terms = terms
        self._ask = ask
        self._seats = [
            _Seat(token, Allowance(terms.per_s, terms.burst), deque(maxlen=terms.fills_kept))
            for token in tokens
        ]
        self._peers: dict[bytes, int] = {}
        self._strangers: OrderedDict[bytes, _Stranger] = OrderedDict()
        assets = len(floor.first_px)
        self._prints: list[deque[Print]] = [deque(maxlen=terms.trades_kept) for _ in range(assets)]
        self._trades = [0] * assets
        self._published = [[0, 0] for _ in range(assets)]
        self._paces = 0
        self._told: list[Market | None] = [None] * assets
        self._book_due_ns = 0
        self._beat_due_ns = 0

    # From peers

    def receive(self, peer: bytes, frames: Sequence[bytes], now_ns: int) -> bool:
        """Take what a peer said; gives whether it was worth the time: neither garbage nor above its rate."""
        self.counts["messages"] += 1
        seat_number = self._peers.get(peer)
        if seat_number is None:
            return self._receive_stranger(peer, frames, now_ns)
        seat = self._seats[seat_number]
        seat.heard_ns = now_ns
        is_allowed = seat.allowance.take(now_ns)
        try:
            number = number_of(frames)
        except Garbage as garbage:
            return self._garbage(garbage, seat_number, 0, is_allowed=is_allowed)
        if number == 0 and is_allowed:
            # Not of a seat: whoever sits here has lost us, and asks for the seat again.
            self._detach(seat_number, Why.UNREACHABLE)
            return self._receive_stranger(peer, frames, now_ns)
        if number < seat.next_number or number >= _MAX_NUMBER:
            self._refuse(seat, Why.REPEATED, number, number, is_allowed=is_allowed)
            return False
        if number > seat.next_number:
            self._refuse(seat, Why.GAP, seat.next_number, number - 1, is_allowed=is_allowed)
            seat.is_in_step = False
        seat.next_number = number + 1
        if not is_allowed:
            self._over_rate(seat, seat_number, number)
            return False
        self._tell_over_rate(seat)
        try:
            message = read_up(frames)
        except Garbage as garbage:
            return self._garbage(garbage, seat_number, number, is_allowed=True)
        seat.counts["heard"] += 1
        match message:
            case Orders():
                self._orders(seat_number, number, message, now_ns)
            case AskState():
                seat.is_in_step = True
                self._say(seat, self._state(seat_number, message.fills_after, now_ns))
            case AskMarket():
                self._tell_market(seat, number, message, now_ns)
            case Beat():
                pass
            case Leave():
                self._end(seat_number, Why.LEFT, now_ns)
            case Hello() | Proof():
                self._refuse(seat, Why.REPEATED, number, number, is_allowed=True)
        return True

    def gone(self, peer: bytes, why: Why, now_ns: int) -> None:
        """Learn from the transport that a peer cannot be reached, or does not take what is sent."""
        self._strangers.pop(peer, None)
        seat = self._peers.get(peer)
        if seat is not None:
            self._detach(seat, why)

    # From the clock

    def chores(self, now_ns: int) -> None:
        """Do what is due: signs of life, silent agents, changed books, refusals that were not told yet."""
        self._floor.advance(now_ns)
        for number, seat in enumerate(self._seats):
            if seat.is_awaited and now_ns - seat.heard_ns > self._terms.silent_ms * _NS_PER_MS:
                self._end(number, Why.SILENT, now_ns)
            elif seat.peer is not None:
                self._tell_over_rate(seat)
        self._publish_trades()
        self._spread(now_ns)
        if now_ns >= self._book_due_ns:
            self._book_due_ns = now_ns + self._terms.book_ms * _NS_PER_MS
            self._publish_books(now_ns)
        if now_ns >= self._beat_due_ns:
            self._beat_due_ns = now_ns + self._terms.beat_ms * _NS_PER_MS
            for seat in self._seats:
                if seat.peer is not None:
                    self._say(seat, Beat(now_ns))
            self._paces += 1
            published = zip(self._published, self._trades, strict=True)
            counts = tuple((books, some, trades) for (books, some), trades in published)
            self._publish(TOPIC_PACE, self._paces, Pace(now_ns, counts))

    def _spread(self, now_ns: int) -> None:
        """Tell seats what happened to them."""
        for number, changes in self._floor.take_changes().items():
            seat = self._seats[number]
            first, seat.fills_count = seat.fills_count + 1, seat.fills_count + len(changes.fills)
            seat.fills.extend(changes.fills)
            if seat.peer is None:
                continue
            if changes.told:
                self._say(seat, Hear(tuple(changes.told)))
            if changes.waiting or changes.fills or changes.ended:
                cash, positions = self._floor.cash(number), self._floor.positions(number)
                waiting, fills, ended = tuple(changes.waiting), tuple(changes.fills), tuple(changes.ended)
                self._say(seat, Account(now_ns, waiting, first, fills, ended, cash, positions))

    def close(self, now_ns: int) -> None:
        """Cancel all orders, tell everybody, and refuse whatever comes after."""
        for number in range(len(self._seats)):
            self._floor.withdraw(number, now_ns)
        self._publish_trades()
        self._spread(now_ns)
        self._publish_books(now_ns)
        for number, seat in enumerate(self._seats):
            if seat.peer is not None:
                self._tell_over_rate(seat)
            if seat.is_awaited:
                self._end(number, Why.CLOSED, now_ns)
        self._paces += 1
        self._publish(TOPIC_PACE, self._paces, Bye(Why.CLOSED))
        self.is_closed = True

    def status(self) -> dict[str, object]:
        """Say who is here and what happened, for an operator."""
        return {
            "closed": self.is_closed,
            "counts": dict(sorted(self.counts.items())),
            "trades": list(self._trades),
            "seats": [
                {
                    "seat": number,
                    "present": seat.peer is not None,
                    "next_number": seat.next_number,
                    "fills": seat.fills_count,
                    "open_orders": len(self._floor.orders(number)),
                    "counts": dict(sorted(seat.counts.items())),
                }
                for number, seat in enumerate(self._seats)
            ],
            "remarks": list(self.remarks),
        }

    # Strangers

    def _receive_stranger(self, peer: bytes, frames: Sequence[bytes], now_ns: int) -> bool:
        stranger = self._strangers.get(peer)
        if stranger is None:
            stranger = self._strangers[peer] = _Stranger(Allowance(_STRANGER_PER_S, _STRANGER_PER_S))
            if len(self._strangers) > self._terms.strangers_max:
                self._strangers.popitem(last=False)
        if not stranger.allowance.take(now_ns):
            self.counts["refused rate of strangers"] += 1
            return False
        number = 0
        try:
            number = number_of(frames)
            message = read_up(frames)
        except Garbage as garbage:
            self._note_garbage(garbage, "a stranger")
            self._answer(peer, Refused(Why.GARBAGE, number, number))
            return False
        if self.is_closed:
            self._answer(peer, Bye(Why.CLOSED))
        elif isinstance(message, Hello):
            if message.seat >= len(self._seats):
                return self._turn_away(peer, stranger, Why.NO_SEAT)
            stranger.question, stranger.seat = self._ask(), message.seat
            self._answer(peer, Question(stranger.question))
        elif isinstance(message, Proof):
            question, stranger.question = stranger.question, b""
            if not question or not is_answer(
                self._seats[stranger.seat].token, stranger.seat, question, message.digest
            ):
                return self._turn_away(peer, stranger, Why.NOT_PROVED)
            self._sit(peer, stranger.seat, now_ns)
        else:
            self.counts["refused stranger"] += 1
            self._answer(peer, Refused(Why.STRANGER, number, number))
            return False
        return True

    def _turn_away(self, peer: bytes, stranger: _Stranger, why: Why) -> bool:
        stranger.question = b""
        self.counts[f"refused {why.name.lower()}"] += 1
        self._remark(f"somebody was refused a seat: {why.name}")
        self._answer(peer, Refused(why, 0, 0))
        return False

    def _sit(self, peer: bytes, number: int, now_ns: int) -> None:
        """Give a seat to a peer that has proved to be its owner."""
        seat = self._seats[number]
        if seat.peer is not None:
            self._detach(number, Why.TAKEN_OVER)
        del self._strangers[peer]
        self._peers[peer] = number
        seat.peer, seat.heard_ns, seat.spoken, seat.is_in_step = peer, now_ns, 0, True
        seat.refused, seat.is_awaited = None, True
        seat.counts["logins"] += 1
        self.counts["logins"] += 1
        terms, first_px = self._terms, tuple(self._floor.first_px)
        self._say(
            seat,
            Welcome(
                number, now_ns, seat.next_number, len(first_px), first_px, self._floor.scale,
                terms.beat_ms, terms.silent_ms, terms.per_s, terms.burst,
            ),
        )  # fmt: skip

    # Seats

    def _orders(self, number: int, message_number: int, message: Orders, now_ns: int) -> None:
        seat = self._seats[number]
        if not seat.is_in_step:
            self._refuse(seat, Why.OUT_OF_STEP, message_number, message_number, is_allowed=True)
            return
        results = self._floor.carry_out(number, message.intents, now_ns)
        self.counts["intents"] += len(results)
        # What it led to is told first: whoever has its answer must not think that nothing came of it.
        self._spread(now_ns)
        self._say(seat, Answered(message_number, now_ns, tuple(results)))

    def _end(self, number: int, why: Why, now_ns: int) -> None:
        """Give a seat up: its orders are canceled, its account stays."""
        seat = self._seats[number]
        self._floor.withdraw(number, now_ns)
        self._spread(now_ns)
        seat.is_awaited = False
        if seat.peer is not None:
            self._detach(number, why)
        else:
            self._count_end(number, why)

    def _detach(self, number: int, why: Why) -> None:
        """End the connection of a seat, whose orders stand until it has been silent for too long."""
        seat = self._seats[number]
        assert seat.peer is not None, "only who is present can go"
        if why is not Why.UNREACHABLE:
            self._say(seat, Bye(why))
        del self._peers[seat.peer]
        seat.peer = None
        self._count_end(number, why)

    def _count_end(self, number: int, why: Why) -> None:
        self._seats[number].counts[f"ended {why.name.lower()}"] += 1
        self.counts[f"ended {why.name.lower()}"] += 1
        if why not in {Why.LEFT, Why.CLOSED}:
            self._remark(f"seat {number}: {why.name}")

    def _state(self, number: int, fills_after: int, now_ns: int) -> State:
        self._spread(now_ns)
        seat, floor = self._seats[number], self._floor
        kept_after = seat.fills_count - len(seat.fills)
        start = min(max(fills_after, kept_after), seat.fills_count)
        fills = tuple(seat.fills)[start - kept_after :]
        cash, positions, orders = floor.cash(number), floor.positions(number), floor.orders(number)
        return State(
            now_ns, cash, positions, orders, start + 1, fills, seat.next_number, floor.refused(number)
        )

    def _tell_market(self, seat: _Seat, number: int, wanted: AskMarket, now_ns: int) -> None:
        if wanted.asset >= len(self._trades):
            self._refuse(seat, Why.NO_ASSET, number, number, is_allowed=True)
            return
        asset, kept = wanted.asset, self._prints[wanted.asset]
        self.counts["snapshots"] += 1
        self._publish_trades()
        if wanted.trades_after != NO_TRADES:
            kept_after = self._trades[asset] - len(kept)
            start = min(max(wanted.trades_after, kept_after), self._trades[asset])
            missing, lost = tuple(kept)[start - kept_after :], max(0, start - wanted.trades_after)
            for offset in range(0, max(1, len(missing)), TRADES_MAX):
                some = missing[offset : offset + TRADES_MAX]
                self._say(seat, Trades(asset, start + offset + 1, some, 0 if offset else lost))
        self._say(seat, self._market(asset, now_ns))

    def _market(self, asset: int, now_ns: int) -> Market:
        self._publish_trades()  # what is told of the market counts them
        return self._floor.market(asset, self._terms.levels, now_ns, self._trades[asset])

    # Refusals

    def _garbage(self, garbage: Garbage, seat_number: int, number: int, *, is_allowed: bool) -> bool:
        seat = self._seats[seat_number]
        self._note_garbage(garbage, f"seat {seat_number}")
        self._refuse(seat, Why.GARBAGE, number, number, is_allowed=is_allowed)
        return False

    def _note_garbage(self, garbage: Garbage, who: str) -> None:
        name = f"garbage {garbage.fault}"
        self.counts[name] += 1
        # A few are worth a line each, many a line now and then.
        if self.counts[name] & (self.counts[name] - 1) == 0:
            self._remark(f"{who} sent what is no message ({self.counts[name]} so far): {garbage}")

    def _refuse(self, seat: _Seat, why: Why, first: int, last: int, *, is_allowed: bool) -> None:
        """Count a refusal, and tell it as far as the seat's allowance goes."""
        seat.counts[f"refused {why.name.lower()}"] += 1
        self.counts[f"refused {why.name.lower()}"] += 1
        if is_allowed:
            self._say(seat, Refused(why, first, last))

    def _over_rate(self, seat: _Seat, seat_number: int, number: int) -> None:
        if seat.counts["refused rate"] == 0:
            self._remark(f"seat {seat_number} says more than it is allowed")
        seat.counts["refused rate"] += 1
        self.counts["refused rate"] += 1
        if seat.refused is not None and seat.refused[1] != number - 1:
            self._tell_over_rate(seat)
        seat.refused = (seat.refused[0] if seat.refused else number, number)

    def _tell_over_rate(self, seat: _Seat) -> None:
        """Tell in one message what was refused one after the other."""
        if seat.refused is not None:
            first, last = seat.refused
            seat.refused = None
            self._say(seat, Refused(Why.RATE, first, last))

    # Out

    def _publish_trades(self) -> None:
        for asset, prints in self._floor.take_prints().items():
            for start in range(0, len(prints), TRADES_MAX):
                some = tuple(prints[start : start + TRADES_MAX])
                self._prints[asset].extend(some)
                first, self._trades[asset] = self._trades[asset] + 1, self._trades[asset] + len(some)
                self._published[asset][1] += 1
                topic = TOPIC_TRADES + asset.to_bytes(2, "big")
                self._publish(topic, self._published[asset][1], Trades(asset, first, some))

    def _publish_books(self, now_ns: int) -> None:
        for asset, told in enumerate(self._told):
            market = self._market(asset, now_ns)
            if told is None or msgspec.structs.replace(market, now_ns=told.now_ns) != told:
                self._told[asset] = market
                self._published[asset][0] += 1
                self._publish(TOPIC_MARKET + asset.to_bytes(2, "big"), self._published[asset][0], market)

    def _publish(self, topic: bytes, number: int, message: Public) -> None:
        self.publications.append([topic, *write(number, message)])

    def _say(self, seat: _Seat, message: Down) -> None:
        assert seat.peer is not None
        seat.spoken += 1
        self.outbox.append((seat.peer, write(seat.spoken, message)))

    def _answer(self, peer: bytes, message: Down) -> None:
        self.outbox.append((peer, write(0, message)))

    def _remark(self, text: str) -> None:
        self.remarks.append(text)
