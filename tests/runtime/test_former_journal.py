"""A journal that a former version wrote, with an order in the midst of its work, is read and gone on from.

`former/*.db.gz` were written by the daemon as it was before advice, marks of fills, baskets and routes: one that was
stopped, and one that was killed before its first checkpoint.
"""

import gzip
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from config.load import load_settings
from executor.app.backup import make_backup
from executor.domain.events import HaltRequested
from executor.engine.engine import Engine
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from executor.runtime.premises import look_at_journal

FORMER = Path(__file__).parent / "former"
FILLED = {"stopped": Decimal("0.236"), "killed": Decimal("0.250")}


@pytest.fixture(params=sorted(FILLED))
def former(request, tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(gzip.decompress((FORMER / f"{request.param}.db.gz").read_bytes()))
    return path, FILLED[request.param]


def tables(path):
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    db.close()
    return found


def test_it_is_read_gone_on_from_and_what_came_later_is_added(former):
    path, filled = former
    assert "decisions" not in tables(path)
    assert look_at_journal(path, 5.0)[0].verdict.value == "ok"
    with Journal.open(path, create=False) as journal:
        state = journal.recover()
        assert [state.parents[name].cum_qty for name in state.open_parents] == [filled]
        assert {parent.basket_id for parent in state.parents.values()} == {""}
        engine = Engine(state)
        event = HaltRequested(at_ns=state.now_ns + 1, request_id="r", operator="ann", reason="upgraded")
        commands = engine.on_event(event)
        assert commands
        journal.append(event, commands, engine.touched, engine.state)
        journal.checkpoint(engine.state)
    assert "decisions" in tables(path)
    with Journal.open(path, create=False) as journal:
        assert journal.recover().latched
    found = audit(path)
    assert found.identical, found.first_difference


def test_a_backup_of_it_can_be_taken_before(former, tmp_path):
    path, _ = former
    settings = load_settings(
        "sandbox", None, {"EXECUTOR_EXECUTOR__DATA_DIR": str(path.parent)}, yes_live=False
    )
    made = make_backup(settings, tmp_path.parent / f"{tmp_path.name}-kept", None, lambda *_: None)
    assert audit(made.folder / "journal.db").identical
    assert "decisions" not in tables(path), "nothing of the original is changed by that"
