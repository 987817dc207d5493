"""Dividing a quantity over several markets of one coin: the cheapest displayed quantity first, whichever leg has it.

Pure sums over what one is told: what each leg displays, in which steps it trades and what it charges. A price counts
with everything that is paid beside it, so that a lower fee can be worth more than a better price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Final

from executor.domain.instrument import Instrument
from executor.domain.orders import Category, Side
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Price, Quantity
from strategies.reads import RESTS_FIRST

LEGS_MAX: Final = 6
"""Legs of one order; where minima bind, every choice among them is looked at."""
ROUTABLE: Final = tuple(sorted((RESTS_FIRST - {"pov"}) | {"adaptive"}))
"""Strategies that keep to a schedule in time, which can be cut into the parts of several legs."""
BEYOND_BPS: Final = Decimal(10)
"""How much dearer than the last displayed level is reckoned what no leg displays, basis points."""

Division = dict[str, Quantity]
"""Quantity of each leg, base units; legs that get nothing are in it with zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one leg would trade with now.

    Parameters
    ----------
    levels
        Prices and quantities on the other side of its book, best first, as far as they are displayed; quote per base,
        base units.
    fee_bps
        What its venue takes of the value when liquidity is taken, basis points; negative is a rebate.
    carry_bps
        What else the trade costs until it is closed, such as funding, basis points of the value; negative is earned.
    """

    instrument: Instrument
    levels: tuple[tuple[Price, Quantity], ...]
    fee_bps: Decimal
    carry_bps: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse what can not be compared: other units, prices that are none, levels that are not in order."""
        if self.instrument.category is Category.INVERSE:
            raise ValueError(
                f"{self.instrument.symbol}: contracts of a quote unit are no quantity of the coin"
            )
        if not self.levels or any(px <= ZERO or qty < ZERO for px, qty in self.levels):
            raise ValueError(f"{self.instrument.symbol}: an offer needs levels with prices above zero")

    def effective_px(self, side: Side, px: Decimal) -> Decimal:
        """Price with everything that is paid beside it: p (1 + b (fee + carry)), b = +1 for a buy, -1 for a sell.

        Parameters
        ----------
        px
            Quote per base.
        """
        return px * (ONE + side.sign * (self.fee_bps + self.carry_bps) / BPS_PER_UNIT)

    def least_qty(self) -> Quantity:
        """Smallest quantity that its venue takes at its best price, base units."""
        return self.instrument.smallest_qty(self.levels[0][0])


def divide(
    qty: Decimal, side: Side, offers: Mapping[str, Offer], *, limit_px: Price | None = None
) -> Division:
    """Divide a quantity over legs so that taking it all now would cost the least.

    The levels of all books are taken in the order of their effective prices: for books, whose prices only get worse,
    that is the cheapest way. Every part is whole steps of its leg and at least what its venue takes; what fits no leg
    is left out. What is displayed nowhere within the limit goes to the legs in proportion to what they display, for
    nobody knows more.

    Parameters
    ----------
    qty
        What is wanted, base units.
    limit_px
        Worst price of any leg, quote per base; a leg without a level within it gets only what no other could, to rest.

    Returns
    -------
    Division
        Sums to `qty` at most; less by less than the smallest quantity, or the largest step, of the legs.

    Raises
    ------
    ValueError
        If there are more legs than can be looked at.
    """
    if len(offers) > LEGS_MAX:
        raise ValueError(f"{len(offers)} legs, at most {LEGS_MAX}")
    names = list(offers)
    free = _within(qty, side, offers, names, {}, limit_px)
    if _takes_all(free, offers):
        return free
    found: list[tuple[Decimal, Decimal, Division]] = []
    for count in range(len(names) + 1):
        for chosen in combinations(names, count):
            first = {name: offers[name].least_qty() for name in chosen}
            if sum(first.values(), ZERO) > qty:
                continue
            division = {name: Quantity(ZERO) for name in names} | _within(
                qty, side, offers, chosen, first, limit_px
            )
            done = sum(division.values(), ZERO)
            found.append((-done, side.sign * cost(division, side, offers), division))
    return min(found, key=lambda each: each[:2])[2]


def cost(division: Mapping[str, Decimal], side: Side, offers: Mapping[str, Offer]) -> Decimal:
    """What taking a division now would come to with fees, quote units: paid by a buy, received by a sell.

    What a leg does not display is reckoned as `BEYOND_BPS` worse than its last level.
    """
    total = ZERO
    for name, qty in division.items():
        offer = offers[name]
        left = qty
        for px, shown_qty in offer.levels:
            part = min(left, shown_qty)
            total += part * offer.effective_px(side, px)
            left -= part
        last_px = offer.levels[-1][0]
        total += left * offer.effective_px(side, last_px) * (ONE + side.sign * BEYOND_BPS / BPS_PER_UNIT)
    return total


