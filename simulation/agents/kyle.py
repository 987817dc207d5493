"""One auction of Kyle, again and again: an insider, a crowd without information, and a dealer who sees their sum.

Each round the value is drawn anew, v ~ N(p, S). The insider knows it and trades x, the crowd u ~ N(0, s^2), both of
which they indicate beforehand; the dealer sees y = x + u without names, quotes p + l y, and both trade with it. In
equilibrium (A. Kyle, Econometrica 53, 1985)

    l = sqrt(S) / (2 s)      x = (v - p) / (2 l)      and half of the variance of v is in the price.

Nobody is given l. The dealer learns it from what it saw and what the value then proved to be, E[v - p | y] = l y, by
least squares: that is zero profit. The insider learns from its own trades how the price answers, E[price - p | x] =
l x, and trades half of what that would allow. Both begin with any guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.agents.ticks import floor_ticks
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, cancel_all, indicate, limit, market, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class KyleParams:
    """What all three know.

    Parameters
    ----------
    mean_px
        p, ticks.
    crowd_qty
        s, standard deviation of the crowd's order, lots.
    guess_ticks
        First guess of l, ticks a lot.
    guess_count
        Rounds that the guess counts for.
    memory_count
        Rounds after which experience counts half.
    round_ns
        Length of a round, nanoseconds: indications, quotes, orders, and at its half the value is known to all.
    quote_qty
        Lots that the dealer quotes on each side: more than anybody trades.
    asset
        What is traded.
    """

    mean_px: int = 10_000
    crowd_qty: int = 1_000
    guess_ticks: float = 0.3
    guess_count: int = 20
    memory_count: int = 2_000
    round_ns: int = 1_000_000_000
    quote_qty: int = 1_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            min(self.mean_px, self.crowd_qty, self.quote_qty) > 0 and self.guess_ticks > 0.0,
            "sizes above zero",
        )
        wanted(self.guess_count > 0 and self.memory_count > 0, "counts above zero")
        wanted(self.round_ns >= 1_000_000, "a round of a millisecond or more")

    def phase_ns(self, now_ns: int, phase: int) -> int:
        """Return when a phase of the round comes next, 0 .. 7 eighths, strictly after now."""
        begin_ns = now_ns // self.round_ns * self.round_ns + self.round_ns * phase // 8
        return begin_ns if begin_ns > now_ns else begin_ns + self.round_ns


class _Slope:
    """Least squares through the origin, with a memory."""

    def __init__(self, params: KyleParams) -> None:
        squares = params.guess_count * float(params.crowd_qty) * params.crowd_qty
        self._squares, self._products = squares, squares * params.guess_ticks
        self._kept = 1.0 - 0.6931471805599453 / params.memory_count

    def learn(self, x: float, y: float) -> None:
        self._squares = self._kept * self._squares + x * x
        self._products = self._kept * self._products + x * y

    @property
    def slope(self) -> float:
        return self._products / self._squares


class KyleCrowd:
    """Wants what has nothing to do with the value."""

    def __init__(self, params: KyleParams) -> None:
        self._params = params

    def wish(self, view: MarketView, draws: Draws, last_qty: int) -> int:
        """Return lots of this round, signed."""
        return round(self._params.crowd_qty * draws.normal())


class KyleInsider:
    """Knows the value of the round (`Source.VALUE`, every round)."""

    def __init__(self, params: KyleParams) -> None:
        self._params = params
        self._answer = _Slope(params)

    def wish(self, view: MarketView, draws: Draws, last_qty: int) -> int:
        """Return lots of this round, signed; how the price answered those of the last is learned."""
        params = self._params
        if last_qty:
            self._answer.learn(float(last_qty), float(view.last_px(params.asset) - params.mean_px))
        told = view.told
        if not told:
            return 0
        return round((told[-1][3] - params.mean_px) / (2.0 * self._answer.slope))


class KyleTrader:
    """Indicates an order in the second eighth of a round, and sends it in the fourth.

    Parameters
    ----------
    params
        What all know.
    mind
        Whose order it is.
    """

    hears_fills = False

    def __init__(self, params: KyleParams, mind: KyleCrowd | KyleInsider) -> None:
        self._params = params
        self._mind = mind
        self._draws: Draws | None = None
        self._qty = 0

    def start(self, draws: Draws) -> int:
        """Come with the second round: the first has no value behind it."""
        self._draws = draws
        return self._params.round_ns + self._params.round_ns // 8

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Indicate, or send what was indicated."""
        params, draws = self._params, self._draws
        assert draws is not None, "an agent is started before it is woken"
        asset = params.asset
        sends = view.now_ns % params.round_ns * 8 // params.round_ns >= 3
        if not sends:
            self._qty = self._mind.wish(view, draws, self._qty)
        side, size = (1 if self._qty > 0 else -1), abs(self._qty)
        wake = wake_at(params.phase_ns(view.now_ns, 1 if sends else 3))
        if not size:
            return (wake,)
        return (market(asset, side, size) if sends else indicate(asset, side, size), wake)


class KyleDealer:
    """Quotes one price for all, at which it expects to earn nothing.

    It listens to indications (`Source.FLOW`), and to the value of a round half a round late.

    Attributes
    ----------
    rounds
        (y, price less p, value less p) of every round, lots and ticks.
    """

    hears_fills = False

    def __init__(self, params: KyleParams) -> None:
        self.rounds: list[tuple[int, float, float]] = []
        self._params = params
        self._belief = _Slope(params)
        self._flow_qty = 0
        self._moved = 0.0

    def start(self, draws: Draws) -> int:
        """Come when the first indications have."""
        return self._params.round_ns + self._params.round_ns // 4

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Quote, or take the quotes back and learn."""
        params, asset = self._params, self._params.asset
        eighth = view.now_ns % params.round_ns * 8 // params.round_ns
        told = view.told
        if eighth >= 4:
            values = [value for _, kind, _, value in told if kind == "value"]
            if values:
                surprise = values[-1] - params.mean_px
                self._belief.learn(float(self._flow_qty), surprise)
                self.rounds.append((self._flow_qty, self._moved, surprise))
            return (cancel_all(asset), wake_at(params.phase_ns(view.now_ns, 2)))
        self._flow_qty = sum(round(signed_qty) for _, kind, _, signed_qty in told if kind == "flow")
        self._moved = self._belief.slope * self._flow_qty
        bid_px = max(1, floor_ticks(params.mean_px + self._moved))
        return (
            limit(asset, 1, params.quote_qty, bid_px),
            limit(asset, -1, params.quote_qty, bid_px + 1),
            wake_at(params.phase_ns(view.now_ns, 5)),
        )
