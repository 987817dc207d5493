"""The rules of a followed symbol: what changes at the venue is told, also beside a symbol that cannot be read."""

import pytest

from executor.domain.commands import Subscribe
from executor.domain.events import InstrumentLoaded, InstrumentMissing
from executor.domain.orders import Category
from executor.venues.bybit import public_side
from tests.builders import D
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process
RULES = "/v5/market/instruments-info"


def follow(symbol="BTCUSDT"):
    return Subscribe(category=Category.LINEAR, symbol=symbol)


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(public_side, "_RULES_LOOK_S", 0.02)
    monkeypatch.setattr(public_side, "_RULES_EVERY_S", 0.02)


async def loaded(heard, symbol="BTCUSDT", **fields):
    def first(events):
        return next(
            (
                event.instrument
                for event in events
                if isinstance(event, InstrumentLoaded)
                and event.instrument.symbol == symbol
                and all(getattr(event.instrument, name) == value for name, value in fields.items())
            ),
            None,
        )

    return await heard.until(first)


async def test_59_rules_that_change_are_told(often):
    async with bench() as desk, desk.running() as heard:
        desk.venue.subscribe(follow())
        before = await loaded(heard)
        assert before.trading
        await desk.do("instrument", symbol="BTCUSDT", qtyStep="0.01", tickSize="0.5", minNotional="77")
        after = await loaded(heard, qty_step=D("0.01"))
        assert (after.tick_size, after.min_notional) == (D("0.5"), 77)
        assert (before.tick_size, before.qty_step) != (after.tick_size, after.qty_step)


@pytest.mark.parametrize("status", ["PreLaunch", "Closed"])
async def test_60_a_symbol_that_no_longer_trades_is_told(often, status):
    async with bench() as desk, desk.running() as heard:
        desk.venue.subscribe(follow())
        await loaded(heard, trading=True)
        await desk.do("instrument", symbol="BTCUSDT", status=status)

        def told(events):
            return [
                event
                for event in events
                if isinstance(event, InstrumentMissing)
                or (isinstance(event, InstrumentLoaded) and not event.instrument.trading)
            ]

        assert (await heard.until(told))[0]
        await desk.do("instrument", symbol="BTCUSDT", status="Trading")
        seen = len(heard.events)
        await heard.until(
            lambda events: any(
                isinstance(event, InstrumentLoaded) and event.instrument.trading for event in events[seen:]
            )
        )


async def test_a_symbol_whose_rules_cannot_be_read_does_not_hold_up_those_of_the_others(often):
    async with bench() as desk, desk.running() as heard:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            desk.venue.subscribe(follow(symbol))
            await loaded(heard, symbol)
        await desk.fault(
            "status", path=RULES, when="before_apply", status=500, match={"symbol": "BTCUSDT"}, times=None
        )
        await desk.do("instrument", symbol="ETHUSDT", tickSize="0.5")
        await loaded(heard, "ETHUSDT", tick_size=D("0.5"))
