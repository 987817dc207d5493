"""`executor impact`, as an operator types it."""

import json
from datetime import date
from pathlib import Path

import pytest

from backtest.dataset.gather import Stream
from backtest.dataset.rows import Flag, Kind
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.kept_parameters import KeptParameters
from executor.runtime.past_orders import PastOrder, each_journal
from impact.models import read_model
from impact.protocol import Execution, Pace
from tests.backtest.recorded_days import store, wander
from tests.impact.made_orders import linear_tape
from tests.interfaces.test_kept_parameters import version as kept_version
from tests.runtime.test_past_orders import journal

T0 = 1_700_000_000_000_000_000


def trade_rows(count=4_000, impact=1e-5):
    """Public trades alone, each of which moves the price for good by its size, and trades where it moved it."""
    rows = []
    for one in linear_tape(1, count, impact):
        px, at_ns = round(one.px * (1 + impact * one.signed_qty) * 5_000), T0 + one.at_ns
        rows.append((at_ns, at_ns, Kind.TRADE, one.sign, px, round(one.qty * 1_000) or 1, 0, 0, Flag.LAST))
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("market")
    store(root, trade_rows())
    store(root, wander(150), stream=Stream("bybit", "linear", "ETHUSDT"))
    silent = trade_rows(1_500, 0.0)
    return store(root, silent, stream=Stream("bybit", "spot", "BTCUSDT"), day=date(2023, 11, 15))


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journals")
    for number in range(14):
        journal(folder / f"{number:02d}.db", number)
    return folder


