"""What is asked of the terms of a strategy order, beside what is asked of every order.

Once it is taken the venue goes on by itself, so what cannot be bounded beforehand is refused, not hoped for.
"""

from decimal import Decimal

from executor.domain.algo import AlgoKind, NewAlgo, least_piece, pieces
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits
from executor.domain.units import ZERO, is_plain
from risk.refusals import RefusalCode as Code
from risk.view import GateView


def are_usable(algo: NewAlgo) -> bool:
    """Whether the terms say how many pieces there are, in numbers that can be compared."""
    terms = algo.terms
    if not all(is_plain(number) and number >= ZERO for number in (terms.display_qty, terms.rate_pct)):
        return False
    try:
        return pieces(terms, algo.order.qty) > 0
    except ValueError:
        return False


def term_codes(algo: NewAlgo, rules: Instrument, view: GateView, limits: Limits) -> list[Code]:
    """Collect what speaks against pieces, pace and share of a strategy order whose numbers are usable."""
    order, terms = algo.order, algo.terms
    number = pieces(terms, order.qty)
    least = least_piece(terms, order.qty, rules)
    found = (
        (not rules.is_on_step(order.qty), Code.QTY_OFF_STEP),
        (
            least < rules.min_order_qty or rules.notional(least, order.px) < rules.min_notional,
            Code.QTY_BELOW_MINIMUM,
        ),
        (0 < terms.interval_s < limits.order_gap_s_min, Code.ORDER_GAP),
        (view.orders_day + number > limits.orders_per_day_max, Code.ORDERS_PER_DAY),
        (view.parent_children + number > limits.children_per_parent_max, Code.REPEAT_PARENT),
        (_takes_too_much(terms.rate_pct, terms.kind, limits.participation_pct_max), Code.PARTICIPATION),
    )
    return [code for holds, code in found if holds]


def _takes_too_much(rate_pct: Decimal, kind: AlgoKind, rate_pct_max: Decimal) -> bool:
    return kind is AlgoKind.POV and not ZERO < rate_pct <= rate_pct_max
