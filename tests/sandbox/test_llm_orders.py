"""The sandbox's model as a trader: which function it calls, and that each strategy does what its words say."""

import json
from decimal import Decimal

import pytest

from sandbox.llm_server.api_error import ApiError
from sandbox.llm_server.chat_request import read_chat_request
from sandbox.llm_server.completion import Completion
from sandbox.llm_server.market_policy import RULES, choose_order, draw_order, worth
from sandbox.llm_server.market_question import asks_for_an_order, read_market_question
from sandbox.llm_server.question import QuestionError

NAME = "submit_order"
KEYS = {"reasoning", "action", "quantity", "order_type", "limit_price"}
PARAMETERS = {
    "type": "object",
    "properties": {"action": {"type": "string"}},
    "required": ["action"],
    "additionalProperties": False,
}
DIVIDENDS = {
    "dividend_low": "0.40",
    "dividend_high": "2.40",
    "chance_of_high_pct": 50,
    "interest_rate": "0.0500",
    "last_dividend": None,
    "periods_left": None,
    "redemption_value": None,
}


def question(
    strategy="value", last="28.00", *, fundamentals=DIVIDENDS, past=(), spread=True, turn=1, **account
):
    price = Decimal(last)
    return {
        "task": "submit_order",
        "decision_id": f"3-{turn}",
        "strategy": strategy,
        "turn": turn,
        "clock_s": 1,
        "account": {
            "free_cash": "1000000.00",
            "shares": 10_000,
            "shares_at_first": 10_000,
            "affordable_quantity": int(1_000_000 / price),
            "open_orders": [],
        }
        | account,
        "market": {
            "last_price": last,
            "best_bid": str(price - Decimal("0.10")) if spread else None,
            "best_ask": str(price + Decimal("0.10")) if spread else None,
            "past_prices": list(past),
            "volume_since_last_turn": 0,
        },
        "fundamentals": fundamentals,
        "limits": {"quantity_max": 1_000, "tick": "0.01", "short_allowed": False},
    }


def facts(*args, **kwargs):
    return read_market_question(json.dumps(question(*args, **kwargs)))


def order(*args, seed="7", **kwargs):
    reply, thought = choose_order(facts(*args, **kwargs), seed)
    assert thought
    assert set(reply) == KEYS
    assert (reply["quantity"] == 0) == (reply["action"] == "HOLD") == (reply["order_type"] is None)
    assert (reply["limit_price"] is not None) == (reply["order_type"] == "LIMIT")
    assert 0 <= reply["quantity"] <= 1_000
    return reply


# The wire


def request(**fields):
    usual = {"model": "sandbox-trader", "messages": [{"role": "user", "content": "{}"}]}
    return read_chat_request(json.dumps(usual | fields).encode())


def tool(name=NAME, parameters=PARAMETERS, **more):
    return {"type": "function", "function": {"name": name, "parameters": parameters} | more}


def named(name):
    return {"type": "function", "function": {"name": name}}


def test_the_function_that_is_asked_for_is_called_and_held_to_its_parameters():
    asked = request(tools=[tool("other"), tool(strict=True)], tool_choice=named(NAME))
    assert (asked.tool, asked.schema) == (NAME, PARAMETERS)
    assert request(tools=[tool("first"), tool()]).tool == "first"
    assert request(tools=[tool()], tool_choice="required").schema is None
    assert request(tools=[tool()], tool_choice="none").tool == ""
    assert request(tool_choice="none").tool == ""


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": []}, "tools"),
        ({"tools": "f"}, "tools"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].function"),
        ({"tools": [tool(), tool("a b")]}, "tools[1].function"),
        ({"tools": [tool(strict=True, parameters={"type": "object"})]}, "tools[0].function.parameters"),
        ({"tools": [tool()], "tool_choice": named("other")}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": 5}, "tool_choice"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"model": "sandbox-thinker", "tools": [tool()]}, "tools"),
    ],
)
def test_a_call_that_cannot_be_is_refused(fields, param):
    with pytest.raises(ApiError) as error:
        request(**fields)
    assert (error.value.status, error.value.param) == (400, param)


def test_a_call_stands_in_the_envelope_in_place_of_the_text():
    said = Completion(
        request_id="req_9", created_s=1, model="m", content='{"a":1}', thoughts=None, finish_reason="stop",
        usage=None, tool=NAME,
    )  # fmt: skip
    (choice,) = said.envelope()["choices"]
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call == {"id": "call_9", "type": "function", "function": {"name": NAME, "arguments": '{"a":1}'}}


@pytest.mark.parametrize(
    "change",
    [
        {"account": None},
        {"market": {}},
        {"decision_id": 5},
        {"turn": "1"},
        {"limits": {"quantity_max": 1.5, "tick": "0.01"}},
        {"fundamentals": {"fundamental_value": "much"}},
        {"fundamentals": {"fundamental_value": "-5"}},
        {"fundamentals": DIVIDENDS | {"periods_left": 3}},
    ],
)
def test_a_question_without_sense_is_not_understood(change):
    with pytest.raises(QuestionError):
        read_market_question(json.dumps(question() | change))


def test_only_questions_of_a_trader_are_taken_for_one():
    assert asks_for_an_order(json.dumps(question()))
    assert not asks_for_an_order('{"decision_id": "P1-1"}')
    assert not asks_for_an_order("What shall I do?")


# What a share is worth: figures of the literature