@pytest.fixture
def run(capsys, monkeypatch, data, tmp_path):
    monkeypatch.setenv("EXECUTOR_MARKET_DATA", str(data))
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path / "data"))

    def run(*words):
        code = cli.main(["impact", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


TRADES = ("calibrate", "--symbol", "BTCUSDT", "--category", "linear", "--from-store", "--traders", "3")


def test_a_calibration_is_made_kept_shown_checked_and_chosen(run, tmp_path):
    code, out, err = run(*TRADES, "--model", "kyle", "--json")
    assert (code, err) == (ExitCode.OK, "")
    made = json.loads(out)
    (factor,) = made["estimates"]
    assert factor["value"] > 2 * factor["standard_error"] > 0
    assert read_model(made["model"]).name == made["model"]
    assert (made["source"], made["in_use"], made["window"]) == ("trades", False, 20_000)
    assert made["file"].startswith(str(tmp_path / "data" / "impact" / "bybit.linear.BTCUSDT"))

    code, out, _ = run("show", "--json")
    assert [(one["id"], one["in_use"]) for one in json.loads(out)] == [(made["id"], False)]
    code, out, _ = run("check", made["file"])
    assert code == ExitCode.OK
    assert "sound: unchanged since it was made, and no round trip earns by it" in out

    code, out, _ = run("use", made["id"][:8], "--operator", "anna")
    assert (code, out.splitlines()[-1]) == (ExitCode.OK, "in use from now on")
    code, out, _ = run("show", "--symbol", "BTCUSDT")
    assert made["id"] in out
    assert "in use" in out
    assert run("show", "--symbol", "XRPUSDT")[1] == ""


def test_a_new_version_is_used_by_itself_only_near_the_one_that_was_chosen(run):
    first = json.loads(run(*TRADES, "--model", "kyle", "--use-within-pct", 1_000, "--json")[1])
    assert not first["in_use"]
    assert "nobody has chosen a first one" in first["not_used_because"]
    run("use", first["id"])
    near = json.loads(run(*TRADES, "--model", "kyle", "--seed", 5, "--use-within-pct", 90, "--json")[1])
    assert near["in_use"]
    far = json.loads(run(*TRADES, "--model", "kyle", "--seed", 6, "--use-within-pct", 0.01, "--json")[1])
    assert "too far from" in far["not_used_because"]
    used = [one["id"] for one in json.loads(run("show", "--json")[1]) if one["in_use"]]
    assert used == [near["id"]]


def test_trades_without_impact_make_no_calibration(run, tmp_path):
    code, out, err = run("calibrate", "--symbol", "BTCUSDT", "--category", "spot", "--from-store")
    assert (code, out) == (ExitCode.REFUSED, "")
    assert "CALIBRATION at executor impact calibrate" in err
    assert "nothing was kept" in err
    assert not (tmp_path / "data" / "impact").exists()


def test_a_file_that_was_changed_is_refused_by_name(run):
    made = json.loads(run(*TRADES, "--model", "kyle", "--json")[1])
    path = Path(made["file"])
    path.write_text(path.read_text().replace('"orders": ', '"orders": 1'))
    for words in (("check", made["file"]), ("show",), ("use", made["id"])):
        code, _, err = run(*words)
        assert code == ExitCode.REFUSED
        assert "PARAMETERS" in err
        assert made["file"] in err
        assert "changed after it was made" in err


def test_a_model_is_checked_by_its_name(run):
    assert run("check", "square-root:0.9")[1] == "square-root:0.9: sound, no round trip earns by it\n"
    code, _, err = run("check", "kyle:factor=1,exponent=0.5")
    assert code == ExitCode.REFUSED
    assert "round trip" in err
    assert json.loads(run("check", "none", "--json")[1]) == {"ok": True, "model": "none"}


def test_own_orders_that_say_nothing_are_refused(run, journals):
    """Fourteen small orders in a market that does not react."""
    code, out, err = run("calibrate", "--symbol", "BTCUSDT", "--from-journal", journals)
    assert (code, out) == (ExitCode.REFUSED, "")
    assert "14 orders with an impact are too few" in err


def test_journals_without_an_order_say_so(run, journals, monkeypatch):
    monkeypatch.setattr("executor.runtime.past_orders.each_journal", lambda *_: [])
    code, _, err = run("score", journals, "--symbol", "BTCUSDT")
    assert code == ExitCode.REFUSED
    assert "without a finished order that was filled" in err
    assert "executor submit" in err


def test_forecasts_are_scored_on_the_later_orders(run, journals):
    code, out, err = run("score", journals, "--symbol", "BTCUSDT", "--promised-pct", 80, "--json")
    assert (code, err) == (ExitCode.OK, "")
    told = json.loads(out)
    assert (told["fitted"], told["scored"], told["not_forecast"]) == (7, 7, 0)
    assert told["model"] == "square-root:0.9"
    assert 0 <= told["crossing"] <= 1
    held = told["coverage"]["widened"]
    assert held["low"] <= held["share"] <= held["high"]
    assert sum(one["orders"] for one in told["bins"]) == 7
    code, out, _ = run("score", journals, "--symbol", "BTCUSDT", "--promised-pct", 80, "--model", "athl")
    assert "almgren-chriss" in out.splitlines()[0]
    assert "80% promised" in out
    assert "o" in out.splitlines()[-4]
    assert told["beside_others"] == 7, "each began a second after the one before, in a world of its own"
    assert out.splitlines()[-1].startswith(
        "WARNING        7 of the scored orders were at work while another one was"
    )


@pytest.mark.parametrize(
    ("lives", "beside"),
    [
        ([(0, 10)], 0),
        ([(20, 30), (0, 10), (10, 20)], 0),
        ([(0, 10), (9, 20), (20, 30)], 2),
        ([(0, 100), (10, 20), (30, 40), (100, 110)], 3),
    ],
)
def test_orders_that_were_at_work_at_one_time_are_counted(run, monkeypatch, lives, beside):
    """Ten earlier ones apart from each other, then lives by start and end in seconds, then others apart."""

    def past(number, start_s, end_s):
        return PastOrder(
            name=str(number), instrument="simulation/linear/BTCUSDT", strategy="twap", sign=1,
            started_ns=start_s * 10**9, plan=(Execution(start_s * 10**9, 1.0, (end_s - start_s) * 10**9),),
            pace=Pace(0.5, 100.0), spread_bps=1.0, order_qty=1.0, filled_qty=1.0, arrival_px=100.0,
            avg_px=100.0 + number % 3 / 100, end_px=100.0, first_ns=start_s * 10**9, last_ns=end_s * 10**9,
            complete=True, maker_share=0.5, after=(),
        )  # fmt: skip

    later = [(1_000 + start_s, 1_000 + end_s) for start_s, end_s in lives]
    apart = [(2_000 + 20 * number, 2_010 + 20 * number) for number in range(10 - len(lives))]
    earlier = [(20 * number, 20 * number + 10) for number in range(10)]
    orders = [past(number, *life) for number, life in enumerate([*earlier, *later, *apart])]
    monkeypatch.setattr("executor.runtime.past_orders.each_journal", lambda *_: orders)
    code, out, _ = run("score", "any.db", "--symbol", "BTCUSDT", "--promised-pct", 80, "--json")
    assert (code, json.loads(out)["scored"], json.loads(out)["beside_others"]) == (ExitCode.OK, 10, beside)


def test_a_calibration_is_not_said_to_foretell_the_orders_it_was_made_of(run, journals, tmp_path):
    """Held against the scored orders by time: one that ended before them, one that may have been made of them."""
    first_ns = min(one.started_ns for one in each_journal(sorted(journals.glob("*.db"))))
    kept = KeptParameters(tmp_path / "kept")
    words = ("score", journals, "--symbol", "BTCUSDT", "--promised-pct", 80, "--kept", tmp_path / "kept")
    for to_ns, of_it in ((first_ns - 1, 0), (first_ns + 10**12, 7)):
        version = kept_version(venue="simulation", from_ns=1, to_ns=to_ns)
        kept.save(version)
        kept.use(version.version_id, "anna", 5)
        told = json.loads(run(*words, "--json")[1])
        assert (told["calibration"], told["scored"], told["of_calibration"]) == (version.version_id, 7, of_it)
        warned = (
            f"WARNING        7 of the scored orders are from the time of calibration {version.version_id}"
        )
        assert (warned in run(*words)[1]) is bool(of_it)
    named = json.loads(run(*words, "--model", "square-root", "--json")[1])
    assert (named["calibration"], named["of_calibration"]) == (None, 0)


def test_too_few_orders_have_no_score(run, journals):
    code, _, err = run("score", journals / "00.db", "--symbol", "BTCUSDT")
    assert code == ExitCode.REFUSED
    assert "SCORE" in err


def test_an_instrument_that_was_not_traded_is_named_with_those_that_were(run, journals):
    code, _, err = run("score", journals, "--symbol", "ETHUSDT")
    assert code == ExitCode.REFUSED
    assert "simulation/linear/BTCUSDT" in err


def test_order_flow_of_a_recording(run):
    code, out, err = run("flow", "--symbol", "ETHUSDT", "--step", 1, "--step", 2, "--regimes", 2, "--json")
    assert (code, err) == (ExitCode.OK, "")
    told = json.loads(out)
    assert told["trades"] <= told["fills"]
    assert [one["step_s"] for one in told["responses"]] == [1.0, 2.0]
    assert 0 <= told["responses"][0]["order_flow_imbalance"]["r_squared"] <= 1
    spread = told["spreads_bps"]["1 s"]
    assert spread["effective"] == pytest.approx(spread["realised"] + spread["impact"])
    assert told["vpin"]["by_sides"]["floor"] > 0
    assert sum(told["regimes"]["shares"]) == pytest.approx(1)
    code, out, _ = run("flow", "--symbol", "ETHUSDT", "--step", 1, "--step", 2, "--regimes", 2)
    assert "moves, 1 s      by quotes R2 0." in out
    assert "regime 2" in out
    assert "WARNING         2 minutes" in out


def test_order_flow_without_a_book(run):
    told = json.loads(run("flow", "--symbol", "BTCUSDT", "--category", "linear", "--json")[1])
    assert told["quotes"] == 0
    assert told["responses"][0]["order_flow_imbalance"] is None
    assert told["responses"][0]["trade_imbalance"]["r_squared"] > 0.05
    assert told["spreads_bps"]["1 s"] is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("calibrate", "--symbol", "BTCUSDT"), ExitCode.USAGE, "where the orders come from"),
        ((*TRADES, "--from-journal", "x.db"), ExitCode.USAGE, "where the orders come from"),
        ((*TRADES, "--model", "magic"), ExitCode.USAGE, "square-root, power-law"),
        (("calibrate", "--symbol", "NONE", "--from-store"), ExitCode.REFUSED, "nothing stored of NONE"),
        (("calibrate", "--symbol", "X", "--from-journal", "none.db"), ExitCode.DURABILITY, "no such file"),
        (("flow", "--symbol", "ETHUSDT", "--engine", "magic"), ExitCode.USAGE, "own or hmmlearn"),
        (("flow", "--symbol", "ETHUSDT", "--regimes", "1"), ExitCode.USAGE, "2 to 4"),
        (("use", "abc"), ExitCode.REFUSED, "not the id of one calibration"),
        (("check", "none.json"), ExitCode.REFUSED, "no such file"),
        (("score", "none.db", "--symbol", "X", "--model", "magic"), ExitCode.DURABILITY, "no such file"),
    ],
)
def test_what_cannot_be_done_is_said(run, words, code, said):
    ended, out, err = run(*words)
    assert (ended, out) == (code, "")
    assert said in err


def test_a_folder_without_journals_is_refused(run, tmp_path):
    code, _, err = run("score", tmp_path, "--symbol", "BTCUSDT")
    assert code == ExitCode.USAGE
    assert "journals (*.db)" in err
