"""What an order was expected to cost: told once when its first plan is made, kept, and read back to the byte."""

from dataclasses import replace

import msgspec
import pytest
from builders import T0, D, instrument, parent_order, submitted
from engine.rig import Rig

from executor.domain.cost_forecast import CostForecast
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine.engine import Engine
from executor.engine.plan_preview import SLICES_PRICED_MAX, predicted, preview, told_market
from executor.engine.report import parent_facts
from executor.engine.state import EngineState
from executor.runtime import record
from impact.models import read_model
from impact.shortfall import as_json, make_report
from impact.square_root import SquareRoot
from strategies.priced import PlanTerms

NAMED = CostForecast(model="square-root:0.9", version="v1")
WATCHED_S = 660


def watched_rig() -> Rig:
    rig = Rig()
    rig.open_market()
    for second in range(WATCHED_S):
        rig.tick(1, move="5" if second % 2 else "-5")
    return rig


def market():
    return told_market(
        instrument(), mid_px=D(50_000), spread_bps=D(2), volatility_hourly_pct=0.5, volume_hourly_qty=600.0,
        now_ns=T0,
    )  # fmt: skip


def told(order=None, forecast=NAMED, at=None, now_ns=T0):
    return predicted(EngineState(now_ns=T0), at or market(), order or parent_order(), forecast, now_ns)


def test_it_is_told_once_and_a_replay_writes_the_same_bytes():
    rig = watched_rig()
    rig.send(submitted(impact_model="square-root:0.9", impact_version="v1"))
    (parent,) = rig.engine.state.parents.values()
    rig.settle()
    rig.tick(1)
    first = parent.forecast
    assert (first.model, first.version, first.at_ns > 0) == ("square-root:0.9", "v1", True)
    assert first.low_bps < first.expected_bps < first.high_bps
    assert first.risk_bps > 0
    rig.tick(5, move="50")
    parent.replan = True  # as after an amendment: a new plan is no new forecast
    rig.engine = Engine(record.decode_state(record.encode_state(rig.engine.state)))
    rig.tick(5, move="50")
    (later,) = rig.engine.state.parents.values()
    assert not later.replan
    assert later.forecast == first


def test_the_replay_of_a_journal_ends_in_the_same_state():
    rig = watched_rig()
    rig.send(submitted(impact_model="square-root:0.9"))
    rig.settle()
    for _ in range(5):
        rig.tick(1, move="1")
    again = Engine()
    for (event, commands), kind in zip(rig.journal, rig.kinds, strict=True):
        assert record.encode_commands(again.on_event(record.decode_event(kind, event))) == commands
    assert record.encode_state(again.state) == record.encode_state(rig.engine.state)
    (parent,) = again.state.parents.values()
    assert parent.forecast.expected_bps is not None
    report = as_json(make_report(parent_facts(again.state, parent)))
    assert report["predicted_bps"] == str(parent.forecast.expected_bps.normalize())
    assert report["predicted_model"] == "square-root:0.9"


@pytest.mark.parametrize("usual", ["", "athl"])
def test_an_order_that_names_no_model_is_told_by_that_of_the_start(usual):
    rig = Rig()
    rig.engine.state.impact_model = usual
    rig.send(submitted())
    (parent,) = rig.engine.state.parents.values()
    assert parent.forecast == (CostForecast(model=usual) if usual else None)


def test_a_checkpoint_without_it_is_read():
    rig = Rig()
    rig.open_market()
    rig.send(submitted())
    older = msgspec.json.decode(record.encode_state(rig.engine.state))
    del older["impact_model"]
    for parent in older["parents"].values():
        del parent["forecast"]
    read = record.decode_state(msgspec.json.encode(older))
    assert record.encode_state(read) == record.encode_state(rig.engine.state)


def test_it_is_what_a_plan_of_that_instant_tells():
    cost = preview(EngineState(now_ns=T0), market(), parent_order(), PlanTerms(model=SquareRoot(0.9))).cost
    found = told()
    assert found.at_ns == T0
    figures = (cost.expected_bps, cost.low_bps, cost.high_bps, cost.told.risk_bps)
    kept = (found.expected_bps, found.low_bps, found.high_bps, found.risk_bps)
    assert kept == tuple(D(f"{figure:.4f}") for figure in figures)


@pytest.mark.parametrize(
    ("order", "forecast", "at", "now_ns"),
    [
        (None, CostForecast(model="none"), None, T0),
        (None, CostForecast(model="no-such-model"), None, T0),
        (None, NAMED, replace(market(), snapshot=None), T0),
        (None, NAMED, None, parent_order().deadline_ns),
    ],
    ids=["no model", "unreadable", "no price", "over"],
)
def test_what_is_not_known_is_not_guessed_and_stops_nothing(order, forecast, at, now_ns):
    found = told(order, forecast, at, now_ns)
    assert found == replace(forecast, at_ns=now_ns)
    assert found.expected_bps is None


def test_a_plan_of_very_many_slices_is_priced_as_if_they_were_longer():
    seconds = 4 * SLICES_PRICED_MAX
    long = parent_order(order_qty=D(12), deadline_ns=T0 + seconds * NS_PER_S)
    every_second = told(replace(long, params=StrategyParams(interval_s=1)), NAMED, None, T0)
    coarse = told(replace(long, params=StrategyParams(interval_s=4)), NAMED, None, T0)
    assert every_second == coarse
    assert every_second.expected_bps is not None


def test_the_usual_model_can_be_read_by_its_name():
    assert read_model(SquareRoot().name) == SquareRoot()
