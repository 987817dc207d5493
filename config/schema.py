"""Every setting: its section, its name, its allowed values and its default.

The defaults of limits and timings are those of the domain; this room adds what may be written. Sections are
validated one by one, so that a problem in one does not hide a problem in another.
"""

import re
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from config.adviser import AdviserSection
from config.fields import (
    boolean,
    choice,
    duration_s,
    number,
    one_of_numbers,
    path,
    text,
    whole,
    whole_or_zero,
    words,
)
from config.hosts import Mode
from config.impact import ImpactSection
from config.section import Section
from executor.domain.events import DrainPolicy
from executor.domain.limits import Limits, Timings

MONEY_MOST: Final = "1000000000000"
COLLAR_BPS_MAX: Final = "2000"
BIND_HOSTS: Final = ("127.0.0.1", "::1")
BOOK_DEPTHS: Final = (1, 50, 200, 1_000)
DRAIN_S_MAX: Final = 20
SENTINEL_SILENCE_S_MIN: Final = 3
"""Three heartbeats of the daemon, which is heard once a second: one may be lost, and one may be on its way."""
SENTINEL_SILENCE_S_MAX: Final = 60
GAP_WHY: Final = "without a gap one parent could use up the message budget of all"
COLLAR_WHY: Final = "a collar of nothing forbids every order, one of more than 20 % protects from nothing"
SILENCE_WHY: Final = (
    "the daemon beats once a second and one beat may be lost; silence beyond a minute protects from nothing"
)
DCP_S: Final = (3, 300)
REFERENCES_MAX: Final = 8

_LIMITS: Final = Limits()
_TIMINGS: Final = Timings()
_INSTANCE: Final = re.compile(r"\A[a-z0-9]{1,8}\Z", re.ASCII)
_EXCHANGE: Final = re.compile(r"\A(?!bybit\Z)[a-z][a-z0-9]{1,31}\Z", re.ASCII)

_Money = Annotated[Decimal | None, number("0.01", MONEY_MOST)]
_Url = Annotated[str, text("CONFIG_HOST", "an address in quotes", lambda value: 0 < len(value) <= 256)]


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """One JSON object per line, or text for people."""

    JSON = "json"
    HUMAN = "human"


class OrderEntry(StrEnum):
    """How orders are sent: each as a request of its own, or over one connection that stays open."""

    REST = "rest"
    WEBSOCKET = "websocket"


