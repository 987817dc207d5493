"""The rules of the replay venue, each on a case with numbers reckoned by hand, for the twin and for the compiled venue.

Prices are ticks around 100, quantities lots, times nanoseconds: the exchange's clock starts at 1000.
"""

from fractions import Fraction

import pytest

from executor.domain.errors import InvariantViolation, LocalProtocolError
from simulation.replay import codes
from simulation.replay.layout import STAMP, Rows
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin

pytestmark = pytest.mark.timeout(600)  # the first call compiles the venue, where that is not on disk yet

BUY, SELL = 1, -1
FOREVER = 1 << 40


def machine(terms):
    return ReplayMachine(terms, window=128, room=16)


@pytest.fixture(params=[ReplayTwin, machine], ids=["twin", "compiled"])
def stage(request):
    # Messages are 10 ns apart: with the usual lag each print would be held for that of the change before it.
    return lambda **terms: Stage(request.param, ReplayTerms(**{"print_lag_ns": 0} | terms))


class Stage:
    """A venue with bids of 10 at 100 and 99, asks of 10 at 101 and 102; rows come when they are named."""

    def __init__(self, make, terms):
        self.venue = make(terms)
        self.at = 1_000
        self.heard = []
        self.rows(
            *((codes.LEVEL, BUY, px, 10) for px in (99, 100)),
            *((codes.LEVEL, SELL, px, 10) for px in (101, 102)),
        )

    def rows(self, *rows, ids=None, last=True, lag=0):
        """One message, 10 ns after what was before."""
        self.at += 10
        ids = ids or [0] * len(rows)
        flags = [0] * (len(rows) - 1) + [codes.LAST if last else 0]
        columns = [
            [self.at] * len(rows),
            [self.at + lag] * len(rows),
            *([row[i] for row in rows] for i in range(4)),
            ids,
            flags,
        ]
        self.venue.feed(Rows(*columns), final=False)
        assert self.venue.advance(FOREVER) == codes.MORE

    def level(self, side, px, qty):
        self.rows((codes.LEVEL, side, px, qty))

    def trade(self, side, px, qty):
        self.rows((codes.TRADE, side, px, qty))

    def ask(self, name, *terms):
        """Send something, and let it arrive before the next row."""
        getattr(self.venue, name)(*terms)
        self.trade(0, 100, 1)

    def finish(self):
        """Play to the end; answers as (kind, order, price, lots, leaves, detail)."""
        self.venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
        self.venue.advance(FOREVER)
        self.heard = self.venue.answers()
        return [(one.kind, one.order_id, one.px, one.qty, one.leaves, one.detail) for one in self.heard]

    def fills(self):
        return [
            (order, px, lots, detail)
            for kind, order, px, lots, _, detail in self.finish()
            if kind == codes.FILLED
        ]

    def reasons(self):
        return [(kind, detail) for kind, _, _, _, _, detail in self.finish()]


# ---------------------------------------------------------------------- time


def test_r1_exchange_time_never_goes_back(stage):
    at = stage(answer=Delay(constant_ns=0))
    at.ask("place", 1, BUY, 101, 4, codes.IOC)
    at.at -= 500
    at.ask("place", 2, BUY, 101, 4, codes.IOC)
    at.finish()
    times = [one.at_ns for one in at.heard]
    assert times == sorted(times)


def test_r2_what_we_see_is_late_by_the_feed_and_in_order(stage):
    at = stage(feed=Delay(constant_ns=25))
    at.level(BUY, 100, 7)
    at.venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
    at.venue.advance(1_010 + 24)
    assert at.venue.glance().bid_px == 0
    at.venue.advance(1_010 + 25)
    assert at.venue.glance()[:5] == (1_035, 100, 10, 101, 10)
    at.venue.advance(1_020 + 25)
    assert at.venue.glance()[:5] == (1_045, 100, 7, 101, 10)


def test_r2_measured_feed_takes_the_receive_time_and_never_overtakes(stage):
    at = stage(feed=Delay(measured=True))
    at.rows((codes.LEVEL, BUY, 100, 7), lag=50)
    at.rows((codes.LEVEL, BUY, 100, 6), lag=1)
    at.venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
    at.venue.advance(1_020 + 49)
    assert at.venue.glance().bid_qty == 10
    at.venue.advance(1_020 + 50)
    assert at.venue.glance()[:3] == (1_070, 100, 6)


def test_r2_sampled_latencies_come_from_the_seed(stage):
    def arrivals(seed):
        at = stage(entry=Delay(samples_ns=(2, 400)), answer=Delay(samples_ns=(1, 5, 9)), seed=seed)
        at.venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
        for order_id in range(1, 9):
            at.venue.advance(2_000 + 1_000 * order_id)
            at.venue.place(order_id, BUY, 90, 1)
        at.venue.advance(FOREVER)
        return [(one.at_ns % 1_000, one.due_ns - one.at_ns) for one in at.venue.answers()]

    seen = [arrivals(seed) for seed in range(5)]
    assert seen == [arrivals(seed) for seed in range(5)]
    assert len({tuple(times) for times in seen}) > 1
    assert {entry for times in seen for entry, _ in times} == {2, 400}
    assert {answer for times in seen for _, answer in times} == {1, 5, 9}


def test_r3_at_one_instant_rows_come_before_requests_and_these_before_what_we_see(stage):
    at = stage()
    at.venue.feed(Rows([1_100], [0], [1], [SELL], [101], [3], [0], [1]), final=True)
    at.venue.advance(1_099)
    at.venue.place(1, BUY, 101, 9, codes.IOC)
    at.venue.advance(1_100)
    # Zero latency: sent and arrived at 1099, so it met the old 10; what follows meets the row of its own instant.
    assert [one.qty for one in at.venue.answers()] == [9, 9]
    assert at.venue.glance()[3:5] == (101, 1)


