"""Recordings of the real venue: where they are, and what tests of them need. They are no part of this repository."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = os.environ.get("EXECUTOR_REAL_DATA")
needs_real_data = pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data")
SESSION = "v5-session-20260809.jsonl.zst"


def bybit() -> Path:
    """Folder of what was recorded at Bybit."""
    return Path(str(ROOT)) / "bybit"


def payload(name: str) -> str:
    """One recorded message."""
    return (bybit() / "payloads" / f"{name}.json").read_text()


def payload_names() -> list[str]:
    """Names of all recorded messages; none without the recordings."""
    return sorted(file.stem for file in (bybit() / "payloads").glob("*.json")) if ROOT else []


def session() -> Iterator[dict]:
    """Every record of the recorded session, in the order of their times."""
    import zstandard

    with (bybit() / SESSION).open("rb") as packed:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed))
        records = [json.loads(line) for line in lines]
    return iter(sorted(records, key=lambda record: record.get("ts", 0.0)))


def touch_frames(name: str) -> Iterator[str]:
    """Data frames of a recording of `orderbook.1`."""
    for line in (bybit() / "orderbook1" / f"{name}.ws.txt").read_text().splitlines():
        _, _, body = line.partition(": ")
        if '"topic"' in body:
            yield body
