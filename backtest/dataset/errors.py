"""What can be wrong with a data file as a whole; what is wrong with single rows is counted, not raised."""

from pathlib import Path

from executor.domain.errors import ExecutorError


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
    """

    def __init__(self, where: Path | str, reason: str, next_step: str) -> None:
        self.where, self.reason, self.next_step = str(where), reason, next_step
        super().__init__(f"{where}: {reason}")
