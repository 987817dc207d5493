"""Language models as traders: their questions go out, are recorded, paid for and answered in simulated time.

Questions of one instant leave together. What each answer took is how long it takes in the simulation, so that a slow
model misses its turns; a tape plays the same answers after the same times again. Nothing leaves that could break a cap,
each call counted at its worst before; a server that keeps failing is left alone for a while. All of that goes by the
simulated clock and by what came back, never by the machine's: a run from a tape decides the same. Simulated hours go by
in seconds and days in minutes, so that the caps of an hour and of a day hold for the run as a whole.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import TracebackType
from typing import Final, Protocol, Self

from executor.advice import breaker, budget
from executor.advice.budget import Spend, believed, cost, cost_of_failure, worst_cost
from executor.advice.calls import Answer, Failed, Outcome, Question
from executor.advice.capabilities import is_same_model
from executor.advice.prompt import Message
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.playback import in_time
from executor.adviser.tape import Line, TapeWriter, call_key, line_of, outcome_of
from executor.domain.advice import Failure
from executor.domain.advice_terms import AdviserTerms
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Money
from simulation.agents.language_model import Heard, LanguageModelAgent, MarketQuestion
from simulation.agents.strategy_words import instructions, words_hash
from simulation.agents.submit_order import NAME, schema

AT_ONCE: Final = 8
"""Most calls to a server at the same time."""
BREAKER_OPEN: Final = "BREAKER_OPEN"
PROMPT_TOO_LONG: Final = "PROMPT_TOO_LONG"
OTHER_MODEL: Final = "OTHER_MODEL"
REFUSED: Final = "REFUSED"
_WHOLE_RUN_NS: Final = 0
"""Instant by which every call is booked."""
_ABOUT_THE_SERVER: Final = frozenset(Failure) - {Failure.NOT_ON_TAPE, Failure.CROWDED, Failure.UNWRITTEN}


class Voice(Protocol):
    """Who answers, whatever it is; an outcome says itself how long it took."""

    def answers(self, questions: Sequence[Question]) -> list[Outcome]:
        """Answer all of them, in their order."""


class LiveVoice:
    """A model behind an address; use inside `with`.

    Parameters
    ----------
    make_client
        Makes the client; called once, within the loop of this object.
    latency_ns
        How long an answer takes in the simulation; None is as long as it took.
    at_once
        Most calls at the same time; the client must allow as many.
    """

    def __init__(
        self,
        make_client: Callable[[], ModelClient],
        latency_ns: Callable[[Question], int] | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._make_client = make_client
        self._latency_ns = latency_ns
        self._at_once = at_once
        self._runner = asyncio.Runner()
        self._client: ModelClient | None = None

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

    def answers(self, questions: Sequence[Question]) -> list[Outcome]:
        """Ask all of them, some at a time."""
        outcomes = self._runner.run(self._ask_all(questions))
        if self._latency_ns is None:
            return outcomes
        return [
            replace(outcome, latency_ns=self._latency_ns(question))
            for question, outcome in zip(questions, outcomes, strict=True)
        ]

    async def _ask_all(self, questions: Sequence[Question]) -> list[Outcome]:
        assert self._client is not None, "use it inside `with`"
        adviser, room = ModelAdviser(self._client), asyncio.Semaphore(self._at_once)

        async def one(question: Question) -> Outcome:
            async with room:
                return await adviser.ask(question)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(question)) for question in questions]
        return [task.result() for task in tasks]


class TapeVoice:
    """A recording of the calls of another run: each answers once, to the same question of the same agent.

    Parameters
    ----------
    model
        Name of the model whose calls were recorded.
    """

    def __init__(self, lines: Iterable[Line], model: str) -> None:
        self._model = model
        self._lines: dict[tuple[str, str], deque[Line]] = defaultdict(deque)
        for line in lines:
            self._lines[line.decision_id, line.key].append(line)
        self.misses = 0
        """Questions that are not on the tape; a replay with one has failed."""

    def left(self) -> int:
        """Calls on the tape that nobody has asked for."""
        return sum(len(waiting) for waiting in self._lines.values())

    def answers(self, questions: Sequence[Question]) -> list[Outcome]:
        """What came back then, however late."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Outcome:
        key = call_key(self._model, question.template_hash, question.messages)
        waiting = self._lines.get((question.decision_id, key))
        if waiting:
            return outcome_of(waiting.popleft())
        self.misses += 1
        detail = f"{question.decision_id} with this question is not on the tape"
        return Failed(failure=Failure.NOT_ON_TAPE, detail=detail, latency_ns=0)


class ScriptedVoice:
    """A function of the question."""

    def __init__(self, script: Callable[[Question], Outcome]) -> None:
        self._script = script

    def answers(self, questions: Sequence[Question]) -> list[Outcome]:
        """What the function says."""
        return [self._script(question) for question in questions]


@dataclass(slots=True, kw_only=True)
class CallBill:
    """What asking has come to.

    Parameters
    ----------
    calls
        Calls that left.
    unasked
        Questions that did not leave, by reason.
    failed
        Calls without a usable answer, by reason; too late ones are `TIMEOUT`.
    prompt_tokens, cached_tokens, completion_tokens
        As counted by the server, or estimated by us where it said nothing credible.
    estimated
        How many calls were estimated.
    usd
        US dollars.
    """

    calls: int = 0
    unasked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    usd: Decimal = ZERO


