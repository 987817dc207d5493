"""What the records of an order add up to."""

import pytest

from executor.advice.tally import as_json, tally
from executor.domain.advice import AdviceOutcome
from executor.domain.timeline import NS_PER_MS
from tests.advice_records import USAGE, advice_record
from tests.builders import D

A = AdviceOutcome


def of(*outcomes, cost="0.5", notional="50000", **over):
    records = [advice_record(number, outcome, **over) for number, outcome in enumerate(outcomes, 1)]
    return tally(records, cost=D(cost), notional=D(notional))


def test_each_outcome_is_counted_in_its_shares():
    found = of(*A)
    assert found.by_outcome == dict.fromkeys(A, 1)
    assert (found.questions, found.sent, found.acted_on, found.adaptations) == (8, 7, 1, 2)
    assert found.acted_share == D("0.1429")
    # LATE, UNUSABLE, FAILED and NOT_ASKED of the seven that decided something
    assert found.fallback_rate == D("0.5714")


@pytest.mark.parametrize(
    ("outcomes", "acted", "fallback"),
    [
        ([A.APPLIED, A.APPLIED], 1, 0),
        ([A.NOT_ASKED], None, 1),
        ([A.ENDED], 0, None),
        ([A.WITHOUT_EFFECT, A.BRIDGED], 0, 0),
        ([], None, None),
    ],
)
def test_a_share_of_nothing_is_unknown(outcomes, acted, fallback):
    found = of(*outcomes)
    assert (found.acted_share, found.fallback_rate) == (acted, fallback)


def test_the_bill_is_the_whole_one_and_relative_to_the_order():
    assert of(A.APPLIED, cost="0.5", notional="50000").cost_bps == D("0.1")
    assert of(A.APPLIED, notional="0").cost_bps is None


def test_latency_is_the_mean_over_answers_not_over_failures_and_time_outs():
    records = [
        advice_record(1, latency_ns=300 * NS_PER_MS),
        advice_record(2, A.UNUSABLE, latency_ns=800 * NS_PER_MS),
        advice_record(3, A.LATE),
        advice_record(4, A.LATE, latency_ns=9_000 * NS_PER_MS),
        advice_record(5, A.FAILED, latency_ns=NS_PER_MS),
    ]
    assert tally(records, cost=D(0), notional=D(1)).mean_latency_ms == 550
    came_late = advice_record(6, A.LATE, latency_ns=4_900 * NS_PER_MS, usage=USAGE)
    assert tally([*records, came_late], cost=D(0), notional=D(1)).mean_latency_ms == 2_000
    assert of(A.LATE).mean_latency_ms is None


def test_a_bill_with_a_call_that_nobody_has_counted_is_a_bound():
    records = [advice_record(1), advice_record(2, A.FAILED, cost=D("0.005"), cost_at_most=True)]
    assert tally(records, cost=D(1), notional=D(1)).cost_at_most
    assert not tally(records[:1], cost=D(1), notional=D(1)).cost_at_most


def test_json_holds_text_for_money_and_shares_and_none_for_the_unknown():
    assert as_json(of(A.APPLIED, A.LATE)) == {
        "questions": 2,
        "sent": 2,
        "by_outcome": {"APPLIED": 1, "LATE": 1},
        "acted_on": 1,
        "acted_share": "0.5000",
        "adaptations": 1,
        "fallback_rate": "0.5000",
        "cost_usd": "0.5",
        "cost_at_most": False,
        "cost_bps": "0.1000",
        "mean_latency_ms": 700,
    }
    assert as_json(of(notional="0"))["acted_share"] is None
