"""Whatever strangers write: the facts of a question stay the facts, and a model that obeys them stays in its band.

Every text of the corpus stands in every place that holds words of others: a headline, the name of its source, the name
of a flow. What a model has said before is in no later question at all.
"""

import json
import os
from random import Random

import pytest

from executor.advice.context import ExchangeFlow, NewsItem
from executor.advice.facts import facts_document
from executor.advice.prompt import render
from executor.domain.advice import AdviceOutcome
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Caps, Prices, Triggers
from executor.domain.events import ResumeRequested
from executor.domain.limits import Limits, Timings
from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from sandbox.llm_server.policy import advise
from sandbox.llm_server.question import read_question
from tests.adviser.gullible import WISHES, GullibleModel
from tests.adviser.injections import GIANTS, STEMS, corpus
from tests.adviser.questions import TEMPLATE, context, facts
from tests.builders import T0, D
from tests.engine.advice_judge import Judge
from tests.engine.advised_floor import Fills, Floor

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
TEXTS = corpus() if FULL else (*STEMS, *corpus()[len(STEMS) :: 4])
LIMITS = Limits(
    order_gap_s_min=D(1), orders_per_s_max=10, orders_per_min_max=600, volatility_hourly_pct_max=D(1_000),
    children_per_hour_max=10**6, child_notional_max=D(20_000), amplification_max=D(1_000),
)  # fmt: skip
TERMS = AdviserTerms(
    model="wise", interval_s=1, min_gap_s=0, triggers=Triggers(spread_times=D(0)), prompt_bytes_max=32_768,
    tokens_max=700,
    caps=Caps(
        parent_cost_max=D(10**6), hour_cost_max=D(10**6), day_cost_max=D(10**6),
        parent_calls_max=10**6, hour_calls_max=10**6, day_calls_max=10**6,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
    band=Band(strategies=("twap", "vwap", "arrival-price")),
    breaker=BreakerRules(failures_max=10**6),
)  # fmt: skip
MARK = "an opinion that nobody else has had"


def message(text, **over):
    """A question as it is sent, with a text in every place for words of others."""
    news = [NewsItem(source=text, at_ns=T0, text=text)]
    around = context(exchange_flow=ExchangeFlow(source=text, net_qty=D(1), span_ns=NS_PER_S))
    system, user = render(TEMPLATE, facts(**over), around, news, 4_000)
    assert system.content == TEMPLATE.text
    return user.content


def test_there_are_more_than_five_hundred_different_texts():
    assert len(set(TEXTS)) == len(TEXTS) >= 500


def test_a_model_that_goes_by_the_facts_answers_the_same_whatever_strangers_write():
    usual = message("Quiet markets")
    keys, told = list(json.loads(usual)), facts_document(facts())
    answer = advise(read_question(usual), "seed")
    for text in TEXTS:
        question = json.loads(message(text))
        assert list(question) == keys
        assert {key: question[key] for key in told} == told
        assert len(question["outside_text"]) == 1
        assert set(question["outside_text"][0]) == {"source", "age_s", "text"}
        assert advise(read_question(message(text)), "seed") == answer, text[:80]


class Play:
    """Parents of both sides under a model that obeys; a person resumes what it has paused."""

    def __init__(self, texts, seed: int) -> None:
        rng = Random(f"gullible {seed}")
        self.rng, self.judge, self.model = rng, Judge(), GullibleModel(texts=texts)
        self.floor = Floor(
            terms=TERMS, chance=rng, limits=LIMITS, timings=Timings(reconcile_s=60), fills=Fills(share=0.3),
            witness=self.judge, model=self.model.answer,
        )  # fmt: skip

    def until_all_is_read(self, most_s: int) -> None:
        floor, rng = self.floor, self.rng
        floor.open()
        for _ in range(most_s):
            if self.model.read >= len(self.model.texts):
                break
            if not floor.engine.state.open_parents:
                self.submit()
            for stall in floor.stalls:
                stall.mid_px += rng.choice((0, 1, -1, 3, -3)) * stall.rules.tick_size
            floor.pass_time(rng.randint(300, 1_000) * NS_PER_MS)
            floor.settle()
            for parent in floor.parents():
                if parent.status is ParentStatus.PAUSED and parent.reason is Reason.ADVICE:
                    floor.send(ResumeRequested(at_ns=0, request_id="p", parent_id=parent.order.parent_id))

    def submit(self) -> None:
        for stall, side in zip(self.floor.stalls, (Side.BUY, Side.SELL, Side.BUY, Side.SELL), strict=True):
            rules = stall.rules
            self.floor.submit(
                stall, side=side, order_qty=rules.round_qty(rules.smallest_qty(stall.mid_px) * 40), duration_s=60,
                residual=ResidualRule.LEAVE, params=StrategyParams(interval_s=10, passiveness=D("0.5")),
                limit_px=rules.round_px(side, stall.mid_px * (1 + side.sign * D("0.01"))),
            )  # fmt: skip


@pytest.mark.campaign
@pytest.mark.timeout(600 if FULL else 60)
def test_a_model_that_obeys_every_text_keeps_every_order_within_its_limits_and_its_band():
    shifted = (WISHES[-1], *WISHES[:-1])  # so that orders of either side read each wish
    play = Play((*WISHES, *shifted, *shifted, *(text for text in TEXTS if text not in GIANTS)), 1)
    play.until_all_is_read(5_000)
    assert play.model.read >= len(play.model.texts)
    seen, did = play.judge.seen, play.model.seen
    assert (
        min(
            did[what]
            for what in (
                "CANCEL",
                "WAIT",
                "PASSIVE",
                "AGGRESSIVE",
                "power",
                "renamed",
                "plain text",
                "told all",
            )
        )
        > 0
    ), did
    assert seen[AdviceOutcome.APPLIED] > len(TEXTS) // 20
    assert seen[AdviceOutcome.UNUSABLE] > 10
    assert seen["CANCEL_NOT_ALLOWED"]
    assert seen["RATE_CLIPPED"]
    assert seen["LIMIT_PRICE_LOOSER"]
    assert not [parent for parent in play.floor.parents() if parent.status is ParentStatus.CANCELED]


@pytest.mark.parametrize("wish", WISHES)
def test_each_wish_alone_however_often_it_is_read(wish):
    play = Play((wish,) * 60, 2)
    play.until_all_is_read(40)
    assert play.model.read >= 25
    assert sum(order.cum_qty for order in play.judge.orders.values()) > 0 or "CANCEL" in wish


def test_what_a_model_has_said_is_in_no_later_question():
    def says(self, question):
        reply = dict(
            decision_id=question["decision_id"], snapshot_hash=question["snapshot_hash"], reasoning=MARK,
            risk_assessment=MARK, action="PASSIVE", strategy=None, quantity=None, order_type=None, limit_price=None,
            rate=None, wait_seconds=None, confidence="1", impact_adjustment="1",
        )  # fmt: skip
        questions.append(json.dumps(question))
        return json.dumps(reply)

    questions: list[str] = []
    play = Play(("calm",) * 40, 3)
    play.model.obey = says.__get__(play.model)
    play.until_all_is_read(60)
    assert play.judge.seen[AdviceOutcome.APPLIED] > 20
    assert [record for record in play.judge.records.values() if record.reasoning == MARK]
    assert not [question for question in questions if MARK in question]
