"""The venue's own TWAP, iceberg and POV as routes: one strategy order for all that is left, worked by the venue.

The plan is that of a plain TWAP: it says where an even execution would be, for progress and for the reports; the venue
keeps to its own. What the venue cannot promise is not pretended: a TWAP or a POV sends market orders, so neither takes
a parent with a limit price.
"""

from decimal import Decimal
from typing import Final

from executor.domain.algo import AlgoKind, AlgoTerms, least_piece
from executor.domain.decision import Decision, Schedule, Style, View, Why
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, ParentOrder, Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Price, Quantity
from strategies.placement import wait
from strategies.twap import Twap

VENUE_TWAP: Final = "venue-twap"
VENUE_ICEBERG: Final = "venue-iceberg"
VENUE_POV: Final = "venue-pov"
KINDS: Final = {VENUE_TWAP: AlgoKind.TWAP, VENUE_ICEBERG: AlgoKind.ICEBERG, VENUE_POV: AlgoKind.POV}

TWAP_INTERVALS_S: Final = (5, 10, 15, 30, 60, 120)
TWAP_S: Final = (300, 86_400)
POV_S: Final = (900, 86_400)
POV_INTERVALS_S: Final = (5, 3_600)
POV_PCT: Final = (Decimal(1), Decimal(100))
POV_WINDOW_S: Final = 60
ORDERS_MAX: Final = 3_000
"""Most orders that one strategy order may make: each must be read, page by page, to prove its end."""
_NOISY_PCT: Final = 20
_SPARE: Final = Decimal("1.1")
"""By how much a TWAP's pieces must exceed the venue's minimum value, as it documents."""
_COLLAR_SHARE: Final = Decimal("0.5")
"""Where the worst price lies between mid and collar: the collar counts from the mean of five minutes as well."""
_PCT: Final = Decimal(100)


class VenueAlgorithm:
    """One strategy order of the venue for everything that is left and for all the time that is left."""

    def __init__(self, kind: AlgoKind) -> None:
        self._kind = kind

    def plan(
        self,
        *,
        order: ParentOrder,
        instrument: Instrument,
        reference_px: Price,
        start_ns: int,
        end_ns: int,
        cum_qty: Quantity,
    ) -> Schedule:
        """Even slices: what an undisturbed TWAP would do."""
        return Twap().plan(
            order=order,
            instrument=instrument,
            reference_px=reference_px,
            start_ns=start_ns,
            end_ns=end_ns,
            cum_qty=cum_qty,
        )

    def revise(self, view: View) -> Schedule | None:
        """Leave the plan: nothing is sent by it."""
        return None

    def decide(self, view: View) -> Decision:
        """Let the venue work all that is left, as long as there is time for the shortest that it takes."""
        deadline_ns = view.order.deadline_ns
        qty = view.instrument.round_qty(view.leaves_qty)
        if view.instrument.is_dust(qty, view.market.mid_px):
            return wait(Why.BELOW_MINIMUM, deadline_ns)
        if view.now_ns < view.order.start_ns:
            return wait(Why.BEFORE_START, view.order.start_ns)
        px = self._worst_px(view)
        if px is None:
            return wait(Why.LIMIT_PRICE, view.now_ns + NS_PER_S)
        left_s = (deadline_ns - view.now_ns) // NS_PER_S
        terms = algo_terms(self._kind, view.order.params, qty, left_s, view.instrument, view.market.mid_px)
        if terms is None:
            return wait(Why.TIME_TOO_SHORT, deadline_ns)
        return Decision(
            style=Style.REST if self._kind is AlgoKind.ICEBERG else Style.CROSS,
            qty=qty,
            px=px,
            why=Why.VENUE_WORKS,
            wake_ns=deadline_ns,
            algo=terms,
        )

    def _worst_px(self, view: View) -> Price | None:
        """Half the collar beyond the mid, or the limit price, or the venue's band, whichever is tightest."""
        side, mid = view.order.side, view.market.mid_px
        reach = _COLLAR_SHARE * view.price_collar_bps_max / BPS_PER_UNIT
        px = Price(mid * (ONE + side.sign * reach))
        band = view.market.max_buy_px if side is Side.BUY else view.market.min_sell_px
        for edge in (view.order.limit_px, band):
            if edge is not None and side.sign * (px - edge) > ZERO:
                px = edge
        px = view.instrument.round_px(side, px)
        far = abs(px - mid) * BPS_PER_UNIT > view.price_collar_bps_max * mid
        return None if px <= ZERO or far else px


