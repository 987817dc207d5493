"""The running daemon as the interfaces see it: what they may ask, read and show."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from executor.advice.clean import name_of
from executor.advice.context import MarketContext
from executor.adviser.news import NewsDoor, NewsFate
from executor.adviser.past_call import past_call
from executor.adviser.tape import Line
from executor.domain.commands import Reply
from executor.domain.errors import JournalError, Overflow
from executor.domain.events import Event, NewsArrived
from executor.domain.fees import KnownFees
from executor.domain.orders import Category
from executor.domain.places import place_of_market, venue_of
from executor.engine.state import EngineState, MarketState
from executor.interfaces.control import ControlBusy, DaemonInfo
from executor.interfaces.kept_parameters import KeptParameters
from executor.runtime.alarms import Alarm
from executor.runtime.clock import Clock
from executor.runtime.journal_page import JournalPage, journal_page
from executor.runtime.live import LiveRuntime
from impact.parameters import ParameterVersion

Look = Callable[[Category, str], Awaitable[MarketState | None]]
AskFees = Callable[[Category, str], Awaitable[KnownFees]]


class Daemon:
    """A running daemon as the interfaces see it.

    Parameters
    ----------
    door
        Where texts for the model are handed in; None where none are wanted.
    parameters
        Where calibrations of impact are kept; None where none are.
    look
        Looks once at a market that is not followed.
    surroundings
        Describes a market that is followed.
    ask_fees
        Reads what the account pays in a symbol; None where nobody says.
    tape
        File with every call to the model; None where there is no model.
    journal
        File of the journal, to be read page by page; None where nobody may.
    """

    def __init__(
        self,
        runtime: LiveRuntime,
        clock: Clock,
        info: DaemonInfo,
        door: NewsDoor | None = None,
        parameters: KeptParameters | None = None,
        look: Look | None = None,
        surroundings: Callable[[Category, str], MarketContext] | None = None,
        ask_fees: AskFees | None = None,
        tape: Path | None = None,
        journal: Path | None = None,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._info = info
        self._door = door
        self._parameters = parameters
        self._look = look
        self._surroundings = surroundings
        self._ask_fees = ask_fees
        self._tape = tape
        self._journal = journal

    @property
    def state(self) -> EngineState:
        """What the engine remembers; only to be read."""
        return self._runtime.engine.state

    @property
    def info(self) -> DaemonInfo:
        """Which daemon this is."""
        return self._info

    def now_ns(self) -> int:
        """The present by the clock that stamps events."""
        return self._clock.now_ns()

    async def ask(self, event: Event) -> Reply:
        """Hand an operator's request to the engine and wait for its reply."""
        try:
            return await self._runtime.ask(event, str(getattr(event, "request_id", "")))
        except Overflow as error:
            raise ControlBusy(str(error)) from error

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        """The cost report of a parent."""
        return self._runtime.report(parent_id)

    def calibration(self, category: Category, symbol: str) -> ParameterVersion | None:
        """The calibration of impact that is in use of an instrument."""
        if self._parameters is None:
            return None
        venue = self.state.venue.partition("-")[0] or self.state.venue
        return self._parameters.in_use(f"{venue}/{category.value}/{symbol}")

    async def look(self, category: Category, symbol: str) -> MarketState | None:
        """Look once at a market that the engine does not follow; None if there is none, or nobody looks."""
        nobody = self._look is None or bool(venue_of(symbol))
        return None if nobody or self._look is None else await self._look(category, symbol)

    async def fees(self, category: Category, symbol: str) -> KnownFees | None:
        """What the account pays in a symbol; None where that is not known."""
        if self._ask_fees is None or venue_of(symbol):
            return None
        return await self._ask_fees(category, symbol)

    def hand_in_news(self, source: str, text: str, said_ns: int | None) -> NewsFate:
        """Take a text from outside, and have the engine look whether it should ask."""
        if self._door is None:
            return NewsFate.CLOSED
        fate = self._door.hand_in(source, text, said_ns)
        if fate is NewsFate.TAKEN:
            # A full inbox has more urgent things in it; the next question carries the text all the same.
            with suppress(Overflow):
                self._runtime.post(NewsArrived(at_ns=0, source=name_of(source)))
        return fate

    def call_of(self, parent_id: str, decision_id: str) -> Line | None:
        """What was asked of the model for a decision, and what came back."""
        return None if self._tape is None else past_call(self._tape, parent_id, decision_id)

    def journal_page(self, *, after: int, limit: int, kind: str, names: Sequence[str]) -> JournalPage:
        """Rows of the journal, through a connection of its own."""
        if self._journal is None:
            raise JournalError("there is no journal to be read", "DB_MISSING")
        return journal_page(self._journal, after=after, limit=limit, kind=kind, names=names)

    def alarms(self) -> Sequence[Alarm]:
        """The latest alarms, newest last."""
        return self._runtime.alarms.latest

    def surroundings(self, category: Category, symbol: str) -> MarketContext:
        """What stands around a market; empty where nobody can tell."""
        if self._surroundings is None or venue_of(symbol):
            return MarketContext(at_ns=self.now_ns())
        return self._surroundings(category, symbol)

    async def metrics_page(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text form."""
        return await self._runtime.telemetry.page()

    def ready(self) -> tuple[bool, tuple[str, ...]]:
        """Whether new parents can be worked, and why not."""
        reasons = standing_doubts(self.state)
        return not reasons, reasons


def standing_doubts(state: EngineState) -> tuple[str, ...]:
    """Why nothing could be opened now, whatever the parent."""
    # A category whose first complete read is under way, or was begun anew with the stream, has no entry yet.
    followed = {*state.reconciled, *state.reconciling, *map(place_of_market, state.markets)}
    checks = (
        (state.latched, "HALTED"),
        (state.draining, "DRAINING"),
        (not state.private_live, "PRIVATE_STREAM_DOWN"),
        (not state.trade_live, "ORDER_ENTRY_DOWN"),
        (state.restricted_until_ns > state.now_ns, "VENUE_RESTRICTED"),
        (state.sentinel_required and not state.sentinel_alive, "SENTINEL_SILENT"),
        (
            # What another venue does not answer speaks against orders there, not against this daemon.
            any(not state.reconciled.get(place, False) for place in followed if not venue_of(place)),
            "UNRECONCILED",
        ),
    )
    return tuple(code for holds, code in checks if holds)
