import json
import math
import tomllib
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.market.build import build
from backtest.market.calibrating import calibrated, history_of
from backtest.market.expected import SeedResult, figures_of, kept, run_seeds, verdicts
from backtest.market.keeping import Keeping
from backtest.market.market_page import market_page
from backtest.market.scenarios import ExpectPart, load, names, parse
from backtest.market.study import Measure, trace_of
from config.problems import ConfigProblems
from simulation.market.tape import AssetTape
from simulation.market.values import ConstantValue
from simulation.phenomena.stylised_facts import Figure, Target

S = 1_000_000_000
MAKERS = dict(
    name="makers", kind="market-maker", count=2, cash=20_000_000, position_qty=2_000, feed_ms=1.0, order_ms=1.0,
    params=dict(base_spread_bps=20.0, quote_qty=20, limit_qty=500, every_s=1.0),
)  # fmt: skip
NOISE = dict(
    name="noise", kind="noise", count=6, scales=True, cash=10_000_000, position_qty=1_000, feed_ms=20.0,
    order_ms=20.0, params=dict(mean_wait_s=1.0, reach_ticks=40, order_max_qty=5, open_max_count=20),
)  # fmt: skip
FIRST = dict(says="sound", measure="conserved", statistic="least", at_least=1.0)


def written(**over):
    return {
        "name": "made", "title": "Made", "expects": "nothing much", "run": {"steps": 120},
        "value": {"px": 10_000.0}, "agents": [MAKERS, NOISE], "expect": [FIRST], **over,
    }  # fmt: skip


def made(**over):
    return parse(written(**over), "made.toml")


