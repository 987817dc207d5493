"""Pulling the stop in the journal after the engine itself failed.

What must never happen did: the state in memory cannot be trusted any more, but the journal ends before the
event that broke it. It is read back, halted, and written on, so that the next start opens nothing until a
person has looked.
"""

from executor.domain.events import HaltRequested
from executor.engine.engine import Engine
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal

OPERATOR = "executor"


def latch_in_journal(journal: Journal, clock: Clock, reason: str) -> None:
    """Append a halt to the journal, durably.

    Raises
    ------
    JournalError
        If the journal cannot be read back or written.
    """
    journal.commit()
    engine = Engine(journal.recover())
    at_ns = max(clock.now_ns(), engine.state.now_ns)
    event = HaltRequested(at_ns=at_ns, request_id="", operator=OPERATOR, reason=reason)
    commands = engine.on_event(event)
    journal.append(event, commands, engine.touched, engine.state)
    journal.commit()
