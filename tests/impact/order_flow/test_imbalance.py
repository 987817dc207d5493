"""Order-flow imbalance, trade imbalance and microprice against worked numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.order_flow.imbalance import (
    Quote,
    microprice,
    order_flow_imbalance,
    queue_change,
    queue_imbalance,
    trade_imbalance,
)

sizes = st.floats(0.0, 1e6)
quotes = st.builds(
    lambda bid, spread, bid_qty, ask_qty: Quote(bid / 100, bid_qty, (bid + spread) / 100, ask_qty),
    st.integers(1_000, 1_010),
    st.integers(1, 5),
    sizes,
    sizes,
)


def test_the_worked_example_of_cont_kukanov_stoikov():
    seen = [
        Quote(50.00, 100, 50.10, 100),
        Quote(50.00, 80, 50.10, 100),
        Quote(50.00, 80, 50.10, 130),
        Quote(50.05, 40, 50.10, 130),
        Quote(50.05, 40, 50.15, 60),
    ]
    assert [queue_change(a, b) for a, b in pairwise(seen)] == [-20, -30, 40, 130]
    assert order_flow_imbalance(seen) == 120
    assert order_flow_imbalance(seen[:1]) == 0


@given(quotes, quotes)
def test_mirrored_books_have_mirrored_flow(before, after):
    def mirrored(quote):
        return Quote(1 / quote.ask_px, quote.ask_qty, 1 / quote.bid_px, quote.bid_qty)

    assert queue_change(mirrored(before), mirrored(after)) == pytest.approx(-queue_change(before, after))


@given(quotes, quotes)
def test_where_no_price_changes_the_flow_is_the_change_of_the_queues(before, after):
    after = Quote(before.bid_px, after.bid_qty, before.ask_px, after.ask_qty)
    change = after.bid_qty - before.bid_qty - (after.ask_qty - before.ask_qty)
    assert queue_change(before, after) == pytest.approx(change, abs=1e-6)


@given(quotes)
def test_the_microprice_lies_between_bid_and_ask_nearer_the_shorter_queue(quote):
    price, lean = microprice(quote), queue_imbalance(quote)
    if quote.bid_qty + quote.ask_qty == 0:
        assert price is None
        assert lean is None
        return
    assert quote.bid_px - 1e-9 <= price <= quote.ask_px + 1e-9
    assert (price - quote.mid_px) * lean >= 0
    assert quote.bid_qty == quote.ask_qty or lean


def test_a_bid_three_times_the_ask_puts_the_microprice_at_three_quarters():
    assert microprice(Quote(100.0, 3.0, 101.0, 1.0)) == 100.75


def test_trade_imbalance():
    assert trade_imbalance([3.0, -1.0]) == 0.5
    assert trade_imbalance([-2.0]) == -1.0
    assert trade_imbalance([]) is None


@pytest.mark.parametrize(
    "wrong", [(0, 1, 1, 1), (1, -1, 1, 1), (float("nan"), 1, 1, 1), (1, 1, 1, float("inf"))]
)
def test_what_is_no_quote_is_refused(wrong):
    with pytest.raises(ValueError, match=r"quote|prices"):
        Quote(*wrong)


def test_a_quantity_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        trade_imbalance([1.0, float("nan")])
