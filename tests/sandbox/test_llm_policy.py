"""The policies: each rule where it begins, the order in which they are asked, and the form of every reply."""

import json
from collections import Counter
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.reply import Rejected, parse_reply
from sandbox.llm_server.no_information import guess
from sandbox.llm_server.policy import RULES, advise
from sandbox.llm_server.question import QuestionError, read_question
from tests.sandbox.llm_talk import ACTIONS, CALM, KEYS, facts, question


def advice(**changes):
    return advise(facts(**changes), "7")[0]


def stuck(filled="0", count=3):
    return [{"action": "PASSIVE", "filled_pct_since": filled}] * count


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"action": "PASSIVE", "order_type": "LIMIT", "limit_price": "64995"}),
        ({"parent": {"side": "Sell"}}, {"action": "PASSIVE", "limit_price": "65005"}),
        ({"progress": {"elapsed_pct": "89.9"}}, {"action": "PASSIVE"}),
        ({"progress": {"elapsed_pct": "90"}}, {"action": "AGGRESSIVE", "order_type": "MARKET"}),
        ({"progress": {"elapsed_pct": "99"}, "parent": {"leaves_qty": "0"}}, {"action": "PASSIVE"}),
        ({"progress": {"ahead_pct": "-1.9"}}, {"action": "PASSIVE"}),
        ({"progress": {"ahead_pct": "-2"}}, {"action": "ACCELERATE", "rate": "1.2"}),
        ({"progress": {"ahead_pct": "-2"}, "market": {"spread_bps": "3.1"}}, {"action": "PASSIVE"}),
        ({"progress": {"ahead_pct": "-5"}}, {"action": "AGGRESSIVE", "order_type": "MARKET"}),
        (
            {"progress": {"ahead_pct": "-20"}, "market": {"spread_bps": "9"}},
            {"action": "ACCELERATE", "rate": "2"},
        ),
        (
            {"context": {"funding_rate": "0.0001", "funding_in_s": "40"}},
            {"action": "WAIT", "wait_seconds": "45", "rate": None},
        ),
        (
            {"context": {"funding_rate": "0.0003", "funding_in_s": "200"}},
            {"action": "DECELERATE", "rate": "0.6"},
        ),
        (
            {"context": {"funding_rate": "-0.0003", "funding_in_s": "200"}},
            {"action": "ACCELERATE", "rate": "1.5"},
        ),
        (
            {"context": {"funding_rate": "-0.0003", "funding_in_s": "40"}, "parent": {"side": "SELL"}},
            {"action": "WAIT"},
        ),
        ({"context": {"funding_rate": "0.0003", "funding_in_s": "301"}}, {"action": "PASSIVE"}),
        ({"context": {"funding_rate": "0.00009", "funding_in_s": "9"}}, {"action": "PASSIVE"}),
        ({"market": {"volatility_hourly_pct": "1.49"}}, {"action": "PASSIVE"}),
        (
            {"market": {"volatility_hourly_pct": "2"}},
            {"action": "DECELERATE", "rate": "0.75", "impact_adjustment": "1.33"},
        ),
        ({"market": {"volatility_hourly_pct": "9"}}, {"rate": "0.5", "impact_adjustment": "2"}),
        (
            {"market": {"spread_bps": "6"}},
            {"action": "PASSIVE", "order_type": "LIMIT", "limit_price": "64995"},
        ),
        ({"context": {"imbalance": "-0.8"}}, {"action": "WAIT", "wait_seconds": "10"}),
        ({"context": {"imbalance": "-0.8"}, "band": {"wait_s_max": 4}}, {"wait_seconds": "4"}),
        ({"context": {"imbalance": "-0.8"}, "band": {"wait_s_max": 0}}, {"action": "PASSIVE"}),
        ({"context": {"imbalance": "-0.5"}}, {"action": "PASSIVE", "impact_adjustment": "0.9"}),
        ({"context": {"imbalance": "0.5"}}, {"action": "ACCELERATE", "rate": "1.25"}),
        ({"context": {"imbalance": "0.8"}, "parent": {"side": "Sell"}}, {"action": "WAIT"}),
        ({"impact": {"estimate_bps": "12.5"}}, {"action": "DECELERATE", "rate": "0.8", "quantity": "0.05"}),
        ({"recent_decisions": stuck()}, {"action": "SWITCH_STRATEGY", "strategy": "POV"}),
        ({"recent_decisions": stuck(count=2)}, {"action": "PASSIVE"}),
        ({"recent_decisions": stuck(filled="0.1")}, {"action": "PASSIVE"}),
        ({"recent_decisions": stuck(), "band": {"strategies": ["TWAP"]}}, {"action": "PASSIVE"}),
        ({"progress": {"ahead_pct": "5"}}, {"action": "DECELERATE", "rate": "0.75"}),
        ({"progress": {"ahead_pct": "4.9"}}, {"action": "PASSIVE"}),
    ],
)
def test_each_rule_where_it_begins(changes, expected):
    reply = advice(**changes)
    assert {key: reply[key] for key in expected} == expected


def test_the_first_rule_that_applies_decides():
    everything = {
        "progress": {"elapsed_pct": "95", "ahead_pct": "-6"},
        "market": {"volatility_hourly_pct": "3", "spread_bps": "2"},
        "context": {"imbalance": "-0.9", "funding_rate": "0.001", "funding_in_s": "30"},
    }
    names = []
    for elapsed, ahead, funding in (
        ("95", "-6", "30"),
        ("50", "-6", "30"),
        ("50", "0", "30"),
        ("50", "0", "900"),
    ):
        everything["progress"] = {"elapsed_pct": elapsed, "ahead_pct": ahead}
        everything["context"]["funding_in_s"] = funding
        names.append(advice(**everything)["reasoning"].split()[0])
    assert names == ["95", "The", "Funding", "Volatility"]
    assert len(RULES) == 10


