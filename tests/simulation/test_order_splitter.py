from itertools import pairwise

import pytest

from backtest.market.scenarios import load
from simulation.agents.leaving import Leaving
from simulation.agents.order_splitter import OrderSplitter, OrderSplitterParams
from simulation.draws import Draws, spawn
from simulation.market.protocol import CANCEL_ALL, MARKET, NEVER, WAKE_AT, wake_at


class View:
    """Just enough of a market to be looked at."""

    def __init__(self, now_ns=0, shown=((101, 30),)):
        self.now_ns = now_ns
        self._shown = shown

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


@pytest.mark.parametrize(
    "wrong",
    [
        dict(tail_ratio=1.0),
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
