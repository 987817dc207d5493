"""The rules of a recorded symbol: what its recording says, and for the rest what is assumed, by name."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from sandbox.bybit_server.instruments import INVERSE, LINEAR, SPOT, Instrument

QUOTE_COINS: Final = ("USDT", "USDC", "USD", "EUR", "BTC", "ETH")
SYMBOL_ID: Final = 9_001
LOTS_MAX: Final = 10_000_000
NOTIONAL_MIN: Final = Decimal(5)
PX_MAX_TICKS: Final = 20
FEES: Final = {
    LINEAR: (Decimal("0.0002"), Decimal("0.00055")),
    INVERSE: (Decimal("0.0002"), Decimal("0.00055")),
    SPOT: (Decimal("0.001"), Decimal("0.001")),
}
BANDS: Final = {
    LINEAR: (Decimal("0.01"), Decimal("0.02")),
    INVERSE: (Decimal("0.01"), Decimal("0.02")),
    SPOT: (Decimal("0.005"), Decimal("0.01")),
}
CONTRACTS: Final = {LINEAR: "LinearPerpetual", INVERSE: "InversePerpetual", SPOT: ""}


class RulesError(ValueError):
    """The rules contradict the recording, or hold what cannot be read."""


def instrument_of(
    category: str, symbol: str, rules: Mapping[str, object], *, tick: Decimal, lot: Decimal, px: Decimal
) -> tuple[Instrument, tuple[str, ...]]:
    """Put the rules of a symbol together.

    Parameters
    ----------
    rules
        ``instrument.json``: decimals as text, null for what nobody said.
    tick, lot
        The steps that the rows count in.
    px
        A price of the recording.

    Returns
    -------
    tuple
        The instrument, and what was assumed, for people.

    Raises
    ------
    RulesError
        If a rule is no number, or a step is no multiple of the recording's.
    """
    assumed: list[str] = []

    def said(name: str, default: Decimal) -> Decimal:
        number = _number(rules, name)
        if number is None:
            assumed.append(f"{name} {default}")
        return default if number is None else number

    base, quote = rules.get("base_coin"), rules.get("quote_coin")
    if not (isinstance(base, str) and base and isinstance(quote, str) and quote):
        base, quote = _coins(symbol)
        assumed.append(f"coins {base} and {quote}")
    tick_size, qty_step = said("tick_size", tick), said("qty_step", lot)
    if tick_size % tick or qty_step % lot:
        # Rows that are off the venue's own grid have made the recording's steps finer, never coarser.
        raise RulesError(
            f"the steps of its rules ({tick_size}, {qty_step}) are no multiples of {tick}, {lot}"
        )
    maker_rate, taker_rate = FEES[category]
    band_x, band_y = BANDS[category]
    assumed += [f"fees {maker_rate} and {taker_rate}", f"price band {band_x} and {band_y}"]
    qty_max = said("max_order_qty", LOTS_MAX * qty_step)
    instrument = Instrument(
        category=category,
        symbol=symbol,
        symbol_id=SYMBOL_ID,
        contract=CONTRACTS[category],
        base_coin=base,
        quote_coin=quote,
        settle_coin=base if category == INVERSE else quote,
        tick=tick,
        step=lot,
        tick_size=tick_size,
        qty_step=qty_step,
        qty_min=said("min_order_qty", qty_step),
        limit_qty_max=qty_max,
        market_qty_max=qty_max,
        notional_min=said("min_notional", Decimal(0) if category == INVERSE else NOTIONAL_MIN),
        start_px=px,
        px_max=(px * PX_MAX_TICKS // tick_size) * tick_size,
        maker_rate=maker_rate,
        taker_rate=taker_rate,
        band_x=band_x,
        band_y=band_y,
        status="Closed" if rules.get("trading") is False else "Trading",
    )
    return instrument, tuple(assumed)


def _number(rules: Mapping[str, object], name: str) -> Decimal | None:
    value = rules.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise RulesError(f"{name} is no number: {value!r}") from error
    if not (number.is_finite() and number >= 0):
        raise RulesError(f"{name} is no number of that kind: {value!r}")
    return number


def _coins(symbol: str) -> tuple[str, str]:
    for quote in QUOTE_COINS:
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return base.strip("-_/"), quote
    return symbol, "USD"
