"""Everything that can be chosen when a server is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.bybit_server.accounts import DEFAULT_BALANCES, Credentials
from sandbox.bybit_server.agents_market import AgentsCall
from sandbox.bybit_server.flow import FlowSettings
from sandbox.bybit_server.recorded_market import PlaySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Options of one server. A port of 0 lets the system choose a free one.

    With ``played`` the recording's symbol is the only one listed, and there is no crowd; with ``agents`` it is theirs.
    ``shared_allowance`` says whether REST and the order socket draw on the same requests per second.
    """

    seed: int = 7
    host: str = "127.0.0.1"
    rest_port: int = 0
    control_port: int = 0
    credentials: tuple[Credentials, ...] = (Credentials(),)
    balances: Mapping[str, Decimal] = field(default_factory=lambda: dict(DEFAULT_BALANCES))
    flow: FlowSettings = field(default_factory=FlowSettings)
    played: PlaySettings | None = None
    agents: AgentsCall | None = None
    step_ms: float = 10.0
    rest_ack_delay_ms: float = 0.0
    stream_ack_delay_ms: float = 12.0
    private_push_delay_ms: float = 3.0
    clock_offset_ms: int = 0
    address_requests_max: int = 600
    address_ban_s: float = 600.0
    shared_allowance: bool = True
