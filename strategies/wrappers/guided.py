"""A strategy with guides about it: each takes a stance, the most cautious one holds, and the bounds are kept here.

What a stance can do, whatever the signal says:

* HURRY works the next slice together with the one in force and no more: the order is never further ahead of its plan
  than that slice.
* PATIENT rests where the strategy would take.
* HOLD has nothing working.

HOLD and PATIENT leave quantity behind, so they are taken only while the catch-up rule can still make it up: the slices
to come can do all that is left, at `catch_up_max` times their size, and the lag is at most a quarter of the plan. In
the last quarter of the time, without catch-up, and before the first and after the last slice, the strategy decides
alone. A strategy of one slice is held in the first three quarters of its time.

Price, side, limits and the participation cap are never a guide's to change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from executor.domain.decision import Decision, Schedule, Style, View, Why
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.units import ZERO, Price, Quantity
from strategies.adaptive import Adaptive
from strategies.placement import rest, wait
from strategies.pov import Pov
from strategies.twap import Twap, wanted_qty

if TYPE_CHECKING:
    from strategies.base import Strategy

LAG_SHARE_MAX: Final = Decimal("0.25")
"""Most of the plan that may be left behind by waiting."""
ALONE_SHARE: Final = Decimal("0.25")
"""Last part of the time in which the strategy decides alone."""


class Stance(IntEnum):
    """What a signal speaks for, the most cautious first."""

    HOLD = 0
    PATIENT = 1
    AS_PLANNED = 2
    HURRY = 3


@dataclass(frozen=True, slots=True)
class Guide:
    """A signal's stance to a view, and the reason that is given for it. Unknown signals mean AS_PLANNED."""

    why: Why
    stance: Callable[[View], Stance]


class Guided:
    """A strategy and its guides.

    Guides about guides stand side by side: one that waits prevails over one that hurries, whichever was named first.
    """

    def __init__(self, strategy: "Strategy", *guides: Guide) -> None:
        inner = strategy if isinstance(strategy, Guided) else None
        self._strategy: Strategy = strategy if inner is None else inner._strategy
        self._guides: tuple[Guide, ...] = guides if inner is None else (*inner._guides, *guides)
        base = self._strategy.strategy if isinstance(self._strategy, Adaptive) else self._strategy
        self._rests_first = isinstance(base, Twap)
        self._goes_by_slices = self._rests_first and not isinstance(base, Pov)

    def placed(self) -> "Guided":
        """Give the strategy adaptive placement and leave the guides about it."""
        return Guided(Adaptive(self._strategy), *self._guides)

    def plan(
        self,
        *,
        order: ParentOrder,
        instrument: Instrument,
        reference_px: Price,
        start_ns: int,
        end_ns: int,
        cum_qty: Quantity,
    ) -> Schedule:
        """Plan as the strategy does."""
        return self._strategy.plan(
            order=order,
            instrument=instrument,
            reference_px=reference_px,
            start_ns=start_ns,
            end_ns=end_ns,
            cum_qty=cum_qty,
        )

    def revise(self, view: View) -> Schedule | None:
        """Revise as the strategy does."""
        return self._strategy.revise(view)

    def decide(self, view: View) -> Decision:
        """Say what the strategy wants, or what the most cautious stance makes of it."""
        usual = self._strategy.decide(view)
        index = view.schedule.slice_at(view.now_ns)
        if index < 0 or view.now_ns >= view.schedule.slices[index].end_ns:
            return usual
        stance, why = self._most_cautious(view)
        match stance:
            case Stance.HURRY:
                return self._hurried(view, index, usual, why)
            case Stance.AS_PLANNED:
                return usual
            case Stance.PATIENT if usual.style is Style.CROSS and may_lag(view, index):
                return self._patient(view, index, usual, why)
            case Stance.HOLD if usual.style is not Style.WAIT and may_lag(view, index):
                return wait(why, view.schedule.slices[index].end_ns)
            case _:
                return usual

    def _most_cautious(self, view: View) -> tuple[Stance, Why]:
        """The stance that prevails, and the first guide's reason that takes it."""
        found = self._guides[0].stance(view), self._guides[0].why
        for guide in self._guides[1:]:
            if found[0] is Stance.HOLD:
                break  # none is more cautious
            stance = guide.stance(view)
            if stance < found[0]:
                found = stance, guide.why
        return found

    def _hurried(self, view: View, index: int, usual: Decision, why: Why) -> Decision:
        """Let the strategy see itself behind by its next slice, if it goes by slices and there is one.

        A strategy that has something to do places more of it at the same price: only the quantity is asked for again.
        """
        slices = view.schedule.slices
        if not self._goes_by_slices or index + 1 >= len(slices):
            return usual
        more_qty = slices[index + 1].qty
        wish = usual
        if usual.px is None or view.instrument.is_dust(usual.qty, usual.px):
            wish = self._strategy.decide(view.as_if_filled(Quantity(view.cum_qty - more_qty)))
        qty = wanted_qty(view, index, more_qty)
        if wish.px is None or qty <= usual.qty or view.instrument.is_dust(qty, wish.px):
            return usual
        return Decision(style=wish.style, qty=qty, px=wish.px, why=why, wake_ns=wish.wake_ns, algo=wish.algo)

    def _patient(self, view: View, index: int, usual: Decision, why: Why) -> Decision:
        """Rest instead of taking; a strategy that has no price to rest at keeps what it has at work, or waits."""
        end_ns = view.schedule.slices[index].end_ns
        working = view.working
        if self._rests_first:
            resting = rest(view, usual.qty, why, end_ns)
            kept = working is not None and working.style is Style.REST
            if resting.px is not None and (kept or not view.instrument.is_dust(usual.qty, resting.px)):
                return resting
            return usual
        if working is not None and working.style is Style.REST:
            return Decision(style=Style.REST, qty=working.leaves_qty, px=working.px, why=why, wake_ns=end_ns)
        return wait(why, end_ns)


def may_lag(view: View, index: int) -> bool:
    """Whether what is not done now can be made up later, by a slice in force."""
    slices, params = view.schedule.slices, view.order.params
    start_ns, end_ns = slices[0].start_ns, slices[-1].end_ns
    if not params.catch_up or view.now_ns >= end_ns - int((end_ns - start_ns) * ALONE_SHARE):
        return False
    if len(slices) == 1:
        return True
    later_qty = slices[-1].target_qty - slices[index].target_qty
    left_qty = slices[-1].target_qty - view.cum_qty
    lag_qty: Decimal = view.schedule.pro_rata_qty(view.now_ns) - view.cum_qty
    planned_qty = slices[-1].target_qty - view.schedule.base_qty
    return left_qty <= params.catch_up_max * later_qty and max(lag_qty, ZERO) <= LAG_SHARE_MAX * planned_qty
