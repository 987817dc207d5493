"""Implementation shortfall of one parent order and the benchmarks beside it, exactly.

Facts go in, a report comes out. The room knows arithmetic and the vocabulary of `executor.domain`; it knows
no engine, no clock and no venue. A positive cost is money lost, for a buy and for a sell alike. Where a
benchmark has no data the answer is None: never zero, never NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final, TypeVar

from executor.domain.cost_forecast import CostForecast
from executor.domain.instrument import notional
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, plain
from impact.tca.fill_costs import FillCosts
from impact.tca.mark_outs import MarkOut

_PCT: Final = Decimal(100)
_EXACT: Final = Context(prec=160, rounding=ROUND_HALF_EVEN)
"""Holds any product of two numbers of 18 + 18 digits, and sums of such products, without rounding."""
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)
"""Holds sums of a quotient kept to 160 digits and exact numbers without rounding."""
_FINE: Final = Decimal("1e-12")
"""Quotients are kept to this; sums of numbers kept to it are exact."""
_BPS_PRINTED: Final = Decimal("0.0001")
_RATIO_PRINTED: Final = Decimal("0.000001")
_SECONDS_PRINTED: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceValue:
    """What following advice was worth, basis points of the order's value; positive is a gain, its bill taken off.

    Parameters
    ----------
    value_bps, standard_error_bps
        None while too little was done under it.
    periods
        Over how many periods of advice in force.
    """

    value_bps: Decimal | None
    standard_error_bps: Decimal | None
    periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentFacts:
    """What happened to one parent order, as far as its cost is concerned.

    Parameters
    ----------
    order_qty, cum_qty
        Ordered and filled quantity, base units; contracts of one quote unit for inverse.
    cum_notional
        Value of the fills, quote units: quantity times price, or the number of inverse contracts.
    fees
        Sum of the fees, quote units, each converted at the price of its fill; positive is a cost.
    decision_px, arrival_px, end_px
        Price at the client's decision, mid at the start, mid at the end, quote per base; None if unknown.
    started_ns, finished_ns
        Life of the order, UTC; `started_ns` 0 if it never began.
    market_qty, market_notional
        Public trades during the life, own prints included; base and quote units.
    mid_twap_px
        Time-weighted mean of the mids during the life, quote per base.
    children_by_status, filled_by_status
        Number of child orders, and quantity they filled (base units), by the status each child is in.
    orders_sent
        Create requests that may have left.
    maker_qty
        Filled quantity that waited in the book, base units.
    spread_captured
        Sum over fills of the sign times (mid at the fill - fill price) times quantity, quote units.
    leaves_is_dust
        Whether what is left is too small for the venue.
    cum_coin_qty, market_coin_qty
        Inverse contracts only: coin that the fills, and the public trades, are worth: sums of quantity over price.
    other_fees
        Fees in coins without a price here, by coin; they are in none of the costs.
    fill_costs
        What the fills add to the trading cost by its sources, over those of which the book before them is known;
        None where nobody looked.
    mark_outs, reversion_bps, marks_pending
        What the mid did after the fills, and how many fills still wait for a mark (`impact.tca.mark_outs`).
    advice
        What following advice was worth; None if nobody was asked.
    forecast
        What the order was expected to cost when it began; None where no model was named.

    Raises
    ------
    ValueError
        If `order_qty` is not positive or `cum_qty` is negative.
    """

    parent_id: str
    venue: str
    category: Category
    symbol: str
    strategy: str
    side: Side
    status: ParentStatus
    reason: Reason
    order_qty: Decimal
    cum_qty: Decimal
    cum_notional: Decimal
    fees: Decimal
    decision_px: Decimal | None
    arrival_px: Decimal | None
    end_px: Decimal | None
    started_ns: int
    finished_ns: int
    market_qty: Decimal
    market_notional: Decimal
    mid_twap_px: Decimal | None
    children_by_status: tuple[tuple[ChildStatus, int], ...]
    filled_by_status: tuple[tuple[ChildStatus, Decimal], ...]
    orders_sent: int
    maker_qty: Decimal
    spread_captured: Decimal
    leaves_is_dust: bool
    cum_coin_qty: Decimal = ZERO
    market_coin_qty: Decimal = ZERO
    other_fees: tuple[tuple[str, Decimal], ...] = ()
    fill_costs: FillCosts | None = None
    mark_outs: tuple[MarkOut, ...] = ()
    reversion_bps: Decimal | None = None
    marks_pending: int = 0
    advice: "AdviceValue | None" = None
    forecast: CostForecast | None = None

    def __post_init__(self) -> None:
        """Refuse facts without a meaning."""
        if self.order_qty <= ZERO or self.cum_qty < ZERO:
            raise ValueError(f"{self.parent_id}: ordered {self.order_qty}, filled {self.cum_qty}")
        if self.is_inverse and self.cum_qty > ZERO >= self.cum_coin_qty:
            raise ValueError(f"{self.parent_id}: inverse contracts that are worth no coin")

    @property
    def is_inverse(self) -> bool:
        """Whether the quantity is contracts of one quote unit that pay in coin."""
        return self.category is Category.INVERSE


@dataclass(frozen=True, slots=True, kw_only=True)
class CostParts:
    """Implementation shortfall in four parts; all in quote units, or all in basis points of the paper value.

    Parameters
    ----------
    delay
        Move from the decision to the arrival, on the whole order.
    trading
        Fills against the arrival price.
    opportunity
        Move from the arrival to the end, on what was not filled.
    fees
        What the venue charged.
    """

    delay: Decimal
    trading: Decimal
    opportunity: Decimal
    fees: Decimal

    @property
    def total(self) -> Decimal:
        """The shortfall: the sum of the parts, exactly."""
        with localcontext(_WIDE):
            return self.delay + self.trading + self.opportunity + self.fees

    def relative_to(self, paper_notional: Decimal) -> "CostParts":
        """Turn quote units into basis points of the paper value, each part kept to 1e-12 bp.

        Parameters
        ----------
        paper_notional
            Ordered quantity times the benchmark price, quote units, > 0.
        """
        with localcontext(_EXACT):
            return self._map(lambda part: (part * BPS_PER_UNIT / paper_notional).quantize(_FINE))

    def rounded(self, quantum: Decimal) -> "CostParts":
        """Round each part; the total of the result is the sum of the rounded parts, so a printed column adds up."""
        with localcontext(_EXACT):
            return self._map(lambda part: part.quantize(quantum))

    def _map(self, change: Callable[[Decimal], Decimal]) -> "CostParts":
        return CostParts(
            delay=change(self.delay),
            trading=change(self.trading),
            opportunity=change(self.opportunity),
            fees=change(self.fees),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitParts:
    """The shortfall in seven parts: trading told apart into what its fills paid and what the market did meanwhile.

    All in quote units, or all in basis points of the paper value. `impact.tca.fill_costs` has the formulas.

    Parameters
    ----------
    cost
        The four parts.
    spread
        Half spreads, paid by what took and earned by what waited.
    temporary
        What fills that took paid beyond the touch.
    permanent
        What later fills paid for the moves in the seconds after earlier ones.
    """

    cost: CostParts
    spread: Decimal
    temporary: Decimal
    permanent: Decimal

    @property
    def timing(self) -> Decimal:
        """The rest of trading: moves of the mid that no fill of the order accounts for. Exact."""
        with localcontext(_WIDE):
            return self.cost.trading - self.spread - self.temporary - self.permanent

    @property
    def total(self) -> Decimal:
        """The shortfall, which is also that of the four parts. Exact."""
        return sum_of(self.named())

    def named(self) -> dict[str, Decimal]:
        """The seven parts by name, in the order in which they are told."""
        return {
            "delay": self.cost.delay,
            "spread": self.spread,
            "temporary": self.temporary,
            "permanent": self.permanent,
            "timing": self.timing,
            "opportunity": self.cost.opportunity,
            "fees": self.cost.fees,
        }

    def relative_to(self, paper_notional: Decimal) -> "SplitParts":
        """Turn quote units into basis points of the paper value (quote units, > 0), as the four parts are turned."""
        with localcontext(_EXACT):
            return SplitParts(
                cost=self.cost.relative_to(paper_notional),
                spread=(self.spread * BPS_PER_UNIT / paper_notional).quantize(_FINE),
                temporary=(self.temporary * BPS_PER_UNIT / paper_notional).quantize(_FINE),
                permanent=(self.permanent * BPS_PER_UNIT / paper_notional).quantize(_FINE),
            )

    def rounded(self, quantum: Decimal) -> "SplitParts":
        """Round each part; timing takes what that leaves, so that the total stays that of the four rounded parts."""
        with localcontext(_EXACT):
            return SplitParts(
                cost=self.cost.rounded(quantum),
                spread=self.spread.quantize(quantum),
                temporary=self.temporary.quantize(quantum),
                permanent=self.permanent.quantize(quantum),
            )


def sum_of(parts: Mapping[str, Decimal]) -> Decimal:
    """Sum parts up exactly."""
    with localcontext(_WIDE):
        return sum(parts.values(), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What one parent order cost. None means that the benchmark has no data.

    Parameters
    ----------
    facts
        What the report was made from; `facts.venue` says on which kind of market, so that nobody takes a
        sandbox's report for evidence of real cost.
    leaves_qty
        Ordered minus filled, base units, exact; negative if it was over-filled.
    fill_rate
        Filled over ordered quantity, 0-1.
    shortfall_quote, shortfall_bps
        Shortfall against the decision price in its parts; quote units (coin at the decision price for inverse
        contracts), and basis points of the ordered quantity at the decision price.
    split_quote, split_bps
        The same shortfall in seven parts; None unless the book before every fill is known.
    arrival_shortfall_bps
        The same shortfall with the arrival price as the decision price.
    arrival_slippage_bps, close_slippage_bps, midpoint_slippage_bps
        Average price against the mid at the start, at the end, and before each fill; positive is a cost.
    vwap_px
        Volume-weighted price of the market during the life without our own prints, quote per base.
    vwap_slippage_bps, twap_slippage_bps
        Average price against that benchmark; positive is a cost.
    spread_captured_bps
        Against the mid at each fill, of the traded value; positive is earned.
    fees_bps
        Fees of the traded value (`shortfall_bps.fees` is of the paper value).
    participation_pct
        Own quantity in the market's, own included, per cent.
    duration_s
        From the start to the end, seconds.
    maker_share
        Share of the filled quantity that waited in the book, 0-1.
    """

    facts: ParentFacts
    leaves_qty: Decimal
    fill_rate: Decimal
    avg_px: Decimal | None
    shortfall_quote: CostParts | None
    shortfall_bps: CostParts | None
    split_quote: SplitParts | None
    split_bps: SplitParts | None
    arrival_shortfall_bps: Decimal | None
    arrival_slippage_bps: Decimal | None
    close_slippage_bps: Decimal | None
    midpoint_slippage_bps: Decimal | None
    vwap_px: Decimal | None
    vwap_slippage_bps: Decimal | None
    twap_slippage_bps: Decimal | None
    spread_captured_bps: Decimal | None
    fees_bps: Decimal | None
    participation_pct: Decimal | None
    duration_s: Decimal | None
    maker_share: Decimal | None


