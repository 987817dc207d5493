"""Codes are good once and for a while; sessions end when nobody uses them; neither is kept as it is."""

import pytest

from executor.interfaces.board_access import (
    CODE_S_MAX,
    CODES_MAX,
    IDLE_S_MAX,
    SESSIONS_MAX,
    BoardAccess,
    Scope,
)


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(clock):
    return BoardAccess(clock)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_code_is_good_once_and_gives_a_session_of_its_scope(access, scope):
    code = access.new_code(scope)
    token, got = access.redeem(code)
    assert got is scope
    assert access.scope_of(token) is scope
    assert access.redeem(code) is None
    assert access.scope_of(code) is None, "a code is no token"
    assert len({code, token}) == 2
    assert min(len(code), len(token)) >= 43, "256 bits"


def test_a_code_that_waited_too_long_is_refused(access, clock):
    code = access.new_code(Scope.READ)
    clock.now_s += CODE_S_MAX + 1
    assert access.redeem(code) is None


def test_a_session_lives_as_long_as_it_is_used(access, clock):
    token, _ = access.redeem(access.new_code(Scope.READ))
    for _ in range(3):
        clock.now_s += IDLE_S_MAX - 1
        assert access.scope_of(token) is Scope.READ
    clock.now_s += IDLE_S_MAX + 1
    assert access.scope_of(token) is None


def test_a_session_can_be_left(access):
    token, _ = access.redeem(access.new_code(Scope.OPERATE))
    access.end(token)
    assert access.scope_of(token) is None
    access.end("never known")


def test_of_too_many_codes_the_oldest_goes(access):
    first, *rest = [access.new_code(Scope.READ) for _ in range(CODES_MAX + 1)]
    assert access.redeem(first) is None
    assert all(access.redeem(code) for code in rest)


def test_of_too_many_sessions_the_one_that_was_unused_longest_goes(access, clock):
    operating, _ = access.redeem(access.new_code(Scope.OPERATE))
    others = []
    for _ in range(2 * SESSIONS_MAX):
        clock.now_s += 1
        assert access.scope_of(operating) is Scope.OPERATE, (
            "whoever looks every second is not shut out by others"
        )
        others.append(access.redeem(access.new_code(Scope.READ))[0])
    left = [token for token in others if access.scope_of(token) is Scope.READ]
    assert left == others[-(SESSIONS_MAX - 1) :]


@pytest.mark.parametrize("wrong", ["", "x", "\udcff", "0" * 10_000])
def test_nothing_wrong_opens(access, wrong):
    access.new_code(Scope.OPERATE)
    assert access.redeem(wrong) is None
    assert access.scope_of(wrong) is None


def test_no_secret_is_kept(access):
    code = access.new_code(Scope.OPERATE)
    token, _ = access.redeem(access.new_code(Scope.OPERATE))
    kept = repr(vars(access))
    assert code not in kept
    assert token not in kept
