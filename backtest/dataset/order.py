"""Which values are to blame for an order that is broken: the fewest whose removal mends it."""

from bisect import bisect_right

import numpy as np

from backtest.dataset.rows import Ints


def out_of_order(values: Ints) -> list[int]:
    """Places that are in no longest run of values that never fall, in ascending order.

    A single value far too high is blamed itself, and not the many after it.
    """
    if not bool((values[1:] < values[:-1]).any()):
        return []
    listed = values.tolist()
    tops: list[int] = []
    top_places: list[int] = []
    before = [-1] * len(listed)
    for place, value in enumerate(listed):
        length = bisect_right(tops, value)
        before[place] = top_places[length - 1] if length else -1
        if length == len(tops):
            tops.append(value)
            top_places.append(place)
        else:
            tops[length], top_places[length] = value, place
    kept = np.zeros(len(listed), np.bool_)
    place = top_places[-1]
    while place >= 0:
        kept[place] = True
        place = before[place]
    blamed: list[int] = np.flatnonzero(~kept).tolist()
    return blamed
