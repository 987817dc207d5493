"""The form of an approval. Only `risk.gate` may make one; a test looks for any other constructor.

The venue port accepts `Approved[...]` alone, so an order that skipped the gate is a type error.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar, final

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Generic[T]):
    """Something that passed the gate.

    Parameters
    ----------
    ticket
        Counts approvals; each may be used for one send.
    halt_epoch
        Number of halts before the approval. A later halt voids the ticket.
    """

    order: T
    ticket: int
    halt_epoch: int
