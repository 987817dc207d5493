"""Request allowances: per user and endpoint in a rolling second, and per address in five."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S, Clock, now_ms
from sandbox.bybit_server.refusal import RefusalError

ADDRESS_WINDOW_NS: Final = 5 * NS_PER_S
RESET_MARGIN_MS: Final = 5


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of an allowance after a request, and how many of its orders were within it."""

    limit: int
    remaining: int
    reset_ms: int
    granted: int
    exceeded: bool

    def headers(self) -> dict[str, str]:
        """Return the three response headers."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }

    def refuse_if_exceeded(self) -> None:
        """Raise the refusal of a user who asks too often."""
        if self.exceeded:
            raise RefusalError(10006, "Too many visits. Exceeded the API Rate Limit.")


class RollingLimits:
    """Counters of a rolling second, one per user, endpoint and category.

    Parameters
    ----------
    clock
        Measures the second.
    shared
        Whether REST and the order socket draw on the same allowance.
    """

    def __init__(self, clock: Clock, *, shared: bool = True) -> None:
        self._clock = clock
        self._shared = shared
        self._visits: dict[Hashable, deque[int]] = {}

    def visit(self, bucket: Hashable, limit: int, weight: int = 1, transport: str = "") -> Allowance:
        """Count a request of ``weight`` orders, as many of them as the allowance still holds.

        What is over the limit is not counted. A request with nothing granted is refused as a whole and learns
        when to come back; one with a part granted goes on with its first orders.
        """
        now_ns = self._clock.monotonic_ns()
        visits = self._visits.setdefault((bucket, "" if self._shared else transport), deque())
        while visits and visits[0] <= now_ns - NS_PER_S:
            visits.popleft()
        server_ms = now_ms(self._clock)
        granted = max(0, min(weight, limit - len(visits)))
        visits.extend([now_ns] * granted)
        if granted < weight:
            server_ms += (visits[0] + NS_PER_S - now_ns) // NS_PER_MS + RESET_MARGIN_MS
        return Allowance(limit, limit - len(visits), server_ms, granted, exceeded=granted == 0 and weight > 0)


class AddressLimit:
    """The ban of an address that sends too many HTTP requests.

    Parameters
    ----------
    clock
        Measures the window and the ban.
    requests_max
        Requests allowed in five seconds; 0 switches the limit off.
    ban_s
        How long a ban lasts after the last offence.
    """

    def __init__(self, clock: Clock, requests_max: int, ban_s: float) -> None:
        self._clock = clock
        self._requests_max = requests_max
        self._ban_ns = int(ban_s * NS_PER_S)
        self._visits: dict[str, deque[int]] = {}
        self._banned_until_ns: dict[str, int] = {}
        self._all_banned_until_ns = 0

    def admits(self, address: str) -> bool:
        """Count a request and tell whether it may pass."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < max(self._all_banned_until_ns, self._banned_until_ns.get(address, 0)):
            return False
        if not self._requests_max:
            return True
        visits = self._visits.setdefault(address, deque())
        while visits and visits[0] <= now_ns - ADDRESS_WINDOW_NS:
            visits.popleft()
        if len(visits) >= self._requests_max:
            self._banned_until_ns[address] = now_ns + self._ban_ns
            return False
        visits.append(now_ns)
        return True

    def ban_all(self, length_s: float) -> None:
        """Shut every address out, for a length of time."""
        self._all_banned_until_ns = self._clock.monotonic_ns() + int(length_s * NS_PER_S)

    def unban(self) -> None:
        """Forgive every address, and forget what it has asked so far."""
        self._all_banned_until_ns = 0
        self._banned_until_ns.clear()
        self._visits.clear()
