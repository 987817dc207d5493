"""A trader whose decisions a model takes: the strict reading of an order, what it is shown, and when it acts."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.agents.language_model import (
    DividendProcess,
    Heard,
    Information,
    LanguageModelAgent,
    LanguageModelParams,
    price_text,
)
from simulation.agents.strategy_words import STRATEGY_WORDS, TASK, instructions, words_hash
from simulation.agents.submit_order import Decision, Invalid, read_decision, schema
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.information import Listens, Source
from simulation.market.protocol import limit
from simulation.market.values import ConstantValue, Shock

S = 1_000_000_000
GOOD = {
    "reasoning": "It is cheap.",
    "action": "BUY",
    "quantity": 5,
    "order_type": "LIMIT",
    "limit_price": "28.50",
}
HOLD = {"reasoning": "", "action": "HOLD", "quantity": 0, "order_type": None, "limit_price": None}


def read(found, qty_max=1_000, digits=2):
    raw = found if isinstance(found, bytes) else json.dumps(found).encode()
    return read_decision(raw, qty_max=qty_max, price_digits=digits)


# Reading


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        (GOOD, (1, 5, 2_850)),
        (GOOD | {"action": "SELL", "quantity": 1_000, "limit_price": "28"}, (-1, 1_000, 2_800)),
        (GOOD | {"limit_price": "0.010"}, (1, 5, 1)),
        (GOOD | {"order_type": "MARKET", "limit_price": None}, (1, 5, 0)),
        (HOLD, (0, 0, 0)),
    ],
)
def test_an_order_as_asked_is_read(found, decision):
    side, qty, px = decision
    assert read(found) == Decision(side=side, qty=qty, px=px, reasoning=found["reasoning"])


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (b"x" * 8_193, Invalid.TOO_LARGE),
        (b"", Invalid.NOT_JSON),
        (b"BUY 5 at 28.50", Invalid.NOT_JSON),
        (b"\xff\xfe", Invalid.NOT_JSON),
        (b"[" * 5_000, Invalid.NOT_JSON),
        (b'{"a": NaN}', Invalid.NOT_JSON),
        (b"[]", Invalid.NOT_ONE_OBJECT),
        (b"null", Invalid.NOT_ONE_OBJECT),
        ([GOOD, GOOD], Invalid.NOT_ONE_OBJECT),
        ({key: GOOD[key] for key in GOOD if key != "reasoning"}, Invalid.KEYS),
        (GOOD | {"stop_price": "1"}, Invalid.KEYS),
        (json.dumps(GOOD).replace("}", ', "action": "SELL"}').encode(), Invalid.KEYS),
        (GOOD | {"action": "buy"}, Invalid.BAD_ACTION),
        (GOOD | {"action": None}, Invalid.BAD_ACTION),
        (GOOD | {"action": ["BUY"]}, Invalid.BAD_ACTION),
        (GOOD | {"quantity": 0}, Invalid.BAD_QUANTITY),
        (GOOD | {"quantity": -5}, Invalid.BAD_QUANTITY),
        (GOOD | {"quantity": 1_001}, Invalid.BAD_QUANTITY),
        (GOOD | {"quantity": 5.0}, Invalid.BAD_QUANTITY),
        (GOOD | {"quantity": "5"}, Invalid.BAD_QUANTITY),
        (GOOD | {"quantity": True}, Invalid.BAD_QUANTITY),
        (HOLD | {"quantity": 3}, Invalid.BAD_QUANTITY),
        (HOLD | {"order_type": "MARKET"}, Invalid.BAD_ORDER_TYPE),
        (HOLD | {"limit_price": "28.50"}, Invalid.BAD_PRICE),
        (GOOD | {"order_type": "STOP"}, Invalid.BAD_ORDER_TYPE),
        (GOOD | {"order_type": None}, Invalid.BAD_ORDER_TYPE),
        (GOOD | {"order_type": "MARKET"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": None}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": 28.5}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "-28.50"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "0.00"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "1e3"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "28,50"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "28.50\n"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "٢٨"}, Invalid.BAD_PRICE),
        (GOOD | {"limit_price": "28.505"}, Invalid.OFF_TICK),
        (GOOD | {"reasoning": 7}, Invalid.BAD_REASONING),
    ],
)
def test_what_is_not_exactly_an_order_has_a_reason_and_no_effect(found, reason):
    assert read(found) is reason


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_reading_never_raises(raw):
    assert isinstance(read(raw), Decision | Invalid)


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(("BUY", "HOLD", "LIMIT", "MARKET", "28.50", 0, 5))
)


@given(st.fixed_dictionaries(dict.fromkeys(GOOD, ANYTHING)))
def test_values_of_any_kind_are_read_or_refused(found):
    decision = read(found)
    if isinstance(decision, Decision):
        assert (decision.qty == 0) == (decision.side == 0)
        assert 0 <= decision.qty <= 1_000


def test_what_a_model_says_is_kept_as_one_printable_line():
    said = read(GOOD | {"reasoning": "a\n\x1b[31mb\u202e" + "c" * 2_000}).reasoning
    assert said.isprintable()
    assert len(said) <= 1_000
    assert said.startswith("a [31mb")


@given(st.integers(0, 10**12), st.integers(0, 6))
def test_a_price_is_shown_and_read_as_the_same_ticks(px, digits):
    text = price_text(px, digits)
    assert Decimal(text) == Decimal(px).scaleb(-digits)
    if px:
        assert read(GOOD | {"limit_price": text}, digits=digits).px == px


def test_the_form_of_a_call_is_one_that_servers_accept_as_strict():
    form = schema()
    assert form["additionalProperties"] is False
    assert set(form["required"]) == set(form["properties"]) == set(GOOD)


def test_every_strategy_has_words_of_its_own_and_a_hash():
    assert {"value", "momentum", "market_maker", "optimist", "pessimist"} <= set(STRATEGY_WORDS)
    assert {"speculator", "contrarian", "default"} <= set(STRATEGY_WORDS)
    assert len({words_hash(name) for name in STRATEGY_WORDS}) == len(STRATEGY_WORDS)
    assert all(instructions(name).startswith(TASK) for name in STRATEGY_WORDS)
    with pytest.raises(ValueError, match="no strategy"):
        instructions("lucky")


# Trading


PROCESS = DividendProcess(
    low_px=40, high_px=240, high_pct=50, rate_bps=500, period_ns=60 * S, periods=10, redemption_px=2_800
)


class Script:
    """Answers each question with the next of a list: a reply, or a reason, and how long it took."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.questions = []
        self.heard_ids = []

    def ask(self, question):
        self.questions.append(question)

    def heard(self, decision_id):
        self.heard_ids.append(decision_id)
        what, latency_ns = self.answers.pop(0) if self.answers else (HOLD, S)
        if isinstance(what, str):
            return Heard(reply=None, failure=what, latency_ns=latency_ns)
        return Heard(reply=json.dumps(what).encode(), failure="", latency_ns=latency_ns)


