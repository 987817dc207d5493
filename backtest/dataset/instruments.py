"""The rules of an instrument beside its rows: what the source said of them, and null for what nobody said."""

from decimal import Decimal
from pathlib import Path

import msgspec

from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.store import symbol_folder
from executor.domain.instrument import Instrument


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `Instrument` needs; decimals as text.

    Attributes
    ----------
    tick_from
        `rules` if the venue's own rules were in the source or were given, `data` if the steps were derived.
    unknown
        Names of the fields that are null.
    """

    venue: str
    category: str
    symbol: str
    base_coin: str | None = None
    quote_coin: str | None = None
    tick_size: Decimal | None = None
    qty_step: Decimal | None = None
    min_order_qty: Decimal | None = None
    max_order_qty: Decimal | None = None
    min_notional: Decimal | None = None
    trading: bool | None = None
    tick_from: str
    unknown: tuple[str, ...] = ()


def rules_of(stream: Stream, instrument: Instrument | None, tick: str, lot: str, tick_from: str) -> Rules:
    """Put together what is known."""
    known: dict[str, object] = {"tick_size": Decimal(tick), "qty_step": Decimal(lot)}
    if instrument is not None:
        known = {name: getattr(instrument, name) for name in _OPEN}
    return Rules(
        venue=stream.venue,
        category=stream.category,
        symbol=stream.symbol,
        tick_from=tick_from,
        unknown=tuple(name for name in _OPEN if known.get(name) is None),
        **known,  # type: ignore[arg-type] # the names are those of the fields
    )


def write_rules(root: Path, stream: Stream, rules: Rules) -> None:
    """Write `instrument.json`; what an earlier import was told, and this one was not, is kept.

    Raises
    ------
    DataError
        If what lies there cannot be read.
    """
    rules = _with_earlier(read_rules(root, stream), rules)
    path = rules_path(root, stream)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(rules), indent=2)
    partial = path.with_suffix(".partial")
    partial.write_bytes(text + b"\n")
    partial.replace(path)


def read_rules(root: Path, stream: Stream) -> Rules | None:
    """Read `instrument.json`; None where there is none.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    path = rules_path(root, stream)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Rules)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DataError(path, f"cannot be read: {error}", "import the instrument again") from error


def _with_earlier(earlier: Rules | None, rules: Rules) -> Rules:
    """Complete rules by those of before: a day whose steps were derived says less than the venue once did."""
    if earlier is None:
        return rules
    derived = rules.tick_from == "data" and earlier.tick_from == "rules"
    before = {name: getattr(earlier, name) for name in _OPEN}
    found = {name: getattr(rules, name) for name in _OPEN}
    known = {name: before[name] if derived or found[name] is None else found[name] for name in _OPEN}
    return msgspec.structs.replace(
        rules,
        **known,
        tick_from=earlier.tick_from if derived else rules.tick_from,
        unknown=tuple(name for name in _OPEN if known[name] is None),
    )


def rules_path(root: Path, stream: Stream) -> Path:
    """Where the rules of an instrument lie."""
    return symbol_folder(root, stream) / "instrument.json"


_OPEN = (
    "base_coin",
    "quote_coin",
    "tick_size",
    "qty_step",
    "min_order_qty",
    "max_order_qty",
    "min_notional",
    "trading",
)
