"""The strategy of the replay benchmark, for our venue: every 100 ms a bid and an ask at a distance from the touch.

One that does not stand at its price any more is cancelled, and posted anew once that is known. As an ordinary Python
object and compiled.
"""

from typing import Any, Final

import numpy as np
from numba import njit  # type: ignore[import-untyped]

from simulation.replay import codes, kernel, layout
from simulation.replay.machine import ReplayMachine

STEP_NS: Final = 100_000_000
QTY: Final = 1
_GONE, _SENT, _RESTS, _LEAVING = 0, 1, 2, 3


class Quoter:
    """The strategy as an object."""

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self.touches: list[tuple[int, int]] = []
        self.submits = self.cancels = self._ids = 0
        self._quotes = {1: [0, 0, _GONE], -1: [0, 0, _GONE]}

    def wake(self, venue: ReplayMachine) -> None:
        """Look at the market and at what was answered, and act."""
        for answer in venue.answers():
            quote = self._quotes[1] if answer.order_id == self._quotes[1][0] else self._quotes[-1]
            if answer.order_id != quote[0]:
                continue
            if answer.kind == codes.ACCEPTED:
                quote[2] = _RESTS
            elif answer.kind in {codes.ENDED, codes.REJECTED} or (
                answer.kind == codes.FILLED and answer.leaves == 0
            ):
                quote[2] = _GONE
        _, bid, _, ask, _, _, _ = venue.glance()
        self.touches.append((bid, ask))
        for side, touch in ((1, bid), (-1, ask)):
            quote, target = self._quotes[side], touch - side * self.distance
            if quote[2] == _GONE:
                self._ids += 1
                self.submits += 1
                quote[:] = self._ids, target, _SENT
                venue.place(self._ids, side, target, QTY, codes.POST_ONLY)
            elif quote[1] != target and quote[2] == _RESTS:
                quote[2] = _LEAVING
                self.cancels += 1
                venue.cancel(quote[0])


@njit(cache=True, _nrt=False)
def _play_rows(state: Any, rows: Any, memory: Any, touches: Any, distance: int) -> int:  # pragma: no cover
    """Go on until rows or wake-ups are used up; memory: wake number, time of the next, ids, submits, cancels, quotes."""
    registers = state.registers
    while memory[0] < len(touches):
        reason = kernel.advance(state, rows, memory[1], 0)
        if reason >= codes.MORE:
            return reason
        slot = kernel.next_answer(state)
        while slot >= 0:
            answer = state.answers[slot]
            for b in range(2):
                if answer[3] == memory[5 + 3 * b]:
                    if answer[2] == codes.ACCEPTED:
                        memory[7 + 3 * b] = _RESTS
                    elif (
                        answer[2] == codes.ENDED
                        or answer[2] == codes.REJECTED
                        or (answer[2] == codes.FILLED and answer[7] == 0)
                    ):
                        memory[7 + 3 * b] = _GONE
            slot = kernel.next_answer(state)
        bid, ask = registers[layout.SEEN + 1], registers[layout.SEEN + 3]
        touches[memory[0], 0], touches[memory[0], 1] = bid, ask
        for b in range(2):
            side = 1 - 2 * b
            target = (bid if b == 0 else ask) - side * distance
            at = 5 + 3 * b
            if memory[at + 2] == _GONE:
                memory[2] += 1
                memory[3] += 1
                memory[at], memory[at + 1], memory[at + 2] = memory[2], target, _SENT
                kernel.send(state, codes.PLACE, memory[2], side, target, QTY, codes.POST_ONLY)
            elif memory[at + 1] != target and memory[at + 2] == _RESTS:
                memory[at + 2] = _LEAVING
                memory[4] += 1
                kernel.send(state, codes.CANCEL, memory[at], 0, 0, 0, 0)
        memory[0] += 1
        memory[1] += STEP_NS
    return codes.UNTIL


@njit(cache=True)
def _play_compiled(table: Any, memory: Any, touches: Any, distance: int) -> int:  # pragma: no cover
    state, rows = kernel.opened(table)
    return _play_rows(state, rows, memory, touches, distance)


class CompiledQuoter:
    """The same strategy compiled, fed with rows from outside."""

    def __init__(self, distance: int, first_ns: int, wakes: int) -> None:
        self.distance = distance
        self.table = np.zeros((wakes, 2), np.int64)
        self._memory = np.zeros(11, np.int64)
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
        while True:
            reason: int = _play_compiled(venue.table, self._memory, self.table, self.distance)
            if reason <= codes.MORE:
                return reason
            venue.make_room(reason)
