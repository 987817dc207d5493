"""What the engine notes of fills: the book before, the mids after, each once, and nothing that nobody knows.

`Seen` is a slow twin: it keeps all books and fills and looks each mid up in them, where the engine is led from book to
book and forgets them.
"""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from executor.domain.commands import StoreReport
from executor.domain.events import BookLost, BookUpdated, EngineStarted, OrderFilled
from executor.domain.limits import Limits
from executor.domain.orders import Category, Liquidity, ResidualRule, Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine import markouts
from executor.engine.report import parent_facts
from executor.runtime import record
from impact.shortfall import as_json, make_report
from impact.tca.fill_costs import WINDOW_S
from impact.tca.mark_outs import MARK_OUTS_S, MarkSums, mark_outs
from tests.builders import D, submitted
from tests.engine.rig import Rig

LIMITS = Limits(order_gap_s_min=D(1), orders_per_s_max=20, orders_per_min_max=1_000, references_min=0)
LAST = MARK_OUTS_S[-1]


class Seen(Rig):
    """A rig whose books and fills have the venue's time, and that remembers all of them."""

    def __init__(self, *, marks_fills=True):
        self.marks_fills = marks_fills
        self.books, self.fills, self.noted = [], [], []
        self.fill_lag_ns = 1
        super().__init__(limits=LIMITS)

    def send(self, event):
        match event:
            case EngineStarted():
                event = replace(event, marks_fills=self.marks_fills)
            case BookUpdated():
                event = replace(event, market=replace(event.market, ts_exchange_ns=self.now_ns))
                self.books.append((self.now_ns, event.market))
            case OrderFilled():
                at_ns = self.now_ns - self.fill_lag_ns
                event = replace(event, fill=replace(event.fill, ts_exchange_ns=at_ns))
                if event.fill.key not in self.engine.state.executions:
                    self.fills.append(event.fill)
        commands = super().send(event)
        self.noted += [(mark.exec_id, tuple(mark.mids)) for mark in self.engine.touched.marks]
        return commands

    def order(self, qty="1", side=Side.BUY, **over):
        self.open_market()
        self.send(submitted(order_qty=D(qty), side=side, residual=ResidualRule.LEAVE, **over))
        self.settle()
        self.tick(1)
        self.settle()

    def fill_some(self, qty, liquidity=Liquidity.MAKER):
        """Fill what is open, some of it; the book was at this instant, the fill is told a nanosecond before it."""
        for entry in self.venue.orders.values():
            if entry.is_open:
                self.venue.fill(entry, D(qty))
        self.venue.mail = [
            replace(mail, fill=replace(mail.fill, liquidity=liquidity))
            if isinstance(mail, OrderFilled)
            else mail
            for mail in self.venue.mail
        ]
        self.settle()

    def pass_time(self, seconds, move="0"):
        for _ in range(seconds):
            self.tick(1, move=move)
            self.settle()

    def mid_at(self, at_ns):
        return next(book.mid_px for seen_ns, book in reversed(self.books) if seen_ns <= at_ns)

    def before(self, fill):
        return next(book for seen_ns, book in reversed(self.books) if seen_ns < fill.ts_exchange_ns)

    def facts(self):
        return parent_facts(self.engine.state, self.parent())


def stored(rig):
    return [each for each in rig.log if isinstance(each, StoreReport)]


def test_every_mid_is_the_one_in_force_at_its_horizon():
    """A wandering book, fills by chance of either kind; against what a twin with all books finds."""
    rig, chance = Seen(), Random(3)
    rig.order("1", duration_s=360, params=StrategyParams(interval_s=20, passiveness=D("0.5")))
    for _ in range(400):
        rig.tick(chance.choice([0.4, 1, 2]), move=str(chance.randrange(-6, 7)))
        if chance.random() < 0.1:
            rig.fill_some("0.013", chance.choice(list(Liquidity)))
        rig.settle()
    rig.pass_time(LAST, move="1")
    assert rig.parent().is_final
    assert len(rig.fills) > 30
    sums = {horizon_s: [0, D(0), D(0)] for horizon_s in MARK_OUTS_S}
    for fill in rig.fills:
        for horizon_s, found in sums.items():
            mid_px = rig.mid_at(fill.ts_exchange_ns + horizon_s * NS_PER_S)
            found[0] += 1
            found[1] += fill.notional
            found[2] += (mid_px - fill.last_px) * fill.last_qty
    facts = rig.facts()
    assert facts.marks_pending == 0
    assert not rig.engine.state.marks
    for mark in facts.mark_outs:
        fills, notional, gain = sums[mark.horizon_s]
        assert (mark.fills, mark.notional) == (fills, notional)
        assert abs(mark.gain_bps - gain / notional * 10_000) < D("1e-9")
        # Fills of six minutes are six blocks of a minute, and no three blocks of ten.
        assert (mark.standard_error_bps is None) is (mark.horizon_s == LAST)
    back = sum(
        (
            (rig.mid_at(f.ts_exchange_ns + NS_PER_S) - rig.mid_at(f.ts_exchange_ns + LAST * NS_PER_S))
            * f.last_qty
        )
        for f in rig.fills
    )
    assert abs(facts.reversion_bps - back / facts.cum_notional * 10_000) < D("1e-9")
    check_costs(rig, facts)


