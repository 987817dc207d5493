"""What public streams said, word by word, kept in files of an hour each; `executor data import` reads them.

The loop only puts a text aside; a thread writes. What waits to be written is bounded, and when the disk does not keep
up, texts are dropped, counted and told: nobody waits for a recording. A file of an hour that is over is compressed.
Each file can be read alone, but what a book was at its beginning stands in the file before it. Where a connection
ended, or a process began, is written down: what was said in between is missing.
"""

import gzip
import json
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Final, Self

from executor.domain.instrument import Instrument
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import plain

WAITING_BYTES_MAX: Final = 32 << 20
_HOUR: Final = len("2026-01-01T00")
_CLOSE_S_MAX: Final = 10.0
_TELL_EVERY_NS: Final = 60 * NS_PER_S
_RULES_PATH: Final = "/v5/market/instruments-info"

Heard = tuple[int, str, str | None]
"""When, by which connection, and what; None is the end of the connection. Rules come by none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureCounts:
    """What became of what was heard, since the process began.

    Attributes
    ----------
    frames, written_bytes
        That were written.
    dropped
        Frames that found no room, or of which it is not known that they were written.
    errors
        Times that the disk refused.
    """

    frames: int
    written_bytes: int
    dropped: int
    errors: int


class MarketRecorder:
    """Keeps frames and rules. Use inside `with`.

    Parameters
    ----------
    folder
        Where the files go; made if it is missing.
    now_ns
        Our clock.
    log
        Told of every failure to write, at most once a minute.
    waiting_bytes_max
        How much may wait to be written.
    close_s_max
        How long the end waits for what is still to be written, seconds; None waits for all of it.
    """

    def __init__(
        self,
        folder: Path,
        now_ns: Callable[[], int],
        log: Log,
        *,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
        close_s_max: float | None = _CLOSE_S_MAX,
    ) -> None:
        self._folder = folder
        self._now_ns = now_ns
        self._log = log
        self._waiting_bytes_max = waiting_bytes_max
        self._close_s_max = close_s_max
        self._waiting: deque[Heard] = deque()
        self._waiting_bytes = 0
        self._more = Condition()
        self._ends = False
        self._thread = Thread(target=self._write, name="market-recorder", daemon=True)
        self._file: BufferedWriter | None = None
        self._path: Path | None = None
        self._named: set[str] = set()
        self._rules: list[str] = []
        self._told_ns = -_TELL_EVERY_NS
        self._untold = 0
        self._has_begun = False
        self._frames = self._written_bytes = self._errors = 0
        # Dropped by the loop, and by the thread: each counts its own.
        self._no_room = self._not_taken = 0

    @property
    def counts(self) -> CaptureCounts:
        """What became of what was heard so far."""
        return CaptureCounts(
            frames=self._frames,
            written_bytes=self._written_bytes,
            dropped=self._no_room + self._not_taken,
            errors=self._errors,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._more:
            self._ends = True
            self._more.notify()
        self._thread.join(self._close_s_max)
        if self._thread.is_alive():
            self._log("recording incomplete", level="warning", error="the disk does not answer")
        elif dropped := self.counts.dropped:
            self._log("recording incomplete", level="warning", dropped_frames=dropped)

    def frame(self, url: str, text: str) -> None:
        """Keep a text that a stream sent."""
        self._put((self._now_ns(), url, text))

    def lost(self, url: str) -> None:
        """Keep in mind that a connection has ended."""
        self._put((self._now_ns(), url, None))

    def rules(self, instrument: Instrument) -> None:
        """Keep the rules of an instrument, in the venue's own words."""
        self._put((self._now_ns(), "", _in_venues_words(instrument)))

    def _put(self, heard: Heard) -> None:
        size = len(heard[2] or "")
        with self._more:
            if size and self._waiting_bytes + size > self._waiting_bytes_max:
                self._no_room += 1
                self._untold += 1
                return
            self._waiting.append(heard)
            self._waiting_bytes += size
            self._more.notify()

    def _write(self) -> None:
        """Write what waits until it is over: the work of the thread."""
        while True:
            with self._more:
                while not self._waiting and not self._ends:
                    self._more.wait()
                batch, self._waiting = list(self._waiting), deque()
                self._waiting_bytes = 0
                ends, lost, self._untold = self._ends, self._untold, 0
            if not batch and ends:
                self._close()
                return
            frames = sum(bool(url) and text is not None for _, url, text in batch)
            try:
                for heard in batch:
                    self._take(heard)
                if self._file is not None:
                    if lost:
                        self._line(t="dropped", frames=lost)
                    self._file.flush()
            except OSError as error:
                self._errors += 1
                self._not_taken += frames
                lost += frames
                self._close()
                self._tell(str(error), lost)
            else:
                self._frames += frames
                if lost:
                    self._tell("the disk does not keep up", lost)

    def _tell(self, why: str, lost: int) -> None:
        now_ns = self._now_ns()
        if now_ns - self._told_ns >= _TELL_EVERY_NS:
            self._told_ns = now_ns
            self._log(
                "frames not recorded", level="warning", error=why, frames=lost, dropped=self.counts.dropped
            )

    def _take(self, heard: Heard) -> None:
        at_ns, url, text = heard
        self._open(at_ns)
        if not url:
            assert text is not None, "rules are words"
            if text not in self._rules:
                self._rules.append(text)
                self._line(t="http", url=_RULES_PATH, data=text, at_ns=at_ns)
            return
        if url not in self._named:
            self._named.add(url)
            self._line(t="connect", conn=url, addr=url)
        if text is None:
            self._line(t="lost", conn=url, at_ns=at_ns)
            return
        self._line(t="recv", conn=url, data=text, at_ns=at_ns)

    def _line(self, *, t: str, at_ns: int | None = None, **fields: object) -> None:
        assert self._file is not None, "a line is written where a file is open"
        words = json.dumps({"t": t, **fields}, separators=(",", ":"))
        if at_ns is not None:
            # To the nanosecond, which a float would round.
            words = f'{words[:-1]},"ts":{_seconds(at_ns)}}}'
        self._written_bytes += self._file.write(words.encode() + b"\n")

    def _open(self, at_ns: int) -> None:
        """Have the file of the hour open, with what a reader needs before the first frame."""
        path = self._folder / f"{iso_utc(at_ns)[:_HOUR]}.jsonl"
        if self._file is not None and path == self._path:
            return
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._pack_finished(path)
        self._path, self._file = path, path.open("ab")
        self._named = set()
        if self._file.tell():
            self._file.write(b"\n")  # a process that was killed may have left half a line
        self._line(t="header", by="executor", since=iso_utc(at_ns), process_begins=not self._has_begun)
        self._has_begun = True
        for rules in self._rules:
            self._line(t="http", url=_RULES_PATH, data=rules, at_ns=at_ns)

    def _close(self) -> None:
        file, self._file, self._path = self._file, None, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._tell(str(error), 0)

    def _pack_finished(self, current: Path) -> None:
        """Compress the files of hours that are over, also those of an earlier process."""
        for path in sorted(self._folder.glob("*.jsonl")):
            if path == current:
                continue
            partial = path.with_name(f".{path.stem}.partial")  # hidden from whoever imports the folder
            with path.open("rb") as source, gzip.open(partial, "wb", compresslevel=6) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            partial.replace(_free(path.with_suffix(".jsonl.gz")))
            path.unlink()


def _seconds(at_ns: int) -> str:
    return f"{at_ns // NS_PER_S}.{at_ns % NS_PER_S:09}"


def _free(path: Path) -> Path:
    """Give a name that nothing has."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name.removesuffix('.jsonl.gz')}_{number}.jsonl.gz")
    return free


def _in_venues_words(rules: Instrument) -> str:
    """Write rules as the venue's reply about instruments has them."""
    row = {
        "symbol": rules.symbol,
        "baseCoin": rules.base_coin,
        "quoteCoin": rules.quote_coin,
        "status": "Trading" if rules.trading else "Closed",
        "priceFilter": {"tickSize": plain(rules.tick_size)},
        "lotSizeFilter": {
            "qtyStep": plain(rules.qty_step),
            "minOrderQty": plain(rules.min_order_qty),
            "maxOrderQty": plain(rules.max_order_qty),
            "minNotionalValue": plain(rules.min_notional),
        },
    }
    return json.dumps({"result": {"category": rules.category.value, "list": [row]}})
