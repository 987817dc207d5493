"""Orders in the market of a seed beside the same market without them: what was paid, and how far the price was moved.

The move that an order made is the mid with it less the mid without it, at the same instant of the same seed. Sizes can
be given in lots, or as shares of the volume of a day of the market that is left alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import exp, fsum, log
from typing import Final, Protocol

from backtest.market.executing import (
    EVERY_NS,
    LOT,
    Path,
    Stage,
    WorkedInAgents,
    quiet,
    spread_out,
    work_in_agents,
)
from executor.domain.events import ParentSubmitted
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Quantity

LOOKS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""When the price is looked at: time since the order came, in multiples of the time to its last execution."""
_VOLATILITY_STEP_S: Final = 10
SIZES_MIN: Final = 5
"""With fewer sizes no law of growth is fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One order that is to be worked.

    Parameters
    ----------
    policy
        Name of how it is worked.
    size
        Share of a day's volume that it was chosen as; None where it was chosen in lots.
    order
        The order itself.
    """

    policy: str
    size: float | None
    order: ParentSubmitted


class Orders(Protocol):
    """Which orders are worked in the market of a seed; can be sent to another process."""

    @property
    def longest_s(self) -> int:
        """Longest duration of them, seconds."""

    def of_seed(self, seed: int, day_qty: float) -> Sequence[Asked]:
        """Give them.

        Parameters
        ----------
        day_qty
            Volume of a day of the market that is left alone, lots.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The same orders for every seed.

    Parameters
    ----------
    orders
        With the name of how each is worked.
    """

    orders: tuple[tuple[str, ParentSubmitted], ...]

    @property
    def longest_s(self) -> int:
        """Longest duration of them, seconds."""
        return max(order.duration_s + order.extend_s for _, order in self.orders)

    def of_seed(self, seed: int, day_qty: float) -> Sequence[Asked]:
        """Give them."""
        return [Asked(policy=name, size=None, order=order) for name, order in self.orders]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Orders of many sizes: buys in the markets of odd seeds, sells in those of even ones.

    Parameters
    ----------
    order
        As it is worked but for size, side and duration.
    sizes
        Shares of a day's volume.
    durations_s
        How long they take.
    """

    order: ParentSubmitted
    sizes: tuple[float, ...]
    durations_s: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a design in which no law can be seen."""
        if len(set(self.sizes)) < SIZES_MIN or not all(0.0 < one <= 1.0 for one in self.sizes):
            raise ValueError(f"{SIZES_MIN} sizes above 0 and up to 1 are needed at least")
        if not self.durations_s or min(self.durations_s) < 1:
            raise ValueError("a duration is a second or more")

    @property
    def longest_s(self) -> int:
        """Longest duration of them, seconds."""
        return max(self.durations_s) + self.order.extend_s

    def of_seed(self, seed: int, day_qty: float) -> Sequence[Asked]:
        """Give them."""
        side = Side.BUY if seed % 2 else Side.SELL
        return [
            Asked(
                policy=f"{duration_s}s",
                size=size,
                order=replace(
                    self.order,
                    side=side,
                    duration_s=duration_s,
                    order_qty=Quantity(max(1, round(size * day_qty)) * LOT),
                ),
            )
            for duration_s in self.durations_s
            for size in self.sizes
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMove:
    """One order, what it cost, and the move that it made.

    Parameters
    ----------
    policy, size
        As it was asked for.
    side
        +1 bought, -1 sold.
    order_qty
        Lots.
    filled_share
        0-1.
    moves
        At `LOOKS`: log mid with the order less log mid without it, with the sign of the order. None if it was never
        executed or came to no end.
    cost_bps
        Arrival shortfall with fees; None where there is none.
    failure
        Why there is none, in words.
    event_hash
        Of the market with it.
    """

    policy: str
    size: float | None
    side: int
    order_qty: int
    filled_share: float
    moves: tuple[float, ...] | None
    cost_bps: float | None
    failure: str
    event_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedMoves:
    """All orders of one seed.

    Parameters
    ----------
    day_qty
        Volume of a day by the pace of the undisturbed market, lots.
    day_variance
        Of the log return of a day, by that of 10 s.
    untouched
        Whether the market of every order was the undisturbed one until it was given.
    """

    seed: int
    day_qty: float
    day_variance: float
    untouched: bool
    orders: tuple[OwnMove, ...]


def moves_of_seeds(
    stage: Stage, orders: Orders, seeds: Sequence[int], processes: int = 1
) -> Iterator[SeedMoves]:
    """Work orders in the market of each seed, each of them alone, in the order of the seeds."""
    return spread_out(partial(moves_of_seed, stage, orders), seeds, processes)


def moves_of_seed(stage: Stage, orders: Orders, seed: int) -> SeedMoves:
    """Work orders in the market of one seed, each of them alone."""
    until_ns = _watched_until_ns(stage, orders.longest_s)
    alone = quiet(stage, seed, until_ns)
    day_s = stage.scenario.run.day_s
    day_qty = alone.volume_qty * NS_PER_S / (until_ns - stage.start_ns) * day_s
    found, untouched = [], True
    for asked in orders.of_seed(seed, day_qty):
        order = asked.order
        until_ns = _watched_until_ns(stage, order.duration_s + order.extend_s)
        worked = work_in_agents(stage, order, seed, until_ns=until_ns)
        assert worked.path is not None, "it was asked for"
        looks = stage.start_ns // EVERY_NS + 1
        untouched &= worked.path.mid_px[:looks] == alone.mid_px[:looks]
        found.append(
            OwnMove(
                policy=asked.policy,
                size=asked.size,
                side=order.side.sign,
                order_qty=int(order.order_qty / LOT),
                filled_share=worked.filled_share,
                moves=_moves(stage, worked, worked.path, alone, order.side.sign),
                cost_bps=worked.cost_bps,
                failure=worked.failure,
                event_hash=worked.path.event_hash,
            )
        )
    return SeedMoves(
        seed=seed,
        day_qty=day_qty,
        day_variance=_day_variance(stage, alone, day_s),
        untouched=untouched,
        orders=tuple(found),
    )


def _watched_until_ns(stage: Stage, duration_s: int) -> int:
    """Instant of the market's time of the last look, if the order is worked to the end of its residual window."""
    return stage.start_ns + round(LOOKS[-1] * (duration_s + stage.timings.residual_window_s)) * NS_PER_S


def _moves(
    stage: Stage, worked: WorkedInAgents, path: Path, alone: Path, side: int
) -> tuple[float, ...] | None:
    if worked.drive is None or worked.last_fill_ns is None:
        return None
    took_ns = max(worked.last_fill_ns - stage.start_ns, EVERY_NS)
    # The first look at or after the instant: the last execution is in the price then.
    places = [-int(-(stage.start_ns + z * took_ns) // EVERY_NS) for z in LOOKS]
    if places[-1] >= min(len(path.mid_px), len(alone.mid_px)):
        return None
    return tuple(side * log(path.mid_px[at] / alone.mid_px[at]) for at in places)


def _day_variance(stage: Stage, alone: Path, day_s: float) -> float:
    mids = alone.mid_px[stage.start_ns // EVERY_NS :: _VOLATILITY_STEP_S]
    steps = [log(now / before) for before, now in pairwise(mids)]
    return fsum(one * one for one in steps) / len(steps) * day_s / _VOLATILITY_STEP_S


def sizes_between(first: float, last: float, count: int) -> tuple[float, ...]:
    """Sizes at even distances of their logarithms, both ends included.

    Raises
    ------
    ValueError
        If there are fewer than five, or the ends are not in order.
    """
    if count < SIZES_MIN or not 0.0 < first < last <= 1.0:
        raise ValueError(f"{SIZES_MIN} sizes at least, from above 0 up to at most 1")
    step = log(last / first) / (count - 1)
    return (first, *(first * exp(step * at) for at in range(1, count - 1)), last)
