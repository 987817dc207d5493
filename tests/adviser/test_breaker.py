"""A server that keeps failing is asked less and less, and trusted again after one success."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.breaker import Breaker, BreakerPhase, asked, failed, may_ask, succeeded
from executor.domain.advice_terms import BreakerRules
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S

RULES = BreakerRules(failures_max=3, open_s=30, open_s_max=100, growth=2, probe_s=20)


def opened(times=1):
    """A breaker that has opened so often; the instant is when its last back-off ends."""
    breaker, now_ns = Breaker(), 0
    for _ in range(RULES.failures_max):
        failed(breaker, RULES, now_ns)
    for _ in range(times - 1):
        now_ns = breaker.until_ns
        asked(breaker, RULES, now_ns)
        failed(breaker, RULES, now_ns)
    return breaker


def test_it_opens_with_failures_in_a_row_only():
    breaker = Breaker()
    for _ in range(5):
        failed(breaker, RULES, 0)
        failed(breaker, RULES, 0)
        succeeded(breaker)
    assert (breaker.phase, breaker.failures) == (BreakerPhase.CLOSED, 0)
    for _ in range(3):
        assert may_ask(breaker, 7)
        asked(breaker, RULES, 7)
        failed(breaker, RULES, 7)
    assert breaker.phase is BreakerPhase.OPEN
    assert not may_ask(breaker, 7 + 30 * NS_PER_S - 1)
    assert may_ask(breaker, 7 + 30 * NS_PER_S)


def test_one_probe_is_let_through():
    breaker = opened()
    asked(breaker, RULES, breaker.until_ns)
    assert breaker.phase is BreakerPhase.HALF_OPEN
    assert not may_ask(breaker, 30 * NS_PER_S)
    assert not may_ask(breaker, 50 * NS_PER_S - 1)
    assert may_ask(breaker, 50 * NS_PER_S)  # nothing was ever heard of the probe


def test_a_good_probe_closes_it_and_forgets_everything():
    breaker = opened(3)
    asked(breaker, RULES, breaker.until_ns)
    succeeded(breaker)
    assert breaker == Breaker()
    failed(breaker, RULES, 0)
    assert breaker.phase is BreakerPhase.CLOSED


def test_each_failed_probe_waits_longer_up_to_a_maximum():
    waits = []
    breaker, now_ns = opened(), 0
    for _ in range(6):
        waits.append((breaker.until_ns - now_ns) // NS_PER_S)
        now_ns = breaker.until_ns
        asked(breaker, RULES, now_ns)
        failed(breaker, RULES, now_ns)
    assert waits == [30, 60, 100, 100, 100, 100]


def test_late_news_of_a_call_from_before_changes_nothing_while_it_is_open():
    for late in (succeeded, lambda breaker: failed(breaker, RULES, NS_PER_S)):
        breaker = opened()
        late(breaker)
        assert breaker == opened()


def test_an_outage_of_six_hours_costs_a_handful_of_calls():
    rules, breaker, calls = BreakerRules(), Breaker(), 0
    for now_ns in range(0, 6 * NS_PER_HOUR, 10 * NS_PER_S):
        if may_ask(breaker, now_ns):
            asked(breaker, rules, now_ns)
            failed(breaker, rules, now_ns + NS_PER_S)
            calls += 1
    assert calls == 19  # 3, then after 30, 60, 120, 240, 480 and 960 s, and every half hour


@pytest.mark.parametrize(
    "over", [dict(failures_max=0), dict(growth=0), dict(open_s=0), dict(probe_s=0), dict(open_s_max=29)]
)
def test_rules_that_would_not_work_are_refused(over):
    with pytest.raises(ValueError, match="would not work"):
        BreakerRules(**over)


def test_a_breaker_that_opened_a_million_times_still_answers_at_once():
    breaker = Breaker(phase=BreakerPhase.HALF_OPEN, opened=10**6)
    failed(breaker, BreakerRules(growth=1), 0)
    assert breaker.until_ns == 30 * NS_PER_S
    assert msgspec.json.decode(msgspec.json.encode(breaker), type=Breaker) == breaker


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60))
def test_it_never_stays_shut_for_longer_than_its_longest_back_off(steps):
    breaker, now_ns = Breaker(), 0
    for seconds, good in steps:
        now_ns += seconds * NS_PER_S
        if may_ask(breaker, now_ns):
            asked(breaker, RULES, now_ns)
            assert breaker.phase is not BreakerPhase.OPEN
            if good:
                succeeded(breaker)
                assert may_ask(breaker, now_ns)
            else:
                failed(breaker, RULES, now_ns)
        assert may_ask(breaker, now_ns + RULES.open_s_max * NS_PER_S)
