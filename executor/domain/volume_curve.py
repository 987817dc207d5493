"""How a week's volume usually spreads over its hours, and the hours of the three sessions; UTC throughout.

An order that uses a curve carries it, whole and in integers: a journal needs no other file to be replayed.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.units import ONE, ZERO, Quantity, is_plain, plain

HOURS_PER_DAY: Final = 24
HOURS_PER_WEEK: Final = 7 * HOURS_PER_DAY
WHOLE_PPM: Final = 1_000_000
CURVE_NAME_CHARS_MAX: Final = 40
SESSION_WEIGHT_MIN: Final = Decimal("0.1")
SESSION_WEIGHT_MAX: Final = Decimal(10)


class Session(StrEnum):
    """When which part of the world works."""

    ASIA = "asia"
    EUROPE = "europe"
    US = "us"


SESSION_HOURS: Final = {
    Session.ASIA: range(8),
    Session.EUROPE: range(7, 16),
    Session.US: range(13, 21),
}
"""Hours of the day, UTC, each to its end: Asia 00:00 to 08:00, Europe 07:00 to 16:00, the United States 13:00 to 21:00.

They are the same in summer and winter, and overlap as the sessions do; 21:00 to 24:00 belongs to none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWeights:
    """How much more (or less) an order wants of the volume of each session than of the hours outside them.

    Parameters
    ----------
    asia, europe, us
        0.1 to 10; 1 leaves a session as it is, 2 doubles its share against the rest.
    """

    asia: Decimal = ONE
    europe: Decimal = ONE
    us: Decimal = ONE

    def __post_init__(self) -> None:
        """Refuse a weight that means nothing."""
        for session in Session:
            weight = self.of(session)
            if not weight.is_finite() or not SESSION_WEIGHT_MIN <= weight <= SESSION_WEIGHT_MAX:
                raise ValueError(
                    f"weight of session {session} must be {SESSION_WEIGHT_MIN} to {SESSION_WEIGHT_MAX}, got {weight}"
                )

    def __str__(self) -> str:
        return ",".join(f"{session}={plain(self.of(session))}" for session in Session)

    def of(self, session: Session) -> Decimal:
        """Weight of one session."""
        return {Session.ASIA: self.asia, Session.EUROPE: self.europe, Session.US: self.us}[session]

    def at_hour(self, hour: int) -> Decimal:
        """Weight of an hour of the day, 0 to 23: the mean of the sessions that are open, 1 where none is."""
        open_now = [self.of(session) for session, hours in SESSION_HOURS.items() if hour in hours]
        return sum(open_now, Decimal(0)) / len(open_now) if open_now else ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCurve:
    """Expected share of a week's volume by hour of the week.

    Parameters
    ----------
    name
        1 to 40 characters a-z, 0-9, `-` and `_`.
    weights_ppm
        Share of each of the 168 hours of a week, parts per million; the first is Monday 00:00 to 01:00 UTC. Each is at
        least 1, and they sum exactly to a million.
    week_qty
        Volume of a usual week, base units, > 0; None where the curve tells a shape alone.
    """

    name: str
    weights_ppm: tuple[int, ...]
    week_qty: Quantity | None = None

    def __post_init__(self) -> None:
        """Refuse what is no curve."""
        if not is_curve_name(self.name):
            raise ValueError(
                f"name of a volume curve: 1 to {CURVE_NAME_CHARS_MAX} characters a-z 0-9 - _, got {self.name[:80]!r}"
            )
        if len(self.weights_ppm) != HOURS_PER_WEEK:
            raise ValueError(
                f"{self.name}: a curve has {HOURS_PER_WEEK} hours of a week, got {len(self.weights_ppm)}"
            )
        for hour, weight in enumerate(self.weights_ppm):
            if type(weight) is not int or weight < 1:
                raise ValueError(
                    f"{self.name}: hour {hour} must be a whole number of parts per million, at least 1, got {weight!r}"
                )
        if self.week_qty is not None and not (is_plain(self.week_qty) and self.week_qty > ZERO):
            raise ValueError(
                f"{self.name}: a week's volume must be a plain number above 0, got {self.week_qty}"
            )
        if sum(self.weights_ppm) != WHOLE_PPM:
            raise ValueError(
                f"{self.name}: the hours must sum to {WHOLE_PPM} parts per million, got {sum(self.weights_ppm)}"
            )

    def __hash__(self) -> int:
        """Hash the name: curves are looked up at every decision, and seldom are two of one name in use."""
        return hash(self.name)

    def __str__(self) -> str:
        return self.name


def is_curve_name(text: str) -> bool:
    """Tell whether a text can name a curve: short, and a plain name of a file."""
    return 1 <= len(text) <= CURVE_NAME_CHARS_MAX and all(
        letter in "abcdefghijklmnopqrstuvwxyz0123456789-_" for letter in text
    )
