"""The running daemon as the interfaces see it: what they may ask, read and show."""

from collections.abc import Mapping

from executor.domain.commands import Reply
from executor.domain.errors import Overflow
from executor.domain.events import Event
from executor.engine.state import EngineState
from executor.interfaces.control import ControlBusy, DaemonInfo
from executor.runtime.clock import Clock
from executor.runtime.live import LiveRuntime


class Daemon:
    """A running daemon as the interfaces see it."""

    def __init__(self, runtime: LiveRuntime, clock: Clock, info: DaemonInfo) -> None:
        self._runtime = runtime
        self._clock = clock
        self._info = info

    @property
    def state(self) -> EngineState:
        """What the engine remembers; only to be read."""
        return self._runtime.engine.state

    @property
    def info(self) -> DaemonInfo:
        """Which daemon this is."""
        return self._info

    def now_ns(self) -> int:
        """The present by the clock that stamps events."""
        return self._clock.now_ns()

    async def ask(self, event: Event) -> Reply:
        """Hand an operator's request to the engine and wait for its reply."""
        try:
            return await self._runtime.ask(event, str(getattr(event, "request_id", "")))
        except Overflow as error:
            raise ControlBusy(str(error)) from error

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        """The cost report of a parent."""
        return self._runtime.report(parent_id)

    def metrics_page(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text form."""
        return self._runtime.telemetry.page()

    def ready(self) -> tuple[bool, tuple[str, ...]]:
        """Whether new parents can be worked, and why not."""
        reasons = standing_doubts(self.state)
        return not reasons, reasons


def standing_doubts(state: EngineState) -> tuple[str, ...]:
    """Why nothing could be opened now, whatever the parent."""
    # A category whose first complete read is under way, or was begun anew with the stream, has no entry yet.
    followed = {*state.reconciled, *state.reconciling, *(name.partition(":")[0] for name in state.markets)}
    checks = (
        (state.latched, "HALTED"),
        (state.draining, "DRAINING"),
        (not state.private_live, "PRIVATE_STREAM_DOWN"),
        (not state.trade_live, "ORDER_ENTRY_DOWN"),
        (state.restricted_until_ns > state.now_ns, "VENUE_RESTRICTED"),
        (state.sentinel_required and not state.sentinel_alive, "SENTINEL_SILENT"),
        (any(not state.reconciled.get(category, False) for category in followed), "UNRECONCILED"),
    )
    return tuple(code for holds, code in checks if holds)
