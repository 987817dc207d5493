from itertools import pairwise

import pytest

from backtest.market.scenarios import load
from simulation.agents.block_taker import BlockTaker, BlockTakerParams
from simulation.agents.leaving import Leaving
from simulation.agents.order_splitter import OrderSplitter, OrderSplitterParams
from simulation.draws import Draws, spawn
from simulation.market.protocol import CANCEL_ALL, MARKET, NEVER, WAKE_AT, wake_at


class View:
    """Just enough of a market to be looked at."""

    def __init__(self, now_ns=0, shown=((101, 30),), told=()):
        self.now_ns = now_ns
        self.told = told
        self._shown = shown

    def mid2(self, asset):
        return 202

    def depth(self, asset, side, levels):
        return self._shown


def worked(params, count):
    splitter = OrderSplitter(params)
    now_ns = splitter.start(Draws(spawn(1, "agent")))
    pieces = []
    while len(splitter.worked) < count:
        order, wake = splitter.on_wakeup(View(now_ns))
        pieces.append(order)
        now_ns = wake[-1]
    return splitter.worked, pieces


def test_lengths_follow_a_power_law():
    orders, pieces = worked(OrderSplitterParams(tail_ratio=1.5, pieces_min_count=2), 4_000)
    mean = len(pieces) / len(orders)
    # E[ceil(2 x)] for P(x > n) = n^-1.5 lies between that of 2 x, which is 6, and one more; cut at 2000 pieces.
    assert 5.5 < mean < 7.5
    single = sum(one.begun_ns == one.ended_ns for one in orders)
    assert single == 0  # two pieces at least


def test_all_pieces_of_an_order_have_its_side_and_a_size_in_bounds():
    orders, pieces = worked(OrderSplitterParams(pieces_min_count=5, piece_qty=4), 50)
    assert {piece[0] for piece in pieces} == {MARKET}
    assert {piece[3] for piece in pieces} == {1, 2, 3, 4}
    assert {one.side for one in orders} == {1, -1}
    assert all(one.begun_ns < one.ended_ns for one in orders)
    assert all(one.ended_ns < later.begun_ns for one, later in pairwise(orders))


def test_a_piece_takes_a_share_of_the_touch_at_most():
    splitter = OrderSplitter(OrderSplitterParams(piece_qty=1_000, touch_bps=1_000))
    splitter.start(Draws(spawn(1, "agent")))
    assert splitter.on_wakeup(View(1))[0][3] <= 3
    assert splitter.on_wakeup(View(2, shown=()))[0][3] >= 1


def news(now_ns, *values):
    return View(now_ns, told=[(now_ns, "news", 0, value) for value in values])


def waits(intents):
    """Whether nothing is asked for but to be woken."""
    return [one[0] for one in intents] == [WAKE_AT]


def test_who_acts_on_news_goes_its_way_and_finishes_undisturbed():
    params = OrderSplitterParams(
        news_bps=10_000, news_every_ns=50, pieces_min_count=3, mean_idle_ns=10**15, mean_wait_ns=10**6
    )
    splitter = OrderSplitter(params)
    assert splitter.start(Draws(spawn(1, "agent"))) == 50
    assert waits(splitter.on_wakeup(news(50, 101.0)))  # the value is where the price is
    quiet = splitter.on_wakeup(news(100))
    assert waits(quiet)
    assert quiet[-1][-1] == 150
    order, wake = splitter.on_wakeup(news(150, 90.0))
    assert order[2] == -1
    due_ns = wake[-1]
    # While it works it hears what comes, and does nothing about it before the next piece is due.
    early = splitter.on_wakeup(news(due_ns - 1, 95.0))
    assert waits(early)
    assert early[-1][-1] == due_ns
    while not splitter.worked:
        order, wake = splitter.on_wakeup(news(wake[-1], 120.0))
        assert order[2] == -1
    assert (splitter.worked[0].side, splitter.worked[0].begun_ns) == (-1, 150)
    assert splitter.on_wakeup(news(wake[-1], 121.0))[0][2] == 1


def test_so_many_of_the_news_are_acted_on():
    begun = 0
    for number in range(400):
        splitter = OrderSplitter(OrderSplitterParams(news_bps=2_500, mean_idle_ns=10**15))
        splitter.start(Draws(spawn(number, "agent")))
        begun += not waits(splitter.on_wakeup(news(9, 150.0)))
    assert 70 < begun < 130


