"""The venues of which it is written down what their answers prove. Others are refused at the start."""

from typing import Final

from executor.venues.through_ccxt.binance_dialect import BinanceSpotDialect, BinanceUsdmDialect
from executor.venues.through_ccxt.bybit_dialect import BybitDialect
from executor.venues.through_ccxt.dialect import Dialect

_ALL: Final[tuple[Dialect, ...]] = (BybitDialect(), BinanceSpotDialect(), BinanceUsdmDialect())
DIALECTS: Final[dict[str, Dialect]] = {each.exchange: each for each in _ALL}
"""By ccxt's id."""
