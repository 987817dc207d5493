"""The last barrier before the first byte: a ticket passes once, in order, and never after a halt.

The gate approves in the engine; between that and the socket time passes. The turnstile is asked
immediately before a create request is written, so a halt voids every approval that has not left yet.
"""

from collections.abc import Callable
from typing import TypeVar

from executor.domain.approval import Approved

T = TypeVar("T")


class Turnstile:
    """Shared by the shell (which closes it) and the order entry (which must pass it).

    Parameters
    ----------
    why_barred
        Asked at every look: says what else forbids opening at this moment (somebody outside pulled the stop, this
        process stood still), or nothing.
    """

    def __init__(self, why_barred: Callable[[], str] = lambda: "") -> None:
        self._why_barred = why_barred
        self._halt_epoch = 0
        self._closed = False
        self._last_ticket = 0

    def follow(self, halt_epoch: int, *, closed: bool) -> None:
        """Take over what the engine decided: its halt count, and whether opening is closed."""
        self._halt_epoch = halt_epoch
        self._closed = closed

    def why_closed(self, approved: Approved[T]) -> str:
        """Use up the ticket and return an empty text, or say why it may not pass."""
        void = self.why_void(approved)
        if void:
            return void
        if approved.ticket <= self._last_ticket:
            return f"ticket {approved.ticket} was used, or overtaken by {self._last_ticket}"
        self._last_ticket = approved.ticket
        return ""

    def why_void(self, approved: Approved[T]) -> str:
        """Why an approval may not leave any more, whether or not its ticket was used; empty if it may."""
        if self._closed:
            return "opening is closed"
        if approved.halt_epoch != self._halt_epoch:
            return "a halt came after the approval"
        return self._why_barred()
