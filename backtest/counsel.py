"""Asking in virtual time: the question is written as the live shell writes it, and a script or a tape answers."""

from collections.abc import Callable
from typing import Final

from executor.advice.calls import Question
from executor.advice.context import MarketContext
from executor.advice.prompt import Template, render
from executor.advice.reply import reply_schema
from executor.adviser.counsel import event_of
from executor.adviser.playback import VirtualAdviser
from executor.domain.commands import RequestAdvice
from executor.domain.events import Event

_MS_PER_S: Final = 1_000
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
            Question(
                decision_id=request.decision_id,
                parent_id=request.parent_id,
                asked_ns=at_ns,
                template_hash=self._template.sha256,
                messages=messages,
                schema=reply_schema(frozenset(request.facts.band.strategies)),
                tokens_max=self._tokens_max,
                deadline_s=request.within_ms / _MS_PER_S,
            )
        )
        prompt_bytes = sum(len(message.content.encode()) for message in messages)
        return event_of(request, outcome, prompt_bytes), latency_ns
