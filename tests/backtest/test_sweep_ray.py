"""Sweeps on a Ray cluster of two nodes, one of which is killed midway."""

from pathlib import Path
from threading import Thread

import pytest

from tests.backtest import sweep_work
from tests.process.processes import wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'bybit-executor[ray]'")
pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("default")]


def test_what_a_killed_node_was_at_is_worked_by_the_other(tmp_path):
    from ray.cluster_utils import Cluster

    from backtest.sweep_ray import RayTasks

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cells = sweep_work.cells(tmp_path, 4)
        killer = Thread(target=kill_when_both_work, args=(cluster, second, tmp_path))
        killer.start()
        found = {
            cell.number: outcome
            for cell, outcome in RayTasks(cluster.address, None)(sweep_work.patient, cells)
        }
        killer.join()
    finally:
        cluster.shutdown()
    assert {number: outcome.rows for number, outcome in found.items()} == {
        n: [{"number": n}] for n in range(1, 5)
    }
    hit = [cell for cell in cells if list(tmp_path.glob(f"{cell.number}-*-{second.node_id}"))]
    assert len(hit) == 1
    assert sweep_work.tries(hit[0]) == 2
    assert sum(sweep_work.tries(cell) for cell in cells) == len(cells) + 1


def kill_when_both_work(cluster, second, folder):
    """Kill a node and see its worker gone, then let the others end their work."""
    there = wait_until(lambda: list(folder.glob(f"*-{second.node_id}")), "work on the second node")
    wait_until(lambda: len(list(folder.iterdir())) == 2, "work on the first node")
    cluster.remove_node(second, allow_graceful=False)
    worker = Path("/proc", there[0].name.split("-")[1])
    wait_until(lambda: not worker.exists() or "zombie" in (worker / "status").read_text(), "the worker's end")
    (folder / "go").touch()
