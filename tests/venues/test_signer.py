"""Signatures against published vectors, and secrets that stay inside."""

import base64
import hashlib
import hmac

import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.errors import ConfigError
from executor.venues.bybit.answers import printable
from executor.venues.bybit.signer import Signer, without_signed

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


@given(secret=st.text(min_size=1, max_size=200), text=st.binary(max_size=300))
def test_every_word_signs_as_the_standard_library_does(secret, text):
    if secret.lstrip().startswith("-----BEGIN"):
        return
    expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    assert Signer("k", secret, 5_000).sign(text) == expected


@pytest.fixture(scope="module")
def rsa_key():
    return RSA.generate(2_048)


def test_a_private_key_signs_requests_and_sockets(rsa_key):
    signer = Signer("testkey", f"\n{rsa_key.export_key().decode()}\n", 5_000)
    verifier = pkcs1_15.new(rsa_key.public_key())
    sent = signer.headers(STAMP, ORDER.encode())["X-BAPI-SIGN"]
    verifier.verify(SHA256.new(f"{STAMP}testkey5000{ORDER}".encode()), base64.b64decode(sent, validate=True))
    key, expires_ms, sent = signer.socket_auth(STAMP + 1_000)
    assert (key, expires_ms) == ("testkey", STAMP + 1_000)
    verifier.verify(
        SHA256.new(f"GET/realtime{STAMP + 1_000}".encode()), base64.b64decode(sent, validate=True)
    )


def test_a_private_key_that_cannot_be_used_is_refused_without_being_shown(rsa_key):
    broken = rsa_key.export_key().decode().replace("A", "!", 3)
    public = rsa_key.public_key().export_key().decode()
    short = RSA.generate(1_024).export_key().decode()
    for secret in (broken, public, short, "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"):
        with pytest.raises(ConfigError) as refused:
            Signer("testkey", secret, 5_000)
        assert not {line for line in secret.splitlines() if line and line in str(refused.value)}
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_what_the_venue_repeats_of_a_request_is_taken_out_of_its_words():
    told = "error sign! origin_string[1700000000000ABCDEFGHIJ5000symbol=[BTCUSDT]\nmore]"
    assert without_signed(told) == "error sign! origin_string[...]"
    assert without_signed("error sign!") == "error sign!"
    assert printable(f"10004: {told}") == "10004: error sign! origin_string[...]"
