"""Numbers with a tail that falls as a power, by the basic operations alone, so that every machine draws the same."""

from simulation.draws import Draws


def pareto(draws: Draws, tail_ratio: float) -> float:
    """Draw a number of 1 or more, P(x > n) = n^-alpha: one word of the stream.

    Parameters
    ----------
    draws
        The stream.
    tail_ratio
        alpha, above 0.
    """
    # A waiting time of mean 1 / alpha is the logarithm of such a number.
    return _exp(draws.exponential() / tail_ratio)


def _exp(exponent: float) -> float:
    """Raise e to a power: a series near zero, and doubling."""
    halvings = 0
    while exponent > 0.125:
        exponent /= 2.0
        halvings += 1
    term, total = 1.0, 1.0
    for number in range(1, 12):
        term *= exponent / number
        total += term
    for _ in range(halvings):
        total *= total
    return total
