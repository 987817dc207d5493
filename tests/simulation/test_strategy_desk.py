"""The venue's own algorithms in virtual time: equal to the sandbox's, order by order, and worked in a recording."""

from decimal import Decimal
from random import Random

import pytest

from executor.domain.algo import AlgoKind, AlgoTerms, NewAlgo
from executor.domain.approval import Approved
from executor.domain.commands import PlaceAlgo, QueryAlgo, StopAlgo
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    AlgoOrdersSeen,
    CancelAcked,
    OrderAcked,
    OrderFilled,
    OrderUpdated,
    VenueStatus,
)
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_S
from sandbox.bybit_server import book as venue_book
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.orders import CancelType, RejectReason
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.strategy_queries import create_strategy
from simulation.replay import codes
from simulation.strategy_desk import Sight, VenueStrategy, Withdraw
from simulation.strategy_world import StrategyWorld
from tests.builders import T0, D, instrument, new_order
from tests.sandbox.venue_support import Bench
from tests.simulation.test_replay_venue import MS, Stage

SIDES = {Side.BUY: venue_book.Side.BUY, Side.SELL: venue_book.Side.SELL}
TWAP = dict(kind=AlgoKind.TWAP, duration_s=300, interval_s=30)
POV = dict(kind=AlgoKind.POV, duration_s=900, interval_s=5, rate_pct=D("10"), window_s=60)
ICEBERG = dict(kind=AlgoKind.ICEBERG, display_qty=D("0.1"))


def algo_of(side, qty, px, **terms):
    return NewAlgo(order=new_order(side=side, qty=D(qty), px=D(px)), terms=AlgoTerms(**terms))


class Rendered:
    """The pure desk, whose orders go to a sandbox of its own as ordinary orders of the account."""

    def __init__(self, algo):
        self.bench, self.algo = Bench(), algo
        self.side = SIDES[algo.order.side]
        self.item = self.bench.market().instrument
        rules = instrument(
            tick_size=self.item.px(1), qty_step=self.item.qty(1), min_order_qty=self.item.qty_min
        )
        self.strategy = VenueStrategy(algo=algo, rules=rules, begun_ns=0)
        self.order, self.booked, self.told, self.second = None, D(0), [], 0

    def sight(self):
        market = self.bench.market()
        best = market.book.half(self.side).best()
        since_ms = now_ms(self.bench.clock) - self.algo.terms.window_s * 1000
        return Sight(
            best_px=None if best is None else self.item.px(best),
            last_px=market.last_px,
            seen_qty=sum((each.qty for each in market.trades if each.time_ms >= since_ms), D(0)),
        )

    def hear(self):
        if self.order is not None:
            if self.order.cum_qty > self.booked:
                self.strategy.filled(self.order.cum_qty - self.booked)
                self.booked = self.order.cum_qty
            if not self.order.is_open:
                self.order, self.booked = None, D(0)
                self.strategy.closed(self.second * NS_PER_S)

    def advance(self):
        self.hear()
        while (wanted := self.strategy.step(self.second * NS_PER_S, self.sight)) is not None:
            if isinstance(wanted, Withdraw):
                self.bench.exchange.cancel_order(
                    self.order, CancelType.BY_USER, RejectReason.PER_CANCEL_REQUEST
                )
            else:
                px = None if wanted.px is None else str(wanted.px)
                try:
                    self.order = self.bench.send(
                        self.side.value, str(wanted.qty), px, **({"timeInForce": "GTC"} if px else {})
                    )
                except RefusalError:
                    self.strategy.closed(self.second * NS_PER_S)
                self.told.append((self.second, wanted.qty, wanted.px, self.order))
            self.hear()

    def orders(self):
        return [(at, qty, px, D(0) if one is None else one.cum_qty) for at, qty, px, one in self.told]


