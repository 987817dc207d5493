"""From orders that were seen to the parameters of a model, each with its error; refused where they mean nothing.

The newest orders of a rolling window are fitted by the estimator of the model. Orders that share a market at the same
time are not independent, so the errors are also found by leaving out one block of time after the other, and the greater
of the two is told. Before anything is given back the model is built, and held against round trips that would earn
money.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum, log, sqrt
from typing import Final

from impact.estimation.observed import Observed, newest
from impact.estimation.size_law import fit_factor, fit_size_law
from impact.estimation.two_parts import fit_two_parts
from impact.estimation.wearing_off import fit_recovery, fit_slow_decay
from impact.models import build_model, read_model
from impact.parameters import Estimate

WINDOW_USUAL: Final = 1_000
"""Own orders that a calibration looks back on."""
WINDOW_TRADES: Final = 20_000
"""The same for orders made up from public trades, which are many and say little each."""
BLOCKS: Final = 10
_BLOCK_ORDERS_MIN: Final = 20
_Z_MIN: Final = 2.0
_S_PER_DAY: Final = 86_400.0
_SIGMA: Final = "daily standard deviations"
_EXPONENT: Final = "exponent"
_PARTS: Final = {"gamma": _SIGMA, "eta": _SIGMA, "beta": _EXPONENT}

Told = Mapping[str, tuple[float, float]]
"""Value and standard error by the name of the parameter."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a model is calibrated; `told` names what must be told from zero, or there is no such model in the orders."""

    model: str
    fit: Callable[[Sequence[Observed]], Told]
    units: Mapping[str, str]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A model with its estimates.

    Parameters
    ----------
    model
        As `impact.models` reads it.
    orders
        What it was fitted to, in order of time.
    """

    model: str
    estimates: tuple[Estimate, ...]
    orders: tuple[Observed, ...]


def calibrate(kind: str, orders: Sequence[Observed], window: int = WINDOW_USUAL) -> Calibrated:
    """Estimate the parameters of a kind of model from the newest orders.

    Parameters
    ----------
    kind
        One of `KINDS`.
    window
        How many of the newest orders are taken, > 0.

    Raises
    ------
    ValueError
        If there is no such kind, the orders do not tell its parameters, or these mean nothing: among others where a
        round trip would earn money.
    """
    if kind not in _KINDS:
        raise ValueError(f"no calibration of {kind!r}; there is one of {', '.join(KINDS)}")
    chosen = newest(orders, window)
    how = _KINDS[kind]
    told = how.fit(chosen)
    errors = _jackknifed(how.fit, chosen)
    estimates = tuple(
        Estimate(
            name=name, value=value, standard_error=max(error, errors.get(name, 0.0)), unit=how.units[name]
        )
        for name, (value, error) in told.items()
    )
    for one in estimates:
        if one.name in how.told and one.value < _Z_MIN * one.standard_error:
            raise ValueError(
                f"{one.name} cannot be told from nothing: {one.value:.3g} with an error of {one.standard_error:.3g}"
            )
    model = build_model(how.model, {one.name: one.value for one in estimates})
    read_model(model.name)  # what is kept must be read again
    return Calibrated(model=model.name, estimates=estimates, orders=tuple(chosen))


def _square_root(orders: Sequence[Observed]) -> Told:
    law = fit_factor(orders, 0.5)
    return {"factor": (law.factor, law.factor_error)}


def _kyle(orders: Sequence[Observed]) -> Told:
    law = fit_factor(orders, 1.0)
    return {"factor": (law.factor, law.factor_error)}


def _power_law(orders: Sequence[Observed]) -> Told:
    law = fit_size_law(orders)
    return {"factor": (law.factor, law.factor_error), "delta": (law.exponent, law.exponent_error)}


def _two_parts(orders: Sequence[Observed], beta: float | None) -> Told:
    parts = fit_two_parts(orders, beta=beta)
    return {
        "gamma": (parts.gamma, parts.gamma_error),
        "eta": (parts.eta, parts.eta_error),
        "beta": (parts.beta, parts.beta_error),
    }


def _recovery(orders: Sequence[Observed]) -> Told:
    """Half-life instead of the rate: ln 2 / rho, whose error is in the same proportion."""
    found = fit_recovery(orders)
    half_life_s = log(2.0) / found.rho_per_day * _S_PER_DAY
    return {
        "passing": (found.passing, found.passing_error),
        "half_life_s": (half_life_s, half_life_s * found.rho_error / found.rho_per_day),
        "lasting": (found.lasting, found.lasting_error),
    }


def _slow_decay(orders: Sequence[Observed]) -> Told:
    found = fit_slow_decay(orders)
    return {
        "factor": (found.factor, found.factor_error),
        "gamma": (found.power, found.power_error),
        "shift_s": (0.0, 0.0),
    }


_FACTOR: Final = {"factor": _SIGMA}
_KINDS: Final[Mapping[str, _Kind]] = {
    "square-root": _Kind("square-root", _square_root, _FACTOR, ("factor",)),
    "power-law": _Kind("power-law", _power_law, {**_FACTOR, "delta": _EXPONENT}, ("delta",)),
    "kyle": _Kind("kyle", _kyle, _FACTOR, ("factor",)),
    "almgren-chriss": _Kind("almgren-chriss", partial(_two_parts, beta=1.0), _PARTS, ("gamma", "eta")),
    "athl": _Kind("almgren-chriss", partial(_two_parts, beta=None), _PARTS, ("gamma", "beta")),
    "obizhaeva-wang": _Kind(
        "obizhaeva-wang",
        _recovery,
        {"passing": _SIGMA, "half_life_s": "s", "lasting": _SIGMA},
        ("passing", "half_life_s"),
    ),
    "propagator": _Kind(
        "propagator", _slow_decay, {**_FACTOR, "gamma": _EXPONENT, "shift_s": "s"}, ("factor", "gamma")
    ),
}
KINDS: Final = tuple(_KINDS)
"""Kinds of models that can be calibrated."""


def _jackknifed(fit: Callable[[Sequence[Observed]], Told], orders: Sequence[Observed]) -> Mapping[str, float]:
    """Standard errors from leaving out each block of time: sqrt((b - 1) / b sum (estimate - mean)^2), b blocks.

    Empty where there are too few orders for blocks. A block without which nothing can be estimated leaves the
    estimate to that block alone, which is no estimate.
    """
    if len(orders) < BLOCKS * _BLOCK_ORDERS_MIN:
        return {}
    size = len(orders) / BLOCKS
    told: list[Told] = []
    for number in range(BLOCKS):
        begin, end = round(number * size), round((number + 1) * size)
        try:
            told.append(fit([*orders[:begin], *orders[end:]]))
        except ValueError as error:
            raise ValueError(f"the estimate rests on one tenth of the orders: without it, {error}") from error
    errors = {}
    for name in told[0]:
        values = [one[name][0] for one in told]
        mean = fsum(values) / BLOCKS
        errors[name] = sqrt((BLOCKS - 1) / BLOCKS * fsum((value - mean) ** 2 for value in values))
    return errors
