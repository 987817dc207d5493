"""What the interfaces need of a running daemon: the one thing that the daemon implements for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from executor.advice.context import MarketContext
from executor.adviser.news import NewsFate
from executor.adviser.tape import Line
from executor.domain.commands import Reply
from executor.domain.errors import ExecutorError
from executor.domain.events import Event
from executor.domain.fees import KnownFees
from executor.domain.orders import Category
from executor.engine.state import EngineState, MarketState
from executor.runtime.alarms import Alarm
from impact.parameters import ParameterVersion

if TYPE_CHECKING:
    from executor.runtime.journal_page import JournalPage  # it brings SQLite, which `--help` does without


class ControlBusy(ExecutorError):  # noqa: N818 - reads as the sentence an operator sees
    """The inbox of the engine is full; the event was not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonInfo:
    """Which daemon this is."""

    version: str
    instance: str
    venue: str
    profile: str
    pid: int


class Control(Protocol):
    """A running daemon, as seen by the people who operate it."""

    @property
    def state(self) -> EngineState:
        """What the engine remembers; only to be read."""

    @property
    def info(self) -> DaemonInfo:
        """Which daemon this is."""

    def now_ns(self) -> int:
        """The present instant by the clock that stamps events, UTC nanoseconds."""

    async def ask(self, event: Event) -> Reply:
        """Stamp the event, hand it to the engine, and wait for its answer to `event.request_id`.

        Raises
        ------
        ControlBusy
            If the inbox is full: nothing was done.
        """

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        """Give the cost report of a parent, final or as of now; None if there is none.

        Of an advised parent it holds the `AdviceRecord` of each question, oldest first, under `decisions`.
        """

    def calibration(self, category: Category, symbol: str) -> ParameterVersion | None:
        """Give the calibration of impact that is in use of an instrument; None where nobody has chosen one.

        It reads files, and may be called in another thread.

        Raises
        ------
        ConfigError
            If one was chosen and cannot be read.
        """

    async def look(self, category: Category, symbol: str) -> MarketState | None:
        """Look once, at the venue, at a market that the engine does not follow; None if there is no such symbol.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """

    async def fees(self, category: Category, symbol: str) -> KnownFees | None:
        """What the account pays in a symbol; None where that is not known.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """

    def hand_in_news(self, source: str, text: str, said_ns: int | None) -> NewsFate:
        """Take a text from outside for the next questions to the model; CLOSED if none are wanted.

        Parameters
        ----------
        said_ns
            When it was written, UTC nanoseconds; None if that is not known.
        """

    def call_of(self, parent_id: str, decision_id: str) -> Line | None:
        """Give what was asked of the model for a decision, and what came back; None where it is not on the tape.

        It reads a file, and is called in another thread.

        Raises
        ------
        TapeError
            If the tape cannot be read.
        """

    def journal_page(self, *, after: int, limit: int, kind: str, names: Sequence[str]) -> "JournalPage":
        """Read rows of the journal (`executor.runtime.journal_page`).

        It reads a file through a connection of its own, and is called in another thread.

        Raises
        ------
        JournalError
            If it cannot be read.
        """

    def alarms(self) -> Sequence[Alarm]:
        """Give the latest alarms of this process, newest last."""

    def surroundings(self, category: Category, symbol: str) -> MarketContext:
        """Describe what stands around a market, such as the depth of its book; empty where it is not followed."""

    async def metrics_page(self) -> tuple[bytes, str]:
        """Give the metrics in Prometheus' text form, and their content type."""

    def ready(self) -> tuple[bool, tuple[str, ...]]:
        """Tell whether new parents can be worked, and if not, why: codes."""