def cost_parts(facts: ParentFacts, decision_px: Decimal | None) -> CostParts | None:
    """Split the implementation shortfall into delay, trading, opportunity and fees.

    With S the ordered and s the filled quantity (base units), N the filled notional (quote), Pd, P0 and Pn
    the decision, arrival and end price (quote per base), F the fees (quote) and b = +1 for a buy, -1 for a
    sell, in quote units:

        delay = b S (P0 - Pd)    trading = b (N - s P0)    opportunity = b (S - s)(Pn - P0)    fees = F

    They sum to Perold's b (N - s Pd) + b (S - s)(Pn - Pd) + F. Sources: A. Perold, "The implementation
    shortfall: paper versus reality", J. Portfolio Management 14(3), 1988; R. Kissell, "The expanded
    implementation shortfall", Trading 2006. The result is exact for numbers of up to 18 + 18 digits.

    Inverse contracts pay in coin: one bought at p and worth M at the end brings 1/p - 1/M coin, sold the negative
    of it (Bybit's contract specification). A contract therefore has the value -1/p where above it has p, and N
    becomes -C with C the sum of fill quantities over their prices (coin). In coin:

        delay = b S (1/Pd - 1/P0)    trading = b (s/P0 - C)    opportunity = b (S - s)(1/P0 - 1/Pn)

    Times Pd these are quote units; the paper value is S/Pd coin, S quote units. Quotients keep 160 digits.
    Checked by hand in `tests/impact/test_inverse.py`.

    Parameters
    ----------
    decision_px
        Pd, quote per base.

    Returns
    -------
    CostParts or None
        Quote units. None if Pd or P0 is unknown, or Pn is unknown while something is left; for inverse contracts
        also if one of them is not positive.
    """
    arrival_px, end_px = facts.arrival_px, facts.end_px
    with localcontext(_EXACT):
        leaves_qty = facts.order_qty - facts.cum_qty
        if end_px is None and leaves_qty == ZERO:
            end_px = arrival_px
        if decision_px is None or arrival_px is None or end_px is None:
            return None
        if facts.is_inverse and min(decision_px, arrival_px, end_px) <= ZERO:
            return None
        sign = facts.side.sign
        if facts.is_inverse:
            scale = sign * decision_px
            return CostParts(
                delay=scale * facts.order_qty * (1 / decision_px - 1 / arrival_px),
                trading=scale * (facts.cum_qty / arrival_px - facts.cum_coin_qty),
                opportunity=scale * leaves_qty * (1 / arrival_px - 1 / end_px),
                fees=facts.fees,
            )
        return CostParts(
            delay=sign * facts.order_qty * (arrival_px - decision_px),
            trading=sign * (facts.cum_notional - facts.cum_qty * arrival_px),
            opportunity=sign * leaves_qty * (end_px - arrival_px),
            fees=facts.fees,
        )


