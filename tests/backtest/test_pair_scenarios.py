"""Two assets in one scenario: values that go together, and a gap that closes sooner where somebody trades it."""

import math
import os

import pytest

from backtest.market.build import build
from backtest.market.expected import kept, run_seeds, verdicts
from backtest.market.keeping import Keeping
from backtest.market.ledger_store import audit
from backtest.market.scenarios import load, parse
from backtest.market.study import Measure
from config.problems import ConfigProblems
from simulation.book.native import NativeBook
from simulation.draws import Draws, spawn
from simulation.market.values import CorrelatedValue, MeanRevertingValue
from tests.backtest.test_market_network_wire import NOISE, SCENARIO

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
S = 1_000_000_000
pytestmark = pytest.mark.timeout(600)  # the first of all tests compiles


@pytest.fixture(scope="module")
def studies():
    """One seed with everybody, and without those who trade the gap."""
    scenario = load("pairs")
    markets = [build(one, 2, book=NativeBook) for one in (scenario, scenario.varied(scenario.variant[0]))]
    return markets, [market.run() for market in markets]


def test_the_gap_is_smaller_and_closes_sooner_where_it_is_traded(studies):
    """One seed, of which there is no doubt; the long form holds all twenty against what the scenario expects."""
    _, (traded, left) = studies
    assert traded.measures[Measure.PAIR_GAP_BPS] < 0.8 * left.measures[Measure.PAIR_GAP_BPS]
    assert traded.measures[Measure.PAIR_HALF_LIFE_S] < 0.5 * left.measures[Measure.PAIR_HALF_LIFE_S]


@pytest.mark.skipif(not FULL, reason="minutes; EXECUTOR_CAMPAIGN=full")
@pytest.mark.timeout(3_600)
def test_the_scenario_shows_what_it_says_over_twenty_seeds():
    scenario = load("pairs")
    for one in (scenario, scenario.varied(scenario.variant[0])):
        results = run_seeds(one, range(1, scenario.run.seeds + 1), 1, lambda *_: None)
        assert all(found.holds for found in verdicts(one.expect, results))


def test_both_assets_are_conserved_and_counted_in_what_was_gained(studies):
    """Gains beside holding add up to nothing: there are no fees, and what one earns another loses."""
    (market, _), (study, _) = studies
    house = market.engine.exchange.house
    assert study.conserved
    assert house.breaches() == []
    assert market.tape.assets[1].trade_px
    begun = {one.number: market.accounts.equities[0][one.number] for one in study.agents}
    assert len(begun) == 28
    assert math.isclose(
        sum(one.gain_bps * begun[one.number] for one in study.agents), 0.0, abs_tol=1e-3 * 10_000
    )
    assert len({one.gain_bps for one in study.agents if one.kind == "statistical-arbitrage"}) > 1


def test_a_kept_run_adds_up_in_both_assets(tmp_path):
    scenario = load("pairs").sized(None, 200)
    with Keeping(tmp_path / "run", scenario) as kept_run:
        market = build(scenario, 3, events=kept_run.events, ledger=kept_run.ledger, book=NativeBook)
        study = market.run()
        kept_run.finish(market, study)
    assert audit(tmp_path / "run" / "ledger.sqlite").problems == ()
    found = verdicts([one for one in scenario.expect if one.statistic != "median"], [kept(study)])
    assert [one.holds for one in found] == [True, True]


def test_a_second_value_goes_with_the_first():
    def paths(volatility_ticks):
        one = MeanRevertingValue(px=10_000.0, step_ns=S, reversion_per_s=0.0, volatility_ticks=5.0)
        own = MeanRevertingValue(px=400.0, step_ns=S, reversion_per_s=0.1, volatility_ticks=volatility_ticks)
        other = CorrelatedValue(own=own, of=one, of_px=10_000.0, beta_ratio=2.0)
        one.start(Draws(spawn(1, "value", 0)))
        other.start(Draws(spawn(1, "value", 1)))
        return one, other

    one, other = paths(0.0)
    for at_ns in range(0, 100 * S, 7 * S):
        assert other.at(at_ns) == pytest.approx(400.0 * (1.0 + 2.0 * (one.at(at_ns) / 10_000.0 - 1.0)))
    assert other.news(0, 100 * S) == []
    one, other = paths(3.0)
    gaps = [other.at(at_ns) - 800.0 * one.at(at_ns) / 10_000.0 + 400.0 for at_ns in range(0, 2_000 * S, S)]
    assert max(map(abs, gaps)) < 60.0
    assert len(set(gaps)) > 1_000
    with pytest.raises(ValueError, match="one tick"):
        CorrelatedValue(own=other.own, of=one, of_px=0.0)


def test_who_holds_a_second_asset_needs_one():
    for over in ({"second_qty": 5}, {"listens": [{"source": "value", "asset": 1}]}):
        with pytest.raises(ConfigProblems) as caught:
            parse({**SCENARIO, "agents": [{**NOISE, **over}]}, "test")
        assert "second asset" in caught.value.problems[0].got
    scenario = parse({**SCENARIO, "second": {"px": 50.0}, "agents": [{**NOISE, "second_qty": 5}]}, "test")
    assert scenario.assets == 2
    exchange = build(scenario, 1).engine.exchange
    assert exchange.first_pxs == [1_000, 50]
    assert exchange.house.shares[1][:6] == [5] * 6
