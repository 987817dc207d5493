"""Who reads which parameter, and what is refused."""

from dataclasses import fields

import pytest

from executor.domain.orders import GiveUp, Peg, StrategyParams
from strategies.base import STRATEGIES
from strategies.reads import READS, readers, unread, why_not
from tests.builders import D

GIVEN = dict(
    randomize_size_pct=10,
    randomize_timing_pct=10,
    catch_up=False,
    catch_up_max=D(3),
    passiveness=D("0.5"),
    participation=D("0.1"),
    display_qty=D(1),
    display_randomize_pct=10,
    peg=Peg.MID,
    peg_offset_ticks=1,
    reprices_max=3,
    chase_bps_max=D(5),
    give_up=GiveUp.CROSS,
    trigger_px=D(1),
    trigger_qty=D(1),
    risk_aversion=D("0.000001"),
)


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_what_is_given_and_not_read_is_named_with_those_who_would(strategy, name):
    params = StrategyParams(**{name: GIVEN[name]})
    if name in READS[strategy]:
        assert unread(strategy, params) == ()
    else:
        assert unread(strategy, params) == (name,)
        assert (
            why_not(strategy, params)
            == f"{strategy} does not read {name}; that is for {', '.join(readers(name))}"
        )


def test_every_parameter_is_read_by_somebody_and_every_name_is_one():
    names = {field.name for field in fields(StrategyParams)}
    assert set().union(*READS.values()) == names
    assert all(readers(name) for name in names)


def test_nothing_is_wrong_with_what_is_usual():
    assert {name for name in STRATEGIES if why_not(name, StrategyParams())} == {"sniper"}
    assert why_not("sniper", StrategyParams(trigger_qty=D(1))) == ""
    assert "at once" in why_not("sniper", StrategyParams())


def test_a_target_above_the_cap_is_a_contradiction():
    assert why_not("pov", StrategyParams(participation=D("0.2"), participation_max=D("0.2"))) == ""
    assert "above" in why_not("pov", StrategyParams(participation=D("0.2"), participation_max=D("0.1")))


@pytest.mark.parametrize(
    "wrong",
    [
        dict(interval_s=0),
        dict(randomize_size_pct=51),
        dict(display_randomize_pct=-1),
        dict(reprice_ticks=-1),
        dict(catch_up_max=D("0.9")),
        dict(passiveness=D("1.01")),
        dict(passiveness=D("NaN")),
        dict(participation=D(0)),
        dict(participation=D("0.91")),
        dict(participation_max=D(1)),
        dict(display_qty=D(0)),
        dict(trigger_px=D(-1)),
        dict(trigger_qty=D("Infinity")),
        dict(chase_bps_max=D(0)),
        dict(reprices_max=-1),
    ],
)
def test_choices_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StrategyParams(**wrong)
