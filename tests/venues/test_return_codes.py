"""A closed world: what a code proves is written down, and every other code proves nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.venues.bybit.return_codes import (
    AmendOutcome,
    CreateOutcome,
    cancel_found_nothing,
    doubts_rules,
    is_busy,
    judge_amend,
    judge_create,
)

REJECTED = """10001 10002 10006 10017 429 10403 10429 20003
110003 110004 110006 110007 110012 110017 110020 110021 110022 110023 110044 110045 110051 110052 110053 110066
110074 110090 110094 110120 110121 170117 170121 170124 170130 170131 170132 170133 170134 170135 170136 170137
170140 170193 170194 170210"""
FATAL = "-2015 33004 10003 10004 10005 10007 10009 10010 10024 10027 10028 10029"
UNKNOWN = """10000 10016 10019 10014 20006 110072 170141 110079 40004 170001 170007 170032 170035 170146 170149
170234 110001 110008 110010 170139 170142 170143 170190 170213 500000 999999 -1 1 403 502"""
GONE = "110001 110008 110010 170139 170142 170143 170190 170213"


def codes(text):
    return {int(word) for word in text.split()}


def test_zero_alone_is_accepted():
    assert judge_create(0) is CreateOutcome.ACCEPTED
    assert not cancel_found_nothing(0)


def test_the_listed_codes():
    assert {judge_create(code) for code in codes(REJECTED)} == {CreateOutcome.REJECTED}
    assert {judge_create(code) for code in codes(FATAL)} == {CreateOutcome.FATAL}
    assert {judge_create(code) for code in codes(UNKNOWN)} == {CreateOutcome.UNKNOWN}
    assert all(cancel_found_nothing(code) for code in codes(GONE))


def test_every_other_number_proves_nothing():
    listed = codes(REJECTED) | codes(FATAL) | {0}
    for code in range(-3_000, 250_000):
        assert (judge_create(code) is CreateOutcome.UNKNOWN) == (code not in listed)
        assert cancel_found_nothing(code) == (code in codes_gone)


@given(code=st.integers())
def test_whatever_the_number(code):
    listed = codes(REJECTED) | codes(FATAL) | {0}
    assert (judge_create(code) is CreateOutcome.UNKNOWN) == (code not in listed)


codes_gone = codes(GONE)


def test_a_position_mode_that_differs_would_refuse_every_order():
    assert judge_create(10001, "position idx not match position mode") is CreateOutcome.FATAL
    assert judge_create(10001, "Qty invalid") is CreateOutcome.REJECTED
    assert judge_create(10016, "position idx not match position mode") is CreateOutcome.UNKNOWN


BELOW_FILLED = {110064, 170313}


def test_an_amend_is_refused_by_listed_codes_and_gone_by_others():
    refused = codes(REJECTED) | codes(FATAL) | BELOW_FILLED
    assert judge_amend(0) is AmendOutcome.ACCEPTED
    for code in range(-3_000, 250_000):
        expected = AmendOutcome.UNKNOWN
        if code == 0:
            expected = AmendOutcome.ACCEPTED
        elif code in codes_gone:
            expected = AmendOutcome.GONE
        elif code in refused:
            expected = AmendOutcome.REJECTED
        assert judge_amend(code) is expected, code


@pytest.mark.parametrize(
    ("code", "text"), [(10001, "order not modified"), (34040, "not modified"), (34039, "")]
)
def test_terms_that_hold_already_are_read_not_believed(code, text):
    assert judge_amend(code, text) is AmendOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "text", "doubted"),
    [
        (110074, "This contract is not live", True),
        (10001, "Qty invalid", True),
        (10001, "The number of contracts exceeds minimum limit allowed", True),
        (10001, "position idx not match position mode", False),
        (170134, "Order price has too many decimals.", True),
        (110007, "ab not enough for new order", False),
        (0, "Qty invalid", False),
    ],
)
def test_refusals_that_say_our_rules_are_old(code, text, doubted):
    assert doubts_rules(code, text) is doubted


def test_a_busy_venue_asks_for_a_pause():
    assert {code for code in range(-3_000, 250_000) if is_busy(code)} == {429, 10016, 10403, 10429, 20003}
