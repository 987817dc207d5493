"""How long to stay away after a connection ended. Pure; the random numbers are handed in.

The venue counts 500 new connections in 5 minutes and address. One connection that never lives longer than a moment
settles at one attempt in 5 to 15 seconds, 60 in 5 minutes at the very most; this daemon keeps six at most.
"""

from random import Random
from typing import Final

STEPS_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TURNED_AWAY_S: Final = 60.0
_STEADY_S: Final = 30.0


class Backoff:
    """Waits of one connection.

    Parameters
    ----------
    random
        Seeded; spreads the attempts of several connections in time.
    steps_s
        Waits after the first failure, the second, …, the last one repeated, seconds, each taken between half
        and one and a half times.
    """

    def __init__(self, random: Random, steps_s: tuple[float, ...] = STEPS_S) -> None:
        self._random = random
        self._steps_s = steps_s
        self._failures = 0

    def next_s(self, joined_s: float, *, turned_away: bool) -> float:
        """Time until the next attempt, seconds.

        Parameters
        ----------
        joined_s
            How long the last connection lasted from when it was joined, seconds; 0 if it never was. A steady one
            pardons all earlier failures; one that only took long to fail does not.
        turned_away
            The venue said that it does not want us: come back slowly, and never sooner than after a minute.
        """
        if turned_away:
            return TURNED_AWAY_S * self._random.uniform(1.0, 1.5)
        self._failures = 0 if joined_s > _STEADY_S else self._failures + 1
        step = min(self._failures, len(self._steps_s) - 1)
        return self._steps_s[step] * self._random.uniform(0.5, 1.5)
