"""Kyle's auction in the simulated market, many times over, and what regression says of it.

In equilibrium (A. Kyle, Econometrica 53, 1985) a lot of flow moves the price by lambda = sqrt(Sigma0) / (2 sigma_u),
the insider earns sqrt(Sigma0) sigma_u / 2 a round, and half of the variance of the value is in the price. The agents
are given neither (`simulation.agents.kyle`): they learn.
"""

from dataclasses import dataclass

from simulation.agents.kyle import KyleCrowd, KyleDealer, KyleInsider, KyleParams, KyleTrader
from simulation.clearing.ledger import MemoryLedger, Trade
from simulation.market.engine import Asset, RunSummary, SimulationEngine
from simulation.market.information import Listens, Source
from simulation.market.values import RedrawnValue

_CASH: int = 10**13
_LOTS: int = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Auctions:
    """What came of it, after the agents had learned.

    Parameters
    ----------
    rounds
        How many were measured.
    lambda_ratio
        Slope of price change on signed flow, by that of theory.
    value_ratio
        Slope of the value's surprise on signed flow, by that of theory.
    explained
        Share of the variance of the value that the flow explains (R^2), 0-1.
    in_price
        Variance of the price by that of the value.
    profits
        Of dealer, insider and crowd, ticks times lots, by round.
    summary
        Of the whole run.
    """

    rounds: int
    lambda_ratio: float
    value_ratio: float
    explained: float
    in_price: float
    profits: tuple[list[float], list[float], list[float]]
    summary: RunSummary


def hold_auctions(
    seed: int,
    rounds: int,
    *,
    learning_rounds: int = 500,
    deviation_ticks: float = 200.0,
    params: KyleParams | None = None,
) -> Auctions:
    """Run and measure.

    Parameters
    ----------
    seed
        Of the run.
    rounds
        Measured rounds.
    learning_rounds
        Rounds before those.
    deviation_ticks
        sqrt(Sigma0), standard deviation of the value, ticks.
    params
        Of the agents.
    """
    params = params or KyleParams()
    round_ns, ledger = params.round_ns, MemoryLedger()
    path = RedrawnValue(float(params.mean_px), deviation_ticks, round_ns)
    engine = SimulationEngine(seed, [Asset(params.mean_px, path)], scale=1, ledger=ledger)
    dealer = KyleDealer(params)
    known = Listens(source=Source.VALUE, every_ns=round_ns)
    known_later = Listens(source=Source.VALUE, every_ns=round_ns, delay_ns=round_ns // 2)
    flow = Listens(source=Source.FLOW)
    lots = [0] * params.asset + [_LOTS]
    engine.add_agent(dealer, cash=_CASH, positions_qty=lots, listens=[flow, known_later])
    engine.add_agent(KyleTrader(params, KyleInsider(params)), cash=_CASH, positions_qty=lots, listens=[known])
    engine.add_agent(KyleTrader(params, KyleCrowd(params)), cash=_CASH, positions_qty=lots)
    # The first round has no value behind it, and nobody trades.
    summary = engine.run(until_ns=(1 + learning_rounds + rounds) * round_ns)
    measured = dealer.rounds[learning_rounds:]
    flows = [float(flow_qty) for flow_qty, _, _ in measured]
    moves, surprises = [move for _, move, _ in measured], [surprise for *_, surprise in measured]
    theory = deviation_ticks / (2 * params.crowd_qty)
    of_moves, _ = _regression(flows, moves)
    of_values, explained = _regression(flows, surprises)
    return Auctions(
        rounds=len(measured),
        lambda_ratio=of_moves / theory,
        value_ratio=of_values / theory,
        explained=explained,
        in_price=sum(move * move for move in moves) / sum(surprise * surprise for surprise in surprises),
        profits=_profits(ledger, dealer, params, learning_rounds),
        summary=summary,
    )


def _regression(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Least squares of y on x: slope, and share of the variance explained."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    xx = sum((x - mean_x) ** 2 for x in xs)
    yy = sum((y - mean_y) ** 2 for y in ys)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return xy / xx, xy * xy / (xx * yy)


def _profits(
    ledger: MemoryLedger, dealer: KyleDealer, params: KyleParams, learning_rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Count every trade at the value that its round proved to have."""
    profits = ([0.0] * len(dealer.rounds), [0.0] * len(dealer.rounds), [0.0] * len(dealer.rounds))
    for trade in map(Trade._make, ledger.trades):
        number = trade.at_ns // params.round_ns - 1
        if number < len(dealer.rounds):
            gain = (params.mean_px + dealer.rounds[number][2] - trade.px) * trade.qty
            profits[trade.buyer][number] += gain
            profits[trade.seller][number] -= gain
    dealers, insiders, crowds = (one[learning_rounds:] for one in profits)
    return dealers, insiders, crowds
