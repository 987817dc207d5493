"""What stands beside the cost of orders, as plain values and in words: a model's charge for impact, and funding."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from math import fsum

from backtest.recorded import Worked
from impact.protocol import ImpactModel


def printed_bps(value: Decimal | float) -> str:
    """Write basis points as a cost report does."""
    return f"{round(float(value), 4) + 0.0:.4f}"  # adding zero turns -0 into 0


def many(count: int, noun: str) -> str:
    """Count things: 1 order, 2 orders."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def impact_record(worked: Worked) -> dict[str, str | None]:
    """What a model of impact charges an order, basis points of the value at arrival; nothing where none was asked."""
    found = worked.impact
    told = None if found is None else found.estimate
    return {
        "impact_model_bps": None if told is None else printed_bps(told.estimate_bps),
        "impact_model_low_bps": None if told is None else printed_bps(told.low_bps),
        "impact_model_high_bps": None if told is None else printed_bps(told.high_bps),
        "impact_model_unknown": None if found is None or told is not None else found.unknown,
    }


def charged_record(all_worked: Sequence[Worked]) -> dict[str, object] | None:
    """Mean of what a model of impact charges, over the orders of which it can say so; None where none was asked."""
    asked = [one.impact for one in all_worked if one.impact is not None]
    told = [one.estimate for one in asked if one.estimate is not None]
    if not asked:
        return None
    if not told:
        return {"orders": 0, "unknown": len(asked), "mean": None, "low": None, "high": None}
    return {
        "orders": len(told),
        "unknown": len(asked) - len(told),
        "mean": fsum(one.estimate_bps for one in told) / len(told),
        "low": fsum(one.low_bps for one in told) / len(told),
        "high": fsum(one.high_bps for one in told) / len(told),
    }


def funding_record(all_worked: Sequence[Worked]) -> dict[str, object]:
    """What holding has cost: how many orders were charged, and the mean of all, bps of the value at arrival."""
    found = [float(one.funding_bps) for one in all_worked if one.funding_bps is not None]
    return {
        "orders_charged": sum(bool(one.funding) for one in all_worked),
        "mean_bps": fsum(found) / len(found) if found else None,
    }


def impact_warnings(all_worked: Sequence[Worked], model: ImpactModel | None) -> list[str]:
    """What must be known of figures that a model of impact has made."""
    if model is None:
        return []
    told = [
        (
            f"the impact model {model.name} is beside the cost and not in it: the engine never saw the price that it"
            " moves, and what an order walks through in the recorded book is partly the same thing"
        )
    ]
    reasons = Counter(
        one.impact.unknown for one in all_worked if one.impact is not None and one.impact.unknown
    )
    told += [
        f"the impact model can say nothing of {many(count, 'order')}: {why}" for why, count in reasons.items()
    ]
    return told
