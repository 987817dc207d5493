"""A simulated run on disk: quotes, trades and value, every event, the ledger of the clearing house, and its figures."""

import json
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.market.build import SCALE, Market
from backtest.market.ledger_store import LedgerStore
from backtest.market.scenarios import Scenario
from backtest.market.study import RunStudy
from config.problems import ConfigProblems, Problem, place
from simulation.market.events import WIDTH

_EVENT_COLUMNS: Final = (
    *("at_ns", "code", "order_id", "owner"),
    *("px", "qty", "maker_order_id", "maker_owner"),
)


class _Events:
    """Writes rows of events to a Parquet file, block by block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def rows(self, block: bytes) -> None:
        """Write some whole rows."""
        numbers = np.frombuffer(block, "<i8").reshape(-1, WIDTH)
        table = pa.table({name: numbers[:, at] for at, name in enumerate(_EVENT_COLUMNS)})
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


class Keeping:
    """Keeps one run in a new folder; use inside `with`.

    Attributes
    ----------
    events, ledger
        What a market hands its rows to.
    """

    events: _Events
    ledger: LedgerStore

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self._folder = folder
        self._scenario = scenario
        self.events = _Events(folder / "events.parquet")
        participants = sum(group.count for group in scenario.agents)
        self.ledger = LedgerStore(folder / "ledger.sqlite", participants, scenario.assets, SCALE)

    def __enter__(self) -> Self:
        """Make the folder.

        Raises
        ------
        ConfigProblems
            If it is there already, or cannot be made.
        """
        try:
            self._folder.mkdir(parents=True)
        except OSError as error:
            raise ConfigProblems(
                [
                    Problem(
                        code="FOLDER",
                        where=place(self._folder),
                        got=str(error.strerror or error),
                        allowed="a folder that is not there yet",
                        next_step="choose another name",
                    )
                ]
            ) from error
        self.ledger.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files, whatever happened."""
        self.events.close()
        self.ledger.__exit__(kind, error, trace)

    def finish(self, market: Market, study: RunStudy) -> None:
        """Write what a run came to."""
        market.engine.log.digest()  # hands on what is pending
        self.ledger.finish(market.engine.exchange.house)
        trace = study.trace
        quotes = ("quote_ns", "bid_px", "bid_qty", "ask_px", "ask_qty", "bid_depth_qty", "ask_depth_qty")
        trades = ("trade_ns", "trade_px", "trade_qty", "trade_sign", "trade_mid_px")
        for name, columns in (
            ("quotes", quotes),
            ("trades", trades),
            ("values", ("value_ns", "value_px")),
        ):
            table = pa.table({column: getattr(trace, column) for column in columns})
            pq.write_table(table, self._folder / f"{name}.parquet", compression="zstd")
        told = {
            "scenario": self._scenario.model_dump(mode="json"),
            "seed": study.seed,
            "event_hash": study.summary.event_hash,
            "participants": [
                {"number": number, "name": name, "kind": kind}
                for number, (name, kind) in enumerate(zip(market.engine.names, market.kinds, strict=True))
            ],
            "measures": {name.value: value for name, value in study.measures.items()},
        }
        (self._folder / "run.json").write_text(json.dumps(told, indent=2) + "\n")
