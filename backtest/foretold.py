"""What `executor plan` would have said of an order of a recording, at the instant before it is given.

It is made from the engine's own state, which holds nothing but what was heard by then; so it can be held against what
the order came to.
"""

from dataclasses import dataclass

from executor.domain.events import ParentSubmitted
from executor.engine.plan_preview import preview
from executor.engine.state import EngineState, MarketState, market_key
from executor.engine.submitted import order_of
from strategies.priced import ExpectedCost, PlanTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What was expected of one order.

    Parameters
    ----------
    cost
        None where nothing could be told; `unknown` says why.
    done_share
        Share of the order that was expected to be done, 0-1.
    spread_bps
        Best ask less best bid of that instant, basis points of the mid.
    """

    cost: ExpectedCost | None
    done_share: float = 0.0
    spread_bps: float = 0.0
    unknown: str = ""


def foretold(state: EngineState, event: ParentSubmitted, terms: PlanTerms, now_ns: int) -> Foretold:
    """Tell what an order would cost if it were given now; nothing is changed."""
    market = state.markets.get(market_key(event.category, event.symbol)) or MarketState()
    try:
        told = preview(state, market, order_of(event, now_ns), terms)
    except ValueError as error:
        return Foretold(cost=None, unknown=str(error))
    return Foretold(
        cost=told.cost,
        done_share=float(told.path.expected_qty / event.order_qty),
        spread_bps=float(told.market.spread_bps),
        unknown="" if told.cost else "nothing is expected to be done",
    )
