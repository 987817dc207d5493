"""One calibration as it is kept: the model with its parameters, where they come from, and how sure each of them is.

The text is JSON for people and programs alike. Its id is a hash of everything else in it, so that a file that was
changed by hand is seen, and the same calibration of the same orders has the same id wherever it is made.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from math import isfinite
from typing import Any, Final, cast

FORMAT: Final = 1
_ID_CHARS: Final = 12
_TYPES: Final[Mapping[object, tuple[type, ...]]] = {str: (str,), int: (int,), float: (float, int)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One estimated parameter.

    Parameters
    ----------
    value, standard_error
        In `unit`; the error is 0 where the parameter was given and not estimated.
    """

    name: str
    value: float
    standard_error: float
    unit: str

    def __post_init__(self) -> None:
        """Refuse what is no estimate."""
        if not isfinite(self.value) or not isfinite(self.standard_error) or self.standard_error < 0.0:
            raise ValueError(
                f"{self.name}: {self.value} with an error of {self.standard_error} is no estimate"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterVersion:
    """One calibration of one instrument.

    Parameters
    ----------
    model
        As `impact.models` reads it, parameters included.
    source
        What the orders were: `trades` (made up from public ones) or `journal` (own).
    from_ns, to_ns
        When the first and the last of them ended, UTC.
    made_ns
        When it was made, UTC.
    orders
        How many they are.
    window
        How many they could have been: the newest so many were taken.
    size_low, size_high
        Smallest and largest of them, as shares of a day's volume: beyond them the parameters are a guess.
    volatility_hourly_pct, volume_hourly_qty
        Of the market over that time.
    """

    model: str
    venue: str
    category: str
    symbol: str
    source: str
    from_ns: int
    to_ns: int
    made_ns: int
    orders: int
    window: int
    size_low: float
    size_high: float
    volatility_hourly_pct: float
    volume_hourly_qty: float
    estimates: tuple[Estimate, ...]

    def __post_init__(self) -> None:
        """Refuse a calibration of nothing."""
        if self.orders < 1 or self.to_ns < self.from_ns or not self.estimates:
            raise ValueError(
                f"no calibration of {self.symbol}: {self.orders} orders, {len(self.estimates)} estimates"
            )

    @property
    def instrument(self) -> str:
        """Which market it is of: VENUE/CATEGORY/SYMBOL."""
        return "/".join((self.venue, self.category, self.symbol))

    @property
    def version_id(self) -> str:
        """Hash of everything that it says."""
        told = json.dumps(self._record(), sort_keys=True, separators=(",", ":"))
        return sha256(told.encode()).hexdigest()[:_ID_CHARS]

    def as_record(self) -> dict[str, object]:
        """Everything it says, with its id, in the order in which people read it."""
        return {"format": FORMAT, "id": self.version_id, **self._record()}

    def _record(self) -> dict[str, object]:
        return {**asdict(self), "estimates": [asdict(one) for one in self.estimates]}


def written_version(version: ParameterVersion) -> str:
    """Write it as the text of its file."""
    return json.dumps(version.as_record(), indent=2) + "\n"


def read_version(text: str | bytes) -> ParameterVersion:
    """Read the text of a file.

    Raises
    ------
    ValueError
        If it is of another form, something is missing or too much, a number is none, or it is not what its id says.
    """
    try:
        record = json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"no parameters of format {FORMAT}")
    said_id = record.get("id")
    body = {name: value for name, value in record.items() if name not in {"format", "id"}}
    estimates = body.pop("estimates", None)
    if not isinstance(estimates, list):
        raise ValueError("estimates: a list is wanted")  # noqa: TRY004 - as below
    told = tuple(_estimate(one) for one in estimates)
    version = ParameterVersion(**cast("dict[str, Any]", _checked(ParameterVersion, body)), estimates=told)
    if version.version_id != said_id:
        raise ValueError(
            f"it was changed after it was made: its id is {said_id}, what it says has {version.version_id}"
        )
    return version


def drift(before: ParameterVersion, after: ParameterVersion) -> dict[str, float]:
    """How far each estimate has moved, as a share of what it was; infinite where it was zero, or is of another model.

    Raises
    ------
    ValueError
        If they are of different instruments.
    """
    if before.instrument != after.instrument:
        raise ValueError(f"{before.instrument} and {after.instrument} are different markets")
    was = {one.name: one.value for one in before.estimates}
    same_model = before.model.partition(":")[0] == after.model.partition(":")[0]
    moved: dict[str, float] = {}
    for one in after.estimates:
        old = was.get(one.name) if same_model else None
        if old == one.value:
            moved[one.name] = 0.0
        else:
            moved[one.name] = abs(one.value - old) / abs(old) if old else float("inf")
    return moved


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _estimate(said: object) -> Estimate:
    if not isinstance(said, dict):
        raise ValueError("an estimate is an object")  # noqa: TRY004 - what was read is wrong, not the program
    return Estimate(**cast("dict[str, Any]", _checked(Estimate, said)))


def _checked(kind: type[Estimate] | type[ParameterVersion], said: Mapping[str, object]) -> dict[str, object]:
    """Fields of a record, each of its own type; whole numbers stand for themselves where a fraction is wanted."""
    wanted = {field.name: field.type for field in fields(kind) if field.type in _TYPES}
    if set(said) != set(wanted):
        odd = ", ".join(sorted(set(said) ^ set(wanted)))
        raise ValueError(f"missing or unknown: {odd}")
    for name, type_ in wanted.items():
        allowed = _TYPES[type_]
        if not isinstance(said[name], allowed) or isinstance(said[name], bool):
            raise ValueError(f"{name}: {said[name]!r} is not what belongs there")  # noqa: TRY004 - as above
    return dict(said)