def divide_again(
    qty: Decimal,
    side: Side,
    offers: Mapping[str, Offer],
    before: Mapping[str, Decimal],
    *,
    hysteresis_bps: Decimal,
    limit_px: Price | None = None,
) -> Division:
    """Divide a quantity, and leave with each leg what it has unless moving it gains more than a bound.

    A leg that is moved away from loses its place in the queue, and the best price flickers.

    Parameters
    ----------
    before
        What each leg has of it now, base units; legs that offer nothing are not asked.
    hysteresis_bps
        What a new division must save to be worth it, basis points of the cost.
    """
    best = divide(qty, side, offers, limit_px=limit_px)
    kept = _kept(qty, side, offers, before, limit_px)
    if kept is None or sum(kept.values(), ZERO) < sum(best.values(), ZERO):
        return best
    old, new = cost(kept, side, offers), cost(best, side, offers)
    return best if side.sign * (old - new) * BPS_PER_UNIT > hysteresis_bps * new else kept


def _kept(
    qty: Decimal,
    side: Side,
    offers: Mapping[str, Offer],
    before: Mapping[str, Decimal],
    limit_px: Price | None,
) -> Division | None:
    """What the legs have already, with what is missing on top; None if that is too much, or can not be ordered."""
    held = {
        name: Quantity(before[name])
        for name, offer in offers.items()
        if before.get(name, ZERO) >= offer.least_qty()
    }
    if not held or sum(held.values(), ZERO) > qty:
        return None
    names = list(offers)
    division = _within(qty, side, offers, names, held, limit_px)
    return division if _takes_all(division, offers) else None


def _takes_all(division: Mapping[str, Decimal], offers: Mapping[str, Offer]) -> bool:
    """Whether each part can be ordered, and nothing is left out for want of steps or minima."""
    return all(qty == ZERO or qty >= offers[name].least_qty() for name, qty in division.items())


def _within(
    qty: Decimal,
    side: Side,
    offers: Mapping[str, Offer],
    names: Sequence[str],
    first: Mapping[str, Decimal],
    limit_px: Price | None,
) -> Division:
    """Take the cheapest levels of some legs, after each has got a first part."""
    given = {name: Quantity(first.get(name, ZERO)) for name in names}
    left = qty - sum(given.values(), ZERO)
    behind: dict[str, Decimal] = dict(first)
    room = []
    for place, name in enumerate(names):
        offer = offers[name]
        for px, shown_qty in offer.levels:
            if limit_px is not None and side.sign * (px - limit_px) > ZERO:
                break
            used = min(shown_qty, behind.get(name, ZERO))
            behind[name] = behind.get(name, ZERO) - used
            room.append((side.sign * offer.effective_px(side, px), place, shown_qty - used, name))
    for _, _, free_qty, name in sorted(room):
        part = offers[name].instrument.round_qty(given[name] + min(left, free_qty)) - given[name]
        if part > ZERO:
            given[name] = Quantity(given[name] + part)
            left -= part
    return _beyond(left, side, offers, given, limit_px)


def _beyond(
    left: Decimal, side: Side, offers: Mapping[str, Offer], given: Division, limit_px: Price | None
) -> Division:
    """Give what no leg displays to all in proportion to what they display, and the odd steps to whoever takes them."""
    names = sorted(
        given, key=lambda name: side.sign * offers[name].effective_px(side, offers[name].levels[0][0])
    )
    shown = {name: _shown(offers[name], side, limit_px) for name in names}
    whole = sum(shown.values(), ZERO)
    rest = left
    for name in names:
        if whole == ZERO or rest <= ZERO:
            break
        part = offers[name].instrument.round_qty(min(left * shown[name] / whole, rest))
        given[name] = Quantity(given[name] + part)
        rest -= part
    # What rounding left over goes to the best leg that has a part already, or can begin one with it.
    for name in names:
        part = offers[name].instrument.round_qty(rest)
        if part > ZERO and given[name] + part >= offers[name].least_qty():
            given[name] = Quantity(given[name] + part)
            rest -= part
    return given


def _shown(offer: Offer, side: Side, limit_px: Price | None) -> Decimal:
    within = (qty for px, qty in offer.levels if limit_px is None or side.sign * (px - limit_px) <= ZERO)
    return sum(within, ZERO)
