"""Paper positions pay and receive funding: once for each settlement, heard or missed, over restarts too."""

import asyncio

from executor.domain.events import OrderFilled
from executor.domain.orders import Category, TimeInForce
from executor.runtime.clock import Clock
from executor.venues.bybit.codec_public import TickerFrame
from executor.venues.bybit.ticker_sync import TickerSync
from executor.venues.paper.account import Executed, Funded, Placed
from executor.venues.paper.account_file import AccountFile
from executor.venues.paper.funding import FRESH_MS, FundingWatch, Settlement
from tests.builders import D, fill, new_order
from tests.venues.test_paper_venue import bench, until

KEY = (Category.LINEAR, "BTCUSDT")
HOUR_MS = 3_600_000
EIGHT_MS = 8 * HOUR_MS


def said(next_ms, rate="0.0001", mark="65000"):
    """A ticker that has taken a message."""
    ticker = TickerSync()
    terms = {"fundingRate": None if rate is None else D(rate), "nextFundingTime": D(next_ms)}
    numbers = {"markPrice": D(mark)}
    ticker.apply(TickerFrame(symbol="BTCUSDT", snapshot=True, numbers=numbers, cs=1, terms=terms))
    return ticker


def test_a_settlement_is_at_what_was_said_last_before_its_time():
    watch = FundingWatch()
    assert watch.look(said(EIGHT_MS, "0.0003", "64000"), EIGHT_MS - 9_000) is None
    assert watch.look(said(EIGHT_MS, "-0.0002", "65000"), EIGHT_MS - 1_000) is None
    settled = watch.look(said(2 * EIGHT_MS, "0.0009", "66000"), EIGHT_MS + 40)
    assert settled == Settlement(at_ms=EIGHT_MS, rate=D("-0.0002"), mark_px=D("65000"))
    assert watch.look(said(2 * EIGHT_MS), EIGHT_MS + 140) is None


def test_what_was_said_too_long_before_is_not_taken_for_it():
    watch = FundingWatch()
    assert watch.look(said(EIGHT_MS), EIGHT_MS - FRESH_MS - 1) is None
    assert watch.look(said(3 * EIGHT_MS), 2 * EIGHT_MS + 5) == Settlement(at_ms=EIGHT_MS)


def test_a_schedule_that_changes_before_its_time_settles_nothing():
    watch = FundingWatch()
    assert watch.look(said(EIGHT_MS), HOUR_MS) is None
    assert watch.look(said(EIGHT_MS // 2), HOUR_MS + 1) is None, "sooner"
    assert watch.look(said(EIGHT_MS), HOUR_MS + 2) is None, "later again"
    assert watch.look(said(EIGHT_MS, None), EIGHT_MS - 1) is None, "no rate, nothing is announced"


def fundings(folder):
    with AccountFile(folder / "paper.jsonl") as file:
        return [record for record in file.read() if isinstance(record, Funded)]


async def test_a_settlement_that_is_heard_is_charged_once_and_over_a_restart(tmp_path):
    async with bench(tmp_path) as there:
        async with there.life() as heard:
            await there.place(px=D("65001"), qty=D("0.3"), time_in_force=TimeInForce.IOC)
            await heard.one(OrderFilled)
            before = there.account.account.coins()[0].wallet_qty
            at_ms = Clock().now_ns() // 1_000_000
            category, symbol = KEY
            there.account.ticker(category, symbol, said(at_ms, "0.0001", "65000"))
            for _ in range(2):
                there.account.ticker(category, symbol, said(at_ms + EIGHT_MS, "0.5", "1"))
            await until(lambda: there.account.account.funded_ms(KEY))
            # A long pays a positive rate of its value at the mark.
            assert there.account.account.coins()[0].wallet_qty == before - D("1.95")
        async with there.life():
            assert there.account.account.coins()[0].wallet_qty == before - D("1.95")
        (charged,) = fundings(tmp_path)
        assert (charged.settled_ms, charged.qty, charged.paid) == (at_ms, D("0.3"), D("1.95"))
        assert [fields["paid"] for message, fields in there.lines if message == "paper funding"] == [
            "1.95000"
        ]


async def test_what_was_missed_while_nothing_ran_is_charged_at_the_next_start_where_it_is_known(tmp_path):
    """Sold 25 hours ago: three or four settlements were missed; of the first the mark price is not known any more."""
    now_ms = Clock().now_ns() // 1_000_000
    sold_ms = now_ms - 25 * HOUR_MS
    missed = [at_ms for at_ms in range(0, now_ms, EIGHT_MS) if at_ms > sold_ms]
    order = new_order(client_order_id="x-1-1", side=-1, qty=D("0.5"), px=D("65000"))
    with AccountFile(tmp_path / "paper.jsonl") as file:
        list(file.read())
        file.write(
            [
                Placed(order=order, venue_order_id="paper-1", base_coin="BTC", quote_coin="USDT"),
                Executed(
                    fill=fill(
                        client_order_id="x-1-1",
                        exec_id="paper-1",
                        side=order.side,
                        last_qty=D("0.5"),
                        last_px=D("65000"),
                        fee=D(0),
                        ts_exchange_ns=sold_ms * 1_000_000,
                    )
                ),
            ]
        )
    async with bench(tmp_path) as there:
        exchange = there.server.exchange
        for at_ms in missed[1:]:
            exchange.price_history.observe(exchange.markets.values(), at_ms)
        for _ in range(2):
            async with there.life():
                await until(lambda: there.account.account.funded_ms(KEY) == missed[-1])
                await until(lambda: not there.account._settling._missed)
        charged = fundings(tmp_path)
        assert [record.settled_ms for record in charged] == missed[1:]
        mark_px = exchange.markets["linear", "BTCUSDT"].mark_px
        assert {(record.rate, record.mark_px) for record in charged} == {(D("0.0001"), mark_px)}
        assert all(record.paid == D("-0.5") * mark_px * D("0.0001") for record in charged)
        unknown = [fields for message, fields in there.lines if message == "paper funding not charged"]
        assert [fields["unknown"] for fields in unknown] == ["mark price"]


async def test_two_orders_under_way_are_not_funded_by_the_same_coin(tmp_path):
    async with bench(tmp_path, balance="1000", leverage="1") as there, there.life():
        # Ten thousandths of a coin are 650: one of them can be paid, and none is known when the other is asked for.
        answers = await asyncio.gather(*(there.place(qty=D("0.01")) for _ in range(2)))
        assert sorted(getattr(answer, "unfunded", False) for _, answer in answers) == [False, True]
