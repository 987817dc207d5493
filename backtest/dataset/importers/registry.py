"""All importers, and which of them reads a file."""

from pathlib import Path

from backtest.dataset.errors import WHOLE_FILE, DataError
from backtest.dataset.importers.binance_capture import BinanceCapture
from backtest.dataset.importers.binance_csv import BinanceCsv
from backtest.dataset.importers.bybit_archive import BybitArchive
from backtest.dataset.importers.bybit_capture import BybitCapture
from backtest.dataset.importers.bybit_funding import BybitFunding
from backtest.dataset.importers.bybit_trades import BybitTrades
from backtest.dataset.importers.coinbase import Coinbase
from backtest.dataset.importers.lobster import Lobster
from backtest.dataset.importers.protocol import Importer
from backtest.dataset.importers.tardis import Tardis
from backtest.dataset.sources import refuse_what_is_no_file


def all_importers() -> list[Importer]:
    """Fresh importers for one import: they remember from file to file."""
    return [
        BybitCapture(),
        BybitArchive(),
        BybitTrades(),
        BybitFunding(),
        BinanceCapture(),
        BinanceCsv(),
        Tardis(),
        Lobster(),
        Coinbase(),
    ]


def importer_of(path: Path, importers: list[Importer], named: str | None = None) -> Importer:
    """Choose the importer of a file or folder.

    Raises
    ------
    DataError
        If there is no such file, none knows its layout, or the named one does not exist.
    """
    if not path.exists():
        raise DataError(path, "there is no such file", "look at the path", allowed="a file that is there")
    refuse_what_is_no_file(path)
    if named is not None:
        for importer in importers:
            if importer.name == named:
                return importer
        raise DataError(
            path,
            f"no importer is called {named}",
            "name one of them",
            allowed=", ".join(each.name for each in importers),
        )
    for importer in importers:
        if importer.sniff(path):
            return importer
    raise DataError(
        path,
        "no importer knows its layout (it may be empty, cut short or damaged)",
        "docs/data.md lists what can be read; --importer names one",
        allowed=WHOLE_FILE,
    )
