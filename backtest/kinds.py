"""The advisers that can be compared with none, by name; each can be sent to another process."""

from dataclasses import dataclass
from enum import StrEnum

from backtest import scripted
from executor.adviser.playback import Replay, VirtualAdviser
from executor.adviser.tape import Line


class Kind(StrEnum):
    """Advisers whose worth is known beforehand."""

    UNINFORMED = "uninformed"
    UNCHANGED = "unchanged"
    FORESIGHT = "foresight"
    SILENT = "silent"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class KnownAdviser:
    """Makes advisers of one kind.

    Parameters
    ----------
    model
        Name under which they answer.
    """

    kind: Kind
    model: str

    def __call__(self, drift: scripted.Drift, seed: int) -> VirtualAdviser:
        """Make the adviser of one drive."""
        match self.kind:
            case Kind.UNINFORMED:
                return scripted.uninformed(self.model, seed)
            case Kind.UNCHANGED:
                return scripted.unchanged(self.model)
            case Kind.FORESIGHT:
                return scripted.informed(self.model, drift)
            case Kind.SILENT:
                return scripted.silent()
            case Kind.LATE:
                return scripted.late(self.model)


@dataclass(frozen=True, slots=True)
class TapedAdviser:
    """Makes advisers that answer from a tape: the same market, order and terms ask the same questions again."""

    lines: tuple[Line, ...]
    model: str

    def __call__(self, drift: scripted.Drift, seed: int) -> VirtualAdviser:
        """Make the adviser of one drive."""
        return Replay(self.lines, self.model)
