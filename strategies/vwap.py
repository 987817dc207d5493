"""Volume-weighted average price: the speed follows how much the market usually trades at each hour of the day."""

from itertools import accumulate
from typing import Final

from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_HOUR
from strategies.schedule import Shape
from strategies.twap import Twap

VOLUME_PCT_BY_HOUR: Final = (
    3.73, 3.83, 3.61, 3.13, 2.97, 2.80, 2.99, 3.41, 3.44, 3.30, 3.16, 3.32,
    3.89, 5.75, 7.52, 7.73, 5.96, 5.32, 4.48, 4.33, 4.62, 3.58, 3.46, 3.67,
)  # fmt: skip
"""Mean share of the day's volume by UTC hour 0 to 23, per cent: BTCUSDT spot, November 2024 to November 2025.

Asia trades least, the opening of the United States most. A static curve brings the tracking error of a whole day's
VWAP down by a tenth or less against an even schedule; more is not to be expected of it.
"""

_HOURS: Final = 24
_BY_DAY: Final = (0.0, *accumulate(VOLUME_PCT_BY_HOUR))
_DAY: Final = _BY_DAY[-1]


class Vwap(Twap):
    """Slices in proportion to the volume expected in them."""

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """Cumulative expected volume of the interval; None of one so short that none can be told."""
        before = _volume_until(start_ns)
        whole = _volume_until(end_ns) - before
        if whole <= 0.0:
            return None

        def upto(share: float) -> float:
            return (_volume_until(start_ns + round((end_ns - start_ns) * share)) - before) / whole

        return upto


def _volume_until(at_ns: int) -> float:
    """Expected volume since the epoch, per cent of a day's; within an hour it grows evenly."""
    hours, rest_ns = divmod(at_ns, NS_PER_HOUR)
    days, hour = divmod(hours, _HOURS)
    return days * _DAY + _BY_DAY[hour] + VOLUME_PCT_BY_HOUR[hour] * rest_ns / NS_PER_HOUR
