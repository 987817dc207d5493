"""A model's estimate and an adviser's opinion of it in one, by a weight and within the factors an adviser may name."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from impact.protocol import Displacement, Execution, ImpactModel, Pace, written

FACTOR_MIN: Final = 0.5
FACTOR_MAX: Final = 2.0
"""How far an adviser may move an estimate; the same as of its answers (`executor.advice.reply`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """(1 - w) M + w f M: a model M of which an adviser says that the truth is f times as much, believed with weight w.

    All that the model says is scaled by 1 + w (f - 1), so a model by which no round trip earns stays one. The plausible
    range holds both the model's own and the adviser's, since nobody knows the weight that is right: it is measured by
    scoring both against what happened.

    Parameters
    ----------
    model
        M.
    factor
        f, 0.5-2.
    weight
        w, 0-1.
    """

    model: ImpactModel
    factor: float
    weight: float

    def __post_init__(self) -> None:
        """Refuse what no adviser may say."""
        if not isfinite(self.factor) or not FACTOR_MIN <= self.factor <= FACTOR_MAX:
            raise ValueError(f"an adviser's factor is {FACTOR_MIN:g} to {FACTOR_MAX:g}, got {self.factor}")
        if not 0.0 <= self.weight <= 1.0:
            raise ValueError(f"a weight is 0 to 1, got {self.weight}")

    @property
    def name(self) -> str:
        """As people write it, the model last."""
        return f"{written('hybrid', factor=self.factor, weight=self.weight)},of={self.model.name}"

    def bounds(self) -> tuple[Self, Self]:
        """Give the least and the greatest of what the model and the adviser think plausible."""
        low, high = self.model.bounds()
        kind = type(self)
        return (
            kind(model=low, factor=min(1.0, self.factor), weight=1.0),
            kind(model=high, factor=max(1.0, self.factor), weight=1.0),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution."""
        scale = self._scale()
        return [
            Displacement(scale * one.before_bps, scale * one.after_bps, scale * one.paid_bps)
            for one in self.model.along(executions, pace)
        ]

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced, basis points."""
        return self._scale() * self.model.remaining_bps(executions, pace, at_ns)

    def _scale(self) -> float:
        return 1.0 + self.weight * (self.factor - 1.0)