class Sandbox:
    """The sandbox's own desk."""

    def __init__(self, algo):
        self.bench, self.terms = Bench(), algo.terms
        body = {
            "category": "UTA_USDT", "symbol": "BTCUSDT", "side": SIDES[algo.order.side].value,
            "size": str(algo.order.qty), "strategyType": algo.terms.kind.value,
        }  # fmt: skip
        match algo.terms.kind:
            case AlgoKind.TWAP:
                body |= {"duration": 300, "interval": 30, "maxChasePrice": str(algo.order.px)}
            case AlgoKind.ICEBERG:
                body |= {"subSize": str(algo.terms.display_qty), "maxChasePrice": str(algo.order.px)}
            case AlgoKind.POV:
                pov = {"mode": "TradedVolume", "participationRate": "10", "referenceWindow": "60"}
                body |= {"duration": 900, "interval": 5, "povParams": pov}
        self.body, self.begun_ms = body, now_ms(self.bench.clock)

    def start(self):
        name = self.bench.ask(create_strategy, **self.body)["strategyId"]
        self.strategy = self.bench.exchange.strategies.of[self.bench.account.uid][name]

    def orders(self):
        return [
            (
                (sub.created_ms - self.begun_ms) // 1000,
                sub.qty,
                None if sub.order is None or self.terms.kind is not AlgoKind.ICEBERG else sub.order.px,
                sub.cum_qty,
            )
            for sub in self.strategy.orders
        ]


def crowds(rng, seconds):
    """A market that moves, dries up on either side now and then, and trades: what happens in each second."""
    script, mid = (
        [[("crowd", "Sell", 65000, 40), ("crowd", "Buy", 64990, 40), ("take", "Buy", 65000, 3)]],
        64995,
    )
    for _ in range(seconds):
        now = []
        if rng.random() < 0.2:
            mid += rng.choice((-3, -1, 1, 3))
            now += [
                ("crowd", "Buy", mid - 5, rng.choice((1, 40))),
                ("crowd", "Sell", mid + 5, rng.choice((1, 40))),
            ]
        if rng.random() < 0.3:
            side, sign = rng.choice((("Buy", 1), ("Sell", -1)))
            now.append(("take", side, mid + sign * 5, rng.choice((10, 100, 900))))
        script.append(now)
    return script


def play(bench, happenings):
    for what, side, px, qty in happenings:
        getattr(bench, what)(side, str(px), str(Decimal(qty) / 1000))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("terms", "qty", "reach", "seconds"),
    [
        (TWAP, "0.317", 90, 320), (TWAP, "0.317", 9, 320), (ICEBERG, "0.45", 90, 300), (ICEBERG, "0.45", 3, 300),
        (POV, "0.3", 900, 920),
    ],
    ids=["twap", "twap that meets its limit", "iceberg", "iceberg that waits beyond its price", "pov"],
)  # fmt: skip
def test_it_sends_what_the_sandbox_sends_and_when(terms, qty, reach, seconds, side):
    filled = set()
    for seed in range(3):
        algo = algo_of(side, qty, 64995 + side.sign * reach, **terms)
        sandbox, rendered = Sandbox(algo), Rendered(algo)
        for second, happenings in enumerate(crowds(Random(seed), seconds)):
            play(sandbox.bench, happenings)
            play(rendered.bench, happenings)
            if second == 0:
                sandbox.start()
            else:
                sandbox.bench.clock.advance_ms(1_000)
                rendered.bench.clock.advance_ms(1_000)
            rendered.second = second
            sandbox.bench.exchange.advance()
            rendered.bench.exchange.advance()
            rendered.advance()
        assert rendered.orders() == sandbox.orders()
        assert rendered.strategy.is_open == sandbox.strategy.is_open
        assert rendered.strategy.cum_qty == sandbox.strategy.cum_qty
        filled.add(sandbox.strategy.cum_qty)
    assert filled != {D(0)}


def test_pieces_that_are_the_venue_s_own_chance_are_not_made_up():
    with pytest.raises(LocalProtocolError, match="uneven"):
        VenueStrategy(
            algo=algo_of(Side.BUY, "1", "65000", **{**TWAP, "noisy": True}), rules=instrument(), begun_ns=T0
        )


# ---------------------------------------------------------------------- in a recording


class Desk(Stage):
    """A stage whose venue works strategy orders."""

    def __init__(self, *later, **over):
        super().__init__(*later, **over)
        self.world = StrategyWorld(self.world)

    def begin(self, algo, at_ms):
        self.algo = algo
        self.until(at_ms - 1)
        self.world.send_algo(
            PlaceAlgo(approved=Approved(order=algo, ticket=1, halt_epoch=0)), T0 + at_ms * MS
        )

    def ask(self, at_ms):
        query = QueryAlgo(algo=self.algo, strategy_id="", since_ns=0, until_ns=T0, not_ids=())
        self.world.send_algo(query, T0 + at_ms * MS)
        told = [one for _, one in self.until(at_ms + 50)]
        return next(one for one in told if isinstance(one, OrderUpdated)), told