def test_r4_a_request_never_arrives_before_rows_already_played(stage):
    at = stage()
    at.level(SELL, 101, 4)
    at.venue.place(1, BUY, 101, 9, codes.IOC)
    assert at.fills() == [(1, 101, 4, codes.TAKER)]
    assert at.heard[0].at_ns == 1_020


def test_r4_requests_and_answers_take_their_time_and_keep_their_order(stage):
    at = stage(entry=Delay(constant_ns=7), answer=Delay(constant_ns=30))
    at.venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
    at.venue.advance(2_000)
    at.venue.place(1, BUY, 99, 1)
    at.venue.advance(FOREVER, codes.WAKE_ANSWER)
    assert at.venue.now_ns == 2_037
    assert at.venue.answers()[0][:3] == (2_037, 2_007, codes.ACCEPTED)


def test_r4_a_cancel_that_arrives_after_the_fill_finds_nothing(stage):
    at = stage(entry=Delay(constant_ns=15), answer=Delay(constant_ns=100))
    at.venue.feed(
        Rows([1_050, 1_060], [0, 0], [2, 2], [SELL, 0], [98, 98], [2, 1], [0, 0], [1, 1]), final=True
    )
    at.venue.advance(1_030)
    at.venue.place(1, BUY, 99, 2)
    at.venue.advance(1_040)
    at.venue.cancel(1)
    # Order at 1045, trade through its price at 1050, cancel at 1055: filled, and nothing left to cancel.
    at.venue.advance(FOREVER)
    told = [(one.at_ns, one.kind, one.detail) for one in at.venue.answers()]
    assert told == [
        (1_045, codes.ACCEPTED, 0),
        (1_050, codes.FILLED, codes.MAKER),
        (1_055, codes.CANCEL_REJECTED, codes.UNKNOWN_ORDER),
    ]


def test_r5_an_advance_ends_at_what_was_asked_for(stage):
    at = stage(feed=Delay(constant_ns=3), conflate_ns=100)
    rows = [(1_100, 9), (1_110, 8), (1_150, 8), (1_300, 7)]
    columns = [
        [ns for ns, _ in rows],
        [0] * 4,
        [1] * 4,
        [1] * 4,
        [100] * 4,
        [qty for _, qty in rows],
        [0] * 4,
        [1] * 4,
    ]
    at.venue.advance(1_050)
    at.venue.feed(Rows(*columns), final=True)
    woken = []
    while (reason := at.venue.advance(5_000, codes.WAKE_TOUCH)) == codes.TOUCH_MOVED:
        woken.append((at.venue.now_ns, at.venue.glance().bid_qty))
    assert reason == codes.END
    # The first look at 1013, then never more often than every 100 ns; the row at 1150 changes nothing.
    assert woken == [(1_013, 10), (1_113, 8), (1_303, 7)]


def test_r5_prices_only_wakes_for_no_size(stage):
    at = stage(prices_only=True)
    rows = [(1_100, 100, 9), (1_200, 100, 0), (1_300, 99, 5)]
    columns = [
        [ns for ns, _, _ in rows], [0] * 3, [1] * 3, [1] * 3, [px for _, px, _ in rows], [qty for _, _, qty in rows],
        [0] * 3, [1] * 3,
    ]  # fmt: skip
    at.venue.feed(Rows(*columns), final=True)
    woken = []
    while at.venue.advance(5_000, codes.WAKE_TOUCH) == codes.TOUCH_MOVED:
        woken.append((at.venue.now_ns, at.venue.glance().bid_px))
    assert woken == [(1_200, 99)]


def test_r6_we_see_whole_messages_and_the_totals_of_trades(stage):
    at = stage()
    at.rows((codes.LEVEL, BUY, 100, 3), last=False)
    assert at.venue.glance()[1:3] == (100, 10)
    at.rows((codes.LEVEL, BUY, 99, 3))
    at.trade(SELL, 100, 2)
    at.trade(BUY, 101, 1)
    at.ask("place", 1, BUY, 100, 1)
    at.finish()
    assert at.venue.glance()[1:] == (100, 3, 101, 10, 2 + 1 + 1, 200 + 101 + 100)


# ---------------------------------------------------------------------- the book


def test_r7_levels_are_totals_and_a_clear_empties(stage):
    at = stage()
    at.level(BUY, 100, 0)
    at.rows((codes.TOUCH, BUY, 100, 7))
    at.finish()
    assert at.venue.glance()[1:5] == (99, 10, 101, 10)
    at = stage()
    at.rows((codes.CLEAR, SELL, 0, 0))
    at.finish()
    assert at.venue.glance()[1:5] == (100, 10, 0, 0)
    at = stage()
    at.rows((codes.CLEAR, 0, 0, 0), (codes.LEVEL, BUY, 98, 1))
    at.finish()
    assert at.venue.glance()[1:5] == (98, 1, 0, 0)


