"""Language-model traders in a scenario: who answers for them changes nothing else, and rules are read like models."""

import json

import pytest

from backtest.market.build import build
from backtest.market.model_agents import ModelDesk, ScriptedVoice, TapeVoice
from backtest.market.scenarios import load, parse
from backtest.market.written_rules import ModelTraderParams, WrittenRules, answer
from config.problems import ConfigProblems
from executor.advice.calls import Answer
from executor.adviser.tape import TapeWriter, read_tape
from executor.domain.advice import Usage
from simulation.agents.language_model import MarketQuestion
from simulation.agents.strategy_words import STRATEGY_WORDS
from simulation.agents.submit_order import Decision, read_decision
from tests.backtest.test_model_agents import MODEL, TERMS

S = 1_000_000_000


def facts(strategy, **over):
    """A question like those of a market at 99.90 to 100.10."""
    told = dict(
        value="100.00", bid="99.90", ask="100.10", last="100.00", past=("100.00",) * 5, shares=500, began=500, turn=1
    )  # fmt: skip
    told |= over
    return json.dumps(
        {
            "strategy": strategy,
            "turn": told["turn"],
            "account": {
                "affordable_quantity": 1_000,
                "shares": told["shares"],
                "shares_at_first": told["began"],
            },
            "market": {
                "last_price": told["last"],
                "best_bid": told["bid"],
                "best_ask": told["ask"],
                "past_prices": list(told["past"]),
            },
            "fundamentals": None if told["value"] is None else {"fundamental_value": told["value"]},
            "limits": {"quantity_max": 250, "tick": "0.01"},
        }
    )


def decided(strategy, **over):
    found = read_decision(answer(facts(strategy, **over)), qty_max=250, price_digits=2)
    assert isinstance(found, Decision), "it is read as strictly as a model"
    return found.side, found.qty, found.px


@pytest.mark.parametrize(
    ("strategy", "over", "wanted"),
    [
        ("value", {}, (0, 0, 0)),
        ("value", {"value": "111.30"}, (1, 250, 10_010)),
        ("value", {"value": "90.00", "shares": 100}, (-1, 30, 9_990)),
        ("value", {"value": "140.00"}, (1, 250, 0)),
        ("value", {"value": None}, (0, 0, 0)),
        ("value", {"value": "140.00", "ask": None}, (0, 0, 0)),
        ("value", {"value": "50.00", "shares": 0}, (0, 0, 0)),
        ("default", {"value": "103.00"}, (1, 200, 10_010)),
        ("optimist", {}, (1, 250, 0)),
        ("optimist", {"value": "70.00"}, (-1, 150, 0)),
        ("pessimist", {}, (-1, 150, 0)),
        ("momentum", {"last": "100.60"}, (1, 250, 0)),
        ("momentum", {"last": "99.40"}, (-1, 125, 0)),
        ("momentum", {"last": "100.50"}, (0, 0, 0)),
        ("momentum", {"last": "120.00", "past": ("100.00",) * 2}, (0, 0, 0)),
        ("contrarian", {"last": "101.10"}, (-1, 100, 0)),
        ("speculator", {"last": "100.30"}, (1, 250, 0)),
        ("market_maker", {}, (1, 100, 9_800)),
        ("market_maker", {"turn": 2}, (-1, 50, 10_200)),
        ("market_maker", {"turn": 2, "shares": 1_000}, (-1, 100, 10_100)),
        ("market_maker", {"bid": None}, (1, 100, 9_800)),
    ],
)
def test_a_rule_decides_as_its_words_say(strategy, over, wanted):
    assert decided(strategy, **over) == wanted


@pytest.mark.parametrize("strategy", sorted(STRATEGY_WORDS))
def test_there_is_a_rule_for_every_strategy(strategy):
    decided(strategy)


