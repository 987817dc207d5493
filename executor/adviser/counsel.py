"""Asking on the engine's behalf: the question is written, somebody answers it, and what comes back is an event.

Nothing is judged here. The facts are the engine's; this room adds the surroundings of the market and the news, both of
which are data for the model alone.
"""

from collections.abc import Callable, Sequence
from typing import Final

from executor.advice.calls import Answer, Failed, Outcome, Question
from executor.advice.context import MarketContext, NewsItem
from executor.advice.prompt import Message, Template, render
from executor.advice.prompt import prompt_sha256 as sha256_of
from executor.advice.reply import reply_schema
from executor.adviser.playback import Adviser
from executor.domain.advice import AdviceRecord, Failure
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed, AdviceReceived, Event
from executor.domain.orders import Category
from executor.domain.ports import Log

Scenery = Callable[[Category, str], MarketContext]
"""The surroundings of a symbol's market as they are now."""
Texts = Callable[[], Sequence[NewsItem] | None]
"""The newest texts from outside, the newest first; None when no source is configured."""

Hear = Callable[[AdviceRecord, int], None]
"""Takes what became of a question, and the instant (UTC) at which the engine worked its answer."""

_MS_PER_S: Final = 1_000


class ModelCounsel:
    """Who the engine's requests for advice go to.

    Parameters
    ----------
    adviser
        Answers whole questions: a model, or a recording of one.
    tokens_max
        Most tokens of an answer.
    prompt_bytes_max
        Longest question that is sent, bytes of UTF-8; the oldest texts from outside are left out first.
    hear
        Told when the engine has worked an answer; None where nobody records.
    """

    def __init__(
        self,
        *,
        adviser: Adviser,
        template: Template,
        scenery: Scenery,
        texts: Texts,
        now_ns: Callable[[], int],
        tokens_max: int,
        prompt_bytes_max: int,
        log: Log,
        hear: Hear | None = None,
    ) -> None:
        self._adviser = adviser
        self._template = template
        self._scenery = scenery
        self._texts = texts
        self._now_ns = now_ns
        self._tokens_max = tokens_max
        self._prompt_bytes_max = prompt_bytes_max
        self._log = log
        self._hear = hear

    def heard(self, record: AdviceRecord, heard_ns: int) -> None:
        """The engine has worked an answer: let it be written down when, and what it came to."""
        if self._hear is not None:
            self._hear(record, heard_ns)

    async def ask(self, request: RequestAdvice) -> Event:
        """Bring back an answer, or why there is none."""
        try:
            messages = self._write(request)
        except ValueError as error:  # a figure without a meaning, or too long even without any news
            self._log("question not asked", level="error", decision=request.decision_id, reason=str(error))
            return event_of(request, Failed(failure=Failure.UNWRITTEN, detail=str(error), latency_ns=0), 0)
        asked_ns = self._now_ns()
        question = question_of(request, self._template, messages, asked_ns, self._tokens_max)
        try:
            outcome = await self._adviser.ask(question)
        except Exception as error:  # noqa: BLE001 - a fault on the way to a model must not end the daemon
            kind = type(error).__name__  # its text may hold an address or a key
            self._log("asking a model failed", level="error", decision=request.decision_id, reason=kind)
            latency_ns = self._now_ns() - asked_ns
            outcome = Failed(failure=Failure.INTERNAL, detail=kind, latency_ns=latency_ns)
        return event_of(request, outcome, _bytes_of(messages), sha256_of(messages))

    def _write(self, request: RequestAdvice) -> tuple[Message, ...]:
        """Write the question; of the news as many as there is room for, the newest first."""
        facts = request.facts
        context = self._scenery(facts.order.category, facts.order.symbol)
        texts = self._texts()
        news = None if texts is None else list(texts)
        while True:
            messages = render(self._template, facts, context, news, request.within_ms)
            too_long = _bytes_of(messages) - self._prompt_bytes_max
            if too_long <= 0:
                return messages
            if not news:
                raise ValueError(f"the question is {too_long} bytes longer than {self._prompt_bytes_max}")
            news.pop()


def question_of(
    request: RequestAdvice, template: Template, messages: tuple[Message, ...], asked_ns: int, tokens_max: int
) -> Question:
    """Put a question together from what the engine asks and what was written of it.

    Parameters
    ----------
    template
        In whose wording `messages` are written.
    tokens_max
        Most tokens of an answer.
    """
    return Question(
        decision_id=request.decision_id,
        parent_id=request.parent_id,
        asked_ns=asked_ns,
        template_hash=template.sha256,
        messages=messages,
        schema=reply_schema(frozenset(request.facts.band.strategies)),
        tokens_max=tokens_max,
        deadline_s=request.within_ms / _MS_PER_S,
    )


def event_of(
    request: RequestAdvice, outcome: Outcome, prompt_bytes: int, prompt_sha256: str = ""
) -> AdviceReceived | AdviceFailed:
    """What came back as the engine hears of it.

    Parameters
    ----------
    prompt_bytes, prompt_sha256
        Length and name of what was asked; 0 and empty where no question could be written.
    """
    if not isinstance(outcome, Answer):
        return AdviceFailed(
            at_ns=0,
            parent_id=request.parent_id,
            decision_id=request.decision_id,
            failure=outcome.failure,
            detail=outcome.detail,
            latency_ns=outcome.latency_ns,
            prompt_sha256=prompt_sha256,
        )
    return AdviceReceived(
        at_ns=0,
        parent_id=request.parent_id,
        decision_id=request.decision_id,
        raw=outcome.content,
        model=outcome.model_id,
        finish_reason=outcome.finish_reason,
        refusal=outcome.refusal,
        usage=outcome.usage,
        prompt_bytes=prompt_bytes,
        latency_ns=outcome.latency_ns,
        prompt_sha256=prompt_sha256,
    )


def _bytes_of(messages: Sequence[Message]) -> int:
    return sum(len(message.content.encode()) for message in messages)
