"""Request signatures, checked over the exact bytes that arrived, and the time window of signed requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from functools import cache
from typing import Final

from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.refusal import RefusalError, parameter_error

RECV_WINDOW_DEFAULT_MS: Final = 5000
EARLY_MS_MAX: Final = 1000


def sign(secret: str, payload: str) -> str:
    """Return the lower-case hexadecimal HMAC-SHA256 of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


@cache
def public_key(pem: str) -> RSA.RsaKey:
    """Return the RSA key of a PEM text; ``ValueError`` if there is none in it."""
    return RSA.import_key(pem)


def verifies(credentials: Credentials, payload: str, signature: str) -> bool:
    """Tell whether a signature is its key's: HMAC-SHA256 in hexadecimal, or RSASSA-PKCS1-v1_5 in base64."""
    if not credentials.public_key_pem:
        return hmac.compare_digest(sign(credentials.secret, payload).encode(), signature.encode())
    verifier = pkcs1_15.new(public_key(credentials.public_key_pem))
    try:
        verifier.verify(SHA256.new(payload.encode()), base64.b64decode(signature, validate=True))
    except ValueError:
        return False
    return True


def rest_payload(timestamp: str, key: str, recv_window: str, tail: str) -> str:
    """Return what a REST client signs; ``tail`` is the raw query string or the raw body."""
    return f"{timestamp}{key}{recv_window}{tail}"


def stream_payload(expires: str) -> str:
    """Return what a WebSocket client signs."""
    return f"GET/realtime{expires}"


def check_time_window(timestamp: str, recv_window: str, server_ms: int) -> None:
    """Refuse a stale request, and one from more than a second ahead."""
    if not timestamp.isdecimal() or not (recv_window or "0").isdecimal():
        raise parameter_error("params error: timestamp or recv_window invalid")
    window_ms = int(recv_window) if recv_window else RECV_WINDOW_DEFAULT_MS
    if not server_ms - window_ms <= int(timestamp) < server_ms + EARLY_MS_MAX:
        raise RefusalError(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{timestamp}],server_timestamp[{server_ms}],recv_window[{window_ms}]",
        )


def authenticate(
    headers: Mapping[str, str], tail: str, keys: Mapping[str, Credentials], server_ms: int
) -> Credentials:
    """Return whose request this is.

    Parameters
    ----------
    headers
        Request headers, case-insensitive.
    tail
        Raw query string of a GET, raw body of a POST.
    keys
        Known credentials by key.
    server_ms
        The server's clock, milliseconds.

    Raises
    ------
    RefusalError
        10001 headers missing, 10002 time window, 10003 unknown key, 10004 wrong signature.
    """
    key = headers.get("X-BAPI-API-KEY", "")
    timestamp = headers.get("X-BAPI-TIMESTAMP", "")
    signature = headers.get("X-BAPI-SIGN", "")
    recv_window = headers.get("X-BAPI-RECV-WINDOW", "")
    if not (key and timestamp and signature):
        raise parameter_error(
            f"empty value: apiTimestamp[{timestamp}] apiKey[{key}] apiSignature[{signature}]: "
            "openapi sign params error!"
        )
    check_time_window(timestamp, recv_window, server_ms)
    credentials = keys.get(key)
    if credentials is None:
        raise RefusalError(10003, "API key is invalid.")
    payload = rest_payload(timestamp, key, recv_window, tail)
    if not verifies(credentials, payload, signature):
        raise RefusalError(10004, f"error sign! origin_string[{payload}]")
    return credentials


def authenticate_stream(args: object, keys: Mapping[str, Credentials], server_ms: int) -> Credentials:
    """Return whose connection this is, from the arguments of an auth message.

    Raises
    ------
    RefusalError
        10001 malformed, 10002 expired, 10003 unknown key, 10004 wrong signature.
    """
    if not isinstance(args, list) or len(args) != 3:
        raise parameter_error("Params Error")
    key, expires, signature = (str(part) for part in args)
    if not expires.isdecimal():
        raise parameter_error("Params Error")
    if int(expires) <= server_ms:
        raise RefusalError(10002, "Request not authorized: auth expired")
    credentials = keys.get(key)
    if credentials is None:
        raise RefusalError(10003, "API key is invalid.")
    if not verifies(credentials, stream_payload(expires), signature):
        raise RefusalError(10004, "error sign!")
    return credentials
