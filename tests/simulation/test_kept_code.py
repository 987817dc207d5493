"""Machine code that was kept is used again, and only where it is whole and of these very sources."""

import threading
from pathlib import Path

import pytest

from executor.domain.errors import InvariantViolation
from simulation.kept_code import KeptCode, Place
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import ReplayTerms


def double_and_add(one: int, other: int) -> int:
    return 2 * one + other


class Sources:
    """Functions that somebody wants compiled, and how often they were asked for."""

    def __init__(self, *sources: Path) -> None:
        self.asked = 0
        self._sources = sources

    def code(self) -> KeptCode:
        return KeptCode("sum", {"sum": 2}, self._define, sources=self._sources)

    def _define(self):
        self.asked += 1
        return {"sum": double_and_add}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_code_is_compiled_once_by_whoever_comes_first(folder):
    ours, answers = Sources(), []
    workers = [
        threading.Thread(target=lambda: answers.append(ours.code().linked()["sum"](20, -5))) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (answers, ours.asked) == ([35, 35, 35], 1)
    assert ours.code().linked()["sum"](1, 2) == 4
    assert ours.asked == 1
    (kept,) = folder.glob("*.code")

    whole = kept.read_bytes()
    for damaged in (b"", whole[:-1], whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]):
        kept.write_bytes(damaged)
        assert ours.code().linked()["sum"](1, 2) == 4
        asked = ours.asked
        assert ours.code().linked()["sum"](1, 2) == 4
        assert ours.asked == asked, "it is written anew"
    assert ours.asked == 4


def test_other_sources_are_other_code(folder, tmp_path):
    source = tmp_path / "strategy.py"
    source.write_text("first")
    ours = Sources(source)
    assert ours.code().linked()["sum"](0, 7) == 7
    source.write_text("second")
    assert ours.code().linked()["sum"](0, 7) == 7
    assert ours.asked == 2
    assert len(list(folder.glob("*.code"))) == 2
    for text in "abc":
        source.write_text(text)
        ours.code().linked()
    assert len(list(folder.glob("*.code"))) == 4


def test_code_runs_where_nothing_can_be_kept(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(in_the_way / "kept"))
    ours = Sources()
    assert ours.code().linked()["sum"](3, 4) == 10
    assert ours.asked == 1


def test_a_function_that_the_file_does_not_have_is_told(folder):
    ours = Sources()
    ours.code().linked()
    (kept,) = folder.glob("*.code")
    from simulation import kept_code

    (code,) = kept_code._unpacked(kept.read_bytes()).values()
    kept.write_bytes(kept_code._packed({"sum nowhere": code}))
    with pytest.raises(InvariantViolation, match="kept code has no sum"):
        ours.code().linked()


@pytest.mark.timeout(600)
def test_numbers_beyond_64_bits_are_refused_and_not_cut():
    venue = ReplayMachine(ReplayTerms(), window=128, room=16)
    with pytest.raises(OverflowError, match="no instant"):
        venue.advance(1 << 64)
    for terms in ((1 << 64, 1, 1, 1), (1, 1, 1 << 63, 1), (1, 1, 1, -(1 << 64))):
        with pytest.raises(OverflowError, match="beyond what"):
            venue.place(*terms)
    with pytest.raises(OverflowError):
        venue.amend(1, 1 << 63, 1)


def test_a_method_takes_whole_numbers_and_its_object_outlives_its_name(folder):
    ours = KeptCode("sum", {"sum": 2}, lambda: {"sum": double_and_add}, methods={"sum": 1})
    for _ in range(2):
        method = ours.methods(Place(20))["sum"]
        assert (method(-5), method(-1), method(), method.__name__) == (35, 39, 40, "sum")
        assert isinstance(method.__self__, Place)
        ours = KeptCode("sum", {"sum": 2}, lambda: pytest.fail("it is kept"), methods={"sum": 1})
    with pytest.raises(TypeError, match="sum takes 0 to 1 whole numbers"):
        method(1, 2)
    with pytest.raises(TypeError, match="float"):
        method(1.5)
    with pytest.raises(OverflowError):
        method(1 << 64)
