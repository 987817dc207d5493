"""A local stand-in for the exchange that speaks its REST and WebSocket dialect, matching engine included."""

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.flow import FlowSettings
from sandbox.bybit_server.options import SandboxOptions
from sandbox.bybit_server.server import RunningServer, run, running_server

__all__ = ["Credentials", "FlowSettings", "RunningServer", "SandboxOptions", "run", "running_server"]
