"""How the most that advice can do is shown, and what it was worth: figures for machines, sentences for people."""

from decimal import Decimal
from typing import Final

from executor.advice.score import CostSource, ImpactScore, Worth, usual_cost
from executor.advice.worst_case import Switching, WorstCase
from executor.domain.instrument import notional
from executor.domain.timeline import iso_utc
from executor.domain.units import Money, plain
from executor.engine.state import EngineState, ParentState, Prediction

Json = dict[str, object]
_BPS_SHOWN: Final = Decimal("0.0001")
_PCT_SHOWN: Final = Decimal("0.01")
_MONEY_SHOWN: Final = Decimal("0.00000001")
_WHOLE: Final = Decimal(100)
OF_ORDER: Final = "ORDER_VALUE"
OF_PERIODS: Final = "DUE_OR_TRADED"
"""What a value in basis points is relative to."""


def order_value(parent: ParentState) -> Money | None:
    """Value of the whole order at the mid of its arrival, quote units: what its bill and its worth are relative to."""
    px = parent.arrival_px or parent.decision_px
    return None if px is None else notional(parent.order.category, parent.order.order_qty, px)


def worst_case_view(parent: ParentState) -> Json | None:
    """Show the most that advice can do to a parent; None before it has a schedule, or if it is not advised.

    It is of the plan and the terms in force: others, after a restart or an amendment, have bounds of their own.
    """
    advice = parent.advice
    worst = None if advice is None else advice.worst
    if advice is None or worst is None:
        return None
    return {
        "known_since": {"utc": iso_utc(advice.bounded_ns), "ns": advice.bounded_ns}
        if advice.bounded_ns
        else None,
        "earlier_bounds": advice.bounds_before,
        "ahead_pct": _shown(worst.ahead_pct, _PCT_SHOWN),
        "behind_pct": _shown(worst.behind_pct, _PCT_SHOWN),
        "slice_times": plain(worst.participation_times),
        "complete": {"utc": iso_utc(worst.complete_ns), "ns": worst.complete_ns},
        "crossing_bps": _shown(worst.crossing_bps, _BPS_SHOWN),
        "timing_bps": _shown(worst.timing_bps, _BPS_SHOWN),
        "switching": _switching(worst.switching),
        "bill_max_usd": plain(worst.bill_max),
        "may_cancel": worst.may_cancel,
        "text": _worst_lines(worst),
    }


def _switching(switching: Switching) -> Json:
    """Show how far switches of the schedule can lead from the plan in force, with whatever else is advised."""
    return {
        "schedule_moved_pct": _shown(switching.moved_pct, _PCT_SHOWN),
        "ahead_pct": _shown(switching.ahead_pct, _PCT_SHOWN),
        "behind_pct": _shown(switching.behind_pct, _PCT_SHOWN),
        "slice_pct": _shown(switching.slice_pct, _PCT_SHOWN),
        "timing_bps": _shown(switching.timing_bps, _BPS_SHOWN),
    }


def worth_view(state: EngineState, parent: ParentState) -> Json | None:
    """Show what advice about a parent was worth, beside all parents of its market; None if it is not advised."""
    advice = parent.advice
    if advice is None:
        return None
    pooled = state.worths.get(parent.market_key, Worth())
    value = _value(advice.worth, pooled, order_value(parent))
    return {
        **value,
        "impact": None if advice.prediction is None else _prediction(advice.prediction),
        "market": {
            **_value(pooled, pooled),
            "impact": _impact(pooled.plain),
            "impact_adjusted": _impact(pooled.adjusted),
        },
        "text": _worth_line(value),
    }


def _value(worth: Worth, pooled: Worth, base: Money | None = None) -> Json:
    """Figures of one score, with the usual cost of its market: the mean of few fills of one parent says too little.

    Parameters
    ----------
    base
        Value of the order that the basis points are relative to; None for those of many, which are relative to what was
        due or traded in the periods.
    """
    score = worth.score
    bps, source = usual_cost(pooled.usual, score)
    return {
        "periods": score.count,
        "value_quote": None if bps is None else _shown(score.value(bps), _MONEY_SHOWN),
        "value_bps": None if bps is None else _shown(score.value_bps(bps, base), _BPS_SHOWN),
        "standard_error_bps": None
        if bps is None
        else _shown(score.standard_error_bps(bps, base), _BPS_SHOWN),
        "bps_of": (OF_PERIODS if base is None else OF_ORDER),
        "usual_cost_bps": _shown(bps, _BPS_SHOWN),
        "usual_cost_from": None if bps is None else source.value,
        "usual_cost_fills": pooled.usual.count,
    }


