"""Everything that can be chosen when a server is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sandbox.llm_server.latency import Latency

DEFAULT_API_KEY: Final = "sk-local-7Kq2ZtVw9RbXe4Md"
"""No piece of it is a word: a careful client takes an answer that holds a piece of its key for a leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmOptions:
    """Options of one server. A port of 0 lets the system choose a free one."""

    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    api_keys: tuple[str, ...] = (DEFAULT_API_KEY,)
    latency: Latency = field(default_factory=Latency)