@pytest.mark.parametrize(
    "message",
    [
        (codes.TRADE, BUY, 101, 1),
        (codes.MARK, 0, 100, 0),
        (codes.TOUCH, BUY, 100, 7),
        (codes.HIDDEN, 0, 100, 1),
        (codes.HALT, 0, 0, 0),
        (codes.LEVEL, BUY, 99, 7),  # one side is no market either
        (codes.LEVEL, SELL, 101, 0),
    ],
)
def test_r7_a_void_book_is_no_market_until_a_message_leaves_both_sides(stage, message):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)  # 10 are ahead
    at.rows((codes.CLEAR, 0, 0, 0))
    at.rows(message)
    at.ask("place", 2, BUY, 100, 5)
    at.rows((codes.LEVEL, BUY, 100, 30), (codes.LEVEL, SELL, 101, 30), last=False)
    at.venue.place(3, BUY, 100, 5)
    at.rows((codes.LEVEL, BUY, 99, 30))
    at.ask("place", 4, BUY, 100, 5)
    at.trade(SELL, 100, 11)  # whoever was ahead before the void is still ahead
    assert [(kind, order, lots, detail) for kind, order, _, lots, _, detail in at.finish()] == [
        (codes.ACCEPTED, 1, 5, 0),
        (codes.REJECTED, 2, 5, codes.NO_MARKET),
        (codes.REJECTED, 3, 5, codes.NO_MARKET),
        (codes.ACCEPTED, 4, 5, 0),
        (codes.FILLED, 1, 1, codes.MAKER),
    ]


def test_r7_a_recording_that_begins_with_trades_has_no_market_yet(stage):
    at = stage()
    fresh = type(at.venue)(ReplayTerms())
    fresh.feed(
        Rows([1_000, 1_100], [0, 0], [2, 2], [BUY, SELL], [100, 99], [1, 1], [0, 0], [1, 1]), final=True
    )
    fresh.advance(1_000)
    fresh.place(1, BUY, 99, 1)
    fresh.advance(FOREVER)
    assert [(one.kind, one.detail) for one in fresh.answers()] == [(codes.REJECTED, codes.NO_MARKET)]


def test_r7_a_side_that_was_cleared_must_be_there_again(stage):
    at = stage()
    at.rows((codes.CLEAR, SELL, 0, 0))
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 99, 12)
    at.ask("place", 2, BUY, 100, 5)
    at.level(SELL, 101, 1)
    at.ask("place", 3, BUY, 100, 5)
    refused = (codes.REJECTED, codes.NO_MARKET)
    assert at.reasons() == [refused, refused, (codes.ACCEPTED, 0)]


@pytest.mark.parametrize(("lots", "ahead"), [(20, 6), (3, 3)])
def test_r8_a_snapshot_shortens_a_queue_and_never_lengthens_it(stage, lots, ahead):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 4)
    at.rows((codes.CLEAR, 0, 0, 0), (codes.LEVEL, BUY, 100, lots), (codes.LEVEL, SELL, 102, 1))
    at.trade(SELL, 100, ahead)
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]
    assert at.heard[-1].at_ns == at.at


@pytest.mark.parametrize(
    ("shown", "ahead"),
    [
        ([(101, 3), (99, 7)], 0),  # passes over our price: nobody is there
        ([(101, 3)], 6),  # ends above our price: nothing is known of it
        ([], 6),
    ],
)
def test_r8_a_price_that_a_snapshot_passes_over_has_nobody_ahead(stage, shown, ahead):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 4)
    bids = ((codes.LEVEL, BUY, px, lots) for px, lots in shown)
    at.rows((codes.CLEAR, 0, 0, 0), *bids, (codes.LEVEL, SELL, 102, 1))
    if ahead:
        at.trade(SELL, 100, ahead)
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]
    assert at.heard[-1].at_ns == at.at