class PositionMode(StrEnum):
    """Whether an account holds one position per instrument, or a long and a short one beside each other."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class ExecutorSection(Section):
    """`[executor]`: who we are, what we trade against, and where our records lie."""

    instance: Annotated[
        str,
        text("INSTANCE_ID", "1 to 8 characters a-z and 0-9", lambda value: bool(_INSTANCE.match(value))),
    ] = "exec1"
    """Name of this executor, part of the id of every order it ever sends; a journal adds the second of its making.
    Give each account another one and never reuse it: by it the daemon knows its own orders at the venue."""
    mode: Annotated[Mode, choice(Mode)] = Mode.SANDBOX
    """What is traded against; it decides which hosts may be reached and which variables the API key comes from."""
    data_dir: Annotated[Path, path()] = Path("var/sandbox")
    """Directory of the journal, the token, control.json, the heartbeats and halt.json; one per account. A relative
    one is looked for below the directory in which a command is started, so give an absolute one to a service."""


class VenueSection(Section):
    """`[venue]`: addresses (chosen by the mode when not given), where the API key lies, and how orders are sent."""

    rest_url: _Url = ""
    """Address for queries and orders; empty takes the one of the mode. Only the mode's own host is allowed, in
    sandbox mode a loopback address."""
    public_ws_url: _Url = ""
    """Address of the public market data; as above."""
    private_ws_url: _Url = ""
    """Address of our own orders and fills, and of order entry over the WebSocket; as above."""
    api_key_file: Annotated[Path | None, path()] = None
    """File with the API key, mode 0600, in place of the two variables; relative to the directory in which a
    command is started."""
    request_timeout_s: Annotated[int, whole(1, 60)] = 10
    """Longest time one request to the venue may take."""
    order_entry: Annotated[OrderEntry, choice(OrderEntry)] = OrderEntry.REST
    """How orders are sent: each as a request of its own, or over one connection that stays open."""
    position_mode: Annotated[PositionMode, choice(PositionMode)] = PositionMode.ONE_WAY
    """Whether the account holds one position per contract, or a long and a short one beside each other. It must be
    what the account is set to."""
    dcp_window_s: Annotated[int, whole_or_zero(*DCP_S)] = 0
    """Time after which the venue itself cancels when our connection is lost; 0 leaves its setting alone. Bybit
    offers it to some accounts only."""
    algorithms: Annotated[bool, boolean()] = False
    """Whether orders may be worked by the venue's own strategy orders (venue-twap, venue-iceberg, venue-pov). Bybit
    offers none in demo mode. Once they were used leave it on, so that a stop of everything proves them gone too."""
    allow_unbound_key: Annotated[bool, boolean()] = False
    """Whether a key may trade real money that is not bound to an IP address."""


class VenuesSection(Section):
    """`[venues]`: other venues than Bybit, through ccxt (docs/other-venues.md)."""

    file: Annotated[Path | None, path()] = None
    """File with a table for each other venue; without it there is none. It names no key, only the variables that hold
    them. Relative to the directory in which a command is started."""


class LimitsSection(Section):
    """`[limits]`: every field of `executor.domain.limits.Limits`."""

    participation_pct_max: Annotated[Decimal, number("0.01", "100")] = _LIMITS.participation_pct_max
    child_notional_max: _Money = _LIMITS.child_notional_max
    order_gap_s_min: Annotated[Decimal, number("0.1", "3600", "CONFIG_CONFLICT", GAP_WHY)] = (
        _LIMITS.order_gap_s_min
    )
    cross_spread_bps_max: Annotated[Decimal, number("0.01", "1000")] = _LIMITS.cross_spread_bps_max
    price_collar_bps_max: Annotated[Decimal, number("0.1", COLLAR_BPS_MAX, "CONFIG_CONFLICT", COLLAR_WHY)] = (
        _LIMITS.price_collar_bps_max
    )
    reference_age_s_max: Annotated[Decimal, number("0.1", "60")] = _LIMITS.reference_age_s_max
    reference_gap_bps_max: Annotated[Decimal, number("0.1", COLLAR_BPS_MAX)] = _LIMITS.reference_gap_bps_max
    references_min: Annotated[int, whole(0, REFERENCES_MAX)] = _LIMITS.references_min
    second_opinion_age_s_max: Annotated[Decimal, number("0.1", "60")] = _LIMITS.second_opinion_age_s_max
    shortfall_alert_bps: Annotated[Decimal, number("0.1", "10000")] = _LIMITS.shortfall_alert_bps
    volatility_hourly_pct_max: Annotated[Decimal, number("0.01", "100")] = _LIMITS.volatility_hourly_pct_max
    advice_timeout_s_max: Annotated[Decimal, number("0.1", "60")] = _LIMITS.advice_timeout_s_max
    orders_per_s_max: Annotated[int, whole(1, 20)] = _LIMITS.orders_per_s_max
    orders_per_min_max: Annotated[int, whole(1, 1_200)] = _LIMITS.orders_per_min_max
    orders_per_day_max: Annotated[int, whole(1, 1_000_000)] = _LIMITS.orders_per_day_max
    position_notional_max: _Money = _LIMITS.position_notional_max
    open_notional_max: _Money = _LIMITS.open_notional_max
    day_notional_max: _Money = _LIMITS.day_notional_max
    day_loss_max: _Money = _LIMITS.day_loss_max
    children_per_parent_max: Annotated[int, whole(1, 100_000)] = _LIMITS.children_per_parent_max
    children_per_hour_max: Annotated[int, whole(1, 100_000)] = _LIMITS.children_per_hour_max
    amplification_max: Annotated[Decimal, number("1", "1000")] = _LIMITS.amplification_max
    symbol_participation_pct_max: Annotated[Decimal | None, number("0.01", "100")] = (
        _LIMITS.symbol_participation_pct_max
    )
    symbol_net_notional_max: _Money = _LIMITS.symbol_net_notional_max
    parents_gross_notional_max: _Money = _LIMITS.parents_gross_notional_max
    parents_net_notional_max: _Money = _LIMITS.parents_net_notional_max

    def to_domain(self) -> Limits:
        """Give the limits as the gate takes them."""
        return Limits(**self.model_dump())


class TimingsSection(Section):
    """`[timings]`: every field of `executor.domain.limits.Timings`."""

    recv_window_ms: Annotated[int, whole(1_000, 60_000)] = _TIMINGS.recv_window_ms
    absence_margin_s: Annotated[int, whole(1, 600)] = _TIMINGS.absence_margin_s
    absence_rounds: Annotated[int, whole(2, 20)] = _TIMINGS.absence_rounds
    query_gap_s: Annotated[int, whole(1, 60)] = _TIMINGS.query_gap_s
    confirm_s: Annotated[int, whole(1, 60)] = _TIMINGS.confirm_s
    recancel_s: Annotated[int, whole(1, 60)] = _TIMINGS.recancel_s
    reconcile_s: Annotated[int, whole(5, 3_600)] = _TIMINGS.reconcile_s
    residual_window_s: Annotated[int, whole(1, 600)] = _TIMINGS.residual_window_s
    refusal_wait_s: Annotated[int, whole(1, 60)] = _TIMINGS.refusal_wait_s
    volatility_warmup_s: Annotated[int, whole(1, 3_600)] = _TIMINGS.volatility_warmup_s

    def to_domain(self) -> Timings:
        """Give the timings as the engine takes them."""
        return Timings(**self.model_dump())


class ControlSection(Section):
    """`[control]`: where the HTTP interface listens; the port 0 takes any free one."""

    host: Annotated[
        str,
        text("API_BIND", f"a loopback address: {' or '.join(BIND_HOSTS)}", lambda value: value in BIND_HOSTS),
    ] = "127.0.0.1"
    """Address on which the HTTP interface listens; loopback only."""
    port: Annotated[int, whole(0, 65_535)] = 8_720
    """Its port; 0 takes any free one, and control.json says which."""
    token_file: Annotated[Path | None, path()] = None
    """File with the bearer token of the interface; without it `control.token` in the data directory, made at the
    first start."""


class ShutdownSection(Section):
    """`[shutdown]`: what happens to open orders when the daemon is asked to end, and how long it may take."""

    policy: Annotated[DrainPolicy, choice(DrainPolicy)] = DrainPolicy.CANCEL
    """What a stop of the daemon does with open child orders: cancels them, or leaves them at the venue."""
    drain: Annotated[int, duration_s(1, DRAIN_S_MAX)] = 15
    """Longest time a stop may take."""


class MarketSection(Section):
    """`[market]`: how much of the book is read and how often the engine sees it."""

    book_depth: Annotated[int, one_of_numbers(BOOK_DEPTHS)] = 50
    """Levels of the order book that are subscribed to."""
    route_levels: Annotated[int, whole(0, 25)] = 0
    """Levels behind the touch that routed orders are divided by (docs/routing.md); each makes the journal longer."""
    conflate_ms: Annotated[int, whole(20, 1_000)] = 100
    """Shortest time between two snapshots of the book that the engine sees."""
    record_dir: Annotated[Path | None, path()] = None
    """Directory that the public streams are recorded in, word by word, a file for each hour; without it nothing is.
    `executor data import` reads the files. Relative to the directory in which a command is started."""


class SentinelSection(Section):
    """`[sentinel]`: the process that cancels everything when the daemon falls silent, and how long silence may last."""

    enabled: Annotated[bool, boolean()] = True
    """Whether a second process cancels everything when the daemon falls silent; with it nothing is opened before
    it is heard."""
    silence_s_max: Annotated[
        int, whole(SENTINEL_SILENCE_S_MIN, SENTINEL_SILENCE_S_MAX, "CONFIG_CONFLICT", SILENCE_WHY)
    ] = 8
    """Silence of the daemon at which it does so."""


class ReferencesSection(Section):
    """`[references]`: other exchanges asked for a second opinion about a price, and how often, seconds."""

    exchanges: Annotated[
        tuple[str, ...],
        words(
            REFERENCES_MAX,
            "the lower-case ccxt name of another exchange than bybit, such as binance",
            lambda value: bool(_EXCHANGE.match(value)),
        ),
    ] = ()
    """Other exchanges that are asked for a second opinion about a price, by their ccxt names; needs the extra
    `reference`."""
    poll_s: Annotated[int, whole(1, 60)] = 2
    """Time between two questions to each of them."""


class QueueModel(StrEnum):
    """Who leaves first when a level shrinks without a trade (docs/replay.md, R14)."""

    RISK_AVERSE = "risk_averse"
    PROPORTIONAL = "proportional"
    SQUARE = "square"
    CUBE = "cube"


class PaperSection(Section):
    """`[paper]`: the account and the wire that mode paper simulates; no other mode reads it."""

    balance: Annotated[Decimal, number("1", MONEY_MOST)] = Decimal(100_000)
    """What the account begins with, of every coin that symbols are quoted in."""
    leverage: Annotated[Decimal, number("1", "100")] = Decimal(10)
    """Value of contracts that one unit of margin carries."""
    maker_fee_rate: Annotated[Decimal, number("0", "0.01")] = Decimal("0.0002")
    """Fee of an order that waited, as a share of the value; of spot symbols 0.001 is usual."""
    taker_fee_rate: Annotated[Decimal, number("0", "0.01")] = Decimal("0.00055")
    """Fee of an order that took."""
    entry_ms: Annotated[int, whole(0, 10_000)] = 20
    """Time from our decision until the order meets the book; it then meets the one that is seen here by then."""
    answer_ms: Annotated[int, whole(0, 10_000)] = 10
    """Time until an answer or an execution is heard."""
    queue: Annotated[QueueModel, choice(QueueModel)] = QueueModel.RISK_AVERSE
    """Who leaves first when a level shrinks without a trade: those behind us, or a share of those ahead."""


class NoticesSection(Section):
    """`[notices]`: who is told of alarms (docs/notices.md)."""

    file: Annotated[Path | None, path()] = None
    """File that names webhook, Telegram chat and mail; it holds secrets, so only you may read it (mode 0600). Without
    it nobody is told. Relative to the directory in which a command is started."""


class LogSection(Section):
    """`[log]`: how much, and for whom."""

    level: Annotated[LogLevel, choice(LogLevel)] = LogLevel.INFO
    """How much is logged."""
    format: Annotated[LogFormat, choice(LogFormat)] = LogFormat.JSON
    """One JSON object per line, or text for people."""


SECTIONS: Final[dict[str, type[Section]]] = {
    "executor": ExecutorSection,
    "venue": VenueSection,
    "venues": VenuesSection,
    "limits": LimitsSection,
    "timings": TimingsSection,
    "control": ControlSection,
    "shutdown": ShutdownSection,
    "market": MarketSection,
    "sentinel": SentinelSection,
    "references": ReferencesSection,
    "adviser": AdviserSection,
    "paper": PaperSection,
    "impact": ImpactSection,
    "notices": NoticesSection,
    "log": LogSection,
}


def setting_names() -> list[str]:
    """Every `section.key` there is."""
    return [f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields]
