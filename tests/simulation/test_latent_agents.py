"""Investors who wait, the intermediary and those who leave as they came: their rules, and what must always hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.agents.intermediary import Intermediary, IntermediaryParams
from simulation.agents.latent import LatentInvestors, LatentParams
from simulation.agents.news_turn import NewsTurn
from simulation.agents.quotes import requoted
from simulation.agents.round_trip import RoundTripParams, RoundTrippers
from simulation.book.messages import CANCEL, LIMIT
from simulation.book.twin import TwinBook
from simulation.draws import Draws, spawn
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.information import Listens, Source
from simulation.market.protocol import WAKE_AT, Fill, Intent, OpenOrder, Told, market, wake_at
from simulation.market.values import ConstantValue, Shock

S = 1_000_000_000
AROUND = 10_000


@dataclass
class View:
    """Just enough of a market to quote in."""

    now_ns: int = S
    mid_x2: int = 2 * AROUND
    cash: int = 10**12
    lots: int = 10**6
    scale: int = 100
    in_flight: int = 0
    open_orders: dict[int, OpenOrder] = field(default_factory=dict)
    fills: Sequence[Fill] = ()
    told: Sequence[Told] = ()

    def mid2(self, asset: int) -> int:
        return self.mid_x2

    def position_qty(self, asset: int) -> int:
        return self.lots


class Mirrored(Draws):
    """The same numbers with the other sign where there is one."""

    def sign(self) -> int:
        return -super().sign()

    def normal(self) -> float:
        return -super().normal()


def standing(view: View, intents: Sequence[Intent]) -> None:
    """Let all that is asked come to stand."""
    for what, asset, side, qty, px, _, extra in intents:
        if what == CANCEL:
            del view.open_orders[extra]
        elif what == LIMIT:
            view.open_orders[max(view.open_orders, default=0) + 1] = (asset, side, px, qty)


def quotes(view: View, side: int) -> dict[int, int]:
    return {px: qty for _, its_side, px, qty in view.open_orders.values() if its_side == side}


def crowd(draws: type[Draws] = Draws, **params: object) -> LatentInvestors:
    small: dict[str, object] = dict(
        investors_count=400, order_max_qty=9, reach_ticks=200, shown_count=400 // 2
    )
    agent = LatentInvestors(LatentParams(**{**small, **params}))  # type: ignore[arg-type]
    agent.start(draws(spawn(1, "agent")))
    return agent


def test_the_density_of_intentions_grows_in_proportion_to_the_distance_from_the_price():
    view = View()
    standing(view, crowd(investors_count=20_000, shown_count=200, reach_ticks=1_000).on_wakeup(view))
    for side in (1, -1):
        away = sorted(side * (AROUND - px) for px in quotes(view, side))
        assert min(away) >= 1
        # 10 000 of a side within 1000 ticks, so many as the square of the distance: 200 of them within 141.
        assert max(away) == pytest.approx(1_000 * sqrt(200 / 10_000), rel=0.2)
        half_qty = sum(qty for px, qty in quotes(view, side).items() if side * (AROUND - px) <= max(away) / 2)
        assert half_qty / sum(quotes(view, side).values()) == pytest.approx(0.25, abs=0.1)


def test_both_sides_are_mirror_images_whatever_the_half_tick():
    for mid_x2 in (2 * AROUND, 2 * AROUND + 1):
        found = []
        for draws, sign in ((Draws, 1), (Mirrored, -1)):
            agent, view = crowd(draws, mean_think_ns=400 * S // 10), View()
            standing(view, agent.on_wakeup(view))
            # Everybody near is met, and some come back around a price of half a tick.
            bids, asks = quotes(view, 1), quotes(view, -1)
            fills = [(0, 0, sign, px, qty, 1, S) for px, qty in (bids if sign > 0 else asks).items()]
            later = View(now_ns=60 * S, mid_x2=2 * AROUND + sign * (mid_x2 - 2 * AROUND), fills=fills)
            standing(later, agent.on_wakeup(later))
            found.append(
                {
                    side * sign: {sign * (px - AROUND): q for px, q in quotes(later, side).items()}
                    for side in (1, -1)
                }
            )
        assert found[0] == found[1]
        assert all(found[0].values())


def test_who_was_met_is_missed_until_the_investor_thinks_again():
    agent, view = crowd(shown_count=10, mean_think_ns=1 << 40), View()
    standing(view, agent.on_wakeup(view))
    before = quotes(view, -1)
    nearest_px = min(before)
    filled = View(fills=[(0, 0, -1, nearest_px, before[nearest_px], 1, S)])
    standing(filled, agent.on_wakeup(filled))
    assert min(quotes(filled, -1)) > nearest_px
    assert quotes(filled, 1) == quotes(view, 1)
    # Much later everybody has thought again, and somebody stands there anew, about the price of then.
    much_later = View(now_ns=1 << 43, mid_x2=2 * AROUND + 600)
    standing(much_later, agent.on_wakeup(much_later))
    assert min(quotes(much_later, -1)) > max(quotes(much_later, 1))


def test_news_moves_every_intention_by_as_much_and_never_to_a_value():
    agent, view = crowd(), View(told=[(0, "value", 0, 500.0)])
    standing(view, agent.on_wakeup(view))
    bids, asks = quotes(view, 1), quotes(view, -1)
    view.told, view.now_ns = [(S, "value", 0, 507.4)], 2 * S
    first = agent.on_wakeup(view)
    assert first[-1] == wake_at(2 * S + 10_000_000)
    standing(view, first[:-1])
    assert (quotes(view, 1), quotes(view, -1)) == (bids, {px + 7: qty for px, qty in asks.items()})
    view.told, view.now_ns = (), 2 * S + 10_000_000
    standing(view, agent.on_wakeup(view)[:-1])
    assert quotes(view, 1) == {px + 7: qty for px, qty in bids.items()}


def test_nothing_is_sent_twice_while_something_is_on_its_way():
    agent, view = crowd(), View(in_flight=3)
    assert [intent[0] for intent in agent.on_wakeup(view)] == [WAKE_AT]
    assert [intent[0] for intent in Intermediary(IntermediaryParams()).on_wakeup(view)] == [WAKE_AT]


def test_the_side_that_retreats_has_its_turn_first():
    turn = NewsTurn(5)
    turn.hear((), 0)
    assert turn.sides(0) == (1, -1)
    turn.hear([(0, "value", 0, 100.0)], 1)
    assert (turn.moved_ticks, turn.sides(1)) == (0, (1, -1))
    turn.hear([(2, "value", 0, 90.0), (3, "value", 0, 103.0)], 10)
    assert (turn.moved_ticks, turn.sides(10), turn.sides(15)) == (3, (-1,), (1, -1))
    assert (turn.next_ns(10, 40), turn.next_ns(15, 40)) == (15, 40)
    turn.hear([(4, "value", 0, 95.0)], 20)
    assert turn.sides(20) == (1,)


def test_an_intermediary_has_no_opinion_but_what_it_holds():
    agent, view = Intermediary(IntermediaryParams(half_spread_ticks=4, step_ticks=3, levels_count=3)), View()
    standing(view, agent.on_wakeup(view)[:-1])
    assert quotes(view, 1) == {9_996: 1, 9_993: 1, 9_990: 1}
    assert quotes(view, -1) == {10_004: 1, 10_007: 1, 10_010: 1}
    # One lot sold: everything is three ticks higher, with one message more for each side than was traded.
    (sold,) = [number for number, order in view.open_orders.items() if order[2] == 10_004]
    del view.open_orders[sold]
    view.lots -= 1
    asked = agent.on_wakeup(view)[:-1]
    assert sorted(intent[0] for intent in asked) == sorted((CANCEL, LIMIT, LIMIT))
    standing(view, asked)
    assert quotes(view, 1) == {9_999: 1, 9_996: 1, 9_993: 1}
    assert quotes(view, -1) == {10_007: 1, 10_010: 1, 10_013: 1}


@given(
    side=st.sampled_from((1, -1)),
    wanted=st.lists(st.tuples(st.integers(-3, 60), st.integers(1, 50)), max_size=12),
    held=st.lists(st.tuples(st.sampled_from((1, -1)), st.integers(1, 60), st.integers(1, 50)), max_size=8),
    money=st.integers(0, 5_000),
    lots=st.integers(0, 400),
)
def test_nobody_asks_for_more_than_its_account_can_pay(side, wanted, held, money, lots):
    view = View(cash=money * 7, scale=7, lots=lots)
    view.open_orders = {number: (0, *order) for number, order in enumerate(held, 1)}
    reserved = sum(px * qty for its_side, px, qty in held if its_side == side)
    standing(view, requoted(view, 0, side, wanted))
    mine = [(px, qty) for _, its_side, px, qty in view.open_orders.values() if its_side == side]
    if side > 0:
        assert sum(px * qty for px, qty in mine) <= money + reserved
    else:
        assert sum(qty for _, qty in mine) <= lots
    prices = [px for px, _ in mine]
    assert len(set(prices)) == len(prices)
    assert set(prices) <= {px for px, _ in wanted if px > 0}
    # What stands has been paid for; with the same account, the same quotes ask for nothing more.
    if side > 0:
        view.cash = (money + reserved - sum(px * qty for px, qty in mine)) * view.scale
    assert requoted(view, 0, side, wanted) == []
    other = [order for order in view.open_orders.values() if order[1] != side]
    assert len(other) == sum(its_side != side for its_side, _, _ in held)


@given(seed=st.integers(0, 1 << 32), hold=st.integers(1, 20), largest=st.integers(1, 9))
def test_who_comes_leaves_with_as_much(seed, hold, largest):
    agent = RoundTrippers(RoundTripParams(mean_hold_ns=hold * S, order_max_qty=largest))
    now_ns, net, count = agent.start(Draws(spawn(seed, "agent"))), 0, 0
    for _ in range(400):
        intents = agent.on_wakeup(View(now_ns=now_ns))
        assert intents
        net += sum(side * qty for _, _, side, qty, _, _, _ in intents[:-1])
        count += len(intents) - 1
        assert all(intent[:1] == market(0, 1, 1)[:1] and 1 <= intent[3] <= largest for intent in intents[:-1])
        now_ns = intents[-1][-1]
    # What is open is what waits to leave: so many at a time as come while one stays.
    assert count >= 400
    assert abs(net) <= largest * 12 * (hold + 1)


def waiting_market(seed: int, bought: Sequence[tuple[int, int]] = (), **others: object) -> SimulationEngine:
    """Investors and an intermediary, and somebody who buys so many lots at chosen seconds."""
    value = ConstantValue(float(AROUND), (Shock(40 * S, 25.0),))
    engine = SimulationEngine(seed, [Asset(first_px=AROUND, value=value)], book=TwinBook)
    listens = [Listens(source=Source.VALUE, every_ns=10 * S, wakes=True)]
    params = LatentParams(
        **{**dict(investors_count=3_000, reach_ticks=1_000, mean_think_ns=10**13), **others}
    )  # type: ignore[arg-type]
    for agent in (LatentInvestors(params), Intermediary(IntermediaryParams())):
        engine.add_agent(
            agent,
            cash=10**13,
            positions_qty=(10**6,),
            latency=Latency(feed_ns=10**6, order_ns=10**6),
            listens=listens,
        )
    engine.add_agent(Buyer(bought), cash=10**13)
    return engine


class Buyer:
    """Sends market orders at chosen seconds."""

    hears_fills = False

    def __init__(self, bought: Sequence[tuple[int, int]]) -> None:
        self._left = list(bought)

    def start(self, draws: Draws) -> int:
        return self._left[0][0] * S if self._left else 1

    def on_wakeup(self, view: View) -> Sequence[Intent]:
        if not self._left:
            return []
        _, qty = self._left.pop(0)
        order = market(0, 1, qty)
        return [order, wake_at(self._left[0][0] * S)] if self._left else [order]


def test_the_price_goes_with_the_root_of_what_is_bought_and_with_news_and_stays():
    moved = {}
    for slices in (5, 20, 80):
        found = []
        for seed in range(8):
            engine = waiting_market(seed, [(2 + number, 25) for number in range(slices)] if slices else ())
            summary = engine.run(until_ns=100 * S)
            assert summary.faults == ()
            assert engine.exchange.house.conserved()
            found.append(engine.exchange.mid2(0) / 2 - AROUND - 25)
        moved[slices * 25] = sum(found) / len(found)
    # 1500 of each side with 10.5 lots within 1000 ticks: L = 2 * 15750 / 1000^2, and the price moves by sqrt(2 Q / L).
    for bought, ticks in moved.items():
        assert ticks == pytest.approx(sqrt(2 * bought / 0.0315), rel=0.15)


def test_the_same_seed_is_the_same_market_and_without_news_or_orders_nothing_trades():
    hashes = [waiting_market(seed, [(3, 40)]).run(until_ns=60 * S).event_hash for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert waiting_market(3, opinion_ticks=0).run(until_ns=60 * S).trades == 0


@pytest.mark.parametrize(
    "wrong",
    [
        dict(investors_count=0),
        dict(order_max_qty=0),
        dict(reach_ticks=0),
        dict(shown_count=201),
        dict(mean_think_ns=0),
        dict(opinion_ticks=-1),
        dict(every_ns=0),
        dict(settle_ns=0),
    ],
)
def test_a_population_without_a_meaning_is_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        LatentParams(**wrong)


@pytest.mark.parametrize(
    "made",
    [
        lambda: IntermediaryParams(half_spread_ticks=0),
        lambda: IntermediaryParams(step_ticks=0),
        lambda: IntermediaryParams(levels_count=0),
        lambda: IntermediaryParams(settle_ns=0),
        lambda: RoundTripParams(mean_wait_ns=0),
        lambda: RoundTripParams(order_max_qty=0),
    ],
)
def test_quotes_and_trips_without_a_meaning_are_refused(made):
    with pytest.raises(ValueError, match="wanted"):
        made()