def test_dividends_are_worth_twenty_eight_for_ever_and_with_redemption_at_it():
    assert worth(facts()) == 28
    for left in (1, 8, 15):
        finite = DIVIDENDS | {"periods_left": left, "redemption_value": "28.00"}
        assert worth(facts(fundamentals=finite)) == pytest.approx(Decimal(28), abs=Decimal("1e-12"))


@pytest.mark.parametrize(("left", "value"), [(15, "14.531521"), (8, "9.048498"), (1, "1.333333")])
def test_without_redemption_the_worth_runs_out(left, value):
    finite = DIVIDENDS | {"periods_left": left, "redemption_value": "0.00"}
    assert worth(facts(fundamentals=finite)) == pytest.approx(Decimal(value), abs=Decimal("1e-6"))


def test_optimists_and_pessimists_believe_in_what_their_chances_make_of_it():
    assert [worth(facts(), Decimal(chance)) for chance in ("0.8", "0.9")] == [40, 44]
    assert [worth(facts(), Decimal(chance)) for chance in ("0.1", "0.2")] == [12, 16]
    told = facts(fundamentals={"fundamental_value": "30.00"})
    assert (worth(told), worth(told, None, Decimal("1.35"))) == (30, Decimal("40.5"))
    assert worth(facts(fundamentals=None)) is None


# Strategies


def test_a_value_investor_trades_on_the_right_side_all_over_the_grid():
    """Price over worth from 0.1 to 3.5 in 7 steps and finer, all else the same: at least 95 of 100 signs are right."""
    ratios = [0.1 + 3.4 * step / 6 for step in range(7)] + [0.1 + 3.4 * step / 200 for step in range(201)]
    outside = [ratio for ratio in ratios if not 0.9 <= ratio <= 1.1]
    right = 0
    for number, ratio in enumerate(outside):
        last = f"{28 * ratio:.2f}"
        action = order(last=last, spread=False, turn=number)["action"]
        right += action == ("BUY" if ratio < 1 else "SELL")
    assert right >= 0.95 * len(outside)
    for ratio in (0.92, 1.0, 1.08):
        assert order(last=f"{28 * ratio:.2f}")["action"] == "HOLD"


def test_a_value_investor_never_pays_more_than_a_share_is_worth_and_spends_at_most_a_third():
    for turn in range(50):
        buy = order(last="14.00", turn=turn, affordable_quantity=100)
        assert Decimal("14.00") < Decimal(buy["limit_price"]) <= 28
        assert buy["quantity"] <= 30
        sell = order(last="56.00", turn=turn, shares=100)
        assert 28 <= Decimal(sell["limit_price"]) < 56
        assert sell["quantity"] == 30


def test_optimists_buy_and_pessimists_sell_at_the_same_price():
    assert order("optimist", "30.00")["action"] == "BUY"
    assert order("pessimist", "30.00")["action"] == "SELL"
    assert order("default", "30.00")["action"] == "SELL"


def test_momentum_follows_and_a_contrarian_opposes():
    rising, falling = ["26.00", "26.50", "27.00"], ["30.00", "29.50", "29.00"]
    assert order("momentum", past=rising)["action"] == "BUY"
    assert order("momentum", past=falling)["action"] == "SELL"
    assert order("momentum", past=["28.00"])["action"] == "HOLD"
    assert order("momentum")["action"] == "HOLD"
    assert order("contrarian", past=rising)["action"] == "SELL"
    assert order("contrarian", past=falling)["action"] == "BUY"
    assert order("contrarian", past=["28.10"])["action"] == "HOLD"


def test_a_speculator_buys_above_the_worth_while_it_rises_and_sells_when_it_ends():
    assert order("speculator", "40.00", past=["39.00"])["action"] == "BUY"
    assert order("speculator", "40.00", past=["41.00"])["action"] == "SELL"
    assert order("speculator", "57.00", past=["55.00"])["action"] == "SELL"
    assert order("speculator", "40.00", past=["40.00"])["action"] == "HOLD"


def test_a_market_maker_quotes_both_sides_in_turn_and_leans_against_its_stock():
    for turn in range(1, 41):
        quote = order("market_maker", turn=turn)
        assert quote["action"] == ("BUY" if turn % 2 else "SELL")
        away = abs(Decimal(quote["limit_price"]) / 28 - 1)
        assert Decimal("0.0095") <= away <= Decimal("0.0305")
        much = order("market_maker", turn=turn, shares=15_000)
        assert Decimal(much["limit_price"]) <= Decimal(quote["limit_price"])
        assert Decimal(much["limit_price"]) < Decimal("28.10") or turn % 2 == 0


def test_nobody_trades_what_it_has_not():
    assert order(last="14.00", affordable_quantity=0)["action"] == "HOLD"
    assert order(last="56.00", shares=0)["action"] == "HOLD"
    assert order(last="28.00", fundamentals=None)["action"] == "HOLD"


def test_the_same_question_and_seed_have_the_same_answer():
    for strategy in (*RULES, "default"):
        asked = facts(strategy, "35.00", past=["33.00", "34.00"])
        assert choose_order(asked, "1") == choose_order(asked, "1")
    asked = [facts("optimist", "35.00", turn=turn) for turn in range(20)]
    assert [choose_order(one, "1") for one in asked] != [choose_order(one, "2") for one in asked]


def test_the_model_that_knows_nothing_draws_orders_of_every_kind():
    drawn = [draw_order(facts(turn=turn), "1")[0] for turn in range(60)]
    assert {one["action"] for one in drawn} == {"BUY", "SELL", "HOLD"}
    assert {one["order_type"] for one in drawn} == {"LIMIT", "MARKET", None}
    assert drawn == [draw_order(facts(turn=turn), "1")[0] for turn in range(60)]
