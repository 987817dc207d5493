"""Whether an account may be traded with a key: the premises of a start, judged from what the venue says.

Pure: what was read goes in, findings come out. With real money every doubt refuses; elsewhere only what could not work
anyway does, and the rest is a warning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from executor.domain.finding import Finding, Verdict, fine
from executor.domain.orders import Category
from executor.venues.bybit.account_rows import (
    HEDGE,
    ONE_WAY,
    UNIFIED,
    AccountFacts,
    AccountSettings,
    KeyFacts,
)

CLOCK_ERROR_MS_MAX: Final = 500
EXPIRY_WARN_S: Final = 7 * 86_400
EXPIRY_REFUSE_S: Final = 86_400
_DAY_S: Final = 86_400
_MODE_NAMES: Final = {ONE_WAY: "one-way", HEDGE: "hedge"}
_KEY_PAGE: Final = "at the venue's API management page"
_MONEY_WORDS: Final = ("withdraw", "transfer")
_TRADING: Final = {"contracts": ("ContractTrade", "Order"), "spot": ("Spot", "SpotTrade")}

CHECKS: Final = {
    "account": "the key belongs to the account that this data directory has always traded",
    "key permissions": "the key may trade; with real money it may not move money out of the account",
    "key address": "the key is bound to an IP address",
    "key expiry": "the key does not end within a week, with real money not within a day",
    "unified account": "the account is a unified one; its margin mode is shown",
    "position mode": "one-way or hedge, as `venue.position_mode` says",
    "clock": f"this machine's clock and the venue's differ by {CLOCK_ERROR_MS_MAX} ms at most",
}
"""The checks of this module, in the order in which they are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the operator decided about the account.

    Parameters
    ----------
    strict
        Whether real money is at stake.
    category
        The product family that will be traded; None when that is not known yet.
    position_indices
        {0} for one-way mode, {1, 2} for hedge mode.
    allow_unbound_key
        Whether a key that works from every address is accepted.
    user_id
        The venue's number of the account traded so far; None on the first start.
    """

    strict: bool
    category: Category | None
    position_indices: frozenset[int]
    allow_unbound_key: bool
    user_id: str | None


def judge(facts: AccountFacts, wanted: Wanted, now_s: int) -> list[Finding]:
    """Judge everything that was read of an account.

    Parameters
    ----------
    now_s
        The instant, UTC, seconds since 1970.
    """
    findings: list[Finding] = []
    if isinstance(facts.key, str):
        findings.append(_unreadable("key permissions", "KEY_UNREADABLE", facts.key, wanted))
    else:
        findings += [_owner(facts.key, wanted), *_permissions(facts.key, wanted), _address(facts.key, wanted)]
        findings.append(_expiry(facts.key, wanted, now_s))
    if isinstance(facts.settings, str):
        findings.append(_unreadable("unified account", "ACCOUNT_UNREADABLE", facts.settings, wanted))
    else:
        findings.append(_unified(facts.settings))
    if isinstance(facts.position_indices, str):
        findings.append(
            _unreadable("position mode", "POSITION_MODE_UNREADABLE", facts.position_indices, wanted)
        )
    elif facts.position_indices is not None:
        findings.append(_position_mode(facts.position_indices, wanted))
    return findings


def judge_clock(error_ms: int | None, *, strict: bool) -> Finding:
    """Judge the venue's clock minus ours, milliseconds; None if it could not be measured."""
    if error_ms is not None and abs(error_ms) <= CLOCK_ERROR_MS_MAX:
        return fine("clock", f"the venue's clock minus ours is {error_ms} ms")
    return Finding(
        check="clock",
        verdict=_severity(refuse=strict),
        code="CLOCK_OFFSET",
        found="the clocks could not be compared"
        if error_ms is None
        else f"the venue's clock minus ours is {error_ms} ms",
        allowed=f"{CLOCK_ERROR_MS_MAX} ms either way",
        next_step="set this machine's clock (NTP) and try again",
    )


def _owner(key: KeyFacts, wanted: Wanted) -> Finding:
    if wanted.user_id in (None, key.user_id):
        return fine("account", f"account {key.user_id}")
    return Finding(
        check="account",
        verdict=Verdict.FAIL,
        code="KEY_OTHER_ACCOUNT",
        found=f"the key opens account {key.user_id}",
        allowed=f"account {wanted.user_id}, which this data directory has traded",
        next_step="give the key of that account, or another executor.data_dir for this one",
    )


def _permissions(key: KeyFacts, wanted: Wanted) -> Iterator[Finding]:
    shown = ", ".join(
        f"{group}: {' '.join(sorted(words))}" for group, words in sorted(key.permissions.items())
    )
    bad = list(_bad_permissions(key, wanted))
    yield from bad
    if not bad:
        yield fine("key permissions", shown)


