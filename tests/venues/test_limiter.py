"""The request budgets: never more than the venue allows, and always room for a cancel."""

from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.venues.bybit.limiter import (
    ADDRESS_REQUESTS_MAX,
    ADDRESS_WINDOW_NS,
    OTHERS_REQUESTS,
    PAUSE_NS_MAX,
    Allowance,
    Lane,
    Limiter,
)
from executor.venues.bybit.order_bytes import Act

T0 = 1_700_000_000 * NS_PER_S


def takes(limiter, act, count, *, at_ns=T0, category=Category.LINEAR, http=True):
    return [limiter.order_wait_ns(act, category, at_ns, http=http) for _ in range(count)]


def test_ten_creates_a_second_and_then_a_wait_that_is_long_enough():
    limiter = Limiter()
    *first, wait_ns = takes(limiter, Act.CREATE, 11)
    assert first == [0] * 10
    assert NS_PER_S <= wait_ns <= NS_PER_S + 200 * NS_PER_MS
    assert takes(limiter, Act.CREATE, 1, at_ns=T0 + wait_ns - 1) != [0]
    assert takes(limiter, Act.CREATE, 1, at_ns=T0 + wait_ns) == [0]


def test_each_kind_and_product_group_has_its_own_allowance():
    limiter = Limiter()
    assert takes(limiter, Act.CREATE, 10) == [0] * 10
    assert takes(limiter, Act.AMEND, 10) == [0] * 10
    assert takes(limiter, Act.CANCEL, 10) == [0] * 10
    assert takes(limiter, Act.CREATE, 20, category=Category.SPOT) == [0] * 20
    assert all(takes(limiter, Act.CREATE, 1, category=Category.INVERSE))
    assert all(takes(limiter, Act.CREATE, 1, category=Category.SPOT))


def test_the_venues_own_figures_are_taken_over():
    limiter = Limiter()
    limiter.learn(Act.CREATE, Category.LINEAR, Allowance(limit=3, remaining=3, reset_ms=0), T0)
    *first, wait_ns = takes(limiter, Act.CREATE, 4)
    assert first == [0] * 3
    assert wait_ns > 0


def test_what_others_use_of_the_same_account_counts():
    limiter = Limiter()
    assert takes(limiter, Act.CREATE, 1) == [0]
    limiter.learn(Act.CREATE, Category.LINEAR, Allowance(limit=10, remaining=2, reset_ms=0), T0)
    assert [wait == 0 for wait in takes(limiter, Act.CREATE, 3)] == [True, True, False]


def test_nonsense_in_the_figures_never_opens_or_closes_the_door_for_good():
    limiter = Limiter()
    for limit, remaining in ((0, 10**9), (10**9, 0), (0, 0)):
        limiter.learn(
            Act.CREATE, Category.LINEAR, Allowance(limit=limit, remaining=remaining, reset_ms=0), T0
        )
    assert takes(limiter, Act.CREATE, 1, at_ns=T0 + 2 * NS_PER_S) == [0]


def test_a_pause_holds_and_ends_and_is_never_longer_than_a_minute():
    limiter = Limiter()
    limiter.pause(Act.CREATE, Category.LINEAR, T0 + 300 * NS_PER_MS, T0)
    assert takes(limiter, Act.CREATE, 1) == [300 * NS_PER_MS]
    assert takes(limiter, Act.CANCEL, 1) == [0]
    assert takes(limiter, Act.CREATE, 1, at_ns=T0 + 300 * NS_PER_MS) == [0]
    limiter.pause(Act.CREATE, Category.LINEAR, T0 + 10**18, T0)
    assert takes(limiter, Act.CREATE, 1, at_ns=T0 + PAUSE_NS_MAX) == [0]


def test_queries_leave_room_for_orders_and_orders_for_cancels():
    limiter = Limiter()
    generous = Allowance(limit=1_000, remaining=1_000, reset_ms=0)
    for act in Act:
        limiter.learn(act, Category.LINEAR, generous, T0)
    queries = sum(limiter.take_query(T0) == 0 for _ in range(1_000))
    creates = takes(limiter, Act.CREATE, 900).count(0)
    amends = takes(limiter, Act.AMEND, 900).count(0)
    cancels = takes(limiter, Act.CANCEL, 900).count(0)
    assert (queries, creates, amends) == (Lane.QUERY, Lane.ORDER - Lane.QUERY, 0)
    assert cancels == Lane.CANCEL - Lane.ORDER > 0
    assert (queries + creates + cancels + OTHERS_REQUESTS) == ADDRESS_REQUESTS_MAX == 600
    assert limiter.take_query(T0 + ADDRESS_WINDOW_NS) == 0


def test_the_socket_is_free_of_the_budget_of_the_address():
    limiter = Limiter()
    for _ in range(Lane.CANCEL):
        limiter.take_query(T0)
    takes(limiter, Act.CANCEL, 10)
    assert takes(limiter, Act.CREATE, 1, http=False) == [0]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["query", *Act]), st.integers(0, 60 * NS_PER_MS)), min_size=1, max_size=400
    )
)
def test_no_history_exceeds_a_budget_and_every_wait_is_honest(steps):
    limiter, now_ns, sent = Limiter(), T0, []
    for what, gap_ns in steps:
        now_ns += gap_ns
        ask = (
            limiter.take_query
            if what == "query"
            else (lambda at, act=what: limiter.order_wait_ns(act, Category.LINEAR, at, http=True))
        )
        wait_ns = ask(now_ns)
        assert wait_ns >= 0
        if wait_ns:
            now_ns += wait_ns
            assert ask(now_ns) == 0
        sent.append((now_ns, what))
        for act in Act:
            recent = [at for at, kind in sent if kind == act and at > now_ns - NS_PER_S]
            assert len(recent) <= 10
        assert sum(at > now_ns - ADDRESS_WINDOW_NS for at, _ in sent) <= Lane.CANCEL


def test_it_tells_how_much_of_each_budget_is_used_and_forgets_it_when_the_window_has_passed():
    limiter = Limiter()
    takes(limiter, Act.CREATE, 5)
    takes(limiter, Act.CANCEL, 2, category=Category.SPOT, http=False)
    assert dict(limiter.used_ratios(T0)) == {
        "address": 5 / ADDRESS_REQUESTS_MAX,
        "create_derivatives": 0.5,
        "cancel_spot": 0.1,
    }
    assert set(dict(limiter.used_ratios(T0 + ADDRESS_WINDOW_NS)).values()) == {0.0}
