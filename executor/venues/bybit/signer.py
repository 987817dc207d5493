"""The one signer: HMAC-SHA256 over the exact bytes that are sent (Bybit v5 authentication)."""

import hashlib
import hmac


class Signer:
    """Signs requests with one key pair. Never prints its secret.

    Parameters
    ----------
    recv_window_ms
        Age at which the venue refuses a request, milliseconds; never widened.
    """

    def __init__(self, api_key: str, api_secret: str, recv_window_ms: int) -> None:
        self.api_key = api_key
        self.recv_window_ms = recv_window_ms
        self._hmac = hmac.new(api_secret.encode(), digestmod=hashlib.sha256)

    def __repr__(self) -> str:
        """Name the key by its ends only."""
        return f"Signer(key={self.api_key[:2]}…{self.api_key[-2:]})"

    def sign(self, text: bytes) -> str:
        """HMAC of the bytes, lower-case hexadecimal."""
        mac = self._hmac.copy()
        mac.update(text)
        return mac.hexdigest()

    def headers(self, timestamp_ms: int, payload: bytes) -> dict[str, str]:
        """Authentication headers for a request whose body, or raw query string, is `payload`."""
        window = str(self.recv_window_ms)
        stamp = str(timestamp_ms)
        return {
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": self.sign(f"{stamp}{self.api_key}{window}".encode() + payload),
            "X-BAPI-SIGN-TYPE": "2",
            "Content-Type": "application/json",
        }

    def socket_auth(self, expires_ms: int) -> list[str | int]:
        """Arguments of the WebSocket `auth` operation."""
        return [self.api_key, expires_ms, self.sign(f"GET/realtime{expires_ms}".encode())]
