"""How much fits into one strategy order: what the planner cuts its wish to. The gate does not rely on it."""

from decimal import Decimal

from executor.domain.algo import AlgoKind, NewAlgo, pieces
from executor.domain.limits import Limits
from executor.domain.units import ONE, ZERO, Quantity
from risk.gate import order_cap, room_cap
from risk.view import GateView

_NOISE_SPARE = Decimal("1.2")


def algo_cap(algo: NewAlgo, view: GateView, limits: Limits) -> Quantity:
    """Largest quantity on the step that the size limits would let pass on these terms; zero when unknown."""
    rules, terms, px = view.instrument, algo.terms, algo.order.px
    if rules is None or px <= ZERO:
        return Quantity(ZERO)
    caps: list[Decimal] = [room_cap(view, limits, algo.order.side, px)]
    match terms.kind:
        case AlgoKind.POV:
            caps.append(rules.max_order_qty)
            if limits.child_notional_max is not None:
                caps.append(limits.child_notional_max / rules.notional(Quantity(ONE), px))
        case AlgoKind.TWAP:
            number = pieces(terms, algo.order.qty)
            single = order_cap(view, limits, px) / (_NOISE_SPARE if terms.noisy else ONE)
            # What does not divide, less than a step for each piece, may come on top of one of them.
            caps.append((rules.round_qty(single) - rules.qty_step * number) * number)
            caps.append(rules.round_qty(single))
            caps = [caps[0], max(caps[1:])]
        case AlgoKind.ICEBERG:
            pass
    return rules.round_qty(max(min(caps), ZERO))