def test_the_reasoning_quotes_the_numbers_it_saw():
    said = advice(progress={"ahead_pct": "-3.75"}, market={"spread_bps": "1.25"})
    assert "3.75 % behind schedule" in said["reasoning"]
    assert "1.25 bps" in said["reasoning"]
    assert said["reasoning"].endswith("Therefore ACCELERATE.")
    assert "2.22 %" in advice(market={"volatility_hourly_pct": "2.22"})["reasoning"]


def test_confidence_follows_from_how_clear_the_case_is():
    levels = [
        D(advice(market={"volatility_hourly_pct": value})["confidence"]) for value in ("1.5", "2.25", "9")
    ]
    assert levels == sorted(levels)
    assert levels[0] < D("0.6")
    assert levels[-1] > D("0.9")
    assert D(advice()["confidence"]) >= D("0.5")


def test_the_seed_moves_confidence_by_a_hair_and_nothing_else():
    asked = facts(progress={"ahead_pct": "-3"})
    replies = [advise(asked, str(seed))[0] for seed in range(30)]
    assert advise(asked, "3") == advise(asked, "3")
    levels = {D(reply["confidence"]) for reply in replies}
    assert 1 < len(levels) <= 5
    assert max(levels) - min(levels) <= D("0.04")
    assert len({json.dumps({**reply, "confidence": ""}) for reply in replies}) == 1


def test_the_train_of_thought_names_every_rule_that_was_asked():
    _, thoughts = advise(facts(market={"volatility_hourly_pct": "2"}), "7")
    assert [line.split(":")[0] for line in thoughts.splitlines()] == [
        "the end is near",
        "behind schedule",
        "funding is close",
        "the market is wild",
    ]


def test_without_an_imbalance_the_touch_tells():
    heavy = {"best_bid_qty": "1", "best_ask_qty": "9"}
    assert advice(market=heavy, context={"imbalance": None})["action"] == "WAIT"
    assert advice(market=heavy, context=None)["action"] == "WAIT"
    empty = {"best_bid_qty": "0", "best_ask_qty": "0"}
    assert advice(market=empty, context=None)["action"] == "PASSIVE"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ("[]", "not an object"),
        (json.dumps(question(parent="none")), "parent is missing"),
        (json.dumps(question(parent={"side": "Long"})), "side is 'Long'"),
        (json.dumps(question(market={"mid": None})), "mid is missing"),
        (json.dumps(question(market={"mid": True})), "mid is no number"),
        (json.dumps(question(market={"mid": "NaN"})), "mid is no number"),
        (json.dumps(question(market={"mid": "dear"})), "mid is no number"),
        (json.dumps(question(decision_id=7)), "decision_id is missing"),
    ],
)
def test_a_question_that_cannot_be_understood(text, why):
    with pytest.raises(QuestionError, match=why):
        read_question(text)


def test_whoever_knows_nothing_answers_at_random_and_repeatably():
    asked = [facts(decision_id=f"P1-{number}") for number in range(300)]
    replies = [guess(each, "7")[0] for each in asked]
    assert replies == [guess(each, "7")[0] for each in asked]
    assert replies != [guess(each, "8")[0] for each in asked]
    actions = Counter(reply["action"] for reply in replies)
    assert set(actions) == set(ACTIONS)
    assert max(actions.values()) < 90
    levels = [D(reply["confidence"]) for reply in replies]
    assert min(levels) < D("0.1")
    assert max(levels) > D("0.9")
    other = facts(progress={"elapsed_pct": "99"}, decision_id="P1-0")
    assert guess(other, "7")[0]["action"] == replies[0]["action"]


figure = st.decimals(min_value=0, max_value=10**6, places=4).map(str)
signed = st.decimals(min_value=-100, max_value=100, places=2).map(str)
maybe = st.none() | figure


@st.composite
def questions(draw):
    return question(
        decision_id=f"P{draw(st.integers(1, 9))}-{draw(st.integers(0, 99))}",
        parent={"side": draw(st.sampled_from(["BUY", "SELL"])), "leaves_qty": draw(figure)},
        progress={"elapsed_pct": draw(figure), "ahead_pct": draw(signed), "slice_qty": draw(figure)},
        market={"spread_bps": draw(figure), "volatility_hourly_pct": draw(maybe)},
        impact={"estimate_bps": draw(maybe)},
        band={"wait_s_max": draw(st.integers(1, 60)), "strategies": draw(st.sampled_from([[], ["POV"]]))},
        context={
            "imbalance": draw(st.none() | st.decimals(-1, 1, places=3).map(str)),
            "funding_rate": draw(st.sampled_from([None, "0.0005", "-0.0005", "0.00005"])),
            "funding_in_s": draw(st.none() | st.integers(0, 400).map(str)),
        },
        recent_decisions=draw(st.sampled_from([[], stuck()])),
    )


@given(asked=questions(), seed=st.integers(0, 9).map(str))
def test_whatever_the_facts_every_reply_has_the_form_that_a_strict_reader_accepts(asked, seed):
    seen = read_question(json.dumps(asked))
    for mind in (advise, guess):
        reply, thoughts = mind(seen, seed)
        assert tuple(reply) == KEYS
        assert thoughts
        read = parse_reply(
            json.dumps(reply).encode(),
            decision_id=asked["decision_id"],
            snapshot_hash=CALM["snapshot_hash"],
            strategies=frozenset(asked["band"]["strategies"]),
        )
        assert not isinstance(read, Rejected), (reply, read)
