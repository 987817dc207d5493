"""Facts of a simulated market beside those of recorded ones, the gates, and a price that has none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from backtest.market.recorded_facts import RecordedFacts
from simulation.phenomena.stylised_facts import GATES, Bound, Figure, Gate

_ALL: Final = tuple(gate.number for gate in GATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one gate, as far as it was measured.

    Parameters
    ----------
    simulated, recorded, control
        Median over the seeds; figures of the recordings in their order; and of the control.
    """

    gate: Gate
    bound: Bound
    simulated: float | None
    recorded: tuple[float | None, ...]
    control: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """The whole table.

    Parameters
    ----------
    simulated
        Name of the scenario, or None where only recordings are shown.
    seeds, steps
        How many runs of how many steps the medians are of.
    recordings, control
        Names, with the number and length of their steps.
    passed
        By the number of each gate: whether the simulated market is inside. A gate whose figures were not asked for is
        not among them.
    refused
        Numbers of the gates that refuse the control, of those that can measure it.
    """

    simulated: str | None
    seeds: int
    steps: int
    recordings: tuple[str, ...]
    control: str
    rows: tuple[Row, ...]
    passed: dict[int, bool]
    refused: tuple[int, ...]

    def record(self) -> dict[str, object]:
        """Give the table for machines."""
        return {
            "simulated": self.simulated,
            "seeds": self.seeds,
            "steps": self.steps,
            "recordings": list(self.recordings),
            "control": self.control,
            "gates": [
                {
                    "gate": row.gate.number,
                    "name": row.gate.name,
                    "figure": row.bound.figure.value,
                    "simulated": row.simulated,
                    "recorded": list(row.recorded),
                    "low": _end(row.bound.low),
                    "high": _end(row.bound.high),
                    "inside": None if row.simulated is None else row.bound.holds(row.simulated),
                    "control": row.control,
                }
                for row in self.rows
            ],
            "passed": {str(number): passed for number, passed in self.passed.items()},
            "control_refused_by": list(self.refused),
        }


def side_by_side(
    simulated: Mapping[Figure, float] | None,
    recordings: Sequence[RecordedFacts],
    control: tuple[str, Mapping[Figure, float]],
    *,
    name: str | None = None,
    seeds: int = 0,
    steps: int = 0,
    gates: Sequence[int] = _ALL,
) -> SideBySide:
    """Put the figures of some gates side by side.

    Parameters
    ----------
    simulated
        Medians over the seeds; None shows recordings alone.
    control
        Name and medians of a price without the facts.
    gates
        Numbers of those that are asked for.
    """
    asked = [gate for gate in GATES if gate.number in gates]
    rows = tuple(
        Row(
            gate=gate,
            bound=bound,
            simulated=None if simulated is None else simulated.get(bound.figure),
            recorded=tuple(one.figures.get(bound.figure) for one in recordings),
            control=control[1].get(bound.figure),
        )
        for gate in asked
        for bound in gate.bounds
    )
    return SideBySide(
        simulated=name,
        seeds=seeds,
        steps=steps,
        recordings=tuple(f"{one.name}, {one.steps} x {one.step_s:g} s" for one in recordings),
        control=control[0],
        rows=rows,
        passed={} if simulated is None else {gate.number: gate.passed(simulated) for gate in asked},
        refused=tuple(
            gate.number for gate in asked if gate.measurable(control[1]) and not gate.passed(control[1])
        ),
    )


def bound_words(bound: Bound) -> str:
    """Write the bounds of a figure as people read them."""
    if not isfinite(bound.high):
        return "above 0" if bound.low < 1e-300 else f"{bound.low:g} or more"
    return f"{bound.low:g} to {bound.high:g}"


def _end(value: float) -> float | None:
    return value if isfinite(value) else None
