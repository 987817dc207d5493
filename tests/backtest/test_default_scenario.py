"""The default scenario shows the facts of real markets: a little of it always, all ten gates in the long form."""

import os

import pytest

from backtest.market.build import build
from backtest.market.compiled import not_compiled
from backtest.market.expected import figures_of, run_seeds
from backtest.market.scenarios import load
from simulation.phenomena.stylised_facts import GATES, Figure, Target

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"


def test_it_is_long_enough_for_the_gates_and_asks_for_all_of_them():
    scenario = load("default")
    # The first quote after the warm-up opens the first step, and the last trade closes the last.
    assert scenario.run.steps - scenario.run.warm_up_s >= 20_010
    assert scenario.run.seeds >= 20
    assert scenario.facts.gates == tuple(range(1, 11))
    assert not_compiled(scenario) == []


def test_a_short_run_of_it_looks_like_a_market():
    study = build(load("default").sized(None, 1_400), 7).run()
    figures = study.figures
    assert study.conserved
    assert not study.summary.faults
    assert -0.25 < figures[Figure.ACF_1] < 0.15
    assert figures[Figure.KURTOSIS] > 1.5
    assert figures[Figure.ABS_ACF_1] > 0.05
    assert figures[Figure.VOLUME] > 0.2
    assert figures[Figure.SIGN_ACF_1] > 0.1
    assert figures[Figure.FANO] > 3.0
    assert 0.3 < figures[Figure.OFI] < 0.8
    assert len(study.orders) > 15
    # On average large orders moved the price with them.
    assert sum(one.peak for one in study.orders) > 0.0


@pytest.mark.skipif(not FULL, reason="minutes; EXECUTOR_CAMPAIGN=full")
@pytest.mark.parametrize("first", [1, 101, 201])
def test_it_passes_every_gate(first):
    scenario = load("default")
    results = run_seeds(scenario, range(first, first + 20), 2, lambda *_: None, compiled=True)
    assert all(one.steps >= 20_000 for one in results)
    terms = scenario.facts.target
    target = Target(spread_bps=terms.spread_bps, one_tick_share=terms.one_tick_share)
    figures, impact = figures_of(results, target)
    assert [gate.number for gate in GATES if not gate.passed(figures)] == []
    assert impact is not None