def _prediction(told: Prediction) -> Json:
    return {
        "decision_id": told.decision_id,
        "predicted_bps": _shown(told.estimate_bps, _BPS_SHOWN),
        "low_bps": _shown(told.low_bps, _BPS_SHOWN),
        "high_bps": _shown(told.high_bps, _BPS_SHOWN),
        "adjusted_bps": _shown(told.adjusted_bps, _BPS_SHOWN),
        "mid_slippage_bps": _shown(told.realised_bps, _BPS_SHOWN),
    }


def _impact(score: ImpactScore) -> Json:
    return {
        "orders": score.count,
        "mean_predicted_bps": _shown(score.mean_predicted_bps, _BPS_SHOWN),
        "mean_mid_slippage_bps": _shown(score.mean_realised_bps, _BPS_SHOWN),
        "mean_error_bps": _shown(score.mean_error_bps, _BPS_SHOWN),
        "mean_distance_bps": _shown(score.mean_distance_bps, _BPS_SHOWN),
        "scale": _shown(score.scale, _BPS_SHOWN),
        "coverage_pct": _shown(score.coverage_pct, _PCT_SHOWN),
    }


def _worst_lines(worst: WorstCase) -> list[str]:
    ahead, behind = (f"{pct:.1f} %" for pct in (worst.ahead_pct, worst.behind_pct))
    path = (
        "earlier or later trading may cost anything: the volatility is not known"
        if worst.timing_bps is None
        else f"about {worst.timing_bps:.1f} bps of the order by trading earlier or later, at the volatility measured"
    )
    stop = "end the order" if worst.may_cancel else "pause the order until a person looks at it"
    lines = [
        f"at most {ahead} of the order ahead of its schedule, {behind} behind, one slice included",
        f"at most {plain(worst.participation_times)} times a slice's quantity in one slice",
        f"over at {iso_utc(worst.complete_ns)}, as without advice, unless it is advised to {stop}",
        (
            f"at most {worst.crossing_bps:.1f} bps of what is traded by crossing instead of resting, and what a taker"
            " pays the venue more than a maker (the rates are not known here)"
        ),
        path,
        *_switching_lines(worst.switching),
        f"at most {plain(worst.bill_max)} US dollars for the answers",
    ]
    if max(worst.ahead_pct, worst.behind_pct) >= _WHOLE:
        lines.append("the band sets no bound to how far it may be off its schedule: that is the whole order")
    return lines


def _switching_lines(switching: Switching) -> list[str]:
    if not switching.moved_pct:
        return ["all this to the end: nothing may switch its schedule"]
    moved, ahead, behind, piece = (
        f"{pct:.1f} %"
        for pct in (switching.moved_pct, switching.ahead_pct, switching.behind_pct, switching.slice_pct)
    )
    timing = (
        "earlier or later trading may cost anything"
        if switching.timing_bps is None
        else f"trading earlier or later costs about {switching.timing_bps:.1f} bps of the order"
    )
    return [
        "all this as long as its schedule is not switched",
        f"a switch moves the schedule itself, by at most {moved} of the order, and never its end",
        (
            f"with switches it is at most {ahead} ahead of this plan, {behind} behind, does at most {piece} of the"
            f" order in one slice, within the limits of the gate, and {timing}"
        ),
    ]


def _worth_line(value: Json) -> str:
    """One sentence on what following the advice was worth; what it cannot say it says as well."""
    if value["value_bps"] is None:
        return "what advice was worth is not known: nothing was traded or due under it yet"
    error = value["standard_error_bps"]
    sure = (
        "of one period, so that nobody knows how sure it is"
        if error is None
        else f"give or take {error} (one error)"
    )
    whole = "of the order's value" if value["bps_of"] == OF_ORDER else "of what was due or traded under it"
    source = (
        f"measured on {value['usual_cost_fills']} fills without advice"
        if value["usual_cost_from"] == CostSource.MEASURED
        else "half the spread and the same fees, assumed, for too little was filled without advice to measure it"
    )
    return (
        f"advice was worth {value['value_bps']} bps {whole} against the schedule, its bill taken off, {sure}, over"
        f" {value['periods']} period(s); the schedule usually pays {value['usual_cost_bps']} bps: {source}"
    )


def _shown(value: Decimal | None, places: Decimal) -> str | None:
    return None if value is None else plain(value.quantize(places))
