"""The one signer: Bybit v5 authentication over the exact bytes that are sent, for requests and for sockets.

The secret is either a word that both sides know (HMAC-SHA256, lower-case hexadecimal) or a private key in
PEM form, whose public half the venue holds (RSASSA-PKCS1-v1_5 with SHA-256, base64). Which one is told by
its form. A private key costs milliseconds of the loop for each request, a shared word a microsecond.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Final

from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from executor.domain.errors import ConfigError

_PEM_MARK: Final = "-----BEGIN"
_RSA_BITS_MIN: Final = 2_048
_BLOCK_BYTES: Final = hashlib.sha256().block_size
_INNER: Final = 0x36
_OUTER: Final = 0x5C
_SIGNED: Final = re.compile(r"origin_string\[.*", re.DOTALL)


class Signer:
    """Signs with one key pair. Never prints its secret.

    Parameters
    ----------
    api_secret
        The shared secret, or an RSA private key in PEM form.
    recv_window_ms
        Age at which the venue refuses a request, milliseconds; never widened.

    Raises
    ------
    ConfigError
        If the secret looks like a private key and is not a usable one.
    """

    def __init__(self, api_key: str, api_secret: str, recv_window_ms: int) -> None:
        self.api_key = api_key
        self.recv_window_ms = recv_window_ms
        self._between = f"{api_key}{recv_window_ms}".encode()
        self._constant = {
            "X-BAPI-API-KEY": api_key,
            "X-BAPI-RECV-WINDOW": str(recv_window_ms),
            "X-BAPI-SIGN-TYPE": "2",
            "Content-Type": "application/json",
        }
        is_pem = api_secret.lstrip().startswith(_PEM_MARK)
        self.sign: Callable[[bytes], str] = _rsa(api_secret) if is_pem else _hmac(api_secret.encode())

    def __repr__(self) -> str:
        """Name the key by its ends only."""
        return f"Signer(key={self.api_key[:2]}…{self.api_key[-2:]})"

    def headers(self, timestamp_ms: int, payload: bytes) -> dict[str, str]:
        """Authentication headers for a request whose body, or raw query string, is `payload`."""
        stamp = str(timestamp_ms)
        return {
            **self._constant,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-SIGN": self.sign(stamp.encode() + self._between + payload),
        }

    def socket_auth(self, expires_ms: int) -> list[str | int]:
        """Arguments of the WebSocket `auth` operation."""
        return [self.api_key, expires_ms, self.sign(f"GET/realtime{expires_ms}".encode())]


def _hmac(secret: bytes) -> Callable[[bytes], str]:
    """HMAC-SHA256 (RFC 2104) with both pads hashed beforehand, which leaves half of the work for each message."""
    if len(secret) > _BLOCK_BYTES:
        secret = hashlib.sha256(secret).digest()
    key = secret.ljust(_BLOCK_BYTES, b"\0")
    new_inner = hashlib.sha256(bytes(byte ^ _INNER for byte in key)).copy
    new_outer = hashlib.sha256(bytes(byte ^ _OUTER for byte in key)).copy

    def sign(text: bytes) -> str:
        inner = new_inner()
        inner.update(text)
        outer = new_outer()
        outer.update(inner.digest())
        return outer.hexdigest()

    return sign


def without_signed(text: str) -> str:
    """Take out of the venue's words what they repeat of a signed request: our key is in it."""
    return _SIGNED.sub("origin_string[...]", text)


def _rsa(pem: str) -> Callable[[bytes], str]:
    try:
        key = RSA.import_key(pem.strip())
    except (ValueError, IndexError, TypeError):
        # `from None`: what a parser says about a key may quote it.
        raise ConfigError("the API secret looks like a private key, but cannot be read as one") from None
    if not key.has_private():
        raise ConfigError("the API secret is a public key; the private one is needed to sign")
    if key.size_in_bits() < _RSA_BITS_MIN:
        raise ConfigError(
            f"the API secret is an RSA key of {key.size_in_bits()} bits; at least {_RSA_BITS_MIN} are safe"
        )
    signature = pkcs1_15.new(key)
    return lambda text: base64.b64encode(signature.sign(SHA256.new(text))).decode()
