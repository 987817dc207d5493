"""From what the engine remembers to the facts of a cost report, and how a parent stands right now.

The arithmetic of cost is in `impact.shortfall`; this module only knows where the engine keeps each number.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from executor.advice.score import Worth, usual_cost
from executor.domain.instrument import notional
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps
from executor.engine.state import ChildState, EngineState, ParentState, market_key
from impact.shortfall import AdviceValue, ParentFacts
from impact.tca.fill_costs import FillCosts
from impact.tca.mark_outs import mark_outs, reversion_bps


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a parent stands against its schedule; shares of the ordered quantity, 0-1.

    Parameters
    ----------
    scheduled_ratio, deviation_ratio
        An even execution of the plan at this instant, and done minus scheduled (negative is late); None
        before there is a plan.
    """

    done_ratio: Decimal
    scheduled_ratio: Decimal | None
    deviation_ratio: Decimal | None


def parent_facts(state: EngineState, parent: ParentState) -> ParentFacts:
    """Collect the facts of a parent for its cost report; for a live one, as of the engine's last event."""
    children = [state.children[name] for name in parent.children]
    end_ns = parent.finished_ns or state.now_ns
    end_px = parent.benchmarks.last_mid_px
    return ParentFacts(
        parent_id=parent.order.parent_id,
        venue=state.venue,
        category=parent.order.category,
        symbol=parent.order.symbol,
        strategy=parent.order.strategy,
        side=parent.order.side,
        status=parent.status,
        reason=parent.reason,
        order_qty=parent.order.order_qty,
        cum_qty=parent.cum_qty,
        cum_notional=parent.cum_notional,
        cum_coin_qty=parent.cum_coin_qty,
        fees=sum((child.fees for child in children), ZERO),
        other_fees=tuple(sorted(parent.other_fees.items())),
        decision_px=parent.decision_px,
        arrival_px=parent.arrival_px,
        end_px=end_px,
        started_ns=parent.started_ns,
        finished_ns=end_ns,
        market_qty=parent.benchmarks.market_qty,
        market_notional=parent.benchmarks.market_notional,
        market_coin_qty=parent.benchmarks.market_coin_qty,
        mid_twap_px=mid_twap_px(parent, end_ns),
        children_by_status=_children_by_status(children),
        filled_by_status=_filled_by_status(children),
        orders_sent=sum(1 for child in children if child.sent_ns),
        maker_qty=sum((child.maker_qty for child in children), ZERO),
        spread_captured=sum((child.spread_captured for child in children), ZERO),
        leaves_is_dust=_leaves_is_dust(state, parent, end_px),
        fill_costs=_fill_costs(state, children),
        mark_outs=mark_outs(
            [(each.marks.at_ns or each.created_ns, each.marks) for each in children if each.marks is not None]
        ),
        reversion_bps=reversion_bps(each.marks for each in children if each.marks is not None),
        marks_pending=parent.marks_pending,
        advice=_advice_value(state, parent),
        forecast=parent.forecast,
    )


def running_shortfall_bps(parent: ParentState, mid_px: Decimal) -> Bps | None:
    """Cost of a parent so far against its arrival price: fills at their prices, the rest at the mid; without fees.

    b (N + (S - s) M - S P0) / (S P0) x 10,000 with S the ordered and s the filled quantity (base units), N the
    filled notional (quote), M the mid and P0 the arrival price (quote per base), b = +1 for a buy, -1 for a sell.
    It is Perold's shortfall (J. Portfolio Management 14(3), 1988) with "now" as the end. Inverse contracts pay in
    coin, each worth 1/p of it at the price p: with C the sum of the fills' quantities over their prices it is
    b (S/P0 - C - (S - s)/M) / (S/P0) x 10,000 (`impact.shortfall.cost_parts` says why).

    Parameters
    ----------
    mid_px
        Mid now, quote per base.

    Returns
    -------
    Bps or None
        Positive is a cost; None before the parent has an arrival price.
    """
    if parent.arrival_px is None or parent.arrival_px <= ZERO:
        return None
    leaves_qty = parent.order.order_qty - parent.cum_qty
    if parent.order.category is Category.INVERSE:
        paper = parent.order.order_qty / parent.arrival_px
        coin_qty = parent.cum_coin_qty + leaves_qty / mid_px
        return Bps(parent.order.side.sign * (paper - coin_qty) * BPS_PER_UNIT / paper)
    paper = parent.order.order_qty * parent.arrival_px
    spent = parent.cum_notional + leaves_qty * mid_px
    return Bps(parent.order.side.sign * (spent - paper) * BPS_PER_UNIT / paper)


def schedule_progress(parent: ParentState, now_ns: int) -> Progress:
    """Compare what is filled with an even execution of the plan at an instant (UTC nanoseconds)."""
    done = parent.cum_qty / parent.order.order_qty
    if parent.schedule is None:
        return Progress(done_ratio=done, scheduled_ratio=None, deviation_ratio=None)
    scheduled = parent.schedule.pro_rata_qty(now_ns) / parent.order.order_qty
    return Progress(done_ratio=done, scheduled_ratio=scheduled, deviation_ratio=done - scheduled)


def mid_twap_px(parent: ParentState, end_ns: int) -> Decimal | None:
    """Time-weighted mean of the mids from a parent's start to an instant; None before there was one."""
    sums = parent.benchmarks
    integral, time_ns = sums.mid_integral, sums.mid_time_ns
    if sums.last_mid_px is not None and end_ns > sums.last_mid_ns:
        integral += sums.last_mid_px * (end_ns - sums.last_mid_ns)
        time_ns += end_ns - sums.last_mid_ns
    return integral / time_ns if time_ns else None


def _fill_costs(state: EngineState, children: list[ChildState]) -> FillCosts | None:
    """What the fills of all children cost by source; None where fills are not marked, and were not before."""
    found = [each.costs for each in children if each.costs is not None]
    if not found and not state.marks_fills:
        return None
    sums = FillCosts()
    for each in found:
        sums.add(each)
    return sums


def _advice_value(state: EngineState, parent: ParentState) -> AdviceValue | None:
    """What following advice was worth, of the order's value at arrival; None if nobody is asked about it."""
    px = parent.arrival_px or parent.decision_px
    if parent.advice is None or px is None:
        return None
    score = parent.advice.worth.score
    cost_bps, _ = usual_cost(state.worths.get(parent.market_key, Worth()).usual, score)
    if cost_bps is None:
        return AdviceValue(value_bps=None, standard_error_bps=None, periods=score.count)
    value = notional(parent.order.category, parent.order.order_qty, px)
    return AdviceValue(
        value_bps=score.value_bps(cost_bps, value),
        standard_error_bps=score.standard_error_bps(cost_bps, value),
        periods=score.count,
    )


def _leaves_is_dust(state: EngineState, parent: ParentState, px: Decimal | None) -> bool:
    market = state.markets.get(market_key(parent.order.category, parent.order.symbol))
    if market is None or market.instrument is None or px is None or not parent.leaves_qty:
        return False
    return market.instrument.is_dust(parent.leaves_qty, px)


def _children_by_status(children: list[ChildState]) -> tuple[tuple[ChildStatus, int], ...]:
    counts = Counter(child.status for child in children)
    return tuple((status, counts[status]) for status in ChildStatus if counts[status])


def _filled_by_status(children: list[ChildState]) -> tuple[tuple[ChildStatus, Decimal], ...]:
    sums = {
        status: sum((child.cum_qty for child in children if child.status is status), ZERO)
        for status in ChildStatus
    }
    return tuple((status, qty) for status, qty in sums.items() if qty)