class ModelDesk:
    """The one place through which all agents of a run ask: a `Mind` for each of them.

    Parameters
    ----------
    terms
        Name, prices, caps (an agent counts as a parent) and breaker of the model.
    tape
        Takes every call; None records nothing.
    answer_tokens_max
        Most tokens of the answer itself, where a model thinks before; None is all that the terms allow.
    """

    def __init__(
        self,
        voice: Voice,
        terms: AdviserTerms,
        tape: TapeWriter | None = None,
        answer_tokens_max: int | None = None,
    ) -> None:
        self._voice = voice
        self._answer_tokens_max = terms.tokens_max if answer_tokens_max is None else answer_tokens_max
        self._terms = terms
        self._tape = tape
        self._spend = Spend()
        self._breaker = breaker.Breaker()
        self._waiting: list[Question] = []
        self._heard: dict[str, Heard] = {}
        self.bill = CallBill()

    def ask(self, question: MarketQuestion) -> None:
        """Take a question, if it may be asked at all."""
        terms, bill = self._terms, self.bill
        whole = _whole(question, self._answer_tokens_max)
        why = self._why_not(whole)
        if why:
            bill.unasked[why] += 1
            self._heard[question.decision_id] = Heard(reply=None, failure=why, latency_ns=0)
            return
        worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)
        budget.reserve(self._spend, whole.decision_id, whole.parent_id, worst, _WHOLE_RUN_NS)
        breaker.asked(self._breaker, terms.breaker, whole.asked_ns)
        bill.calls += 1
        self._waiting.append(whole)

    def heard(self, decision_id: str) -> Heard:
        """Say what became of a question; whoever asks first has all that wait asked."""
        if decision_id not in self._heard:
            questions, self._waiting = self._waiting, []
            for question, outcome in zip(questions, self._voice.answers(questions), strict=True):
                self._heard[question.decision_id] = self._book(question, outcome)
        return self._heard.pop(decision_id)

    def _why_not(self, question: Question) -> str:
        """Why a question does not leave; empty if it may."""
        terms, now_ns = self._terms, question.asked_ns
        if _bytes(question) > terms.prompt_bytes_max:
            return PROMPT_TOO_LONG
        worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)
        over = budget.why_not(self._spend, terms.caps, worst, _WHOLE_RUN_NS, question.parent_id)
        if over is not None:
            return over.value
        return "" if breaker.may_ask(self._breaker, now_ns) else BREAKER_OPEN

    def _book(self, question: Question, told: Outcome) -> Heard:
        """Write a call down, pay for it, and say what the agent hears of it."""
        terms, bill = self._terms, self.bill
        price = self._price(question, told)
        if self._tape is not None:
            self._tape.write(line_of(question, terms.model, told, price))
        budget.settle(self._spend, question.decision_id, price, _WHOLE_RUN_NS)
        bill.usd += price
        outcome, latency_ns = in_time(told, question)
        failure = self._failure(outcome)
        if failure:
            bill.failed[failure] += 1
        if isinstance(outcome, Failed) and outcome.failure in _ABOUT_THE_SERVER:
            breaker.failed(self._breaker, terms.breaker, question.asked_ns)
        elif isinstance(outcome, Answer):
            breaker.succeeded(self._breaker)
        reply = outcome.content if isinstance(outcome, Answer) and not failure else None
        return Heard(reply=reply, failure=failure, latency_ns=latency_ns)

    def _failure(self, outcome: Outcome) -> str:
        if isinstance(outcome, Failed):
            return outcome.failure.value
        if not is_same_model(self._terms.model, outcome.model_id, self._terms.model_aliases):
            return OTHER_MODEL
        return REFUSED if outcome.refusal else ""

    def _price(self, question: Question, outcome: Outcome) -> Money:
        """Count the tokens of a call; gives its price, US dollars."""
        terms, bill = self._terms, self.bill
        if isinstance(outcome, Failed):
            worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)
            return cost_of_failure(outcome.failure, worst)
        usage = believed(outcome.usage, _bytes(question), len(outcome.content))
        bill.prompt_tokens += usage.prompt_tokens
        bill.cached_tokens += usage.cached_tokens
        bill.completion_tokens += usage.completion_tokens
        bill.estimated += not usage.reported
        return cost(usage, terms.prices)


def bill_lines(bill: CallBill, agents: Iterable[LanguageModelAgent]) -> list[str]:
    """What the models of a run have done and cost, as lines for people."""
    counts = [agent.counts for agent in agents]
    turns, orders, holds, late = (
        sum(getattr(count, name) for count in counts) for name in ("asked", "orders", "holds", "late")
    )
    invalid = sum((count.invalid for count in counts), Counter[str]())
    failed, unasked = bill.failed, bill.unasked
    did = f"{orders} orders, {holds} holds, {late} late, {invalid.total()} invalid{_reasons(invalid)}"
    came = f"{failed.total()} without an answer in time{_reasons(failed)}"
    tokens = f"{bill.prompt_tokens} tokens asked ({bill.cached_tokens} of them cached)"
    return [
        f"{len(counts)} language-model agents, {turns} turns: {did}",
        f"{bill.calls} calls, {came}, {unasked.total()} not asked{_reasons(unasked)}",
        f"{tokens}, {bill.completion_tokens} answered, {bill.estimated} calls estimated: {bill.usd:.4f} US dollars",
    ]


def _reasons(counted: Counter[str]) -> str:
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(counted.items()))
    return f" ({listed})" if listed else ""


def _whole(question: MarketQuestion, tokens_max: int) -> Question:
    return Question(
        decision_id=question.decision_id,
        parent_id=f"agent-{question.participant}",
        asked_ns=question.asked_ns,
        template_hash=words_hash(question.strategy),
        messages=(
            Message(role="system", content=instructions(question.strategy)),
            Message(role="user", content=question.facts),
        ),
        schema=schema(),
        tokens_max=tokens_max,
        deadline_s=question.within_ns / NS_PER_S,
        tool=NAME,
    )


def _bytes(question: Question) -> int:
    return sum(len(message.content.encode()) for message in question.messages)