def test_r9_a_trade_of_unknown_side_fills_nobody(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(0, 90, 50)
    assert at.fills() == []
    assert at.venue.glance().traded_qty == 51


def test_r9_no_level_fills_us_while_trading_is_halted_and_what_still_crosses_does_afterwards(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.ask("place", 2, BUY, 99, 5)
    at.rows((codes.HALT, 0, 0, 1))
    at.level(SELL, 100, 3)
    at.level(SELL, 99, 4)
    at.level(SELL, 98, 9)
    at.level(SELL, 98, 0)  # gone before trading goes on
    at.rows((codes.HALT, 0, 0, 1))
    at.trade(0, 100, 1)
    assert at.venue.account().fills == 0
    at.rows((codes.HALT, 0, 0, 0))
    resumed_ns = at.at
    at.rows((codes.HALT, 0, 0, 0))  # it goes on already
    # 4 at 99 meet the better of ours, then 3 at 100 meet what is left of it.
    assert at.fills() == [(1, 100, 4, codes.MAKER), (1, 100, 1, codes.MAKER)]
    assert {one.at_ns for one in at.heard if one.kind == codes.FILLED} == {resumed_ns}
    assert at.venue.glance()[3:5] == (100, 2)


def test_r10_without_our_taking_the_book_is_the_recorded_one(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5, codes.POST_ONLY)
    at.ask("place", 2, BUY, 102, 99, codes.FOK)
    at.finish()
    assert at.venue.glance()[1:5] == (100, 10, 101, 10)


# ---------------------------------------------------------------------- queues


def test_r11_a_trade_at_the_price_eats_the_queue_first(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 8)  # 10 ahead: 2 left
    at.trade(SELL, 100, 4)  # 2 ahead, then 2 of ours
    at.trade(SELL, 100, 9)  # our last 3
    assert at.fills() == [(1, 100, 2, codes.MAKER), (1, 100, 3, codes.MAKER)]
    assert at.venue.account()[:3] == (5, -500, 500)


def test_r11_a_lot_of_a_trade_goes_to_one_order_of_ours(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 14)
    at.ask("place", 2, BUY, 100, 5)
    # Ahead: 10 before the first; 4 more before the second. 10 + 5 + 4 + 1 = 20.
    at.trade(SELL, 100, 20)
    assert at.fills() == [(1, 100, 5, codes.MAKER), (2, 100, 1, codes.MAKER)]


def test_r11_a_buyer_reaches_asks_only(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.ask("place", 2, SELL, 101, 5)
    at.trade(BUY, 101, 30)
    assert at.fills() == [(2, 101, 5, codes.MAKER)]


def test_r12_a_trade_through_the_price_fills_by_its_lots_and_leaves_nobody_ahead(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 99, 1)
    at.trade(SELL, 100, 2)
    at.trade(SELL, 98, 7)
    assert at.fills() == [(1, 100, 1, codes.MAKER), (1, 100, 2, codes.MAKER), (1, 100, 2, codes.MAKER)]


def test_r12_the_lots_of_a_print_count_once_over_all_orders_of_ours_the_best_price_first(stage):
    at = stage()
    at.level(BUY, 100, 0)
    at.ask("place", 1, BUY, 99, 5)  # 10 ahead
    at.ask("place", 2, BUY, 100, 3)
    at.level(SELL, 101, 0)
    at.ask("place", 3, BUY, 101, 5)
    at.ask("place", 4, BUY, 100, 3)
    at.trade(SELL, 99, 13)
    # 5, then 3 and 3 in the order of their arrival; the other 2 are of the 10 that wait ahead at 99.
    assert at.fills() == [(3, 101, 5, codes.MAKER), (2, 100, 3, codes.MAKER), (4, 100, 3, codes.MAKER)]
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.ask("place", 2, BUY, 99, 5)
    at.trade(SELL, 98, 6)
    assert at.fills() == [(1, 100, 5, codes.MAKER), (2, 99, 1, codes.MAKER)]


def test_r13_a_level_that_reaches_us_fills_by_its_size_and_best_price_first(stage):
    at = stage()
    at.level(SELL, 101, 0)
    at.ask("place", 1, BUY, 100, 5)
    at.ask("place", 2, BUY, 101, 5)
    at.level(SELL, 100, 7)
    assert at.fills() == [(2, 101, 5, codes.MAKER), (1, 100, 2, codes.MAKER)]


def test_r13_the_lots_that_filled_us_are_gone_from_the_level(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.level(SELL, 100, 7)
    at.ask("place", 2, BUY, 100, 9, codes.IOC)
    assert at.fills() == [(1, 100, 5, codes.MAKER), (2, 100, 2, codes.TAKER)]


def ahead_after(model, ahead, before, after):
    """What the queue models say, in fractions; the weights are f(ahead) : f(behind)."""
    gone, behind = before - after, before - ahead
    powers = {codes.PROPORTIONAL: 1, codes.SQUARE: 2, codes.CUBE: 3}
    share = Fraction(ahead ** powers[model], ahead ** powers[model] + behind ** powers[model])
    return ahead - share * gone


@pytest.mark.parametrize(
    ("model", "ahead"),
    [
        (codes.RISK_AVERSE, Fraction(10)),
        (codes.PROPORTIONAL, Fraction(8)),  # 10 ahead, 20 behind, 6 gone: a third of them
        (codes.SQUARE, 10 - Fraction(6, 5)),  # 100 : 400
        (codes.CUBE, 10 - Fraction(6, 9)),  # 1000 : 8000
    ],
)
def test_r14_a_decrease_is_shared_by_the_model(stage, model, ahead):
    at = stage(queue_model=model)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 30)
    at.level(BUY, 100, 24)
    if model != codes.RISK_AVERSE:
        assert ahead == ahead_after(model, 10, 30, 24)
    waits = -(-ahead.numerator // ahead.denominator)  # a lot that is not wholly gone is still ahead
    at.trade(SELL, 100, waits)
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r14_logarithmic_shares_by_the_logarithm(stage):
    # 10 ahead, 20 behind: ln 11 : ln 21 = 2.398 : 3.045, so 0.4406 of 6 leave ahead of us: 7.36 stay, 8 lots wait.
    at = stage(queue_model=codes.LOGARITHMIC)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 30)
    at.level(BUY, 100, 24)
    at.trade(SELL, 100, 8)
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


@pytest.mark.parametrize("model", [codes.RISK_AVERSE, codes.PROPORTIONAL, codes.LOGARITHMIC])
def test_r14_never_more_ahead_than_the_level_holds(stage, model):
    at = stage(queue_model=model)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 3)
    at.trade(SELL, 100, 4)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r15_a_decrease_that_a_trade_explains_is_not_counted_twice(stage):
    at = stage(queue_model=codes.PROPORTIONAL)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 30)
    at.trade(SELL, 100, 6)
    at.level(BUY, 100, 24)
    # 4 ahead; were the 6 shared once more, 3 would be left.
    at.trade(SELL, 100, 4)
    assert at.fills() == []


def test_r15_a_print_that_comes_after_the_change_it_made_is_not_counted_twice(stage):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 6)
    at.trade(SELL, 100, 4)  # these 4 have left already: 6 stay ahead
    at.trade(SELL, 100, 3)
    at.level(BUY, 100, 3)
    at.trade(SELL, 100, 4)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r15_a_level_that_was_eaten_whole_before_its_print(stage):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 0)
    at.trade(SELL, 100, 4)
    at.trade(SELL, 100, 6)
    assert at.venue.account().fills == 0
    at.trade(SELL, 100, 2)
    assert at.fills() == [(1, 100, 2, codes.MAKER)]


