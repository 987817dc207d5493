"""The simulated account: its money adds up, it refuses what it cannot pay, and its file gives it back."""

import os
from dataclasses import replace
from errno import EIO, ENOSPC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.errors import InvariantViolation, JournalError
from executor.domain.events import CoinBalance, OrderFilled, OrderUpdated, VenueStatus
from executor.domain.orders import Category, Side
from executor.domain.units import ZERO
from executor.venues.paper.account import Account, Amended, Ended, Executed, Funded, Holding, Placed
from executor.venues.paper.account_file import AccountFile
from tests.builders import D, fill, instrument, new_order

KEY = (Category.LINEAR, "BTCUSDT")


def account(balance="1000", leverage="10"):
    return Account(D(balance), D(leverage))


def placed(name="x-1-1", **over):
    order = new_order(client_order_id=name, **over)
    return Placed(order=order, venue_order_id=f"v-{name}", base_coin="BTC", quote_coin="USDT")


def executed(name="x-1-1", exec_id="e1", **over):
    return Executed(fill=fill(client_order_id=name, exec_id=exec_id, **{**dict(fee=D(0)), **over}))


def wallet(book):
    return {coin.coin: (coin.wallet_qty, coin.locked_qty) for coin in book.coins()}


def test_what_happens_is_told_as_a_venue_tells_it():
    book = account()
    told = [
        *book.apply(placed()),
        *book.apply(Amended(client_order_id="x-1-1", qty=D("0.3"), px=D("49999"))),
        *book.apply(executed()),
        *book.apply(Ended(client_order_id="x-1-1", detail="cancelled as asked")),
    ]
    assert [type(event) for event in told] == [
        OrderUpdated,
        OrderUpdated,
        OrderFilled,
        OrderUpdated,
        OrderUpdated,
    ]
    versions = [event.updated_ms for event in told if isinstance(event, OrderUpdated)]
    assert versions == sorted(set(versions))
    last = told[-1]
    assert (last.status, last.qty, last.px, last.cum_qty) == (
        VenueStatus.CANCELED, D("0.3"), D("49999"), D("0.1"),
    )  # fmt: skip
    assert book.open_orders() == []
    for impossible in (executed(exec_id="e2"), placed(), Ended(client_order_id="x-9-9", detail="")):
        with pytest.raises(InvariantViolation):
            book.apply(impossible)


def test_a_contract_brings_the_difference_of_prices_less_fees():
    book = account()
    for number, (side, px) in enumerate(
        [(Side.BUY, 100), (Side.BUY, 110), (Side.SELL, 120), (Side.SELL, 90)]
    ):
        name = f"x-1-{number}"
        book.apply(placed(name, side=side, qty=D(1), px=D(px)))
        book.apply(executed(name, exec_id=name, side=side, last_qty=D(1), last_px=D(px), fee=D("0.5")))
    assert book.position_qty(KEY) == ZERO
    assert wallet(book) == {"USDT": (D("1000") + 15 - 15 - 2, ZERO)}


@given(st.lists(st.tuples(st.sampled_from((1, -1)), st.integers(1, 9), st.integers(50, 150)), max_size=30))
def test_no_money_comes_from_nowhere(trades):
    holding, cash, paid = Holding(), ZERO, ZERO
    for sign, qty, px in trades:
        holding, profit = holding.after(D(sign * qty), D(px))
        cash += profit
        paid -= D(sign * qty * px)
    # Profit taken and what the position is worth at its entry are what was paid and got.
    assert abs(cash - holding.qty * holding.entry_px - paid) < D("1e-20")
    assert holding.qty == sum((D(sign * qty) for sign, qty, _ in trades), ZERO)


def test_a_contract_order_needs_margin_beside_all_open_ones():
    book, rules = account("1000", "10"), instrument()
    order = new_order(client_order_id="x-1-2", qty=D("0.1"), px=D("60000"))
    assert book.why_not(order, rules) == ""
    book.apply(placed(qty=D("0.1"), px=D("60000")))
    assert "margin of 1200 USDT needed, 1000 there" in book.why_not(order, rules)
    # The other direction makes no larger position than the one there is.
    assert (
        book.why_not(new_order(client_order_id="x-1-3", side=Side.SELL, qty=D("0.1"), px=D("60000")), rules)
        == ""
    )


