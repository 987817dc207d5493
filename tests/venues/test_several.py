"""Several venues as one: who is asked, what is said of a venue that is not there, and second opinions between them."""

import asyncio

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Overflow
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelOutcomeUnknown,
    InstrumentLoaded,
    InstrumentMissing,
    OrderNotSent,
    OrderQueryFailed,
    ReconcileFailed,
    ReferenceUpdated,
    ReplaceNotSent,
)
from executor.domain.orders import Category, Replacement
from executor.venues.several import SeveralVenues
from tests.builders import T0, D, instrument, new_order, snapshot


class Heard:
    """A venue that keeps what it was asked, and posts what it was given."""

    def __init__(self, *events):
        self.asked, self.events = [], events

    async def place(self, approved):
        self.asked.append(("place", approved.order.symbol))
        return "placed"

    async def replace(self, approved):
        self.asked.append(("replace", approved.order.symbol))
        return "replaced"

    async def cancel(self, command):
        self.asked.append(("cancel", command.symbol))
        return "cancelled"

    async def query(self, command):
        self.asked.append(("query", command.symbol))
        return []

    async def reconcile(self, command):
        self.asked.append(("reconcile", command.symbols[0]))
        return []

    def subscribe(self, command):
        self.asked.append(("subscribe", command.symbol))

    async def run(self, post):
        for event in self.events:
            post(event)
        await asyncio.Event().wait()


def approved(order):
    return Approved(order=order, ticket=1, halt_epoch=0)


def replacement(order):
    return approved(
        Replacement(
            client_order_id=order.client_order_id,
            parent_id=order.parent_id,
            category=order.category,
            symbol=order.symbol,
            side=order.side,
            qty=order.qty,
            px=order.px,
        )
    )


async def ask_everything(venues, symbol):
    order = new_order(symbol=symbol)
    named = dict(category=order.category, symbol=symbol, client_order_id=order.client_order_id)
    return [
        await venues.place(approved(order)),
        await venues.replace(replacement(order)),
        await venues.cancel(CancelOrder(**named)),
        *await venues.query(QueryOrder(**named)),
        *await venues.reconcile(Reconcile(category=order.category, symbols=(symbol,), since_ms=1)),
    ]


async def test_everything_goes_to_the_venue_that_the_symbol_names():
    home, other = Heard(), Heard()
    venues = SeveralVenues(home, {"other": other})
    await ask_everything(venues, "BTCUSDT")
    await ask_everything(venues, "BTCUSDT@other")
    for symbol in ("BTCUSDT", "BTCUSDT@other"):
        venues.subscribe(Subscribe(category=Category.LINEAR, symbol=symbol))
    what = ("place", "replace", "cancel", "query", "reconcile", "subscribe")
    assert home.asked == [(each, "BTCUSDT") for each in what]
    assert other.asked == [(each, "BTCUSDT@other") for each in what]
    assert len(home.asked) == len(what)


async def test_of_a_venue_that_is_not_configured_nothing_is_proved():
    home = Heard()
    venues = SeveralVenues(home, {})
    said = await ask_everything(venues, "BTCUSDT@gone")
    kinds = [OrderNotSent, ReplaceNotSent, CancelOutcomeUnknown, OrderQueryFailed, ReconcileFailed]
    assert [type(each) for each in said] == kinds
    assert all("no venue gone is configured" in each.detail for each in said)
    assert (said[-1].venue, home.asked) == ("gone", [])
    venues.subscribe(Subscribe(category=Category.LINEAR, symbol="BTCUSDT@gone"))
    events = await heard_of(venues, 1)
    assert isinstance(events[0], InstrumentMissing)


async def heard_of(venues, count, *, full=()):
    """The first events that are posted; the inbox has no room for opinions where `full` names their kinds."""
    events, enough = [], asyncio.Event()

    def post(event):
        if isinstance(event, full):
            raise Overflow("full")
        events.append(event)
        if len(events) >= count:
            enough.set()

    task = asyncio.create_task(venues.run(post))
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return events


def book(symbol, ts_ns, bid):
    market = snapshot(bid, str(D(bid) + 1), symbol=symbol, ts_exchange_ns=ts_ns)
    return BookUpdated(at_ns=0, market=market)


async def test_a_market_is_a_second_opinion_about_itself_elsewhere_once_a_second():
    home = Heard(book("BTCUSDT", T0, "100"), book("BTCUSDT", T0 + 10, "101"), book("ETHUSDT", T0, "5"))
    other = Heard(book("BTCUSDT@other", T0, "102"))
    venues = SeveralVenues(home, {"other": other})
    for symbol in ("BTCUSDT", "BTCUSDT@other"):
        venues.subscribe(Subscribe(category=Category.LINEAR, symbol=symbol))
    events = await heard_of(venues, 6)
    opinions = [(each.symbol, each.source, each.px) for each in events if isinstance(each, ReferenceUpdated)]
    assert opinions == [("BTCUSDT@other", "bybit", D("100.5")), ("BTCUSDT", "other", D("102.5"))]
    books = await heard_of(venues, 4, full=ReferenceUpdated)
    assert all(isinstance(each, BookUpdated) for each in books)


async def test_of_another_venues_symbol_bybits_price_is_heard_and_nothing_else():
    rules = InstrumentLoaded(at_ns=0, instrument=instrument())
    lost = BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="")
    home = Heard(rules, book("BTCUSDT", T0, "100"), lost, book("ETHUSDT", T0, "5"))
    venues = SeveralVenues(home, {"other": Heard()})
    venues.subscribe(Subscribe(category=Category.LINEAR, symbol="BTCUSDT@other"))
    assert home.asked == [("subscribe", "BTCUSDT")]
    events = await heard_of(venues, 2)
    opinion, eth = events
    assert (opinion.symbol, opinion.px, eth.market.symbol) == ("BTCUSDT@other", D("100.5"), "ETHUSDT")
    # Once it is traded at Bybit too, all of it is told, the rules that were kept first.
    venues.subscribe(Subscribe(category=Category.LINEAR, symbol="BTCUSDT"))
    kinds = {type(each) for each in await heard_of(venues, 5)}
    assert {InstrumentLoaded, BookUpdated, BookLost} <= kinds
