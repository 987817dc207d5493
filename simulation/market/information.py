"""Who learns what, and when: each agent has its own subscriptions, and hears each of them after its own delay.

Public prices are in every view. Beyond them there are news (what a value publishes), the value itself (an insider's),
signals (the value with an error that is drawn for this agent alone) and flow (orders that others indicate, without
names). Nothing is told before it is published, and never sooner than the agent's feed carries it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from simulation.draws import Draws
from simulation.market.protocol import Told
from simulation.market.values import ValuePath


class Source(StrEnum):
    """What can be subscribed to."""

    NEWS = "news"
    VALUE = "value"
    SIGNAL = "signal"
    FLOW = "flow"


class Board:
    """Orders that participants have indicated for one asset, without their names.

    Attributes
    ----------
    posted
        Instants and signed lots, in order.
    """

    def __init__(self) -> None:
        self.posted: list[tuple[int, float]] = []

    def post(self, at_ns: int, signed_qty: int) -> None:
        """Put an indication up; not before the last one."""
        self.posted.append((at_ns, float(signed_qty)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listens:
    """One subscription of one agent.

    Parameters
    ----------
    source
        What.
    asset
        Of which asset.
    every_ns
        Distance of two looks at the value, or of two signals, nanoseconds, the first at 0. News and flow come when they
        come.
    delay_ns
        From publication until the agent hears of it, nanoseconds; at least the latency of its feed.
    noise_ticks
        Standard deviation of the error of a signal, ticks.
    wakes
        Whether it wakes the agent.
    """

    source: Source
    asset: int = 0
    every_ns: int = 1_000_000_000
    delay_ns: int = 0
    noise_ticks: float = 0.0
    wakes: bool = False

    def __post_init__(self) -> None:
        if self.source is Source.FLOW and self.wakes:
            raise ValueError("nobody knows when the next order will be indicated: look by a timer")
        if self.asset < 0 or self.every_ns <= 0 or self.delay_ns < 0 or not self.noise_ticks >= 0.0:
            raise ValueError(
                f"an asset, a distance above zero, a delay and an error not below zero, got {self}"
            )


@dataclass(slots=True)
class Inbox:
    """What one subscription has for its agent, item after item, whoever asks how often.

    Parameters
    ----------
    listens
        The subscription.
    path
        The value concerned.
    board
        The indications of the asset.
    draws
        Stream of the errors.
    feed_ns
        Latency of the agent's feed.

    Attributes
    ----------
    lag_ns
        How long after its publication an item leaves the market, so that the feed brings it in time.
    """

    listens: Listens
    path: ValuePath
    board: Board
    draws: Draws
    feed_ns: int
    lag_ns: int = field(init=False)
    _is_regular: bool = field(init=False)
    _after_ns: int = -1
    _next_ns: int = 0
    _read_count: int = 0

    def __post_init__(self) -> None:
        self.lag_ns = max(0, self.listens.delay_ns - self.feed_ns)
        self._is_regular = self.listens.source in (Source.VALUE, Source.SIGNAL)

    def collect(self, at_ns: int) -> list[Told]:
        """Everything that leaves the market for the agent until an instant and was not told before."""
        until_ns = at_ns - self.lag_ns
        if until_ns < self._next_ns:
            return []
        if self.listens.source is Source.FLOW:
            return self._flow(until_ns)
        items = self._published(self._after_ns, until_ns)
        self._after_ns = until_ns
        if self._is_regular:
            self._next_ns = (until_ns // self.listens.every_ns + 1) * self.listens.every_ns
        return items

    def next_ns(self, at_ns: int, horizon_ns: int) -> int | None:
        """When the next item leaves the market after an instant, if within a horizon."""
        begin_ns = at_ns - self.lag_ns
        listens = self.listens
        if self._is_regular:
            return (begin_ns // listens.every_ns + 1) * listens.every_ns + self.lag_ns
        found = self.path.news(begin_ns, begin_ns + horizon_ns)
        return found[0][0] + self.lag_ns if found else None

    def _flow(self, until_ns: int) -> list[Told]:
        """Read on where the board was left: what is indicated later in the same instant is told the next time."""
        posted, begin = self.board.posted, self._read_count
        end = begin
        while end < len(posted) and posted[end][0] <= until_ns:
            end += 1
        self._read_count = end
        kind, asset = self.listens.source.value, self.listens.asset
        return [(at_ns, kind, asset, said) for at_ns, said in posted[begin:end]]

    def _published(self, after_ns: int, until_ns: int) -> list[Told]:
        listens, path = self.listens, self.path
        kind, asset = listens.source.value, listens.asset
        if listens.source is Source.NEWS:
            return [(at_ns, kind, asset, said) for at_ns, said in path.news(after_ns, until_ns)]
        every_ns = listens.every_ns
        numbers = range(after_ns // every_ns + 1, until_ns // every_ns + 1)
        if listens.source is Source.VALUE:
            return [(number * every_ns, kind, asset, path.at(number * every_ns)) for number in numbers]
        noise = listens.noise_ticks
        return [
            (number * every_ns, kind, asset, path.at(number * every_ns) + noise * self.draws.normal())
            for number in numbers
        ]
