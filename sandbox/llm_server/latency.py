"""How long the server takes to answer: always the same, or spread as real ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from sandbox.llm_server.wire_json import JsonObject

MEDIAN_MS_MAX: Final = 600_000.0
SIGMA_MAX: Final = 3.0
LATENCY_MS_MAX: Final = 600_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A lognormal law.

    Parameters
    ----------
    median_ms
        Half of the answers are faster.
    sigma
        Standard deviation of the logarithm; 0 makes it a constant, 0.5 lets one in twenty take 2.3 times as long.
    """

    median_ms: float = 0.0
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.median_ms <= MEDIAN_MS_MAX:
            raise ValueError(f"the median latency must be 0 to {MEDIAN_MS_MAX:g} ms, not {self.median_ms:g}")
        if not 0.0 <= self.sigma <= SIGMA_MAX:
            raise ValueError(f"sigma must be 0 to {SIGMA_MAX:g}, not {self.sigma:g}")

    def draw_ms(self, chance: Random) -> float:
        """Return the latency of the next answer."""
        return min(LATENCY_MS_MAX, self.median_ms * math.exp(self.sigma * chance.gauss(0.0, 1.0)))

    def shape(self) -> JsonObject:
        """Return it for the control plane."""
        return {"median_ms": self.median_ms, "sigma": self.sigma}
