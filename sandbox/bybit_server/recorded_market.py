"""A market that is a recording, played at its own pace: what happened happens again, and clients take part.

The rules by which clients take part are those of docs/replay.md, kept here on the venue's own book. The lots of
others at a price are what was recorded there less what clients took and the recording has not taken away since.
A client waits behind all of them when it comes; what is cancelled among them leaves from behind the client first,
which is the most cautious guess. Recorded trades at its price use up what is ahead and then fill it, trades beyond
its price fill it by their lots, and so does a recorded level that comes to it, unless trading is halted. The client's
own orders are in the book, as on any exchange; nobody in the recording reacts to them. While the recorded book is
void, the market is closed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from sandbox.bybit_server.book import Match, Side
from sandbox.bybit_server.clock import NS_PER_S
from sandbox.bybit_server.instruments import TRADING
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.market_source import CROWD_PREFIX, FlowVenue, SourceFactory
from sandbox.bybit_server.queue_places import Queues
from sandbox.bybit_server.recorded_rows import LAST, Kind, Row
from sandbox.bybit_server.recording import Recording, RecordingError
from sandbox.bybit_server.refusal import parameter_error

PRINT: Final = f"{CROWD_PREFIX}print"
LOOP_GAP_NS: Final = 2 * NS_PER_S
HALTED: Final = "Closed"
GOES_ON: Final = 2
RATE_UNITS: Final = 1_000_000_000


def say_on_stderr(text: str) -> None:
    """Tell whoever started the venue how the play goes."""
    sys.stderr.write(f"sandbox: {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaySettings:
    """What is played, and how.

    Parameters
    ----------
    recording
        Days of one symbol.
    start_ns
        Instant of the recording to begin at, UTC; 0 is its first whole book.
    speed
        Seconds of the recording in one second.
    loop
        Whether it begins again, after a pause, when it is over.
    say
        Told when the play begins, ends or begins again.
    """

    recording: Recording
    start_ns: int = 0
    speed: Fraction = Fraction(1)
    loop: bool = False
    say: Callable[[str], None] = say_on_stderr

    def __post_init__(self) -> None:
        """Refuse a speed that is none."""
        if self.speed <= 0:
            raise ValueError("the speed must be positive")


class RecordedMarket:
    """Plays one recording into one market.

    Parameters
    ----------
    venue
        Where its trades go.
    market
        The market it makes.
    settings
        What to play.
    start_ns
        First instant of the monotonic clock.

    Raises
    ------
    RecordingError
        If the recording has no whole book from the start wanted on.
    """

    def __init__(self, venue: FlowVenue, market: Market, settings: PlaySettings, start_ns: int) -> None:
        self._venue = venue
        self._market = market
        self._settings = settings
        self._queues = Queues(market.book)
        self._recorded: dict[tuple[Side, int], int] = {}
        self._rows: Iterator[Row] = iter(())
        self._next: Row | None = None
        self._at_ns = 0
        self._is_live = False
        self._has_mark = False
        self._is_void = True
        self._is_halted = False
        self._owed: dict[tuple[Side, int], int] = {}
        self._looked_ns = start_ns
        self._frozen_ns = 0
        self._resume_ns: int | None = None
        self.frozen = False
        self.spread_extra_ticks = 0
        market.is_played = True
        self._begin(start_ns)

    def advance(self, now_ns: int) -> None:
        """Let everything happen that the recording has until this instant of the monotonic clock."""
        if self.frozen:
            self._began_ns += now_ns - self._looked_ns
        self._looked_ns = now_ns
        if self.frozen:
            return
        if self._resume_ns is not None and now_ns >= self._resume_ns:
            self._resume_ns = None
            self._begin(now_ns)
            self._settings.say(f"{self._settings.recording.name} begins again")
        until_ns = self._first_ns + int((now_ns - self._began_ns) * self._settings.speed)
        while self._next is not None and max(self._at_ns, self._next.at_ns) <= until_ns:
            self._follow(self._next)
            self._next = next(self._rows, None)
            if self._next is None:
                self._end(now_ns)

    def recorded_ns(self, monotonic_ns: int) -> int:
        """Return the instant of the recording that is played at one of the monotonic clock, as things go now."""
        return self._first_ns + int((monotonic_ns - self._began_ns) * self._settings.speed)

    def jump(self, bps: float) -> None:
        """Refuse: what was recorded does not move."""
        raise parameter_error("a recorded market cannot be moved")

    def regrid(self) -> None:
        """Nothing follows from new steps: the recorded book stands on its own."""

    # ---- the play ------------------------------------------------------------------------------------

    def _begin(self, now_ns: int) -> None:
        """Set the stage: the book as it stood at the start, without the trades that led there."""
        settings = self._settings
        self._is_live, self._at_ns, self._has_mark = False, 0, False
        self._is_halted = False
        for side in Side:
            self._clear(side)
        self._owed.clear()
        self._rows = settings.recording.rows()
        book, is_whole = self._market.book, False
        for row in self._rows:
            if is_whole and row.at_ns >= settings.start_ns:
                self._next = row
                break
            self._follow(row)
            if row.flags & LAST:
                is_whole = book.bids.best() is not None and book.asks.best() is not None
        else:
            raise RecordingError(f"{settings.recording.name} has no whole book that goes on at that time")
        self._first_ns = max(self._at_ns, settings.start_ns)
        self._began_ns = self._looked_ns = now_ns
        self._is_live, self._market.is_silent = True, False
        self._meet()

    def _meet(self) -> None:
        """Let clients who were here before the stage was set trade with the book that has come to them."""
        for side in Side:
            for px_ticks in self._market.book.half(side).prices():
                others = self._queues.others(side, px_ticks)
                if not others:
                    continue
                left = self._trade_with_reached(side, px_ticks, others)
                if left == others:
                    break
                self._queues.lay(side, px_ticks, left, self._queues.places(side, px_ticks))

    def _end(self, now_ns: int) -> None:
        name = self._settings.recording.name
        self._market.is_silent = True
        if self._settings.loop:
            self._resume_ns = now_ns + LOOP_GAP_NS
            self._settings.say(f"{name} is over; it begins again in {LOOP_GAP_NS // NS_PER_S} s")
        else:
            self._settings.say(f"{name} is over; its last book stands, and the streams are silent")

    def _follow(self, row: Row) -> None:
        self._at_ns = max(self._at_ns, row.at_ns)
        market = self._market
        match row.kind:
            case Kind.LEVEL if row.side:
                self._set_level(_side(row.side), row.px, row.qty)
            case Kind.CLEAR:
                for side in Side if not row.side else (_side(row.side),):
                    self._clear(side)
            case Kind.TRADE | Kind.HIDDEN if row.px > 0 and row.qty > 0:
                self._print(row)
            case Kind.MARK if row.px > 0:
                self._has_mark = True
                market.follow(float(row.px), 0.0)
            case Kind.HALT:
                goes_on = self._is_halted and row.qty == GOES_ON
                self._is_halted = row.qty != GOES_ON
                self._say_status()
                if goes_on and self._is_live:
                    self._meet()
            case Kind.FUNDING if self._is_live:
                self._venue.crowd_fund(market, Decimal(row.px) / RATE_UNITS)
            case _:
                pass
        if row.flags & LAST:
            if self._is_void and {side for side, _ in self._recorded} == set(Side):
                self._is_void = False
                self._owed.clear()
                self._settle_queues()
            self._say_status()
            market.next_seq()
            self._follow_middle()

    def _follow_middle(self) -> None:
        """Where no mark price was recorded, mark and index are the middle of the book."""
        bid, ask = self._market.book.bids.best(), self._market.book.asks.best()
        if not self._has_mark and bid is not None and ask is not None:
            self._market.follow((bid + ask) / 2, 0.0)

    def _say_status(self) -> None:
        """Trading stands still where the recording says so, and while nobody knows the book."""
        status = HALTED if self._is_halted or self._is_void else TRADING
        if self._market.instrument.status != status:
            self._market.instrument = replace(self._market.instrument, status=status)

    def _taken(self, side: Side, px_ticks: int) -> int:
        """Lots of a recorded level that clients took, and the recording has not taken off since."""
        gone = self._recorded.get((side, px_ticks), 0) - self._queues.others(side, px_ticks)
        return max(gone, self._owed.get((side, px_ticks), 0))

    def _clear(self, side: Side) -> None:
        # What the snapshot shows again stays taken.
        owed = {key: self._taken(*key) for key in self._recorded if key[0] is side}
        self._owed |= {key: lots for key, lots in owed.items() if lots}
        self._recorded = {key: lots for key, lots in self._recorded.items() if key[0] is not side}
        self._queues.clear(side)
        self._is_void = True

    def _settle_queues(self) -> None:
        """A snapshot is whole: where it shows worse prices than a client's, but not that one, nobody is ahead of it."""
        for side in Side:
            shown = [px for of, px in self._recorded if of is side]
            worst = min((side.sign * px for px in shown), default=None)
            for px_ticks in self._market.book.half(side).prices():
                if (
                    worst is not None
                    and side.sign * px_ticks > worst
                    and (side, px_ticks) not in self._recorded
                ):
                    places = self._queues.places(side, px_ticks)
                    for place in places:
                        place.ahead_lots = 0
                    self._queues.lay(side, px_ticks, 0, places)

    def _set_level(self, side: Side, px_ticks: int, lots: int) -> None:
        """Write a new total: what clients took of the level is missing until the recording takes it off."""
        there = self._queues.others(side, px_ticks)
        old = self._recorded.get((side, px_ticks), 0)
        taken = self._taken(side, px_ticks)
        if lots < old:
            taken = max(taken - (old - lots), 0)
        if self._is_void:
            self._owed[side, px_ticks] = taken
        if lots:
            self._recorded[side, px_ticks] = lots
        else:
            self._recorded.pop((side, px_ticks), None)
        left = max(lots - taken, 0)
        if left > there and self._is_live and not self._is_halted:
            left = self._trade_with_reached(side, px_ticks, left)
        places = self._queues.places(side, px_ticks)
        for place in places:
            place.ahead_lots = min(place.ahead_lots, left)
        self._queues.lay(side, px_ticks, left, places)

    def _trade_with_reached(self, side: Side, px_ticks: int, lots: int) -> int:
        """Let a level that has come to clients of the other side trade with them; return what is left of it."""
        for resting in self._queues.reached(side.opposite, px_ticks):
            # A fill may cancel other orders of its client.
            if lots and self._market.book.find(resting.order_id) is not None:
                match = self._market.book.take_from(resting.order_id, min(lots, resting.lots))
                lots -= match.lots
                self._venue.crowd_trade(self._market, side, (match,))
        return lots

    def _print(self, row: Row) -> None:
        """Print a trade: clients it reaches are filled, at its price as a part of it, beyond beside it."""
        if not self._is_live:
            self._market.last_px = self._market.instrument.px(row.px)
            return
        left = row.qty
        if row.side and row.kind == Kind.TRADE:
            left = self._fill_reached(_side(row.side), row.px, row.qty)
        if left:
            side = _side(row.side or 1)
            self._venue.crowd_trade(self._market, side, (Match(PRINT, row.px, left),))

    def _fill_reached(self, side: Side, px_ticks: int, lots: int) -> int:
        """Fill clients by a trade of ``lots`` whose aggressor is ``side``; return the lots that others got."""
        resting_side, book = side.opposite, self._market.book
        left = self._fill_passed(side, px_ticks, lots)
        places = self._queues.places(resting_side, px_ticks)
        if not places:
            return lots
        eaten, filled = 0, 0
        for place in places:
            used = min(max(place.ahead_lots - eaten, 0), left)
            eaten, left = eaten + used, left - used
            got = min(left, place.order.lots)
            if got and book.find(place.order.order_id) is not None:
                left, filled = left - got, filled + got
                self._venue.crowd_trade(self._market, side, (book.take_from(place.order.order_id, got),))
        eaten += left
        others = self._queues.others(resting_side, px_ticks)
        for place in places:
            place.ahead_lots = max(place.ahead_lots - eaten, 0)
        # The level itself is as it was recorded until the recording says what the trade left of it.
        still_there = [place for place in places if book.find(place.order.order_id) is not None]
        self._queues.lay(resting_side, px_ticks, others, still_there)
        return lots - filled

    def _fill_passed(self, side: Side, px_ticks: int, lots: int) -> int:
        """Fill clients whose price a trade went beyond, by its lots, the best price first; return what is left of them.

        Nobody is ahead of those who were passed.
        """
        resting_side, book = side.opposite, self._market.book
        passed = [
            resting
            for resting in self._queues.reached(resting_side, px_ticks)
            if resting.px_ticks != px_ticks
        ]
        for resting in passed:
            # A fill may cancel other orders of its client.
            if lots and book.find(resting.order_id) is not None:
                match = book.take_from(resting.order_id, min(lots, resting.lots))
                lots -= match.lots
                self._venue.crowd_trade(self._market, side, (match,))
        for price in {resting.px_ticks for resting in passed}:
            places = self._queues.places(resting_side, price)
            for place in places:
                place.ahead_lots = 0
            self._queues.lay(resting_side, price, self._queues.others(resting_side, price), places)
        return lots


def played(settings: PlaySettings) -> SourceFactory:
    """Return what makes the market of a recording."""

    def source(venue: FlowVenue, market: Market, rng: object, start_ns: int) -> RecordedMarket:
        return RecordedMarket(venue, market, settings, start_ns)

    return source


def _side(sign: int) -> Side:
    return Side.BUY if sign > 0 else Side.SELL
