"""How the displacement of the price wears off after an order that was worked evenly, by a power law."""

from collections.abc import Sequence
from math import expm1, isfinite, log1p
from typing import Final

from impact.protocol import Execution

BETA_USUAL: Final = 0.22
"""As Bucci and others measured it on real orders; others found 0.19 and 0.24 (arXiv 2602.19590 compares them)."""


def relaxed(z: float, beta: float) -> float:
    """Share of the peak displacement that is left: I(z) / I(1) = z^(1 - beta) - (z - 1)^(1 - beta).

    It is what a propagator that decays as t^-beta leaves of an even order (J.-P. Bouchaud, J. Bonart, J. Donier and
    M. Gould, Trades, Quotes and Prices, 2018).

    Parameters
    ----------
    z
        Time since the order began over the time it took, >= 1; infinite for an order that took none.
    beta
        Exponent of the decay, 0 < beta < 1.

    Raises
    ------
    ValueError
        If an input is outside its range.
    """
    if not z >= 1.0 or not 0.0 < beta < 1.0:
        raise ValueError(f"a decay is told for z >= 1 and 0 < beta < 1, got {z} and {beta}")
    if not isfinite(z):
        return 0.0
    if z < 2.0:
        return float(z ** (1.0 - beta) - (z - 1.0) ** (1.0 - beta))
    return -float(z ** (1.0 - beta)) * expm1((1.0 - beta) * log1p(-1.0 / z))


def times_worked(executions: Sequence[Execution], at_ns: int) -> float:
    """How often the time that an order took has gone by since it began; 1 at its end.

    Parameters
    ----------
    executions
        Not empty, in order of time.
    at_ns
        A time after the last of them, UTC.
    """
    first_ns, end_ns = executions[0].at_ns, executions[-1].end_ns
    if at_ns == end_ns:
        return 1.0
    return (at_ns - first_ns) / (end_ns - first_ns) if end_ns > first_ns else float("inf")
