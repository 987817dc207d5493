"""`[adviser]`: which model is asked for advice, how often, for how much money, and how far its word may reach.

The defaults of the band, the breaker, the triggers and the bridge are those of `executor.domain.advice_terms`.
"""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from config.fields import boolean, choice, number, path, text, whole, words
from config.hosts import why_not_model_url, why_not_news_source
from config.section import Section
from executor.advice.capabilities import Capabilities, Capability, SystemRole, TokensKey, capabilities_of
from executor.domain.advice_facts import Tolerance
from executor.domain.advice_terms import Band, BreakerRules, Caps, Prices, Triggers
from executor.domain.units import Money

ALIASES_MAX: Final = 8
MODEL_LEN_MAX: Final = 128
COST_MOST: Final = "1000000"
NEWS_SOURCES_MAX: Final = 8
PRICE_MOST: Final = "10000"
STRATEGY_NAMES: Final = ("twap", "vwap", "arrival-price")
"""Names of the schedules, written again: what reads the settings to cancel everything must not need the schedules."""
MODEL_FORM: Final = (
    f"the name under which the server knows the model, at most {MODEL_LEN_MAX} printable characters"
)
_BAND: Final = Band()
_BREAKER: Final = BreakerRules()
_TRIGGERS: Final = Triggers()
_ALIKE: Final = Tolerance()
_TRIGGER: Final = "trigger_"
_BRIDGE: Final = "bridge_"
_BREAKS: Final = "breaker_"
_Price = Annotated[Decimal | None, number("0", PRICE_MOST)]


class TapeMode(StrEnum):
    """Whether a model is asked and recorded, or a recording is played again."""

    LIVE = "live"
    REPLAY = "replay"


def _is_model(value: str) -> bool:
    return 0 < len(value) <= MODEL_LEN_MAX and value.isascii() and value.isprintable() and " " not in value