@pytest.mark.parametrize("shown", [[(100, 3), (99, 5)], [(99, 5)]])
def test_r15_a_snapshot_before_the_print(stage, shown):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    bids = [(codes.LEVEL, BUY, px, lots) for px, lots in shown]
    at.rows((codes.CLEAR, 0, 0, 0), *bids, (codes.LEVEL, SELL, 102, 1))
    at.trade(SELL, 100, 10)
    assert at.venue.account().fills == 0
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r15_a_print_takes_the_front_whatever_the_model_said_of_the_change(stage):
    at = stage(queue_model=codes.PROPORTIONAL, print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    at.level(BUY, 100, 30)
    at.level(BUY, 100, 24)  # 2 of the 6 were ahead
    at.trade(SELL, 100, 6)  # all of them were: 4 stay
    at.trade(SELL, 100, 4)
    assert at.venue.account().fills == 0
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r15_lots_that_left_from_behind_fill_us_when_their_print_comes(stage):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 7)  # 3 ahead
    at.level(BUY, 100, 14)
    at.level(BUY, 100, 4)
    at.trade(SELL, 100, 10)  # in truth 3 ahead of us, our 5, and 2 behind us
    assert at.fills() == [(1, 100, 5, codes.MAKER)]


@pytest.mark.parametrize(("later", "fills"), [(0, 0), (40, 0), (140, 0), (150, 1), (990, 1)])
def test_r15_a_change_counts_to_the_end_of_the_span_after_its_own(stage, later, fills):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)  # the row after it has 1020
    at.at = 1_040
    at.level(BUY, 100, 0)  # 1050: spans end at 1100 and 1200
    at.at += later - 10
    at.trade(SELL, 100, 10)
    at.finish()
    assert at.venue.account().fills == fills


def test_r15_a_change_of_two_spans_is_used_up_oldest_first(stage):
    at = stage(print_lag_ns=100)
    at.ask("place", 1, BUY, 100, 5)
    at.at = 1_080
    at.level(BUY, 100, 6)  # 1090: 4 left
    at.level(BUY, 100, 5)  # 1100: 1 left
    at.trade(SELL, 100, 4)  # 1110: the first 4
    at.at = 1_240
    at.trade(SELL, 100, 1)  # 1250: the 1 of the span before
    at.trade(SELL, 100, 5)
    assert at.venue.account().fills == 0
    at.trade(SELL, 100, 1)
    assert at.fills() == [(1, 100, 1, codes.MAKER)]


def test_r16_order_level_data_gives_exact_places(stage):
    at = stage()
    at.rows((codes.ADD, BUY, 98, 4), ids=[11])
    at.rows((codes.ADD, BUY, 98, 6), ids=[12])
    at.ask("place", 1, BUY, 98, 5)
    at.rows((codes.ADD, BUY, 98, 8), ids=[13])
    at.rows((codes.REDUCE, BUY, 98, 2), ids=[13])  # behind us
    at.rows((codes.DELETE, BUY, 98, 6), ids=[12])  # ahead: 4 left
    at.rows((codes.EXECUTE, BUY, 98, 4), ids=[11])  # ahead: none left
    at.rows((codes.EXECUTE, BUY, 98, 2), ids=[13])  # would have been ours
    at.rows((codes.EXECUTE, BUY, 98, 4), ids=[13])
    assert at.fills() == [(1, 98, 2, codes.MAKER), (1, 98, 3, codes.MAKER)]


def test_r16_an_execution_at_a_worse_price_fills_by_its_lots(stage):
    at = stage()
    at.rows((codes.ADD, BUY, 98, 8), ids=[11])
    at.ask("place", 1, BUY, 99, 5)
    at.ask("place", 2, BUY, 98, 5)
    at.rows((codes.ADD, BUY, 98, 8), ids=[12])
    at.rows((codes.EXECUTE, BUY, 98, 1), ids=[11])
    at.rows((codes.EXECUTE, BUY, 98, 7), ids=[12])  # 4 pass us at 99; 3 would have been ours at 98
    assert at.fills() == [(1, 99, 1, codes.MAKER), (1, 99, 4, codes.MAKER), (2, 98, 3, codes.MAKER)]


