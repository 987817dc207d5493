"""How a command of `executor` ends: the number and what it means."""

from enum import IntEnum

from executor.domain.errors import (
    AlreadyRunning,
    ConfigError,
    ExecutorError,
    InvariantViolation,
    JournalError,
    TransportError,
)


class ExitCode(IntEnum):
    """Exit codes of the command line; the text of each is what the documentation prints."""

    OK = 0
    """Done; for a followed parent: everything was filled."""
    REFUSED = 1
    """The request was refused, the parent ended short, or something broke."""
    USAGE = 2
    """The command line, the configuration or a secret cannot be used; nothing was started or sent."""
    ORDERS_MAY_REMAIN = 3
    """It could not be proved that no order of ours is open at the venue; they are listed."""
    DURABILITY = 4
    """The database is missing, damaged, newer than the code, or could not be written."""
    ALREADY_RUNNING = 5
    """Another process holds the account or the database."""
    UNREACHABLE = 7
    """Exchange, daemon, model or archive cannot be reached, refused our key or token, or gave no usable answer."""
    HALTED = 8
    """The stop is latched; `executor rearm` clears it."""
    AUDIT_DIFFERS = 9
    """A replay of the journal gave other commands than were recorded."""
    UNHEALTHY = 10
    """`executor doctor` found something that would keep the account from being traded."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_code_of(error: ExecutorError) -> ExitCode:
    """Choose the exit code of an error."""
    match error:
        case ConfigError():
            return ExitCode.USAGE
        case AlreadyRunning():
            return ExitCode.ALREADY_RUNNING
        case JournalError():
            return ExitCode.DURABILITY
        case TransportError():
            return ExitCode.UNREACHABLE
        case InvariantViolation():
            return ExitCode.ORDERS_MAY_REMAIN
        case _:
            return ExitCode.REFUSED
