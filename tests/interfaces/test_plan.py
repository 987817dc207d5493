"""A plan over HTTP and on the command line: the daemon's figures, told ones, and what is asked for by name."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from builders import submitted
from control_double import add_market, add_parent
from doors import Daemon, Door

from executor.domain.errors import ConfigError, TransportError
from executor.domain.fees import KnownFees
from executor.domain.orders import Side
from executor.engine.plan_preview import paced
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.planning import with_calibration
from impact.parameters import Estimate, ParameterVersion

ORDER = {"symbol": "BTCUSDT", "side": "sell", "qty": "1.5", "residual": "leave", "duration": "30m"}
WORDS = ["--symbol", "BTCUSDT", "--side", "sell", "--qty", "1.5", "--residual", "leave", "--duration", "30m"]
FIGURES = [
    "--price", "101", "--spread-bps", "2", "--volatility", "0.5", "--volume", "3600", "--qty-step", "0.001",
    "--min-qty", "0.001", "--min-value", "5",
]  # fmt: skip


def watch(control) -> None:
    """A market that was watched long enough."""
    add_market(control.state)
    name = "linear:BTCUSDT"
    control.state.markets[name] = paced(control.state.markets[name], 0.5, 3_600.0)


def calibrated(model: str) -> ParameterVersion:
    return ParameterVersion(
        model=model, venue="sandbox", category="linear", symbol="BTCUSDT", source="trades", from_ns=0, to_ns=1,
        made_ns=2, orders=60, window=1_000, size_low=0.1, size_high=0.2, volatility_hourly_pct=0.5,
        volume_hourly_qty=3_600.0, estimates=(Estimate(name="factor", value=0.5, standard_error=0.1, unit="1"),),
    )  # fmt: skip


async def test_a_plan_asks_the_engine_for_nothing_and_keeps_nothing(door: Door):
    watch(door.control)
    status, plan = await door.post("/v1/plan", ORDER)
    assert status == 200
    assert (door.control.asked, door.control.state.parents) == ([], {})
    assert plan["figures"]["source"] == "the daemon's own market data"
    assert plan["figures"]["volume_hourly"] == pytest.approx(3_600)
    assert (len(plan["slices"]), plan["expected_qty"], plan["refused"]) == (30, "1.500", "")
    assert plan["cost"]["low_bps"] < plan["cost"]["expected_bps"] < plan["cost"]["high_bps"]
    assert plan["model"] == {"name": "square-root:0.9", "calibration": None}
    assert plan["alternatives"] == []


async def test_what_the_daemon_does_not_know_is_named(door: Door):
    status, answer = await door.post("/v1/plan", ORDER)
    assert (status, answer["error"]["code"]) == (409, "FIGURES")
    assert answer["error"]["got"] == "not known of linear BTCUSDT: rules, price, volatility, volume"
    add_market(door.control.state)
    status, answer = await door.post("/v1/plan", ORDER | {"volume": "3600"})
    assert answer["error"]["got"] == "not known of linear BTCUSDT: volatility"
    assert (await door.post("/v1/plan", ORDER | {"volume": "3600", "volatility": "0.5"}))[0] == 200


async def test_the_calibration_in_use_is_taken_unless_a_model_is_named(door: Door):
    watch(door.control)
    version = calibrated("square-root:0.5")
    door.control.calibrations["BTCUSDT"] = version
    _, plan = await door.post("/v1/plan", ORDER)
    assert plan["model"] == {"name": "square-root:0.5", "calibration": version.version_id}
    _, plan = await door.post("/v1/plan", ORDER | {"model": "athl"})
    assert plan["model"]["calibration"] is None
    assert plan["model"]["name"].startswith("almgren-chriss:")


async def test_a_calibration_that_cannot_be_read_is_said_and_not_replaced(door: Door, monkeypatch):
    def unreadable(_category, _symbol):
        raise ConfigError("in_use.json: does not say which calibration is in use")

    watch(door.control)
    monkeypatch.setattr(door.control, "calibration", unreadable)
    status, answer = await door.post("/v1/plan", ORDER)
    assert (status, answer["error"]["code"]) == (409, "PARAMETERS")
    assert (await door.post("/v1/plan", ORDER | {"model": "square-root"}))[0] == 200


async def test_a_plan_says_that_the_order_would_be_refused(door: Door):
    watch(door.control)
    add_parent(door.control.state)  # it buys what this one sells
    _, plan = await door.post("/v1/plan", ORDER)
    assert plan["refused"] == "tst-1 works the other side of BTCUSDT"


async def test_the_fees_are_those_of_the_account_unless_others_are_told(door: Door):
    watch(door.control)
    door.control.known_fees = KnownFees(
        maker_bps=Decimal(1), taker_bps=Decimal("4.5"), source="the account's own rates"
    )
    _, plan = await door.post("/v1/plan", ORDER)
    assert plan["cost"]["fees_bps"] == pytest.approx(4.5)  # as if all of it crossed
    assert plan["figures"]["fees_source"] == "the account's own rates"
    assert "fees by the account's own rates: 1 bps waiting, 4.5 taking" in plan["remarks"]
    _, plan = await door.post("/v1/plan", ORDER | {"maker_fee": "2", "taker_fee": "5.5"})
    assert (plan["cost"]["fees_bps"], plan["figures"]["fees_source"]) == (pytest.approx(5.5), "as told")
    door.control.known_fees = TransportError("no answer")
    _, plan = await door.post("/v1/plan", ORDER)
    assert (plan["cost"]["fees_bps"], plan["figures"]["fees_source"]) == (None, "")


def test_a_plan_that_would_be_refused_ends_as_a_refusal(daemon: Daemon, capsys: pytest.CaptureFixture):
    watch(daemon.control)
    add_parent(daemon.control.state)  # it buys what this one sells
    assert main(["plan", *WORDS, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refused"] == "tst-1 works the other side of BTCUSDT"


async def test_a_plan_says_what_it_would_run_into_because_of_others(door: Door):
    watch(door.control)
    state = door.control.state
    add_parent(state)
    parent = state.parents["tst-1"]
    parent.order = replace(parent.order, side=Side.SELL, params=replace(parent.order.params, interval_s=10))
    state.limits = replace(state.limits, parents_gross_notional_max=Decimal(1), orders_per_min_max=12)
    _, plan = await door.post("/v1/plan", ORDER | {"interval": "20s"})
    found = {one["what"]: one for one in plan["limits"]}
    assert found["orders_per_min_max"]["severity"] == "slower"
    assert (
        "about 18 orders a minute, 12 of them by 1 that are open, and 12 may be sent"
        in (found["orders_per_min_max"]["detail"])
    )
    assert found["limits over several parents"]["severity"] == "fails"
    state.limits = replace(state.limits, parents_gross_notional_max=None, orders_per_min_max=18)
    _, plan = await door.post("/v1/plan", ORDER | {"interval": "20s"})
    assert not {"orders_per_min_max", "limits over several parents"} & {one["what"] for one in plan["limits"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "none"), ("model", "square-root:99"), ("model", 7), ("crossing", "1.1"), ("crossing", 1),
        ("maker_fee", "101"), ("taker_fee", "5"), ("taker_fee", "five"), ("volume", "0"), ("volatility", "-1"),
        ("compare", "yes"), ("unknown", 1),
    ],
)  # fmt: skip
async def test_what_is_no_way_to_price_an_order_is_refused(door: Door, field, value):
    watch(door.control)
    status, answer = await door.post("/v1/plan", ORDER | {field: value})
    assert status == 422
    # One of two fees is not enough: the other one is asked for.
    assert answer["error"]["where"] == ("/maker_fee" if value == "5" else f"/{field}")


async def test_too_many_slices_are_refused(door: Door):
    watch(door.control)
    status, answer = await door.post("/v1/plan", ORDER | {"duration": "700h", "interval": 1})
    assert (status, answer["error"]["code"]) == (422, "PLAN")


def test_the_command_asks_the_daemon(daemon: Daemon, capsys: pytest.CaptureFixture):
    watch(daemon.control)
    assert main(["plan", *WORDS, "--compare"]) == 0
    page = capsys.readouterr().out
    assert "sell 1.5 BTC of linear BTCUSDT by twap" in page
    for told in ("expected cost", "30 slices", "█", "the same order by other strategies", "without fees"):
        assert told in page
    assert daemon.control.asked == []


def test_told_figures_need_no_daemon(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS, *FIGURES, "--strategy", "arrival-price", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["figures"]["source"] == "as told"
    assert plan["figures"]["spread_bps"] == pytest.approx(2.0)
    assert len(plan["frontier"]) == 7
    assert plan["limits"] == []


def test_told_figures_and_a_daemon_that_knows_the_same_tell_the_same(
    daemon: Daemon, capsys: pytest.CaptureFixture
):
    watch(daemon.control)
    market = daemon.control.state.markets["linear:BTCUSDT"]
    width = str(market.snapshot.spread_bps)
    assert main(["plan", *WORDS, "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)
    told = [*FIGURES[:3], width, *FIGURES[4:]] if len(width) < 19 else FIGURES
    assert main(["plan", *WORDS, *told, "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["cost"]["impact_bps"] == pytest.approx(asked["cost"]["impact_bps"])
    assert alone["cost"]["risk_bps"] == pytest.approx(asked["cost"]["risk_bps"])
    assert [one["expected_qty"] for one in alone["slices"]] == [
        one["expected_qty"] for one in asked["slices"]
    ]


def test_every_figure_that_is_missing_is_asked_for_by_name(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS, "--price", "101", "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["error"]
    assert {one["code"] for one in problems} == {"FIGURES"}
    assert [one["where"] for one in problems] == FIGURES[2::2]


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--spread-bps", "2"], "--spread-bps"),
        (["--at", "2026-11-20T12:00:00Z"], "--at"),
        (["--venue", "binance"], "--venue"),
        (["--from-store", "/tmp", "--price", "1"], "--from-store and --price"),
        ([*FIGURES, "--min-value", "many"], "--min-value"),
        ([*FIGURES, "--qty-step", "0"], "--price and the other figures"),
        ([*FIGURES, "--model", "kyle"], "--model"),
        ([*FIGURES, "--strategy", "sniper"], "--strategy"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, monkeypatch, capsys, words, where):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS, *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"][0]["where"] == where


def test_the_page_opens_without_a_network_and_is_not_written_over(tmp_path: Path, monkeypatch, capsys):
    pytest.importorskip("plotly")
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    page = tmp_path / "plan.html"
    words = ["plan", *WORDS, *FIGURES, "--strategy", "arrival-price", "--compare", "--html", str(page)]
    assert main(words) == 0
    text = page.read_text()
    assert 'data-figure="slices"' in text
    assert 'data-figure="frontier"' in text
    assert "A plan, not an order" in text
    assert main(words) == 2
    assert main([*words, "--overwrite"]) == 0
    capsys.readouterr()


def test_a_long_plan_is_told_in_groups(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS, *FIGURES, "--min-value", "0", "--interval", "10s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("180 slices") for line in lines)
    assert 20 <= sum("█" in line for line in lines) <= 24


def test_what_is_too_small_for_the_venue_is_told_as_left(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for qty, told in (("1.5", False), ("1.5004", True)):
        assert main(["plan", *[qty if word == "1.5" else word for word in WORDS], *FIGURES]) == 0
        assert ("0.0004 is left: the venue accepts no order so small" in capsys.readouterr().out) is told


def test_without_a_daemon_it_is_said_what_plans_without_one(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS]) == ExitCode.UNREACHABLE
    said = capsys.readouterr().err
    assert said.startswith("DAEMON_NOT_RUNNING")
    assert (
        "next: --price (it asks for the rest) or --from-store plans without a daemon; else start it" in said
    )


def test_an_order_that_only_rests_promises_no_time(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    assert main(["plan", *WORDS, *FIGURES, "--strategy", "iceberg", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["timing"] == "resting"
    assert plan["cost"]["spread_bps"] == 0
    assert any("nobody knows when it is filled" in line for line in plan["remarks"])


def test_a_dry_run_tells_the_plan_and_submits_nothing(daemon: Daemon, capsys: pytest.CaptureFixture):
    watch(daemon.control)
    words = [*WORDS, "--randomize-size", "50", "--randomize-timing", "50"]
    assert main(["submit", *words, "--dry-run", "--idempotency-key", "one", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (daemon.control.asked, daemon.control.state.parents) == ([], {})
    # The randomness comes of the key, as that of the order would.
    assert main(["submit", *words, "--dry-run", "--idempotency-key", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["slices"] == first["slices"]
    assert main(["submit", *words, "--dry-run", "--idempotency-key", "two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["slices"] != first["slices"]


async def test_a_market_that_is_not_followed_is_looked_at_once(door: Door):
    watch(door.control)
    door.control.looked = door.control.state.markets.pop("linear:BTCUSDT")
    status, plan = await door.post("/v1/plan", ORDER)
    assert (status, door.control.looks) == (200, 1)
    assert plan["figures"]["source"] == "the venue's ticker and its candles of the last hour"
    assert door.control.state.markets == {}


async def test_a_venue_that_does_not_answer_is_said(door: Door):
    door.control.looked = TransportError("no route")
    status, answer = await door.post("/v1/plan", ORDER)
    assert (status, answer["error"]["code"]) == (409, "FIGURES")
    assert answer["error"]["got"].endswith("; the venue was asked: no route")


async def test_a_market_that_the_engine_knows_is_not_looked_at(door: Door):
    watch(door.control)
    assert (await door.post("/v1/plan", ORDER))[0] == 200
    assert door.control.looks == 0


async def test_an_order_names_the_calibration_in_use(door: Door):
    order = submitted()
    assert await with_calibration(door.control, order) == order
    version = door.control.calibrations["BTCUSDT"] = calibrated("square-root:0.5")
    named = await with_calibration(door.control, order)
    assert (named.impact_model, named.impact_version) == ("square-root:0.5", version.version_id)
