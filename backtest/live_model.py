"""A real model in a market of numbers: time stands still while it thinks, and its real latency is what it took.

Real calls cost real money. Nothing is asked beyond the day's caps over all drives together, each call counted at its
worst before it leaves; what the engine's own caps allow counts for each drive anew, since each is a life of its own.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from backtest.scripted import Drift
from executor.advice.budget import believed, cost, cost_of_failure, worst_cost
from executor.advice.calls import Answer, Failed, Outcome, Question
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.playback import VirtualAdviser, in_time
from executor.adviser.tape import TapeWriter, line_of
from executor.domain.advice import Failure
from executor.domain.advice_terms import AdviserTerms
from executor.domain.errors import ExecutorError
from executor.domain.units import ZERO, Money

FIRST_CALLS: Final = 3
"""So many calls tell whether it is worth going on."""
_LASTING: Final = frozenset({Failure.NOT_AUTHORISED, Failure.UNREACHABLE, Failure.PROTOCOL})
"""Failures that do not go away by asking again: a refused key, nobody there, a model or a path that is not known."""


class CapReached(ExecutorError):  # noqa: N818 - reads as the sentence an operator sees
    """The next call could break a cap, so that it is not made."""


class NobodyAnswers(ExecutorError):  # noqa: N818 - as above
    """The first calls have all failed for a reason that stays.

    Parameters
    ----------
    last
        How the last of them failed.
    """

    def __init__(self, calls: int, last: Failed) -> None:
        self.last = last
        super().__init__(f"the first {calls} calls all failed, the last with {last.failure}: {last.detail}")


class LiveModel:
    """Asks a model for one drive after the other; use inside `with`.

    Parameters
    ----------
    make_client
        Makes the client; called once, within the loop of this object.
    tape
        Takes every call; None records nothing.
    """

    def __init__(
        self, make_client: Callable[[], ModelClient], terms: AdviserTerms, tape: TapeWriter | None
    ) -> None:
        self._make_client = make_client
        self._terms = terms
        self._tape = tape
        self._runner = asyncio.Runner()
        self._client: ModelClient | None = None
        self._lasting = 0
        self.calls = 0
        self.spent = Decimal(ZERO)
        """US dollars, as the engine books them."""

    def __enter__(self) -> Self:
        self._client = self._make_client()
        self._runner.run(self._client.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._runner.run(self._client.close())
        self._runner.close()

    def __call__(self, drift: Drift, seed: int) -> VirtualAdviser:
        """Every drive asks the same model."""
        return self

    def answer(self, question: Question) -> tuple[Outcome, int]:
        """Ask, and say what came back after how many nanoseconds.

        Raises
        ------
        CapReached
            If the call could break a cap of the day.
        NobodyAnswers
            If no call has been answered, and none will be.
        """
        assert self._client is not None, "use it inside `with`"
        terms = self._terms
        worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)
        if self.calls + 1 > terms.caps.day_calls_max or self.spent + worst > terms.caps.day_cost_max:
            raise CapReached(
                f"after {self.calls} calls for {self.spent:.4f} US dollars the next one, at most {worst:.4f}, could"
                f" break a cap of the day ({terms.caps.day_calls_max} calls, {terms.caps.day_cost_max:f} US dollars)"
            )
        self.calls += 1
        outcome = self._runner.run(ModelAdviser(self._client).ask(question))
        asked_bytes = sum(len(message.content.encode()) for message in question.messages)
        price = _price(outcome, asked_bytes, worst, terms)
        self.spent += price
        if self._tape is not None:
            self._tape.write(line_of(question, terms.model, outcome, price))
        if isinstance(outcome, Failed) and outcome.failure in _LASTING:
            self._lasting += 1
            if self._lasting == self.calls == FIRST_CALLS:
                raise NobodyAnswers(self.calls, outcome)
        return in_time(outcome, question)


def _price(outcome: Outcome, asked_bytes: int, worst: Money, terms: AdviserTerms) -> Decimal:
    if isinstance(outcome, Answer):
        return cost(believed(outcome.usage, asked_bytes, len(outcome.content)), terms.prices)
    assert isinstance(outcome, Failed)
    return cost_of_failure(outcome.failure, worst)
