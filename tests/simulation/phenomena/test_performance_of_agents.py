from dataclasses import asdict
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.phenomena.agent_graph import Deal, agent_graph, by_kind
from simulation.phenomena.performance import YEAR_NS, AgentFill, performance, tail_loss

DAY_NS = YEAR_NS // 365


def test_growth_over_a_whole_year():
    found = performance(np.array([100.0, 110.0, 121.0]), YEAR_NS // 2)
    assert found.total_return == pytest.approx(0.21)
    assert found.cagr == pytest.approx(0.21)
    assert performance(np.array([100.0, 121.0]), 2 * YEAR_NS).cagr == pytest.approx(0.10)


def test_sharpe_and_sortino_written_out():
    returns = np.array([0.02, -0.01, 0.03, -0.02])
    equity = 100.0 * np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    found = performance(equity, DAY_NS)
    deviation = sqrt(sum((one - 0.005) ** 2 for one in returns) / 3)
    assert found.volatility == pytest.approx(deviation * sqrt(365))
    assert found.sharpe == pytest.approx(0.005 / deviation * sqrt(365))
    assert found.sortino == pytest.approx(0.005 / sqrt((0.01**2 + 0.02**2) / 4) * sqrt(365))
    with_riskless = performance(equity, DAY_NS, riskless_yearly=0.05)
    riskless = 1.05 ** (1 / 365) - 1
    assert with_riskless.sharpe == pytest.approx((0.005 - riskless) / deviation * sqrt(365))


def test_figures_without_a_meaning_are_none():
    still = performance(np.array([100.0, 100.0, 100.0]), DAY_NS)
    assert (still.sharpe, still.sortino, still.drawdown) == (None, None, 0.0)
    assert (still.hit_rate, still.average_win, still.average_loss) == (None, None, None)
    ruined = performance(np.array([100.0, 50.0, -10.0]), DAY_NS)
    assert (ruined.cagr, ruined.volatility, ruined.sharpe, ruined.value_at_risk) == (None, None, None, None)
    assert ruined.drawdown == pytest.approx(1.1)
    assert performance(np.array([100.0, 200.0]), 1_000_000_000).cagr is None
    with pytest.raises(ValueError, match="begins above zero"):
        performance(np.array([0.0, 1.0]), DAY_NS)
    with pytest.raises(ValueError, match="begins above zero"):
        performance(np.array([1.0, np.nan]), DAY_NS)


def test_drawdown_is_from_the_highest_before():
    found = performance(np.array([100.0, 120.0, 90.0, 130.0, 117.0]), DAY_NS)
    assert found.drawdown == pytest.approx(0.25)


def test_tail_losses_of_a_hundred_steps():
    returns = -np.arange(1.0, 101.0) / 1000.0
    assert tail_loss(returns, 0.95) == (pytest.approx(0.096), pytest.approx(0.098))
    assert tail_loss(returns[:10], 0.95) == (pytest.approx(0.010), pytest.approx(0.010))
    assert tail_loss(np.full(20, 0.01), 0.95) == (pytest.approx(-0.01), pytest.approx(-0.01))


def fills(*rows):
    return [AgentFill(number, *row) for number, row in enumerate(rows)]


EQUITY = np.array([1_000.0, 1_001.0])


def test_hits_are_told_against_the_average_cost_and_after_fees():
    # 10 at 100 and 10 at 110 cost 105: 5 at 115 earn 50 less the fee of 1, 5 at 100 lose 25.
    found = performance(EQUITY, DAY_NS, fills((10, 100), (10, 110), (-5, 115, 1.0), (-5, 100)))
    assert found.hit_rate == 0.5
    assert (found.average_win, found.average_loss) == (49.0, 25.0)
    assert (found.inventory_max, found.inventory_last, found.fills, found.fees) == (20, 10, 4, 1.0)
    assert found.inventory_mean == pytest.approx((0 + 10 + 20 + 15 + 10) / 5)


def test_a_fill_that_turns_the_position_round_closes_one_and_opens_the_other():
    found = performance(EQUITY, DAY_NS, fills((10, 100), (-30, 104, 3.0), (20, 103)))
    # 10 earn 4 each less a third of the fee; the 20 sold at 104 are bought back at 103.
    assert found.hit_rate == 1.0
    assert found.average_win == pytest.approx((39.0 + 20.0) / 2)
    assert found.inventory_last == 0


def test_a_holding_from_before_needs_its_cost():
    with pytest.raises(ValueError, match="cost must be known"):
        performance(EQUITY, DAY_NS, fills((-5, 100)), position=10)
    found = performance(EQUITY, DAY_NS, fills((-5, 100)), position=10, position_px=90.0)
    assert found.average_win == 50.0
    with pytest.raises(ValueError, match="no execution"):
        performance(EQUITY, DAY_NS, fills((0, 100)))


@given(
    st.lists(st.tuples(st.sampled_from((-3, -2, -1, 1, 2, 3)), st.floats(50, 150)), min_size=1, max_size=30)
)
def test_closed_gains_and_what_is_open_are_all_that_was_made(rows):
    # Bring the position home at a last price: gains less losses are then the cash that is left.
    position = sum(qty for qty, _ in rows)
    rows = [*rows, (-position, 100.0)] if position else rows
    cash = -sum(qty * px for qty, px in rows)
    found = performance(EQUITY, DAY_NS, fills(*rows))
    mirrored = performance(EQUITY, DAY_NS, fills(*[(-qty, px) for qty, px in rows]))
    closed = sum_of(found, rows)
    assert closed == pytest.approx(cash, abs=1e-6)
    assert found.inventory_last == 0
    assert sum_of(mirrored, [(-qty, px) for qty, px in rows]) == pytest.approx(-cash, abs=1e-6)


def sum_of(found, rows):
    """All gains less all losses, by the rates and means that are told."""
    held, closes = 0, 0
    for qty, _ in rows:
        closes += held * qty < 0
        held += qty
    wins = round((found.hit_rate or 0.0) * closes)
    return wins * (found.average_win or 0.0) - (closes - wins) * (found.average_loss or 0.0)


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=50))
def test_scale_of_the_money_changes_no_ratio(factors):
    equity = np.cumprod(np.array(factors))
    one, other = performance(equity, DAY_NS), performance(equity * 1024.0, DAY_NS)
    assert asdict(one) == asdict(other)
    assert 0.0 <= one.drawdown < 1.0
    assert one.expected_shortfall >= one.value_at_risk
    assert log(1 + one.total_return) == pytest.approx(sum(map(log, factors[1:])), abs=1e-9)


