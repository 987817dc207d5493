"""`executor backtest run` and `compare --strategies`: what they print, keep and refuse."""

import csv
import json

import pytest

from backtest.dataset.gather import Stream
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.audit import audit
from tests.backtest.recorded_days import store, wander

SHORT = [
    "--symbol",
    "BTCUSDT",
    "--qty",
    "0.06",
    "--duration",
    "30s",
    "--interval",
    "10s",
    "--warmup",
    "15s",
    "--twin",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return store(tmp_path_factory.mktemp("market"), wander(200))


@pytest.fixture
def run(capsys, data):
    def words(command, *more):
        code = main(["backtest", command, "--data", str(data), *more])
        told = capsys.readouterr()
        return code, told.out, told.err

    return words


def test_one_order_is_told_with_its_cost_and_what_its_fills_rest_on(run):
    code, out, err = run("run", *SHORT)
    assert code == ExitCode.OK
    assert "bybit linear BTCUSDT, recorded 2023-11-14T22:13:20.000Z to" in out
    assert (
        "queue risk-averse; fees 2 (maker) and 5.5 (taker) bps; latency: feed measured, orders 10 ms" in out
    )
    assert "0001-buy-twap          0.060 of 0.06 in " in out
    assert "the recorded market does not react" in out
    assert "impact" not in out
    assert not err


def test_what_an_order_would_have_moved_the_price_is_told_beside_its_cost(run):
    code, out, _ = run("run", *SHORT, "--impact", "square-root:1.2")
    assert code == ExitCode.OK
    (line,) = [line for line in out.splitlines() if line.startswith("0001-buy-twap")]
    (told,) = [line for line in out.splitlines() if line.startswith("impact model ")]
    mean = line.rpartition("; impact model ")[2].removesuffix(" bps")
    assert told.startswith(f"impact model   {mean} bps beside the cost by the impact model, plausible +")
    assert "WARNING        the impact model square-root:1.2 is beside the cost and not in it" in out


def test_a_comparison_that_comes_to_nothing_leaves_no_journal(run, tmp_path):
    words = ["--strategies", "TWAP,CROSS", "--every", "100s", "--out", str(tmp_path / "o")]
    code, _, err = run("compare", *SHORT, *words)
    assert code == ExitCode.REFUSED
    assert "four are needed at least" in err
    assert not list((tmp_path / "o").iterdir())
    code, _, err = run("run", *SHORT, "--journals", "2")
    assert code == ExitCode.USAGE
    assert "nothing without --out" in err


def test_fills_that_a_model_made_are_warned_of(run):
    _, out, _ = run("run", *SHORT, "--every", "30s", "--side", "both")
    assert "WARNING        " in out
    assert "fills come from the queue model risk-averse, not from prints alone" in out


def lines(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_orders_of_a_day_are_kept_with_trades_and_journals_and_again_the_same(run, tmp_path):
    words = [
        *SHORT,
        "--side",
        "both",
        "--every",
        "40s",
        "--queue",
        "log",
        "--latency-feed",
        "1,20",
        "--seed",
        "3",
    ]
    code, out, _ = run("run", *words, "--out", str(tmp_path / "a"), "--json")
    again = run("run", *words, "--out", str(tmp_path / "b"), "--json")
    assert code == ExitCode.OK
    assert again[1] == out
    record = json.loads(out)
    assert record == json.loads((tmp_path / "a" / "summary.json").read_text())
    for name in ("summary.json", "parents.csv", "trades.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    parents = lines(tmp_path / "a" / "parents.csv")
    trades = lines(tmp_path / "a" / "trades.csv")
    assert [one["name"] for one in parents] == [one["name"] for one in record["parents"]]
    assert {one["side"] for one in parents} == {"BUY", "SELL"}
    assert sum(int(one["fills"]) for one in parents) == len(trades)
    assert record["conditions"]["latency_feed"] == "one of 1, 20 ms"
    assert record["warnings"][0].endswith("was not recorded")
    for one in parents:
        journal = tmp_path / "a" / "journals" / f"{one['name']}.db"
        assert audit(journal).identical


def test_policies_are_compared_in_pairs_with_what_could_have_been_seen(run, tmp_path):
    words = ["compare", "--strategies", "twap,CROSS,RANDOM", *SHORT, "--every", "38s", "--side", "both"]
    code, out, _ = run(*words, "--out", str(tmp_path / "o"), "--journals", "4", "--impact", "square-root")
    assert code == ExitCode.OK
    for told in ("TWAP - CROSS", "TWAP - RANDOM", "CROSS - RANDOM", "standard error", "Holm's", "WARNING"):
        assert told in out
    assert out.count("with 1 block no difference of any size can be shown") == 3
    assert out.count("bps beside the cost by the impact model, plausible +") == 3
    record = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert [pair["second"] for pair in record["contest"]["pairs"]] == ["CROSS", "RANDOM", "RANDOM"]
    assert all(pair["low"] <= pair["mean"] <= pair["high"] for pair in record["contest"]["pairs"])
    assert all(
        (pair["smallest_shown"], pair["cheaper"]) == (None, None) for pair in record["contest"]["pairs"]
    )
    costs = record["contest"]["mean_cost_bps"]
    assert costs["CROSS"] > costs["TWAP"], "who crosses pays spread and the taker's fee"
    assert len(record["parents"]) == 6 * len(record["contest"]["each"])
    charged = record["contest"]["impact_model_bps"]
    assert charged["TWAP"]["mean"] == pytest.approx(charged["CROSS"]["mean"]), "whatever the pieces"
    by_cost = sorted(
        lines(tmp_path / "o" / "parents.csv"),
        key=lambda one: (float(one["arrival_shortfall_bps"]), one["name"]),
    )
    journals = {path.name for path in (tmp_path / "o" / "journals").iterdir()}
    assert journals == {f"{by_cost[at]['name']}.db" for at in (0, 1, -1, -2)}
    assert all(audit(tmp_path / "o" / "journals" / name).identical for name in journals)


def test_several_recordings_are_compared_as_one(capsys, tmp_path):
    store(tmp_path, wander(150, seed=2))
    store(tmp_path, wander(150, seed=3), stream=Stream("bybit", "spot", "BTCUSDT"), rules=False)
    names = "bybit/linear/BTCUSDT,bybit/spot/BTCUSDT"
    words = [*SHORT, "--symbol", names, "--qty", "0.06,0.05", "--every", "30s", "--json"]
    code = main(["backtest", "compare", "--data", str(tmp_path), "--strategies", "TWAP,CROSS", *words])
    record = json.loads(capsys.readouterr().out)
    assert code == ExitCode.OK
    assert [one["recording"]["category"] for one in record["recordings"]] == ["linear", "spot"]
    assert [one["recording"] for one in record["contest"]["each"]] == [1] * 4 + [2] * 4
    assert any(told.endswith("of BTCUSDT (spot): assumed") for told in record["warnings"])


@pytest.mark.parametrize("adviser", ["unchanged", "silent"])
def test_advice_without_effect_costs_nothing_but_its_bill(run, adviser):
    _, plain, _ = run("run", *SHORT, "--json")
    code, out, _ = run("run", *SHORT, "--json", "--adviser", adviser)
    assert code == ExitCode.OK
    advised, alone = json.loads(out), json.loads(plain)
    assert advised["parents"][0].pop("questions")
    assert not alone["parents"][0].pop("questions")
    assert advised["parents"][0]["report"].pop("advice_periods") == 0
    assert alone["parents"][0]["report"].pop("advice_periods") is None
    assert advised["parents"][0]["report"] == alone["parents"][0]["report"]


def test_a_tape_that_holds_nothing_is_said(run, tmp_path):
    (tmp_path / "calls.jsonl").write_text("")
    code, _, err = run("run", *SHORT, "--adviser", f"tape:{tmp_path / 'calls.jsonl'}")
    assert code == ExitCode.AUDIT_DIFFERS
    assert "questions are not on the tape" in err


@pytest.mark.parametrize(
    ("more", "where", "said"),
    [
        (["--symbol", "NOPE"], "DATA", "got nothing stored of NOPE; allowed: bybit/linear/BTCUSDT; next: "),
        (["--symbol", "linear/BTCUSDT"], "USAGE at --symbol", "SYMBOL, or VENUE/CATEGORY/SYMBOL"),
        (["--symbol", "//BTCUSDT"], "USAGE at --symbol", "SYMBOL, or VENUE/CATEGORY/SYMBOL"),
        (["--profile", "live"], "USAGE at --profile", "nothing without --config"),
        (["--start", "2023-11-14T22:13:20Z"], "PLAN at --start", "allowed: 2023-11-14T22:13:35"),
        (["--start", "yesterday"], "TIME at --start", "RFC 3339"),
        (["--duration", "10m"], "PLAN at --duration", "at most 182s"),
        (["--qty", "0.0001"], "PLAN at --qty", "at least 0.001 BTCUSDT"),
        (["--qty", "0.0605"], "PLAN at --qty", "steps of 0.001"),
        (["--symbol", "BTCUSDT,ETHUSDT"], "USAGE at --symbol", "one instrument"),
        (["--symbol", "binance/linear/BTCUSDT"], "DATA", "got nothing stored of binance/linear/BTCUSDT"),
        (["--side", "up"], "USAGE at --side", "buy, sell, both"),
        (["--impact", "linear"], "USAGE at --impact", "square-root:FACTOR with a factor above 0"),
        (["--queue", "fifo"], "USAGE at --queue", "risk-averse, proportional"),
        (["--latency-order", "fast"], "USAGE at --latency-order", "milliseconds such as 10"),
        (["--latency-order", "99999"], "USAGE at --latency-order", "at most 60000 ms"),
        (["--every", "soon"], "TIME at --every", "5m"),
        (["--until", "2023-11-14T22:14:00Z"], "USAGE at --until", "nothing without --every"),
        (
            ["--every", "30s", "--until", "2020-01-01T00:00:00Z"],
            "PLAN at --until",
            "an instant after the first order",
        ),
        (["--maker-fee", "1e9"], "USAGE at --maker-fee", "the same command with --help"),
        (["--latency-feed", "measured:fast"], "USAGE at --latency-feed", "measured:5"),
        (
            ["--latency-feed", "5", "--latency-order", "measured"],
            "USAGE at --latency-order",
            "is not measured",
        ),
        (["--residual", "extend"], "", "extend"),
        (["--adviser", "oracle"], "USAGE at --adviser", "uninformed"),
        (["--adviser", "foresight"], "USAGE at --adviser", "knows no more than the recording"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_the_way_out(run, tmp_path, more, where, said):
    code, out, err = run("run", *SHORT, *more, "--out", str(tmp_path / "o"))
    assert code in {ExitCode.USAGE, ExitCode.REFUSED}
    assert err.startswith(where)
    assert said in err
    assert not out
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


def test_measured_latency_needs_the_receiver_s_times(capsys, tmp_path):
    root = store(tmp_path / "market", wander(100), recv_known=False)
    words = ["backtest", "run", "--data", str(root), *SHORT]
    assert main([*words, "--latency-feed", "measured"]) == ExitCode.USAGE
    assert "has no receiver's times" in capsys.readouterr().err
    assert main(words) == ExitCode.OK
    assert "latency: feed 5 ms" in capsys.readouterr().out


def test_the_heading_says_what_is_worked_on_which_terms_and_who_advises(run):
    words = ["--side", "both", "--maker-fee", "-1", "--requests-per-s", "3", "--adviser", "unchanged"]
    code, out, _ = run("run", *SHORT, *words)
    assert code == ExitCode.OK
    assert (
        "orders: buy and sell 0.06 in 30 s, by twap in slices of 10 s, urgency MEDIUM, residual cross" in out
    )
    assert "fees -1 (maker) and 5.5 (taker) bps" in out
    assert (
        "venue: 3 requests of a kind a second, price band 100 bps, prints up to 50 ms late; warm-up 15 s"
        in out
    )
    assert "adviser unchanged: model scripted, asked every 20 s, 4000 ms for an answer" in out
    (told,) = [line for line in out.splitlines() if line.startswith("advice  ")]
    assert " questions, " in told
    assert "; bill 0." in told
    record = json.loads(
        run("run", *SHORT, *words, "--json", "--price-band-bps", "0", "--print-lag-ms", "7")[1]
    )
    assert record["conditions"]["maker_fee_rate"] == "-0.0001"
    assert (record["conditions"]["requests_per_s"], record["conditions"]["price_band_bps"]) == (3, 0)
    assert record["conditions"]["print_lag_ms"] == 7
    assert record["conditions"]["adviser"] == "unchanged"
    assert record["advice"]["questions"] == sum(record["advice"]["outcomes"].values()) > 0
    assert float(record["advice"]["bill"]) > 0


def test_an_order_may_be_extended(run):
    code, out, _ = run("run", *SHORT, "--residual", "extend", "--extend", "20s")
    assert code == ExitCode.OK
    assert "residual extend by 20 s at most" in out


def test_a_clock_that_was_behind_is_told_with_what_was_done(capsys, tmp_path):
    root = store(tmp_path / "market", wander(100, lag_ns=-1_500_000_000))
    words = ["backtest", "run", "--data", str(root), *SHORT]
    assert main(words) == ExitCode.OK
    told = capsys.readouterr().out
    assert "feed measured with the receiver's clock moved (+1505.0 ms on 2023-11-14), orders 10 ms" in told
    assert (
        "WARNING        the receiver's clock of BTCUSDT (linear) was behind: on 2023-11-14 100 % of the rows"
        in told
    )
    assert main([*words, "--latency-feed", "measured:9", "--json"]) == ExitCode.OK
    conditions = json.loads(capsys.readouterr().out)["conditions"]
    assert conditions["receiver_clock_moved_ms"] == {"2023-11-14": 1509.0}
    assert conditions["received_before_sent_pct"] == {"2023-11-14": 100.0}


def test_a_fault_of_the_program_is_no_missing_package(monkeypatch, run):
    def broken(*_):
        raise ImportError("cannot import name 'x'", name="backtest.recorded")

    monkeypatch.setattr("executor.interfaces.cli_recorded.make_plan", broken)
    with pytest.raises(ImportError, match="cannot import"):
        run("run", *SHORT)

    def missing(*_):
        raise ModuleNotFoundError("No module named 'numba'", name="numba.core")

    monkeypatch.setattr("executor.interfaces.cli_recorded.make_plan", missing)
    code, _, err = run("run", *SHORT)
    assert code == ExitCode.USAGE
    assert err.startswith('PACKAGES at executor backtest run: got no package "numba.core"')
    assert "the packages of the extra `backtest`" in err


def test_results_never_lie_among_others(run, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    code, _, err = run("run", *SHORT, "--out", str(tmp_path))
    assert code == ExitCode.USAGE
    assert "a new or empty folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "neither"),
        (["--adviser", "silent", "--strategies", "TWAP,CROSS"], "both"),
        (["--adviser", "silent"], "nothing without --strategies"),
        (["--strategies", "TWAP,CROSS", "--seeds", "4"], "nothing without --adviser"),
        (["--strategies", "TWAP,CROSS"], "the time from one order to the next"),
        (["--strategies", "TWAP"], "two or more"),
        (["--strategies", "TWAP,GUESS", "--every", "20s"], "CROSS, RANDOM"),
        (["--strategies", "TWAP,CROSS", "--every", "100s"], "four are needed at least"),
        (["--strategies", "TWAP,CROSS", "--every", "20s", "--qty", "1,2"], "one for all, or one for each"),
    ],
)
def test_comparisons_of_nothing_or_of_two_things_are_refused(run, words, said):
    code, _, err = run("compare", *SHORT, *words)
    assert code in {ExitCode.USAGE, ExitCode.REFUSED}
    assert said in err
