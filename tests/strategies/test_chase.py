"""Chase: where the order hangs, how far it goes along, and what it does then."""

from dataclasses import replace

import pytest

from executor.domain.decision import Style, Why, Working
from executor.domain.orders import GiveUp, Peg, Side, StrategyParams
from strategies.chase import Chase, peg_px
from tests.builders import T0, D, instrument, parent_order, snapshot, view

CHASE = Chase()


def moment(bid="50000.0", ask="50001.0", *, at=None, side=Side.BUY, reprices=0, **params):
    """A book a unit wide; `at` is where our order rests."""
    order = parent_order(side=side, params=StrategyParams(**params))
    plan = CHASE.plan(
        order=order, instrument=instrument(), reference_px=D(50_000), start_ns=T0, end_ns=order.deadline_ns,
        cum_qty=D(0),
    )  # fmt: skip
    working = None if at is None else Working(style=Style.REST, px=D(at), leaves_qty=D(1))
    return view(
        plan,
        order=order,
        market=snapshot(bid, ask),
        working=working,
        reprices=reprices,
        arrival_px=D("50000.5"),
    )


@pytest.mark.parametrize(
    ("peg", "offset", "buys_at", "sells_at"),
    [
        (None, None, "50000.0", "50001.0"),
        (Peg.TOUCH, 3, "49999.7", "50001.3"),
        (Peg.MID, 0, "50000.5", "50000.5"),
        (Peg.MID, 2, "50000.3", "50000.7"),
        (Peg.FAR, 0, "50000.9", "50000.1"),
        (Peg.FAR, 4, "50000.5", "50000.5"),
    ],
)
def test_where_it_hangs(peg, offset, buys_at, sells_at):
    assert peg_px(moment(peg=peg, peg_offset_ticks=offset)) == D(buys_at)
    assert peg_px(moment(peg=peg, peg_offset_ticks=offset, side=Side.SELL)) == D(sells_at)


@pytest.mark.parametrize("peg", Peg)
@pytest.mark.parametrize("side", Side)
def test_in_a_book_one_tick_wide_it_rests_at_the_touch_whatever_it_hangs_on(peg, side):
    look = moment("50000.0", "50000.1", peg=peg, side=side)
    assert peg_px(look) == look.market.touch(side)


def test_all_that_is_left_rests():
    wish = CHASE.decide(moment(peg=Peg.MID))
    assert (wish.style, wish.qty, wish.px, wish.why) == (Style.REST, D(1), D("50000.5"), Why.PEG_RESTING)


def test_it_follows_a_market_that_runs_away_after_so_many_ticks():
    assert CHASE.decide(moment("50000.2", at="50000.0", reprice_ticks=3)).px == D("50000.0")
    assert CHASE.decide(moment("50000.3", at="50000.0", reprice_ticks=3)).px == D("50000.3")


def test_it_comes_back_with_the_market_at_once():
    assert CHASE.decide(moment("49999.9", at="50000.0", reprice_ticks=3)).px == D("49999.9")


def test_after_so_many_times_it_stays_where_it_is():
    tired = moment("50000.8", at="50000.0", reprices=2, reprices_max=2)
    wish = CHASE.decide(tired)
    assert (wish.style, wish.px, wish.why) == (Style.REST, D("50000.0"), Why.CHASE_OVER)
    assert CHASE.decide(replace(tired, reprices=1)).px == D("50000.8")
    assert CHASE.decide(moment("49999.0", at="50000.0", reprices=9, reprices_max=2)).px == D("49999.0"), (
        "back it may"
    )


def test_after_so_many_times_it_takes_if_it_was_told_to():
    wish = CHASE.decide(moment("50000.8", at="50000.0", reprices=10, give_up=GiveUp.CROSS))
    assert (wish.style, wish.qty, wish.why) == (Style.CROSS, D(1), Why.CHASE_OVER)
    assert CHASE.decide(moment("50000.8", at="50000.0", reprices=9, give_up=GiveUp.CROSS)).style is Style.REST


def test_it_goes_only_so_far_from_where_it_began():
    """One basis point of 50 000.5 is 5.00005: a buy goes to 50 005.5 and a sale to 49 995.5, not a tick further."""
    far = dict(chase_bps_max=D(1))
    assert CHASE.decide(moment("50005.4", "50006.4", at="50005.3", **far)).px == D("50005.4")
    wish = CHASE.decide(moment("50007.0", "50008.0", at="50005.4", **far))
    assert (wish.px, wish.why) == (D("50005.5"), Why.CHASE_OVER)
    low = moment("49990.0", "49991.0", at="49996.0", side=Side.SELL, **far)
    assert CHASE.decide(low).px == D("49995.5")
    assert CHASE.decide(moment("50007.0", "50008.0", give_up=GiveUp.CROSS, **far)).style is Style.CROSS


def test_the_limit_price_holds_before_everything():
    look = moment("50002.0", "50003.0", peg=Peg.FAR)
    bound = replace(look, order=replace(look.order, limit_px=D("50001.0")))
    assert CHASE.decide(bound).px == D("50001.0")
