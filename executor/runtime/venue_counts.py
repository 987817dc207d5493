"""How the ways to other venues stand, as the metrics take it; whoever walks them counts."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueCounts:
    """One look at the way to a venue.

    Parameters
    ----------
    venue
        Its name, as it stands behind the `@` of a symbol.
    answered, unanswered
        Questions with a whole answer, and with none, since the process began.
    barred
        Times that it asked for fewer requests, or barred our address.
    read_ns
        When each thing was last read, UTC nanoseconds; what was not read yet is not in it.
    """

    venue: str
    answered: int
    unanswered: int
    barred: int
    read_ns: Mapping[str, int]
