"""What makes an execution the same execution."""

from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_DAY, iso_utc, utc_day
from tests.builders import D, fill


def test_same_id_is_another_execution_on_another_symbol_or_category():
    keys = {
        fill(**over).key
        for over in ({}, dict(symbol="ETHUSDT"), dict(category=Category.SPOT), dict(exec_id="e2"))
    }
    assert len(keys) == 4


def test_key_does_not_depend_on_how_the_execution_was_reported():
    by_stream = fill(client_order_id="x-1-1", fee=D("0.5"), ts_exchange_ns=5)
    by_query = fill(client_order_id="", fee=D("0.6"), ts_exchange_ns=6)
    assert by_stream.key == by_query.key
    assert by_stream.content == by_query.content


def test_other_side_quantity_or_price_is_other_content():
    for over in (dict(side=Side.SELL), dict(last_qty=D("0.2")), dict(last_px=D("50000.1"))):
        assert fill(**over).content != fill().content


def test_trailing_zeros_are_the_same_content():
    """The stream may print 0.10 where the query prints 0.1; that is no conflict."""
    assert (
        fill(last_qty=D("0.10"), last_px=D("50000.00")).content
        == fill(last_qty=D("0.1"), last_px=D("5E+4")).content
    )


def test_days_and_instants_are_utc():
    assert utc_day(0) == 0
    assert utc_day(NS_PER_DAY - 1) == 0
    assert utc_day(NS_PER_DAY) == 1
    assert iso_utc(1_700_000_000_123_999_999) == "2023-11-14T22:13:20.123Z"
