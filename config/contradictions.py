"""Settings that are each allowed and cannot be meant together."""

from collections.abc import Iterator
from decimal import Decimal

from config.adviser import AdviserSection, TapeMode
from config.hosts import Mode, without_endpoint
from config.impact import ImpactSection
from config.problems import Problem, quoted
from config.schema import (
    ExecutorSection,
    LimitsSection,
    MarketSection,
    OrderEntry,
    PositionMode,
    ReferencesSection,
    SentinelSection,
    TimingsSection,
    VenueSection,
)
from executor.domain.units import plain

MS_PER_S = 1_000
SPREAD_SIDES = 2
OPINIONS_OF_THE_VENUE = 2
"""Its mark price and its index price."""


def contradictions(
    limits: LimitsSection | None, timings: TimingsSection | None, origins: dict[str, str]
) -> list[Problem]:
    """Find every pair of settings that contradict each other; None stands for a section with other problems."""
    problems: list[Problem] = []
    if limits is not None:
        problems += [_not_above(low, high, limits, origins) for low, high in _pairs_upside_down(limits)]
        if limits.price_collar_bps_max * SPREAD_SIDES < limits.cross_spread_bps_max:
            problems.append(
                _conflict(
                    ("limits.price_collar_bps_max", "limits.cross_spread_bps_max"),
                    (limits.price_collar_bps_max, limits.cross_spread_bps_max),
                    "a collar of at least half the spread that may be crossed",
                    origins,
                )
            )
    if timings is not None:
        if timings.reconcile_s < timings.query_gap_s:
            problems.append(
                _conflict(
                    ("timings.reconcile_s", "timings.query_gap_s"),
                    (Decimal(timings.reconcile_s), Decimal(timings.query_gap_s)),
                    "timings.reconcile_s not below timings.query_gap_s",
                    origins,
                )
            )
        if timings.absence_margin_s * MS_PER_S < timings.recv_window_ms:
            problems.append(
                _conflict(
                    ("timings.absence_margin_s", "timings.recv_window_ms"),
                    (Decimal(timings.absence_margin_s), Decimal(timings.recv_window_ms)),
                    "a margin (seconds) not shorter than the window (milliseconds)",
                    origins,
                )
            )
    return problems


def reference_contradictions(
    limits: LimitsSection | None, references: ReferencesSection | None, origins: dict[str, str]
) -> list[Problem]:
    """Find second opinions that never come or always come too late; None stands for a section with other problems."""
    if limits is None or references is None:
        return []
    problems = []
    if limits.second_opinion_age_s_max < references.poll_s:
        problems.append(
            _conflict(
                ("limits.second_opinion_age_s_max", "references.poll_s"),
                (limits.second_opinion_age_s_max, Decimal(references.poll_s)),
                "limits.second_opinion_age_s_max not below references.poll_s",
                origins,
            )
        )
    if limits.references_min > OPINIONS_OF_THE_VENUE + len(references.exchanges):
        problems.append(
            _conflict(
                ("limits.references_min", "references.exchanges"),
                (Decimal(limits.references_min), f"{len(references.exchanges)} exchanges"),
                "at most the mark and the index price, and one opinion of each exchange",
                origins,
            )
        )
    return problems


def venue_contradictions(
    executor: ExecutorSection | None, venue: VenueSection | None, origins: dict[str, str]
) -> list[Problem]:
    """Find what the chosen environment does not offer; None stands for a section with other problems."""
    if executor is None or venue is None:
        return []
    if executor.mode is not Mode.DEMO or venue.order_entry is not OrderEntry.WEBSOCKET:
        return []
    return [
        _conflict(
            ("executor.mode", "venue.order_entry"),
            (executor.mode.value, venue.order_entry.value),
            f'venue.order_entry = "{OrderEntry.REST}" in mode {Mode.DEMO}: its hosts take no orders over a connection',
            origins,
        )
    ]


def paper_contradictions(
    venue: VenueSection | None,
    market: MarketSection | None,
    sentinel: SentinelSection | None,
    origins: dict[str, str],
) -> list[Problem]:
    """Find what paper trading cannot do; None stands for a section with other problems."""
    found = []
    if venue is not None and venue.position_mode is PositionMode.HEDGE:
        found.append(("venue.position_mode", venue.position_mode.value, "one_way: one position is simulated"))
    if venue is not None and venue.dcp_window_s:
        found.append(
            ("venue.dcp_window_s", str(venue.dcp_window_s), "0: there is nothing to cancel at the venue")
        )
    if venue is not None and venue.order_entry is OrderEntry.WEBSOCKET:
        found.append(("venue.order_entry", venue.order_entry.value, "rest: no order is sent anywhere"))
    if market is not None and market.book_depth == 1:
        found.append(("market.book_depth", "1", "50, 200 or 1000: queues and sweeps need levels"))
    if sentinel is not None and sentinel.enabled:
        found.append(("sentinel.enabled", "true", "false: there is nothing to cancel at the venue"))
    return [
        _conflict(("executor.mode", name), (Mode.PAPER.value, value), f"{name} {allowed}", origins)
        for name, value, allowed in found
    ]


def impact_contradictions(impact: ImpactSection | None, origins: dict[str, str]) -> list[Problem]:
    """Find calibrations that are due of nothing; None stands for a section with other problems."""
    if impact is None or not impact.calibrate_s or impact.instruments:
        return []
    return [
        _conflict(
            ("impact.calibrate_s", "impact.instruments"),
            (Decimal(impact.calibrate_s), "nothing"),
            "instruments to calibrate, or impact.calibrate_s = 0",
            origins,
        )
    ]


