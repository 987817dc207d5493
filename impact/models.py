"""Models of impact by the names that people write: `square-root`, or `obizhaeva-wang:passing=1,half_life_s=300`.

Whatever is read here went through `impact.validator`: a model by which a round trip earns is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from executor.domain.units import parse_plain
from impact.almgren_chriss import BETA_USUAL, ETA_USUAL, AlmgrenChriss
from impact.hybrid import Hybrid
from impact.kernel import ExponentialKernel, PowerKernel
from impact.kyle import Kyle
from impact.obizhaeva_wang import ObizhaevaWang
from impact.power_law import PowerLaw
from impact.propagator import Propagator
from impact.protocol import ImpactModel
from impact.square_root import Y_USUAL, SquareRoot
from impact.validator import refuse_arbitrage

NO_MODEL: Final = "none"
FORM: Final = (
    f"{NO_MODEL}, square-root ({Y_USUAL:g}) or square-root:FACTOR with a factor above 0 and up to 10, athl,"
    " almgren-chriss[:gamma=…,eta=…,beta=…,window_s=…], power-law:factor=…,delta=…, kyle:factor=…,"
    " obizhaeva-wang:passing=…,half_life_s=…[,lasting=…], propagator:factor=…,gamma=…,shift_s=… (or rho_per_day=…),"
    " hybrid:factor=…,weight=…,of=MODEL"
)
_FACTOR_MAX: Final = 10.0
_S_PER_DAY: Final = 86_400.0
_HYBRID: Final = "hybrid"
_OF: Final = "of="
_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a model is made: its parameters in the order in which bare numbers are read, and those that it needs."""

    make: Callable[..., ImpactModel]
    parameters: tuple[str, ...]
    needed: tuple[str, ...] = ()


def _square_root(factor: float = Y_USUAL) -> ImpactModel:
    if factor > _FACTOR_MAX:
        raise ValueError(f"a factor of {factor:g} is more than {_FACTOR_MAX:g}")
    return SquareRoot(factor)


def _propagator(
    factor: float,
    gamma: float | None = None,
    shift_s: float | None = None,
    delta: float = 1.0,
    rho_per_day: float | None = None,
) -> ImpactModel:
    if rho_per_day is not None and gamma is None and shift_s is None:
        return Propagator(factor=factor, kernel=ExponentialKernel(rho_per_day), delta=delta)
    if rho_per_day is None and gamma is not None and shift_s is not None:
        return Propagator(factor=factor, kernel=PowerKernel(gamma, shift_s / _S_PER_DAY), delta=delta)
    raise ValueError("a propagator decays by gamma and shift_s, or by rho_per_day")


_KINDS: Final[dict[str, _Kind]] = {
    "square-root": _Kind(_square_root, ("factor",)),
    "athl": _Kind(lambda: AlmgrenChriss(eta=ETA_USUAL, beta=BETA_USUAL), ()),
    "almgren-chriss": _Kind(AlmgrenChriss, ("gamma", "eta", "beta", "window_s")),
    "power-law": _Kind(PowerLaw, ("factor", "delta"), ("factor", "delta")),
    "kyle": _Kind(Kyle, ("factor", "exponent"), ("factor",)),
    "obizhaeva-wang": _Kind(ObizhaevaWang, ("passing", "half_life_s", "lasting"), ("passing", "half_life_s")),
    "propagator": _Kind(_propagator, ("factor", "gamma", "shift_s", "delta", "rho_per_day"), ("factor",)),
}


def build_model(kind: str, parameters: Mapping[str, float]) -> ImpactModel:
    """Make a model from its parameters by name, as a calibration keeps them.

    Raises
    ------
    ValueError
        If there is no such model, a parameter is unknown, missing or outside its range, or a round trip would earn.
    """
    known = _KINDS.get(kind)
    if known is None:
        raise ValueError(f"there is no model of impact called {kind!r}")
    unknown = [name for name in parameters if name not in known.parameters]
    if unknown:
        raise ValueError(f"{kind} has no parameter {', '.join(unknown)}")
    missing = [name for name in known.needed if name not in parameters]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(missing)}")
    try:
        return refuse_arbitrage(known.make(**parameters))
    except ArithmeticError as error:
        raise ValueError(f"{kind} cannot be reckoned with these parameters: {error}") from error


def read_model(text: str) -> ImpactModel | None:
    """Find a model by name; None is no model.

    Raises
    ------
    ValueError
        If there is no such model, its parameters mean nothing, or a round trip would earn by it; the cause says which.
    """
    if text == NO_MODEL:
        return None
    try:
        return _read(text)
    except ValueError as error:
        raise ValueError(f"no such model of impact: {text!r}: {error}; wanted {FORM}") from error


@lru_cache(maxsize=_KEPT_MAX)
def _read(text: str) -> ImpactModel:
    """Read a text that many orders name: models do not change, and to try round trips takes milliseconds."""
    name, colon, written = text.partition(":")
    if name == _HYBRID:
        ours, of, model = written.partition(_OF)
        if not of:
            raise ValueError("a hybrid is of a model")
        values = _numbers(ours.removesuffix(","), ("factor", "weight"))
        if values.keys() != {"factor", "weight"}:
            raise ValueError("a hybrid has a factor and a weight")
        return Hybrid(model=_read(model), factor=values["factor"], weight=values["weight"])
    known = _KINDS.get(name)
    if known is None:
        raise ValueError(f"there is no model of impact called {name!r}")
    return build_model(name, _numbers(written, known.parameters) if colon else {})


def _numbers(written: str, names: tuple[str, ...]) -> dict[str, float]:
    """Numbers by name; bare ones are named in turn."""
    found: dict[str, float] = {}
    for number, part in enumerate(written.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            if number >= len(names):
                raise ValueError(f"{part!r} is one number too many")
            key, value = names[number], part
        if key in found:
            raise ValueError(f"{key} is told twice")
        found[key] = float(parse_plain(value))
    return found
