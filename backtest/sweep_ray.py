"""Cells of a sweep on a Ray cluster; its nodes have this package and see the store under the same path."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayTaskError, WorkerCrashedError

from backtest.sweep_cell import RETRIES, Cell, Outcome, Work, broken, lost

_DEATHS: Final = (NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError)


class RayTasks:
    """Works a cell for each processor of the cluster at once; Ray tries a cell again whose worker or node has died.

    Parameters
    ----------
    address
        Of the cluster; None starts one on this machine for the time of the sweep.
    workers
        At most so many cells at once; None takes all processors.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        self._address = address
        self._workers = workers

    def __call__(self, work: Work, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        """Work the cells."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told what is tried here
        ray.init(
            address=self._address,
            num_cpus=self._workers if self._address is None else None,
            include_dashboard=False if self._address is None else None,
            log_to_driver=False,
        )
        try:
            yield from self._work(work, deque(cells))
        finally:
            ray.shutdown()

    def _work(self, work: Work, waiting: deque[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(work)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call,unused-ignore]
        at_once = self._workers or max(int(resources.get("CPU", 1)), 1)
        under_way: dict[ray.ObjectRef[Outcome], Cell] = {}
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                cell = waiting.popleft()
                under_way[task.remote(cell)] = cell
            ended, _ = ray.wait(list(under_way), num_returns=1)
            for one in ended:
                cell = under_way.pop(one)
                try:
                    yield cell, ray.get(one)
                except _DEATHS:
                    yield cell, lost(1 + RETRIES)
                except RayTaskError as error:
                    yield cell, broken(error.cause)
