"""Making the adviser from the settings: the terms for the engine, who is asked, and where the news come from."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from config.adviser import AdviserSection
from config.settings import Settings
from executor.advice.budget import believed, cost, cost_of_failure, worst_cost
from executor.advice.calls import Answer, Outcome, Question
from executor.advice.capabilities import tokens_cap
from executor.advice.clean import name_of
from executor.advice.prompt import Template
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.counsel import Hear, ModelCounsel, Scenery
from executor.adviser.feeds import source_of
from executor.adviser.news import News, NewsDesk, NewsDoor
from executor.adviser.playback import Adviser, Paced, Recorder, Replay
from executor.adviser.preflight import look_at_server
from executor.adviser.tape import FILE_NAME, TapeError, TapeWriter, read_tape
from executor.adviser.template_files import DEFAULT, load_template
from executor.domain.advice_terms import AdviserTerms, Prices
from executor.domain.errors import ConfigError, Overflow
from executor.domain.events import Event, NewsArrived
from executor.domain.finding import Verdict
from executor.domain.ports import Log, Post
from executor.domain.units import ZERO, Money
from executor.venues.accompanied import Companion

QUESTION_BYTES: Final = 8_192
"""Room that a question needs besides the fixed text; usual ones take half of it, without texts from outside."""
_FREE: Final = Prices(prompt=Money(ZERO), cached=Money(ZERO), completion=Money(ZERO))
_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advising:
    """What the daemon needs to be advised.

    Parameters
    ----------
    door
        Where texts are handed in over the HTTP interface; None where that is not wanted.
    companions
        What runs beside the venue.
    """

    terms: AdviserTerms
    counsel: ModelCounsel
    door: NewsDoor | None
    companions: Sequence[Companion]


class NewsCompanion:
    """Looks for news beside the venue, and tells the engine that there are some."""

    def __init__(self, desk: NewsDesk) -> None:
        self._desk = desk

    def notice(self, event: Event) -> None:
        """What the venue posts is no news."""

    async def run(self, post: Post) -> None:
        """Look until cancelled."""

        def tell(source: str) -> None:
            # A full inbox has more urgent things in it; the next question carries the text all the same.
            with suppress(Overflow):
                post(NewsArrived(at_ns=0, source=name_of(source)))

        await self._desk.run(tell)


class ModelLook:
    """Looks once, at the start, whether the model is there; what it finds is said and changes nothing.

    Only the list of models is asked for, which costs nothing: what is spent on advice is the engine's to count.
    """

    def __init__(self, client: ModelClient, aliases: Sequence[str], log: Log) -> None:
        self._client = client
        self._aliases = aliases
        self._log = log

    def notice(self, event: Event) -> None:
        """What the venue posts says nothing about the model."""

    async def run(self, post: Post) -> None:
        """Look, and say what was found."""
        async for finding in look_at_server(self._client, self._aliases):
            if finding.verdict is Verdict.OK:
                self._log(finding.check, found=finding.found)
            else:
                self._log(
                    f"{finding.check}: orders follow their schedules without it",
                    level="warning",
                    code=finding.code,
                    found=finding.found,
                    next=finding.next_step,
                )


async def advising(
    stack: AsyncExitStack, settings: Settings, scenery: Scenery, now_ns: Callable[[], int], log: Log
) -> Advising | None:
    """Make everything, and load what takes time before anything trades; None where no model is configured.

    Raises
    ------
    ConfigError
        If the recording cannot be opened, or not be read where it is to be played, or the fixed text cannot be read.
    """
    section = settings.adviser
    if not section.enabled:
        return None
    template = wording_of(section)
    terms = terms_of(section, template.sha256)
    companions: list[Companion] = []
    try:
        if section.asks:
            client = await _open_client(stack, settings, now_ns)
            tape = stack.enter_context(TapeWriter(tape_path(settings)))
            recorder = Recorder(ModelAdviser(client), section.model, tape, _price_by(terms), log)
            adviser: Adviser = recorder
            hear: Hear | None = recorder.heard
            companions.append(ModelLook(client, section.model_aliases, log))
        else:
            lines = read_tape(tape_path(settings))
            adviser, hear = Paced(await asyncio.to_thread(Replay, lines, section.model)), None
    except TapeError as error:
        raise ConfigError(f"the recording of the model's calls: {error}") from error
    news = News(section.news_items_max, now_ns)
    sources = [source_of(place) for place in section.news_sources]
    if sources:
        companions.append(NewsCompanion(NewsDesk(news, sources, float(section.news_poll_s), log)))
    wanted = bool(sources) or section.news_webhook
    return Advising(
        terms=terms,
        counsel=ModelCounsel(
            adviser=adviser,
            template=template,
            scenery=scenery,
            texts=news.items if wanted else lambda: None,
            now_ns=now_ns,
            tokens_max=section.max_tokens,
            prompt_bytes_max=section.prompt_bytes_max,
            log=log,
            hear=hear,
        ),
        door=NewsDoor(news, now_ns) if section.news_webhook else None,
        companions=companions,
    )


def wording_of(section: AdviserSection) -> Template:
    """The fixed text of every question.

    Raises
    ------
    ConfigError
        If it cannot be read, or leaves no room for a question.
    """
    path = section.template_file or DEFAULT
    template = load_template(path)
    room = section.prompt_bytes_max - len(template.text.encode())
    if room < QUESTION_BYTES:
        raise ConfigError(
            f"the template {path} leaves {room} bytes of adviser.prompt_bytes_max = {section.prompt_bytes_max},"
            f" and a question needs {QUESTION_BYTES}"
        )
    return template


def terms_of(section: AdviserSection, template_sha256: str) -> AdviserTerms:
    """The settings as the engine takes them."""
    return AdviserTerms(
        model=section.model,
        model_aliases=section.model_aliases,
        template_sha256=template_sha256,
        interval_s=section.interval_s,
        min_gap_s=section.min_gap_s,
        deadline_ms=int(section.deadline_s * _MS_PER_S),
        questions_max=section.questions_max,
        prompt_bytes_max=section.prompt_bytes_max,
        tokens_max=tokens_cap(section.capabilities(), section.max_tokens, section.reasoning_tokens_max),
        fallback=section.fallback_strategy,
        caps=section.caps(),
        prices=section.prices() or _FREE,
        band=section.band(),
        breaker=section.breaker(),
        triggers=section.triggers(),
        alike=section.alike(),
    )


def client_of(settings: Settings, now_ns: Callable[[], int]) -> ModelClient:
    """The configured model; nothing is loaded and nobody is reached yet."""
    section, key = settings.adviser, settings.adviser_key
    return ModelClient(
        section.base_url,
        section.model,
        None if key is None else key.key.reveal,
        section.capabilities(),
        now_ns,
        reasoning_tokens_max=section.reasoning_tokens_max,
        # One more than the engine ever asks: the look at the start must not crowd out a question.
        calls_max=section.questions_max + 1,
    )


def tape_path(settings: Settings) -> Path:
    """Where the calls are written down, or read from."""
    return settings.adviser.tape_file or settings.executor.data_dir / FILE_NAME


async def _open_client(stack: AsyncExitStack, settings: Settings, now_ns: Callable[[], int]) -> ModelClient:
    client = client_of(settings, now_ns)
    stack.push_async_callback(client.close)
    await client.open()
    return client


def _price_by(terms: AdviserTerms) -> Callable[[Question, Outcome], Decimal | None]:
    """What a call cost, as the engine will book it."""
    worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)

    def price(question: Question, outcome: Outcome) -> Decimal:
        if not isinstance(outcome, Answer):
            return cost_of_failure(outcome.failure, worst)
        asked = sum(len(message.content.encode()) for message in question.messages)
        return cost(believed(outcome.usage, asked, len(outcome.content)), terms.prices)

    return price
