"""The journal, page by page: over the interface, on the command line, beside a writer and without a daemon."""

import json

import pytest
from doors import Daemon, Door
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.domain.errors import JournalError
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.journal_body import KINDS
from executor.interfaces.journal_doors import names_of
from executor.runtime import journal_page as paging
from executor.runtime import record
from executor.runtime.integrity import GENESIS, chain_hash
from executor.runtime.journal import Journal
from executor.runtime.journal_page import journal_page
from tests.runtime.drives import JournaledRig, wander


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A journal whose writer goes on holding it open, and the state at its end."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    with Journal.open(path, create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 25)
        journal.commit()
        yield path, rig.engine.state, rig


def whole(path):
    return journal_page(path, after=0, limit=500).rows


async def test_a_page_is_the_chain_as_it_was_written(door: Door, written):
    path, _, rig = written
    door.control.journal = path
    status, answer = await door.get("/v1/journal?limit=40")
    assert status == 200
    previous = GENESIS
    for row, kind, (event, commands) in zip(answer["rows"], rig.kinds, rig.journal, strict=False):
        assert row["kind"] == kind
        assert row["event"] == json.loads(event)
        assert [[one["kind"], one["command"]] for one in row["commands"]] == json.loads(commands)
        previous = chain_hash(previous, row["seq"], row["at"]["ns"], kind, event, commands)
        assert row["hash"] == previous.hex()
    assert [row["seq"] for row in answer["rows"]] == list(range(1, 41))
    assert (answer["next_after"], answer["at_end"], answer["head"]) == (40, False, len(rig.journal))
    status, answer = await door.get(f"/v1/journal?after={len(rig.journal)}")
    assert (answer["rows"], answer["at_end"]) == ([], True)


@settings(max_examples=25)
@given(limit=st.integers(1, 60), looked_at=st.integers(1, 80), size=st.integers(1, 5_000), data=st.data())
def test_page_after_page_gives_every_row_once(written, limit, looked_at, size, data):
    path, state, _ = written
    kind = data.draw(st.sampled_from(["", "BookUpdated", "OrderFilled", "ParentSubmitted"]))
    parent = data.draw(st.sampled_from(["", *state.parents]))
    names = names_of(state, parent) if parent else ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paging, "LOOKED_AT_MAX", looked_at)
        patch.setattr(paging, "BYTES_MAX", size)
        after, found = 0, []
        while True:
            page = journal_page(path, after=after, limit=limit, kind=kind, names=names)
            assert len(page.rows) <= limit
            assert page.next_after > after or page.next_after >= page.head
            found += page.rows
            after = page.next_after
            if after >= page.head:
                break
    wanted = [row for row in whole(path) if not kind or row.kind == kind]
    if not parent:
        assert found == wanted
    assert [row.seq for row in found] == sorted({row.seq for row in found})
    assert {row.seq for row in found} <= {row.seq for row in wanted}


def test_what_names_a_parent_is_found_and_nothing_of_another(written):
    path, state, _ = written
    rows = whole(path)
    for name, parent in state.parents.items():
        found = {row.seq for row in journal_page(path, after=0, limit=500, names=names_of(state, name)).rows}
        for row in rows:
            event = record.decode_event(row.kind, row.event)
            about = {getattr(event, "parent_id", ""), getattr(event, "client_order_id", "")}
            if about & {name, *parent.children}:
                assert row.seq in found
            elif about & ({*state.parents, *state.children} - {""}) and not json.loads(row.commands):
                assert row.seq not in found
    assert any(parent.children for parent in state.parents.values())


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=-1", 422, "NUMBER"),
        ("after=1.5", 422, "NUMBER"),
        ("after=٣", 422, "NUMBER"),
        ("limit=0", 422, "NUMBER"),
        ("limit=501", 422, "NUMBER"),
        ("limit=", 422, "NUMBER"),
        ("kind=orderfilled", 422, "ENUM"),
        ("kind=Order%00", 422, "ENUM"),
        ("parent=..%2f", 422, "PARENT"),
        ("parent=P999", 404, "PARENT"),
        ("sql=1", 422, "FIELD"),
        ("limit=5&limit=6", 400, "FIELD"),
        ("AFTER=1", 422, "FIELD"),
    ],
)
async def test_what_is_no_question_is_refused_and_named(door: Door, written, query, status, code):
    door.control.journal = written[0]
    got, answer = await door.get(f"/v1/journal?{query}")
    assert (got, answer["error"]["code"]) == (status, code)
    assert "query" in answer["error"]["where"]


async def test_a_journal_that_cannot_be_read_tells_no_path(door: Door):
    status, answer = await door.get("/v1/journal")
    assert (status, answer["error"]["code"]) == (503, "JOURNAL")
    assert "secret" not in json.dumps(answer)
    async with door.session.get(f"{door.url}/v1/journal") as refused:
        assert refused.status == 401


def test_a_journal_cut_or_gone_is_an_error(tmp_path):
    with pytest.raises(JournalError, match="no such file"):
        journal_page(tmp_path / "x.db", after=0, limit=1)
    (tmp_path / "x.db").write_bytes(b"no database")
    with pytest.raises(JournalError, match="database"):
        journal_page(tmp_path / "x.db", after=0, limit=1)


def test_the_command_line_shows_rows_and_the_end(daemon: Daemon, written, capsys):
    path, _, rig = written
    daemon.control.journal = path
    assert cli.main(["journal", "show", "--limit", "3"]) == ExitCode.OK
    said = capsys.readouterr()
    assert [line.split(" ")[0] for line in said.out.splitlines()] == ["1", "2", "3"]
    assert "EngineStarted" in said.out
    assert said.err == "there is more: --after 3\n"
    assert cli.main(["journal", "tail", "-n", "2", "--json"]) == ExitCode.OK
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["seq"] for row in rows] == [len(rig.journal) - 1, len(rig.journal)]
    assert cli.main(["journal", "tail", "--kind", "EngineStarted", "--json"]) == ExitCode.OK
    assert {json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()} == {"EngineStarted"}
    assert cli.main(["journal", "show", "--kind", "Nothing"]) == ExitCode.USAGE
    assert "--kind" in capsys.readouterr().err


def test_without_a_daemon_the_file_is_read(tmp_path, monkeypatch, capsys):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    assert cli.main(["journal", "tail"]) == ExitCode.UNREACHABLE
    capsys.readouterr()
    with Journal.open(data_dir / "journal.db", create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 25)
        journal.commit()
    assert cli.main(["journal", "show", "--parent", "P1", "--json", "--limit", "500"]) == ExitCode.OK
    said = capsys.readouterr()
    assert "no daemon runs" in said.err
    rows = json.loads(said.out)["rows"]
    assert "ParentSubmitted" in {row["kind"] for row in rows}
    assert all("P1" in json.dumps(row) or "x-1-" in json.dumps(row) for row in rows)
    assert cli.main(["journal", "show", "--parent", "P99"]) == ExitCode.REFUSED
    assert sorted(path.name for path in data_dir.iterdir()) == ["journal.db"]


def test_every_kind_of_event_can_be_asked_for():
    assert {"LimitTightened", "OrderFilled", "TimerFired"} <= set(KINDS)
