"""Mark and index price beside the fair value, and the premium that bands and funding are made of."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.bybit_server.figures import ZERO

INDEX_SPREAD: Final = 0.5e-4
INDEX_MEMORY_S: Final = 60.0
MARK_SPREAD: Final = 1.5e-4
MARK_MEMORY_S: Final = 120.0
INTEREST: Final = Decimal("0.0001")
DAMPER: Final = Decimal("0.0005")
FUNDING_RATE_MAX: Final = Decimal("0.00375")
RATE_PLACES: Final = Decimal("1E-8")


class ReferencePrices:
    """Two small distances that wander and come back: index from fair value, mark from index.

    Parameters
    ----------
    rng
        Chance; without it the distances stay at zero.
    """

    def __init__(self, rng: Random | None) -> None:
        self._rng = rng
        self._index_off = 0.0
        self._mark_off = 0.0

    def quote(self, fair_ticks: float, elapsed_s: float) -> tuple[float, float]:
        """Return index and mark, in ticks, some time after the last call.

        Each distance is an Ornstein-Uhlenbeck process: it decays by ``exp(-t / memory)`` and takes fresh noise
        that keeps its standing deviation at its spread (fractions of the price).
        """
        if self._rng is not None and elapsed_s > 0:
            self._index_off = self._wander(self._index_off, INDEX_SPREAD, INDEX_MEMORY_S, elapsed_s)
            self._mark_off = self._wander(self._mark_off, MARK_SPREAD, MARK_MEMORY_S, elapsed_s)
        index_ticks = fair_ticks * (1 + self._index_off)
        return index_ticks, index_ticks * (1 + self._mark_off)

    def _wander(self, off: float, spread: float, memory_s: float, elapsed_s: float) -> float:
        assert self._rng is not None
        kept = math.exp(-elapsed_s / memory_s)
        return off * kept + self._rng.gauss(0.0, spread * math.sqrt(1 - kept * kept))


class PremiumGauge:
    """Mean distance of the middle of the book from the mark price, over a window of seconds.

    Parameters
    ----------
    window_s
        How many samples, one a second, the mean is taken over.
    """

    def __init__(self, window_s: int) -> None:
        self._samples: Final[deque[Decimal]] = deque(maxlen=window_s)
        self._sum = ZERO
        self._last_s = -1
        self._ratio = ZERO

    def is_due(self, at_s: int) -> bool:
        """Tell whether this second has no sample yet."""
        return at_s != self._last_s

    def note(self, at_s: int, distance: Decimal, index_px: Decimal) -> None:
        """Take a sample."""
        self._last_s = at_s
        if len(self._samples) == self._samples.maxlen:
            self._sum -= self._samples[0]
        self._samples.append(distance)
        self._sum += distance
        self._ratio = self.mean() / index_px

    def mean(self) -> Decimal:
        """Return the mean in quote coin, 0 before the first sample."""
        return self._sum / len(self._samples) if self._samples else ZERO

    def funding_rate(self) -> Decimal:
        """Return the rate that longs pay to shorts at the next funding.

        ``P + clamp(interest - P, -0.05 %, 0.05 %)`` within 0.375 % either way, where P is the premium as a
        fraction of the index and the interest 0.01 %.
        """
        premium = self._ratio
        rate = premium + min(DAMPER, max(-DAMPER, INTEREST - premium))
        return min(FUNDING_RATE_MAX, max(-FUNDING_RATE_MAX, rate)).quantize(RATE_PLACES)
