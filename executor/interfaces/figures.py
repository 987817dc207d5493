"""Numbers for people: no digits that mean nothing. Machines get every digit from the JSON form."""

from decimal import Decimal, InvalidOperation
from typing import Final

from executor.interfaces.output import cell

PLACES_MOST: Final = 8
PLACES_BEYOND_TICK: Final = 2
PLACES_OF_MONEY: Final = 4


def price(value: object, tick_size: object = None) -> str:
    """Show a price: at most two decimals more than the tick has, eight without a tick, no zeros at the end."""
    tick = _number(tick_size)
    places = PLACES_MOST if tick is None else _places(tick.normalize()) + PLACES_BEYOND_TICK
    number = _number(value)
    if number is None:
        return cell(value)
    text = format(_rounded(number, places), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: object) -> str:
    """Show money or basis points: at most four decimals, and zero without a sign."""
    number = _number(value)
    return cell(value) if number is None else format(_rounded(number, PLACES_OF_MONEY), "f")


def _number(value: object) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "finite numbers have a whole exponent"
    return max(-exponent, 0)


def _rounded(number: Decimal, places: int) -> Decimal:
    """Round if there are more decimals than that; a zero loses its sign."""
    kept = round(number, places) if _places(number) > places else number
    return abs(kept) if kept == 0 else kept
