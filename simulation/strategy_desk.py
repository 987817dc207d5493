"""How the venue works a TWAP, an iceberg and a POV on its own machines: what it sends, and when.

As documented, and as the sandbox does it: market orders of a TWAP in equal pieces, what fails sent once more and then
dropped; an iceberg's piece at the best price of its own side; a POV's share of what was traded lately. It is told of
its order's fills and ends, and says what to do next, one thing at a time; who carries it out is no matter here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from executor.domain.algo import AlgoKind, NewAlgo, pieces
from executor.domain.errors import LocalProtocolError
from executor.domain.instrument import Instrument
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price, Quantity

REPRICE_NS: Final = NS_PER_S
"""How often an iceberg looks at its price."""
POV_FAILURES_MAX: Final = 6
_PCT: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the venue's machines see of the market.

    Parameters
    ----------
    best_px
        Best price of the strategy's own side; None where there is none.
    last_px
        Of the last trade.
    seen_qty
        What was traded within the strategy's window, own trades included; base units.
    """

    best_px: Price | None
    last_px: Decimal
    seen_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send one order: a market order where no price is given, otherwise one that rests until it is withdrawn."""

    qty: Quantity
    px: Price | None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the order that is open."""


@dataclass(slots=True, kw_only=True)
class _Piece:
    qty: Decimal
    px: Price | None
    cum_qty: Decimal = ZERO
    withdrawn: bool = False
    is_retry: bool = False


@dataclass(slots=True, kw_only=True)
class VenueStrategy:
    """One strategy order at work.

    Parameters
    ----------
    begun_ns
        When it was taken.

    Attributes
    ----------
    next_ns
        When something is due next.
    ended
        Why it has ended; empty while it works. Its last order may still be open.
    """

    algo: NewAlgo
    rules: Instrument
    begun_ns: int
    next_ns: int = field(init=False)
    cum_qty: Decimal = ZERO
    ended: str = ""
    _plan: list[Quantity] = field(init=False, default_factory=list)
    _piece: _Piece | None = None
    _missing_qty: Decimal = ZERO
    _failures: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not worked here; plan the pieces of a TWAP."""
        if self.algo.terms.noisy:
            raise LocalProtocolError("uneven pieces are the venue's own chance; nothing here draws them")
        self.next_ns = self.begun_ns
        if self.algo.terms.kind is AlgoKind.TWAP:
            self._plan = even_pieces(self.algo, self.rules)

    @property
    def is_open(self) -> bool:
        """Whether it works, or an order of it may still be open."""
        return not self.ended or self._piece is not None

    @property
    def leaves_qty(self) -> Decimal:
        """What is not filled, base units."""
        return self.algo.order.qty - self.cum_qty

    def filled(self, qty: Decimal) -> None:
        """Hear of a fill of the order that is open."""
        piece = self._open_piece()
        piece.cum_qty += qty
        self.cum_qty += qty

    def closed(self, now_ns: int) -> None:
        """Hear that the order that was open is over: filled, cancelled, or refused."""
        piece, self._piece = self._open_piece(), None
        match self.algo.terms.kind:
            case AlgoKind.TWAP:
                self._missing_qty = ZERO if piece.is_retry else piece.qty - piece.cum_qty
            case AlgoKind.POV:
                self._failures = 0 if piece.cum_qty else self._failures + 1
                if self._failures >= POV_FAILURES_MAX:
                    self.end("orders failed in a row")
            case AlgoKind.ICEBERG:
                if piece.withdrawn:
                    self.next_ns = now_ns  # it was withdrawn to stand somewhere else

    def end(self, why: str) -> None:
        """Send nothing more; an order that is open is withdrawn by the next step."""
        self.ended = self.ended or why

    def step(self, now_ns: int, sight: Callable[[], Sight]) -> Send | Withdraw | None:
        """Say what to do now; asked again until there is nothing.

        Parameters
        ----------
        sight
            Looks at the market, where that matters.
        """
        piece = self._piece
        if self.ended:
            return self._withdrawal() if piece is not None and piece.px is not None else None
        match self.algo.terms.kind:
            case AlgoKind.TWAP:
                return None if piece is not None else self._twap(now_ns, sight())
            case AlgoKind.POV:
                return None if piece is not None or now_ns < self.next_ns else self._pov(now_ns, sight())
            case AlgoKind.ICEBERG:
                return None if now_ns < self.next_ns else self._iceberg(now_ns, sight())

    def _twap(self, now_ns: int, sight: Sight) -> Send | None:
        order = self.algo.order
        if (sight.last_px - order.px) * order.side.sign >= ZERO:
            self.end("the last price reached its limit")
            return None
        missing_qty, self._missing_qty = self._missing_qty, ZERO
        if missing_qty >= self.rules.min_order_qty:
            return self._send(missing_qty, None, is_retry=True)
        if now_ns < self.next_ns:
            return None
        if not self._plan:
            self.end("its time is over")
            return None
        self.next_ns += self.algo.terms.interval_s * NS_PER_S
        return self._send(self._plan.pop(0), None)

    def _pov(self, now_ns: int, sight: Sight) -> Send | None:
        terms = self.algo.terms
        if self.leaves_qty <= ZERO:
            self.end("its quantity is done")
            return None
        if now_ns >= self.begun_ns + terms.duration_s * NS_PER_S:
            self.end("its time is over")
            return None
        share = self.rules.round_qty(Quantity(sight.seen_qty * terms.rate_pct / _PCT))
        qty = min(share, self.leaves_qty)
        self.next_ns += terms.interval_s * NS_PER_S
        return self._send(qty, None) if qty >= self.rules.min_order_qty else None

    def _iceberg(self, now_ns: int, sight: Sight) -> Send | Withdraw | None:
        self.next_ns = now_ns + REPRICE_NS
        order, piece = self.algo.order, self._piece
        if self.leaves_qty <= ZERO:
            self.end("its quantity is done")
            return None
        beyond = (sight.last_px - order.px) * order.side.sign > ZERO
        px = sight.best_px
        if px is not None and (beyond or (px - order.px) * order.side.sign > ZERO):
            px = None
        if piece is not None:
            return None if piece.px == px else self._withdrawal()
        if px is None:
            return None
        return self._send(min(self.algo.terms.display_qty, self.leaves_qty), px)

    def _send(self, qty: Decimal, px: Price | None, *, is_retry: bool = False) -> Send:
        self._piece = _Piece(qty=qty, px=px, is_retry=is_retry)
        return Send(qty=Quantity(qty), px=px)

    def _withdrawal(self) -> Withdraw | None:
        piece = self._open_piece()
        if piece.withdrawn:
            return None
        piece.withdrawn = True
        return Withdraw()

    def _open_piece(self) -> _Piece:
        if self._piece is None:
            raise LocalProtocolError("the strategy order has no order open")
        return self._piece


def even_pieces(algo: NewAlgo, rules: Instrument) -> list[Quantity]:
    """Cut a TWAP into equal pieces on the step; the last one takes what does not divide."""
    number, size = pieces(algo.terms, algo.order.qty), algo.order.qty
    even = max(rules.round_qty(Quantity(size / number)), rules.min_order_qty)
    plan, done = list[Quantity](), ZERO
    for left in range(number - 1, 0, -1):
        plan.append(Quantity(min(even, size - done - rules.min_order_qty * left)))
        done += plan[-1]
    return [*plan, Quantity(size - done)]