def check_costs(rig, facts):
    """The parts again from all books and fills, each fill from the beginning."""
    spread = temporary = permanent = D(0)
    for number, fill in enumerate(rig.fills):
        book = rig.before(fill)
        if fill.liquidity is Liquidity.MAKER:
            spread += (fill.last_px - book.mid_px) * fill.last_qty
        else:
            spread += (book.best_ask - book.mid_px) * fill.last_qty
            temporary += (fill.last_px - book.best_ask) * fill.last_qty
        for earlier, following in pairwise(rig.fills[: number + 1]):
            if earlier.liquidity is Liquidity.TAKER:
                until_ns = earlier.ts_exchange_ns + WINDOW_S * NS_PER_S
                early = following.ts_exchange_ns <= until_ns
                end_px = rig.before(following).mid_px if early else rig.mid_at(until_ns)
                permanent += (end_px - rig.before(earlier).mid_px) * fill.last_qty
    found = facts.fill_costs
    assert (found.spread, found.temporary, found.permanent) == (spread, temporary, permanent)
    assert spread
    assert temporary
    assert permanent
    split, report = make_report(facts).split_quote, make_report(facts)
    drift = sum((rig.before(fill).mid_px - facts.arrival_px) * fill.last_qty for fill in rig.fills)
    assert split.timing == drift - permanent
    assert split.total == report.shortfall_quote.total


def test_the_report_is_made_again_when_the_last_mark_of_an_ended_order_is_known():
    rig = Seen()
    rig.order("0.01", duration_s=30, params=StrategyParams(interval_s=10))
    rig.fill_some("1")
    rig.pass_time(40)
    rig.fill_some("1")
    rig.pass_time(20)
    assert rig.parent().is_final
    ended = len(stored(rig))
    assert rig.facts().marks_pending
    assert as_json(make_report(rig.facts()))["marks_pending"] == rig.parent().marks_pending
    rig.pass_time(LAST)
    assert len(stored(rig)) == ended + 1
    assert rig.facts().marks_pending == 0
    assert [mark.fills for mark in rig.facts().mark_outs] == [len(rig.fills)] * len(MARK_OUTS_S)
    rig.pass_time(30)
    assert len(stored(rig)) == ended + 1


def test_each_fill_is_told_when_it_is_booked_when_its_order_ends_and_when_its_last_mark_is_known():
    rig = Seen()
    rig.order(duration_s=20, params=StrategyParams(interval_s=10))
    rig.fill_some("0.001")
    rig.pass_time(LAST + 2)
    assert rig.parent().is_final
    booked, ended, whole = [mids for name, mids in rig.noted if name == rig.fills[0].exec_id]
    assert booked == ()
    assert ended == whole[: len(ended)]
    assert 0 < len(ended) < len(whole) == len(MARK_OUTS_S)
    assert None not in whole


@pytest.mark.parametrize("how", ["lost", "silent", "restarted"])
def test_a_mid_that_nobody_knows_is_no_mid(how):
    """The mark of the fifth second falls where no book is; those before and after are known."""
    rig = Seen()
    rig.order()
    rig.fill_some("0.001")
    rig.pass_time(2)
    if how == "lost":
        rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gap"))
        rig.now_ns += 4 * NS_PER_S
    elif how == "restarted":
        rig.restart()
        rig.now_ns += 4 * NS_PER_S
    else:
        rig.now_ns += (markouts.SILENCE_S + 1) * NS_PER_S
    rig.pass_time(LAST)
    _, mids = rig.noted[-1]
    unknown = {1, 2} if how == "silent" else {1}
    assert {index for index, mid in enumerate(mids) if mid is None} == unknown
    fills = [mark.fills for mark in rig.facts().mark_outs]
    assert fills == [0 if index in unknown else 1 for index in range(len(MARK_OUTS_S))]


def test_a_fill_that_is_heard_late_finds_its_mids_among_the_books_that_are_kept():
    rig = Seen()
    rig.order()
    rig.fill_lag_ns = 7 * NS_PER_S + 1
    rig.pass_time(12, move="1")
    rig.fill_some("0.001")
    mark = next(iter(rig.engine.state.marks.values()))
    at_ns = rig.fills[0].ts_exchange_ns
    assert mark.mids == [rig.mid_at(at_ns + horizon_s * NS_PER_S) for horizon_s in (1, 5)]
    assert mark.mid_px == rig.before(rig.fills[0]).mid_px


