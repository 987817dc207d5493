"""How the way to a venue stands, for people to see: its clock, and how much of what it allows is used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFigures:
    """One look at the way to a venue.

    Parameters
    ----------
    clock_offset_ms
        The venue's clock minus ours, milliseconds; None before it was measured.
    used_ratios
        Name of a budget of requests, and requests counted against it over what it allows, >= 0.
    """

    clock_offset_ms: int | None
    used_ratios: tuple[tuple[str, float], ...]
