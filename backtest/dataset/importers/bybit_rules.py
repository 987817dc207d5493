"""Trading rules out of Bybit's own reply about instruments."""

from decimal import Decimal
from fractions import Fraction

import msgspec

from backtest.dataset.gather import RuleSteps
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.units import Money, Price, Quantity


class _PriceFilter(msgspec.Struct):
    tickSize: Decimal  # noqa: N815 - the venue's word


class _LotFilter(msgspec.Struct):
    minOrderQty: Decimal  # noqa: N815
    maxOrderQty: Decimal | None = None  # noqa: N815
    maxLimitOrderQty: Decimal | None = None  # noqa: N815
    qtyStep: Decimal | None = None  # noqa: N815
    basePrecision: Decimal | None = None  # noqa: N815
    minOrderAmt: Decimal | None = None  # noqa: N815
    minNotionalValue: Decimal | None = None  # noqa: N815


class _Rules(msgspec.Struct):
    symbol: str
    baseCoin: str  # noqa: N815
    quoteCoin: str  # noqa: N815
    status: str
    priceFilter: _PriceFilter  # noqa: N815
    lotSizeFilter: _LotFilter  # noqa: N815


class _Result(msgspec.Struct):
    category: str
    list: list[msgspec.Raw]


class _Reply(msgspec.Struct):
    result: _Result


def read_rules(text: str) -> dict[tuple[str, str], Instrument]:
    """Read the instruments of a reply, by category and symbol; one that cannot be read is passed over.

    Raises
    ------
    msgspec.DecodeError
        If it is no such reply.
    """
    result = msgspec.json.decode(text, type=_Reply).result
    category = Category(result.category)
    read: dict[tuple[str, str], Instrument] = {}
    for raw in result.list:
        try:
            rules = msgspec.json.decode(raw, type=_Rules)
            lots = rules.lotSizeFilter
            step = lots.qtyStep or lots.basePrecision
            largest = lots.maxOrderQty or lots.maxLimitOrderQty
            if step is None or largest is None:
                continue
            read[category, rules.symbol] = Instrument(
                category=category,
                symbol=rules.symbol,
                base_coin=rules.baseCoin,
                quote_coin=rules.quoteCoin,
                tick_size=Price(rules.priceFilter.tickSize),
                qty_step=Quantity(step),
                min_order_qty=Quantity(lots.minOrderQty),
                max_order_qty=Quantity(largest),
                min_notional=Money(lots.minOrderAmt or lots.minNotionalValue or Decimal(0)),
                trading=rules.status == "Trading",
            )
        except (msgspec.ValidationError, ValueError):
            continue
    return read


def steps_of(rules: Instrument | None) -> RuleSteps | None:
    """Tick and lot size as fractions."""
    return None if rules is None else RuleSteps(tick=Fraction(rules.tick_size), lot=Fraction(rules.qty_step))
