"""The text forms of values: plain numbers, durations with a unit. Used by settings, API and command line.

A reader takes text and gives a value or raises `ValueError` with the allowed form; where the text stood is not
known here.
"""

import re
from decimal import Decimal
from typing import Final

from executor.domain.units import parse_plain

NUMBER_FORM: Final = (
    'a plain decimal such as 100 or "0.25": digits, at most one point, no sign, exponent or separator'
)
WHOLE_FORM: Final = "a whole number in digits, such as 20"
DURATION_FORM: Final = "digits and a unit s, m or h, such as 30s, 5m or 2h"

_WHOLE: Final = re.compile(r"\A(?:0|[1-9]\d{0,17})\Z", re.ASCII)
_DURATION: Final = re.compile(r"\A([1-9]\d{0,6}|0)([smh])\Z", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600}


def read_number(text: str) -> Decimal:
    """Read a non-negative plain decimal.

    Raises
    ------
    ValueError
        With the allowed form.
    """
    try:
        return parse_plain(text)
    except ValueError:
        raise ValueError(NUMBER_FORM) from None


def read_whole(text: str) -> int:
    """Read a non-negative whole number without leading zeros.

    Raises
    ------
    ValueError
        With the allowed form.
    """
    if not _WHOLE.match(text):
        raise ValueError(WHOLE_FORM)
    return int(text)


def read_duration_s(text: str) -> int:
    """Read a duration such as `30s`, `5m` or `2h`; the unit is required. Seconds.

    Raises
    ------
    ValueError
        With the allowed form.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(DURATION_FORM)
    return int(match[1]) * _UNIT_S[match[2]]
