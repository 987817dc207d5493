"""Making the adviser from the settings: the terms for the engine, who is asked, and where the news come from."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal

from config.adviser import AdviserSection, TapeMode
from config.settings import Settings
from executor.advice.budget import believed, cost, cost_of_failure, worst_cost
from executor.advice.calls import Answer, Outcome, Question
from executor.advice.capabilities import tokens_cap
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.counsel import ModelCounsel, Scenery
from executor.adviser.feeds import source_of
from executor.adviser.news import News, NewsDesk
from executor.adviser.playback import Adviser, Paced, Recorder, Replay
from executor.adviser.tape import TapeWriter, read_tape
from executor.adviser.template_files import load_template
from executor.domain.advice_terms import AdviserTerms, Prices
from executor.domain.events import Event, NewsArrived
from executor.domain.ports import Log, Post
from executor.domain.units import ZERO, Money

TAPE_NAME = "advice.jsonl"
PROMPT_BYTES_MAX = 32_768
_FREE = Prices(prompt=Money(ZERO), cached=Money(ZERO), completion=Money(ZERO))
_MS_PER_S = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advising:
    """What the daemon needs to be advised."""

    terms: AdviserTerms
    counsel: ModelCounsel
    news: News
    companion: "NewsCompanion"


class NewsCompanion:
    """Looks for news beside the venue, and tells the engine that there are some."""

    def __init__(self, desk: NewsDesk) -> None:
        self._desk = desk

    def notice(self, event: Event) -> None:
        """What the venue posts is no news."""

    async def run(self, post: Post) -> None:
        """Look until cancelled."""
        await self._desk.run(lambda source: post(NewsArrived(at_ns=0, source=source)))


async def advising(
    stack: AsyncExitStack, settings: Settings, scenery: Scenery, now_ns: Callable[[], int], log: Log
) -> Advising | None:
    """Make everything, and load what takes time before anything trades; None where no model is configured.

    Raises
    ------
    TapeError
        If the recording cannot be opened, or not be read where it is to be played.
    """
    section = settings.adviser
    if not section.enabled:
        return None
    template = load_template()
    terms = terms_of(section, template.sha256)
    news = News(section.news_items_max, now_ns)
    sources = [source_of(place) for place in section.news_sources]
    wanted = bool(sources) or section.news_webhook
    return Advising(
        terms=terms,
        counsel=ModelCounsel(
            adviser=await _adviser(stack, settings, terms, now_ns, log),
            template=template,
            scenery=scenery,
            texts=news.items if wanted else lambda: None,
            now_ns=now_ns,
            tokens_max=section.max_tokens,
            prompt_bytes_max=PROMPT_BYTES_MAX,
            log=log,
        ),
        news=news,
        companion=NewsCompanion(NewsDesk(news, sources, float(section.news_poll_s), log)),
    )


def terms_of(section: AdviserSection, template_sha256: str) -> AdviserTerms:
    """The settings as the engine takes them."""
    return AdviserTerms(
        model=section.model,
        model_aliases=section.model_aliases,
        template_sha256=template_sha256,
        interval_s=section.interval_s,
        min_gap_s=int(section.min_gap_s),
        deadline_ms=int(section.deadline_s * _MS_PER_S),
        prompt_bytes_max=PROMPT_BYTES_MAX,
        tokens_max=tokens_cap(section.capabilities(), section.max_tokens, section.reasoning_tokens_max),
        fallback=section.fallback_strategy,
        caps=section.caps(),
        prices=section.prices() or _FREE,
        band=section.band(),
    )


async def _adviser(
    stack: AsyncExitStack, settings: Settings, terms: AdviserTerms, now_ns: Callable[[], int], log: Log
) -> Adviser:
    """A model whose calls are recorded, or the recording of one."""
    section, key = settings.adviser, settings.adviser_key
    path = section.tape_file or settings.executor.data_dir / TAPE_NAME
    if section.tape is TapeMode.REPLAY:
        return Paced(Replay(read_tape(path), section.model))
    client = ModelClient(
        section.base_url,
        section.model,
        None if key is None else key.key.reveal,
        section.capabilities(),
        now_ns,
        reasoning_tokens_max=section.reasoning_tokens_max,
        calls_max=terms.questions_max,
    )
    stack.push_async_callback(client.close)
    await client.open()
    tape = stack.enter_context(TapeWriter(path))
    return Recorder(ModelAdviser(client), section.model, tape, _price_by(terms), log)


def _price_by(terms: AdviserTerms) -> Callable[[Question, Outcome], Decimal | None]:
    """What a call cost, as the engine will book it."""
    worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)

    def price(question: Question, outcome: Outcome) -> Decimal:
        if not isinstance(outcome, Answer):
            return cost_of_failure(outcome.failure, worst)
        asked = sum(len(message.content.encode()) for message in question.messages)
        return cost(believed(outcome.usage, asked, len(outcome.content)), terms.prices)

    return price
