"""What can be wrong with a data file as a whole; what is wrong with single rows is counted, not raised."""

from pathlib import Path
from typing import Final

from executor.domain.errors import ExecutorError

WHOLE_FILE: Final = "a whole file in its own layout"


class DataError(ExecutorError):
    """Recorded data cannot be used.

    Parameters
    ----------
    where
        File, and line where one is known.
    reason
        What is wrong with it.
    next_step
        What to do about it.
    allowed
        What would have been right.
    """

    def __init__(
        self,
        where: Path | str,
        reason: str,
        next_step: str,
        *,
        allowed: str = "recorded data that this command can use",
    ) -> None:
        self.where, self.reason, self.next_step, self.allowed = str(where), reason, next_step, allowed
        super().__init__(f"{where}: {reason}")


class UnreachableError(DataError):
    """A server of recorded data cannot be reached, or gives no usable answer."""

    def __init__(self, where: str, reason: str, next_step: str) -> None:
        super().__init__(where, reason, next_step, allowed="an archive that answers")
