"""How a command of the command line ends when it cannot do what was asked."""

from collections.abc import Iterable

from config.problems import Problem
from executor.domain.errors import ExecutorError
from executor.interfaces.exit_codes import ExitCode


class CommandFailed(ExecutorError):  # noqa: N818 - reads as the sentence an operator sees
    """A command ends with an exit code and at least one problem to show.

    Parameters
    ----------
    exit_code
        How the process ends.
    problems
        What to tell.
    """

    def __init__(self, exit_code: ExitCode, problems: Iterable[Problem]) -> None:
        self.exit_code = exit_code
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.line() for problem in self.problems))


def failed(
    exit_code: ExitCode, code: str, where: str, got: str, allowed: str, next_step: str
) -> CommandFailed:
    """Make a failure with one problem."""
    return CommandFailed(
        exit_code, [Problem(code=code, where=where, got=got, allowed=allowed, next_step=next_step)]
    )
