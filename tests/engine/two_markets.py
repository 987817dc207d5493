"""A rig with a second market of the same coin, and routed orders over both."""

from decimal import Decimal

from executor.domain.events import (
    BookUpdated,
    InstrumentLoaded,
    ReferenceUpdated,
    RouteSubmitted,
    StreamChanged,
)
from executor.domain.events import Stream as StreamName
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.routing import RouteLeg
from executor.engine.route_legs import (
    leg_cum_qty,
    leg_granted_qty,
    route_cum_qty,
    route_granted_qty,
    route_worst_qty,
)
from executor.engine.state import EngineState, RouteState
from tests.builders import D, instrument, snapshot
from tests.engine.rig import Rig

PERP, SPOT = "linear:BTCUSDT", "spot:BTCUSDT"


def routed(**over):
    """A routed order of one coin over the perpetual and spot, one minute in slices of twenty seconds."""
    legs = over.pop("legs", None) or (leg(Category.LINEAR), leg(Category.SPOT))
    usual = dict(
        at_ns=0,
        request_id="r1",
        idempotency_key="k1",
        body_sha256="b1",
        legs=legs,
        side=Side.BUY,
        order_qty=D("1.2"),
        duration_s=60,
        residual=ResidualRule.CROSS,
        extend_s=0,
        limit_px=None,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=20, passiveness=D("0.5")),
        seed=1,
    )
    return RouteSubmitted(**{**usual, **over})


def leg(category, symbol="BTCUSDT", fee="5", **over):
    return RouteLeg(category=category, symbol=symbol, taker_fee_bps=D(fee), **over)


class TwoMarkets(Rig):
    """The perpetual is the rig's own market; spot stands beside it, `basis` above it."""

    def __init__(self, *args, spot_rules=None, **over):
        self.spot_rules = spot_rules or instrument(
            category=Category.SPOT, qty_step=D("0.000001"), min_order_qty=D("0.000001")
        )
        self.basis = Decimal(0)
        self.spot_lives = True
        super().__init__(*args, **over)

    def streams_live(self):
        super().streams_live()
        spot = StreamChanged(at_ns=0, stream=StreamName.PUBLIC, category=Category.SPOT, live=True, detail="")
        self.send(spot)

    def open_market(self, warmup_s=12):
        self.send(InstrumentLoaded(at_ns=0, instrument=self.spot_rules))
        super().open_market(warmup_s)

    def book(self, *, volume="0", spread="0.1"):
        super().book(volume=volume, spread=spread)
        if not self.spot_lives:
            return
        bid = (self.mid + self.basis - Decimal(spread) / 2).quantize(Decimal("0.1"))
        book = snapshot(
            str(bid),
            str(bid + Decimal(spread)),
            traded=str(self.traded),
            px="50000",
            category=Category.SPOT,
            symbol=self.spot_rules.symbol,
        )
        if self.opinion:
            rules = self.spot_rules
            self.send_opinion(rules, self.mid + self.basis)
        self.send(BookUpdated(at_ns=0, market=book))

    def send_opinion(self, rules, px):
        self.send(
            ReferenceUpdated(at_ns=0, category=rules.category, symbol=rules.symbol, source="mark", px=px)
        )

    def route(self, name="R1") -> RouteState:
        return self.engine.state.routes[name]

    def fills(self, **which):
        """Let open orders fill: of one category, or all."""
        for entry in list(self.venue.orders.values()):
            if entry.is_open and which.get("category") in {None, entry.order.category}:
                self.venue.fill(entry, entry.order.qty - entry.executed)
        self.settle()

    def filled(self, name="R1"):
        state = self.engine.state
        return tuple(leg_cum_qty(state, each) for each in state.routes[name].legs)

    def granted(self, name="R1"):
        state = self.engine.state
        return tuple(leg_granted_qty(state, each) for each in state.routes[name].legs)


def no_route_is_over_granted(state: EngineState, venue=None) -> None:
    """Grants, and with them everything that is filled or may be, stay within each routed order."""
    for route in state.routes.values():
        granted, worst = route_granted_qty(state, route), route_worst_qty(state, route)
        assert worst <= granted <= route.order.order_qty, (worst, granted, route.order.order_qty)
        assert route_cum_qty(state, route) <= worst
        assert route.is_final == (route.order.route_id not in state.open_routes)
        parents = [state.parents[name] for each in route.legs for name in each.parents]
        assert all(parent.route_id == route.order.route_id for parent in parents)
        for each in route.legs:
            still_open = [name for name in each.parents if not state.parents[name].is_final]
            assert still_open in ([], each.parents[-1:])
        if route.is_final:
            assert all(parent.is_final for parent in parents)
        if venue is None:
            continue
        names = {parent.order.parent_id for parent in parents}
        committed = sum(
            (entry.committed for entry in venue.orders.values() if entry.order.parent_id in names), D(0)
        )
        assert committed <= route.order.order_qty
