"""What an API key may do: permissions, bound addresses, expiry, and revocation while it is in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.refusal import RefusalError, parameter_error

DAY_MS: Final = 24 * 3600 * 1000
REVOCATIONS: Final[Mapping[int, str]] = {
    10003: "API key is invalid.",
    10005: "Permission denied, please check your API key permissions.",
    10010: "Unmatched IP, please check your API key's bound IP addresses.",
    33004: "Your api key has expired.",
}
NO_PERMISSION: Final = 10005
EXPIRED: Final = 33004
TRADING_PERMISSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ContractTrade": ("Order", "Position"),
    "Spot": ("SpotTrade",),
    "Wallet": (),
    "Options": (),
    "Derivatives": ("DerivativesTrade",),
}


@dataclass(slots=True, kw_only=True)
class KeyRights:
    """The rights of one key. ``expires_ms`` is None for a key that never expires; ``revoked`` is a retCode or 0."""

    read_only: bool = False
    permissions: dict[str, list[str]] = field(
        default_factory=lambda: {group: list(names) for group, names in TRADING_PERMISSIONS.items()}
    )
    addresses: list[str] = field(default_factory=lambda: ["*"])
    expires_text: str = "2099-05-15T03:21:05Z"
    revoked: int = 0

    @property
    def expires_ms(self) -> int | None:
        """Instant of expiry in milliseconds; bound keys without a date do not expire."""
        if not self.expires_text:
            return None
        return int(datetime.fromisoformat(self.expires_text).astimezone(UTC).timestamp()) * 1000

    def refuse_if_dead(self, server_ms: int) -> None:
        """Refuse a key that was revoked or has expired, whatever it asks for.

        Raises
        ------
        RefusalError
            10003, 10005, 10010 or 33004, as the operator chose; 33004 after the date of expiry.
        """
        if self.revoked:
            raise RefusalError(self.revoked, REVOCATIONS[self.revoked])
        expires_ms = self.expires_ms
        if expires_ms is not None and server_ms >= expires_ms:
            raise RefusalError(EXPIRED, REVOCATIONS[EXPIRED])

    def refuse_if_not_permitted(self, method: str, path: str, category: str) -> None:
        """Refuse a change by a key that may only read, or that lacks the permission for it."""
        if method != "POST":
            return
        need = _permission_for(path, category)
        if self.read_only or (need is not None and need[1] not in self.permissions.get(need[0], ())):
            raise RefusalError(NO_PERMISSION, REVOCATIONS[NO_PERMISSION])

    def change(self, fields: Fields) -> None:
        """Take over what a control request names: readOnly, permissions, ips, expiredAt, revoke."""
        values = fields.values
        if "readOnly" in values:
            self.read_only = bool(values["readOnly"])
        if "permissions" in values:
            self.permissions = _permissions(values["permissions"])
        if "ips" in values:
            addresses = values["ips"]
            if not isinstance(addresses, list):
                raise parameter_error("ips must be a list")
            self.addresses = [str(address) for address in addresses]
        if "expiredAt" in values:
            text = fields.text("expiredAt")
            if text:
                datetime.fromisoformat(text)
            self.expires_text = text
        if "revoke" in values:
            code = fields.whole("revoke", 0, 0, 10**6)
            if code and code not in REVOCATIONS:
                raise parameter_error(f"revoke must be 0 or one of {sorted(REVOCATIONS)}")
            self.revoked = code

    def shape(self, server_ms: int) -> JsonObject:
        """Return the part of the query-api answer that depends on the key's rights."""
        expires_ms = self.expires_ms
        days = -1 if expires_ms is None else max(0, (expires_ms - server_ms) // DAY_MS)
        return {
            "readOnly": int(self.read_only),
            "permissions": {group: list(names) for group, names in self.permissions.items()},
            "ips": list(self.addresses),
            "deadlineDay": days,
            "expiredAt": self.expires_text,
        }


class KeyRing:
    """The rights of every key of the venue."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._rights = {key: KeyRights() for key in keys}

    def rights(self, key: str) -> KeyRights:
        """Return the rights of a known key.

        Raises
        ------
        RefusalError
            10003 when there is no such key.
        """
        rights = self._rights.get(key)
        if rights is None:
            raise RefusalError(10003, REVOCATIONS[10003])
        return rights


def _permission_for(path: str, category: str) -> tuple[str, str] | None:
    if path.startswith("/v5/order/"):
        return ("Spot", "SpotTrade") if category == "spot" else ("ContractTrade", "Order")
    if path.startswith("/v5/position/"):
        return ("ContractTrade", "Position")
    return None


def _permissions(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not all(isinstance(names, list) for names in value.values()):
        raise parameter_error("permissions must be an object of lists")
    return {str(group): [str(name) for name in names] for group, names in value.items()}
