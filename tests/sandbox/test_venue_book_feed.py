"""The book stream as a pure thing: the window, its changes, the repeats, and the restart."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.bybit_server.book import Side, TimeInForce
from sandbox.bybit_server.book_feed import BookFeed
from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S, ManualClock
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.instruments import listed_instruments
from sandbox.bybit_server.market import Market


def market_with(levels):
    market = Market(listed_instruments()[0])
    for number in range(levels):
        market.book.submit(f"b{number}", Side.BUY, 1000 - number, 5, TimeInForce.GTC)
        market.book.submit(f"a{number}", Side.SELL, 1001 + number, 5, TimeInForce.GTC)
    return market


def test_a_level_pushed_out_of_the_window_is_deleted_and_comes_back_as_an_insert():
    market = market_with(60)
    feed = BookFeed(market, 50)
    first = feed.snapshot(0)
    assert [len(first["data"][side]) for side in "ba"] == [50, 50]
    market.book.cancel("b0")
    moved_in = feed.poll(NS_PER_S, 1000)["data"]
    assert moved_in["b"] == [["100.00", "0"], ["95.00", "0.005"]]
    market.book.submit("new", Side.BUY, 1000, 7, TimeInForce.GTC)
    moved_out = feed.poll(2 * NS_PER_S, 2000)["data"]
    assert sorted(moved_out["b"]) == [["100.00", "0.007"], ["95.00", "0"]]
    assert (moved_in["u"], moved_out["u"]) == (first["data"]["u"] + 1, first["data"]["u"] + 2)


def test_nothing_is_said_before_its_time_nor_when_nothing_changed():
    market = market_with(3)
    feed = BookFeed(market, 200)
    assert feed.poll(NS_PER_S, 0) is None
    market.book.cancel("b0")
    assert feed.poll(NS_PER_S + 99 * NS_PER_MS, 0) is None
    assert feed.poll(NS_PER_S + 100 * NS_PER_MS, 0)["type"] == "delta"


def test_depth_one_repeats_itself_after_three_seconds_with_the_same_id():
    feed = BookFeed(market_with(3), 1)
    said = [feed.poll(NS_PER_S + step * 100 * NS_PER_MS, 0) for step in range(65)]
    repeats = [message for message in said if message is not None]
    assert [message["type"] for message in repeats] == ["snapshot", "snapshot"]
    assert len({message["data"]["u"] for message in repeats}) == 1


def test_a_restart_starts_the_ids_anew():
    feed = BookFeed(market_with(3), 50)
    again = feed.restart(0)
    assert (again["type"], again["data"]["u"]) == ("snapshot", 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Side)), st.integers(900, 1100), st.integers(1, 9), st.booleans()),
        min_size=1,
        max_size=80,
    )
)
def test_changes_always_lead_to_the_window_of_a_fresh_look(history):
    market = market_with(55)
    feed = BookFeed(market, 50)
    shown = {side: dict(feed.snapshot(0)["data"][side]) for side in "ba"}
    for step, (side, px, lots, cancels) in enumerate(history, start=1):
        market.book.submit(f"o{step}", side, px, lots, TimeInForce.GTC)
        if cancels:
            market.book.cancel(f"o{step - 1}")
        message = feed.poll(step * NS_PER_S, step)
        for name in "ba":
            for level_px, size in message["data"][name] if message else ():
                if size == "0":
                    del shown[name][level_px]
                else:
                    shown[name][level_px] = size
    fresh = BookFeed(market, 50).snapshot(0)["data"]
    assert shown == {side: dict(fresh[side]) for side in "ba"}


async def test_a_client_too_slow_for_its_queue_is_cut():
    class StuckSocket:
        closed = False

    class Transport:
        aborted = False

        def abort(self):
            self.aborted = True

    class Request:
        transport = Transport()

    connection = Connection(StuckSocket(), Request(), "id", ManualClock(), queue_max=3)
    for _ in range(3):
        connection.send({})
    assert not connection.closed
    connection.send({})
    assert connection.closed
    assert Request.transport.aborted
