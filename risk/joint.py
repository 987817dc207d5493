"""What several parents could come to together, and the limits on that. Pure sums over what one is told.

The gate looks at one child order; what the parents as a whole could still open is looked at when one is accepted,
begins or is made larger. Only open parents are counted, each with all that it could ever fill.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from executor.domain.orders import Side
from executor.domain.units import ZERO, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """The worst case of one parent, in the money of its market.

    Parameters
    ----------
    market
        Name of the market.
    position
        Name of the position that it changes.
    can_exit
        Whether it may leave a position that is held; spot has none to leave.
    whole
        Value of all that it could ever fill, quote units.
    left
        Value of what of it is not filled yet, quote units.
    elsewhere
        Names of other markets in which the same value could be traded instead.
    """

    market: str
    position: str
    side: Side
    can_exit: bool
    whole: Decimal
    left: Decimal
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Most that several parents may come to, quote units; None for no bound.

    Parameters
    ----------
    gross_max
        Of all that they could open, both sides together.
    net_max
        Of what they could open on one side if nothing of the other side were filled.
    symbol_net_max
        Of the position of one market if all orders of one side were filled and none of the other.
    """

    gross_max: Decimal | None = None
    net_max: Decimal | None = None
    symbol_net_max: Decimal | None = None

    @property
    def any_given(self) -> bool:
        """Whether there is anything to hold against."""
        return not (self.gross_max is None and self.net_max is None and self.symbol_net_max is None)


@dataclass(slots=True)
class Exposure:
    """What parents could come to: values that they could open, in quote units.

    Parameters
    ----------
    opening
        By side, over all markets.
    reach
        Largest position, whatever its sign, by market and the side that leads there; only of sides with parents.
    """

    opening: dict[Side, Decimal] = field(default_factory=lambda: {Side.BUY: ZERO, Side.SELL: ZERO})
    reach: dict[tuple[str, Side], Decimal] = field(default_factory=dict)

    @property
    def gross(self) -> Decimal:
        """Both sides together."""
        return self.opening[Side.BUY] + self.opening[Side.SELL]

    @property
    def net(self) -> Decimal:
        """The larger side alone: the other one may not be filled at all."""
        return max(self.opening.values())


def exposure(stakes: Iterable[Stake], held: Mapping[str, Decimal]) -> Exposure:
    """Sum up what parents could open.

    Of the parents of one side of one position only that counts which opens: with whole W, left L and the signed
    position P seen from their side, min(W, max(P + L, 0)). A fill moves as much from L to P and changes nothing. What
    only shrinks a position adds nothing, so that exits stay possible under every limit.

    Parameters
    ----------
    held
        Value of each position that is known, signed, quote units. One that is missing shields nothing.
    """
    whole: dict[tuple[str, Side], Decimal] = {}
    left: dict[tuple[str, Side], Decimal] = {}
    exits: set[str] = set()
    markets: dict[str, str] = {}
    beside: dict[tuple[str, Side], Decimal] = {}
    for stake in stakes:
        for name in stake.elsewhere:
            beside[name, stake.side] = beside.get((name, stake.side), ZERO) + stake.left
        key = stake.position, stake.side
        whole[key] = whole.get(key, ZERO) + stake.whole
        left[key] = left.get(key, ZERO) + stake.left
        markets[stake.position] = stake.market
        if stake.can_exit:
            exits.add(stake.position)
    found = Exposure()
    reach: dict[tuple[str, Side], Decimal] = {}
    for (position, side), value in whole.items():
        known = held.get(position)
        after = side.sign * (known or ZERO) + left[position, side]
        shielded = known is not None and position in exits
        found.opening[side] += min(value, max(after, ZERO)) if shielded else value
        place = markets[position], side
        reach[place] = reach.get(place, ZERO) + after
    for place, value in beside.items():
        reach[place] = reach.get(place, ZERO) + value
    found.reach = {place: max(value, ZERO) for place, value in reach.items()}
    return found


def why_beyond(before: Exposure, after: Exposure, bounds: Bounds, names: tuple[str, str, str]) -> str:
    """Why the step from one exposure to the other is not allowed; empty if it is.

    A sum that does not grow is never refused, also where it is above its bound already: a bound may have been lowered,
    or prices may have moved.

    Parameters
    ----------
    names
        What the bounds are called: gross, net, of a symbol.
    """
    gross, net, symbol = names
    found = [
        _over("both sides together", before.gross, after.gross, bounds.gross_max, gross),
        _over("one side without the other", before.net, after.net, bounds.net_max, net),
    ]
    for (market, side), value in sorted(after.reach.items()):
        what = f"the {'long' if side is Side.BUY else 'short'} position in {market.partition(':')[2]}"
        was = before.reach.get((market, side), ZERO)
        found.append(_over(what, was, value, bounds.symbol_net_max, symbol))
    return "; ".join(text for text in found if text)


def _over(what: str, before: Decimal, after: Decimal, bound: Decimal | None, name: str) -> str:
    if bound is None or after <= bound or after <= before:
        return ""
    return f"open orders could come to {after:.0f} in quote units ({what}), {name} is {plain(bound)}"
