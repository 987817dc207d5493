"""Each agent's rule on a view put together by hand, and its mirror image: bids for asks, buying for selling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from simulation.agents.fast_taker import FastTaker, FastTakerParams
from simulation.agents.hawkes import HawkesFlow, HawkesParams
from simulation.agents.informed import InformedParams, InformedTrader
from simulation.agents.institution import Institution, InstitutionParams
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.mean_reversion import MeanReverter, ReversionParams
from simulation.agents.momentum import MomentumParams, MomentumTrader
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.agents.statistical_arbitrage import PairParams, StatisticalArbitrageur
from simulation.agents.trend_follower import TrendFollower, TrendParams
from simulation.agents.value import ValueInvestor, ValueParams
from simulation.book.messages import CANCEL, IOC, LIMIT, MARKET
from simulation.draws import Draws, spawn
from simulation.market.protocol import WAKE_AT, Agent, Fill, Intent, OpenOrder, Told

S = 1_000_000_000


@dataclass
class StillView:
    """A market that stands still."""

    now_ns: int = S
    participant: int = 0
    books: list[list[tuple[int, int]]] = field(default_factory=lambda: [[(9_990, 50), (10_010, 50)]])
    """By asset: (px, qty) of bid and ask; a px of 0 is an empty side."""
    cash: int = 100_000_000
    positions: list[int] = field(default_factory=lambda: [500, 500])
    open_orders: dict[int, OpenOrder] = field(default_factory=dict)
    in_flight: int = 0
    refused: int = 0
    fills: Sequence[Fill] = ()
    told: Sequence[Told] = ()
    scale: int = 1

    def bid(self, asset: int) -> int:
        return self.books[asset][0][0]

    def ask(self, asset: int) -> int:
        return self.books[asset][1][0]

    def mid2(self, asset: int) -> int:
        bid, ask = self.bid(asset), self.ask(asset)
        return bid + ask if bid and ask else 2 * self.last_px(asset)

    def last_px(self, asset: int) -> int:
        return 10_000

    def depth(self, asset: int, side: int, levels: int) -> list[tuple[int, int]]:
        level = self.books[asset][0 if side > 0 else 1]
        return [level] if level[0] else []

    def volume_qty(self, asset: int) -> int:
        return 0

    def signed_qty(self, asset: int) -> int:
        return 0

    def position_qty(self, asset: int) -> int:
        return self.positions[asset]


def still(
    bid: int = 9_990, ask: int = 10_010, bid_qty: int = 50, ask_qty: int = 50, **others: object
) -> StillView:
    return StillView(books=[[(bid, bid_qty), (ask, ask_qty)]], **others)  # type: ignore[arg-type]


def mirrored(view: StillView, around_px: int = 10_000, own_qty: int = 500) -> StillView:
    """The same market with bids for asks, and what is held on the other side of what it began with."""
    books = [
        [(2 * around_px - ask if ask else 0, ask_qty), (2 * around_px - bid if bid else 0, bid_qty)]
        for (bid, bid_qty), (ask, ask_qty) in view.books
    ]
    told = [(at_ns, kind, asset, 2 * around_px - said) for at_ns, kind, asset, said in view.told]
    return replace(view, books=books, told=told, positions=[2 * own_qty - qty for qty in view.positions])


def orders(intents: Sequence[Intent]) -> list[Intent]:
    """What is asked besides wake-ups and cancels."""
    return [intent for intent in intents if intent[0] not in (WAKE_AT, CANCEL)]


def mirror_orders(intents: Sequence[Intent], around_px: int = 10_000) -> list[Intent]:
    return sorted(
        (what, asset, -side, qty, 2 * around_px - px if px else 0, tif, extra)
        for what, asset, side, qty, px, tif, extra in orders(intents)
    )


def begun(agent: Agent) -> Agent:
    agent.start(Draws(spawn(1, "agent", 0)))
    return agent


def shown(agent: Agent, views: Sequence[StillView]) -> list[Intent]:
    """What an agent asks after the last of several looks, a second apart."""
    begun(agent)
    intents: Sequence[Intent] = ()
    for number, view in enumerate(views):
        intents = agent.on_wakeup(replace(view, now_ns=(number + 1) * S))
    return list(intents)


MIRRORS: list[tuple[Callable[[], Agent], list[StillView]]] = [
    (lambda: MarketMaker(MarketMakerParams(levels_count=3)), [still(), still(positions=[530])]),
    (
        lambda: ValueInvestor(ValueParams(order_max_qty=7)),
        [still(8_990, 9_000, told=[(0, "value", 0, 10_000.0)])],
    ),
    (
        lambda: MomentumTrader(MomentumParams(order_max_qty=9)),
        [still(9_990 + 60 * n, 10_010 + 60 * n) for n in range(20)],
    ),
    (lambda: TrendFollower(TrendParams()), [still(9_990 + 20 * n, 10_010 + 20 * n) for n in range(9)]),
    (
        lambda: MeanReverter(ReversionParams(memory_count=5)),
        [still(9_990 + n % 2, 10_010 + n % 2) for n in range(9)] + [still(10_090, 10_110)],
    ),
    (lambda: FastTaker(FastTakerParams()), [still(bid_qty=90, ask_qty=10)]),
    (lambda: InformedTrader(InformedParams(edge_bps=0.0)), [still(told=[(0, "signal", 0, 10_020.0)])]),
]


@pytest.mark.parametrize("number", range(len(MIRRORS)))
def test_rule_has_no_side(number: int) -> None:
    make, views = MIRRORS[number]
    asked = shown(make(), views)
    assert orders(asked), "a case in which nothing is asked shows nothing"
    assert sorted(orders(shown(make(), [mirrored(view) for view in views]))) == mirror_orders(asked)


class Flipped(Draws):
    """A stream whose words have the other first bit, which is the side."""

    __slots__ = ()

    def words(self, count: int) -> list[int]:
        return [word ^ 1 << 63 for word in super().words(count)]


def test_noise_has_no_side() -> None:
    asked = []
    for stream in (Draws, Flipped):
        agent = NoiseTrader(NoiseParams(orders_count=40))
        agent.start(stream(spawn(3, "agent", 1)))
        asked.append(agent.on_wakeup(still()))
    assert sorted(orders(asked[1])) == mirror_orders(asked[0])
    assert {intent[0] for intent in orders(asked[0])} == {LIMIT, MARKET}


def test_noise_keeps_to_its_parameters() -> None:
    params = NoiseParams(orders_count=500, reach_ticks=4, order_max_qty=3, market_bps=2_000, cancel_bps=3_000)
    view = still(open_orders=dict.fromkeys(range(1, 401), (0, 1, 9_000, 1)))
    agent = begun(NoiseTrader(replace(params, open_max_count=10_000)))
    intents = agent.on_wakeup(view)
    limits = [intent for intent in intents if intent[0] == LIMIT]
    cancels = [intent[-1] for intent in intents if intent[0] == CANCEL]
    assert {intent[3] for intent in limits} == {1, 2, 3}
    assert {intent[4] for intent in limits if intent[2] > 0} == {10_006, 10_007, 10_008, 10_009}
    assert {intent[4] for intent in limits if intent[2] < 0} == {9_991, 9_992, 9_993, 9_994}
    assert cancels == list(range(1, len(cancels) + 1)), "the oldest first"
    assert abs(len(cancels) - 150) < 45
    assert abs(sum(intent[0] == MARKET for intent in intents) - 100) < 40
    assert intents[-1][0] == WAKE_AT
    assert intents[-1][-1] > view.now_ns
    full = begun(NoiseTrader(replace(params, orders_count=300))).on_wakeup(view)
    assert {intent[0] for intent in full} == {CANCEL, WAKE_AT}, "with so many open orders nothing but cancels"


def test_market_maker_quotes_its_spread() -> None:
    asked = orders(shown(MarketMaker(MarketMakerParams()), [still()]))
    assert asked == [(LIMIT, 0, 1, 10, 9_975, 0, 0), (LIMIT, 0, -1, 10, 10_025, 0, 0)]


def test_market_maker_leans_widens_and_stops_at_its_limit() -> None:
    params = MarketMakerParams(skew_ratio=1.0, inventory_ratio=1.0)
    half_full = orders(shown(MarketMaker(params), [still(), still(positions=[550])]))
    # Half the limit: the spread is 75 bps, half of it 37.5; the middle lies half of that below the mid.
    assert half_full == [(LIMIT, 0, 1, 5, 9_943, 0, 0), (LIMIT, 0, -1, 15, 10_019, 0, 0)]
    full = orders(shown(MarketMaker(params), [still(), still(positions=[600])]))
    assert [intent[2] for intent in full] == [-1], "at its limit it does not buy"


def test_market_maker_feels_volatility_and_withdraws() -> None:
    calm = orders(shown(MarketMaker(MarketMakerParams()), [still(), still()]))
    wild = orders(shown(MarketMaker(MarketMakerParams()), [still(9_890, 9_910), still()]))
    assert wild[0][4] < calm[0][4]
    assert wild[1][4] > calm[1][4]
    timid = MarketMakerParams(withdraw_bps=5.0)
    moves = [still(9_890, 9_910), still()]
    assert orders(shown(MarketMaker(timid), moves)) == []
    back = shown(MarketMaker(timid), [*moves, *[still()] * 20])
    assert orders(back), "it comes back when the market is calm"


def test_market_maker_is_away_when_told() -> None:
    agent = MarketMaker(MarketMakerParams(away=((2 * S, 4 * S),)))
    held = {5: (0, 1, 9_975, 10)}
    asked = [shown(agent, [still(open_orders=held)])]
    asked += [list(agent.on_wakeup(still(now_ns=second * S, open_orders=held))) for second in (2, 3, 4)]
    assert [len(orders(intents)) for intents in asked] == [2, 0, 0, 2]
    assert all(intents[0] == (CANCEL, 0, 0, 0, 0, 0, 5) for intents in asked)


@pytest.mark.parametrize(
    ("bid", "ask", "side", "qty"),
    [
        (8_990, 9_000, 1, 100_000_000 * 3 // 10 // 9_000),
        (8_991, 9_001, 0, 0),
        (10_999, 11_100, 0, 0),
        (11_000, 11_010, -1, 150),
        (0, 8_000, 1, 100_000_000 * 3 // 10 // 8_000),
    ],
)
def test_value_investor_keeps_its_margins(bid: int, ask: int, side: int, qty: int) -> None:
    params = ValueParams(order_max_qty=10_000)
    asked = orders(shown(ValueInvestor(params), [still(bid, ask, told=[(0, "value", 0, 10_000.0)])]))
    assert [(intent[2], intent[3]) for intent in asked] == ([(side, qty)] if side else [])


def test_value_investor_is_patient_and_knows_nothing_at_first() -> None:
    cheap = still(8_990, 9_000)
    assert orders(shown(ValueInvestor(ValueParams()), [cheap])) == []
    agent = begun(ValueInvestor(ValueParams(value_px=10_000.0, patience_ns=5 * S)))
    looks = [
        agent.on_wakeup(replace(cheap, now_ns=second * S, open_orders={3: (0, 1, 9_000, 5)}))
        for second in range(1, 8)
    ]
    assert [len(orders(intents)) for intents in looks] == [1, 0, 0, 0, 0, 1, 0]
    assert looks[5][0] == (CANCEL, 0, 0, 0, 0, 0, 3)


def test_beliefs_part_investors() -> None:
    told = [(0, "value", 0, 10_000.0)]
    view = still(told=told)
    optimist = orders(shown(ValueInvestor(ValueParams(belief_bps=12_000)), [view]))
    pessimist = orders(shown(ValueInvestor(ValueParams(belief_bps=8_000)), [view]))
    assert ([intent[2] for intent in optimist], [intent[2] for intent in pessimist]) == ([1], [-1])
    feeling = ValueParams(trend_ratio=3.0, discount_bps=500)
    rising = [still(9_490, 9_510, told=told), still(9_990, 10_010, told=told)]
    calm = [view, view]
    assert orders(shown(ValueInvestor(feeling), rising))
    assert not orders(shown(ValueInvestor(feeling), calm))


def test_momentum_enters_stops_and_takes_profit() -> None:
    params = MomentumParams(order_max_qty=10_000)
    rise = [still(9_990 + 60 * n, 10_010 + 60 * n) for n in range(20)]
    mid = 10_000 + 60 * 19
    (entry,) = orders(shown(MomentumTrader(params), rise))
    assert entry == (MARKET, 0, 1, 100_000_000 // 4 // mid, 0, 0, 0)
    assert orders(shown(MomentumTrader(params), rise[:19])) == [], "not before twenty samples"

    def later(px: int) -> list[Intent]:
        agent = MomentumTrader(params)
        shown(agent, rise)
        return orders(agent.on_wakeup(still(px - 10, px + 10, positions=[700], now_ns=30 * S)))

    assert later(mid * 95 // 100) == [(MARKET, 0, -1, 200, 0, 0, 0)]
    assert later(mid * 95 // 100 + 2) == []
    assert later(mid * 115 // 100 - 2) == []
    assert later(mid * 115 // 100 + 1) == [(MARKET, 0, -1, 200, 0, 0, 0)]


def test_trend_follower_trades_to_its_target() -> None:
    params = TrendParams(step_qty=1_000)
    views = [still(9_990 + 20 * n, 10_010 + 20 * n) for n in range(9)]
    (order,) = orders(shown(TrendFollower(params), views))
    fast = slow = 10_000.0
    for n in range(1, 9):
        mid = 10_000.0 + 20 * n
        fast, slow = fast + 2 / 11 * (mid - fast), slow + 2 / 51 * (mid - slow)
    assert order == (LIMIT, 0, 1, round(100 * (fast / slow - 1) * 100), 10_170, IOC, 0)
    held = [*views[:-1], replace(views[-1], positions=[500 + order[3]])]
    assert orders(shown(TrendFollower(params), held)) == []


def test_mean_reverter_closes_near_its_mean() -> None:
    calm = [still(9_990 + n % 2 * 4, 10_010 + n % 2 * 4) for n in range(40)]
    far = still(10_090, 10_110)
    params = ReversionParams(memory_count=20)
    assert [intent[2:5] for intent in orders(shown(MeanReverter(params), [*calm, far]))] == [(-1, 5, 10_090)]
    assert orders(shown(MeanReverter(params), calm)) == []
    near = still(9_992, 10_012, positions=[497])
    assert [intent[2:4] for intent in orders(shown(MeanReverter(params), [*calm, near]))] == [(1, 3)]


def test_arbitrageur_takes_both_legs_and_makes_good() -> None:
    def pair(one: int, other: int, **others: object) -> StillView:
        books = [[(px - 10, 50), (px + 10, 50)] for px in (one, other)]
        return StillView(books=books, **others)  # type: ignore[arg-type]

    calm = [pair(10_000 + n % 2, 5_000) for n in range(10)]
    params = PairParams(memory_count=8, hedge_ratio=2.0)
    dear = pair(10_100, 5_000)
    assert orders(shown(StatisticalArbitrageur(params), [*calm, dear])) == [
        (LIMIT, 0, -1, 10, 10_090, IOC, 0),
        (LIMIT, 1, 1, 20, 5_010, IOC, 0),
    ]
    cheap = pair(9_900, 5_000)
    assert [intent[2] for intent in orders(shown(StatisticalArbitrageur(params), [*calm, cheap]))] == [1, -1]
    one_leg = pair(10_100, 5_000, positions=[490, 513])
    assert orders(shown(StatisticalArbitrageur(params), [*calm, one_leg])) == [
        (LIMIT, 1, 1, 7, 5_010, IOC, 0)
    ]


def test_fast_taker_leaves_in_time() -> None:
    agent = begun(FastTaker(FastTakerParams(hold_ns=2 * S)))
    assert orders(agent.on_wakeup(still(bid_qty=90, ask_qty=3))) == [(LIMIT, 0, 1, 3, 10_010, IOC, 0)]
    assert orders(agent.on_wakeup(still(bid_qty=90, ask_qty=3, positions=[503], now_ns=2 * S))) == []
    assert orders(agent.on_wakeup(still(positions=[503], now_ns=3 * S))) == [(MARKET, 0, -1, 3, 0, 0, 0)]
    assert orders(begun(FastTaker(FastTakerParams())).on_wakeup(still())) == []


def test_informed_hides_and_waits_for_a_narrow_spread() -> None:
    told = [(0, "signal", 0, 10_500.0)]
    params = InformedParams(order_max_qty=100)
    (order,) = orders(shown(InformedTrader(params), [still(told=told, ask_qty=50)]))
    assert order == (LIMIT, 0, 1, 15, 10_010, IOC, 0), "three tenths of what is shown"
    assert orders(shown(InformedTrader(params), [still(told=told), still(9_950, 10_050)])) == []
    assert orders(shown(InformedTrader(params), [still()])) == [], "without a signal it knows nothing"
    full = replace(params, limit_qty=40)
    assert orders(shown(InformedTrader(full), [still(told=told), still(positions=[540])])) == []


def test_institution_does_all_in_time() -> None:
    """Filled at once it sends even slices; never filled while it waits, it crosses one slice later."""
    for side in (1, -1):
        params = InstitutionParams(side=side, order_qty=100, duration_ns=10 * S, slices_count=7)
        agent, done, sent = begun(Institution(params)), 0, []
        for second in range(1, 12):
            asked = orders(agent.on_wakeup(still(positions=[500 + side * done], now_ns=second * S)))
            sent.append(sum(intent[3] for intent in asked))
            assert all(intent[2] == side for intent in asked)
            done += sent[-1]
        assert sent == [14, 14, 14, 15, 14, 14, 15, 0, 0, 0, 0]
    patient = begun(
        Institution(InstitutionParams(side=1, order_qty=10, duration_ns=10 * S, slices_count=2, patient=True))
    )
    looks = [orders(patient.on_wakeup(still())) for _ in range(3)]
    assert looks[0] == [(LIMIT, 0, 1, 5, 9_990, 0, 0)]
    assert looks[1] == [(MARKET, 0, 1, 5, 0, 0, 0), (LIMIT, 0, 1, 5, 9_990, 0, 0)]
    assert looks[2] == [(MARKET, 0, 1, 10, 0, 0, 0)]
    assert orders(patient.on_wakeup(still(in_flight=1))) == []


def test_hawkes_flow_has_the_rate_and_the_clusters_of_its_process() -> None:
    """Rate mu / (1 - n); variance over mean of counts in long windows near 1 / (1 - n)^2, and 1 without children."""

    def fano(branching: float) -> tuple[float, float]:
        agent = HawkesFlow(HawkesParams(mean_wait_ns=2 * S, branching_ratio=branching, decay_ns=S))
        now_ns, end_ns = agent.start(Draws(spawn(5, "agent", 2))), 10_000 * S
        while now_ns < end_ns:
            now_ns = agent.on_wakeup(still(now_ns=now_ns))[-1][-1]
        counts = [0] * 200
        for at_ns in agent.times_ns:
            counts[at_ns * 200 // end_ns] += 1
        mean = sum(counts) / 200
        return mean / 50, sum((count - mean) ** 2 for count in counts) / 199 / mean

    rate, spread = fano(0.5)
    assert 0.93 < rate < 1.07
    assert 2.7 < spread < 5.2
    rate, spread = fano(0.0)
    assert 0.46 < rate < 0.54
    assert 0.75 < spread < 1.3


@pytest.mark.parametrize(
    "make",
    [
        lambda: NoiseParams(mean_wait_ns=0),
        lambda: NoiseParams(market_bps=6_000, cancel_bps=5_000),
        lambda: MarketMakerParams(base_spread_bps=0.0),
        lambda: MarketMakerParams(memory_ratio=1.0),
        lambda: ValueParams(discount_bps=10_000),
        lambda: ValueParams(belief_bps=0),
        lambda: MomentumParams(short_count=20, long_count=20),
        lambda: TrendParams(full_bps=0.0),
        lambda: ReversionParams(leave_ratio=2.0, enter_ratio=2.0),
        lambda: PairParams(asset=1, other_asset=1),
        lambda: FastTakerParams(threshold_bps=5_000),
        lambda: InformedParams(spread_ratio=0.5),
        lambda: InstitutionParams(side=0, order_qty=1),
        lambda: HawkesParams(branching_ratio=1.0),
    ],
)
def test_parameters_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        make()
