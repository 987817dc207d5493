"""Adaptive placement: when to rest and when to take, about any schedule that rests first and takes what is left.

How much a slice does, and by when, is the schedule's to say. What changes is the instant at which a slice turns from
resting to taking: earlier when the price is about to run away, later when it comes nearer, when taking is dear, or when
the order's turn in the queue is near. What is not known is no reason: without signals it is the schedule to the letter.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from executor.domain.decision import Decision, Schedule, Slice, Style, View, Why
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder, Side
from executor.domain.timeline import NS_PER_HOUR
from executor.domain.units import Price, Quantity
from strategies.placement import cross, rest
from strategies.twap import Twap

if TYPE_CHECKING:
    from strategies.base import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where each rule begins to hold.

    Parameters
    ----------
    flow_strong
        Order-flow imbalance, in units of its usual size. Flow explains about two thirds of the price changes of the
        same seconds (Cont, Kukanov and Stoikov, J. Financial Econometrics 12, 2014), but little of the next ones, so
        only flow well beyond the usual counts.
    lean_strong
        Imbalance of the touch, 0-1: how far the microprice leans from the mid, in half spreads. The heavier side of
        the touch predicts the next move of the mid (Gould and Bonart, Market Microstruct. Liq. 2, 2016); one half is
        three times the other side.
    early_share
        Share of the resting time before which nothing is taken: to take early costs the spread and the difference of
        the fees for certain.
    late_share
        Share of the taking time after which nothing rests any longer.
    spread_wide, depth_thin
        Spread and depth over their means, from which taking is dear and can wait for the book to fill up again.
    volatility_high
        Volatility of half a minute over the usual one from which nothing waits longer than planned: what waiting saves
        is half a spread, and that is then small against what it risks.
    """

    flow_strong: float = 1.5
    lean_strong: float = 0.5
    early_share: float = 0.5
    late_share: float = 0.8
    spread_wide: float = 2.0
    depth_thin: float = 0.5
    volatility_high: float = 2.0


RULES: Final = Rules()


class Adaptive:
    """A schedule with adaptive placement; a strategy that does not turn from resting to taking is left as it is."""

    def __init__(self, strategy: "Strategy", rules: Rules = RULES) -> None:
        self.strategy = strategy
        self._rules = rules

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
        return self.strategy.plan(
            order=order,
            instrument=instrument,
            reference_px=reference_px,
            start_ns=start_ns,
            end_ns=end_ns,
            cum_qty=cum_qty,
        )

    def revise(self, view: View) -> Schedule | None:
        """Revise as the strategy does."""
        return self.strategy.revise(view)

    def decide(self, view: View) -> Decision:
        """Say what the strategy wants, at the instant at which it should."""
        usual = self.strategy.decide(view)
        if not isinstance(self.strategy, Twap) or not _is_of_slice(usual.why):
            return usual
        index = view.schedule.slice_at(view.now_ns)
        piece = view.schedule.slices[index]
        turn_ns = self.strategy.turn_ns(view, index)
        if not piece.start_ns < turn_ns < piece.end_ns:
            return usual  # the client said never to take, or never to rest
        if usual.style is Style.REST:
            return self._early(view, usual, piece, turn_ns)
        return self._late(view, usual, piece, turn_ns)

    def _early(self, view: View, usual: Decision, piece: Slice, turn_ns: int) -> Decision:
        """Take before the turn if the price is about to run away."""
        rules = self._rules
        from_ns = piece.start_ns + int((turn_ns - piece.start_ns) * rules.early_share)
        why = why_early(view, rules, turn_ns)
        if why is None or view.now_ns < from_ns:
            return usual
        taking = cross(view, usual.qty, why)
        refused = taking.px is None or view.instrument.is_dust(taking.qty, taking.px)
        return usual if refused or taking.style is not Style.CROSS else taking

    def _late(self, view: View, usual: Decision, piece: Slice, turn_ns: int) -> Decision:
        """Rest beyond the turn if there is a reason to."""
        rules = self._rules
        until_ns = turn_ns + int((piece.end_ns - turn_ns) * rules.late_share)
        why = why_late(view, rules, until_ns)
        if why is None or view.now_ns >= until_ns:
            return usual
        resting = rest(view, usual.qty, why, until_ns)
        kept = view.working is not None and view.working.style is Style.REST
        if resting.px is None or (view.instrument.is_dust(usual.qty, resting.px) and not kept):
            return usual
        return resting


def _is_of_slice(why: Why) -> bool:
    return why is Why.SLICE_RESTING or why is Why.SLICE_CROSSING


def why_early(view: View, rules: Rules, turn_ns: int) -> Why | None:
    """Reason to take at once: order flow and touch both press against the order.

    None while taking is dear, and while the order is likely to be filled by its turn where it stands.
    """
    if not _presses(view, rules, 1.0) or _is_dear(view, rules) or _fills_by(view, turn_ns):
        return None
    return Why.FLOW_ADVERSE


def why_late(view: View, rules: Rules, until_ns: int) -> Why | None:
    """Reason to go on resting: the price comes nearer, taking is dear, or the order's turn in the queue is near.

    None while the price moves fast.
    """
    volatility = view.signals.volatility_fast_ratio
    if volatility is not None and volatility >= rules.volatility_high:
        return None
    if _presses(view, rules, -1.0):
        return Why.FLOW_FAVORABLE
    if _is_dear(view, rules):
        return Why.SPREAD_UNUSUAL
    depth = view.signals.depth_ratio
    far_qty = view.market.best_ask_qty if view.order.side is Side.BUY else view.market.best_bid_qty
    if depth is not None and depth <= rules.depth_thin and view.leaves_qty > far_qty:
        return Why.DEPTH_THIN
    return Why.QUEUE_NEAR if _fills_by(view, until_ns) else None


def _presses(view: View, rules: Rules, against: float) -> bool:
    """Whether flow and touch both press against the order (1) or toward it (-1)."""
    flow, lean = view.signals.order_flow_imbalance, view.signals.book_imbalance
    if flow is None or lean is None:
        return False
    sign = against * view.order.side.sign
    return sign * flow >= rules.flow_strong and sign * lean >= rules.lean_strong


def _is_dear(view: View, rules: Rules) -> bool:
    spread = view.signals.spread_ratio
    return spread is not None and spread >= rules.spread_wide


def _fills_by(view: View, at_ns: int) -> bool:
    """Whether what stands before the order and the order itself should have traded by an instant, at the usual speed.

    Of what trades, the part that takers sell reaches a bid: half of it, or what the imbalance of trades says.
    """
    working, volume_hourly_qty = view.working, view.signals.volume_hourly_qty
    if working is None or working.style is not Style.REST or volume_hourly_qty is None:
        return False
    ahead_qty = working.queue_ahead_qty
    if ahead_qty is None or working.px != view.market.touch(view.order.side):
        return False
    lean = view.signals.trade_imbalance or 0.0  # not known is half and half
    reaching_qty = volume_hourly_qty * (1.0 - view.order.side.sign * lean) / 2.0
    return ahead_qty + float(working.leaves_qty) <= reaching_qty * (at_ns - view.now_ns) / NS_PER_HOUR