class Quoter:
    """Offers and bids a thousand at fixed prices, once."""

    hears_fills = False

    def __init__(self, bid_px, ask_px):
        self.pxs = bid_px, ask_px

    def start(self, _):
        return 0

    def on_wakeup(self, _):
        bid_px, ask_px = self.pxs
        return [limit(0, 1, 1_000, bid_px), limit(0, -1, 1_000, ask_px)]


def market(mind, *, information=Information.PROCESS, value=None, listens=(), latency=None, **params):
    engine = SimulationEngine(1, [Asset(2_800, value)], scale=10)
    chosen = {"turn_ns": 60 * S, "information": information} | params
    if information is Information.PROCESS:
        chosen.setdefault("process", PROCESS)
    agent = LanguageModelAgent(LanguageModelParams(**chosen), mind)
    engine.add_agent(agent, cash=1_000_000, positions_qty=(100,), listens=listens, latency=latency)
    engine.add_agent(Quoter(2_790, 2_810), cash=10**9, positions_qty=(10_000,))
    return engine, agent


def test_an_answer_acts_when_it_has_arrived_and_not_before():
    buy = GOOD | {"order_type": "MARKET", "limit_price": None}
    engine, agent = market(Script((buy, 7 * S)))
    engine.run(until_ns=8 * S - 1)
    assert engine.exchange.trades == 0
    engine.run(until_ns=8 * S)
    assert engine.exchange.trades == 1
    assert (engine.exchange.last_pxs[0], engine.exchange.house.shares[0][0]) == (2_810, 105)
    assert (agent.counts.asked, agent.counts.orders) == (1, 1)
    assert agent.latest.reasoning == "It is cheap."


