"""Puts the model behind two ports."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from sandbox import serving
from sandbox.bybit_server.clock import SystemClock
from sandbox.llm_server.control import ControlDoor
from sandbox.llm_server.door import BODY_BYTES_MAX, ChatDoor
from sandbox.llm_server.fault_form import put_up
from sandbox.llm_server.faults import Fault, FaultBoard
from sandbox.llm_server.options import LlmOptions
from sandbox.llm_server.request_log import RequestLog
from sandbox.llm_server.wire_json import JsonObject

SHUTDOWN_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class RunningLlmServer:
    """Addresses of a server that is up, and its control plane for use from inside the process."""

    base_url: str
    control_url: str
    _control: ControlDoor
    _faults: FaultBoard
    _log: RequestLog

    def addresses(self) -> dict[str, str]:
        """Return the addresses by short name."""
        return {"llm": self.base_url, "control": self.control_url}

    def fault(self, rule: Mapping[str, object]) -> Fault:
        """Put up a rule in the form of ``POST /_fault``; ``FormError`` says what is wrong with it."""
        return put_up(self._faults, rule)

    def heal(self) -> int:
        """Take down all rules and let go of everything that is held; return how many rules there were."""
        return self._faults.clear()

    def requests(self, *, since: int = 0, path: str = "") -> list[JsonObject]:
        """Return what clients have asked, oldest first."""
        return self._log.shapes(since=since, path=path)

    def truth(self) -> JsonObject:
        """Return the counts of everything since the start."""
        return self._control.truth()


@contextlib.asynccontextmanager
async def running_llm_server(options: LlmOptions | None = None) -> AsyncIterator[RunningLlmServer]:
    """Run a server inside the current event loop for as long as the context lasts."""
    chosen = options or LlmOptions()
    clock = SystemClock()
    faults = FaultBoard(Random(f"{chosen.seed}.faults"))  # noqa: S311 - replayable chance
    log = RequestLog(clock)
    door = ChatDoor(chosen, clock, faults, log)
    control = ControlDoor(door, faults, log)
    clients_app = web.Application(client_max_size=BODY_BYTES_MAX)
    clients_app.router.add_route("*", "/{tail:.*}", door.handle)
    control_app = web.Application()
    control_app.add_routes(control.routes())
    # A client that hangs up ends the work for it: that is how a hang is noticed and an endless answer ends.
    clients = web.AppRunner(
        clients_app, access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True
    )
    operators = web.AppRunner(control_app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        port = await serving.listen(clients, chosen.host, chosen.port)
        control_port = await serving.listen(operators, "127.0.0.1", chosen.control_port)
        yield RunningLlmServer(
            f"http://{chosen.host}:{port}/v1", f"http://127.0.0.1:{control_port}", control, faults, log
        )
    finally:
        faults.clear()
        await clients.cleanup()
        await operators.cleanup()


def run(options: LlmOptions, ready_file: Path | None = None) -> None:
    """Run a server until SIGTERM or SIGINT; announce its addresses on standard output when it is ready."""
    serving.run("llm", running_llm_server(options), ready_file)
