"""How we stand with the venue, by a clock that stands still: what each answer costs us, and for how long."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.errors import TransportError
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.venues.bybit.answers import read_answer
from executor.venues.bybit.limiter import Limiter
from executor.venues.bybit.order_bytes import Act
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.standing import AUTH_PAUSE_S, BAN_S, Standing

T0_MS = 1_700_000_000_000
LINEAR = Category.LINEAR


class StoppedClock:
    def __init__(self):
        self.at_ns = T0_MS * NS_PER_MS

    def now_ns(self):
        return self.at_ns


@pytest.fixture
def clock():
    return StoppedClock()


@pytest.fixture
def standing(clock):
    return Standing(Limiter(), clock, ServerTime(clock), lambda *_, **__: None)


def answer(code, text="", remaining=None, reset_ms=None):
    limits = {}
    if remaining is not None:
        limits = {
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": str(remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
        }
    return read_answer({"retCode": code, "retMsg": text}, "result", limits)


def said(standing):
    return [type(event).__name__ for event in standing._untold]


def test_10006_holds_until_the_instant_that_the_venue_named(standing, clock):
    standing.on_answer(Act.CREATE, LINEAR, answer(10006, remaining=0, reset_ms=T0_MS + 300))
    clock.at_ns += 1_200 * NS_PER_MS  # the count has run out, a later reset has not
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == 0
    standing.on_answer(Act.CREATE, LINEAR, answer(10006, remaining=0, reset_ms=T0_MS + 1_200 + 5_000))
    clock.at_ns += 1_200 * NS_PER_MS
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == pytest.approx(3.8)
    assert standing.order_wait_s(Act.CANCEL, LINEAR, http=True) == 0
    clock.at_ns += 3_800 * NS_PER_MS
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == 0
    assert standing.why_not_open() == ""


def test_10006_without_a_readable_reset_holds_for_a_second(standing, clock):
    standing.on_answer(Act.CREATE, LINEAR, answer(10006))
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == 1.0
    clock.at_ns += NS_PER_S
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == 0


@pytest.mark.parametrize(
    ("reset_ms", "held_ms"), [(T0_MS + 700, 700), (None, 1_000), (T0_MS + 10**9, 60_000), (T0_MS - 5, 0)]
)
async def test_73_questions_are_held_back_until_the_instant_that_the_venue_named(
    standing, clock, reset_ms, held_ms
):
    standing.on_query_limit(reset_ms)
    assert standing.order_wait_s(Act.CANCEL, LINEAR, http=True) == 0
    assert standing.order_wait_s(Act.CREATE, LINEAR, http=True) == 0
    assert standing.why_not_open() == ""
    if held_ms:
        clock.at_ns += held_ms * NS_PER_MS - 1
        assert standing._limiter.take_query(clock.at_ns) == 1
        standing.on_query_limit(T0_MS + 1)  # an answer that was on its way shortens nothing
        assert standing._limiter.take_query(clock.at_ns) == 1
        clock.at_ns += 1
    async with asyncio.timeout(1):
        await standing.admit_query()


async def test_73_a_question_waits_for_a_reset_that_is_near_and_fails_before_one_that_is_far(standing, clock):
    standing.on_query_limit(T0_MS + 10_001)
    with pytest.raises(TransportError, match="no room"):
        await standing.admit_query()
    clock.at_ns += 9_950 * NS_PER_MS
    waiting = asyncio.create_task(standing.admit_query())
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.at_ns += 51 * NS_PER_MS
    async with asyncio.timeout(1):
        await waiting


@pytest.mark.parametrize(("code", "quiet"), [(10429, True), (429, True), (20003, True), (10016, False)])
async def test_an_overloaded_venue_is_not_asked_either_a_restarting_one_is(standing, clock, code, quiet):
    standing.on_code(code, "busy")
    assert "pause" in standing.why_not_open()
    if quiet:
        with pytest.raises(TransportError, match="overloaded"):
            await standing.admit_query()
    else:
        async with asyncio.timeout(1):
            await standing.admit_query()
    clock.at_ns += 2 * NS_PER_S
    assert standing.why_not_open() == ""
    await standing.admit_query()
    assert said(standing) == ["VenueRestricted"]


@pytest.mark.parametrize("begun", ["a clock jump", "a restart"])
async def test_an_overload_inside_another_pause_keeps_us_from_asking(standing, clock, begun):
    if begun == "a clock jump":
        standing.on_clock_jump(800)
    else:
        standing.on_code(10016, "restarting")
    async with asyncio.timeout(1):
        await standing.admit_query()
    clock.at_ns += 1_900 * NS_PER_MS
    standing.on_http_status(429, "busy")
    with pytest.raises(TransportError, match="overloaded"):
        await standing.admit_query()
    clock.at_ns += 1_999 * NS_PER_MS
    with pytest.raises(TransportError, match="overloaded"):
        await standing.admit_query()
    clock.at_ns += 1_200 * NS_PER_MS
    await standing.admit_query()
    assert standing.why_not_open() == ""


@pytest.mark.parametrize("after", ["a clock jump", "a restart", "an overload"])
async def test_no_pause_ends_before_a_longer_one_under_way(standing, clock, after):
    for _ in range(5):  # 2, 4, 8, 16 and 32 s
        standing.on_code(10429, "busy")
        before = standing.why_not_open()
        clock.at_ns = max(clock.at_ns, standing._busy_until_ns)
    clock.at_ns -= 20 * NS_PER_S
    if after == "a clock jump":
        standing.on_clock_jump(800)
        assert standing._untold[-1].until_ns == clock.at_ns + 20 * NS_PER_S
    else:
        standing.on_code(10016 if after == "a restart" else 10429, "busy")
    assert standing.why_not_open() == before
    clock.at_ns += 20 * NS_PER_S - 1
    assert standing.why_not_open() == before
    with pytest.raises(TransportError, match="overloaded"):
        await standing.admit_query()
    clock.at_ns += 1
    assert standing.why_not_open() == ""
    await standing.admit_query()


async def test_an_overload_inside_a_long_pause_keeps_us_from_asking_until_its_end(standing, clock):
    for _ in range(5):  # 2, 4, 8, 16 and 32 s
        standing.on_code(10016, "restarting")
        clock.at_ns = max(clock.at_ns, standing._busy_until_ns)
    clock.at_ns -= 20 * NS_PER_S
    standing.on_http_status(429, "busy")
    clock.at_ns += 20 * NS_PER_S - 1
    with pytest.raises(TransportError, match="overloaded"):
        await standing.admit_query()
    clock.at_ns += 1
    await standing.admit_query()


HEARD = (
    lambda standing: standing.on_code(10016, "restarting"),
    lambda standing: standing.on_code(10429, "busy"),
    lambda standing: standing.on_http_status(429, "busy"),
    lambda standing: standing.on_http_status(403, ""),
    lambda standing: standing.on_clock_jump(800),
    lambda standing: standing.on_query_limit(T0_MS + 3_000),
    lambda standing: standing.on_query_limit(None),
    lambda standing: standing.on_code(0, ""),
)


@given(st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from(range(len(HEARD)))), max_size=30))
def test_nothing_that_we_hear_ever_shortens_a_pause(heard):
    clock = StoppedClock()
    standing = Standing(Limiter(), clock, ServerTime(clock), lambda *_, **__: None)
    before = (0, 0, 0, 0)
    for wait_ms, number in heard:
        clock.at_ns += wait_ms * NS_PER_MS
        HEARD[number](standing)
        after = (
            standing._banned_until_ns,
            standing._busy_until_ns,
            standing._quiet_until_ns,
            standing._limiter._queries_paused_until_ns,
        )
        assert all(late >= early for late, early in zip(after, before, strict=True))
        before = after


@pytest.mark.parametrize("how", ["403", "10018", "418 with the text"])
async def test_a_ban_lasts_more_than_ten_minutes_and_not_for_ever(standing, clock, how):
    if how == "403":
        standing.on_http_status(403, "")
    elif how == "10018":
        standing.on_code(10018, "ip limit")
    else:
        standing.on_http_status(418, "Access too frequent, please try again in 5 minutes")
    assert standing.is_banned
    clock.at_ns += 600 * NS_PER_S
    assert standing.is_banned
    with pytest.raises(TransportError, match="bars our address"):
        await standing.admit_query()
    clock.at_ns += int((BAN_S - 600) * NS_PER_S)
    assert not standing.is_banned
    await standing.admit_query()
    assert said(standing) == ["VenueRestricted"]


@pytest.mark.parametrize("proved", ["a cancel", "a question"])
async def test_a_refused_key_is_told_once_and_asked_about_seldom(standing, clock, proved):
    for _ in range(20):
        standing.on_code(10003, "API key is invalid.")
        with pytest.raises(TransportError, match="refused our key"):
            await standing.admit_query()
        clock.at_ns += int(AUTH_PAUSE_S * NS_PER_S)
        await standing.admit_query()
    assert said(standing) == ["HaltRequested"]
    if proved == "a cancel":
        standing.on_answer(Act.CANCEL, LINEAR, answer(0))
    else:
        standing.on_code(0, "")
    await standing.admit_query()
    standing.on_code(33004, "Your api key has expired.")
    assert said(standing) == ["HaltRequested"] * 2


def test_the_clock_is_looked_at_once_however_many_answers_doubt_it(standing, clock):
    standing.on_code(10002, "invalid request")
    assert standing.clock_doubted.is_set()
    standing.clock_doubted.clear()
    standing.on_code(10002, "invalid request")
    assert not standing.clock_doubted.is_set()
    clock.at_ns += NS_PER_S
    standing.on_code(10002, "invalid request")
    assert standing.clock_doubted.is_set()