def split_parts(facts: ParentFacts, decision_px: Decimal | None) -> SplitParts | None:
    """Split the shortfall into seven parts that add up exactly: `cost_parts`, and trading by `impact.tca.fill_costs`.

    Timing is what trading leaves when spread, temporary and permanent impact are taken off; written out it is the sum
    over the fills of q (b (m - P0) - A), with m the mid before a fill and A the moves in the windows before it.

    Parameters
    ----------
    decision_px
        Pd, quote per base.

    Returns
    -------
    SplitParts or None
        Quote units (coin times Pd for inverse contracts). None where `cost_parts` is, or if the book before a fill is
        not known: nothing is guessed.
    """
    cost, sums = cost_parts(facts, decision_px), facts.fill_costs
    if cost is None or sums is None or sums.qty != facts.cum_qty:
        return None
    assert decision_px is not None, "there is no cost without it"
    with localcontext(_EXACT):
        scale = decision_px if facts.is_inverse else ONE
        return SplitParts(
            cost=cost,
            spread=scale * sums.spread,
            temporary=scale * sums.temporary,
            permanent=scale * sums.permanent,
        )


def make_report(facts: ParentFacts) -> CostReport:
    """Work out what a parent order cost.

    slippage = b (average price - benchmark) / benchmark x 10,000 bp, with b = +1 for a buy, -1 for a sell.
    The market's VWAP leaves our own prints out: (market notional - own) / (market quantity - own); it is
    None when nobody else traded, or when the feed missed prints of ours. Of inverse contracts the average price is
    their number over the coin they are worth, for ours and for the market's alike.
    """
    with localcontext(_EXACT):
        leaves_qty = facts.order_qty - facts.cum_qty
        avg_px = _ratio(facts.cum_notional, facts.cum_coin_qty if facts.is_inverse else facts.cum_qty)
        vwap_px = _others_vwap_px(facts)
        shortfall = cost_parts(facts, facts.decision_px)
        from_arrival = cost_parts(facts, facts.arrival_px)
        split = split_parts(facts, facts.decision_px)
        captured_bps = _ratio(facts.spread_captured * BPS_PER_UNIT, facts.cum_notional)
        return CostReport(
            facts=facts,
            leaves_qty=leaves_qty,
            fill_rate=(facts.cum_qty / facts.order_qty).quantize(_FINE),
            avg_px=avg_px,
            shortfall_quote=shortfall,
            shortfall_bps=_of_paper(shortfall, facts, facts.decision_px),
            split_quote=split,
            split_bps=_of_paper(split, facts, facts.decision_px),
            arrival_shortfall_bps=_total(_of_paper(from_arrival, facts, facts.arrival_px)),
            arrival_slippage_bps=_slippage_bps(facts.side, avg_px, facts.arrival_px),
            close_slippage_bps=_slippage_bps(facts.side, avg_px, facts.end_px),
            midpoint_slippage_bps=None if captured_bps is None else -captured_bps,
            vwap_px=vwap_px,
            vwap_slippage_bps=_slippage_bps(facts.side, avg_px, vwap_px),
            twap_slippage_bps=_slippage_bps(facts.side, avg_px, facts.mid_twap_px),
            spread_captured_bps=captured_bps,
            fees_bps=_ratio(facts.fees * BPS_PER_UNIT, facts.cum_notional),
            participation_pct=_participation_pct(facts),
            duration_s=_duration_s(facts),
            maker_share=_ratio(facts.maker_qty, facts.cum_qty),
        )


