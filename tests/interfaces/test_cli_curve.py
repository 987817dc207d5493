"""`executor data volume-curve`, and a curve on its way into an order."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from doors import Door

from config.curves import curve_fields, find_curve, read_curve, write_curve
from config.problems import ConfigProblems
from executor.domain.volume_curve import SessionWeights, VolumeCurve
from executor.interfaces import cli
from executor.interfaces.cli_backtest import read_order
from executor.interfaces.views import params_view
from strategies.volume_curve import USUAL_CURVE
from tests.dataset.written import written

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}
MONDAY_S = 1_700_438_400
CURVE = VolumeCurve(name="mine", weights_ppm=USUAL_CURVE.weights_ppm, week_qty=Decimal("1234.5"))


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("EXECUTOR_MARKET_DATA", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main(["data", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def candles(days, *, volume=True, first_s=MONDAY_S, left_out=()):
    """Hourly candles; ten trade in each hour, and thirty in the hour from nine."""
    head = "symbol,interval,start_at,open,high,low,close"
    rows = [f"{head},volume" if volume else head]
    for hour in range(24 * days):
        if hour not in left_out:
            traded = f",{'30.5' if hour % 24 == 9 else '10.5'}" if volume else ""
            rows.append(f"ABCUSDT,60,{first_s + 3_600 * hour},1.5,2.0,1.0,1.5{traded}")
    return "\n".join(rows) + "\n"


def test_candles_with_volumes_make_a_curve_a_file_and_a_page(run, tmp_path):
    assert run("import", written(tmp_path / "k.csv", candles(14, left_out=(30,))))[0] == 0
    code, out, err = run(
        "volume-curve", "--symbol", "ABCUSDT", "--out", "var/curves/abc.json", "--html", "abc.html"
    )
    assert code == 0
    assert err == "2023-11-21: left out, 23 of 24 candles\n"
    assert out.startswith("bybit/linear/ABCUSDT: 13 whole days, 2023-11-20 to 2023-12-03\n")
    assert "executor submit --strategy vwap --curve abc\n" in out
    assert "│   09 │ 11.21 ± 0.00 │" in out
    page = (tmp_path / "abc.html").read_text()
    assert "Volume curve of bybit/linear/ABCUSDT" in page
    assert "left out, 23 of 24 candles" in page
    curve = find_curve("abc", tmp_path / "var" / "curves")
    assert curve.name == "abc"
    at_nine, at_ten = curve.weights_ppm[9], curve.weights_ppm[10]
    assert at_nine > 1.2 * at_ten, "the usual curve has less in the hour from nine than in that from fourteen"
    code, out, _ = run("volume-curve", "--symbol", "ABCUSDT", "--days", "5", "--json")
    told = json.loads(out)
    assert (code, told["days"], told["first"]) == (0, 5, "2023-11-29")
    assert sum(told["weights_ppm"]) == 1_000_000
    assert told["left_out"] == [{"day": "2023-11-21", "source": "candles", "why": "23 of 24 candles"}]
    assert told["tracking_error_pct"]["flat"]["count"] == 5


def test_files_that_are_there_are_not_written_over(run, tmp_path):
    run("import", written(tmp_path / "k.csv", candles(1)))
    (tmp_path / "there.json").write_text("mine")
    code, out, err = run("volume-curve", "--symbol", "ABCUSDT", "--out", "there.json")
    assert (code, out) == (2, "")
    assert "--overwrite" in err
    assert (tmp_path / "there.json").read_text() == "mine"
    assert run("volume-curve", "--symbol", "ABCUSDT", "--out", "there.json", "--overwrite")[0] == 0
    assert read_curve(tmp_path / "there.json").name == "there"


@pytest.mark.parametrize(
    ("words", "file", "told"),
    [
        (["--symbol", "ABCUSDT"], candles(2, volume=False), "no volume of bybit/linear/ABCUSDT"),
        (["--symbol", "ABCUSDT"], candles(1, left_out=(3,)), "23 of 24 candles"),
        (["--symbol", "XYZUSDT"], candles(1), "nothing stored of XYZUSDT"),
        (["--symbol", "ABCUSDT", "--name", "No good"], candles(1), "--name"),
    ],
)
def test_what_makes_no_curve_is_said(run, tmp_path, words, file, told):
    run("import", written(tmp_path / "k.csv", file))
    code, out, err = run("volume-curve", *words)
    assert code in {1, 2}
    assert out == ""
    assert told in err


def test_trades_of_part_of_a_day_do_not_count(run, tmp_path):
    lines = ["id,timestamp,price,volume,side,rpi"]
    begin = datetime(2023, 11, 20, tzinfo=UTC)
    for minute in range(0, 600, 5):
        at_ms = int((begin + timedelta(minutes=minute)).timestamp() * 1_000)
        lines.append(f"{minute + 1},{at_ms},1.5,2,buy,0")
    path = written(tmp_path / "ABCUSDT_2023-11-20.csv", "\n".join(lines) + "\n")
    assert run("import", path, "--category", "spot", "--symbol", "ABCUSDT")[0] == 0
    code, _, err = run("volume-curve", "--symbol", "ABCUSDT")
    assert code == 1
    assert "its trades span 9.9 h only" in err


def test_a_file_of_a_curve_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "curves" / "mine.json"
    write_curve(path, CURVE, {"days": 3})
    assert read_curve(path) == CURVE == find_curve("mine", path.parent) == find_curve(str(path), tmp_path)
    shape = VolumeCurve(name="shape", weights_ppm=CURVE.weights_ppm)
    write_curve(path, shape, {})
    assert read_curve(path) == shape


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights_ppm": [1, 2]}, "168 hours"),
        ({"weights_ppm": [5_952.4] * 168}, "int"),
        ({"format": 2}, "format 2"),
        ({"more": 1}, "unknown field"),
        ({"name": "No"}, "name of a volume curve"),
        ({"week_qty": "-1"}, "above 0"),
        ({"week_qty": "many"}, "decimal"),
    ],
)
def test_a_file_that_holds_no_curve_is_refused(tmp_path, change, told):
    path = tmp_path / "mine.json"
    write_curve(path, CURVE, {})
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigProblems) as refused:
        read_curve(path)
    (problem,) = refused.value.problems
    assert problem.code == "CURVE"
    assert told in problem.got


def test_a_curve_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    write_curve(tmp_path / "mine.json", CURVE, {})
    with pytest.raises(ConfigProblems) as refused:
        find_curve("thine", tmp_path)
    assert refused.value.problems[0].next_step == "there is mine"
    with pytest.raises(ConfigProblems):
        find_curve(str(tmp_path / "away" / "mine.json"), tmp_path)
    (tmp_path / "large.json").write_text(" " * 70_000)
    with pytest.raises(ConfigProblems):
        find_curve("large", tmp_path)


async def test_an_order_carries_its_curve_and_its_session_weights(door: Door):
    more = {"strategy": "vwap", "curve": curve_fields(CURVE), "session_weights": {"us": "2"}}
    await door.post("/v1/parents", BODY | more, KEY)
    (event,) = door.control.asked
    assert event.params.curve == CURVE
    assert event.params.session_weights == SessionWeights(us=Decimal(2))
    shown = params_view(event.params)
    assert shown["curve"] == "mine"
    assert shown["session_weights"] == {"asia": "1", "europe": "1", "us": "2"}
    assert json.dumps(shown)
    assert set(params_view(event.params, "venue-twap")) == {"interval_s", "randomize_size"}


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"curve": "mine"}, "CURVE", "/curve"),
        ({"curve": {"name": "mine"}}, "CURVE", "/curve"),
        ({"curve": curve_fields(CURVE) | {"weights_ppm": [1] * 168}}, "CURVE", "/curve"),
        ({"curve": curve_fields(CURVE) | {"weights_ppm": "x"}}, "CURVE", "/curve"),
        ({"curve": curve_fields(CURVE) | {"week_qty": 5}}, "CURVE", "/curve"),
        ({"curve": curve_fields(CURVE) | {"other": 5}}, "CURVE", "/curve"),
        ({"curve": curve_fields(CURVE), "strategy": "twap"}, "STRATEGY_PARAM", "/curve"),
        ({"session_weights": {"moon": "1"}}, "SESSION", "/session_weights"),
        ({"session_weights": {"us": "11"}}, "SESSION", "/session_weights"),
        ({"session_weights": {"us": 2}}, "SESSION", "/session_weights"),
        ({"session_weights": {}}, "SESSION", "/session_weights"),
        ({"session_weights": "us"}, "SESSION", "/session_weights"),
        ({"session_weights": "us=1,us=2"}, "SESSION", "/session_weights"),
        ({"session_weights": ["us"]}, "SESSION", "/session_weights"),
    ],
)
async def test_what_is_no_curve_or_no_weight_is_refused(door: Door, more, code, where):
    status, answer = await door.post("/v1/parents", BODY | {"strategy": "vwap"} | more, KEY)
    assert status == 422
    assert (answer["error"]["code"], answer["error"]["where"]) == (code, where)
    assert not door.control.asked


def test_an_order_of_a_backtest_reads_its_curve_from_a_file(tmp_path):
    write_curve(tmp_path / "mine.json", CURVE, {})
    terms = {"side": "buy", "qty": "1", "duration": "5m", "strategy": "vwap"}
    order = read_order(terms | {"curve": str(tmp_path / "mine.json"), "session_weights": "asia=0.5,us=2"})
    assert order.params.curve == CURVE
    assert str(order.params.session_weights) == "asia=0.5,europe=1,us=2"


def test_the_streams_of_a_store_are_told_apart(run, tmp_path):
    run("import", written(tmp_path / "k.csv", candles(1)))
    run("import", written(tmp_path / "k.csv", candles(1)), "--category", "inverse")
    code, _, err = run("volume-curve", "--symbol", "ABCUSDT")
    assert code == 1
    assert "bybit/inverse/ABCUSDT, bybit/linear/ABCUSDT" in err
    assert run("volume-curve", "--symbol", "bybit/inverse/ABCUSDT")[0] == 0
    assert run("volume-curve", "--symbol", "ABCUSDT", "--category", "linear")[0] == 0
