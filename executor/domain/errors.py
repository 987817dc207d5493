"""The one error tree. Expected outcomes (a reject, a refusal, an expiry) are events, never exceptions.

ExecutorError
  ConfigError             what the operator wrote cannot be used; lists every problem at once
  JournalError            the durable record is missing, damaged, newer than the code, or cannot be written
  AlreadyRunning          another process holds the account or the database
  ProtocolError
    LocalProtocolError    we broke a rule: a bug, stop
    RemoteProtocolError   the venue sent something that has no meaning: quarantine it, degrade
  TransportError          the outcome of a request is not known
    Disconnected
  InvariantViolation      what must never happen did: halt, cancel all, keep the journal
"""


class ExecutorError(Exception):
    """Root of all errors raised on purpose by this project."""


class ConfigError(ExecutorError):
    """Configuration, argument or secret that cannot be used."""


class JournalError(ExecutorError):
    """The durable record cannot be trusted or written.

    Parameters
    ----------
    code
        Stable, for machines; the text says what to do.
    """

    def __init__(self, text: str, code: str = "DB_DAMAGED") -> None:
        super().__init__(text)
        self.code = code


class AlreadyRunning(ExecutorError):  # noqa: N818 - reads as the sentence an operator sees
    """Another daemon holds this account or this database."""


class Overflow(ExecutorError):  # noqa: N818
    """The engine's inbox is full; whoever posts must drop its connection and resynchronise."""


class ProtocolError(ExecutorError):
    """A message that breaks the agreed form."""


class LocalProtocolError(ProtocolError):
    """We were about to send, or did, something the rules forbid."""


class RemoteProtocolError(ProtocolError):
    """The other side sent something without meaning."""


class TransportError(ExecutorError):
    """A request whose outcome is not known."""


class Disconnected(TransportError):  # noqa: N818
    """The connection ended before the answer."""


class InvariantViolation(ExecutorError):  # noqa: N818
    """A property that must always hold does not."""