def test_amounts_are_told_to_eight_digits_and_never_as_enough():
    book, rules = account("100.00000000100", "3"), instrument()
    order = new_order(client_order_id="x-1-2", qty=D("0.1"), px=D("3000.000000040"))
    assert book.why_not(order, rules) == "margin of 100.00000001 USDT needed, 100 there"
    assert book.why_not(new_order(client_order_id="x-1-2", qty=D("0.1"), px=D("3000")), rules) == ""


def test_reduce_only_reduces_once():
    book, rules = account(), instrument()
    less = dict(side=Side.SELL, reduce_only=True, qty=D("0.1"))
    assert "no more than 0" in book.why_not(new_order(**less), rules)
    book.apply(placed(qty=D("0.15")))
    book.apply(executed(last_qty=D("0.15"), last_px=D("100")))
    assert book.why_not(new_order(client_order_id="x-1-2", **less), rules) == ""
    book.apply(placed("x-1-2", **less))
    assert "no more than 0.05" in book.why_not(new_order(client_order_id="x-1-3", **less), rules)


def test_a_coin_is_bought_and_sold_on_spot():
    spot = dict(category=Category.SPOT)
    book, rules = account("1000"), instrument(**spot)
    assert book.why_not(new_order(**spot, side=Side.SELL, qty=D("0.1")), rules) == "0.1 BTC needed, 0 there"
    book.apply(placed(**spot, qty=D(4), px=D(100)))
    book.apply(executed(**spot, last_qty=D(3), last_px=D(100), fee=D("0.3")))
    assert book.coins() == (
        CoinBalance(coin="BTC", wallet_qty=D(3), locked_qty=ZERO),
        CoinBalance(coin="USDT", wallet_qty=D("699.7"), locked_qty=D(100)),
    )
    assert book.why_not(new_order(**spot, client_order_id="x-1-2", qty=D(6), px=D(100)), rules) == (
        "600 USDT needed, 599.7 there"
    )


def test_new_terms_are_paid_for_in_place_of_the_old_ones():
    book, rules = account("1000", "10"), instrument()
    book.apply(placed(qty=D("0.1"), px=D("60000")))
    more = dict(client_order_id="x-1-1", px=D("60000"))
    assert book.why_not(new_order(**more, qty=D("0.16")), rules) == ""
    assert "margin of 1020 USDT" in book.why_not(new_order(**more, qty=D("0.17")), rules)
    spot, of_spot = account("1000"), instrument(category=Category.SPOT)
    spot.apply(placed(category=Category.SPOT, qty=D(8), px=D(100)))
    more = dict(client_order_id="x-1-1", category=Category.SPOT, px=D(100))
    assert spot.why_not(new_order(**more, qty=D(10)), of_spot) == ""
    assert spot.why_not(new_order(**more, qty=D(11)), of_spot) == "1100 USDT needed, 1000 there"


def test_the_file_gives_back_what_was_written(tmp_path):
    records = [placed(), Amended(client_order_id="x-1-1", qty=D("0.30"), px=D("49999.0")), executed()]
    path = tmp_path / "paper.jsonl"
    with AccountFile(path) as file:
        assert list(file.read()) == []
        file.write(records[:2])
        file.write(records[2:])
    with AccountFile(path) as file:
        assert list(file.read()) == records
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_being_written_was_told_to_nobody(tmp_path):
    path = tmp_path / "paper.jsonl"
    with AccountFile(path) as file:
        file.write([placed()])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-5])
    with AccountFile(path) as file:
        assert list(file.read()) == [placed()]
        file.write([executed()])
    with AccountFile(path) as file:
        assert list(file.read()) == [placed(), executed()]


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("room", [0, 30, 10_000])
def test_after_a_full_disk_nothing_is_written_and_nothing_is_glued_on(tmp_path, monkeypatch, room, cut):
    left, write, truncate = [1 << 30], os.write, os.ftruncate

    def narrow(handle, data):
        count = min(len(data), left[0])
        if not count:
            raise OSError(ENOSPC, "No space left on device")
        left[0] -= count
        return write(handle, data[:count])

    def sync(handle):
        if room == 10_000:
            raise OSError(EIO, "Input/output error")

    def shorten(handle, size):
        if not cut:
            raise OSError(EIO, "Input/output error")
        truncate(handle, size)

    path = tmp_path / "paper.jsonl"
    with AccountFile(path) as file:
        assert list(file.read()) == []
        file.write([placed()])
        whole = path.read_bytes()
        monkeypatch.setattr("executor.venues.paper.account_file.os.write", narrow)
        monkeypatch.setattr("executor.venues.paper.account_file.os.ftruncate", shorten)
        left[0] = room
        with monkeypatch.context() as failing:
            failing.setattr("executor.venues.paper.account_file.os.fsync", sync)
            with pytest.raises(JournalError, match=r"cannot be kept"):
                file.write([executed()])
        assert file.is_broken
        assert (path.read_bytes() == whole) is (cut or room == 0)
        left[0] = 1 << 30
        with pytest.raises(JournalError, match=r"cannot be kept"):
            file.write([executed(exec_id="e2")])
    monkeypatch.undo()
    with AccountFile(path) as file:
        told = list(file.read())
    assert told == [placed(), executed()][: 2 if room == 10_000 and not cut else 1]