def as_json(report: CostReport) -> dict[str, object]:
    """Write a report as plain JSON values: numbers as decimal strings, unknown as None.

    Quantities and quote amounts are exact, prices are kept to 1e-12. Basis points and per cents are rounded to
    four digits, each by itself; the total beside the parts is the sum of the printed parts, within 0.0002 bp of it.
    """
    facts = report.facts
    bps = None if report.shortfall_bps is None else report.shortfall_bps.rounded(_BPS_PRINTED)
    split_bps = None if report.split_bps is None else report.split_bps.rounded(_BPS_PRINTED)
    return {
        "parent_id": facts.parent_id,
        "venue": facts.venue,
        "category": str(facts.category),
        "symbol": facts.symbol,
        "side": facts.side.name,
        "strategy": facts.strategy,
        "status": str(facts.status),
        "reason": str(facts.reason),
        "qty_unit": "contracts of one quote unit" if facts.is_inverse else "base",
        "order_qty": plain(facts.order_qty),
        "cum_qty": plain(facts.cum_qty),
        "leaves_qty": plain(report.leaves_qty),
        "leaves_is_dust": facts.leaves_is_dust,
        "cum_notional": plain(facts.cum_notional),
        "fill_rate": _printed(report.fill_rate, _RATIO_PRINTED),
        "decision_px": _price(facts.decision_px),
        "arrival_px": _price(facts.arrival_px),
        "end_px": _price(facts.end_px),
        "avg_px": _price(report.avg_px),
        "implementation_shortfall_bps": _printed(_total(report.shortfall_bps), _BPS_PRINTED),
        "arrival_shortfall_bps": _printed(report.arrival_shortfall_bps, _BPS_PRINTED),
        "shortfall_bps": _parts_json(bps),
        "shortfall_quote": _parts_json(report.shortfall_quote),
        "split_bps": _split_json(split_bps),
        "split_quote": _split_json(_without_quotients(report)),
        "arrival_slippage_bps": _printed(report.arrival_slippage_bps, _BPS_PRINTED),
        "close_slippage_bps": _printed(report.close_slippage_bps, _BPS_PRINTED),
        "midpoint_slippage_bps": _printed(report.midpoint_slippage_bps, _BPS_PRINTED),
        "vwap_px": _price(report.vwap_px),
        "vwap_slippage_bps": _printed(report.vwap_slippage_bps, _BPS_PRINTED),
        "twap_px": _price(facts.mid_twap_px),
        "twap_slippage_bps": _printed(report.twap_slippage_bps, _BPS_PRINTED),
        "spread_captured_bps": _printed(report.spread_captured_bps, _BPS_PRINTED),
        "spread_captured_quote": plain(facts.spread_captured),
        "fees_quote": plain(facts.fees),
        "fees_bps": _printed(report.fees_bps, _BPS_PRINTED),
        "fees_other": {coin: plain(fee) for coin, fee in facts.other_fees},
        "fees_complete": not facts.other_fees,
        "participation_pct": _printed(report.participation_pct, _BPS_PRINTED),
        "market_qty": plain(facts.market_qty),
        "started_at": iso_utc(facts.started_ns) if facts.started_ns else None,
        "finished_at": iso_utc(facts.finished_ns) if facts.finished_ns else None,
        "duration_s": _printed(report.duration_s, _SECONDS_PRINTED),
        "orders_sent": facts.orders_sent,
        "children": sum(count for _, count in facts.children_by_status),
        "children_by_status": {str(status): count for status, count in facts.children_by_status},
        "filled_by_status": {str(status): plain(qty) for status, qty in facts.filled_by_status},
        "maker_share": _printed(report.maker_share, _RATIO_PRINTED),
        "mark_outs": [_mark_out_json(each) for each in facts.mark_outs],
        "marks_pending": facts.marks_pending,
        "reversion_bps": _printed(facts.reversion_bps, _BPS_PRINTED),
        "advice_value_bps": None if facts.advice is None else _printed(facts.advice.value_bps, _BPS_PRINTED),
        "advice_value_error_bps": (
            None if facts.advice is None else _printed(facts.advice.standard_error_bps, _BPS_PRINTED)
        ),
        "advice_periods": None if facts.advice is None else facts.advice.periods,
        **_forecast_json(facts.forecast),
    }


