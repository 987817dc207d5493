"""What an order would have moved the price of a recording that does not react: reckoned from its fills, afterwards.

Volatility and volume are those that the order's engine has measured when the order comes, with everything it saw in the
warm-up. Where it has measured nothing yet, or nothing moved or traded, the charge is unknown, and the reason is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.engine.markets import expected_volume_qty, volatility_pct
from executor.engine.state import EngineState, MarketState, market_key
from impact.pre_trade import ImpactEstimate, estimate_paid
from impact.protocol import Execution, ImpactModel, Pace

_S_PER_HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnImpact:
    """What a model of impact charges one order.

    Parameters
    ----------
    estimate
        Basis points of the value at arrival; None where it cannot be known, and `unknown` says why.
    """

    estimate: ImpactEstimate | None
    unknown: str = ""


def pace_at(state: EngineState, rules: Instrument) -> Pace | str:
    """How volatile and busy the market is by all that the engine has seen; in words why nobody knows, else."""
    market = state.markets.get(market_key(rules.category, rules.symbol)) or MarketState()
    volatility, volume = volatility_pct(state, market), expected_volume_qty(state, market, _S_PER_HOUR)
    if volatility is None or volume is None:
        return f"the market was watched for less than {state.timings.volatility_warmup_s} s before the order"
    if not volatility:
        return "the price did not move before the order"
    if not volume:
        return "nobody traded before the order"
    return Pace(float(volatility), float(volume))


def own_impact(model: ImpactModel, fills: Sequence[Fill], pace: Pace | str, order_qty: Decimal) -> OwnImpact:
    """Charge an order for its fills, which are in order of time."""
    if isinstance(pace, str):
        return OwnImpact(estimate=None, unknown=pace)
    executions = [Execution(fill.ts_exchange_ns, fill.side.sign * float(fill.last_qty)) for fill in fills]
    return OwnImpact(estimate=estimate_paid(model, executions, pace, float(order_qty)))
