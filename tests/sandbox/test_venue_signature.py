"""Signatures on raw bytes: published vectors, and every way to be refused at the door."""

import pytest

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.signature import (
    authenticate_stream,
    check_time_window,
    rest_payload,
    sign,
    stream_payload,
)

KEY, SECRET, STAMP, WINDOW = "testkey", "testsecret", "1700000000000", "5000"
COMPACT = (
    '{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001",'
    '"price":"50000.1","timeInForce":"PostOnly","orderLinkId":"abc-1"}'
)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (
            "category=linear&symbol=BTCUSDT",
            "f2f79889fd1201752936b389c890e9d393e01e0311a6d8785fb80753aa26c69b",
        ),
        (COMPACT, "1203b699b0c2e5de2f9fabe88ed285a4c90cc403dc7f7fea020c49a7cca2ce31"),
        (
            '{"category": "linear", "symbol": "BTCUSDT"}',
            "def0b8e056c650fcf7cdc09615b4e494f418e0a17b52d7f7bf0ee27a8383e52f",
        ),
    ],
)
def test_request_vectors(tail, expected):
    assert sign(SECRET, rest_payload(STAMP, KEY, WINDOW, tail)) == expected


def test_stream_vector_and_both_types_of_expiry():
    signature = "26df689652787d6e2816d6ac43239f177f3a452676ef6c0a64e80828cb7144c7"
    assert sign(SECRET, stream_payload("1700000001000")) == signature
    keys = {KEY: Credentials(key=KEY, secret=SECRET)}
    for expires in (1700000001000, "1700000001000"):
        assert authenticate_stream([KEY, expires, signature], keys, 1700000000000).key == KEY
    for args, server_ms, code in (
        ([KEY, "1700000001000", signature], 1700000001000, 10002),
        ([KEY, "1700000001000", "0" * 64], 1700000000000, 10004),
        (["who", "1700000001000", signature], 1700000000000, 10003),
        ([KEY, "soon", signature], 1700000000000, 10001),
        (None, 1700000000000, 10001),
    ):
        with pytest.raises(RefusalError) as caught:
            authenticate_stream(args, keys, server_ms)
        assert caught.value.code == code


@pytest.mark.parametrize(("stamp_ms", "good"), [(5000, True), (4999, False), (10_999, True), (11_000, False)])
def test_the_time_window_is_asymmetric(stamp_ms, good):
    if good:
        check_time_window(str(stamp_ms), "5000", 10_000)
    else:
        with pytest.raises(RefusalError) as caught:
            check_time_window(str(stamp_ms), "5000", 10_000)
        assert caught.value.code == 10002
