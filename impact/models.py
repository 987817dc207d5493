"""Models of impact by the names that people write: `square-root`, or `square-root:1.2` with a factor of one's own."""

from collections.abc import Callable
from typing import Final

from executor.domain.units import parse_plain
from impact.displacement import ImpactModel
from impact.square_root import Y_USUAL, SquareRoot

NO_MODEL: Final = "none"
FORM: Final = (
    f"{NO_MODEL}, square-root ({Y_USUAL:g}), or square-root:FACTOR with a factor above 0 and up to 10"
)
_FACTOR_MAX: Final = 10.0
_MAKERS: Final[dict[str, Callable[[float | None], ImpactModel]]] = {
    "square-root": lambda factor: SquareRoot(Y_USUAL if factor is None else factor),
}


def read_model(text: str) -> ImpactModel | None:
    """Find a model by name; None is no model.

    Raises
    ------
    ValueError
        If there is no such model, or its factor means nothing.
    """
    if text == NO_MODEL:
        return None
    name, colon, written = text.partition(":")
    try:
        factor = float(parse_plain(written)) if colon else None
    except ValueError:
        factor = 0.0
    if name not in _MAKERS or (factor is not None and not 0.0 < factor <= _FACTOR_MAX):
        raise ValueError(f"no such model of impact: {text!r}; wanted {FORM}")
    return _MAKERS[name](factor)
