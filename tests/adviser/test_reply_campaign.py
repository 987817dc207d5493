"""Broken replies in great number: none raises, and what is accepted is in range and answers the question.

`EXECUTOR_CAMPAIGN=full` reads a million of them.
"""

import os
from collections import Counter
from random import Random

import pytest

from executor.advice.reply import Rejected
from executor.domain.advice import Unusable
from tests.adviser.mutations import CHANGES, mutated
from tests.adviser.test_reply import ELSEWHERE, assert_in_range, parse

REPLIES = 1_000_000 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 10_000


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_no_broken_reply_raises_or_gets_through():
    random = Random("replies")
    rejected, changes, accepted = Counter(), Counter(), Counter()
    for _ in range(REPLIES):
        name, raw = mutated(random)
        changes.update(name.split("+"))
        verdict = parse(raw)
        if isinstance(verdict, Rejected):
            assert name != "valid", (verdict, raw)
            assert verdict.detail.isprintable(), raw
            assert len(verdict.detail) <= 120, raw
            rejected[verdict.reason] += 1
        else:
            assert_in_range(verdict)
            accepted[name] += 1
    # A generator that stopped making a kind of fault would prove nothing about it.
    assert set(rejected) == set(Unusable) - ELSEWHERE
    assert set(changes) == {"valid", *(name for name, _ in CHANGES)}
    assert 0.1 < accepted.total() / REPLIES < 0.6
    for never in ("fence", "think", "double", "drop_key", "rename_key", "add_key", "repeat_key", "empty"):
        assert not accepted[never], never


def test_a_seed_says_which_replies_are_made():
    assert [mutated(Random(7)) for _ in range(3)] == [mutated(Random(7))] * 3
    first, second = Random(1), Random(2)
    assert [mutated(first) for _ in range(5)] != [mutated(second) for _ in range(5)]
