"""A plan as plain JSON values: quantities and prices are text, statistics are numbers, instants are RFC 3339."""

from dataclasses import asdict
from decimal import Decimal
from itertools import accumulate
from typing import Final

from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import ZERO, plain
from executor.engine.plan_preview import PlanPreview
from executor.interfaces.views import SIDE_WORDS, Json, params_view
from impact.parameters import ParameterVersion
from strategies.expected import ExpectedPath, ExpectedSlice, Timing
from strategies.priced import ExpectedCost, PlanTerms

TOLD_FEES: Final = "as told"
"""Who says the fees where the person who asks does."""
_PCT: Final = 100.0
_BPS: Final = 10_000.0
_TIMING: Final = {
    Timing.SCHEDULE: "it keeps to this schedule",
    Timing.VOLUME: "it follows the market's volume: this is its share of the volume to be expected",
    Timing.RESTING: "it only rests, so nobody knows when it is filled: the even share is a measure, no plan; it is done"
    " at the earliest if all that is taken from its side of the book comes to it",
    Timing.TRIGGER: "it waits for its trigger, so nobody knows when it trades: the even share is a measure, no plan",
}


def plan_view(
    told: PlanPreview,
    terms: PlanTerms,
    *,
    source: str,
    version: ParameterVersion | None,
    fees_source: str = "",
    refusal: str = "",
) -> Json:
    """Show everything that is told of an order beforehand.

    Parameters
    ----------
    source
        Where the figures come from, in words.
    version
        Calibration of the model; None where it was named, or nothing was calibrated.
    fees_source
        Who says what the venue charges, in words; empty where nobody does.
    refusal
        Why it would be refused if it were submitted now; empty if it would not.
    """
    order, path = told.order, told.path
    return {
        "order": {
            "category": order.category.value,
            "symbol": order.symbol,
            "side": SIDE_WORDS[order.side],
            "qty": plain(order.order_qty),
            "unit": "contracts" if order.category is Category.INVERSE else told.instrument.base_coin,
            "strategy": order.strategy,
            "urgency": order.urgency.value,
            "start": iso_utc(order.start_ns),
            "deadline": iso_utc(order.deadline_ns),
            "duration_s": (order.deadline_ns - order.start_ns) // NS_PER_S,
            "residual": order.residual.value,
            "limit_price": None if order.limit_px is None else plain(order.limit_px),
            "params": params_view(order.params, order.strategy),
        },
        "figures": {
            "source": source,
            "price": plain(told.market.mid_px),
            "spread_bps": float(told.market.spread_bps),
            "volatility_hourly_pct": told.pace.volatility_hourly_pct,
            "volume_hourly": told.pace.volume_hourly_qty,
            "crossing": terms.crossing,
            "maker_fee_bps": terms.maker_fee_bps,
            "taker_fee_bps": terms.taker_fee_bps,
            "fees_source": fees_source,
        },
        "model": {"name": terms.model.name, "calibration": None if version is None else version.version_id},
        "refused": refusal,
        "cost": None if told.cost is None else _cost(told.cost),
        **_path(path),
        "limits": [
            {"what": one.what, "severity": one.severity.value, "detail": one.detail}
            for one in told.hindrances
        ],
        "alternatives": [
            {
                "strategy": one.strategy,
                "timing": one.path.timing.value,
                "cost": None if one.cost is None else _cost(one.cost),
                **_totals(one.path),
            }
            for one in told.alternatives
        ],
        "frontier": [asdict(one) for one in told.frontier],
        "worst_case": None if told.worst is None else _json(asdict(told.worst)),
        "remarks": remarks(told, terms, version, fees_source),
    }


def remarks(
    told: PlanPreview, terms: PlanTerms, version: ParameterVersion | None, fees_source: str
) -> list[str]:
    """What a reader must know to take the figures for what they are."""
    order, path = told.order, told.path
    said = [_TIMING[path.timing]]
    if path.merged:
        said.append(
            f"{path.schedule.asked} slices were asked for, {len(path.slices)} are left: pieces below the venue's"
            " minimum are put together"
        )
    if path.residual_qty:
        said.append(
            f"{plain(path.residual_qty.normalize())} is expected to be left at the deadline and taken then"
        )
    if path.left_qty and not {one.what for one in told.hindrances} & {"participation_max", "time"}:
        said.append(f"{plain(path.left_qty.normalize())} is left: the venue accepts no order so small")
    if order.params.wrappers:
        said.append(
            f"signals ({', '.join(order.params.wrappers)}) may hold it back or hurry it: that is not foreseen"
        )
    if order.params.randomize_size_pct or order.params.randomize_timing_pct:
        said.append("sizes and times are drawn anew when it starts")
    if terms.crossing is None and path.timing in {Timing.SCHEDULE, Timing.VOLUME}:
        said.append("priced as if all of it crossed the spread; the interval reaches down to none of it")
    if terms.taker_fee_bps is None or terms.maker_fee_bps is None:
        said.append("without fees: `executor plan` takes them with --maker-fee and --taker-fee")
    elif fees_source != TOLD_FEES:
        said.append(
            f"fees by {fees_source}: {terms.maker_fee_bps:g} bps waiting, {terms.taker_fee_bps:g} taking"
        )
    if version is None:
        said.append("the model is not calibrated here: its range is a third to five thirds of what it says")
    return said


def _path(path: ExpectedPath) -> Json:
    upto = accumulate(one.expected_qty for one in path.slices)
    return {
        "timing": path.timing.value,
        "slices_asked": path.schedule.asked,
        "merged": path.merged,
        **_totals(path),
        "slices": [_slice(one, cum) for one, cum in zip(path.slices, upto, strict=True)],
    }


def _totals(path: ExpectedPath) -> Json:
    shares = [float(one.participation) for one in path.slices]
    own = sum((one.expected_qty for one in path.slices), ZERO)
    others = sum((one.others_qty for one in path.slices), ZERO)
    return {
        "expected_qty": plain(path.expected_qty),
        "residual_qty": plain(path.residual_qty),
        "left_qty": plain(path.left_qty),
        "done": None if path.done_ns is None else iso_utc(path.done_ns),
        "participation_pct": _PCT * float(own / (own + others)) if own else 0.0,
        "participation_most_pct": _PCT * max(shares, default=0.0),
    }


def _slice(one: ExpectedSlice, cum_qty: Decimal) -> Json:
    return {
        "start": iso_utc(one.start_ns),
        "end": iso_utc(one.end_ns),
        "planned_qty": plain(one.planned_qty),
        "expected_qty": plain(one.expected_qty),
        "cum_qty": plain(cum_qty),
        "participation_pct": _PCT * float(one.participation),
    }


def _cost(cost: ExpectedCost) -> Json:
    told = cost.told
    return {
        "expected_bps": cost.expected_bps,
        "low_bps": cost.low_bps,
        "high_bps": cost.high_bps,
        "impact_bps": told.impact.estimate_bps,
        "impact_low_bps": told.impact.low_bps,
        "impact_high_bps": told.impact.high_bps,
        "spread_bps": told.spread_bps,
        "fees_bps": cost.fees_bps,
        "risk_bps": told.risk_bps,
        "notional_quote": told.notional_quote,
        "expected_quote": cost.expected_quote,
        "low_quote": cost.low_bps * told.notional_quote / _BPS,
        "high_quote": cost.high_bps * told.notional_quote / _BPS,
        "risk_quote": told.risk_quote,
        "remaining": [{"after_s": after, "bps": left} for after, left in told.remaining_bps],
    }


def _json(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return {str(key): _json(inner) for key, inner in value.items()}
        case _:
            return value
