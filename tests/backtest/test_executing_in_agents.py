"""The live engine in a market of agents: the same every time, audited, and beside it the market without it."""

import json
from dataclasses import replace
from math import log

import pytest

from backtest.market.executing import LOT, Stage, quiet, work_in_agents
from backtest.market.own_impact_law import decay, own_impact_law
from backtest.market.reacting import differences, policies_of
from backtest.market.scenarios import parse
from backtest.market.with_and_without import (
    LOOKS,
    Design,
    Fixed,
    OwnMove,
    SeedMoves,
    moves_of_seed,
    moves_of_seeds,
    sizes_between,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Side, StrategyParams
from executor.interfaces.cli import main
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from tests.builders import D, submitted

S = 1_000_000_000
SCENARIO = """
name = "small"
title = "small"
expects = "nothing"
[run]
steps = 300
warm_up_s = 10.0
day_s = 3600.0
[value]
kind = "constant"
px = 10000.0
[fees]
taker_ppm = 500
maker_ppm = -100
[[agents]]
name = "makers"
kind = "market-maker"
count = 2
cash = 20000000
position_qty = 2000
feed_ms = 1.0
order_ms = 1.0
params = { base_spread_bps = 6.0, quote_qty = 20, limit_qty = 500, levels_count = 2, step_bps = 5.0, every_s = 1.0 }
[[agents]]
name = "noise"
kind = "noise"
count = 8
cash = 10000000
position_qty = 1000
feed_ms = 20.0
order_ms = 20.0
params = { mean_wait_s = 1.0, reach_ticks = 20, order_max_qty = 5, open_max_count = 20 }
[[agents]]
name = "institution"
kind = "institution"
cash = 10000000
params = { side = 1, order_qty = 100 }
"""


@pytest.fixture(scope="module")
def scenario():
    import tomllib

    return parse(tomllib.loads(SCENARIO), "small")


@pytest.fixture(scope="module")
def stage(scenario):
    return Stage(
        scenario=scenario,
        limits=Limits(references_min=0, participation_pct_max=D(100), volatility_hourly_pct_max=D(100)),
        timings=Timings(residual_window_s=2),
        warmup_s=15,
    )


def order(strategy="twap", qty=20, duration_s=30, **params):
    return submitted(
        strategy=strategy, order_qty=D(qty), duration_s=duration_s,
        params=StrategyParams(**{"interval_s": 10, **params}),
    )  # fmt: skip


WAYS = {
    "twap": order(),
    "pov": order("pov", participation=D("0.3")),
    "iceberg": order("iceberg", display_qty=LOT * 6),
}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("way", list(WAYS))
def test_orders_of_both_sides_are_worked_to_their_end(stage, way, side):
    done = work_in_agents(stage, replace(WAYS[way], side=side), 3)
    assert (done.failure, done.filled_share, done.refused) == ("", 1.0, 0)
    (report,) = done.drive.reports
    assert report.facts.cum_qty == WAYS[way].order_qty
    assert done.cost_bps == pytest.approx(float(report.arrival_shortfall_bps))


def test_the_same_seed_is_the_same_journal_and_the_same_market_and_an_audit_finds_nothing(stage, tmp_path):
    found = []
    for name, seed in (("1", 4), ("2", 4), ("3", 5)):
        with Journal.open(tmp_path / name, create=True, instance="sim") as journal:
            found.append(work_in_agents(stage, order(), seed, until_ns=90 * S, journal=journal))
    first, second, other = found
    assert first == second != other
    assert first.path.event_hash == second.path.event_hash != other.path.event_hash
    result = audit(tmp_path / "1")
    assert result.identical, result.first_difference
    assert result.events == first.drive.events > 50
    assert (tmp_path / "1").stat().st_size


def test_until_our_first_order_comes_the_market_is_the_one_without_us(stage):
    alone = quiet(stage, 4, 90 * S)
    beside = work_in_agents(stage, order(qty=60), 4, until_ns=90 * S).path
    given = stage.start_ns // S + 1
    assert beside.mid_px[:given] == alone.mid_px[:given]
    assert beside.mid_px[given:] != alone.mid_px[given:]
    assert len(beside.mid_px) == len(alone.mid_px) == 91
    assert beside.event_hash != alone.event_hash


def test_an_order_that_never_reaches_the_book_leaves_the_market_as_it_is(stage):
    alone = quiet(stage, 4, 220 * S)
    silent = work_in_agents(stage, replace(order(), limit_px=D("1.00")), 4, until_ns=220 * S)
    # It waits far from the market, and is taken back: nobody sees the difference at the touch.
    assert silent.filled_share == 0.0
    assert silent.path.mid_px == alone.mid_px
    assert silent.path.volume_qty == alone.volume_qty


def test_institutions_of_the_scenario_make_room_for_ours(stage, scenario):
    assert {group.kind for group in stage.others.agents} == {"market-maker", "noise"}
    lonely = scenario.model_copy(update={"agents": scenario.agents[2:]})
    with pytest.raises(ValueError, match="nobody is left"):
        Stage(scenario=lonely)
    with pytest.raises(ValueError, match="second opinions"):
        Stage(scenario=scenario, limits=Limits())


def test_how_many_processes_share_the_work_changes_nothing(stage):
    asked = Fixed(orders=(("TWAP", order(duration_s=20)),))
    alone = list(moves_of_seeds(stage, asked, (1, 2)))
    assert list(moves_of_seeds(stage, asked, (1, 2), processes=2)) == alone
    assert [one.seed for one in alone] == [1, 2]
    assert all(one.untouched for one in alone)


def test_sizes_are_shares_of_the_volume_of_a_day_without_us(stage):
    design = Design(order=order(), sizes=sizes_between(1e-3, 4e-3, 5), durations_s=(20,))
    found = moves_of_seed(stage, design, 2)
    assert [one.order_qty for one in found.orders] == [
        max(1, round(size * found.day_qty)) for size in design.sizes
    ]
    assert {one.side for one in found.orders} == {-1}
    assert all(len(one.moves) == len(LOOKS) for one in found.orders)


def made(exponent=0.5, factor=0.8, power=0.25, *, seeds=40, sigma=0.02, drop=()):
    """Orders that follow a law exactly, but for a little noise that is different in each seed."""
    found = []
    for seed in range(seeds):
        noise = 1.0 + 0.05 * ((seed * 7 % 11) - 5) / 5
        orders = []
        for duration in ("300s", "600s"):
            for size in sizes_between(1e-4, 1e-1, 7):
                peak = factor * sigma * size**exponent * noise
                moves = tuple(peak * (z**exponent if z < 1.0 else decay(z, power)) for z in LOOKS)
                orders.append(
                    OwnMove(
                        policy=duration,
                        size=size,
                        side=1,
                        order_qty=10,
                        filled_share=1.0,
                        moves=moves,
                        cost_bps=1.0,
                        failure="",
                        event_hash="",
                    )
                )
        if seed in drop:
            orders[0] = replace(orders[0], moves=None, cost_bps=None, failure="it never began")
        found.append(
            SeedMoves(seed=seed, day_qty=1e6, day_variance=sigma**2, untouched=True, orders=tuple(orders))
        )
    return found


def met(law):
    return {gate.name: gate.met for gate in law.gates}


def test_a_law_that_is_there_is_found_and_passes_every_gate():
    law = own_impact_law(made())
    assert law.exponent.value == pytest.approx(0.5, abs=1e-3)
    assert law.factor.value == pytest.approx(0.8, rel=0.01)
    assert law.factor.error == pytest.approx(0.8 * 0.03 / 40**0.5, rel=0.5)
    assert [one.value for one in law.left] == pytest.approx([decay(z, 0.25) for z in (1.5, 2.0, 5.0)])
    assert decay(2.0, 0.25) == pytest.approx(0.68179, abs=1e-5)
    assert all(met(law).values())


@pytest.mark.parametrize(
    ("over", "missed"),
    [
        ({"exponent": 1.0, "factor": 0.8}, "exponent delta"),
        ({"factor": 3.0}, "factor Y"),
        ({"power": 0.9}, "left at z = 2"),
    ],
)
def test_a_law_that_is_another_one_fails_its_gate(over, missed):
    verdict = met(own_impact_law(made(**over)))
    assert [name for name, one in verdict.items() if not one] == [missed]


def test_orders_of_two_durations_with_two_peaks_fail_their_gate():
    found = [
        replace(
            seed,
            orders=tuple(
                replace(one, moves=tuple(move * (1.5 if one.policy == "600s" else 1.0) for move in one.moves))
                for one in seed.orders
            ),
        )
        for seed in made()
    ]
    law = own_impact_law(found)
    assert law.duration_gap == pytest.approx(0.5, abs=0.01)
    assert not met(law)["peak by duration, difference"]


def test_what_came_to_no_end_is_counted_and_too_little_is_refused():
    law = own_impact_law(made(drop=(1, 2, 3)))
    assert (law.orders, law.failures) == (40 * 14, 3)
    with pytest.raises(ValueError, match="too few"):
        own_impact_law(made(seeds=9))
    with pytest.raises(ValueError, match="came to an end"):
        own_impact_law([
            replace(one, orders=tuple(replace(two, moves=None) for two in one.orders)) for one in made()
        ])  # fmt: skip


def test_a_market_in_which_orders_do_nothing_has_no_law_and_meets_no_gate_of_one():
    found = [
        replace(
            seed,
            orders=tuple(
                replace(one, moves=tuple(1e-6 * (-1) ** (seed.seed // 2) for _ in LOOKS))
                for one in seed.orders
            ),
        )
        for seed in made()
    ]
    verdict = met(own_impact_law(found))
    assert not any(verdict[name] for name in verdict if name != "sizes Q/V")


def test_policies_are_held_against_each_other_in_the_same_markets():
    def one(policy, cost):
        move = OwnMove(
            policy=policy, size=None, side=1, order_qty=10, filled_share=1.0, moves=(cost * 1e-4,) * len(LOOKS),
            cost_bps=cost, failure="", event_hash="",
        )  # fmt: skip
        return [move, replace(move, side=-1, cost_bps=cost + 2.0)]

    # The market moves by far more than the policies differ: only in pairs is it seen.
    found = [
        SeedMoves(
            seed=seed,
            day_qty=1.0,
            day_variance=1.0,
            untouched=True,
            orders=(*one("A", 50.0 * (-1) ** seed), *one("B", 50.0 * (-1) ** seed + 1.0 + seed % 3)),
        )
        for seed in range(12)
    ]
    (duel,) = differences(found)
    assert (duel.found.mean, duel.cheaper) == (pytest.approx(-2.0), "A")
    first, second = policies_of(found)
    assert (first.orders, first.ended, first.cost.pairs) == (24, 24, 12)
    assert second.cost.mean - first.cost.mean == pytest.approx(2.0)
    few = differences(found[:9])
    assert few[0].cheaper is None


def executor(capsys, *words):
    code = main(list(words))
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SCENARIO)
    return str(path)


def test_a_run_and_a_comparison_by_command(capsys, file):
    words = ("--market", "agents", "--scenario", file, "--qty", "12", "--duration", "20s", "--interval", "10s",
             "--seeds", "2", "--processes", "1", "--warmup", "15s")  # fmt: skip
    code, out, _ = executor(capsys, "backtest", "run", *words, "--side", "both", "--json")
    told = json.loads(out)
    assert code == 0
    assert [(one["seed"], one["side"]) for one in told["each"]] == [(1, 1), (1, -1), (2, 1), (2, -1)]
    assert told["untouched_until_the_order"] is True
    assert told["policies"][0]["policy"] == "TWAP"
    code, out, _ = executor(capsys, "backtest", "compare", *words, "--strategies", "TWAP,CROSS")
    assert code == 0
    assert "TWAP - CROSS" in out
    assert "cannot be said" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run", "--market", "agents", "--qty", "1"), "--scenario"),
        (("run", "--market", "books", "--qty", "1"), "recorded or agents"),
        (("run", "--market", "agents", "--qty", "1", "--symbol", "BTCUSDT"), "--symbol"),
        (("run", "--qty", "1", "--symbol", "BTCUSDT", "--scenario", "basic"), "--scenario"),
        (("run", "--market", "agents", "--scenario", "basic", "--qty", "0.5"), "whole lots"),
        (("compare", "--market", "agents", "--scenario", "basic", "--qty", "5"), "--strategies"),
        (("compare", "--adviser", "silent", "--scenario", "basic"), "--scenario"),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_the_command(capsys, words, text):
    code, _, err = executor(capsys, "backtest", *words)
    assert code == 2
    assert text in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--smallest", "0.1", "--largest", "0.01"), "sizes"),
        (("--scenario", "no-such-market"), "no-such-market"),
        (("--latency-order", "soon"), "milliseconds"),
        (("--seeds", "1"), "--seeds"),
    ],
)
def test_a_law_that_cannot_be_asked_for_is_refused(capsys, words, text):
    code, _, err = executor(capsys, "simulate", "impact", *words)
    assert code == 2
    assert text in err


def test_moves_are_logarithms_with_the_sign_of_the_order(stage):
    asked = Fixed(orders=(("TWAP", replace(order(qty=60), side=Side.SELL)),))
    (one,) = moves_of_seed(stage, asked, 4).orders
    alone = quiet(stage, 4, 200 * S)
    beside = work_in_agents(stage, asked.orders[0][1], 4, until_ns=200 * S)
    end = -(-beside.last_fill_ns // S)
    assert one.moves[LOOKS.index(1.0)] == pytest.approx(-log(beside.path.mid_px[end] / alone.mid_px[end]))
