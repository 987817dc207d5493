"""Events in a file: all of them, with the hash of the run; what is cut off or foreign is refused."""

from pathlib import Path

import pytest

from backtest.market.event_store import EventFile, hash_of, read_events
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.market.engine import Asset, RunSummary, SimulationEngine


def recorded(path: Path) -> tuple[RunSummary, int]:
    with EventFile(path) as events:
        engine = SimulationEngine(5, [Asset(10_000)], events=events)
        for _ in range(3):
            engine.add_agent(NoiseTrader(NoiseParams(orders_count=20)), cash=10**10, positions_qty=[10**4])
        summary = engine.run(steps=90)
    return summary, engine.log.count


def test_a_file_holds_every_event_and_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "events"
    summary, count = recorded(path)
    events = list(read_events(path))
    assert len(events) == count > 4_096
    assert hash_of(path) == summary.event_hash
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)
    with pytest.raises(FileExistsError):
        recorded(path)


def test_what_is_no_whole_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events"
    recorded(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="cut off"):
        list(read_events(path))
    path.write_bytes(b"something else\n" * 100)
    with pytest.raises(ValueError, match="does not hold"):
        hash_of(path)
    with pytest.raises(ValueError, match="not open"):
        EventFile(tmp_path / "closed").rows(b"")
