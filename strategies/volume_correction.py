"""What a slice should do when the market has traded more or less than its curve had told: faster or slower, in bounds.

A volume-weighted order wants at each instant the share of itself that the market has traded of its own volume. The
market's whole volume is known only at the end. With V traded so far and

    V_j = w_j (A + P) / 2

expected in a later slice (w_j what the curve has for it, as a share of a week; A a week's volume at the level of the
market since the plan began, P that of the weeks from which the curve was made), the plan's share at the end of slice j
should be (V + V_i + ... + V_j) / (V + V_i + ... + V_n). A market that has traded as much as usual, A = P, leaves the
curve as it is; one that has traded more has done more of its day, and the order follows.

Without P nothing can be said: how busy a market is says nothing about when it trades what is left.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import fsum
from typing import Final

CORRECTION_MAX: Final = 0.5
"""A slice does at least half and at most one and a half times what the curve alone would have it do."""


def corrected(
    usual: Sequence[float], index: int, reached: float, traded: float, coming: Sequence[float]
) -> list[float]:
    """Parts of the plan for each slice from `index` on, given what has traded and what is forecast.

    Each is within `CORRECTION_MAX` of its usual part, whatever the market does and however often the plan was corrected
    before: what is left stays between half and one and a half times what the curve alone would have left, so that later
    slices can always do it within their own bounds.

    Parameters
    ----------
    usual
        Parts of all slices by the curve alone, any unit, > 0.
    index
        The slice that begins.
    reached
        Share of the whole plan that it has at that instant, 0-1.
    traded
        Volume so far, in the unit of `coming`, >= 0.
    coming
        Volume forecast for each slice from `index` on, > 0.

    Returns
    -------
    list of float
        Shares of the whole plan, >= 0; they sum to 1 - `reached`.
    """
    whole = fsum(usual)
    upto = [part / whole for part in accumulate(usual)]
    total = traded + fsum(coming)
    least, most = 1.0 - CORRECTION_MAX, 1.0 + CORRECTION_MAX
    parts, before = [], reached
    for place, volume in enumerate(accumulate(coming), start=index):
        share, left = usual[place] / whole, 1.0 - upto[place]
        low = max(before + least * share, 1.0 - most * left)
        high = min(before + most * share, 1.0 - least * left)
        after = 1.0 if place == len(usual) - 1 else max(min((traded + volume) / total, high), low, before)
        parts.append(max(after - before, 0.0))
        before = max(after, before)
    return parts
