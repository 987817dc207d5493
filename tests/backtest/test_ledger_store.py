"""A ledger on disk gives the accounts back, and whatever was changed in it is found."""

import apsw
import pyarrow.parquet as pq
import pytest

from backtest.market.ledger_store import LedgerError, LedgerStore, audit, export_parquet
from simulation.clearing.house import ClearingHouse
from simulation.clearing.income import pay_dividend
from simulation.clearing.ledger import Trade
from simulation.clearing.rules import ClearingRules


@pytest.fixture
def finished(tmp_path):
    """A small market with its file, the house, and the hash over all rows."""
    path = tmp_path / "ledger.sqlite"
    with LedgerStore(path, 2, 1, 10) as store:
        house = ClearingHouse(2, 1, 10, ClearingRules(taker_fee_ppm=1_500), store)
        for participant in (0, 1):
            house.deposit(0, participant, 1_000_000)
            house.deliver(0, participant, 0, 500)
        store.flush()
        for number in range(40):
            seller = number % 2
            house.admit(2 * number, seller, 0, -1, 5, 90 + number)
            house.admit(2 * number + 1, 1 - seller, 0, 1, 5, 90 + number)
            house.settle(number, 2 * number + 1, 2 * number, 90 + number, 5)
            if number == 20:
                store.flush()
                pay_dividend(house, number, 0, 1, 2)
        head = store.finish(house)
    return path, house, head


def changed(path, statement):
    db = apsw.Connection(str(path))
    db.execute(statement)
    db.close()


def test_reading_back_and_adding_up_gives_the_accounts(finished):
    path, house, head = finished
    found = audit(path, head)
    assert (found.trades, found.transfers, found.head, found.problems) == (40, 7, head, ())
    assert house.breaches() == []


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        ("UPDATE trades SET px = px + 1 WHERE number = 12", "not the one that was written"),
        (
            "UPDATE trades SET buyer = seller, seller = buyer WHERE number = 12",
            "not the one that was written",
        ),
        ("UPDATE trades SET at_ns = at_ns + 1 WHERE number = 30", "row from 26 to 47"),
        ("UPDATE transfers SET amount = amount + 1 WHERE number = 1", "row from 1 to 4"),
        ("DELETE FROM trades WHERE number = 12", "have a gap"),
        ("DELETE FROM trades WHERE number = 47", "not the one that was written"),
        ("INSERT INTO transfers VALUES (9, 48, 1, 3, 0, -1, 5)", "after the last"),
        ("INSERT INTO transfers VALUES (9, 12, 1, 3, 0, -1, 5)", "occur twice"),
        ("UPDATE balances SET amount = amount + 1 WHERE account = 1 AND asset = -1", "account 1 holds"),
        ("UPDATE balances SET amount = amount - 1 WHERE account = 0 AND asset = 0", "of asset 0 by its rows"),
        ("DELETE FROM balances WHERE account = 0 AND asset = 0", "None by its balance"),
        ("INSERT INTO balances VALUES (77, -1, 5)", "account 77"),
        ("DELETE FROM balances", "never finished"),
        ("UPDATE transfers SET target = 99 WHERE number = 1", "not there"),
        ("UPDATE trades SET asset = 3 WHERE number = 12", "not there"),
        ("DELETE FROM chain", "after the last"),
    ],
)
def test_tampering_is_found(finished, tampering, problem):
    path, _, head = finished
    changed(path, tampering)
    assert any(problem in one for one in audit(path, head).problems)


def test_a_file_that_was_rewritten_as_a_whole_is_found_by_whoever_noted_its_hash(finished, tmp_path):
    path, _, head = finished
    other = tmp_path / "other.sqlite"
    with LedgerStore(other, 2, 1, 10) as store:
        house = ClearingHouse(2, 1, 10, ledger=store)
        house.deposit(0, 0, 5)
        store.finish(house)
    assert audit(other).problems == ()
    assert "noted" in audit(other, head).problems[0]
    assert audit(path, head).problems == ()


def test_what_a_crash_leaves_is_a_sound_beginning_that_says_it_was_not_finished(tmp_path):
    path = tmp_path / "ledger.sqlite"

    def run_and_crash():
        with LedgerStore(path, 1, 1, 1) as store:
            house = ClearingHouse(1, 1, 1, ledger=store)
            house.deposit(0, 0, 5)
            store.flush()
            house.deposit(0, 0, 6)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run_and_crash()
    found = audit(path)
    assert found.transfers == 1
    assert found.problems == ("the ledger was never finished: no balances stand in it",)


def test_parquet_holds_the_same_rows(finished, tmp_path):
    path, house, _ = finished
    written = export_parquet(path, tmp_path / "out")
    assert [one.name for one in written] == ["trades.parquet", "transfers.parquet", "balances.parquet"]
    trades = pq.read_table(written[0])
    assert trades.column_names == list(Trade._fields)
    assert trades.num_rows == 40
    assert trades.column("px").to_pylist() == list(range(90, 130))
    balances = pq.read_table(written[2]).to_pylist()
    cash = {row["account"]: row["amount"] for row in balances if row["asset"] == -1}
    assert [cash[account] for account in range(len(house.cash))] == house.cash


def test_what_is_no_ledger_is_refused_by_name(tmp_path, finished):
    path, _, _ = finished
    with pytest.raises(LedgerError, match="exists"), LedgerStore(path, 1, 1, 1):
        pass
    with pytest.raises(LedgerError, match="absent"):
        audit(tmp_path / "absent")
    text = tmp_path / "text"
    text.write_text("no database at all, and long enough to be taken for one" * 40)
    for read in (audit, lambda one: export_parquet(one, tmp_path)):
        with pytest.raises(LedgerError, match="text"):
            read(text)
    changed(path, "UPDATE meta SET value = 9 WHERE key = 'format'")
    with pytest.raises(LedgerError, match="format 9"):
        audit(path)


def test_a_figure_beyond_64_bits_is_refused_and_not_cut(tmp_path):
    with LedgerStore(tmp_path / "ledger.sqlite", 1, 1, 1) as store:
        house = ClearingHouse(1, 1, 1, ledger=store)
        house.deposit(0, 0, 5)
        store.flush()
        house.deposit(0, 0, 1 << 63)
        with pytest.raises(LedgerError, match=r"ledger.sqlite: .*int"):
            store.flush()
        store._transfers.clear()
    with pytest.raises(LedgerError, match="not open"):
        store.finish(house)
