"""What the venue will do wrong to the next requests, as the operator has ordered it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.bybit_server.orders import RejectReason


@dataclass(slots=True)
class Mischief:
    """Counters that are used up request by request."""

    rejections: int = 0
    rejection_reason: RejectReason = RejectReason.OTHERS
    ignored_cancels: int = 0

    def next_rejection(self) -> RejectReason | None:
        """Return why the next acknowledged order is rejected after all, or None when it is not."""
        if not self.rejections:
            return None
        self.rejections -= 1
        return self.rejection_reason

    def ignores_cancel(self) -> bool:
        """Tell whether the next acknowledged cancel is forgotten."""
        if not self.ignored_cancels:
            return False
        self.ignored_cancels -= 1
        return True
