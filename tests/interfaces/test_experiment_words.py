"""What is said of a comparison: the fallback is never sold as the adviser's work."""

from dataclasses import replace

import pytest

from backtest.compare import summed, work_pairs
from backtest.kinds import Kind, KnownAdviser
from executor.interfaces.experiments import comparison_words
from tests.backtest.test_untaped_session import SCENE

FALLBACK = "the figures measure that fallback, not model"


@pytest.fixture(scope="module")
def found():
    return summed(work_pairs(SCENE, (1, 2), KnownAdviser(Kind.UNINFORMED, "wise")))


def test_advice_that_was_mostly_heard_is_told_without_remark(found):
    assert found.usable > found.questions / 2
    assert FALLBACK not in comparison_words(found, "model")


def test_where_most_questions_failed_the_figures_are_not_the_model_s(found):
    mostly = replace(found, outcomes={"APPLIED": 2, "FAILED": 3}, reasons={"TIMEOUT": 1, "RATE_LIMITED": 2})
    told = comparison_words(mostly, "model")
    assert FALLBACK in told
    assert "reasons         RATE_LIMITED 2, TIMEOUT 1" in told


def test_where_all_failed_there_was_no_advice(found):
    told = comparison_words(replace(found, outcomes={"FAILED": 5}, reasons={"TIMEOUT": 5}), "model")
    assert "There was no advice" in told
    assert "Advice" not in told
