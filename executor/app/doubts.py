"""Looks once a second whether an order has been in doubt for too long, and alarms people of it."""

import asyncio
from collections.abc import Callable
from typing import Final

from executor.domain.events import Event
from executor.domain.ports import Log, Post
from executor.runtime.live import LiveRuntime
from executor.runtime.long_doubts import LongDoubts

LOOK_S: Final = 1.0


class DoubtWatch:
    """Runs beside the venue.

    Parameters
    ----------
    runtime
        Gives the runtime, once there is one.
    """

    def __init__(self, runtime: Callable[[], LiveRuntime], now_ns: Callable[[], int], log: Log) -> None:
        self._runtime = runtime
        self._now_ns = now_ns
        self._log = log
        self._doubts = LongDoubts()

    def notice(self, event: Event) -> None:
        """What the venue posts is seen in the engine's state."""

    async def run(self, _post: Post) -> None:
        """Look until cancelled."""
        while True:
            runtime, now_ns = self._runtime(), self._now_ns()
            for alarm in self._doubts.look(runtime.engine.state, now_ns):
                self._log(alarm.detail, level="error", code=alarm.code.value, parent=alarm.parent_id)
                runtime.telemetry.on_alarm(alarm)
                runtime.alarms.take(alarm, now_ns)
            await asyncio.sleep(LOOK_S)