def _forecast_json(told: CostForecast | None) -> dict[str, object]:
    """What was foretold; nothing where no model was named, so that reports of older versions read as they did."""
    if told is None:
        return {}
    return {
        "predicted_bps": _printed(told.expected_bps, _BPS_PRINTED),
        "predicted_low_bps": _printed(told.low_bps, _BPS_PRINTED),
        "predicted_high_bps": _printed(told.high_bps, _BPS_PRINTED),
        "predicted_risk_bps": _printed(told.risk_bps, _BPS_PRINTED),
        "predicted_model": told.model,
        "predicted_version": told.version,
    }


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(_FINE) if whole > ZERO else None


_Parts = TypeVar("_Parts", CostParts, SplitParts)


def _of_paper(parts: _Parts | None, facts: ParentFacts, px: Decimal | None) -> _Parts | None:
    if parts is None or px is None or px <= ZERO:
        return None
    return parts.relative_to(notional(facts.category, facts.order_qty, px))


def _total(parts: CostParts | None) -> Decimal | None:
    return None if parts is None else parts.total


def _slippage_bps(side: Side, avg_px: Decimal | None, benchmark_px: Decimal | None) -> Decimal | None:
    if avg_px is None or benchmark_px is None:
        return None
    return _ratio(side.sign * (avg_px - benchmark_px) * BPS_PER_UNIT, benchmark_px)


