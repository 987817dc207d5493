"""The seam between the venue and whoever makes its markets.

A market source is asked to act up to an instant of the venue's time, and does so through three operations that
are open to anonymous participants: rest an order, take, withdraw. A source that plays what happened elsewhere
lays its book down itself, and says which trades and payments that brought. The seeded crowd of ``flow`` is one
source, a recorded book that is played back (``recorded_market``) another. Matching, accounts and streams know of
none of them.

Order ids of a source begin with ``CROWD_PREFIX``, so that they can never be those of a client. A source draws
its chance from the generator it is given and its time from ``advance``: then two venues with the same seed and
the same requests behave alike.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final, Protocol, TypeAlias

from sandbox.bybit_server.book import Match, Side
from sandbox.bybit_server.market import Market

CROWD_PREFIX: Final = "~"


MatchSink: TypeAlias = Callable[[Market, Side, tuple[Match, ...]], None]
"""Hears of trades as they are settled: the market, the taker's side, and what it took."""


class FlowVenue(Protocol):
    """What a source may do to its market."""

    @property
    def match_sinks(self) -> list[MatchSink]:
        """Who hears which resting orders trades took from: a source whose orders clients take asks for it."""

    def crowd_add(self, market: Market, order_id: str, side: Side, px_ticks: int, lots: int) -> None:
        """Rest an order; what crosses trades first."""

    def crowd_take(self, market: Market, side: Side, limit_ticks: int, lots: int) -> None:
        """Send an immediate-or-cancel order."""

    def crowd_cancel(self, market: Market, order_id: str) -> None:
        """Withdraw a resting order."""

    def crowd_trade(self, market: Market, side: Side, matches: tuple[Match, ...]) -> None:
        """Print trades of an anonymous taker; clients among the makers, already off the book, are filled."""

    def crowd_fund(self, market: Market, rate: Decimal) -> None:
        """Let every position pay or receive funding."""


class MarketSource(Protocol):
    """Whoever makes one market.

    Attributes
    ----------
    frozen
        While true, time passes and nothing is done.
    spread_extra_ticks
        How much wider than usual it quotes, by order of the operator.
    """

    frozen: bool
    spread_extra_ticks: int

    def advance(self, now_ns: int) -> None:
        """Act up to an instant in nanoseconds of the monotonic clock, whatever the wall clock is set to."""

    def jump(self, bps: float) -> None:
        """Take the price to be ``bps`` basis points away from where it was."""

    def regrid(self) -> None:
        """Learn that the steps of the instrument have changed."""


SourceFactory: TypeAlias = Callable[[FlowVenue, Market, Random, int], MarketSource]
"""Makes the source of a market from the venue, the market, its chance and the first instant (monotonic clock)."""