@pytest.mark.parametrize("name", names())
def test_every_scenario_of_the_house_is_read_and_says_what_it_shows(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.run.seeds >= 20
    assert scenario.expect
    for variant in scenario.variant:
        assert scenario.varied(variant).expect == variant.expect
    for group in scenario.agents:
        group.parameters()


@pytest.mark.parametrize(
    ("over", "where", "words"),
    [
        (dict(colour="red"), "made.toml: colour", "no field of that name"),
        (dict(run={"steps": 5}), "run.steps", "greater than or equal to 10"),
        (dict(run={"steps": "many"}), "run.steps", "integer"),
        (dict(run={}), "run.steps", "must be given"),
        (dict(agents=[{**NOISE, "kind": "wizard"}]), "agents.0", "noise"),
        (
            dict(agents=[{**NOISE, "params": dict(mean_wait=1.0)}]),
            "agents.0.mean_wait",
            "no field of that name",
        ),
        (dict(agents=[{**NOISE, "params": dict(reach_ticks=0)}]), "agents.0", "ticks"),
        (dict(agents=[{**NOISE, "leave_s": 0.0}]), "agents.0", "leave after they came"),
        (dict(agents=[NOISE, NOISE]), "scenario", "one name"),
        (dict(expect=[{**FIRST, "at_least": None}]), "expect.0", "bound"),
        (dict(expect=[{**FIRST, "measure": "luck"}]), "expect.0.measure", "bubbles"),
        (dict(expect=[{**FIRST, "measure": "gain_bps"}]), "expect.0", "group"),
        (dict(expect=[{**FIRST, "measure": "gain_bps", "group": "nobody"}]), "scenario", "nobody"),
        (dict(variant=[dict(name="a", says="b", without=["nobody"], expect=[FIRST])]), "scenario", "nobody"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(over, where, words):
    with pytest.raises(ConfigProblems) as caught:
        made(**over)
    problem = caught.value.problems[0]
    assert where in problem.where
    assert words in f"{problem.allowed} {problem.got}"


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigProblems) as caught:
        made(colour="red", run={"steps": 5})
    assert len(caught.value.problems) == 2


def test_a_scenario_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ConfigProblems, match="basic"):
        load("nothing")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(ConfigProblems, match="TOML"):
        load(str(broken))
    with pytest.raises(ConfigProblems, match="basic"):
        load("../paper")


def test_seconds_stand_for_nanoseconds():
    group = made().agents[1]
    assert group.parameters().mean_wait_ns == S


def test_agents_are_shared_out_among_those_that_scale():
    crowd = {**NOISE, "name": "crowd", "count": 3}
    scenario = made(agents=[MAKERS, NOISE, crowd])
    sized = scenario.sized(20, 40)
    assert [group.count for group in sized.agents] == [2, 12, 6]
    assert sized.run.steps == 40
    assert [group.count for group in scenario.sized(4, None).agents] == [2, 1, 1]
    for wrong in (3, 200_000):
        with pytest.raises(ConfigProblems, match="--agents"):
            scenario.sized(wrong, None)
    with pytest.raises(ConfigProblems, match="no other number"):
        made(agents=[MAKERS]).sized(3, None)


def test_a_variant_leaves_some_out_and_lets_others_go():
    variant = dict(
        name="v", says="v", without=["noise"], leave=[dict(group="makers", at_s=9.0)], expect=[FIRST]
    )
    scenario = made(variant=[variant])
    varied = scenario.varied(scenario.variant[0])
    assert [(group.name, group.leave_s) for group in varied.agents] == [("makers", 9.0)]
    assert varied.variant == ()


def test_the_same_seed_gives_the_same_market_and_another_another():
    one, again, other = (build(made(), seed).run() for seed in (3, 3, 4))
    assert one.summary.event_hash == again.summary.event_hash != other.summary.event_hash
    assert one.measures == again.measures
    assert one.conserved
    assert one.summary.trades > 100
    assert {agent.kind for agent in one.agents} == {"market-maker", "noise"}
    assert one.graph.self_value == 0.0
    assert sum(agent.gain_bps * agent.performance.fills for agent in one.agents) != 0.0


def test_what_everybody_gains_by_trading_comes_from_the_others():
    # Without fees all that trading earns beside holding is what somebody else lost.
    market = build(made(), 5)
    study = market.run()
    equities = market.accounts.equities[0]
    gains = [agent.gain_bps * equities[agent.number] for agent in study.agents]
    assert math.fsum(gains) == pytest.approx(0.0, abs=1e-3)
    assert max(map(abs, gains)) > 1.0


def test_groups_come_and_leave():
    early = build(made(agents=[{**MAKERS, "leave_s": 60.0}, NOISE], looks={"event_s": 60.0}), 1)
    study = early.run()
    late = study.trace.trade_ns > 61 * S
    assert late.any()
    tape = early.tape.assets[0]
    makers_late = [
        at
        for at, maker in zip(tape.trade_ns, tape.maker, strict=True)
        if early.kinds[maker] == "market-maker" and at > 61 * S
    ]
    assert makers_late == []


def test_a_shock_is_found_again():
    informed = dict(
        name="informed", kind="informed", count=8, cash=10**9, position_qty=5_000, feed_ms=1.0, order_ms=1.0,
        listens=[dict(source="signal", every_s=2.0, noise_ticks=5.0)],
        params=dict(mean_wait_s=1.0, limit_qty=5_000, touch_bps=10_000, spread_ratio=9.0),
    )  # fmt: skip
    scenario = made(
        agents=[MAKERS, NOISE, informed],
        run={"steps": 300},
        value={"px": 10_000.0, "shocks": [{"at_s": 100.0, "change_ticks": 300.0}]},
        looks={"shock_s": 100.0},
    )
    study = build(scenario, 1).run()
    assert study.recovery.closed > 0.7
    assert 0.2 < study.measures[Measure.HALF_LIFE_S] < 100.0
    assert study.recovery.opened_bps == pytest.approx(-300.0, abs=40.0)


def test_fills_of_one_order_are_one_trade():
    tape = AssetTape(
        quote_ns=[0, 5], bid_px=[99, 98], bid_qty=[1, 1], ask_px=[101, 102], ask_qty=[1, 1],
        bid_depth_qty=[5, 5], ask_depth_qty=[5, 5],
        trade_ns=[3, 3, 3, 4], trade_px=[101, 102, 99, 99], trade_qty=[1, 3, 2, 2], trade_sign=[1, 1, -1, -1],
        trade_mid2_px=[200, 200, 200, 0], taker=[7, 7, 8, 8], maker=[1, 2, 1, 1],
    )  # fmt: skip
    from backtest.market.study import Looks

    trace = trace_of(tape, ConstantValue(100.0), 10, Looks(step_ns=5))
    assert trace.trade_qty.tolist() == [4.0, 2.0, 2.0]
    assert trace.trade_px.tolist() == [101.75, 99.0, 99.0]
    assert trace.trade_mid_px.tolist() == [100.0, 100.0, 100.0]
    assert trace.value_px.tolist() == [100.0, 100.0, 100.0]
    with pytest.raises(ValueError, match="both a bid and an ask"):
        trace_of(AssetTape(), ConstantValue(100.0), 10, Looks(step_ns=5))


def test_an_institution_is_told_what_it_paid():
    scenario = load("execution").sized(None, 1_300)
    measures = build(scenario, 2).run().measures
    assert measures[Measure.FILLED_SHARE] == 1.0
    assert measures[Measure.SHORTFALL_BPS] > 0.0
    assert Measure.MOVE_LATER_BPS not in measures  # the run ends before one duration has passed


def test_kyles_dealer_finds_the_equilibrium():
    measures = build(load("kyle").sized(None, 4_000), 1).run().measures
    assert measures[Measure.KYLE_LAMBDA_RATIO] == pytest.approx(1.0, abs=0.05)
    assert measures[Measure.KYLE_R_SQUARED] == pytest.approx(0.5, abs=0.05)


def a_result(seed, **measures):
    return SeedResult(
        seed=seed, event_hash="", messages=0, steps=0, figures={}, orders=(), gains_bps={"noise": float(seed)},
        measures={Measure(name): value for name, value in measures.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expect", "value", "holds"),
    [
        (dict(statistic="median", at_least=2.0), 2.0, True),
        (dict(statistic="mean", at_most=2.9), 3.0, False),
        (dict(statistic="least", at_least=1.0, at_most=1.0), 1.0, True),
        (dict(statistic="most", at_most=5.0), 6.0, False),
        (dict(statistic="share", at_least=2.0, share=0.6), 2 / 3, True),
        (dict(statistic="share", at_least=2.0, share=0.7), 2 / 3, False),
    ],
)
def test_expectations_over_seeds(expect, value, holds):
    results = [a_result(1, fall=1.0), a_result(2, fall=2.0), a_result(3, fall=6.0)]
    (found,) = verdicts([ExpectPart(says="x", measure=Measure.FALL, **expect)], results)
    assert (found.value, found.holds) == (pytest.approx(value), holds)
    assert json.dumps(found.record(), allow_nan=False)


def test_a_run_without_the_measure_is_outside():
    results = [a_result(1, fall=1.0), a_result(2)]
    for statistic in ("median", "mean", "least", "most"):
        expect = ExpectPart(says="x", measure=Measure.FALL, statistic=statistic, at_least=0.0)
        assert verdicts([expect], results)[0].holds is False
    share = ExpectPart(says="x", measure=Measure.FALL, statistic="share", at_least=0.0, share=0.5)
    assert verdicts([share], results)[0].value == 0.5
    gain = ExpectPart(says="x", measure=Measure.GAIN_BPS, group="noise", at_least=1.5)
    assert verdicts([gain], results)[0].value == 1.5


def test_figures_over_seeds_hold_the_book_against_the_target():
    results = [
        replace(a_result(seed, spread_bps=2.0 * seed, one_tick_share=0.1), figures={Figure.FANO: 4.0})
        for seed in (1, 2, 3)
    ]
    figures, impact = figures_of(results, Target(spread_bps=4.0, one_tick_share=0.3))
    assert impact is None
    assert figures[Figure.SPREAD] == pytest.approx(1.0)
    assert figures[Figure.ONE_TICK] == pytest.approx(-0.2)
    assert Figure.SPREAD not in figures_of(results, None)[0]


def test_seeds_are_run_one_after_the_other():
    told = []
    results = run_seeds(
        made().sized(None, 30), range(4, 6), 1, lambda done, count: told.append((done, count))
    )
    assert [one.seed for one in results] == [4, 5]
    assert told == [(1, 2), (2, 2)]


def test_a_run_is_kept_with_everything_that_happened(tmp_path):
    scenario, folder = made().sized(None, 40), tmp_path / "run"
    with Keeping(folder, scenario) as keeping:
        market = build(scenario, 1, events=keeping.events, ledger=keeping.ledger)
        study = market.run()
        keeping.finish(market, study)
    events = pq.read_table(folder / "events.parquet")
    assert len(events) == market.engine.log.count
    assert len(pq.read_table(folder / "trades.parquet")) == len(study.trace.trade_ns)
    told = json.loads((folder / "run.json").read_text())
    assert told["event_hash"] == kept(study).event_hash
    assert [one["kind"] for one in told["participants"]] == list(market.kinds)
    with pytest.raises(ConfigProblems, match="not there yet"), Keeping(folder, scenario):
        pass


def test_a_page_shows_the_run_and_refuses_markup():
    scenario = made(title="<b>bold</b>")
    market = build(scenario, 1)
    study = market.run()
    found = verdicts(scenario.expect, [kept(study)])
    page = market_page(scenario, study, market.kinds, verdicts=found)
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
    assert study.summary.event_hash in page
    assert page.count("<table") >= 3


def candles(folder, rows, head="Date,Open,High,Low,Close,Volume"):
    path = folder / "candles.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_candles_of_yahoo_give_volatility_and_say_so(tmp_path):
    # Closes go up and down by 1 %: the deviation of a day's move is .01 (n - 1 in the denominator).
    rows = [f"2024-01-{day:02d},100,101.5,99.5,{100 if day % 2 else 101},5" for day in range(1, 32)]
    history = history_of(candles(tmp_path, rows), None)
    assert history.volatility * math.sqrt(86_400) == pytest.approx(
        math.log(1.01) * math.sqrt(30 / 29), rel=1e-6
    )
    assert history.trades_per_s is None
    found = calibrated(made(), history)
    assert found.scenario.value.kind == "mean-reverting"
    assert found.scenario.value.volatility_ticks == pytest.approx(10_000 * history.volatility, rel=1e-5)
    assert [one.field for one in found.changes][:2] == ["value.kind", "value.volatility_ticks"]
    assert all("->" in one.words() for one in found.changes)
    again = parse(tomllib.loads(found.toml()), "again")
    assert again == found.scenario


def test_candles_of_bybit_come_newest_first_and_in_milliseconds(tmp_path):
    draws = np.random.default_rng(1)
    closes = 100.0 * np.exp(np.cumsum(draws.standard_normal(400) * 1e-3))
    rows = [
        f"{1_700_000_000_000 + 60_000 * at},{close},{close * 1.0005},{close * 0.9995},{close},1"
        for at, close in enumerate(closes)
    ]
    head = "startTime,openPrice,highPrice,lowPrice,closePrice,volume"
    history = history_of(candles(tmp_path, rows[::-1], head), None)
    assert history.volatility * math.sqrt(60) == pytest.approx(1e-3, rel=0.1)
    assert history.px == pytest.approx(closes[-1])


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        (["2024-01-01,1"], "Day,Price", "no column of times or closes"),
        (["2024-01-01,1"], "Date,Close", "30 are needed"),
        ([f"2024-01-{day:02d},nan" for day in range(1, 32)], "Date,Close", "no close"),
        ([f"2024-01-{day:02d},-1" for day in range(1, 32)], "Date,Close", "no price"),
        ([f"2024-01-{day:02d},ten" for day in range(1, 32)], "Date,Close", "no number"),
        ([f"day {day},1" for day in range(1, 32)], "Date,Close", "no time"),
        ([f"2024-01-{day:02d},1" for day in range(1, 32)], "Date,Close", "does not move"),
        (["2024-01-01,1"] * 31, "Date,Close", "order of time"),
    ],
)
def test_history_that_says_nothing_is_refused(tmp_path, rows, head, words):
    with pytest.raises(ValueError, match=words):
        history_of(candles(tmp_path, rows, head), None)


def test_a_spread_is_found_in_candles_and_rates_in_recordings(tmp_path):
    # Trades at bid or ask around a random walk: half of a spread of 40 bps on either side.
    draws = np.random.default_rng(2)
    mids = np.exp(np.cumsum(draws.standard_normal((4_000, 60)) * 1e-4).reshape(4_000, 60))
    trades = mids * (1.0 + 0.002 * draws.choice((-1.0, 1.0), mids.shape))
    rows = [f"{60 * at},{one[0]},{one.max()},{one.min()},{one[-1]},1" for at, one in enumerate(trades)]
    history = history_of(candles(tmp_path, rows, "time,open,high,low,close,volume"), None)
    assert history.spread_bps == pytest.approx(40.0, rel=0.1)
    scenario = made()
    found = calibrated(scenario, replace(history, trades_per_s=1.0))
    assert found.scenario.agents[0].params["base_spread_bps"] == pytest.approx(history.spread_bps, rel=1e-4)
    waits = [one.agents[1].parameters().mean_wait_ns for one in (scenario, found.scenario)]
    market = build(found.scenario.sized(None, 600), 0)
    market.engine.run(steps=600)
    assert waits[0] != waits[1]
    assert market.engine.summary().trades / 600 == pytest.approx(1.0, rel=0.25)


def test_a_folder_asks_for_a_symbol(tmp_path):
    with pytest.raises(ValueError, match="--symbol"):
        history_of(tmp_path, None)