def test_any_other_damage_stops_the_start(tmp_path):
    path = tmp_path / "paper.jsonl"
    path.write_bytes(b'{"type":"Placed"}\n')
    with AccountFile(path) as file, pytest.raises(JournalError, match="line 1"):
        list(file.read())


def funded(at_ms, paid="1.5", **over):
    return Funded(
        category=Category.LINEAR, symbol="BTCUSDT", settled_ms=at_ms,
        **{**dict(rate=D("0.0001"), mark_px=D("150"), qty=D("100"), paid=D(paid)), **over},
    )  # fmt: skip


def test_a_funding_is_paid_once_and_read_back(tmp_path):
    records = [placed(qty=D(1)), executed(last_qty=D("0.4")), funded(5_000), funded(9_000, "-0.25")]
    with AccountFile(tmp_path / "paper.jsonl") as file:
        list(file.read())
        file.write(records)
    book = account()
    with AccountFile(tmp_path / "paper.jsonl") as file:
        for record in file.read():
            book.apply(record)
    assert wallet(book)["USDT"] == (D("998.75"), ZERO)
    assert book.funded_ms(KEY) == 9_000
    for again in (5_000, 9_000):
        with pytest.raises(InvariantViolation, match="settled twice"):
            book.apply(funded(again))
    with pytest.raises(InvariantViolation, match="never traded"):
        account().apply(funded(5_000))


def test_the_position_of_an_instant_is_that_of_its_executions():
    book = account()
    for number, (side, at_ns) in enumerate([(Side.BUY, 10), (Side.SELL, 20), (Side.BUY, 30)]):
        name = f"x-1-{number}"
        book.apply(placed(name, side=side, qty=D(1)))
        book.apply(executed(name, exec_id=name, side=side, last_qty=D(1), ts_exchange_ns=at_ns))
    assert [book.position_qty_at(KEY, at_ns) for at_ns in (9, 10, 19, 20, 30)] == [0, 1, 1, 0, 1]
    assert (book.first_execution_ns(KEY), book.contracts) == (10, [KEY])


def test_an_order_under_way_has_its_funds_already():
    book, rules = account("1000", "1"), instrument()
    book.learn(rules)
    one, other = (
        new_order(client_order_id=f"x-1-{number}", qty=D("0.006"), px=D(100_000)) for number in range(2)
    )
    assert book.why_not(one, rules) == book.why_not(other, rules) == ""
    assert "needed" in book.why_not(other, rules, {"x-1-0": one})
    spot = instrument(category=Category.SPOT)
    book.learn(spot)
    bought = new_order(category=Category.SPOT, client_order_id="x-1-2", qty=D("0.006"), px=D(100_000))
    assert book.why_not(bought, spot) == ""
    assert "USDT needed, 400" in book.why_not(bought, spot, {"x-1-0": bought_as("x-1-0", bought)})
    # An amendment under way counts on the dearer of its terms, whether that is the old one or the new one.
    book.apply(placed("x-1-0", qty=D("0.006"), px=D(100_000)))
    for qty in ("0.001", "0.006"):
        assert "needed" in book.why_not(
            other, rules, {"x-1-0": new_order(client_order_id="x-1-0", qty=D(qty), px=D(100_000))}
        )
    dear = new_order(client_order_id="x-1-0", qty=D("0.01"), px=D(100_000))
    small = new_order(client_order_id="x-1-1", qty=D("0.003"), px=D(100_000))
    assert book.why_not(small, rules) == ""
    assert "needed" in book.why_not(small, rules, {"x-1-0": dear})


def bought_as(name, order):
    return replace(order, client_order_id=name)
