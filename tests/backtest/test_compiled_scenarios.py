"""Scenarios in the compiled market: what the engine finds, to the last figure."""

import pytest

from backtest.market.build import build
from backtest.market.compiled import compiled_scenario, not_compiled
from backtest.market.expected import run_seeds
from backtest.market.scenarios import load, names, parse
from simulation.book.native import NativeBook
from simulation.market.values import ConstantValue
from tests.backtest.test_market_network_wire import NOISE, SCENARIO

STEPS = 240
pytestmark = pytest.mark.timeout(600)  # the first of all tests compiles


@pytest.mark.parametrize("name", ["bubble", "mixed", "multi-agent"])
def test_a_scenario_comes_to_the_same(name):
    """Compiled agents and called ones, who are told things, come and go, and take all back at once."""
    scenario = load(name).sized(None, STEPS)
    plain = build(scenario, 3, book=NativeBook)
    market = compiled_scenario(scenario, 3)
    one, other = plain.run(), market.run()
    assert other.summary == one.summary
    assert (other.measures, other.agents, other.graph) == (one.measures, one.agents, one.graph)
    assert market.accounts.equities == plain.accounts.equities
    assert one.conserved
    assert other.conserved
    assert one.summary.trades > 100
    assert market.called
    assert market.kinds == plain.kinds


def test_most_scenarios_can_be_compiled_and_the_others_say_why():
    refused = {name: not_compiled(load(name)) for name in names()}
    able = {name for name, problems in refused.items() if not problems}
    assert {"basic", "default", "execution", "price-discovery", "strategy-backtest"} <= able
    assert len(refused["kyle"]) == 3
    group = {**NOISE, "jitter_ms": 1.0, "margin": {"short": True}}
    wakes = {
        **NOISE,
        "name": "readers",
        "kind": "value",
        "params": {},
        "listens": [{"source": "news", "wakes": True}],
    }
    odd = parse({**SCENARIO, "agents": [group, wakes]}, "test")
    assert not_compiled(odd) == [
        "noise (noise): an account on margin, a latency that varies",
        "readers (value): to be woken by what is told",
    ]
    with pytest.raises(ValueError, match="an account on margin"):
        compiled_scenario(odd, 1)


def test_seeds_can_be_run_compiled():
    scenario = load("basic").sized(None, 100)
    told = []
    plain = run_seeds(scenario, [1, 2], 1, lambda *_: None)
    found = run_seeds(scenario, [1, 2], 1, lambda *counts: told.append(counts), compiled=True)
    assert [one.event_hash for one in found] == [one.event_hash for one in plain]
    assert [one.measures for one in found] == [one.measures for one in plain]
    assert told == [(1, 2), (2, 2)]


def test_a_run_that_is_looked_at_goes_on_as_if_it_had_not_been():
    scenario = load("basic").sized(None, 150)
    market = compiled_scenario(scenario, 5)
    seen = []
    market.engine.at(7 * 10**9, lambda at_ns: seen.append((at_ns, market.engine.now_ns)))
    market.run()
    assert seen == [(7 * 10**9, 7 * 10**9 - 1)]
    assert market.engine.summary() == build(scenario, 5).run().summary
    assert isinstance(market.engine.values[0], ConstantValue)
    with pytest.raises(ValueError, match="has passed"):
        market.engine.at(10**9, lambda _: None)
