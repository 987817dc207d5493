"""Faulty calls in the shell in virtual time: every question ends in time, also in a market that has fallen silent, and
the order is worked as if nobody had been asked.
"""

import os
from collections import Counter
from random import Random

import pytest

from executor.domain.advice import AdviceOutcome
from executor.domain.commands import CancelOrder, PlaceOrder, ReplaceOrder
from executor.domain.market import MarketSnapshot
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from simulation.walk_market import Walk, WalkMarket
from tests.adviser.faulty_model import FAULTS, FaultyModel
from tests.builders import T0, D, instrument
from tests.engine.advice_judge import UNANSWERED
from tests.runtime.test_virtual import WITHIN_NS, finished, runtime

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
LIVES = 400 if FULL else 8
GRACE_NS = 250 * NS_PER_MS
ORDERS = (PlaceOrder, ReplaceOrder, CancelOrder)


class FaultyCounsel:
    """The first thing that comes back of each fault; what comes second comes to nobody."""

    def __init__(self, seed: int) -> None:
        self.model = FaultyModel(chance=Random(f"virtual faults {seed}"), model="wise", cancels=0.0)
        self.seen: Counter = Counter()

    def answer(self, request, at_ns):
        name = self.model.chance.choice(FAULTS)
        self.model.asked.append(request)
        self.seen[name] += 1
        delay_ns, event = self.model.fault(name, request)[0]
        return event, delay_ns


def market(seed: int, *, silent: bool):
    """A walk, of which the books are not heard of for some seconds again and again."""
    walk = Walk(instrument=instrument(), start_px=D(50_000), step_ns=500 * NS_PER_MS)
    chance, quiet_until_ns = Random(f"silence {seed}"), 0
    for moment in WalkMarket(walk, seed=seed, start_ns=T0):
        at_ns = moment.ts_exchange_ns
        if silent and at_ns > T0 + 12 * NS_PER_S and at_ns > quiet_until_ns and chance.random() < 0.03:
            quiet_until_ns = at_ns + chance.randint(1, 9) * NS_PER_S
        if not isinstance(moment, MarketSnapshot) or at_ns > quiet_until_ns:
            yield moment


def sent(made):
    return [(at_ns, one) for at_ns, one in made.engine.said(ORDERS)]


@pytest.mark.campaign
@pytest.mark.timeout(3_600 if FULL else 60)
def test_whatever_fails_each_question_ends_in_time_and_the_orders_are_the_schedule_s_own():
    seen, outcomes = Counter(), Counter()
    for seed in range(LIVES):
        silent = seed % 2 == 1
        counsel = FaultyCounsel(seed)
        asked = finished(runtime(counsel=counsel, market=market(seed, silent=silent), duration_s=120))
        plain = finished(runtime(market=market(seed, silent=silent), advised=False, duration_s=120))
        assert sent(asked) == sent(plain), f"seed {seed}"
        for record in asked.decisions.values():
            assert record.decided_ns - record.asked_ns <= WITHIN_NS + GRACE_NS, f"seed {seed}: {record}"
        seen += counsel.seen
        outcomes.update(record.outcome for record in asked.decisions.values())
    assert set(outcomes) >= UNANSWERED
    assert AdviceOutcome.APPLIED not in outcomes
    assert sum(seen.values()) >= 2 * LIVES
