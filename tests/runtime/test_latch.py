"""After an impossible event the next start opens nothing until a person has looked."""

from decimal import Decimal

from executor.domain.events import RearmRequested
from executor.engine.engine import Engine
from executor.runtime.audit import audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.latch import OPERATOR, latch_in_journal
from tests.builders import submitted
from tests.engine.rig import Rig


def test_failure_is_latched_in_the_journal_and_only_a_person_clears_it(tmp_path):
    rig = Rig()
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        journal.recover()
        send = rig.engine.on_event

        def write(event):
            commands = send(event)
            journal.append(event, commands, rig.engine.touched, rig.engine.state)
            return commands

        rig.engine.on_event = write
        rig.start()
        rig.open_market()
        rig.send(submitted(order_qty=Decimal(1)))
        rig.tick(1)
        latch_in_journal(journal, Clock(), "InvariantViolation: what must not happen")
    with Journal.open(path, create=False) as journal:
        state = journal.recover()
    assert state.latched
    assert state.latch_reason == f"{OPERATOR}: InvariantViolation: what must not happen"
    assert all(state.parents[name].status == "PAUSED" for name in state.open_parents)
    engine = Engine(state)
    engine.on_event(RearmRequested(at_ns=0, request_id="", operator="ann", reason="mended"))
    assert not engine.state.latched
    assert audit(path).identical
