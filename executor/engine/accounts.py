"""Booking to the account: position, the day's money, fees in the coin they were taken in, payments for holding."""

from decimal import Decimal

from executor.domain.events import PaymentCharged
from executor.domain.fills import Fill
from executor.domain.orders import Category
from executor.domain.timeline import utc_day
from executor.domain.units import ZERO
from executor.engine.state import EngineState, Ledger, ledger_key, market_key


def book_ledger(state: EngineState, fill: Fill, position_idx: int) -> None:
    """Add one execution to a position and to the day.

    A fee of spot taken in the base coin makes what we hold smaller than what we bought. Within the day it counts
    as a fee, at the price of the fill, and not a second time as a smaller holding.
    """
    ledger = state.ledgers.setdefault(ledger_key(fill.category, fill.symbol, position_idx), Ledger())
    _roll_day(state, ledger)
    sign = fill.side.sign
    ledger.net_qty += sign * fill.last_qty
    if fill.category is Category.SPOT and _is_base_fee(state, fill):
        ledger.net_qty -= fill.fee
    ledger.last_px = fill.last_px
    ledger.day_qty += sign * fill.last_qty
    inverse = fill.category is Category.INVERSE
    ledger.day_cash += sign * fill.coin_qty if inverse else -sign * fill.notional
    ledger.day_fees += fee_in_quote(state, fill) or ZERO
    ledger.day_notional += fill.notional


def book_payment(state: EngineState, event: PaymentCharged) -> None:
    """Add a payment for holding a position to the day, once; it changes no quantity.

    The venue does not say which position index paid. The day's money is summed over all of a symbol's, so the first
    known one takes it. An inverse contract pays in coin: the amount is worth its quantity times the price.
    """
    market = market_key(event.category, event.symbol)
    key = f"{market}:{event.exec_id}"
    if key in state.payments:
        return
    state.payments[key] = f"{event.kind}:{event.amount}"
    known = sorted(name for name in state.ledgers if name.rpartition(":")[0] == market)
    name = known[0] if known else ledger_key(event.category, event.symbol, 0)
    ledger = state.ledgers.setdefault(name, Ledger())
    _roll_day(state, ledger)
    px = event.px or ledger.last_px
    ledger.day_payments += event.amount * px if event.category is Category.INVERSE else event.amount


def fee_in_quote(state: EngineState, fill: Fill) -> Decimal | None:
    """The fee in quote units; one in the base coin is worth its quantity times the price of the fill.

    Returns
    -------
    Decimal or None
        None for a coin that has no price here; such fees are kept by coin.
    """
    if _is_base_fee(state, fill):
        return fill.fee * fill.last_px
    return fill.fee if _is_quote_fee(state, fill) else None


def _is_base_fee(state: EngineState, fill: Fill) -> bool:
    """Whether the fee is in the base coin: named so, or always for an inverse contract that names none."""
    base, _ = _coins(state, fill)
    if not fill.fee_coin:
        return fill.category is Category.INVERSE
    return fill.fee_coin == base or (not base and fill.symbol.startswith(fill.fee_coin))


def _is_quote_fee(state: EngineState, fill: Fill) -> bool:
    """Whether the fee is in the quote coin; before the rules are read a symbol ends with it, but for futures."""
    _, quote = _coins(state, fill)
    if not fill.fee_coin or fill.fee_coin == quote:
        return True
    return not quote and (fill.category is Category.LINEAR or fill.symbol.endswith(fill.fee_coin))


def _coins(state: EngineState, fill: Fill) -> tuple[str, str]:
    """Base and quote coin by the venue's rules; empty while they are not read."""
    market = state.markets.get(market_key(fill.category, fill.symbol))
    rules = market.instrument if market is not None else None
    return ("", "") if rules is None else (rules.base_coin, rules.quote_coin)


def _roll_day(state: EngineState, ledger: Ledger) -> None:
    """Start the day's sums anew when the UTC day has changed."""
    today = utc_day(state.now_ns)
    if ledger.day != today:
        ledger.day = today
        ledger.day_cash = ledger.day_qty = ledger.day_fees = ledger.day_notional = ledger.day_payments = ZERO
