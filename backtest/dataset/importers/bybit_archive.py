"""Bybit's archive of order books: a day of one symbol, one message a line, in a zip file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import BATCH_ROWS, Batch, Gatherer, Stream
from backtest.dataset.importers.bybit_frames import BookChain, BookMessage, depth_of
from backtest.dataset.importers.protocol import Options
from backtest.dataset.sources import blocks, head_of
from executor.domain.instrument import Instrument

_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}_([A-Z0-9-]+)_ob\d+\.data")


class BybitArchive:
    """Reads `<day>_<symbol>_ob<levels>.data.zip` and the same text unpacked."""

    name = "bybit_archive"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self._decode = msgspec.json.Decoder(BookMessage).decode
        self._chains: dict[Stream, BookChain] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the beginning of the first message."""
        return bool(re.match(rb'\{"topic": ?"orderbook\.', head_of(path, 64)))

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the messages in order; the archive has no receiver's time."""
        named = _NAME.search(path.name)
        symbol = options.symbol or (named[1] if named else None)
        into: Gatherer | None = None
        chain = BookChain()
        for number, lines in blocks(path):
            for line, text in enumerate(lines, start=number):
                if not text:
                    continue
                try:
                    message = self._decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    found.add(Fault.UNREADABLE, path.name, line, str(error))
                    continue
                if into is None:
                    symbol = symbol or message.data.s
                    if not Stream.is_name(symbol):
                        raise DataError(f"{path}:{line}", f"{symbol[:40]!r} is no symbol", "give --symbol")
                    stream = Stream("bybit", options.category or category_of(path, symbol), symbol)
                    chain = self._chains.setdefault(stream, chain)
                    into = Gatherer(stream=stream, source=path.name, found=found, recv_known=False)
                if message.data.s != symbol or depth_of(message.topic) is None:
                    found.add(
                        Fault.WRONG_SYMBOL, path.name, line, f"{message.topic[:60]} in a file of {symbol}"
                    )
                    continue
                chain.take(message, None, line, into)
                if len(into) >= BATCH_ROWS and (batch := into.flush()) is not None:
                    yield batch
        if into is not None and (batch := into.flush()) is not None:
            yield batch


def category_of(path: Path, symbol: str) -> str:
    """Tell the kind of contract by the folders above a file, or else by the form of the symbol."""
    for part in reversed(path.parts[:-1]):
        if part in {"linear", "inverse", "spot"}:
            return part
    return "linear" if "USDT" in symbol or "USDC" in symbol or symbol.endswith("PERP") else "inverse"
