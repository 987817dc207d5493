"""The strategy of the replay benchmark as it is compiled, together with the venue that it calls."""

import numpy as np

from benchmarks.replay_quoter import GONE, LEAVING, MEMORY, QTY, RESTS, SENT, STEP_NS
from simulation.replay import codes, kernel, layout
from simulation.replay.layout import Numbers, Rows, State

# mypy: disable-error-code="untyped-decorator"


@kernel.compiled
def _play_rows(
    state: State, rows: Rows, memory: Numbers, touches: Numbers, distance: int
) -> int:  # pragma: no cover
    """Go on until rows or wake-ups are used up."""
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
                        memory[7 + 3 * b] = RESTS
                    elif (
                        answer[2] == codes.ENDED
                        or answer[2] == codes.REJECTED
                        or (answer[2] == codes.FILLED and answer[7] == 0)
                    ):
                        memory[7 + 3 * b] = GONE
            slot = kernel.next_answer(state)
        bid, ask = registers[layout.SEEN + 1], registers[layout.SEEN + 3]
        touches[memory[0], 0], touches[memory[0], 1] = bid, ask
        for b in range(2):
            side = 1 - 2 * b
            target = (bid if b == 0 else ask) - side * distance
            at = 5 + 3 * b
            if memory[at + 2] == GONE:
                memory[2] += 1
                memory[3] += 1
                memory[at], memory[at + 1], memory[at + 2] = memory[2], target, SENT
                kernel.send(state, codes.PLACE, memory[2], side, target, QTY, codes.POST_ONLY)
            elif memory[at + 1] != target and memory[at + 2] == RESTS:
                memory[at + 2] = LEAVING
                memory[4] += 1
                kernel.send(state, codes.CANCEL, memory[at], 0, 0, 0, 0)
        memory[0] += 1
        memory[1] += STEP_NS
    return codes.UNTIL


def play_at(table_at: int, memory_at: int, touches_at: int, wakes: int, distance: int) -> int:
    """Play with what lies at some addresses; why it ended comes back."""
    state, rows = kernel.opened_at(table_at)
    memory = kernel.array_at(kernel.pointer(memory_at), (MEMORY,), np.int64)
    touches = kernel.array_at(kernel.pointer(touches_at), (wakes, 2), np.int64)
    return _play_rows(state, rows, memory, touches, distance)
