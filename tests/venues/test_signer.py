"""Signatures against published vectors, and secrets that stay inside."""

import pytest

from executor.venues.bybit.signer import Signer

STAMP = 1_700_000_000_000
ORDER = (
    '{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001","price":"50000.1",'
    '"timeInForce":"PostOnly","orderLinkId":"abc-1"}'
)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            "category=linear&symbol=BTCUSDT",
            "f2f79889fd1201752936b389c890e9d393e01e0311a6d8785fb80753aa26c69b",
        ),
        (ORDER, "1203b699b0c2e5de2f9fabe88ed285a4c90cc403dc7f7fea020c49a7cca2ce31"),
        (
            '{"category": "linear", "symbol": "BTCUSDT"}',
            "def0b8e056c650fcf7cdc09615b4e494f418e0a17b52d7f7bf0ee27a8383e52f",
        ),
    ],
)
def test_requests(payload, expected):
    headers = Signer("testkey", "testsecret", 5_000).headers(STAMP, payload.encode())
    assert headers == {
        "X-BAPI-API-KEY": "testkey",
        "X-BAPI-TIMESTAMP": "1700000000000",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": expected,
        "X-BAPI-SIGN-TYPE": "2",
        "Content-Type": "application/json",
    }


def test_sockets():
    assert Signer("testkey", "testsecret", 5_000).socket_auth(STAMP + 1_000) == [
        "testkey",
        STAMP + 1_000,
        "26df689652787d6e2816d6ac43239f177f3a452676ef6c0a64e80828cb7144c7",
    ]


def test_one_signature_does_not_change_the_next():
    signer = Signer("testkey", "testsecret", 5_000)
    first = signer.sign(b"a")
    signer.sign(b"b")
    assert signer.sign(b"a") == first


def test_it_shows_neither_key_nor_secret():
    signer = Signer("ABCDEFGHIJ", "canary-secret", 5_000)
    shown = f"{signer!r} {signer} {vars(signer)}"
    assert "canary" not in shown
    assert "ABCDEFGHIJ" not in repr(signer)
