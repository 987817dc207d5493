"""Drives of a routed order in virtual time: two venues of stated rules, whose books move about one path."""

from dataclasses import dataclass, replace
from random import Random

from backtest.run import INSTANCE, START_NS
from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, ReplaceOrder
from executor.domain.events import RULES_NOW, EngineStarted, InstrumentLoaded, Stream, StreamChanged
from executor.domain.limits import Limits, Timings
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.domain.units import install_decimal_context
from executor.engine.engine import Engine
from executor.runtime.virtual import VirtualRuntime
from simulation.drawn_world import DrawnWorld
from simulation.frictions import Charges, Latencies
from simulation.moments import PublicTrade
from simulation.touch_venue import TouchVenue
from simulation.walk_market import Walk, WalkMarket
from tests.builders import D, instrument
from tests.engine.two_markets import leg, routed

PERP = instrument()
SPOT = instrument(category=Category.SPOT, qty_step=D("0.00001"), min_order_qty=D("0.00001"))
FEES_BPS = {Category.LINEAR: D(5), Category.SPOT: D(5)}
LIMITS = Limits(
    references_min=0,
    order_gap_s_min=D(1),
    orders_per_s_max=10,
    orders_per_min_max=200,
    participation_pct_max=D(100),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotTrade(PublicTrade):
    """A trade in the spot market."""


class TwoVenues:
    """The perpetual at one venue of stated rules, spot at another; each sees its own market and its own orders."""

    def __init__(self) -> None:
        self.perp = TouchVenue(PERP, Charges(taker_fee_rate=FEES_BPS[Category.LINEAR] / 10_000))
        self.spot = TouchVenue(SPOT, Charges(taker_fee_rate=FEES_BPS[Category.SPOT] / 10_000))
        self.places = {}

    def follow(self, moment):
        is_spot = isinstance(moment, SpotTrade) or (
            isinstance(moment, MarketSnapshot) and moment.category is Category.SPOT
        )
        return (self.spot if is_spot else self.perp).follow(moment)

    def take(self, request, *, asked_ns, at_ns):
        venue = self._venue_of(request)
        return venue.take(request, asked_ns=asked_ns, at_ns=at_ns)

    def _venue_of(self, request):
        match request:
            case PlaceOrder() | ReplaceOrder():
                order = request.approved.order
                self.places[order.client_order_id] = order.category
                category = order.category
            case CancelOrder() | QueryOrder():
                category = self.places[request.client_order_id]
            case _:
                category = request.category
        return self.spot if category is Category.SPOT else self.perp


def both_markets(seed, *, basis_ticks):
    """One path; spot stands a changing number of ticks above it."""
    chance = Random(seed)
    gap = D(0)
    walk = Walk(instrument=PERP, start_px=D(50_000), volatility_hourly_pct=0.3, trades_per_s=3)
    for number, moment in enumerate(WalkMarket(walk, seed=seed, start_ns=START_NS)):
        yield moment
        if number % 40 == 0:
            gap = D(chance.randint(-basis_ticks, basis_ticks)) * PERP.tick_size
        if isinstance(moment, MarketSnapshot):
            yield replace(
                moment,
                category=Category.SPOT,
                best_bid=moment.best_bid + gap,
                best_ask=moment.best_ask + gap,
                best_bid_qty=moment.best_ask_qty,
                best_ask_qty=moment.best_bid_qty,
            )
        else:
            yield SpotTrade(
                side=moment.side, px=moment.px + gap, qty=moment.qty, ts_exchange_ns=moment.ts_exchange_ns
            )


def drive_route(seed, *, journal=None, basis_ticks=100, legs=None, **over):
    """Work one routed order to its end; gives the runtime."""
    install_decimal_context()
    runtime = VirtualRuntime(
        engine=Engine(),
        world=DrawnWorld(
            market=both_markets(seed, basis_ticks=basis_ticks),
            venue=TwoVenues(),
            latencies=Latencies(),
            start_ns=START_NS,
        ),
        start_ns=START_NS,
        journal=journal,
    )
    for event in _opening(seed):
        runtime.post(event, START_NS)
    legs = legs or tuple(leg(category, fee=str(fee)) for category, fee in FEES_BPS.items())
    order = routed(legs=legs, duration_s=60, seed=seed, **over)
    runtime.post(order, START_NS + 15 * NS_PER_S)
    runtime.run(
        START_NS + 300 * NS_PER_S,
        lambda state: bool(state.routes) and not state.open_routes and not state.open_parents,
    )
    runtime.finish()
    return runtime


def _opening(seed):
    yield EngineStarted(
        at_ns=START_NS,
        version="",
        instance=INSTANCE,
        venue="simulation",
        limits=LIMITS,
        timings=Timings(),
        sentinel_required=False,
        seed=seed,
        hedge_mode=False,
        marks_fills=True,
        rules=RULES_NOW,
    )
    for rules in (PERP, SPOT):
        yield InstrumentLoaded(at_ns=START_NS, instrument=rules)
        yield StreamChanged(
            at_ns=START_NS, stream=Stream.PUBLIC, category=rules.category, live=True, detail=""
        )
    for stream in (Stream.TRADE, Stream.PRIVATE):
        yield StreamChanged(at_ns=START_NS, stream=stream, category=None, live=True, detail="")
