"""The premises of a start: each forbidden fact refuses with real money, what cannot work refuses everywhere."""

from dataclasses import replace

import pytest

from executor.domain.finding import Verdict
from executor.domain.orders import Category
from executor.venues.bybit.account_checks import CHECKS, CLOCK_ERROR_MS_MAX, Wanted, judge, judge_clock
from executor.venues.bybit.account_rows import HEDGE, ONE_WAY, AccountFacts, AccountSettings, KeyFacts

NOW_S = 1_760_000_000
DAY_S = 86_400
TRADE = {"ContractTrade": frozenset({"Order", "Position"}), "Spot": frozenset({"SpotTrade"})}
KEY = KeyFacts(
    user_id="7",
    read_only=False,
    permissions=TRADE,
    addresses=("203.0.113.7",),
    expires_s=NOW_S + 90 * DAY_S,
)
FACTS = AccountFacts(
    key=KEY,
    settings=AccountSettings(margin_mode="REGULAR_MARGIN", unified_status=6),
    position_indices=ONE_WAY,
)
REAL = Wanted(strict=True, category=None, position_indices=ONE_WAY, allow_unbound_key=False, user_id="7")
PLAY = replace(REAL, strict=False)


def verdicts(wanted, *, facts=FACTS, now_s=NOW_S, **key):
    """Code and verdict of everything that is not well."""
    if key:
        facts = replace(facts, key=replace(KEY, **key))
    return {
        finding.code: finding.verdict
        for finding in judge(facts, wanted, now_s)
        if finding.verdict is not Verdict.OK
    }


def test_a_good_account_is_told_in_full_and_nothing_is_wrong():
    findings = judge(FACTS, REAL, NOW_S)
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert [finding.check for finding in findings] == [name for name in CHECKS if name != "clock"]
    assert "REGULAR_MARGIN" in " ".join(finding.found for finding in findings)


BOTH, REAL_ONLY = (Verdict.FAIL, Verdict.FAIL), (Verdict.FAIL, Verdict.WARN)