def test_latency_of_the_wire_comes_on_top():
    buy = GOOD | {"order_type": "MARKET", "limit_price": None}
    engine, _ = market(Script((buy, 7 * S)), latency=Latency(feed_ns=S, order_ns=S))
    engine.run(until_ns=9 * S - 1)
    assert engine.exchange.trades == 0
    engine.run(until_ns=10 * S)
    assert engine.exchange.trades == 1


def test_a_slow_model_misses_its_turn_and_the_market_goes_on():
    buy = GOOD | {"order_type": "MARKET", "limit_price": None}
    mind = Script((buy, 60 * S), (buy, 200 * S), (buy, 59 * S))
    engine, agent = market(mind)
    engine.run(until_ns=4 * 60 * S)
    assert [question.asked_ns for question in mind.questions] == [S, 61 * S, 121 * S, 181 * S]
    assert (agent.counts.late, agent.counts.orders, engine.exchange.trades) == (2, 1, 1)
    assert engine.summary().faults == ()


def test_what_is_no_order_or_no_answer_is_a_turn_without_effect():
    mind = Script((GOOD | {"quantity": 9_999}, S), ("RATE_LIMITED", S), ({"a": 1}, S), (HOLD, S))
    engine, agent = market(mind)
    engine.run(until_ns=5 * 60 * S)
    counts = agent.counts
    assert (counts.asked, counts.orders, counts.holds) == (5, 0, 2)
    assert dict(counts.invalid) == {Invalid.BAD_QUANTITY: 1, Invalid.KEYS: 1}
    assert dict(counts.failed) == {"RATE_LIMITED": 1}
    assert engine.exchange.trades == 0


def test_a_new_order_replaces_what_rests_on_its_side_only():
    low, lower = GOOD | {"limit_price": "27.00"}, GOOD | {"limit_price": "26.00"}
    dear = GOOD | {"action": "SELL", "limit_price": "30.00"}
    engine, _ = market(Script((low, S), (dear, S), (lower, S), (HOLD, S)))
    engine.run(until_ns=5 * 60 * S)
    waiting = [(side, px) for _, side, px, _ in engine.exchange.open_orders[0].values()]
    assert sorted(waiting) == [(-1, 3_000), (1, 2_600)]


def test_an_order_that_cannot_be_paid_is_refused_by_the_house():
    engine, agent = market(Script((GOOD | {"quantity": 1_000}, S)))
    engine.run(until_ns=60 * S)
    assert (agent.counts.orders, engine.exchange.refused[0], engine.exchange.trades) == (1, 1, 0)


