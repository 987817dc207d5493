"""A sandbox that has just been started: it has a past, and a client that hangs up at once disturbs nobody."""

import base64
import logging
import math
import socket
import struct
from itertools import pairwise
from random import Random
from statistics import stdev
from urllib.parse import urlparse

import pytest

from sandbox.bybit_server.flow import FlowSettings
from sandbox.bybit_server.past_minutes import PAST_MINUTES, past_minutes
from tests.sandbox.venue_support import Bench

NOW_MS = 1_700_000_030_000


@pytest.mark.parametrize("where", [("linear", "BTCUSDT"), ("spot", "BTCUSDT"), ("inverse", "BTCUSD")])
def test_the_minutes_before_are_as_lively_as_the_crowd(where):
    market = Bench().market(*where)
    candles = past_minutes(market, FlowSettings(), Random(7), NOW_MS)
    assert [each.start_ms for each in candles] == [
        NOW_MS - NOW_MS % 60_000 - minute * 60_000 for minute in range(PAST_MINUTES, 0, -1)
    ]
    assert candles[-1].close_px == market.instrument.start_px
    assert all(before.close_px == after.open_px for before, after in pairwise(candles))
    assert all(
        each.low_px <= min(each.open_px, each.close_px) and each.high_px >= max(each.open_px, each.close_px)
        for each in candles
    )
    assert all(each.volume > 0 for each in candles)
    moves = [math.log(each.close_px / each.open_px) for each in candles]
    assert stdev(moves) * math.sqrt(60) == pytest.approx(0.008, rel=0.3)
    assert past_minutes(market, FlowSettings(), Random(7), NOW_MS) == candles
    assert past_minutes(market, FlowSettings(frozen=True), Random(7), NOW_MS) == []


def test_a_client_that_is_asked_for_candles_at_once_gets_the_hour_before(venue, raw):
    told = raw.get("/v5/market/kline", "category=linear&symbol=BTCUSDT&interval=1&limit=60")
    assert sum(float(row[5]) > 0 for row in told["result"]["list"]) >= 59


def test_a_client_that_hangs_up_in_the_handshake_leaves_no_traceback(venue, raw, caplog):
    place = urlparse(venue.rest_url)
    key = base64.b64encode(bytes(16)).decode()
    hello = (
        "GET /v5/public/linear HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with caplog.at_level(logging.ERROR):
        for _ in range(40):
            with socket.create_connection((place.hostname, place.port)) as line:
                line.sendall(hello.encode())
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert raw.get("/v5/market/time")["retCode"] == 0  # it has taken all of them by now
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]
