"""The guides of a market that never closes: funding, liquidations, open interest, flows to exchanges, time of day.

Each is a judgment about one signal and says where that comes from. None claims more than a direction. All are mirror
images in side: what holds a purchase back at one sign of the signal holds a sale back at the other.
"""

from functools import lru_cache
from typing import Final

from executor.domain.decision import View, Why
from executor.domain.units import BPS_PER_UNIT
from executor.domain.volume_curve import SessionWeights, VolumeCurve
from strategies.signals.funding import early_side
from strategies.signals.open_interest import Regime, regime
from strategies.volume_curve import USUAL_CURVE, Expected
from strategies.wrappers.guided import Guide, Stance

CLUSTER_BPS: Final = 20.0
"""How near a cluster of liquidations must be to matter: about two of the classes in which they are counted."""
FLOW_STRONG: Final = 2.0
"""Standard deviations from which a flow to or from exchanges is unusual: about one count in twenty."""
BUSY: Final = 1.25
QUIET: Final = 0.75
"""Expected volume of this hour over that of the order's whole interval, from which it is hurried or patient."""
_CURVES_MAX: Final = 16
_SLICES_MAX: Final = 512


def _by_funding(view: View) -> Stance:
    """Trade before the funding instant what would pay at it, and after it what would then begin to pay.

    Nothing is gained by either where the order ends before the instant anyway.
    """
    signals = view.signals
    early = early_side(signals.funding_rate, signals.next_funding_ns, view.now_ns)
    next_ns = signals.next_funding_ns
    if not early or next_ns is None or next_ns >= view.schedule.slices[-1].end_ns:
        return Stance.AS_PLANNED
    return Stance.HURRY if early == view.order.side.sign else Stance.HOLD


def _by_liquidations(view: View) -> Stance:
    """In a cascade trade against the forced orders and never with them; near a cluster lean the same way.

    Forced orders do not know anything: they press the price beyond where it was going and then end. To sell into
    forced purchases is to be paid for patience; to buy beside them is to compete for what they make dear. Without a
    cascade, a cluster ahead of the price on the dear side is a reason to be through before it, one on the cheap side
    a reason to rest.
    """
    signals, sign = view.signals, view.order.side.sign
    if signals.cascade is None:
        return Stance.AS_PLANNED
    if signals.cascade:
        return Stance.HOLD if signals.cascade == sign else Stance.HURRY
    mid_px = float(view.market.mid_px)
    below = signals.cluster_below
    above = signals.cluster_above
    is_below = below is not None and (1.0 - below.px / mid_px) * float(BPS_PER_UNIT) <= CLUSTER_BPS
    is_above = above is not None and (above.px / mid_px - 1.0) * float(BPS_PER_UNIT) <= CLUSTER_BPS
    if is_below == is_above:
        return Stance.AS_PLANNED
    return Stance.HURRY if (sign > 0) == is_above else Stance.PATIENT


_ON: Final = {Regime.NEW_LONGS: 1, Regime.NEW_SHORTS: -1}
"""Moves that new positions make: whoever must trade with them hurries, whoever trades against them can be patient."""
_SPENT: Final = {Regime.SHORTS_CLOSE: 1, Regime.LONGS_CLOSE: -1}
"""Moves that closing positions make: they end when those are closed, so whoever would trade with them is patient."""


def _by_open_interest(view: View) -> Stance:
    """Go with a move that new positions make, and let one pass that old ones make by closing.

    It is market lore, not a published result: the direction is what traders agree on, its size nobody has shown.
    """
    interest_pct, price_pct = view.signals.open_interest_change_pct, view.signals.price_change_pct
    if interest_pct is None or price_pct is None:
        return Stance.AS_PLANNED
    found, sign = regime(interest_pct, price_pct), view.order.side.sign
    if found in _ON:
        return Stance.HURRY if _ON[found] == sign else Stance.PATIENT
    return Stance.PATIENT if _SPENT.get(found) == sign else Stance.AS_PLANNED


def _by_exchange_flow(view: View) -> Stance:
    """Coins that arrive at exchanges in unusual numbers may be sold there: buy patiently, sell at once; the mirror."""
    flow = view.signals.exchange_flow
    if flow is None or abs(flow) < FLOW_STRONG:
        return Stance.AS_PLANNED
    return Stance.HURRY if flow * view.order.side.sign > 0.0 else Stance.PATIENT


def _by_session(view: View) -> Stance:
    """Go faster in hours in which the market trades more than in the rest of the order's time, and slower in others.

    The same curve and session weights as the VWAP schedule; the order's own interval is the measure, so that an order
    that lives in one hour is left alone.
    """
    slices, params = view.schedule.slices, view.order.params
    piece = slices[view.schedule.slice_at(view.now_ns)]
    return _session_stance(
        params.curve or USUAL_CURVE,
        params.session_weights,
        slices[0].start_ns,
        slices[-1].end_ns,
        piece.start_ns,
        piece.end_ns,
    )


@lru_cache(maxsize=_SLICES_MAX)
def _session_stance(
    curve: VolumeCurve,
    weights: SessionWeights | None,
    start_ns: int,
    end_ns: int,
    slice_start_ns: int,
    slice_end_ns: int,
) -> Stance:
    """Stance in one slice: kept, since a slice asks at every tick and the answer does not change within it."""
    expected = _expected(curve, weights)
    usual = expected.between(start_ns, end_ns) / (end_ns - start_ns)
    if usual <= 0.0:
        return Stance.AS_PLANNED
    now = expected.between(slice_start_ns, slice_end_ns) / (slice_end_ns - slice_start_ns)
    if now >= BUSY * usual:
        return Stance.HURRY
    return Stance.PATIENT if now <= QUIET * usual else Stance.AS_PLANNED


@lru_cache(maxsize=_CURVES_MAX)
def _expected(curve: VolumeCurve, weights: SessionWeights | None) -> Expected:
    return Expected(curve, weights)


GUIDES: Final[dict[str, Guide]] = {
    "funding": Guide(Why.FUNDING, _by_funding),
    "liquidations": Guide(Why.LIQUIDATIONS, _by_liquidations),
    "open-interest": Guide(Why.OPEN_INTEREST, _by_open_interest),
    "exchange-flow": Guide(Why.EXCHANGE_FLOW, _by_exchange_flow),
    "session": Guide(Why.SESSION, _by_session),
}
"""By the name that people write."""
