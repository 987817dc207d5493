"""Each venue is believed, and doubted, by itself: reads, streams and restrictions of one say nothing of another."""

import pytest

from executor.domain.commands import QueryOrder, Reconcile
from executor.domain.events import (
    AccountUnreadable,
    InstrumentLoaded,
    PositionReport,
    Reconciled,
    ReconcileFailed,
    Stream,
    StreamChanged,
    VenueRestricted,
)
from executor.domain.orders import Category
from executor.domain.places import (
    at_venue,
    bare_symbol,
    category_of,
    is_venue_name,
    place_of,
    place_of_market,
    venue_of,
)
from executor.domain.timeline import NS_PER_S
from executor.engine.links import links_of
from tests.builders import D, instrument, submitted
from tests.engine.rig import Rig

THERE = "BTCUSDT@other"


def test_a_symbol_names_its_place():
    assert [venue_of(each) for each in ("BTCUSDT", THERE, f"linear:{THERE}", "linear@other")] == [
        "",
        *["other"] * 3,
    ]
    assert (bare_symbol(THERE), at_venue("BTCUSDT", "other"), at_venue("BTCUSDT", "")) == (
        "BTCUSDT",
        THERE,
        "BTCUSDT",
    )
    assert place_of(Category.SPOT, THERE) == place_of_market(f"spot:{THERE}") == "spot@other"
    assert (place_of(Category.SPOT, "BTCUSDT"), category_of("spot@other")) == ("spot", Category.SPOT)
    assert is_venue_name("kraken")
    assert not any(map(is_venue_name, ("", "Kraken", "a@b", "1a", "a" * 17)))


def reads(commands):
    return [each for each in commands if isinstance(each, Reconcile)]


def done(at_ns, venue, symbol):
    position = PositionReport(category=Category.LINEAR, symbol=symbol, position_idx=0, qty=D(0))
    return Reconciled(
        at_ns=0,
        category=Category.LINEAR,
        asked_ns=at_ns,
        open_client_order_ids=(),
        foreign_open_orders=0,
        positions=(position,),
        venue=venue,
    )


def private(rig, venue, live):
    return rig.send(
        StreamChanged(at_ns=0, stream=Stream.PRIVATE, category=None, live=live, detail="", venue=venue)
    )


@pytest.fixture
def rig():
    """Bybit is ready; another venue is heard and read."""
    rig = Rig()
    rig.open_market()
    assert not reads(rig.send(InstrumentLoaded(at_ns=0, instrument=instrument(symbol=THERE))))
    (read,) = reads(private(rig, "other", live=True))
    assert (read.symbols, read.category) == ((THERE,), Category.LINEAR)
    rig.send(done(rig.now_ns, "other", THERE))
    assert rig.engine.state.reconciled == {"linear": True, "linear@other": True}
    assert rig.engine.state.markets[f"linear:{THERE}"].compared
    return rig


def test_a_failed_read_there_closes_nothing_here(rig):
    state = rig.engine.state
    rig.send(AccountUnreadable(at_ns=0, category=Category.LINEAR, detail="odd", venue="other"))
    assert state.reconciled == {"linear": True, "linear@other": False}
    rig.now_ns = state.timers["reconcile:linear@other"]
    commands = rig.tick(0) or rig.log
    assert reads(commands)[-1].symbols == (THERE,)
    rig.send(
        ReconcileFailed(at_ns=0, category=Category.LINEAR, asked_ns=rig.now_ns, detail="down", venue="other")
    )
    assert state.reconciled == {"linear": True, "linear@other": False}
    rig.send(AccountUnreadable(at_ns=0, category=Category.LINEAR, detail="odd"))
    assert state.reconciled == {"linear": False, "linear@other": False}


def test_a_complete_read_there_settles_no_order_here(rig):
    rig.send(submitted())
    rig.tick(1)
    state = rig.engine.state
    (child,) = state.children.values()
    state.reconciling["linear@other"] = rig.now_ns
    rig.now_ns += NS_PER_S
    commands = rig.send(done(rig.now_ns, "other", THERE))
    assert not [each for each in commands if isinstance(each, QueryOrder)]
    state.reconciling["linear"] = rig.now_ns
    commands = rig.send(done(rig.now_ns, "", "BTCUSDT"))
    assert [each.client_order_id for each in commands if isinstance(each, QueryOrder)] == [
        child.order.client_order_id
    ]


def test_a_lost_stream_forgets_what_was_read_of_its_own_venue(rig):
    state = rig.engine.state
    private(rig, "other", live=False)
    assert state.reconciled == {"linear": True}
    assert (links_of(state, "BTCUSDT").private_live, links_of(state, THERE).private_live) == (True, False)
    assert state.markets["linear:BTCUSDT"].compared
    assert not state.markets[f"linear:{THERE}"].compared
    rig.stream(Stream.PRIVATE, live=False)
    private(rig, "other", live=True)
    assert (links_of(state, "BTCUSDT").private_live, links_of(state, THERE).private_live) == (False, True)
    assert not links_of(state, "BTCUSDT@third").private_live


def test_a_restriction_is_of_one_venue(rig):
    state = rig.engine.state
    until_ns = rig.now_ns + 60 * NS_PER_S
    rig.send(VenueRestricted(at_ns=0, until_ns=until_ns, detail="slow down", venue="other"))
    assert (state.restricted_until_ns, links_of(state, THERE).restricted_until_ns) == (0, until_ns)
    assert state.timers["restricted"] == until_ns
    rig.send(VenueRestricted(at_ns=0, until_ns=until_ns + 1, detail="closed"))
    assert (state.restricted_until_ns, state.timers["restricted"]) == (until_ns + 1, until_ns)


def test_a_new_incarnation_has_heard_of_nobody(rig):
    rig.restart()
    state = rig.engine.state
    assert (state.reconciled, state.elsewhere) == ({}, {})
    assert not any(market.compared for market in state.markets.values())


def test_market_data_that_nobody_names_is_lost_at_its_own_venue_alone(rig):
    for venue in ("", "other"):
        rig.send(
            StreamChanged(
                at_ns=0, stream=Stream.PUBLIC, category=Category.LINEAR, live=True, detail="", venue=venue
            )
        )
    rig.send(StreamChanged(at_ns=0, stream=Stream.PUBLIC, category=None, live=False, detail=""))
    live = rig.engine.state.public_live
    assert not live.get("linear", False)
    assert live["linear@other"]