def test_rules_answer_once_and_always_after_the_same_time():
    rules = WrittenRules(7 * S)
    question = MarketQuestion(
        decision_id="3-1",
        participant=3,
        asked_ns=0,
        strategy="value",
        facts=facts("value"),
        within_ns=60 * S,
    )
    rules.ask(question)
    heard = rules.heard("3-1")
    assert (heard.latency_ns, heard.failure) == (7 * S, "")
    with pytest.raises(KeyError):
        rules.heard("3-1")


SMALL = {
    "name": "small", "title": "Small", "expects": "Little.", "run": {"steps": 90},
    "value": {"px": 10_000.0, "shocks": ({"at_s": 20.0, "change_ticks": -3_000.0},)},
    "agents": [
        {
            "name": "makers", "kind": "market-maker", "count": 2, "cash": 20_000_000, "position_qty": 2_000,
            "params": {"base_spread_bps": 20.0},
        },
        {"name": "noise", "kind": "noise", "count": 4, "cash": 10_000_000, "position_qty": 1_000},
        {
            "name": "models", "kind": "language-model", "count": 3, "cash": 20_000_000, "position_qty": 1_000,
            "order_ms": 20.0, "listens": [{"source": "value", "every_s": 5.0}],
            "params": {"strategy": "value", "turn_s": 10.0, "answer_s": 3.0, "order_max_qty": 50},
        },
    ],
}  # fmt: skip


def hurried(question):
    """The rules as a model that is asked, as quick as the scenario says."""
    return Answer(
        content=answer(question.messages[-1].content),
        model_id=MODEL,
        finish_reason="stop",
        refusal="",
        usage=Usage(prompt_tokens=700, cached_tokens=500, completion_tokens=60, reported=True),
        latency_ns=3 * S,
        request_id="",
    )


def test_rules_a_model_and_its_recording_make_the_same_market(tmp_path):
    scenario, path = parse(SMALL, "small.toml"), tmp_path / "calls.jsonl"
    by_rules = build(scenario, 4)
    studied = by_rules.run()
    with TapeWriter(path) as tape:
        asked = build(scenario, 4, mind=ModelDesk(ScriptedVoice(hurried), TERMS, tape))
        assert asked.run().summary == studied.summary
    voice = TapeVoice(read_tape(path), MODEL)
    played = build(scenario, 4, mind=ModelDesk(voice, TERMS))
    assert played.run().summary == studied.summary
    assert (voice.misses, voice.left()) == (0, 0)
    models = [
        agent for agent, kind in zip(by_rules.agents, by_rules.kinds, strict=True) if kind == "language-model"
    ]
    assert len(models) == 3
    assert all((agent.counts.asked, agent.counts.orders, agent.counts.holds) == (9, 7, 2) for agent in models)
    assert studied.conserved
    assert build(scenario, 5).run().summary.event_hash != studied.summary.event_hash


def test_the_mixed_scenario_seats_ten_models_beside_rules():
    scenario = load("mixed")
    models = [group for group in scenario.agents if group.kind == "language-model"]
    assert sum(group.count for group in models) == 10
    assert {group.parameters().strategy for group in models} >= {
        "value",
        "momentum",
        "market_maker",
        "optimist",
    }
    market = build(scenario, 1)
    market.engine.run(steps=40)
    late = market.agents[market.engine.names.index("model-late")]
    assert (late.counts.late, late.counts.orders) == (4, 0)
    assert market.engine.summary().faults == ()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"strategy": "hopeful"}, "hopeful"),
        ({"knows": "process"}, "'value' or 'none'"),
        ({"answer_ns": -1}, "before its question"),
        ({"turn_s": 0.0}, "longer than asking"),
    ],
)
def test_a_model_trader_that_makes_no_sense_is_refused(params, words):
    group = {"name": "models", "kind": "language-model", "cash": 1, "params": params}
    with pytest.raises(ConfigProblems) as caught:
        parse({**SMALL, "agents": [group]}, "small.toml")
    assert words in str(caught.value.problems)
    assert ModelTraderParams().of_agent().turn_ns == 60 * S