class AdviserSection(Section):
    """`[adviser]`: a language model that is asked how an order should be worked, within a band around its schedule."""

    enabled: Annotated[bool, boolean()] = False
    """Whether a model is asked at all; without, every order follows its schedule."""
    base_url: Annotated[
        str,
        text(
            "CONFIG_HOST",
            "the address of an OpenAI-compatible server up to /v1: https://, or http:// with a loopback or private "
            "address or a name without a dot; no credentials, no query",
            lambda value: why_not_model_url(value) is None,
        ),
    ] = ""
    """Address of an OpenAI-compatible server, such as `https://api.openai.com/v1` or `http://127.0.0.1:11434/v1`. No
    other host is ever reached: redirects and proxies are not followed."""
    model: Annotated[str, text("CONFIG_MODEL", MODEL_FORM, _is_model)] = ""
    """Model that is asked. A reply that names another one has no effect; a date or a serial number behind this name
    is the same model."""
    model_aliases: Annotated[tuple[str, ...], words(ALIASES_MAX, MODEL_FORM, _is_model)] = ()
    """Other names under which the same model may answer."""
    api_key_file: Annotated[Path | None, path()] = None
    """File with the key of the model's server on one line, mode 0600, in place of the variable
    `EXECUTOR_ADVISER_API_KEY`; a server that asks for none needs neither."""
    interval_s: Annotated[int, whole(5, 86_400)] = 60
    """Time between two questions about one parent order."""
    deadline_s: Annotated[Decimal, number("0.1", "60")] = Decimal(4)
    """Time a question may take as a whole; the schedule decides where no answer has come by then."""
    min_gap_s: Annotated[int, whole(1, 3_600)] = 10
    """Shortest time between two questions about one parent order, whatever asks for them."""
    questions_max: Annotated[int, whole(1, 16)] = 4
    """Most questions that are out at the same time, over all parent orders; one more is not asked."""
    template_file: Annotated[Path | None, path()] = None
    """File with the fixed text of every question, UTF-8, in place of the one that comes with the program. Every
    question carries it, and a recording is played again only with the same text."""
    prompt_bytes_max: Annotated[int, whole(18_000, 262_144)] = 32_768
    """Longest question; the oldest texts from outside are left out first. Before a question is asked, one token for
    each of these bytes is counted against the caps."""
    max_tokens: Annotated[int, whole(64, 16_384)] = 800
    """Most tokens of one answer."""
    reasoning_tokens_max: Annotated[int, whole(0, 131_072)] = 4_096
    """Tokens that a reasoning model may spend on one question before its answer, over `max_tokens`."""
    capabilities_on: Annotated[
        tuple[str, ...],
        words(len(Capability), f"one of {', '.join(Capability)}", lambda value: value in set(Capability)),
    ] = ()
    """What this model can do on this server although its name does not say so."""
    capabilities_off: Annotated[
        tuple[str, ...],
        words(len(Capability), f"one of {', '.join(Capability)}", lambda value: value in set(Capability)),
    ] = ()
    """What it cannot do, or must not be asked, although its name says so."""
    tokens_key: Annotated[TokensKey | None, choice(TokensKey)] = None
    """What the server calls the cap of tokens; known from the model's name when not given."""
    system_role: Annotated[SystemRole | None, choice(SystemRole)] = None
    """Role in which the fixed text is sent; known from the model's name when not given."""
    parent_cost_max: Annotated[Decimal, number("0", COST_MOST)] = Decimal(1)
    """Most that questions about one parent order may cost; from then on its schedule decides alone."""
    hour_cost_max: Annotated[Decimal, number("0", COST_MOST)] = Decimal(5)
    """Most that all questions of a UTC hour may cost."""
    day_cost_max: Annotated[Decimal, number("0", COST_MOST)] = Decimal(20)
    """Most that all questions of a UTC day may cost."""
    parent_calls_max: Annotated[int, whole(1, 100_000)] = 500
    """Most questions about one parent order, answered or not."""
    hour_calls_max: Annotated[int, whole(1, 100_000)] = 120
    """Most questions of a UTC hour, answered or not."""
    day_calls_max: Annotated[int, whole(1, 1_000_000)] = 1_500
    """Most questions of a UTC day, answered or not."""
    input_price: _Price = None
    """Price of 10^6 tokens of questions; 0 for a model of your own. Without a default: a cap needs the prices."""
    cached_price: _Price = None
    """Price of 10^6 tokens of questions that the server had in its cache; that of the others when not given."""
    output_price: _Price = None
    """Price of 10^6 tokens of answers, thoughts included."""
    breaker_failures_max: Annotated[int, whole(1, 100)] = _BREAKER.failures_max
    """Questions in a row without a usable answer after which nobody is asked for a while."""
    breaker_open_s: Annotated[int, whole(1, 86_400)] = _BREAKER.open_s
    """How long nobody is asked then, the first time."""
    breaker_open_s_max: Annotated[int, whole(1, 86_400)] = _BREAKER.open_s_max
    """How long at most, after one trial question after the other has failed too."""
    breaker_growth: Annotated[int, whole(1, 10)] = _BREAKER.growth
    """Growth of that time from one failed trial to the next."""
    breaker_probe_s: Annotated[int, whole(1, 3_600)] = _BREAKER.probe_s
    """After this a trial question of which nothing was heard is given up."""
    trigger_spread_times: Annotated[Decimal, number("1", "1000")] = _TRIGGERS.spread_times
    """Growth of the spread since the last question at which the next is asked before its time."""
    trigger_volatility_times: Annotated[Decimal, number("1", "1000")] = _TRIGGERS.volatility_times
    """Growth of the volatility at which it is."""
    trigger_schedule_pct: Annotated[Decimal, number("0.1", "100")] = _TRIGGERS.schedule_pct
    """Distance from the schedule at which it is, share of the parent's quantity."""
    trigger_drought_s: Annotated[int, whole(1, 86_400)] = _TRIGGERS.drought_s
    """Time without a fill, while an order of the parent's is open, at which it is."""
    bridge_mid_bps_max: Annotated[Decimal, number("0", "1000")] = _ALIKE.mid_bps_max
    """How far the mid may have moved for the advice before to stand in, once, for one that is late."""
    bridge_spread_bps_max: Annotated[Decimal, number("0", "1000")] = _ALIKE.spread_bps_max
    """How much the spread may have changed for that."""
    bridge_progress_pct_max: Annotated[Decimal, number("0", "100")] = _ALIKE.progress_pct_max
    """How much of the order may have been filled, and of its time gone by, for that."""
    confidence_min: Annotated[Decimal, number("0", "1")] = _BAND.confidence_min
    """Advice that is less sure than this has no effect."""
    rate_min: Annotated[Decimal, number("0.01", "1")] = _BAND.rate_min
    """Slowest speed that can be advised, a multiple of the schedule's."""
    rate_max: Annotated[Decimal, number("1", "100")] = _BAND.rate_max
    """Fastest speed that can be advised, a multiple of the schedule's."""
    slice_times_max: Annotated[Decimal, number("1", "100")] = _BAND.slice_times_max
    """Most that may be done in one slice, a multiple of its quantity."""
    slice_times_min: Annotated[Decimal, number("0.01", "1")] = _BAND.slice_times_min
    """Smallest order that advice may cut one to, a multiple of the slice's quantity."""
    ahead_pct_max: Annotated[Decimal, number("0", "100")] = _BAND.ahead_pct_max
    """How far advice may carry an order ahead of its schedule, share of the parent's quantity."""
    behind_pct_max: Annotated[Decimal, number("0", "100")] = _BAND.behind_pct_max
    """How far advice may hold an order behind its schedule, share of the parent's quantity."""
    wait_s_max: Annotated[int, whole(0, 3_600)] = _BAND.wait_s_max
    """Longest wait of one advice."""
    act_until_pct: Annotated[Decimal, number("0", "100")] = _BAND.act_until_pct
    """Share of the duration after which nothing may slow an order down any more."""
    hold_s_max: Annotated[int, whole(1, 3_600)] = _BAND.hold_s_max
    """How long advice stays in force without a newer one."""
    cancel_allowed: Annotated[bool, boolean()] = _BAND.cancel_allowed
    """Whether advice may end a parent order; without, advice to cancel pauses it."""
    strategies: Annotated[
        tuple[str, ...],
        words(
            len(STRATEGY_NAMES), f"one of {', '.join(STRATEGY_NAMES)}", lambda value: value in STRATEGY_NAMES
        ),
    ] = _BAND.strategies
    """Schedules that advice may switch an order to."""
    switches_max: Annotated[int, whole(0, 100)] = _BAND.switches_max
    """How often the schedule of one parent order may be switched."""
    fallback_strategy: Annotated[
        str,
        text(
            "CONFIG_CHOICE",
            f"one of {', '.join(STRATEGY_NAMES)}, or nothing",
            lambda value: value in {"", *STRATEGY_NAMES},
        ),
    ] = ""
    """Schedule that takes over an order when a question has no usable answer; empty keeps the order's own."""
    tape: Annotated[TapeMode, choice(TapeMode)] = TapeMode.LIVE
    """Whether the model is asked and every call recorded, or a recording is played again and nobody is asked."""
    tape_file: Annotated[Path | None, path()] = None
    """The recording; `advice.jsonl` in the data directory when not given. Every question adds some 14 kB to it."""
    news_sources: Annotated[
        tuple[str, ...],
        words(
            NEWS_SOURCES_MAX,
            "an http:// or https:// address of an RSS or Atom feed without credentials, or the path of a file that "
            "ends in .xml, .rss, .atom or .jsonl",
            lambda value: why_not_news_source(value) is None,
        ),
    ] = ()
    """Texts from outside that the model is shown as such: RSS or Atom feeds, and JSON lines files that grow."""
    news_poll_s: Annotated[int, whole(5, 3_600)] = 60
    """Time between two looks at each of them."""
    news_items_max: Annotated[int, whole(1, 50)] = 8
    """How many of the newest texts are kept."""
    news_webhook: Annotated[bool, boolean()] = False
    """Whether the HTTP interface takes texts from outside too: `POST /v1/news` and `executor news`."""

    @property
    def asks(self) -> bool:
        """Whether a model is asked, rather than nobody, or a recording."""
        return self.enabled and self.tape is TapeMode.LIVE

    @property
    def is_near(self) -> bool:
        """Whether the model runs on this machine or in a private network: only there is TLS not asked for."""
        return self.base_url.startswith("http://")

    def band(self) -> Band:
        """Give the band as the engine takes it."""
        return Band(**{name: getattr(self, name) for name in Band.__slots__})

    def breaker(self) -> BreakerRules:
        """Give the rules of the breaker as the engine takes them."""
        return BreakerRules(**{name: getattr(self, f"{_BREAKS}{name}") for name in BreakerRules.__slots__})

    def triggers(self) -> Triggers:
        """Give what makes a question come before its time, as the engine takes it."""
        return Triggers(**{name: getattr(self, f"{_TRIGGER}{name}") for name in Triggers.__slots__})

    def alike(self) -> Tolerance:
        """Give how much may have changed for an earlier advice to stand in, as the engine takes it."""
        return Tolerance(**{name: getattr(self, f"{_BRIDGE}{name}") for name in Tolerance.__slots__})

    def caps(self) -> Caps:
        """Give the caps as the engine takes them."""
        return Caps(
            parent_cost_max=Money(self.parent_cost_max),
            hour_cost_max=Money(self.hour_cost_max),
            day_cost_max=Money(self.day_cost_max),
            parent_calls_max=self.parent_calls_max,
            hour_calls_max=self.hour_calls_max,
            day_calls_max=self.day_calls_max,
        )

    def prices(self) -> Prices | None:
        """Give the prices of the model; None if they were not written, which only a recording may do without."""
        if self.input_price is None or self.output_price is None:
            return None
        cached = self.input_price if self.cached_price is None else self.cached_price
        return Prices(
            prompt=Money(self.input_price), cached=Money(cached), completion=Money(self.output_price)
        )

    def capabilities(self) -> Capabilities:
        """What the model can do: by its name, and by what the operator knows better."""
        return capabilities_of(self.model).overridden(
            (Capability(word) for word in self.capabilities_on),
            (Capability(word) for word in self.capabilities_off),
            self.tokens_key,
            self.system_role,
        )
