"""Kyle's auction, in the ordinary market: nobody is told how much flow says of the value, and all come to agree on it.

Sigma0 = 200^2 ticks^2 and sigma_u = 1 000 lots, so that lambda = sqrt(Sigma0) / (2 sigma_u) = 0.1 ticks a lot and the
insider earns 100 000 ticks times lots a round. The gates are 5 % of lambda and 50 +- 3 %; negative control: agents
that have not learned yet.
"""

import os
from math import sqrt

import pytest

from backtest.market.kyle_auction import Auctions, hold_auctions
from simulation.agents.kyle import KyleParams

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"


def within_gates(auctions: Auctions) -> bool:
    ratios, shares = (auctions.lambda_ratio, auctions.value_ratio), (auctions.explained, auctions.in_price)
    return all(abs(one - 1.0) < 0.05 for one in ratios) and all(abs(one - 0.5) < 0.03 for one in shares)


@pytest.mark.parametrize("seed", range(20) if FULL else (1,))
def test_price_change_on_flow_has_the_slope_of_the_equilibrium(seed: int) -> None:
    auctions = hold_auctions(seed, 20_000 if FULL else 4_000)
    assert auctions.rounds == (20_000 if FULL else 4_000)
    assert auctions.summary.refused == 0
    assert auctions.summary.faults == ()
    assert within_gates(auctions)


def test_before_they_have_learned_the_gates_are_missed() -> None:
    stubborn = KyleParams(guess_ticks=0.3, guess_count=10**6)
    assert not within_gates(hold_auctions(1, 1_000, params=stubborn))


def test_the_dealer_earns_nothing_and_the_insider_what_the_crowd_loses() -> None:
    """Profit of a round from the trades themselves, at the value of that round; within four standard errors."""
    dealer, insider, crowd = (_mean_and_error(one) for one in hold_auctions(2, 1_500).profits)
    # A spread of one tick is what the dealer does take, on what is traded with it.
    tick = 1_000
    assert abs(dealer[0]) < 4 * dealer[1] + tick
    assert abs(insider[0] - 100_000) < 4 * insider[1] + tick
    assert abs(crowd[0] + 100_000) < 4 * crowd[1] + tick


def _mean_and_error(gains: list[float]) -> tuple[float, float]:
    mean = sum(gains) / len(gains)
    return mean, sqrt(sum((gain - mean) ** 2 for gain in gains)) / len(gains)
