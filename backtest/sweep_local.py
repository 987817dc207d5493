"""Cells of a sweep in processes of this machine."""

import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from multiprocessing.connection import wait as wait_for

from backtest.sweep_cell import RETRIES, Cell, Outcome, Work, broken, lost


class LocalProcesses:
    """Works as many cells at once as there are workers.

    When a worker dies, nobody can tell which cell it was at: all that were under way are tried again, each by itself.
    So a cell that kills its worker takes no other along.

    Parameters
    ----------
    workers
        Number of processes.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, work: Work, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        """Work the cells."""
        deaths: Counter[str] = Counter()
        waiting, suspects = deque(cells), deque[Cell]()
        while waiting or suspects:
            # Suspects come first, one at a time.
            queue, at_once = (suspects, 1) if suspects else (waiting, self._workers)
            lost_ones: list[Cell] = []
            yield from self._work_until_death(work, queue, at_once, lost_ones)
            for cell in lost_ones:
                deaths[cell.name] += 1
                if deaths[cell.name] > RETRIES:
                    yield cell, lost(deaths[cell.name])
                else:
                    suspects.append(cell)

    def _work_until_death(
        self, work: Work, queue: deque[Cell], at_once: int, lost_ones: list[Cell]
    ) -> Iterator[tuple[Cell, Outcome]]:
        """Work a queue until it is empty or a worker has died; `lost_ones` gets what was under way then."""
        # Fresh processes: a fork would take along whatever this one has open.
        pool = ProcessPoolExecutor(min(at_once, len(queue)), get_context("spawn"), _prepare)
        under_way: dict[Future[Outcome], Cell] = {}
        others, is_whole = set(active_children()), False
        try:
            while (queue or under_way) and not lost_ones:
                try:
                    with _deaf_to_interrupts():  # submitting is what starts workers
                        while queue and len(under_way) < at_once:
                            under_way[pool.submit(work, queue[0])] = queue[0]
                            queue.popleft()
                except BrokenProcessPool:
                    break
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    cell = under_way.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        lost_ones.append(cell)
                    else:
                        yield cell, future.result() if error is None else broken(error)
            lost_ones += under_way.values()
            is_whole = True
        finally:
            if not is_whole:  # Ctrl-C, or nobody wants the rest: no worker finishes its cell first
                for worker in set(active_children()) - others:
                    worker.terminate()
            pool.shutdown(wait=not lost_ones, cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile never hear Ctrl-C, from their first line on.

    It reaches every process of a terminal at once; a worker that is still importing would print where it stood. Who
    starts it hears Ctrl-C afterwards, and ends it.
    """
    resource_tracker.ensure_running()  # whose own start would end the deafness
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    """Let a worker end with the sweep, also where the sweep itself is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    wait_for([parent.sentinel])
    os._exit(1)