def test_a_fill_that_is_heard_late_has_no_mid_where_the_book_was_lost_meanwhile():
    rig = Seen()
    rig.order()
    rig.fill_lag_ns = 7 * NS_PER_S + 1
    rig.pass_time(
        3, move="1"
    )  # the fill is of a second of these, its mark at 1 s of the third book before now
    rig.pass_time(2, move="1")
    rig.send(BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="gap"))
    rig.now_ns += 4 * NS_PER_S
    rig.pass_time(2, move="1")
    rig.fill_some("0.001")
    mark = next(iter(rig.engine.state.marks.values()))
    assert len(mark.mids) == 2
    assert mark.mids[0] is not None or mark.mids[1] is None
    assert None in mark.mids
    assert rig.engine.state.markets["linear:BTCUSDT"].losses


def test_mark_outs_count_by_the_time_of_fills_and_not_of_their_order():
    sums = [MarkSums(at_ns=at_s * NS_PER_S) for at_s in (0, 200, 400)]
    for one, gain in zip(sums, ("1", "2", "4"), strict=True):
        one.fills[0], one.notional[0], one.gain[0] = 1, D(1_000), D(gain)
    rig = Seen()
    rig.order()
    rig.fill_some("0.001")
    at_ns = rig.fills[0].ts_exchange_ns
    assert [child.marks.at_ns for child in rig.engine.state.children.values() if child.marks] == [at_ns]
    by_fill = mark_outs([(one.at_ns, one) for one in sums])[0]
    by_order = mark_outs([(0, one) for one in sums])[0]
    assert by_fill.standard_error_bps is not None
    assert by_order.standard_error_bps is None  # one order, and so one observation


def test_a_fill_from_before_all_books_that_are_kept_has_no_parts_and_no_guessed_mids():
    rig = Seen()
    rig.order()
    rig.fill_lag_ns = 3_600 * NS_PER_S
    rig.fill_some("0.001")
    facts = rig.facts()
    assert rig.noted[-1][1] == (None,) * len(MARK_OUTS_S)
    assert (facts.fill_costs.qty, facts.cum_qty) == (0, D("0.001"))
    assert make_report(facts).split_bps is None
    assert make_report(facts).shortfall_bps is not None


def test_more_fills_than_may_wait_are_booked_without_marks(monkeypatch):
    monkeypatch.setattr(markouts, "WAITING_MAX", 1)
    rig = Seen()
    rig.order()
    rig.fill_some("0.001")
    rig.tick(1)
    rig.fill_some("0.001")
    assert len(rig.engine.state.marks) == 1
    assert rig.facts().fill_costs.qty == rig.facts().cum_qty == D("0.002")
    rig.pass_time(LAST + 2)
    assert {mark.fills for mark in rig.facts().mark_outs} == {1}


def test_a_state_from_the_middle_goes_on_to_the_same_marks():
    """Written down and read back while fills wait: the same commands and the same state, to the byte."""
    rig = Seen()
    rig.order("0.1", duration_s=60, params=StrategyParams(interval_s=10))
    rig.fill_some("0.01", Liquidity.TAKER)
    rig.pass_time(8, move="1")
    rig.fill_some("0.01")
    assert rig.engine.state.marks
    other = Seen()
    other.engine.state = record.decode_state(record.encode_state(rig.engine.state))
    began = len(rig.journal)
    rig.pass_time(LAST + 10, move="1")
    assert not rig.engine.state.marks
    for kind, (body, commands) in zip(rig.kinds[began:], rig.journal[began:], strict=True):
        assert record.encode_commands(other.engine.on_event(record.decode_event(kind, body))) == commands
    assert record.encode_state(other.engine.state) == record.encode_state(rig.engine.state)


def test_without_the_word_nothing_is_noted_and_an_older_state_is_read():
    rig = Seen(marks_fills=False)
    rig.order()
    rig.fill_some("0.001")
    rig.pass_time(20)
    state = rig.engine.state
    assert not state.marks
    assert not rig.noted
    assert rig.facts().fill_costs is None
    assert rig.facts().mark_outs == ()
    assert make_report(rig.facts()).split_bps is None
    older = record.encode_state(state)
    for name in (
        b'"marks":{},',
        b',"marks":{}',
        b'"marks_fills":false,',
        b'"marks_due":[],',
        b'"recent_asks":[],',
    ):
        older = older.replace(name, b"")
    for name in (b'"costs":null,', b'"marks":null', b'"path":null,', b'"marks_pending":0,'):
        older = older.replace(name, b"")
    assert record.decode_state(older.replace(b",}", b"}")) == state


def test_books_from_a_time_without_marks_are_not_taken_for_those_of_now():
    """Marks off for some books, then on: asks are beside the mids they came with, or there are none."""
    rig = Seen()
    rig.open_market()
    rig.marks_fills = False
    rig.restart()
    assert not rig.engine.state.markets["linear:BTCUSDT"].recent_asks
    rig.tick(1, move="50")
    rig.marks_fills = True
    rig.restart()
    rig.tick(1, move="50")
    market = rig.engine.state.markets["linear:BTCUSDT"]
    (_, mid_px), ask_px = market.recent_mids[-1], market.recent_asks[-1]
    assert len(market.recent_asks) == 1
    assert ask_px - mid_px == rig.books[-1][1].best_ask - rig.books[-1][1].mid_px