def test_who_trades_with_whom():
    deals = [
        Deal(buyer=0, seller=1, taker=0, qty=2, px=10),
        Deal(buyer=1, seller=0, taker=0, qty=1, px=10),
        Deal(buyer=0, seller=1, taker=1, qty=1, px=10),
        Deal(buyer=2, seller=1, taker=2, qty=6, px=10),
    ]
    graph = agent_graph(deals, 3)
    assert [(edge.taker, edge.maker, edge.trades, edge.value) for edge in graph.edges] == [
        (2, 1, 1, 60),
        (0, 1, 2, 30),
        (1, 0, 1, 10),
    ]
    assert (graph.edges[1].bought_qty, graph.edges[1].sold_qty) == (2, 1)
    assert graph.density == pytest.approx(0.5)
    assert graph.reciprocity == pytest.approx(0.2)
    assert graph.maker_concentration == pytest.approx(0.81 + 0.01)
    assert graph.self_value == 0.0
    assert by_kind(graph, ["noise", "maker", "noise"]) == {("noise", "maker"): 90, ("maker", "noise"): 10}


def test_an_empty_market_has_an_empty_graph():
    graph = agent_graph([], 3)
    assert (graph.edges, graph.density, graph.reciprocity, graph.maker_concentration) == ((), 0.0, 0.0, 0.0)


def test_a_deal_of_strangers_is_refused():
    with pytest.raises(ValueError, match="no deal between 2"):
        agent_graph([Deal(buyer=0, seller=2, taker=0, qty=1, px=1)], 2)
    with pytest.raises(ValueError, match="no deal between 2"):
        agent_graph([Deal(buyer=0, seller=1, taker=3, qty=1, px=1)], 2)
    assert agent_graph([Deal(buyer=0, seller=0, taker=0, qty=1, px=1)], 2).self_value == 1.0
