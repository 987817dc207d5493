"""A market made by agents who react: a program of its own plays them, and trades on the venue's one book.

Time is the venue's. From moment to moment it says how far the agents may live, and what others did with their orders
since; until they say that they are done, they ask one thing at a time: rest or take, withdraw, look deeper. Meanwhile
no client is served, so that nobody trades in between: the same seed and the same requests at the same moments give the
same market. Clients trade with agents as with anybody, on accounts that the agents know nothing of.

Whatever goes wrong on their side ends their part and nothing else: their orders are withdrawn, whoever started the
venue is told, and it goes on with its clients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Final

from sandbox.bybit_server.agents_link import Agents, AgentsError, Heard, call, nonsense
from sandbox.bybit_server.book import End, Match, Side, TimeInForce
from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.instruments import LINEAR, Instrument, SymbolKey, listed_instruments
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.market_source import CROWD_PREFIX, FlowVenue, SourceFactory
from sandbox.bybit_server.recorded_market import say_on_stderr
from sandbox.bybit_server.refusal import parameter_error

VERSION: Final = 1
TICKS_MAX: Final = 1 << 40
LOTS_MAX: Final = 1 << 40
WARM_UP_NS_MAX: Final = 24 * 3600 * NS_PER_S
LEVELS_MAX: Final = 1000
MOMENT_NS_MAX: Final = 250 * NS_PER_MS
LEFT_BEHIND_NS_MAX: Final = 10 * NS_PER_S
WARM_UP_MOMENT_NS: Final = NS_PER_S
NEVER: Final = -1
TIMES_IN_FORCE: Final = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY)
WHY_NOT: Final = {End.WOULD_TAKE: "would-take", End.NOT_ALL_FILLABLE: "not-fillable"}
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsCall:
    """Which agents make the market, and of what.

    Parameters
    ----------
    command
        Program that plays them, with its words.
    key
        Symbol that they trade, with the rules of that listed one but for its steps.
    tick, lot
        What a tick and a lot of the agents are; without, the tick of 1, 2 or 5 times a power of ten that brings their
        first price nearest to the symbol's usual one, and the symbol's usual step.
    pace
        Seconds of the agents in one second.
    say
        Told when the agents come, fall behind, or end.
    """

    command: tuple[str, ...]
    key: SymbolKey = (LINEAR, "BTCUSDT")
    tick: Decimal | None = None
    lot: Decimal | None = None
    pace: Fraction = Fraction(1)
    say: Callable[[str], None] = say_on_stderr

    def __post_init__(self) -> None:
        """Refuse what cannot be traded."""
        if self.pace <= 0 or (self.tick or 1) <= 0 or (self.lot or 1) <= 0:
            raise ValueError("pace, tick and lot are positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsPlay:
    """Agents who have come.

    Parameters
    ----------
    agents
        They themselves.
    instrument
        What they trade.
    warm_up_ns
        How long they live before the venue opens.
    pace
        Seconds of theirs in one second.
    say
        Told how it goes.
    """

    agents: Agents
    instrument: Instrument
    warm_up_ns: int = 0
    pace: Fraction = Fraction(1)
    say: Callable[[str], None] = say_on_stderr


def agents_play(wanted: AgentsCall, side: Agents | None = None) -> AgentsPlay:
    """Call the agents, unless they are here already, and hear what they are.

    Raises
    ------
    AgentsError
        If they do not come, or trade something that is not listed.
    """
    usual = listed(wanted.key)
    side = side or call(wanted.command)
    try:
        match side.hello():
            case "hello", (version, first_px, warm_up_ns) if (
                version == VERSION and 0 < first_px <= TICKS_MAX and 0 <= warm_up_ns <= WARM_UP_NS_MAX
            ):
                instrument = traded(usual, first_px, wanted.tick, wanted.lot)
            case message:
                raise AgentsError(nonsense(message))
    except AgentsError:
        side.close()
        raise
    return AgentsPlay(
        agents=side,
        instrument=instrument,
        warm_up_ns=warm_up_ns,
        pace=wanted.pace,
        say=wanted.say,
    )


def listed(key: SymbolKey) -> Instrument:
    """Return the listed symbol of that category and name.

    Raises
    ------
    AgentsError
        If there is none.
    """
    known = {item.key: item for item in listed_instruments()}
    if key not in known:
        names = ", ".join(symbol for category, symbol in known if category == key[0])
        raise AgentsError(f"cannot trade {key[1]}: {key[0]} symbols are {names or 'none'}")
    return known[key]


def traded(usual: Instrument, first_px: int, tick: Decimal | None, lot: Decimal | None) -> Instrument:
    """Give a symbol the steps of the agents.

    Parameters
    ----------
    first_px
        First price of the agents, ticks.
    tick, lot
        As in `AgentsCall`.
    """
    if tick is None:
        steps = (Decimal(f"{digit}E{power}") for power in range(-12, 12) for digit in (1, 2, 5))
        nearest = min(steps, key=lambda step: abs((step * first_px / usual.start_px).ln()))
        tick = Decimal(format(nearest, "f"))
    lot = lot or usual.step
    start_px = tick * first_px
    return replace(
        usual,
        tick=tick,
        tick_size=tick,
        step=lot,
        qty_step=lot,
        qty_min=lot,
        limit_qty_max=max(lot, usual.limit_qty_max // lot * lot),
        market_qty_max=max(lot, usual.market_qty_max // lot * lot),
        start_px=start_px,
        px_max=start_px * 20,
        liveliness=1.0,
    )


@dataclass(slots=True)
class _Own:
    number: int
    owner: int
    side: Side


class AgentsMarket:
    """The part of the agents in one market.

    Parameters
    ----------
    venue
        Where their trades go.
    market
        The market they make.
    play
        Who they are.
    start_ns
        First instant of the monotonic clock.

    Raises
    ------
    AgentsError
        If they end before the venue has opened.
    """

    def __init__(self, venue: FlowVenue, market: Market, play: AgentsPlay, start_ns: int) -> None:
        self._venue = venue
        self._market = market
        self._book = market.book
        self._play = play
        self._agents = play.agents
        self._orders: dict[str, _Own] = {}
        self._of_owner: dict[tuple[int, Side], set[str]] = {}
        self._last_number = 0
        self._taken: list[tuple[int, list[tuple[int, int]]]] = []
        self._is_acting = False
        self._is_open = False
        self._version = 0
        self._at_ns = 0
        self._next_ns = 0
        self._messages = 0
        self._ended = ""
        self.frozen = False
        self.spread_extra_ticks = 0
        venue.match_sinks.append(self._hear)
        while self._at_ns < play.warm_up_ns:
            self._live(min(self._at_ns + WARM_UP_MOMENT_NS, play.warm_up_ns))
        self._began_ns = self._looked_ns = start_ns
        self._is_open = True
        px = self._middle_px()
        market.last_px = market.open_px = market.high_px = market.low_px = px

    def advance(self, now_ns: int) -> None:
        """Let the agents live until this instant of the monotonic clock."""
        if self.frozen or self._ended:
            self._began_ns += now_ns - self._looked_ns
            self._looked_ns = now_ns
            return
        self._looked_ns = now_ns
        pace = self._play.pace
        due_ns = self._play.warm_up_ns + int((now_ns - self._began_ns) * pace)
        behind_ns = int((due_ns - self._at_ns) / pace)
        if behind_ns > LEFT_BEHIND_NS_MAX:
            self._began_ns += behind_ns - MOMENT_NS_MAX
            self._play.say(
                f"the agents are {behind_ns / NS_PER_S:.0f} s behind; they go on from where they are"
            )
        until_ns = min(due_ns, self._at_ns + int(MOMENT_NS_MAX * pace))
        if until_ns <= self._at_ns:
            return
        try:
            self._live(until_ns)
        except AgentsError as error:
            self._end(str(error))
        self._follow_middle()

    def jump(self, bps: float) -> None:
        """Refuse: what agents think a thing is worth is theirs."""
        raise parameter_error("agents make this price: it is not moved, but traded with")

    def regrid(self) -> None:
        """Nothing follows from new steps: agents count in those of the book."""

    def state(self) -> JsonObject:
        """Say how the agents are."""
        return {
            "symbol": self._market.instrument.symbol,
            "pid": self._agents.pid,
            "ended": self._ended,
            "lived_ms": self._at_ns // NS_PER_MS,
            "messages": self._messages,
            "orders": len(self._orders),
        }

    # ---- a moment ------------------------------------------------------------------------------------

    def _live(self, until_ns: int) -> None:
        """Let the agents live until an instant of their own time, and answer what they ask."""
        gone = self._gone()
        taken, self._taken = self._taken, []
        if not (taken or gone) and (self._next_ns == NEVER or self._next_ns > until_ns):
            # They have said that nothing would happen.
            self._at_ns = until_ns
            return
        self._is_acting = True
        try:
            go = (self._at_ns, until_ns, *self._touch(), taken, gone)
            match self._agents.moment(go, self._answer):
                case "done", (next_ns,) if next_ns == NEVER or next_ns > until_ns:
                    self._next_ns = next_ns
                case message:
                    raise AgentsError(nonsense(message))
        finally:
            self._is_acting = False
        self._at_ns = until_ns
        self._version = self._book.version

    def _answer(self, message: Heard) -> tuple[object, ...]:
        """Do what an agent asks."""
        match message:
            case "limit", (number, owner, sign, px_ticks, lots, tif) if (
                number > self._last_number
                and owner >= 0
                and sign in {1, -1}
                and 0 < px_ticks <= TICKS_MAX
                and 0 < lots <= LOTS_MAX
                and 0 <= tif < len(TIMES_IN_FORCE)
            ):
                self._messages += 1
                self._last_number = number
                return self._enter(_Own(number, owner, _side(sign)), px_ticks, lots, TIMES_IN_FORCE[tif])
            case "cancel", (number,):
                self._messages += 1
                return self._withdraw(f"{CROWD_PREFIX}{number}")
            case "depth", (sign, levels) if sign in {1, -1} and 0 < levels <= LEVELS_MAX:
                return ("levels", self._book.half(_side(sign)).levels(levels))
            case _:
                raise AgentsError(nonsense(message))

    def _enter(self, own: _Own, px_ticks: int, lots: int, tif: TimeInForce) -> tuple[object, ...]:
        """Bring an order to the book; one of the same agent that stands in its way is withdrawn."""
        book, name, side = self._book, f"{CROWD_PREFIX}{own.number}", own.side
        self._market.next_seq()
        mine = self._of_owner.get((own.owner, side.opposite), set())
        outcome = book.submit(name, side, px_ticks, lots, tif, mine)
        if outcome.end in WHY_NOT:
            return ("no", *self._touch(), WHY_NOT[outcome.end])
        happened, matches = self._told(outcome.matches), [*outcome.matches]
        while outcome.end is End.MEETS_OWN:
            head = book.half(side.opposite).head()
            assert head is not None, "it stands before an order"
            book.cancel(head.order_id)
            happened.append((self._forget(head.order_id), head.px_ticks, 0))
            outcome = book.submit(name, side, px_ticks, outcome.leaves_lots, tif, mine)
            happened += self._told(outcome.matches)
            matches += outcome.matches
        if outcome.end is End.RESTS:
            self._orders[name] = own
            self._of_owner.setdefault((own.owner, side), set()).add(name)
        self._print(side, tuple(matches))
        return ("did", *self._touch(), outcome.leaves_lots, happened)

    def _withdraw(self, name: str) -> tuple[object, ...]:
        if name not in self._orders:
            return ("no", *self._touch(), UNKNOWN)
        self._market.next_seq()
        lots = self._book.cancel(name)
        self._forget(name)
        return ("did", *self._touch(), lots, ())

    def _told(self, matches: Sequence[Match]) -> list[tuple[int, int, int]]:
        """Trades as agents are told of them: whose order, 0 for one of somebody else; price; lots."""
        told = []
        for match in matches:
            own = self._orders.get(match.maker_id)
            told.append((own.number if own else 0, match.px_ticks, match.lots))
            if own and self._book.find(match.maker_id) is None:
                self._forget(match.maker_id)
        return told

    def _print(self, side: Side, matches: tuple[Match, ...]) -> None:
        """Print trades and fill clients; what led to the opening is nobody's to see."""
        if matches and self._is_open:
            self._venue.crowd_trade(self._market, side, matches)

    def _touch(self) -> tuple[int, int]:
        return self._book.bids.best() or 0, self._book.asks.best() or 0

    # ---- what others do ------------------------------------------------------------------------------

    def _hear(self, market: Market, side: Side, matches: tuple[Match, ...]) -> None:
        """Keep in mind what a client, or the operator, took of the agents' orders."""
        if market is not self._market or self._is_acting:
            return
        taken = [(number, lots) for number, _, lots in self._told(matches) if number]
        if taken:
            self._taken.append((side.sign, taken))

    def _gone(self) -> list[int]:
        """Forget the orders that somebody else withdrew, and return them."""
        if self._version == self._book.version:
            return []
        self._version = self._book.version
        names = [name for name in self._orders if self._book.find(name) is None]
        return [self._forget(name) for name in names]

    def _forget(self, name: str) -> int:
        own = self._orders.pop(name)
        self._of_owner[own.owner, own.side].discard(name)
        return own.number

    # ---- the price -----------------------------------------------------------------------------------

    def _middle_px(self) -> Decimal:
        self._follow_middle()
        bid, ask = self._touch()
        return self._market.instrument.px((bid + ask) // 2) if bid and ask else self._market.last_px

    def _follow_middle(self) -> None:
        """Mark and index are the middle of the book; while it has no two sides they stay."""
        bid, ask = self._touch()
        if bid and ask:
            self._market.follow((bid + ask) / 2, 0.0)

    def _end(self, why: str) -> None:
        """Go on without the agents."""
        count = len(self._orders)
        for name in list(self._orders):
            self._book.cancel(name)
            self._forget(name)
        self._taken.clear()
        self._ended = why
        self._agents.close()
        self._play.say(
            f"the agents {why}; their {count} orders are withdrawn, and clients trade among themselves"
        )


def agents(play: AgentsPlay) -> SourceFactory:
    """Return what makes the market of agents who have come."""

    def source(venue: FlowVenue, market: Market, rng: Random, start_ns: int) -> AgentsMarket:
        return AgentsMarket(venue, market, play, start_ns)

    return source


def _side(sign: int) -> Side:
    return Side.BUY if sign > 0 else Side.SELL
