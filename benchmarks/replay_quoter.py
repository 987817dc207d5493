"""The strategy of the replay benchmark, for our venue: every 100 ms a bid and an ask at a distance from the touch.

One that does not stand at its price any more is cancelled, and posted anew once that is known. As an ordinary Python
object and compiled.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulation.kept_code import KeptCode, beside
from simulation.replay import codes
from simulation.replay.machine import ReplayMachine
from simulation.replay.native import SOURCES

STEP_NS: Final = 100_000_000
QTY: Final = 1
GONE, SENT, RESTS, LEAVING = 0, 1, 2, 3
_OVER: Final = frozenset({codes.ENDED, codes.REJECTED})
MEMORY: Final = 11
"""Numbers of the compiled strategy: wake-up, its time, ids, submits, cancels; of each quote id, price and state."""


class Quoter:
    """The strategy as an object."""

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self.touches: list[tuple[int, int]] = []
        self.submits = self.cancels = self._ids = 0
        self._quotes = {1: [0, 0, GONE], -1: [0, 0, GONE]}

    def wake(self, venue: ReplayMachine) -> None:
        """Look at the market and at what was answered, and act."""
        bought, sold = self._quotes[1], self._quotes[-1]
        for _, _, kind, order_id, _, _, _, leaves, _ in venue.answers():
            quote = bought if order_id == bought[0] else sold
            if order_id != quote[0]:
                continue
            if kind == codes.ACCEPTED:
                quote[2] = RESTS
            elif kind in _OVER or (kind == codes.FILLED and leaves == 0):
                quote[2] = GONE
        _, bid, _, ask, _, _, _ = venue.glance()
        self.touches.append((bid, ask))
        for side, touch in ((1, bid), (-1, ask)):
            quote, target = self._quotes[side], touch - side * self.distance
            if quote[2] == GONE:
                self._ids += 1
                self.submits += 1
                quote[:] = self._ids, target, SENT
                venue.place(self._ids, side, target, QTY, codes.POST_ONLY)
            elif quote[1] != target and quote[2] == RESTS:
                quote[2] = LEAVING
                self.cancels += 1
                venue.cancel(quote[0])


def _define() -> Mapping[str, Callable[..., int]]:
    from benchmarks import replay_quoter_compiled  # noqa: PLC0415 - brings the compiler

    return {"play": replay_quoter_compiled.play_at}


_CODE: Final = KeptCode(
    "replay-quoter",
    {"play": 5},
    _define,
    sources=(*SOURCES, *beside(__file__, "replay_quoter.py", "replay_quoter_compiled.py")),
)


class CompiledQuoter:
    """The same strategy compiled, fed with rows from outside."""

    def __init__(self, distance: int, first_ns: int, wakes: int) -> None:
        self.distance = distance
        self.table: NDArray[np.int64] = np.zeros((wakes, 2), np.int64)
        self._memory = np.zeros(MEMORY, np.int64)
        self._memory[1] = first_ns

    @property
    def submits(self) -> int:
        """Orders sent."""
        return int(self._memory[3])

    @property
    def cancels(self) -> int:
        """Cancels sent."""
        return int(self._memory[4])

    def play(self, venue: ReplayMachine) -> int:
        """Go on with the rows that are there; MORE asks for further ones, UNTIL says that all is done."""
        play = _CODE.linked()["play"]
        while True:
            reason = play(
                venue.table_at,
                self._memory.ctypes.data,
                self.table.ctypes.data,
                len(self.table),
                self.distance,
            )
            if reason <= codes.MORE:
                return reason
            venue.make_room(reason)
