"""The files by which daemon and sentinel know of each other: whole or not at all, and never believed blindly."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from executor.watch import halt_file
from executor.watch.durable import read_small, replace_file
from executor.watch.halt_file import name_orders, new_halt, read_halt, remove_halt, write_halt
from executor.watch.heartbeat import (
    FILE_BYTES,
    HeartbeatFile,
    Life,
    Unreadable,
    process_lives,
    read_heartbeat,
    this_boot,
)


def test_a_beat_is_read_as_it_was_written(tmp_path):
    times = iter([5, 70, 90])
    file = HeartbeatFile(tmp_path / "h.json", boot_id="b", mono_ns=lambda: next(times))
    assert file.write(Life.STARTING, "x" * 1_000) == 70
    first = read_heartbeat(tmp_path / "h.json")
    assert (first.pid, first.start_id, first.count, first.mono_ns) == (os.getpid(), f"{os.getpid()}-5", 1, 70)
    assert len(first.detail) == 300
    file.write(Life.RUNNING, "", {"swept": "a"})
    second = read_heartbeat(tmp_path / "h.json")
    assert (second.count, second.life, second.facts, second.detail) == (2, Life.RUNNING, {"swept": "a"}, "")
    assert (tmp_path / "h.json").stat().st_size == FILE_BYTES
    assert json.loads((tmp_path / "h.json").read_text())["pid"] == os.getpid()
    assert (tmp_path / "h.json").stat().st_mode & 0o777 == 0o600
    file.close()


def test_no_file_is_no_beat_and_every_damage_is_seen(tmp_path):
    path = tmp_path / "h.json"
    assert read_heartbeat(path) is None
    file = HeartbeatFile(path, boot_id="b")
    file.write(Life.RUNNING)
    file.close()
    whole = path.read_bytes()
    for place in range(0, len(whole.rstrip()), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Unreadable):
            read_heartbeat(path)
        path.write_bytes(whole[:place])
        with pytest.raises(Unreadable):
            read_heartbeat(path)
    path.write_bytes(b"\0" * FILE_BYTES * 2)
    with pytest.raises(Unreadable):
        read_heartbeat(path)


def test_a_link_is_neither_followed_nor_written_through(tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "h.json").symlink_to(tmp_path / "target")
    with pytest.raises(Unreadable):
        read_heartbeat(tmp_path / "h.json")
    with pytest.raises(OSError, match="symbolic"):
        HeartbeatFile(tmp_path / "h.json", boot_id="b").write(Life.RUNNING)
    assert (tmp_path / "target").read_text() == "precious"


def test_a_beat_too_long_for_its_file_is_refused(tmp_path):
    file = HeartbeatFile(tmp_path / "h.json", boot_id="b")
    with pytest.raises(OSError, match="bytes"):
        file.write(Life.RUNNING, "", {"fact": "x" * FILE_BYTES})
    file.close()


def test_this_process_lives_and_one_that_ended_does_not(tmp_path):
    assert process_lives(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process_lives(child.pid)
    assert this_boot() == this_boot()


def test_the_latch_file_comes_back_as_it_was_written_and_goes_by_its_id(tmp_path):
    halt = new_halt("2026-01-01T00:00:00.000Z", "ann", "looks wrong \x1b[31m é")
    assert read_halt(tmp_path) is None
    write_halt(tmp_path, halt)
    assert read_halt(tmp_path) == halt
    assert [path.name for path in tmp_path.iterdir()] == [halt_file.NAME]
    other = new_halt("2026-01-01T00:00:00.000Z", "sentinel", "silent")
    assert other.halt_id != halt.halt_id
    assert not remove_halt(tmp_path, other.halt_id)
    assert read_halt(tmp_path) == halt
    assert remove_halt(tmp_path, halt.halt_id)
    assert read_halt(tmp_path) is None
    assert remove_halt(tmp_path, halt.halt_id)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b"\xff", b'{"halt_id": 1}', b"x" * 1_100_000, b"[" * 5_000]
)
def test_a_latch_file_that_says_nothing_is_a_stop_all_the_same(tmp_path, raw):
    halt_file.halt_path(tmp_path).write_bytes(raw)
    halt = read_halt(tmp_path)
    assert halt.halt_id.startswith(halt_file.UNREADABLE)
    assert "cannot be read" in halt.reason
    assert remove_halt(tmp_path, halt.halt_id)
    assert read_halt(tmp_path) is None


def test_a_latch_file_that_is_a_link_or_a_directory_is_a_stop(tmp_path):
    halt_file.halt_path(tmp_path).symlink_to(tmp_path / "nowhere")
    assert read_halt(tmp_path).halt_id.startswith(halt_file.UNREADABLE)
    halt_file.halt_path(tmp_path).unlink()
    halt_file.halt_path(tmp_path).mkdir()
    assert read_halt(tmp_path).halt_id.startswith(halt_file.UNREADABLE)


def test_each_file_that_says_nothing_is_a_stop_of_its_own(tmp_path):
    path, seen = halt_file.halt_path(tmp_path), []
    for _ in range(3):
        path.write_bytes(b"{")
        os.utime(path, ns=(0, len(seen)))
        seen.append(read_halt(tmp_path).halt_id)
        assert read_halt(tmp_path).halt_id == seen[-1]
    assert len(set(seen)) == 3
    assert not remove_halt(tmp_path, seen[0])
    assert path.exists()


@pytest.mark.parametrize("moment", ["before it is put aside", "while it is aside"])
def test_a_stop_pulled_while_the_latch_is_removed_is_never_lost(tmp_path, monkeypatch, moment):
    old, kill = new_halt("t", "ann", "looks wrong"), new_halt("t", "kill", "no!")
    write_halt(tmp_path, old)
    true_read = halt_file._read
    monkeypatch.setattr(halt_file, "LOCK_S_MAX", 0.0)  # those who pull could not wait for the lock
    reads = []

    def read_and_pull(path):
        found = true_read(path)
        reads.append(path)
        if len(reads) == (1 if moment == "before it is put aside" else 2):
            write_halt(tmp_path, kill)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(halt_file, "_read", read_and_pull)
        assert not remove_halt(tmp_path, old.halt_id)
    assert read_halt(tmp_path) == kill
    assert [path.name for path in tmp_path.iterdir()] == [halt_file.NAME]


def test_the_newest_of_two_stops_pulled_during_a_removal_stays(tmp_path, monkeypatch):
    old, *kills = (new_halt("t", "kill", str(number)) for number in range(3))
    write_halt(tmp_path, old)
    true_read, left = halt_file._read, iter(kills)
    monkeypatch.setattr(halt_file, "LOCK_S_MAX", 0.0)  # those who pull could not wait for the lock

    def read_and_pull(path):
        found = true_read(path)
        pull = next(left, None)
        if pull is not None:
            halt_file._write(tmp_path, pull)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(halt_file, "_read", read_and_pull)
        assert not remove_halt(tmp_path, old.halt_id)
    assert read_halt(tmp_path) == kills[1]
    assert [path.name for path in tmp_path.iterdir()] == [halt_file.NAME]


def test_a_stop_that_is_pulled_again_keeps_who_was_first_and_which_orders_each_found(tmp_path):
    first, second = new_halt("t1", "sentinel", "silent"), new_halt("t2", "ann", "looks wrong")
    write_halt(tmp_path, first)
    assert name_orders(tmp_path, first.halt_id, ["a"])
    write_halt(tmp_path, second)
    # Whoever cancelled for the first pull may finish after the second one.
    assert name_orders(tmp_path, first.halt_id, ["a", "b"])
    assert name_orders(tmp_path, second.halt_id, ["c"])
    assert name_orders(tmp_path, second.halt_id, ["d"])
    halt = read_halt(tmp_path)
    assert (halt.halt_id, halt.orders) == (second.halt_id, ("c", "d"))
    assert (halt.first.operator, halt.first.orders) == ("sentinel", ("a", "b"))
    assert halt.told == "silent; then ann: looks wrong"
    assert not name_orders(tmp_path, "another", ["x"])
    assert not remove_halt(tmp_path, first.halt_id)
    assert read_halt(tmp_path).earlier == (), "what a person has cleared is no longer told"
    assert remove_halt(tmp_path, second.halt_id)
    assert not name_orders(tmp_path, second.halt_id, ["c"])
    assert read_halt(tmp_path) is None


def test_of_many_pulls_the_first_and_the_newest_stay_and_the_file_can_be_read(tmp_path):
    pulls = [new_halt("t", "ann", f"{number} " + "é" * halt_file.TEXT_CHARS_MAX) for number in range(15)]
    for pull in pulls:
        write_halt(tmp_path, pull)
        name_orders(
            tmp_path, pull.halt_id, [f"{order} " + "é" * 200 for order in range(halt_file.ORDERS_MAX)]
        )
    halt = read_halt(tmp_path)
    assert halt.told.startswith("0 é")
    assert "; then 8 more, the last by ann: 14 é" in halt.told
    kept = [each.halt_id for each in (*halt.earlier, halt)]
    assert kept == [pulls[0].halt_id, *(pull.halt_id for pull in pulls[15 - halt_file.EARLIER_MAX :])]


def test_names_of_two_processes_at_once_are_all_kept(tmp_path):
    halt = new_halt("t", "ann", "looks wrong")
    write_halt(tmp_path, halt)
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(lambda number: name_orders(tmp_path, halt.halt_id, [f"order {number}"]), range(24))
        assert all(done)
    assert set(read_halt(tmp_path).orders) == {f"order {number}" for number in range(24)}


def test_a_latch_that_cannot_be_removed_is_where_it_was(tmp_path):
    halt_file.halt_path(tmp_path).mkdir()
    with pytest.raises(OSError, match="directory"):
        remove_halt(tmp_path, read_halt(tmp_path).halt_id)
    assert [path.name for path in tmp_path.iterdir()] == [halt_file.NAME]
    assert read_halt(tmp_path) is not None


def test_a_replacement_that_fails_leaves_what_was_there(tmp_path):
    replace_file(tmp_path / "a", b"one", durable=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "b", b"two", durable=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert read_small(tmp_path / "a", 10) == b"one"
    with pytest.raises(OSError, match="longer"):
        read_small(tmp_path / "a", 2)