def adviser_contradictions(
    adviser: AdviserSection | None, limits: LimitsSection | None, origins: dict[str, str]
) -> list[Problem]:
    """Find what a model cannot be asked with, or without; None stands for a section with other problems."""
    if adviser is None:
        return []
    problems = [
        _conflict(
            (f"adviser.{low}", f"adviser.{high}"), values, f"adviser.{low} not above adviser.{high}", origins
        )
        for low, high in _ADVISER_ORDER
        for values in [(Decimal(getattr(adviser, low)), Decimal(getattr(adviser, high)))]
        if values[0] > values[1]
    ]
    if limits is not None and adviser.deadline_s > limits.advice_timeout_s_max:
        problems.append(
            _conflict(
                ("adviser.deadline_s", "limits.advice_timeout_s_max"),
                (adviser.deadline_s, limits.advice_timeout_s_max),
                "adviser.deadline_s not above limits.advice_timeout_s_max",
                origins,
            )
        )
    both = sorted(set(adviser.capabilities_on) & set(adviser.capabilities_off))
    if both:
        problems.append(
            _conflict(
                ("adviser.capabilities_on", "adviser.capabilities_off"),
                (", ".join(both), "the same"),
                "each word in one of the two lists",
                origins,
            )
        )
    root = without_endpoint(adviser.base_url)
    if root is not None:
        problems.append(_too_long(adviser.base_url, root, origins))
    if adviser.enabled:
        problems += [_missing(name, allowed) for name, allowed in _lacking(adviser)]
    if adviser.asks and any((adviser.input_price, adviser.cached_price, adviser.output_price)):
        problems += [_forbids_all(name, origins) for name in _COST_CAPS if not getattr(adviser, name)]
    return problems


_ADVISER_ORDER = (
    ("deadline_s", "interval_s"),
    ("min_gap_s", "interval_s"),
    ("wait_s_max", "hold_s_max"),
    ("breaker_open_s", "breaker_open_s_max"),
    ("deadline_s", "breaker_probe_s"),
    ("parent_cost_max", "day_cost_max"),
    ("hour_cost_max", "day_cost_max"),
    ("parent_calls_max", "day_calls_max"),
    ("hour_calls_max", "day_calls_max"),
)
"""Settings of which the first may not be above the second."""
_COST_CAPS = ("parent_cost_max", "hour_cost_max", "day_cost_max")
_PRICE_FORM = "a price for 10^6 tokens, 0 for a model of your own: without it no cap on the cost can hold"


def _lacking(adviser: AdviserSection) -> Iterator[tuple[str, str]]:
    """What must be written once a model is asked, and what would do; a recording needs its model only."""
    if not adviser.model:
        yield "model", "the name under which the server knows the model"
    if adviser.tape is TapeMode.REPLAY:
        return
    if not adviser.base_url:
        yield "base_url", "the address of an OpenAI-compatible server, up to /v1"
    for name in ("input_price", "output_price"):
        if getattr(adviser, name) is None:
            yield name, _PRICE_FORM


def _too_long(url: str, root: str, origins: dict[str, str]) -> Problem:
    return Problem(
        code="CONFIG_HOST",
        where=origins.get("adviser.base_url", "default"),
        got=f"adviser.base_url = {quoted(url)}",
        allowed="the address up to and with /v1: what follows is added with each question",
        next_step=f"write base_url = {quoted(root)}",
    )


def _forbids_all(name: str, origins: dict[str, str]) -> Problem:
    """Say that a model is wanted and no question to it can ever be paid."""
    return _conflict(
        ("adviser.enabled", f"adviser.{name}"),
        ("true", Decimal(0)),
        f"adviser.{name} above 0 where the model has a price: with 0 no question is ever asked",
        origins,
    )


def _missing(name: str, allowed: str) -> Problem:
    return Problem(
        code="CONFIG_MISSING",
        where=f"adviser.{name}",
        got="nothing, with adviser.enabled = true",
        allowed=allowed,
        next_step=f"write {name} under [adviser] in your --config file, or enabled = false",
    )


def _pairs_upside_down(limits: LimitsSection) -> Iterator[tuple[str, str]]:
    """Pairs of limits of which the first may not be above the second, and is."""
    for low, high in (
        ("child_notional_max", "open_notional_max"),
        ("child_notional_max", "position_notional_max"),
        ("child_notional_max", "day_notional_max"),
        ("orders_per_s_max", "orders_per_min_max"),
        ("orders_per_min_max", "orders_per_day_max"),
    ):
        smaller, larger = getattr(limits, low), getattr(limits, high)
        if smaller is not None and larger is not None and smaller > larger:
            yield low, high


def _not_above(low: str, high: str, limits: LimitsSection, origins: dict[str, str]) -> Problem:
    return _conflict(
        (f"limits.{low}", f"limits.{high}"),
        (Decimal(getattr(limits, low)), Decimal(getattr(limits, high))),
        f"limits.{low} not above limits.{high}",
        origins,
    )


def _conflict(
    keys: tuple[str, str],
    values: tuple[Decimal | str, Decimal | str],
    allowed: str,
    origins: dict[str, str],
) -> Problem:
    return Problem(
        code="CONFIG_CONFLICT",
        where=" and ".join(f"{key} ({origins.get(key, 'default')})" for key in keys),
        got=" and ".join(value if isinstance(value, str) else plain(value) for value in values),
        allowed=allowed,
        next_step="change one of the two",
    )