def _others_vwap_px(facts: ParentFacts) -> Decimal | None:
    others_notional = facts.market_notional - facts.cum_notional
    if others_notional <= ZERO:
        return None
    if facts.is_inverse:
        return _ratio(others_notional, facts.market_coin_qty - facts.cum_coin_qty)
    return _ratio(others_notional, facts.market_qty - facts.cum_qty)


def _participation_pct(facts: ParentFacts) -> Decimal | None:
    if facts.market_qty < facts.cum_qty:
        return None
    return _ratio(facts.cum_qty * _PCT, facts.market_qty)


def _duration_s(facts: ParentFacts) -> Decimal | None:
    if not facts.started_ns or facts.finished_ns < facts.started_ns:
        return None
    return Decimal(facts.finished_ns - facts.started_ns) / NS_PER_S


def _printed(value: Decimal | None, quantum: Decimal) -> str | None:
    if value is None:
        return None
    with localcontext(_EXACT):
        return plain(value.quantize(quantum) + ZERO)  # adding zero turns -0 into 0


def _price(px: Decimal | None) -> str | None:
    if px is None:
        return None
    with localcontext(_EXACT):
        return plain(px.quantize(_FINE).normalize())


def _parts_json(parts: CostParts | None) -> dict[str, str] | None:
    if parts is None:
        return None
    named = {
        "delay": parts.delay,
        "trading": parts.trading,
        "opportunity": parts.opportunity,
        "fees": parts.fees,
        "total": parts.total,
    }
    with localcontext(_EXACT):
        return {name: plain(value + ZERO) for name, value in named.items()}


def _without_quotients(report: CostReport) -> SplitParts | None:
    """The seven parts in quote units; those of inverse contracts, which are quotients, kept to 1e-12."""
    split = report.split_quote
    return split if split is None or not report.facts.is_inverse else split.rounded(_FINE)


def _split_json(split: SplitParts | None) -> dict[str, str] | None:
    if split is None:
        return None
    with localcontext(_WIDE):
        parts = split.named()
        return {name: plain(value + ZERO) for name, value in (*parts.items(), ("total", sum_of(parts)))}


def _mark_out_json(mark: MarkOut) -> dict[str, object]:
    return {
        "horizon_s": mark.horizon_s,
        "fills": mark.fills,
        "notional": plain(mark.notional),
        "gain_bps": _printed(mark.gain_bps, _BPS_PRINTED),
        "standard_error_bps": _printed(mark.standard_error_bps, _BPS_PRINTED),
    }
