"""Caps on money and calls hold whatever a server says about what it has counted."""

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.budget import (
    TOKENS_PER_CALL_MAX,
    Bill,
    OverBudget,
    Spend,
    believed,
    bill_bps,
    cost,
    cost_of_failure,
    estimate_tokens,
    least_tokens,
    reserve,
    settle,
    why_not,
    worst_cost,
)
from executor.domain.advice import Failure, Usage
from executor.domain.advice_terms import Caps, Prices
from executor.domain.errors import InvariantViolation
from executor.domain.timeline import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from tests.builders import D

PRICES = Prices(prompt=D("3"), cached=D("0.3"), completion=D("15"))
MIDNIGHT = 20_000 * NS_PER_DAY


def caps(**over):
    usual = dict(
        parent_cost_max=D(10),
        hour_cost_max=D(10),
        day_cost_max=D(10),
        parent_calls_max=100,
        hour_calls_max=100,
        day_calls_max=100,
    )
    return Caps(**{**usual, **over})


def usage(prompt, cached, completion, *, reported=True):
    return Usage(prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion, reported=reported)


def spent(amount, at_ns, parent="P1", spend=None):
    spend = spend or Spend()
    reserve(spend, "d", parent, D(amount), at_ns)
    assert settle(spend, "d", D(amount), at_ns)
    return spend


def test_the_price_of_a_call_is_exact():
    assert cost(usage(10_000, 8_000, 500), PRICES) == D(
        "0.0159"
    )  # 2 000 x 3 + 8 000 x 0.3 + 500 x 15 millionths
    assert cost(usage(1, 0, 0), Prices(prompt=D("0.05"), cached=D(0), completion=D(0))) == D("0.00000005")
    assert cost(usage(5, 9, 0), PRICES) == D("0.0000015")  # no more can be cached than was sent


@pytest.mark.parametrize("bad", [D(-1), D("NaN"), D("Infinity")])
def test_a_price_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="cached"):
        Prices(prompt=D(1), cached=bad, completion=D(1))


def test_the_worst_cost_is_not_below_any_honest_bill():
    rng = Random("honest servers")
    for _ in range(2_000):
        prompt_bytes, reply_bytes = rng.randint(1, 60_000), rng.randint(0, 16_384)
        prompt = rng.randint(least_tokens(prompt_bytes), prompt_bytes)
        completion = rng.randint(least_tokens(reply_bytes), 4_096)
        honest = usage(prompt, rng.randint(0, prompt), completion)
        assert believed(honest, prompt_bytes, reply_bytes) == honest
        assert cost(honest, PRICES) <= worst_cost(prompt_bytes, 4_096, PRICES)


def test_a_cache_that_costs_more_is_reckoned_with():
    dear = Prices(prompt=D(1), cached=D(2), completion=D(0))
    assert worst_cost(1_000, 0, dear) >= cost(usage(1_000, 1_000, 0), dear)


@pytest.mark.parametrize(
    ("told", "prompt", "cached", "completion", "reported"),
    [
        (None, 1_664, 0, 864, False),
        (usage(0, 0, 0, reported=False), 1_664, 0, 864, False),
        (usage(400, 100, 200), 400, 100, 200, True),
        (usage(0, 0, 0), 1_664, 0, 864, False),
        (usage(99, 99, 200), 1_664, 0, 200, False),
        (usage(100, 0, 49), 100, 0, 864, False),
        (usage(100, 0, 50), 100, 0, 50, True),
        (usage(-5, -5, -5), 1_664, 0, 864, False),
        (usage(400, 900, 200), 400, 400, 200, True),
        (usage(400, -1, 200), 400, 0, 200, True),
        (usage(10**30, 0, 10**30), TOKENS_PER_CALL_MAX, 0, TOKENS_PER_CALL_MAX, True),
    ],
)
def test_a_count_that_can_not_be_is_not_believed(told, prompt, cached, completion, reported):
    assert believed(told, 1_600, 800) == usage(prompt, cached, completion, reported=reported)


def test_a_failure_costs_what_was_reserved_unless_no_model_can_have_worked():
    free = {failure for failure in Failure if cost_of_failure(failure, D(2)) == 0}
    assert free == {
        Failure.UNREACHABLE,
        Failure.RATE_LIMITED,
        Failure.NOT_AUTHORISED,
        Failure.NOT_ON_TAPE,
        Failure.CROWDED,
        Failure.UNWRITTEN,
    }
    assert {cost_of_failure(failure, D(2)) for failure in set(Failure) - free} == {D(2)}


@pytest.mark.parametrize(
    ("over", "code"),
    [
        (dict(parent_calls_max=1), OverBudget.PARENT_CALLS),
        (dict(hour_calls_max=1), OverBudget.HOUR_CALLS),
        (dict(day_calls_max=1), OverBudget.DAY_CALLS),
        (dict(parent_cost_max=D("1.99")), OverBudget.PARENT_COST),
        (dict(hour_cost_max=D("1.99")), OverBudget.HOUR_COST),
        (dict(day_cost_max=D("1.99")), OverBudget.DAY_COST),
        (dict(day_cost_max=D(2)), None),
    ],
)
def test_each_cap_has_a_name(over, code):
    assert why_not(spent(1, MIDNIGHT), caps(**over), D(1), MIDNIGHT, "P1") == code


