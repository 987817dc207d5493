"""What Bybit says about a key and its account, read out of its answers. Total: a value or a named error."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import CoinBalance
from executor.domain.units import ZERO
from executor.venues.bybit import codec_fields as fields
from executor.venues.bybit.codec import decode_wallet
from executor.venues.bybit.codec_fields import Row

UNIFIED: Final = frozenset({3, 4, 5, 6})
"""`unifiedMarginStatus` of unified accounts: 1.0, 1.0 pro, 2.0, 2.0 pro. 1 is the classic account."""
ONE_WAY: Final = frozenset({0})
HEDGE: Final = frozenset({1, 2})
"""The position indices of the two position modes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What an API key may do, as the venue says.

    Parameters
    ----------
    user_id
        The venue's number of the account behind the key.
    permissions
        Names of what is allowed, by group: `{"ContractTrade": {"Order", "Position"}}`; empty groups are left out.
    addresses
        What the key is bound to; empty when it works from everywhere.
    expires_s
        UTC, seconds since 1970; None if it never does.
    """

    user_id: str
    read_only: bool
    permissions: Mapping[str, frozenset[str]]
    addresses: tuple[str, ...]
    expires_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """How an account trades."""

    margin_mode: str
    unified_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRates:
    """What a symbol costs, as a share of the notional; a negative rate is paid to us."""

    maker_rate: Decimal
    taker_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Dcp:
    """Whether, and after how many seconds, the venue cancels a product's orders when our connection is lost."""

    product: str
    on: bool
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What was read of an account; where something could not be read, the sentence that says why.

    Parameters
    ----------
    position_indices
        Position indices in use in one symbol: {0} in one-way mode, {1, 2} in hedge mode; None where no symbol with
        positions was asked for.
    """

    key: KeyFacts | str
    settings: AccountSettings | str
    position_indices: frozenset[int] | str | None


def decode_key(row: Row) -> KeyFacts:
    """Read the answer of user/query-api."""
    user = row.get("userID")
    if type(user) is not int and not (isinstance(user, str) and user):
        raise RemoteProtocolError(f"userID is {str(user)[:40]!r}")
    groups = row.get("permissions")
    addresses = row.get("ips")
    if not isinstance(groups, dict) or not isinstance(addresses, list):
        raise RemoteProtocolError("a key without permissions or addresses")
    return KeyFacts(
        user_id=_printable(str(user), "userID"),
        read_only=fields.whole(row, "readOnly") != 0,
        permissions={
            _printable(str(name), "permission"): frozenset(_printable(str(word), str(name)) for word in words)
            for name, words in groups.items()
            if isinstance(words, list) and words
        },
        addresses=tuple(_printable(str(each), "ips") for each in addresses if str(each) not in {"*", ""}),
        expires_s=_expiry_s(row.get("expiredAt")),
    )


def decode_account(row: Row) -> AccountSettings:
    """Read the answer of account/info."""
    return AccountSettings(
        margin_mode=fields.text(row, "marginMode"), unified_status=fields.whole(row, "unifiedMarginStatus")
    )


def decode_fees(rows: Sequence[object], symbol: str) -> FeeRates:
    """Read the answer of account/fee-rate for one symbol."""
    for row in rows:
        if isinstance(row, dict) and row.get("symbol") == symbol:
            return FeeRates(
                maker_rate=fields.signed(row, "makerFeeRate"), taker_rate=fields.signed(row, "takerFeeRate")
            )
    raise RemoteProtocolError(f"no fee rate of {symbol}")


def decode_dcp(row: Row) -> tuple[Dcp, ...]:
    """Read the answer of account/query-dcp-info; empty when it was never switched on."""
    listed = row.get("dcpInfos")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise RemoteProtocolError("an answer without dcpInfos")
    return tuple(
        Dcp(
            product=fields.text(each, "product"),
            on=fields.text(each, "dcpStatus") == "ON",
            window_s=fields.whole(each, "timeWindow"),
        )
        for each in listed
    )


def decode_balances(rows: Sequence[object], coins: Collection[str] | None = None) -> tuple[CoinBalance, ...]:
    """Read the answer of account/wallet-balance.

    Parameters
    ----------
    coins
        Only these; one that is not listed is reported with zero. None: all that are listed.
    """
    if len(rows) != 1 or not isinstance(rows[0], dict):
        raise RemoteProtocolError(f"{len(rows)} wallets where one is due")
    found = {
        each.coin: each for each in decode_wallet(rows[0]).balances if coins is None or each.coin in coins
    }
    for coin in coins or ():
        found.setdefault(coin, CoinBalance(coin=coin, wallet_qty=ZERO, locked_qty=ZERO))
    return tuple(found[coin] for coin in sorted(found))


def decode_position_mode(rows: Sequence[object]) -> tuple[frozenset[int], str]:
    """Read the position indices in use in a symbol and its leverage out of position/list."""
    indices: set[int] = set()
    leverage = ""
    for row in rows:
        if not isinstance(row, dict):
            raise RemoteProtocolError(f"position is not an object: {str(row)[:80]!r}")
        indices.add(fields.whole(row, "positionIdx"))
        leverage = str(row.get("leverage") or leverage)
    if not indices:
        raise RemoteProtocolError("no position row of the symbol")
    return frozenset(indices), _printable(leverage, "leverage")


def _expiry_s(value: object) -> int | None:
    """Read when a key ends; absent or year 1 means never."""
    if value in (None, ""):
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise RemoteProtocolError(f"expiredAt is {str(value)[:40]!r}") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return None if at.year == 1 else int(at.timestamp())


def _printable(text: str, key: str) -> str:
    """Refuse a text that could not be written down, wherever in an answer it stands."""
    return fields.text({key: text}, key)
