"""The facts of a question in their one written form, the hash of it, and when two snapshots are alike.

Every key is written here by name, so that a field of a record that is not meant for a model's eyes never reaches one.
Figures are rounded for reading: a model gets what it can use, and nothing is computed from the rounded text again.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from executor.advice.clean import name_of
from executor.domain.advice_facts import (
    AdviceFacts,
    BandFacts,
    MarketFacts,
    OrderFacts,
    PastDecision,
    ProgressFacts,
    Tolerance,
)
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, is_sound, plain

Document = dict[str, object]
"""What becomes a JSON object: text, whole counts, booleans, None, lists and documents."""

RECENT_DECISIONS_MAX: Final = 5
"""Past decisions that a question shows."""
HASH_LEN: Final = 16
"""Hexadecimal digits of SHA-256 that name a snapshot."""

_HUNDREDTH: Final = Decimal("0.01")
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_FOUR_DIGITS: Final = Context(prec=4, rounding=ROUND_HALF_EVEN)
_EIGHT_DIGITS: Final = Context(prec=8, rounding=ROUND_HALF_EVEN)
_TEN_DIGITS: Final = Context(prec=10, rounding=ROUND_HALF_EVEN)


def facts_document(facts: AdviceFacts) -> Document:
    """Write the facts as the part of a question that the snapshot hash covers; always these keys in this order.

    Raises
    ------
    ValueError
        If a figure is NaN, infinite or of more than 18 digits.
    """
    return {
        "parent": _order_document(facts.order),
        "progress": _progress_document(facts.progress),
        "market": _market_document(facts.market),
        "band": _band_document(facts.band),
        "impact": {
            "estimate_bps": hundredths(facts.impact.estimate_bps),
            "low_bps": hundredths(facts.impact.low_bps),
            "high_bps": hundredths(facts.impact.high_bps),
        },
        "recent_decisions": [_past_document(past) for past in facts.recent_decisions[-RECENT_DECISIONS_MAX:]],
    }


def snapshot_hash(facts: AdviceFacts) -> str:
    """Name what a model is shown: the first digits of SHA-256 over the canonical bytes of the facts' document.

    Who has the question can work it out again. Which question it was is the decision id's to say: two questions about
    the very same facts have the same hash.
    """
    return hashlib.sha256(canonical(facts_document(facts))).hexdigest()[:HASH_LEN]


def canonical(document: Mapping[str, object]) -> bytes:
    """Write a document in the one way it is hashed: JSON without blanks, keys as they come, ASCII."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def alike(old: AdviceFacts, new: AdviceFacts, tolerance: Tolerance) -> bool:
    """Tell whether a decision taken on the old facts may stand in for one late decision on the new.

    The same parent, not amended since, with the same schedule, band and regime; and mid, spread and progress that
    have not moved beyond the tolerance. How old the decision may be is the caller's to say.
    """
    if (old.parent_id, old.parent_version) != (new.parent_id, new.parent_version):
        return False
    if old.order.strategy != new.order.strategy or old.market.regime != new.market.regime:
        return False
    if old.band != new.band:
        return False
    was, now = old.progress, new.progress
    moved = abs(new.market.mid_px - old.market.mid_px)
    return (
        moved * BPS_PER_UNIT <= tolerance.mid_bps_max * old.market.mid_px
        and abs(new.market.spread_bps - old.market.spread_bps) <= tolerance.spread_bps_max
        and abs(now.executed_pct - was.executed_pct) <= tolerance.progress_pct_max
        and abs(now.elapsed_pct - was.elapsed_pct) <= tolerance.progress_pct_max
        and abs(now.ahead_pct - was.ahead_pct) <= tolerance.progress_pct_max
    )


def exact(value: Decimal | None) -> str | None:
    """Write a price or a quantity as it is: it is a whole number of steps and needs no rounding."""
    return None if value is None else _text(_sound(value))


def mean_px(value: Decimal | None) -> str | None:
    """Write a price that was computed: ten significant digits."""
    return None if value is None else _text(_TEN_DIGITS.plus(_sound(value)))