def test_hour_day_and_parent_are_counted_apart():
    spend = spent(1, MIDNIGHT + NS_PER_HOUR - 1)
    hourly, daily = caps(hour_cost_max=D(1)), caps(day_cost_max=D(1))
    of_parent = caps(parent_cost_max=D(1))
    assert why_not(spend, hourly, D(1), MIDNIGHT + NS_PER_HOUR - 1, "P2") is OverBudget.HOUR_COST
    assert why_not(spend, hourly, D(1), MIDNIGHT + NS_PER_HOUR, "P2") is None
    assert why_not(spend, daily, D(1), MIDNIGHT + NS_PER_DAY - 1, "P2") is OverBudget.DAY_COST
    assert why_not(spend, daily, D(1), MIDNIGHT + NS_PER_DAY, "P2") is None
    assert why_not(spend, of_parent, D(1), MIDNIGHT + 9 * NS_PER_DAY, "P1") is OverBudget.PARENT_COST
    assert why_not(spend, of_parent, D(1), MIDNIGHT, "P2") is None


def test_a_clock_that_goes_back_opens_no_cap_again():
    spend = spent(1, MIDNIGHT)
    assert why_not(spend, caps(hour_cost_max=D(1)), D(1), MIDNIGHT - 1, "P2") is OverBudget.HOUR_COST
    spent(1, MIDNIGHT - NS_PER_HOUR, spend=spend)
    assert (spend.hour_bill, spend.day_bill) == (Bill(cost=D(2), calls=2), Bill(cost=D(2), calls=2))


def test_what_is_under_way_counts_until_it_is_settled_once():
    spend = Spend()
    reserve(spend, "d1", "P1", D(6), MIDNIGHT)
    assert why_not(spend, caps(), D(5), MIDNIGHT, "P2") is OverBudget.HOUR_COST
    assert why_not(spend, caps(), D(5), MIDNIGHT + NS_PER_DAY, "P2") is OverBudget.HOUR_COST
    assert (
        why_not(spend, caps(hour_cost_max=D(99), day_cost_max=D(99)), D(5), MIDNIGHT, "P1")
        is OverBudget.PARENT_COST
    )
    with pytest.raises(InvariantViolation):
        reserve(spend, "d1", "P1", D(6), MIDNIGHT)
    assert settle(spend, "d1", D(1), MIDNIGHT)
    assert not settle(spend, "d1", D(1), MIDNIGHT)
    assert spend.parents == {"P1": Bill(cost=D(1), calls=1)}
    assert why_not(spend, caps(), D(5), MIDNIGHT, "P2") is None


def test_a_negative_bill_gives_nothing_back():
    spend = Spend()
    reserve(spend, "d1", "P1", D(1), MIDNIGHT)
    settle(spend, "d1", D(-5), MIDNIGHT)
    assert spend.day_bill.cost == 0


def test_it_is_written_down_and_read_back():
    spend = spent("0.0159", MIDNIGHT)
    reserve(spend, "d2", "P2", D("0.2"), MIDNIGHT)
    assert msgspec.json.decode(msgspec.json.encode(spend), type=Spend) == spend


def test_the_bill_is_compared_with_the_order():
    assert bill_bps(D("0.5"), D(10_000)) == D("0.5")
    assert bill_bps(D("0.01"), D(30_000)) == D("0.0033")
    assert bill_bps(D(1), D(0)) is None


@given(st.randoms(use_true_random=False))
def test_spending_never_exceeds_a_cap_by_more_than_the_last_answer(rng):
    """One call at a time, and a server that says whatever it likes: only the last bill can reach beyond a cap."""
    limits = caps(
        parent_cost_max=D(rng.randint(1, 300)) / 100,
        hour_cost_max=D(rng.randint(1, 300)) / 100,
        day_cost_max=D(rng.randint(1, 900)) / 100,
        parent_calls_max=rng.randint(1, 20),
        hour_calls_max=rng.randint(1, 20),
        day_calls_max=rng.randint(1, 40),
    )
    spend, now_ns = Spend(), MIDNIGHT
    hours, days, parents = Counter(), Counter(), Counter()
    calls, beyond = Counter(), set()
    for number in range(rng.randint(1, 60)):
        now_ns += rng.randint(0, 2_000) * NS_PER_S
        parent = rng.choice(["P1", "P2"])
        prompt_bytes, reply_bytes = rng.randint(1, 50_000), rng.randint(0, 9_000)
        worst = worst_cost(prompt_bytes, 4_096, PRICES)
        keys = (("hour", now_ns // NS_PER_HOUR), ("day", now_ns // NS_PER_DAY), ("parent", parent))
        if why_not(spend, limits, worst, now_ns, parent) is not None:
            continue
        assert not beyond.intersection(keys)
        reserve(spend, f"d{number}", parent, worst, now_ns)
        lie = rng.choice([0, 1, 10, 10**7])
        told = usage(rng.randint(-1, 30_000) * lie, rng.randint(0, 30_000), rng.randint(-1, 9_000) * lie)
        seen = believed(rng.choice([told, None]), prompt_bytes, reply_bytes)
        settle(spend, f"d{number}", cost(seen, PRICES), now_ns)
        for sums, key, most in zip(
            (hours, days, parents),
            keys,
            (limits.hour_cost_max, limits.day_cost_max, limits.parent_cost_max),
            strict=True,
        ):
            sums[key] += cost(seen, PRICES)
            calls[key] += 1
            if sums[key] > most:
                assert cost(seen, PRICES) > worst
                beyond.add(key)
    for (kind, _), count in calls.items():
        assert count <= getattr(limits, f"{kind}_calls_max")
    assert estimate_tokens(0) > 0
