"""Asking in virtual time: the question is written as the live shell writes it, and a script or a tape answers."""

from collections.abc import Callable

from executor.advice.context import MarketContext
from executor.advice.prompt import Template, render
from executor.adviser.counsel import event_of, question_of
from executor.adviser.playback import VirtualAdviser
from executor.domain.commands import RequestAdvice
from executor.domain.events import Event

Scenery = Callable[[RequestAdvice, int], MarketContext]
"""The surroundings of a market at an instant."""


class VirtualModel:
    """Writes whole questions for somebody who answers while the clock stands still.

    Parameters
    ----------
    tokens_max
        Most tokens of an answer.
    scenery
        What stands around the facts; nothing, if it is not given.
    """

    def __init__(
        self,
        *,
        adviser: VirtualAdviser,
        template: Template,
        tokens_max: int,
        scenery: Scenery | None = None,
    ) -> None:
        self._adviser = adviser
        self._template = template
        self._tokens_max = tokens_max
        self._scenery = scenery

    def answer(self, request: RequestAdvice, at_ns: int) -> tuple[Event, int]:
        """Say what comes back to a question of that instant, and after how many nanoseconds."""
        context = MarketContext(at_ns=at_ns) if self._scenery is None else self._scenery(request, at_ns)
        messages = render(self._template, request.facts, context, None, request.within_ms)
        outcome, latency_ns = self._adviser.answer(
            question_of(request, self._template, messages, at_ns, self._tokens_max)
        )
        prompt_bytes = sum(len(message.content.encode()) for message in messages)
        return event_of(request, outcome, prompt_bytes), latency_ns