def test_the_length_of_an_order_on_news_goes_with_the_square_of_it():
    def pieces(change, **terms):
        params = OrderSplitterParams(news_bps=10_000, pieces_min_count=8, pieces_max_count=2_000, **terms)
        splitter = OrderSplitter(params)
        splitter.start(Draws(spawn(1, "agent")))
        count, (_, wake) = 1, splitter.on_wakeup(news(1, 101.0 + change))
        while not splitter.worked:
            count, (_, wake) = count + 1, splitter.on_wakeup(View(wake[-1]))
        return count

    length = pieces(-5.0)
    assert length == pieces(80.0)  # as long as any other
    assert pieces(-10.0, news_ticks=10.0) == length
    assert pieces(30.0, news_ticks=10.0) == pytest.approx(9 * length, abs=9)
    assert pieces(0.1, news_ticks=10.0) == 8
    assert pieces(1e8, news_ticks=1e-3) == 2_000


def test_without_news_nothing_is_drawn_for_it():
    plain, _ = worked(OrderSplitterParams(pieces_min_count=2), 20)
    hearing = OrderSplitter(OrderSplitterParams(pieces_min_count=2, news_bps=5_000))
    now_ns = hearing.start(Draws(spawn(1, "agent")))
    while len(hearing.worked) < 20:
        now_ns = hearing.on_wakeup(View(now_ns))[-1][-1]
    assert hearing.worked == plain


def test_blocks_have_sizes_by_a_power_law():
    taker = BlockTaker(BlockTakerParams(tail_ratio=1.5, order_min_qty=4, order_max_qty=400))
    now_ns, sizes, sides = taker.start(Draws(spawn(1, "agent"))), [], set()
    for _ in range(4_000):
        order, wake = taker.on_wakeup(View(now_ns))
        assert order[0] == MARKET
        sizes.append(order[3])
        sides.add(order[2])
        assert wake[-1] > now_ns
        now_ns = wake[-1]
    assert sides == {1, -1}
    assert (min(sizes), max(sizes)) == (5, 400)  # the next whole number above
    # P(lots > 40) = 10^-1.5 = 0.0316, with an error of 0.0028.
    assert 0.023 < sum(one > 40 for one in sizes) / len(sizes) < 0.041
    assert now_ns / 4_000 == pytest.approx(5e9, rel=0.06)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(mean_wait_ns=0),
        dict(tail_ratio=1.0),
        dict(order_min_qty=0),
        dict(order_min_qty=9, order_max_qty=8),
    ],
)
def test_blocks_without_a_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        BlockTakerParams(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(tail_ratio=1.0),
        dict(news_bps=10_001),
        dict(news_ticks=-1.0),
        dict(news_every_ns=0),
        dict(pieces_min_count=0),
        dict(pieces_min_count=9, pieces_max_count=8),
        dict(piece_qty=0),
        dict(touch_bps=10_001),
        dict(mean_wait_ns=0),
    ],
)
def test_parameters_without_a_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        OrderSplitterParams(**wrong)


class Regular:
    """Looks every ten nanoseconds, or never again."""

    hears_fills = True

    def __init__(self, again=True):
        self.looks = []
        self._again = again

    def start(self, draws):
        return 5

    def on_wakeup(self, view):
        self.looks.append(view.now_ns)
        return [wake_at(view.now_ns + 10)] if self._again else []


def played(agent, until_ns=100):
    now_ns, asked = agent.start(Draws(spawn(1, "agent"))), []
    while now_ns != NEVER and now_ns < until_ns:
        intents = agent.on_wakeup(View(now_ns))
        asked.append((now_ns, [one[0] for one in intents]))
        now_ns = intents[-1][-1] if intents and intents[-1][0] == WAKE_AT else NEVER
    return asked


def test_who_leaves_takes_its_orders_along():
    inner = Regular()
    asked = played(Leaving(inner, leave_ns=32))
    assert inner.looks == [5, 15, 25]
    assert asked[-1] == (32, [CANCEL_ALL])


def test_who_looks_only_when_filled_is_woken_to_leave():
    inner = Regular(again=False)
    assert played(Leaving(inner, leave_ns=32, assets=2))[-1] == (32, [CANCEL_ALL, CANCEL_ALL])
    assert inner.looks == [5]


def test_who_comes_late_does_nothing_before():
    inner = Regular()
    agent = Leaving(inner, come_ns=40)
    assert agent.hears_fills
    played(agent)
    assert inner.looks[0] == 40
    assert agent.on_wakeup(View(39)) == ()
    with pytest.raises(ValueError, match="nobody is there"):
        Leaving(inner, come_ns=5, leave_ns=5)


def test_the_default_scenario_has_splitters():
    assert any(group.kind == "order-splitter" for group in load("default").agents)