def test_an_agent_is_shown_what_it_may_know_and_nothing_else():
    mind = Script((GOOD | {"limit_price": "27.00"}, S))
    engine, _ = market(mind, history_count=2)
    engine.run(until_ns=4 * 60 * S)
    first, second, *_, last = (json.loads(question.facts) for question in mind.questions)
    assert set(first) == {
        *("task", "decision_id", "strategy", "turn", "clock_s"),
        *("account", "market", "fundamentals", "limits"),
    }
    assert first["account"] == {
        "free_cash": "1000.00",
        "shares": 100,
        "shares_at_first": 100,
        "affordable_quantity": 35,
        "open_orders": [],
    }
    assert first["market"] == {
        "last_price": "28.00",
        "best_bid": "27.90",
        "best_ask": "28.10",
        "past_prices": [],
        "volume_since_last_turn": 0,
    }
    assert first["fundamentals"] == {
        "dividend_low": "0.40",
        "dividend_high": "2.40",
        "chance_of_high_pct": 50,
        "interest_rate": "0.0500",
        "last_dividend": None,
        "periods_left": 10,
        "redemption_value": "28.00",
    }
    assert second["account"]["free_cash"] == "865.00"
    assert second["account"]["open_orders"] == [{"side": "BUY", "price": "27.00", "quantity": 5}]
    assert second["fundamentals"]["periods_left"] == 9
    assert last["market"]["past_prices"] == ["28.00"]
    assert [question.decision_id for question in mind.questions] == ["0-1", "0-2", "0-3", "0-4"]


def test_who_is_told_the_value_sees_it_when_it_has_been_told():
    path = ConstantValue(2_800.0, (Shock(90 * S, 450.4),))
    listens = (Listens(source=Source.VALUE, every_ns=60 * S, delay_ns=30 * S),)
    mind = Script()
    engine, _ = market(mind, information=Information.VALUE, value=path, listens=listens)
    engine.run(until_ns=200 * S)
    told = [json.loads(question.facts)["fundamentals"]["fundamental_value"] for question in mind.questions]
    assert told == [None, "28.00", "28.00", "32.50"]


def test_who_knows_nothing_is_told_nothing():
    mind = Script()
    engine, _ = market(mind, information=Information.NONE)
    engine.run(until_ns=60 * S)
    assert json.loads(mind.questions[0].facts)["fundamentals"] is None


def test_questions_of_one_instant_are_all_asked_before_the_first_is_heard():
    mind = Script()
    log = []
    mind.ask = lambda question: log.append(("ask", question.decision_id))
    heard = mind.heard
    mind.heard = lambda decision_id: (log.append(("heard", decision_id)), heard(decision_id))[1]
    engine = SimulationEngine(1, [Asset(2_800)])
    for _ in range(3):
        engine.add_agent(LanguageModelAgent(LanguageModelParams(process=PROCESS), mind), cash=1)
    engine.run(until_ns=2 * S)
    assert log == [(what, f"{who}-1") for what in ("ask", "heard") for who in range(3)]


def test_somebody_who_is_woken_early_waits_for_its_own_time():
    mind = Script((GOOD, 5 * S))
    agent = LanguageModelAgent(LanguageModelParams(process=PROCESS), mind)
    listens = (Listens(source=Source.VALUE, every_ns=S, wakes=True),)
    engine = SimulationEngine(1, [Asset(2_800)], scale=10)
    engine.add_agent(agent, cash=1_000_000, listens=listens)
    engine.run(until_ns=30 * S)
    assert len(mind.questions) == 1
    assert mind.heard_ids == ["0-1"]
    assert agent.counts.orders == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "lucky"},
        {"turn_ns": 0},
        {"first_ns": -1},
        {"order_max_qty": 0},
        {"history_count": 0},
        {"digits_count": -1},
        {"process": None},
        {"information": Information.VALUE},
    ],
)
def test_parameters_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        LanguageModelParams(**({"process": PROCESS} | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"low_px": 300},
        {"high_pct": 101},
        {"rate_bps": 0},
        {"period_ns": 0},
        {"periods": -1},
        {"redemption_px": -1},
    ],
)
def test_a_process_without_sense_is_refused(wrong):
    usual = {"low_px": 1, "high_px": 2, "high_pct": 50, "rate_bps": 1, "period_ns": 1}
    with pytest.raises(ValueError, match="wanted"):
        DividendProcess(**(usual | wrong))