def test_a_piece_reaches_the_book_when_it_is_due_and_its_fills_carry_no_name_of_ours():
    desk = Desk()
    desk.begin(algo_of(Side.BUY, "0.3", "50100", **TWAP), 1_000)
    told = desk.until(1_100)
    fills = [one.fill for _, one in told if isinstance(one, OrderFilled)]
    assert [(one.last_qty, one.last_px, one.ts_exchange_ns) for one in fills] == [
        (D("0.03"), D("50000.1"), T0 + 1_010 * MS)
    ]
    assert [(one.client_order_id, one.venue_order_id) for one in fills] == [("", "venue-s1-1")]
    assert [(at, one.venue_order_id) for at, one in told if isinstance(one, OrderAcked)] == [(1_030, "s1")]
    assert not [one for _, one in told if isinstance(one, OrderUpdated)]
    update, told = desk.ask(1_200)
    assert (update.status, update.cum_qty) == (VenueStatus.PARTIALLY_FILLED, D("0.03"))
    (seen,) = [one for one in told if isinstance(one, AlgoOrdersSeen)]
    assert seen.venue_order_ids == ("venue-s1-1",)


def test_what_does_not_fill_is_sent_once_more_and_dropped_so_that_it_ends_short():
    desk = Desk((20, codes.LEVEL, -1, 500_001, 20))
    desk.begin(algo_of(Side.BUY, "0.3", "50100", **TWAP), 1_000)
    told = desk.until(302_000)
    assert sum(one.fill.last_qty for _, one in told if isinstance(one, OrderFilled)) == D("0.02")
    sizes = [one.order.qty for one in desk.world.orders]
    assert sizes[:2] == [D("0.03"), D("0.01")]
    assert sizes[2:] == [D("0.03")] * 18
    update, _ = desk.ask(303_000)
    assert (update.status, update.cum_qty, update.detail) == (
        VenueStatus.CANCELED, D("0.02"), "its time is over",
    )  # fmt: skip


def test_an_iceberg_follows_the_touch_and_a_stop_ends_it_when_its_order_is_gone():
    desk = Desk((5_000, codes.LEVEL, 1, 500_000, 0), (5_000, codes.LEVEL, 1, 499_990, 700))
    desk.begin(algo_of(Side.BUY, "0.3", "50100", **ICEBERG), 1_000)
    desk.until(8_000)
    assert [one.order.px for one in desk.world.orders] == [D("50000.0"), D("49999.0")]
    desk.world.send_algo(StopAlgo(client_order_id="x-1-1", strategy_id="s1"), T0 + 8_100 * MS)
    assert not any(isinstance(one, CancelAcked) for _, one in desk.until(8_105))
    update, told = desk.ask(8_120)
    assert any(isinstance(one, CancelAcked) for one in told)
    assert (update.status, update.cum_qty) == (VenueStatus.CANCELED, D(0))
    assert not any(one.is_open for one in desk.world.orders)


def test_a_pov_counts_what_was_traded_in_its_window_alone():
    old, new = (10_000, codes.TRADE, 1, 500_001, 9_000), (70_000, codes.TRADE, 1, 500_001, 1_000)
    desk = Desk(old, new, (200_000, codes.TRADE, 1, 500_001, 1))
    desk.begin(algo_of(Side.BUY, "1", "50100", **{**POV, "interval_s": 60}), 100_000)
    desk.until(101_000)
    assert [one.order.qty for one in desk.world.orders] == [D("0.1")]


def test_a_strategy_order_is_never_taken_twice_and_a_stranger_is_never_stopped():
    desk = Desk()
    desk.begin(algo_of(Side.BUY, "0.3", "50100", **TWAP), 1_000)
    with pytest.raises(LocalProtocolError, match="sent twice"):
        desk.begin(desk.algo, 1_001)
    with pytest.raises(LocalProtocolError, match="never sent"):
        desk.world.send_algo(StopAlgo(client_order_id="x-1-1", strategy_id="s9"), T0 + 2_000 * MS)