def _bad_permissions(key: KeyFacts, wanted: Wanted) -> Iterator[Finding]:
    if key.read_only:
        yield Finding(
            check="key permissions",
            verdict=Verdict.FAIL,
            code="KEY_READ_ONLY",
            found="the key may only read",
            allowed="a key that may read and write",
            next_step=f"make a key with read-write access {_KEY_PAGE}",
        )
    missing = [
        name
        for name, (group, word) in _TRADING.items()
        if word not in key.permissions.get(group, frozenset())
    ]
    needed = {None: None, Category.SPOT: "spot"}.get(wanted.category, "contracts")
    if missing:
        cannot_work = len(missing) == len(_TRADING) if needed is None else needed in missing
        if needed is None or needed in missing:
            yield Finding(
                check="key permissions",
                verdict=_severity(refuse=cannot_work),
                code="KEY_NO_TRADE",
                found=f"the key may not trade {' or '.join(missing)}",
                allowed="the permission to trade what is to be traded (Unified Trading: Contract - Orders, SPOT)",
                next_step=f"allow it {_KEY_PAGE}",
            )
    money = sorted(
        f"{group}: {word}"
        for group, words in key.permissions.items()
        for word in words
        if group == "Wallet" or any(part in word.lower() for part in _MONEY_WORDS)
    )
    if money:
        yield Finding(
            check="key permissions",
            verdict=_severity(refuse=wanted.strict),
            code="KEY_MOVES_MONEY",
            found=f"the key may move money out of the account ({', '.join(money)})",
            allowed="a key that can trade and nothing else",
            next_step=f"take the Assets permissions away {_KEY_PAGE}",
        )


def _address(key: KeyFacts, wanted: Wanted) -> Finding:
    if key.addresses:
        return fine("key address", f"bound to {', '.join(key.addresses)}")
    if wanted.allow_unbound_key and not wanted.strict:
        return fine("key address", "works from every address, which venue.allow_unbound_key allows")
    return Finding(
        check="key address",
        verdict=_severity(refuse=wanted.strict and not wanted.allow_unbound_key),
        code="KEY_UNBOUND",
        found="the key works from every address",
        allowed="a key bound to this machine's address, or venue.allow_unbound_key = true",
        next_step=f"bind the key to this machine's address {_KEY_PAGE}",
    )


def _expiry(key: KeyFacts, wanted: Wanted, now_s: int) -> Finding:
    if key.expires_s is None:
        return fine("key expiry", "never ends")
    left_s = key.expires_s - now_s
    if left_s >= EXPIRY_WARN_S:
        return fine("key expiry", f"ends in {left_s // _DAY_S} days")
    ended = left_s <= 0
    return Finding(
        check="key expiry",
        verdict=_severity(refuse=ended or (wanted.strict and left_s < EXPIRY_REFUSE_S)),
        code="KEY_EXPIRES",
        found="the key has ended" if ended else f"the key ends in {left_s // 3600} hours",
        allowed="7 days or more; with real money at least one",
        next_step=f"make a new key, or bind this one to an address so that it does not end, {_KEY_PAGE}",
    )


def _unified(settings: AccountSettings) -> Finding:
    if settings.unified_status in UNIFIED:
        return fine("unified account", f"unified (status {settings.unified_status}), {settings.margin_mode}")
    return Finding(
        check="unified account",
        verdict=Verdict.FAIL,
        code="ACCOUNT_NOT_UNIFIED",
        found=f"an account of status {settings.unified_status}, {settings.margin_mode}",
        allowed="a Unified Trading Account",
        next_step="upgrade the account at the venue, or use a sub-account that is unified",
    )


def _position_mode(indices: frozenset[int], wanted: Wanted) -> Finding:
    found = _MODE_NAMES.get(indices, f"a mode with the position indices {sorted(indices)}")
    if indices == wanted.position_indices:
        return fine("position mode", found)
    return Finding(
        check="position mode",
        verdict=Verdict.FAIL,
        code="POSITION_MODE",
        found=f"the account is in {found} mode",
        allowed=f"{_MODE_NAMES[wanted.position_indices]}, as venue.position_mode says",
        next_step="correct venue.position_mode, or `executor doctor --set-position-mode` when nothing is open",
    )


def _unreadable(check: str, code: str, why: str, wanted: Wanted) -> Finding:
    return Finding(
        check=check,
        verdict=_severity(refuse=wanted.strict),
        code=code,
        found=f"could not be read: {why}",
        allowed="an answer of the venue",
        next_step="check the key (one of the main net opens neither testnet nor demo), the network and the venue's"
        " status page, then try again",
    )


def _severity(*, refuse: bool) -> Verdict:
    return Verdict.FAIL if refuse else Verdict.WARN
