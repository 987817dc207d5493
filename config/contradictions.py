"""Settings that are each allowed and cannot be meant together."""

from collections.abc import Iterator
from decimal import Decimal

from config.problems import Problem
from config.schema import LimitsSection, TimingsSection
from executor.domain.units import plain

MS_PER_S = 1_000
SPREAD_SIDES = 2


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
    keys: tuple[str, str], values: tuple[Decimal, Decimal], allowed: str, origins: dict[str, str]
) -> Problem:
    return Problem(
        code="CONFIG_CONFLICT",
        where=" and ".join(f"{key} ({origins.get(key, 'default')})" for key in keys),
        got=" and ".join(plain(value) for value in values),
        allowed=allowed,
        next_step="change one of the two",
    )