@pytest.mark.parametrize(
    ("key", "code", "real_and_play"),
    [
        ({"read_only": True}, "KEY_READ_ONLY", BOTH),
        ({"user_id": "8"}, "KEY_OTHER_ACCOUNT", BOTH),
        ({"permissions": {}}, "KEY_NO_TRADE", BOTH),
        ({"permissions": {"ContractTrade": frozenset({"Position"})}}, "KEY_NO_TRADE", BOTH),
        ({"permissions": {**TRADE, "Wallet": frozenset({"Withdraw"})}}, "KEY_MOVES_MONEY", REAL_ONLY),
        ({"permissions": {**TRADE, "Wallet": frozenset({"AccountTransfer"})}}, "KEY_MOVES_MONEY", REAL_ONLY),
        (
            {"permissions": {**TRADE, "Wallet": frozenset({"SubMemberTransfer"})}},
            "KEY_MOVES_MONEY",
            REAL_ONLY,
        ),
        ({"permissions": {**TRADE, "Wallet": frozenset({"SomethingNew"})}}, "KEY_MOVES_MONEY", REAL_ONLY),
        ({"permissions": {**TRADE, "Other": frozenset({"FastWithdrawal"})}}, "KEY_MOVES_MONEY", REAL_ONLY),
        ({"addresses": ()}, "KEY_UNBOUND", REAL_ONLY),
        ({"expires_s": NOW_S + DAY_S - 1}, "KEY_EXPIRES", REAL_ONLY),
        ({"expires_s": NOW_S}, "KEY_EXPIRES", BOTH),
        ({"expires_s": NOW_S - 5 * DAY_S}, "KEY_EXPIRES", BOTH),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_key(key, code, real_and_play):
    assert verdicts(REAL, **key) == {code: real_and_play[0]}
    assert verdicts(PLAY, **key) == {code: real_and_play[1]}


@pytest.mark.parametrize(
    ("left_s", "expected"),
    [(DAY_S, Verdict.WARN), (7 * DAY_S - 1, Verdict.WARN), (7 * DAY_S, None), (None, None)],
)
def test_a_key_that_ends_soon_is_a_warning(left_s, expected):
    expires_s = None if left_s is None else NOW_S + left_s
    said = verdicts(REAL, expires_s=expires_s)
    assert said == ({} if expected is None else {"KEY_EXPIRES": expected})


def test_an_unbound_key_can_be_waived_and_stays_visible_with_real_money():
    assert verdicts(replace(REAL, allow_unbound_key=True), addresses=()) == {"KEY_UNBOUND": Verdict.WARN}
    assert verdicts(replace(PLAY, allow_unbound_key=True), addresses=()) == {}


@pytest.mark.parametrize(
    ("group", "category", "expected"),
    [
        ("ContractTrade", None, Verdict.WARN),
        ("ContractTrade", Category.LINEAR, None),
        ("ContractTrade", Category.INVERSE, None),
        ("ContractTrade", Category.SPOT, Verdict.FAIL),
        ("Spot", None, Verdict.WARN),
        ("Spot", Category.SPOT, None),
        ("Spot", Category.LINEAR, Verdict.FAIL),
        ("Spot", Category.INVERSE, Verdict.FAIL),
    ],
)
def test_the_permission_goes_by_what_will_be_traded(group, category, expected):
    said = verdicts(replace(PLAY, category=category), permissions={group: TRADE[group]})
    assert said == ({} if expected is None else {"KEY_NO_TRADE": expected})


@pytest.mark.parametrize("wanted", [REAL, PLAY])
@pytest.mark.parametrize(
    ("in_force", "configured", "fits"),
    [
        (ONE_WAY, ONE_WAY, True),
        (HEDGE, HEDGE, True),
        (ONE_WAY, HEDGE, False),
        (HEDGE, ONE_WAY, False),
        (frozenset({1}), HEDGE, False),
        (frozenset({0, 1, 2}), HEDGE, False),
    ],
)
def test_78_the_position_mode_is_the_configured_one_everywhere(wanted, in_force, configured, fits):
    facts = replace(FACTS, position_indices=in_force)
    said = verdicts(replace(wanted, position_indices=configured), facts=facts)
    assert said == ({} if fits else {"POSITION_MODE": Verdict.FAIL})


@pytest.mark.parametrize("wanted", [REAL, PLAY])
@pytest.mark.parametrize(
    ("status", "unified"),
    [(0, False), (1, False), (2, False), (3, True), (4, True), (5, True), (6, True), (7, False)],
)
def test_only_a_unified_account_is_traded(wanted, status, unified):
    facts = replace(FACTS, settings=AccountSettings(margin_mode="X", unified_status=status))
    assert verdicts(wanted, facts=facts) == ({} if unified else {"ACCOUNT_NOT_UNIFIED": Verdict.FAIL})


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("key", "KEY_UNREADABLE"),
        ("settings", "ACCOUNT_UNREADABLE"),
        ("position_indices", "POSITION_MODE_UNREADABLE"),
    ],
)
def test_what_could_not_be_read_refuses_with_real_money_only(part, code):
    facts = replace(FACTS, **{part: "no answer in time"})
    assert verdicts(REAL, facts=facts) == {code: Verdict.FAIL}
    assert verdicts(PLAY, facts=facts) == {code: Verdict.WARN}


def test_spot_has_no_position_mode_and_the_first_start_no_account():
    facts = replace(FACTS, position_indices=None)
    assert verdicts(REAL, facts=facts) == {}
    assert verdicts(replace(REAL, user_id=None), user_id="8") == {}


def test_everything_that_is_wrong_is_told_at_once_with_a_next_step():
    facts = AccountFacts(
        key=replace(
            KEY,
            user_id="8",
            read_only=True,
            permissions={"Wallet": frozenset({"Withdraw"})},
            addresses=(),
            expires_s=NOW_S,
        ),
        settings=AccountSettings(margin_mode="X", unified_status=1),
        position_indices=HEDGE,
    )
    findings = judge(facts, REAL, NOW_S)
    assert len(findings) == 8
    for finding in findings:
        assert finding.verdict is Verdict.FAIL
        assert finding.code in finding.line()
        assert finding.next_step in finding.line()
        assert all(finding.record().values())


@pytest.mark.parametrize("error_ms", [0, CLOCK_ERROR_MS_MAX, -CLOCK_ERROR_MS_MAX])
def test_clocks_that_agree(error_ms):
    assert judge_clock(error_ms, strict=True).verdict is Verdict.OK


@pytest.mark.parametrize("error_ms", [CLOCK_ERROR_MS_MAX + 1, -CLOCK_ERROR_MS_MAX - 1, None])
def test_clocks_that_do_not_agree_or_were_not_compared(error_ms):
    assert judge_clock(error_ms, strict=True).verdict is Verdict.FAIL
    assert judge_clock(error_ms, strict=False).verdict is Verdict.WARN