def test_r16_hidden_executions_touch_no_queue(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.rows((codes.HIDDEN, SELL, 100, 50))
    assert at.fills() == []


# ---------------------------------------------------------------------- taking


def test_r17_taking_walks_the_levels_within_the_limit(stage):
    at = stage()
    at.ask("place", 1, BUY, 102, 14, codes.IOC)
    assert at.fills() == [(1, 101, 10, codes.TAKER), (1, 102, 4, codes.TAKER)]
    assert at.venue.account()[:5] == (14, -(1010 + 408), 0, 1418, 0)


def test_r18_taken_stays_taken_until_the_recording_takes_it(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 8, codes.IOC)
    at.ask("place", 2, BUY, 101, 8, codes.IOC)  # 2 of 10 left
    at.level(SELL, 101, 10)  # said again: nothing new
    at.ask("place", 3, BUY, 101, 8, codes.IOC)
    assert at.fills() == [(1, 101, 8, codes.TAKER), (2, 101, 2, codes.TAKER)]


def test_r18_what_a_row_adds_can_be_taken(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 10, codes.IOC)
    at.level(SELL, 101, 13)
    at.ask("place", 2, BUY, 101, 8, codes.IOC)
    assert at.fills() == [(1, 101, 10, codes.TAKER), (2, 101, 3, codes.TAKER)]


def test_r18_what_leaves_is_first_what_we_took(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 6, codes.IOC)  # 4 of 10 left
    at.level(SELL, 101, 5)  # 5 of our 6 left: still 4
    at.level(SELL, 101, 3)  # the sixth, and one of the 4
    at.ask("place", 2, BUY, 101, 8, codes.IOC)
    assert at.fills() == [(1, 101, 6, codes.TAKER), (2, 101, 3, codes.TAKER)]


def test_r18_a_level_that_comes_back_is_whole(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 10, codes.IOC)
    at.level(SELL, 101, 0)
    at.level(SELL, 101, 10)
    at.ask("place", 2, BUY, 101, 8, codes.IOC)
    assert at.fills() == [(1, 101, 10, codes.TAKER), (2, 101, 8, codes.TAKER)]


@pytest.mark.parametrize(("shown", "again"), [(10, 0), (13, 3), (4, 0)])
def test_r18_what_a_snapshot_still_shows_stays_taken(stage, shown, again):
    at = stage()
    at.ask("place", 1, BUY, 101, 10, codes.IOC)
    at.rows((codes.CLEAR, 0, 0, 0), (codes.LEVEL, SELL, 101, shown), (codes.LEVEL, BUY, 100, 10))
    at.ask("place", 2, BUY, 101, 9, codes.IOC)
    assert at.fills()[1:] == [(2, 101, again, codes.TAKER)] * (again > 0)


def test_r18_a_snapshot_takes_no_more_than_it_shows(stage):
    at = stage()
    at.ask("place", 1, BUY, 102, 20, codes.IOC)
    whole = (codes.LEVEL, BUY, 100, 10)
    at.rows((codes.CLEAR, 0, 0, 0), (codes.LEVEL, SELL, 101, 4), whole)  # 102 is gone
    at.rows((codes.LEVEL, SELL, 101, 6), (codes.LEVEL, SELL, 102, 3))  # 2 more than our 4, and others
    at.ask("place", 2, BUY, 102, 9, codes.IOC)
    assert at.fills()[2:] == [(2, 101, 2, codes.TAKER), (2, 102, 3, codes.TAKER)]


def test_r18_a_level_that_reached_us_and_is_in_every_snapshot_fills_us_once(stage):
    at = stage()
    at.level(SELL, 101, 0)
    at.ask("place", 1, BUY, 101, 9)
    whole = [(codes.CLEAR, 0, 0, 0), (codes.LEVEL, SELL, 101, 3), (codes.LEVEL, BUY, 100, 10)]
    at.rows(*whole)
    at.rows(*whole)
    at.rows((codes.CLEAR, SELL, 0, 0), whole[1])
    assert at.fills() == [(1, 101, 3, codes.MAKER)]


def test_r18_we_see_what_we_took(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 10, codes.IOC)
    at.finish()
    assert at.venue.glance()[3:5] == (102, 10)


def test_r18_can_be_switched_off(stage):
    at = stage(keeps_taken=False)
    at.ask("place", 1, BUY, 101, 8, codes.IOC)
    at.ask("place", 2, BUY, 101, 8, codes.IOC)
    assert at.fills() == [(1, 101, 8, codes.TAKER), (2, 101, 8, codes.TAKER)]


def test_r19_post_only_ends_instead_of_taking(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 5, codes.POST_ONLY)
    at.ask("place", 2, BUY, 100, 5, codes.POST_ONLY)
    assert at.reasons() == [(codes.ACCEPTED, 0), (codes.ENDED, codes.WOULD_TAKE), (codes.ACCEPTED, 0)]


def test_r20_ioc_ends_with_what_is_left(stage):
    at = stage()
    at.ask("place", 1, SELL, 100, 14, codes.IOC)
    assert at.finish() == [
        (codes.ACCEPTED, 1, 100, 14, 14, 0),
        (codes.FILLED, 1, 100, 10, 4, codes.TAKER),
        (codes.ENDED, 1, 100, 14, 0, codes.NOTHING_MORE),
    ]


def test_r20_fok_is_filled_whole_or_not_at_all(stage):
    at = stage()
    at.ask("place", 1, BUY, 102, 21, codes.FOK)
    at.ask("place", 2, BUY, 102, 20, codes.FOK)
    assert [(kind, order, lots) for kind, order, _, lots, _, _ in at.finish()] == [
        (codes.ACCEPTED, 1, 21),
        (codes.ENDED, 1, 21),
        (codes.ACCEPTED, 2, 20),
        (codes.FILLED, 2, 10),
        (codes.FILLED, 2, 10),
    ]


def test_r21_what_gtc_has_left_rests_in_front(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 14)
    at.trade(SELL, 101, 3)
    assert at.fills() == [(1, 101, 10, codes.TAKER), (1, 101, 3, codes.MAKER)]


def test_r22_our_orders_never_trade_with_each_other(stage):
    at = stage()
    at.ask("place", 1, SELL, 102, 5)
    at.ask("place", 2, BUY, 103, 50)
    at.ask("place", 3, BUY, 102, 5, codes.POST_ONLY)
    assert at.finish()[1:] == [
        (codes.ACCEPTED, 2, 103, 50, 50, 0),
        (codes.FILLED, 2, 101, 10, 40, codes.TAKER),
        (codes.ENDED, 2, 103, 50, 0, codes.SELF_TRADE),
        (codes.ACCEPTED, 3, 102, 5, 5, 0),
        (codes.ENDED, 3, 102, 5, 0, codes.WOULD_TAKE),
    ]


# ---------------------------------------------------------------------- amending, refusing, money


def test_r23_less_keeps_the_place(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 6)
    at.level(BUY, 100, 14)
    at.ask("amend", 1, 100, 3)
    at.trade(SELL, 100, 9)
    assert at.fills() == [(1, 100, 3, codes.MAKER)]


def test_r23_more_or_another_price_goes_to_the_end(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 6)
    at.level(BUY, 100, 14)
    at.ask("amend", 1, 100, 6)
    at.trade(SELL, 100, 14)
    at.trade(SELL, 100, 2)
    assert at.fills() == [(1, 100, 2, codes.MAKER)]


def test_r23_an_amendment_may_take_or_end_and_knows_what_is_filled(stage):
    at = stage()
    at.ask("place", 1, BUY, 100, 5)
    at.trade(SELL, 100, 12)
    at.ask("amend", 1, 100, 2)
    at.ask("amend", 1, 101, 6)
    at.ask("place", 2, BUY, 99, 5, codes.POST_ONLY)
    at.ask("amend", 2, 99, 5)
    at.ask("amend", 2, 103, 5)
    at.ask("amend", 9, 99, 5)
    assert at.reasons() == [
        (codes.ACCEPTED, 0),
        (codes.FILLED, codes.MAKER),
        (codes.AMEND_REJECTED, codes.BELOW_FILLED),
        (codes.AMENDED, 0),
        (codes.FILLED, codes.TAKER),
        (codes.ACCEPTED, 0),
        (codes.AMEND_REJECTED, codes.UNCHANGED),
        (codes.AMENDED, 0),
        (codes.ENDED, codes.WOULD_TAKE),
        (codes.AMEND_REJECTED, codes.UNKNOWN_ORDER),
    ]
    assert at.venue.account().position == 2 + 4


def test_r24_so_many_requests_of_a_kind_in_any_second(stage):
    at = stage(requests_per_s_max=2)
    for order_id in (1, 2, 3):
        at.ask("place", order_id, BUY, 99, 1)
    at.ask("cancel", 1)
    at.at += codes.NS_PER_S
    at.trade(0, 100, 1)
    at.ask("place", 4, BUY, 99, 1)
    assert at.reasons() == [
        (codes.ACCEPTED, 0),
        (codes.ACCEPTED, 0),
        (codes.REJECTED, codes.RATE_LIMIT),
        (codes.ENDED, codes.AS_ASKED),
        (codes.ACCEPTED, 0),
    ]


def test_r25_beyond_the_band_of_the_mark_or_the_last_price(stage):
    at = stage(price_band_bps=500)
    at.ask("place", 1, BUY, 105, 1, codes.IOC)  # last price 100: 5 % is allowed
    at.ask("place", 2, BUY, 106, 1, codes.IOC)
    at.ask("place", 3, SELL, 94, 1, codes.IOC)
    at.ask("place", 4, BUY, 50, 1)
    at.rows((codes.MARK, 0, 110, 0))
    at.ask("place", 5, BUY, 106, 1, codes.IOC)
    said = {order: (kind, detail) for kind, order, _, _, _, detail in at.finish() if kind in {1, 2}}
    refused = (codes.REJECTED, codes.PRICE_BAND)
    assert said == {1: (1, 0), 2: refused, 3: refused, 4: (1, 0), 5: (1, 0)}


def test_r26_other_reasons_to_refuse(stage):
    at = stage(open_orders_max=1, order_qty_max=20, order_px_max=150)
    at.ask("place", 9, SELL, 151, 1)
    at.ask("place", 1, BUY, 0, 1)
    at.ask("place", 2, BUY, 99, 0)
    at.ask("place", 3, BUY, 99, 21)
    at.ask("place", 4, BUY, 99, 1)
    at.ask("place", 5, BUY, 98, 1)
    at.rows((codes.HALT, 0, 0, 1))
    at.ask("place", 6, BUY, 99, 1)
    at.ask("cancel", 4)
    at.rows((codes.HALT, 0, 0, 0))
    at.rows((codes.CLEAR, 0, 0, 0), last=False)
    at.venue.place(7, BUY, 99, 1)
    at.rows((codes.LEVEL, BUY, 99, 5), (codes.LEVEL, SELL, 101, 5))
    at.ask("place", 8, BUY, 98, 1)
    assert at.reasons() == [
        (codes.REJECTED, codes.BAD_TERMS),
        (codes.REJECTED, codes.BAD_TERMS),
        (codes.REJECTED, codes.BAD_TERMS),
        (codes.REJECTED, codes.BAD_TERMS),
        (codes.ACCEPTED, 0),
        (codes.REJECTED, codes.OPEN_ORDERS),
        (codes.REJECTED, codes.HALTED),
        (codes.ENDED, codes.AS_ASKED),
        (codes.REJECTED, codes.NO_MARKET),
        (codes.ACCEPTED, 0),
    ]


def test_r27_turnover_is_kept_by_who_waited(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 4, codes.IOC)
    at.ask("place", 2, SELL, 101, 4)
    at.level(SELL, 101, 4)
    at.trade(BUY, 102, 4)
    at.finish()
    account = at.venue.account()
    assert (account.position, account.cash) == (0, 0)
    # A rebate of 1 in 10 000 for waiting, a fee of 5 in 10 000 for taking: 404 * 0.0005 - 404 * 0.0001.
    fee = account.taker_turnover * Fraction(5, 10_000) + account.maker_turnover * Fraction(-1, 10_000)
    assert fee == Fraction(1616, 10_000)


def test_r27_sums_outgrow_64_bits_and_stay_exact(stage):
    at = stage(order_qty_max=1 << 44)
    px, lots = 15_000_000_000_001, 3_000_000_000_001
    at.rows((codes.LEVEL, SELL, px, lots), (codes.LEVEL, BUY, px - 2, lots))
    at.rows((codes.LEVEL, SELL, 101, 0), (codes.LEVEL, SELL, 102, 0))
    at.ask("place", 1, BUY, px, lots, codes.IOC)
    at.ask("place", 2, SELL, px - 2, lots - 5, codes.IOC)
    at.ask("place", 3, BUY, px - 1, 7)
    for _ in range(3):
        at.trade(SELL, px - 1, lots)
    at.finish()
    account, traded = at.venue.account(), at.venue.glance()
    assert account.position == 5 + 7
    assert account.cash == -px * lots + (px - 2) * (lots - 5) - (px - 1) * 7
    assert account.taker_turnover == px * lots + (px - 2) * (lots - 5)
    assert account.maker_turnover == (px - 1) * 7
    assert traded.traded_value == 3 * (px - 1) * lots + 3 * 100
    assert traded.traded_qty == 3 * lots + 3


def test_r28_funding_is_paid_on_the_mark(stage):
    at = stage()
    at.ask("place", 1, BUY, 101, 4, codes.IOC)
    at.rows((codes.MARK, 0, 105, 0))
    at.rows((codes.FUNDING, 0, 100_000, 0))  # 0.0001
    at.ask("place", 2, SELL, 100, 6, codes.IOC)
    at.rows((codes.FUNDING, 0, 300_000, 0))  # short 2 now: got
    at.finish()
    paid = Fraction(at.venue.account().funding, codes.FUNDING_UNIT)
    assert paid == 4 * 105 * Fraction(1, 10_000) - 2 * 105 * Fraction(3, 10_000)


# ---------------------------------------------------------------------- the compiled venue's own


def test_levels_far_away_come_back_when_the_touch_goes_there():
    venue, twin = machine(ReplayTerms()), ReplayTwin(ReplayTerms())
    asks = [(px, 5) for px in (101, 150, 400, 9_000, 70_000)]
    for px, qty in [*asks, *((px, 0) for px, _ in asks[:-1]), (300, 2), (300, 0), (70_000, 0), (120, 1)]:
        for one in (venue, twin):
            one.feed(Rows([1_000], [0], [1], [SELL], [px], [qty], [0], [1]), final=False)
            assert one.advance(FOREVER) == codes.MORE
        assert venue.state_hash() == twin.state_hash()


def test_rows_are_not_lost_when_handed_over_too_early():
    venue = machine(ReplayTerms())
    rows = Rows([1_000], [0], [1], [SELL], [100], [1], [0], [1])
    venue.feed(rows, final=False)
    with pytest.raises(LocalProtocolError, match="before those before them"):
        venue.feed(rows, final=False)


def test_code_of_another_version_is_noticed():
    venue = machine(ReplayTerms())
    venue.state.registers[STAMP] += 1
    with pytest.raises(InvariantViolation, match="another version"):
        venue.advance(FOREVER)


@pytest.mark.parametrize(
    "row",
    [
        (1_000, codes.LEVEL, SELL, 101, 1 << codes.NUMBER_BITS),
        (1_000, codes.LEVEL, SELL, 1 << codes.NUMBER_BITS, 1),
        (1_000, codes.TRADE, SELL, -(1 << codes.NUMBER_BITS) - 1, 1),
        (1_000, codes.TRADE, SELL, 100, -1),
        (1_000, codes.MARK, 0, 1 << 62, 0),
        (codes.NEVER, codes.TRADE, SELL, 100, 1),
    ],
)
def test_numbers_too_large_to_be_reckoned_with_are_refused(row):
    venue = machine(ReplayTerms())
    at_ns, *numbers = row
    columns = [[value] for value in (at_ns, 0, *numbers, 0, 1)]
    venue.feed(Rows(*columns), final=True)
    with pytest.raises(InvariantViolation, match="price or quantity not below"):
        venue.advance(codes.NEVER)


def test_a_level_that_grows_beyond_what_is_reckoned_with_is_refused():
    venue, most = machine(ReplayTerms()), (1 << codes.NUMBER_BITS) - 1
    venue.feed(
        Rows([1_000] * 2, [0] * 2, [codes.ADD] * 2, [1] * 2, [100] * 2, [most, 1], [1, 2], [1] * 2),
        final=True,
    )
    with pytest.raises(InvariantViolation, match="beyond what the compiled venue counts"):
        venue.advance(2_000)


@pytest.mark.parametrize("terms", [dict(order_px_max=1 << 45), dict(order_qty_max=1 << 45)])
def test_terms_too_large_for_the_compiled_venue_are_refused(terms):
    with pytest.raises(ValueError, match="must be below"):
        machine(ReplayTerms(**terms))


def test_the_twin_keeps_no_more_requests_in_mind_than_its_limit_needs():
    twin = ReplayTwin(ReplayTerms(requests_per_s_max=3))
    twin.feed(Rows(*([] for _ in Rows._fields)), final=True)
    for i in range(100):
        twin.advance(i * codes.NS_PER_S)
        twin.cancel(1)
    twin.advance(200 * codes.NS_PER_S)
    assert [len(times) for times in twin._admitted] == [0, 0, 3]


def test_many_answers_get_room():
    venue = machine(ReplayTerms())
    for order_id in range(100):
        venue.cancel(order_id)
    venue.feed(Rows(*([] for _ in Rows._fields)), final=True)
    assert venue.advance(10) == codes.UNTIL
    assert [one.order_id for one in venue.answers()] == list(range(100))


@pytest.mark.parametrize(
    "terms",
    [
        dict(queue_model=9),
        dict(price_band_bps=-1),
        dict(price_band_bps=1 << 16),
        dict(print_lag_ns=-1),
        dict(order_px_max=0),
        dict(open_orders_max=0),
        dict(seed=-1),
    ],
)
def test_terms_that_mean_nothing_are_refused(terms):
    with pytest.raises(ValueError):  # noqa: PT011 - several sentences
        ReplayTerms(**terms)


def test_latencies_that_mean_nothing_are_refused():
    for wrong in (
        dict(constant_ns=-1),
        dict(constant_ns=1 << 61),
        dict(samples_ns=(1, -1)),
        dict(samples_ns=(1,), measured=True),
    ):
        with pytest.raises(ValueError, match="latency"):
            Delay(**wrong)
