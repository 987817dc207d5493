"""Every setting: its section, its name, its allowed values and its default.

The defaults of limits and timings are those of the domain; this room adds what may be written. Sections are
validated one by one, so that a problem in one does not hide a problem in another.
"""

import re
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict

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


class Section(BaseModel):
    """What all sections share: strict types, no unknown names, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ExecutorSection(Section):
    """`[executor]`: who we are, what we trade against, and where our records lie."""

    instance: Annotated[
        str,
        text("INSTANCE_ID", "1 to 8 characters a-z and 0-9", lambda value: bool(_INSTANCE.match(value))),
    ] = "exec1"
    mode: Annotated[Mode, choice(Mode)] = Mode.SANDBOX
    data_dir: Annotated[Path, path()] = Path("var/sandbox")


class VenueSection(Section):
    """`[venue]`: addresses (chosen by the mode when not given), where the API key lies, and how orders are sent.

    `dcp_window_s` is the time after which the venue itself cancels when our connection is lost, seconds; 0 leaves
    the venue's setting alone. `allow_unbound_key` lets a key trade that is not bound to our address.
    """

    rest_url: _Url = ""
    public_ws_url: _Url = ""
    private_ws_url: _Url = ""
    api_key_file: Annotated[Path | None, path()] = None
    request_timeout_s: Annotated[int, whole(1, 60)] = 10
    order_entry: Annotated[OrderEntry, choice(OrderEntry)] = OrderEntry.REST
    position_mode: Annotated[PositionMode, choice(PositionMode)] = PositionMode.ONE_WAY
    dcp_window_s: Annotated[int, whole_or_zero(*DCP_S)] = 0
    allow_unbound_key: Annotated[bool, boolean()] = False


class LimitsSection(Section):
    """`[limits]`: every field of `executor.domain.limits.Limits`."""

    participation_pct_max: Annotated[Decimal, number("0.01", "100")] = _LIMITS.participation_pct_max
    child_notional_max: _Money = _LIMITS.child_notional_max
    order_gap_s_min: Annotated[Decimal, number("0.1", "3600", "CONFIG_CONFLICT")] = _LIMITS.order_gap_s_min
    cross_spread_bps_max: Annotated[Decimal, number("0.01", "1000")] = _LIMITS.cross_spread_bps_max
    price_collar_bps_max: Annotated[Decimal, number("0.1", COLLAR_BPS_MAX, "CONFIG_CONFLICT")] = (
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
    port: Annotated[int, whole(0, 65_535)] = 8_720
    token_file: Annotated[Path | None, path()] = None


class ShutdownSection(Section):
    """`[shutdown]`: what happens to open orders when the daemon is asked to end, and how long it may take."""

    policy: Annotated[DrainPolicy, choice(DrainPolicy)] = DrainPolicy.CANCEL
    drain: Annotated[int, duration_s(1, DRAIN_S_MAX)] = 15


class MarketSection(Section):
    """`[market]`: how much of the book is read and how often the engine sees it."""

    book_depth: Annotated[int, one_of_numbers(BOOK_DEPTHS)] = 50
    conflate_ms: Annotated[int, whole(20, 1_000)] = 100


class SentinelSection(Section):
    """`[sentinel]`: the process that cancels everything when the daemon falls silent, and how long silence may last."""

    enabled: Annotated[bool, boolean()] = True
    silence_s_max: Annotated[
        int, whole(SENTINEL_SILENCE_S_MIN, SENTINEL_SILENCE_S_MAX, "CONFIG_CONFLICT")
    ] = 8


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
    poll_s: Annotated[int, whole(1, 60)] = 2


class LogSection(Section):
    """`[log]`: how much, and for whom."""

    level: Annotated[LogLevel, choice(LogLevel)] = LogLevel.INFO
    format: Annotated[LogFormat, choice(LogFormat)] = LogFormat.JSON


SECTIONS: Final[dict[str, type[Section]]] = {
    "executor": ExecutorSection,
    "venue": VenueSection,
    "limits": LimitsSection,
    "timings": TimingsSection,
    "control": ControlSection,
    "shutdown": ShutdownSection,
    "market": MarketSection,
    "sentinel": SentinelSection,
    "references": ReferencesSection,
    "log": LogSection,
}


def setting_names() -> list[str]:
    """Every `section.key` there is."""
    return [f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields]