def mean_qty(value: Decimal | None) -> str | None:
    """Write a quantity that was computed: eight significant digits."""
    return None if value is None else _text(_EIGHT_DIGITS.plus(_sound(value)))


def hundredths(value: Decimal | None) -> str | None:
    """Write basis points, per cents and factors: two digits after the point."""
    return None if value is None else _text(_WIDE.quantize(_sound(value), _HUNDREDTH))


def four_digits(value: Decimal | None) -> str | None:
    """Write a figure that may be very small, such as a spread or a funding rate: four significant digits."""
    return None if value is None else _text(_FOUR_DIGITS.plus(_sound(value)))


def seconds(span_ns: int) -> str:
    """Write a span in whole seconds, cut toward the past."""
    return str(span_ns // NS_PER_S)


def _order_document(order: OrderFacts) -> Document:
    return {
        "symbol": name_of(order.symbol),
        "category": order.category.value,
        "side": order.side.name,
        "order_qty": exact(order.order_qty),
        "cum_qty": exact(order.cum_qty),
        "leaves_qty": exact(order.leaves_qty),
        "deadline_in_s": seconds(order.deadline_ns),
        "duration_s": seconds(order.duration_ns),
        "decision_px": mean_px(order.decision_px),
        "limit_px": exact(order.limit_px),
        "strategy": name_of(order.strategy),
        "urgency": order.urgency.value,
    }


def _progress_document(progress: ProgressFacts) -> Document:
    return {
        "executed_pct": hundredths(progress.executed_pct),
        "elapsed_pct": hundredths(progress.elapsed_pct),
        "ahead_pct": hundredths(progress.ahead_pct),
        "avg_px": mean_px(progress.avg_px),
        "shortfall_bps": hundredths(progress.shortfall_bps),
        "twap_px": mean_px(progress.twap_px),
        "vs_twap_bps": hundredths(progress.vs_twap_bps),
        "slice_qty": exact(progress.slice_qty),
        "slices_left": progress.slices_left,
        "working_qty": exact(progress.working_qty),
    }


def _market_document(market: MarketFacts) -> Document:
    return {
        "mid": mean_px(market.mid_px),
        "spread_bps": four_digits(market.spread_bps),
        "best_bid": exact(market.best_bid),
        "best_bid_qty": exact(market.best_bid_qty),
        "best_ask": exact(market.best_ask),
        "best_ask_qty": exact(market.best_ask_qty),
        "volatility_hourly_pct": four_digits(market.volatility_hourly_pct),
        "volume_per_min_qty": mean_qty(market.volume_per_min_qty),
        "mean_px_5min": mean_px(market.mean_px_5min),
        "regime": name_of(market.regime),
    }


def _band_document(band: BandFacts) -> Document:
    return {
        "rate_min": hundredths(band.rate_min),
        "rate_max": hundredths(band.rate_max),
        "slice_times_max": hundredths(band.slice_times_max),
        "ahead_pct_max": hundredths(band.ahead_pct_max),
        "behind_pct_max": hundredths(band.behind_pct_max),
        "wait_s_max": str(band.wait_s_max),
        "confidence_min": hundredths(band.confidence_min),
        "strategies": [name_of(name) for name in band.strategies],
        "cancel_allowed": band.cancel_allowed,
    }


def _past_document(past: PastDecision) -> Document:
    return {
        "decision_id": name_of(past.decision_id),
        "action": None if past.action is None else past.action.value,
        "confidence": hundredths(past.confidence),
        "outcome": past.outcome.value,
        "filled_pct_since": hundredths(past.filled_pct_since),
        "mid_moved_bps": hundredths(past.mid_moved_bps),
    }


def _sound(value: Decimal) -> Decimal:
    if not is_sound(value):
        raise ValueError(f"a figure without a meaning: {value!r:.40}")
    return value


def _text(value: Decimal) -> str:
    """Write a number plainly without zeros that say nothing, and zero without a sign."""
    text = plain(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
