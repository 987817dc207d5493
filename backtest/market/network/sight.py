"""What an agent away from the market sees: the view of the market's protocol, kept up out of messages.

It says what must be asked when something is missing. What is public arrives without order among the topics and may
be lost by whoever reads too slowly: the numbers under each topic tell, a fresh snapshot mends. A book is always told
whole, so that a lost one matters only until the next; trades are asked for again. What is private arrives in order
or the connection has ended; a hole is mended by the whole state.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from backtest.market.network.messages import (
    NO_TRADES,
    TOPIC_MARKET,
    TOPIC_TRADES,
    Account,
    Answered,
    AskMarket,
    AskState,
    Down,
    Hear,
    Market,
    Pace,
    Print,
    Public,
    Refused,
    State,
    Trades,
    Welcome,
    Why,
    WireFill,
    WireOrder,
)
from simulation.market.protocol import Fill, OpenOrder, Told

TRADES_KEPT: Final = 256
"""Trades of each asset that an agent keeps."""


class Noticed(StrEnum):
    """What went missing and was seen to be missing."""

    BOOKS = "books"
    """Publications of a book; the next one tells all."""
    PACES = "paces"
    """Signs of the pace itself."""
    TRADES = "trades"
    """Publications of trades; asked for again."""
    TRADES_FOR_GOOD = "trades for good"
    """Trades that the hub no longer keeps."""
    FILLS_FOR_GOOD = "fills for good"
    """Own fills that the hub no longer keeps one by one; the account has them."""
    PRIVATE = "private"
    """Messages to this agent alone; mended by its whole state."""
    REFUSED = "refused"
    """Own messages that the hub did not carry out."""
    UNHEARD = "unheard"
    """Own messages that never reached the hub."""


_UNKNOWN: Final = -1
"""How many publications there were before the first that is heard of."""


class _Asset:
    __slots__ = ("books", "is_asked", "market", "next_trade", "prints", "publications")

    def __init__(self, market: Market) -> None:
        self.market = market
        self.books = _UNKNOWN
        self.is_asked = False
        self.publications = _UNKNOWN
        self.next_trade = 1
        self.prints: deque[Print] = deque(maxlen=TRADES_KEPT)


class Sight:
    """A `MarketView` for one seat.

    Parameters
    ----------
    welcome
        What the hub said when the seat was taken.
    follows_trades
        Whether trades are heard one by one; no agent needs that, a book tells volumes and the last price.
    """

    def __init__(self, welcome: Welcome, *, follows_trades: bool = False) -> None:
        self.now_ns = welcome.now_ns
        self.participant = welcome.seat
        self.scale = welcome.scale
        self.cash = 0
        self.refused = 0
        self.in_flight = 0
        self.fills: Sequence[Fill] = ()
        self.told: Sequence[Told] = ()
        self.noticed: Counter[Noticed] = Counter()
        self._assets = [
            _Asset(Market(asset, welcome.now_ns, 0, (), (), px, 0, 0))
            for asset, px in enumerate(welcome.first_px)
        ]
        self._positions = (0,) * len(self._assets)
        self._orders: dict[int, OpenOrder] = {}
        self._waiting: dict[int, int] = {}
        self._follows_trades = follows_trades
        self._heard = 0
        self._fills = 0
        self._is_whole = False
        self._paces = 0
        self._new_fills: list[Fill] = []
        self._new_told: list[Told] = []

    # What an agent reads.

    def bid(self, asset: int) -> int:
        """Return the best bid, ticks; 0 if there is none."""
        bids = self._assets[asset].market.bids
        return bids[0][0] if bids else 0

    def ask(self, asset: int) -> int:
        """Return the best ask, ticks; 0 if there is none."""
        asks = self._assets[asset].market.asks
        return asks[0][0] if asks else 0

    def mid2(self, asset: int) -> int:
        """Return twice the mid, ticks; twice the last price while a side is empty."""
        bid, ask = self.bid(asset), self.ask(asset)
        return bid + ask if bid and ask else 2 * self.last_px(asset)

    def last_px(self, asset: int) -> int:
        """Return the price of the last trade, ticks; before any, the asset's first price."""
        return self._assets[asset].market.last_px

    def depth(self, asset: int, side: int, levels: int) -> Sequence[tuple[int, int]]:
        """Return (px, qty) of the best levels of bids (+1) or asks (-1), best first, of those that are published."""
        market = self._assets[asset].market
        return (market.bids if side > 0 else market.asks)[:levels]

    def volume_qty(self, asset: int) -> int:
        """Return lots traded since the beginning."""
        return self._assets[asset].market.volume_qty

    def signed_qty(self, asset: int) -> int:
        """Return lots that takers bought less lots that takers sold since the beginning."""
        return self._assets[asset].market.signed_qty

    def position_qty(self, asset: int) -> int:
        """Return lots owned; below zero if borrowed."""
        return self._positions[asset]

    @property
    def open_orders(self) -> Mapping[int, OpenOrder]:
        """Own orders that wait in the market, by order id, oldest first."""
        return self._orders

    def prints(self, asset: int) -> Sequence[Print]:
        """Return the latest trades that were heard of, oldest first."""
        return self._assets[asset].prints

    # What the wire brings and what the agent's runner does.

    @property
    def is_whole(self) -> bool:
        """Whether the own account is known: it was told since the connection began."""
        return self._is_whole

    def is_called(self, *, hears_fills: bool) -> bool:
        """Whether something arrived that wakes an agent: news, or own fills if it hears them."""
        return bool(self._new_told or (hears_fills and self._new_fills))

    def open_eyes(self, now_ns: int) -> None:
        """Begin a wake-up: what has arrived since the last one is what the agent sees."""
        self.now_ns = max(self.now_ns, now_ns)
        self.fills, self._new_fills = tuple(self._new_fills), []
        self.told, self._new_told = tuple(self._new_told), []

    def sent(self, number: int, intents: int) -> None:
        """Note that a message with so many intents left."""
        self._waiting[number] = intents
        self.in_flight += intents

    def seated(self, welcome: Welcome) -> Sequence[AskState | AskMarket]:
        """Begin a connection: what the hub has not heard is known now, what it answered is in the state."""
        for number in list(self._waiting):
            if number >= welcome.next_number:
                self.noticed[Noticed.UNHEARD] += 1
            self._answered(number)
        self._heard = 1  # the welcome
        self._is_whole = False
        trades = (self._ask_market(asset) for asset in range(len(self._assets)))
        return (self._ask_state(), *trades)

    def private(self, number: int, message: Down) -> Sequence[AskState]:
        """Take what the hub said to this seat; gives what must be asked."""
        asks: Sequence[AskState] = ()
        if number != self._heard + 1:
            self.noticed[Noticed.PRIVATE] += max(1, number - self._heard - 1)
            asks = (self._ask_state(),)
        self._heard = number
        match message:
            case Answered():
                self.refused += sum(1 for _, why in message.results if why)
                self._answered(message.number)
            case Account():
                self._change(message)
            case State():
                missing = message.first_fill - self._fills - 1
                if missing > 0:
                    self.noticed[Noticed.FILLS_FOR_GOOD] += missing
                self._fill(message.first_fill, message.fills)
                self._fills = max(self._fills, message.first_fill + len(message.fills) - 1)
                self.cash, self._positions = message.cash, message.positions
                self._orders = {}
                self._is_whole = True
                self.refused = message.refused
                # Their answers have been lost, or they would have come before.
                for one in [one for one in self._waiting if one < message.next_number]:
                    self._answered(one)
                self._open(message.orders)
            case Hear():
                self._new_told.extend(message.told)
            case Refused():
                for one in [one for one in self._waiting if message.first <= one <= message.last]:
                    self.noticed[Noticed.REFUSED] += 1
                    self._answered(one)
                if message.why is Why.GAP:
                    asks = (self._ask_state(),)  # until then the hub takes no orders
            case Market():
                self._assets[message.asset].is_asked = False  # the trades came before it
                self._take_market(message)
            case Trades():
                self._take_trades(message)
            case _:
                pass
        return asks

    def public(self, topic: bytes, number: int, message: Public) -> Sequence[AskMarket]:
        """Take a publication; gives what must be asked."""
        match message:
            case Market():
                self._numbered(topic, message.asset, number)
                self._take_market(message)
                return ()
            case Trades():
                missing = self._numbered(topic, message.asset, number)
                kept = self._assets[message.asset]
                if missing or message.first > kept.next_trade:
                    # Asked once; should that be lost, the pace shows it.
                    return () if kept.is_asked else (self._ask_market(message.asset),)
                self._take_trades(message)
                return ()
            case Pace():
                if self._paces and number > self._paces + 1:
                    self.noticed[Noticed.PACES] += number - self._paces - 1
                self._paces = number
                return self._take_pace(message)
            case _:
                return ()

    def _numbered(self, topic: bytes, asset: int, number: int) -> int:
        """Count what is missing before a publication."""
        kept = self._assets[asset]
        if topic[:1] == TOPIC_MARKET:
            missing = number - kept.books - 1 if kept.books != _UNKNOWN else 0
            kept.books, kind = number, Noticed.BOOKS
        else:
            missing = number - kept.publications - 1 if kept.publications != _UNKNOWN else 0
            kept.publications, kind = number, Noticed.TRADES
        if missing > 0:
            self.noticed[kind] += missing
        return max(0, missing)

    def _take_pace(self, pace: Pace) -> Sequence[AskMarket]:
        """Compare with how many publications there were: one that is missing at the end has nothing after it."""
        asks = []
        for asset, (books, publications, trades) in enumerate(pace.counts):
            kept = self._assets[asset]
            is_behind = kept.books != books
            self._numbered(TOPIC_MARKET, asset, books + 1)
            kept.books = books
            if self._follows_trades:
                is_behind |= kept.publications != publications or kept.next_trade <= trades
                self._numbered(TOPIC_TRADES, asset, publications + 1)
                kept.publications = publications
            if is_behind:
                asks.append(self._ask_market(asset))
        return asks

    def _take_market(self, message: Market) -> None:
        kept = self._assets[message.asset]
        if message.now_ns >= kept.market.now_ns:
            kept.market = message

    def _take_trades(self, message: Trades) -> None:
        kept = self._assets[message.asset]
        if message.lost and kept.next_trade > 1:  # else they were before our time
            self.noticed[Noticed.TRADES_FOR_GOOD] += message.lost
        known = max(0, kept.next_trade - message.first)
        kept.prints.extend(message.prints[known:])
        kept.next_trade = max(kept.next_trade, message.first + len(message.prints))

    def _change(self, change: Account) -> None:
        self._open(change.waiting)
        if change.first_fill <= self._fills + 1:  # else the state brings them, which has been asked for
            self._fill(change.first_fill, change.fills)
        for order_id, _ in change.ended:
            self._orders.pop(order_id, None)
        self.cash, self._positions = change.cash, change.positions

    def _fill(self, first: int, fills: Sequence[WireFill]) -> None:
        """Take fills that were not taken before."""
        for number, fill in enumerate(fills, first):
            if number > self._fills:
                self._fills = number
                self._new_fills.append(fill)

    def _open(self, orders: Sequence[WireOrder]) -> None:
        for order_id, *rest in orders:
            asset, side, px, qty = rest
            self._orders[order_id] = (asset, side, px, qty)

    def _ask_state(self) -> AskState:
        return AskState(self._fills)

    def _ask_market(self, asset: int) -> AskMarket:
        self._assets[asset].is_asked = True
        after = self._assets[asset].next_trade - 1 if self._follows_trades else NO_TRADES
        return AskMarket(asset, after)

    def _answered(self, number: int) -> None:
        self.in_flight -= self._waiting.pop(number, 0)