VENUE_STRATEGIES: Final = {name: VenueAlgorithm(kind) for name, kind in KINDS.items()}
"""By the name that people write; offered only where the venue has them and they are switched on."""


def algo_terms(
    kind: AlgoKind, params: StrategyParams, qty: Quantity, left_s: int, rules: Instrument, mid_px: Decimal
) -> AlgoTerms | None:
    """The terms of a strategy order that ends within a time; None where the venue offers none so short, or so small."""
    match kind:
        case AlgoKind.ICEBERG:
            display = params.display_qty
            assert display is not None, (
                "an iceberg without a display quantity is refused when it is submitted"
            )
            if display >= qty:  # a piece must be less than the whole
                display = rules.round_qty(Quantity(qty / 2))
            if left_s <= 0 or rules.is_dust(display, mid_px):
                return None
            return AlgoTerms(kind=kind, display_qty=display)
        case AlgoKind.POV:
            if left_s < POV_S[0]:
                return None
            assert params.participation is not None, "a share is asked for when it is submitted"
            return AlgoTerms(
                kind=kind,
                duration_s=min(left_s, POV_S[1]),
                interval_s=params.interval_s,
                rate_pct=params.participation * _PCT,
                window_s=POV_WINDOW_S,
            )
        case AlgoKind.TWAP:
            for interval_s in TWAP_INTERVALS_S:
                duration_s = min(left_s, TWAP_S[1]) // interval_s * interval_s
                if interval_s < params.interval_s or duration_s < TWAP_S[0]:
                    continue
                if duration_s // interval_s > ORDERS_MAX:
                    continue
                terms = AlgoTerms(
                    kind=kind,
                    duration_s=duration_s,
                    interval_s=interval_s,
                    noisy=params.randomize_size_pct == _NOISY_PCT,
                )
                least = least_piece(terms, qty, rules)
                if (
                    least >= rules.min_order_qty
                    and rules.notional(least, Price(mid_px)) >= _SPARE * rules.min_notional
                ):
                    return terms
            return None


def why_unfit(
    strategy: str,
    params: StrategyParams,
    *,
    category: Category,
    symbol: str,
    duration_s: int,
    has_limit_px: bool,
) -> str:
    """Why the venue could not work such an order by itself, as far as it is known beforehand; empty if it could."""
    kind = KINDS[strategy]
    if category is not Category.SPOT and "-" in symbol:
        return f"{strategy} is offered for perpetuals and spot, and {symbol} is a dated future"
    if kind is not AlgoKind.ICEBERG and has_limit_px:
        return (
            f"{strategy} sends market orders, so it cannot keep a limit price: the venue only stops once the last trade"
            " has reached it; leave the limit price out, or take venue-iceberg or a strategy of ours"
        )
    match kind:
        case AlgoKind.TWAP:
            if params.interval_s not in TWAP_INTERVALS_S:
                return f"{strategy} takes an interval of {', '.join(map(str, TWAP_INTERVALS_S))} seconds"
            if params.randomize_size_pct not in {0, _NOISY_PCT}:
                return f"{strategy} makes sizes uneven by {_NOISY_PCT} per cent or not at all"
            if not TWAP_S[0] <= duration_s <= TWAP_S[1]:
                return f"{strategy} takes {TWAP_S[0]} to {TWAP_S[1]} seconds"
            if duration_s // params.interval_s > ORDERS_MAX:
                return f"{strategy} may make at most {ORDERS_MAX} orders: take a longer interval"
        case AlgoKind.POV:
            if category is Category.SPOT:
                return f"{strategy} is documented for contracts only"
            if not POV_S[0] <= duration_s <= POV_S[1]:
                return f"{strategy} takes {POV_S[0]} to {POV_S[1]} seconds"
            if not POV_INTERVALS_S[0] <= params.interval_s <= min(POV_INTERVALS_S[1], duration_s):
                return f"{strategy} takes an interval of {POV_INTERVALS_S[0]} to {POV_INTERVALS_S[1]} seconds"
            share = params.participation
            if share is None or not POV_PCT[0] <= share * _PCT <= POV_PCT[1] or share * _PCT * 10 % 1:
                return f"{strategy} needs participation, 0.01 to 0.9 in steps of 0.001"
            if duration_s // params.interval_s > ORDERS_MAX:
                return f"{strategy} may make at most {ORDERS_MAX} orders: take a longer interval"
        case AlgoKind.ICEBERG:
            if params.display_qty is None:
                return f"{strategy} needs display_qty, the quantity of one piece"
    return ""
