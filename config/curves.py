"""Files of volume curves: one JSON object, checked whole when it is read."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from config.problems import ConfigProblems, Problem, place, quoted
from executor.domain.units import Quantity, plain
from executor.domain.volume_curve import HOURS_PER_WEEK, VolumeCurve, is_curve_name

FORMAT: Final = 1
BYTES_MAX: Final = 65_536
SUFFIX: Final = ".json"
USUAL_CURVES: Final = Path("var/curves")
"""Where a curve that is named without a path lies."""
_FORM: Final = f"a file of `executor data volume-curve`: {HOURS_PER_WEEK} hours in parts per million"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds; `made` is for people: out of what, when."""

    format: int
    name: str
    weights_ppm: tuple[int, ...]
    week_qty: Decimal | None = None
    made: dict[str, str | int] = msgspec.field(default_factory=dict)


def read_curve(path: Path) -> VolumeCurve:
    """Read a curve.

    Raises
    ------
    ConfigProblems
        CURVE if the file cannot be read or holds no curve.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise _problem(path, error.strerror or str(error), "make it, or name another one") from error
    if len(raw) > BYTES_MAX:
        raise _problem(path, f"more than {BYTES_MAX} bytes", "name another file")
    try:
        held = msgspec.json.decode(raw, type=_File)
        if held.format != FORMAT:
            raise ValueError(f"format {held.format}; this version reads {FORMAT}")
        week_qty = None if held.week_qty is None else Quantity(held.week_qty)
        return VolumeCurve(name=held.name, weights_ppm=held.weights_ppm, week_qty=week_qty)
    except (msgspec.DecodeError, ValueError) as error:
        raise _problem(path, quoted(str(error)), "make it anew, or name another file") from error


def find_curve(text: str, folder: Path) -> VolumeCurve:
    """Read the curve that a person names: a file, or the name of one in the folder of curves.

    Raises
    ------
    ConfigProblems
        CURVE if there is no such curve, or it cannot be read.
    """
    if not is_curve_name(text):
        return read_curve(Path(text))
    path = folder / f"{text}{SUFFIX}"
    if not path.is_file():
        names = sorted(one.stem for one in folder.glob(f"*{SUFFIX}") if is_curve_name(one.stem))
        raise _problem(
            path,
            "no such file",
            f"there is {', '.join(names)}" if names else "no curve is kept in this folder",
        )
    return read_curve(path)


def curve_fields(curve: VolumeCurve) -> dict[str, object]:
    """Write a curve as a request carries it."""
    return {
        "name": curve.name,
        "weights_ppm": list(curve.weights_ppm),
        **({} if curve.week_qty is None else {"week_qty": plain(curve.week_qty)}),
    }


def write_curve(path: Path, curve: VolumeCurve, made: Mapping[str, str | int]) -> None:
    """Write a curve, whole or not at all.

    Parameters
    ----------
    made
        Out of what, for people.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    held = {
        "format": FORMAT,
        "name": curve.name,
        "week_qty": None if curve.week_qty is None else plain(curve.week_qty),
        "made": dict(made),
        "weights_ppm": list(curve.weights_ppm),
    }
    partial = path.with_name(f"{path.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(held), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _problem(path: Path, got: str, next_step: str) -> ConfigProblems:
    return ConfigProblems(
        [Problem(code="CURVE", where=place(path), got=got, allowed=_FORM, next_step=next_step)]
    )
