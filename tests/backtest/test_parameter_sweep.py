"""Sweeps: every combination once, what is there is kept, what is faulty stops nobody, and workers may die."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backtest.sweep import MANIFEST, plan_cells, sweep
from backtest.sweep_cell import Outcome, lost
from backtest.sweep_local import LocalProcesses
from backtest.sweep_plan import read_grid
from backtest.sweep_rows import Folder
from config.problems import ConfigProblems
from executor.interfaces.cli import main
from executor.interfaces.cli_sweep import read_cell, work_cell
from executor.interfaces.exit_codes import ExitCode
from tests.backtest import sweep_work
from tests.backtest.recorded_days import store, wander

FILE = """
data = "{root}"
[[market]]
symbol = "BTCUSDT"
days = {days}
qty = "0.06"
[[strategy]]
name = "twap"
interval = ["10s", "15s"]
[orders]
side = "buy"
duration = "20s"
warmup = "15s"
every = "60s"
[venue]
impact = "square-root:1.2"
twin = true
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return store(tmp_path_factory.mktemp("market"), wander(120, trades=True))


@pytest.fixture
def write(tmp_path, root):
    def text(changed=FILE, days='["2023-11-14"]'):
        path = tmp_path / "tried.toml"
        path.write_text(changed.replace("{root}", str(root)).replace("{days}", days))
        return path

    return text


def planned(path):
    return plan_cells(read_grid(path, path.parent))


def in_turn(work, cells):
    for cell in cells:
        yield cell, work(cell)


def never(work, cells):
    raise AssertionError(f"{len(cells)} cells were worked again")


def results(folder):
    return {path.name: path.read_bytes() for path in folder.cells.iterdir()}


# ---------------------------------------------------------------------- what is tried


def test_every_combination_is_a_cell_with_all_that_it_is_computed_from(write):
    more = FILE + 'queue = ["risk-averse", "log"]\n[[strategy]]\nname = ["CROSS", "RANDOM"]\n'
    found = planned(write(more, "[2023-11-14, 2023-11-15]"))
    assert len(found) == 2 * (2 + 2) * 2 == len({cell.name for cell in found})
    assert [cell.number for cell in found] == list(range(1, 17))
    assert {(c.terms["strategy"], c.terms.get("interval")) for c in found} == {
        ("TWAP", "10s"), ("TWAP", "15s"), ("CROSS", None), ("RANDOM", None),
    }  # fmt: skip
    assert {cell.terms["latency_order"] for cell in found} == {"10"}


def test_a_cell_keeps_its_name_when_others_are_added_and_loses_it_with_its_recording(write, tmp_path):
    before = {cell.name for cell in planned(write())}
    assert before < {cell.name for cell in planned(write(FILE.replace('"10s", ', '"5s", "10s", ')))}
    elsewhere = write().read_text().replace(planned(write())[0].root.as_posix(), str(tmp_path / "other"))
    store(tmp_path / "other", wander(120))
    (tmp_path / "other.toml").write_text(elsewhere)
    assert {cell.name for cell in planned(tmp_path / "other.toml")} == before
    store(tmp_path / "other", wander(121))
    assert not before & {cell.name for cell in planned(tmp_path / "other.toml")}


@pytest.mark.parametrize(
    ("old", "new", "where", "allowed"),
    [
        ("duration", "durations", "[orders] durations", "side, duration, every, warmup, over_gaps, seed"),
        ("[venue]", "[venues]", "venues", "data, [[market]], [[strategy]], [orders], [venue]"),
        ("[[market]]", "[market]", "[[market]]", "a table [[market]] with symbol, qty"),
        ('"twap"', '"twamp"', "[[strategy]] name", "TWAP"),
        ('"twap"', '"CROSS"', "[[strategy]] name", "in a table of their own without interval"),
        ('["10s", "15s"]', "[]", "[[strategy]] interval", "one value at least"),
        ('qty = "0.06"\n', "", "[[market]] qty", "sizes"),
        ('"2023-11-14"', '"2023-11-41"', "[[market]] days", "days such as 2026-08-09"),
        (
            "qty =",
            'start = "2023-11-14T22:14:00Z"\nqty =',
            "[[market]] days",
            "either days, or start and until",
        ),
        ('["10s", "15s"]', '["10s", "10s"]', "", "every combination of choices once"),
        ('"buy"', '["buy", {}]', "[orders] side", "text, a number, true or false"),
        ("[orders]", "[orders", "", "TOML in UTF-8"),
        # What the options of `backtest run` mean is read before anything is worked.
        ('"10s", "15s"', '"10s", "soon"', "interval (cell 2)", "such as 30s"),
        ('"buy"', '"long"', "side (cell 1)", "buy, sell, both"),
        ("twin = true", "twin = 1", "twin (cell 1)", "true or false"),
        ("twin = true", 'latency_feed = "fast"', "latency_feed (cell 1)", "milliseconds such as 10"),
        ("twin = true", 'requests_per_s = "many"', "requests_per_s (cell 1)", "from 0 to 1000"),
        ("twin = true", "price_band_bps = -1", "price_band_bps (cell 1)", "from 0 to 10000"),
        ("twin = true", 'queue = "short"', "queue (cell 1)", "risk-averse"),
        ("square-root:1.2", "linear", "impact (cell 1)", "square-root:FACTOR"),
        ("[venue]", "seed = -1\n[venue]", "seed (cell 1)", "a whole number from 0"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place_and_what_would_do(
    write, tmp_path, capsys, old, new, where, allowed
):
    assert old in FILE.replace("{days}", '["2023-11-14"]')
    path = write(FILE.replace("{days}", '["2023-11-14"]').replace(old, new, 1))
    code = main(["backtest", "sweep", str(path), "--out", str(tmp_path / "out"), "--json"])
    (first, *_) = json.loads(capsys.readouterr().out)["error"]
    assert code == ExitCode.USAGE
    assert where in first["where"]
    assert allowed in first["allowed"]
    assert not (tmp_path / "out").exists()


def test_the_example_can_be_read():
    path = Path(__file__).parents[2] / "examples" / "sweep.toml"
    cells = planned(path)
    assert len(cells) == (2 + 1) * 6 * 4
    assert all(read_cell(cell)[1].duration_s == 60 for cell in cells)


def test_everything_that_is_wrong_is_told_at_once(write):
    path = write(FILE.replace("duration", "during").replace("interval", "intervals"))
    with pytest.raises(ConfigProblems) as caught:
        read_grid(path, path.parent)
    assert len(caught.value.problems) == 2


# ---------------------------------------------------------------------- what comes out


@pytest.fixture(scope="module")
def reference(root, tmp_path_factory):
    """A sweep worked in one process, with a day that is not there."""
    folder = tmp_path_factory.mktemp("reference")
    path = folder / "tried.toml"
    path.write_text(FILE.replace("{root}", str(root)).replace("{days}", '["2023-11-14", "2023-11-15"]'))
    kept = Folder(folder / "out")
    return path, kept, sweep(planned(path), kept, work_cell, in_turn)


def test_a_cell_is_what_backtest_run_does(reference, root, tmp_path, capsys):
    _, kept, found = reference
    words = [
        "--symbol",
        "BTCUSDT",
        "--qty",
        "0.06",
        "--duration",
        "20s",
        "--interval",
        "15s",
        "--warmup",
        "15s",
    ]
    out = tmp_path / "run"
    assert (
        main(
            [
                "backtest",
                "run",
                "--data",
                str(root),
                *words,
                "--every",
                "60s",
                "--twin",
                "--out",
                str(out),
                "--impact",
                "square-root:1.2",
            ]
        )
        == 0
    )
    told = json.loads((out / "summary.json").read_text())
    with (out / "parents.csv").open() as file:
        lines = list(csv.DictReader(file))
    rows = pq.read_table(kept.cells / f"{found[1].cell.name}.parquet").to_pylist()
    assert len(rows) == len(lines) == told["orders"] > 0
    assert found[1].summary.mean_bps == pytest.approx(told["arrival_shortfall_bps"]["mean"], abs=1e-4)
    assert found[1].summary.impact_bps == pytest.approx(told["impact_model_bps"]["mean"], abs=1e-4)
    assert found[1].summary.impact_unknown == 0
    for row, line, parent in zip(rows, lines, told["parents"], strict=True):
        assert row["cell"] == found[1].cell.name
        assert row["asked_interval"] == "15s"
        assert row["asked_passiveness"] is None
        assert row["venue_state"] == parent["venue_state"]
        for name in (
            "number",
            "status",
            "side",
            "order_qty",
            "cum_qty",
            "avg_px",
            "fees_bps",
            "fills",
            "maker_share",
            "funding_quote",
            "impact_model_bps",
            "impact_model_low_bps",
            "impact_model_high_bps",
        ):
            assert type(row[name])(line[name]) == row[name], name


def test_a_faulty_cell_is_noted_and_stops_no_other(reference, capsys):
    _, kept, found = reference
    assert [one.error is None for one in found] == [True, True, False, False]
    noted = json.loads((kept.cells / f"{found[2].cell.name}.error.json").read_text())
    assert (
        "got nothing stored of bybit/linear/BTCUSDT on 2023-11-15; allowed: 2023-11-14; next: "
        in noted["error"]
    )
    assert noted["asked"]["day"] == "2023-11-15"
    record = json.loads((kept.path / MANIFEST).read_text())
    assert record["faulty"] == 2
    assert [one.get("error") == noted["error"] for one in record["cells"]] == [False, False, True, True]


def test_other_processes_write_the_same_bytes_and_the_end_is_told(reference, tmp_path, capsys):
    path, kept, _ = reference
    out = tmp_path / "out"
    code = main(["backtest", "sweep", str(path), "--out", str(out), "--workers", "2"])
    told = capsys.readouterr()
    assert code == ExitCode.REFUSED
    assert results(Folder(out)) == results(kept)
    assert (out / MANIFEST).read_bytes() == (kept.path / MANIFEST).read_bytes()
    assert "4 cells: 2 worked, 0 there before, 2 faulty" in told.out
    assert "2 cells were tried: the best of them is best partly by chance" in told.out
    (line,) = [line for line in told.err.splitlines() if line.startswith("FAULTY")]
    assert line.startswith("FAULTY         2 cells (3, 4): DATA at ")
    assert "impact model bps" in told.out
    assert "WARNING        what the impact model says is beside the cost and not in it" in told.out


def test_a_sweep_that_was_killed_goes_on_with_what_is_missing(reference, tmp_path):
    class Killed(BaseException):
        pass

    def killed(work, cells):
        yield from in_turn(work, cells[:1])
        raise Killed

    path, kept, _ = reference
    cells, folder = planned(path), Folder(tmp_path / "out")
    with pytest.raises(Killed):
        sweep(cells, folder, work_cell, killed)
    assert [path.stem for path in folder.cells.iterdir()] == [cells[0].name]
    # What was half written then is never taken for a result.
    (folder.cells / f"{cells[1].name}.parquet.77.partial").write_bytes(b"PAR1")
    steps = []
    found = sweep(cells, folder, work_cell, in_turn, lambda done, total: steps.append((done, total)))
    assert [one.reused for one in found] == [True, False, False, False]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    (folder.cells / f"{cells[1].name}.parquet.77.partial").unlink()
    assert results(folder) == results(kept)
    assert (folder.path / MANIFEST).read_bytes() == (kept.path / MANIFEST).read_bytes()


def test_whole_cells_are_never_worked_again_and_faulty_ones_are(reference, tmp_path):
    path, _, _ = reference
    cells, folder = planned(path)[:2], Folder(tmp_path / "out")

    def broken(cell):
        return Outcome((), "no luck") if cell.number == 2 else work_cell(cell)

    assert [one.error for one in sweep(cells, folder, broken, in_turn)] == [None, "no luck"]
    again = sweep(cells, folder, work_cell, in_turn)
    assert [(one.error, one.reused) for one in again] == [(None, True), (None, False)]
    assert not list(folder.cells.glob("*.error.json"))
    assert all(one.reused for one in sweep(cells, folder, work_cell, never))
    assert folder.others(cells[:1]) == 1


# ---------------------------------------------------------------------- workers that die


def test_a_cell_whose_worker_dies_is_tried_again_and_takes_no_other_along(tmp_path):
    cells = sweep_work.cells(tmp_path, 4)
    found = [(cell.number, outcome) for cell, outcome in LocalProcesses(2)(sweep_work.deadly, cells)]
    errors = {number: outcome.error for number, outcome in found}
    assert len(found) == 4
    assert errors == {1: None, 2: lost(3).error, 3: None, 4: "INTERNAL: ZeroDivisionError: a mistake"}
    assert "died 3 times" in errors[2]
    assert [sweep_work.tries(cells[number]) for number in (1, 2)] == [3, 2]
    assert all(outcome.rows == [{"number": n}] for n, outcome in found if n in {1, 3})


def test_what_is_the_same_in_every_cell_is_told_once_and_one_cell_is_no_cells(write, root, tmp_path, capsys):
    path = write(
        f"""data = "{root}"
[[market]]
symbol = "BTCUSDT"
qty = ["0.01", "0.02"]
[[strategy]]
name = "CROSS"
[orders]
duration = "5s"
warmup = "12s"
[venue]
twin = true
requests_per_s = 0
price_band_bps = [0, 100]
"""
    )
    assert (
        main(["backtest", "sweep", str(path), "--out", str(tmp_path / "o"), "--workers", "1"]) == ExitCode.OK
    )
    told = capsys.readouterr().out.splitlines()
    assert {"orders 1 in every cell", "ended 1 in every cell", "no fill 0 in every cell"} <= set(told)
    (head,) = [line for line in told if line.startswith("cell")]
    assert head.split()[:2] == ["cell", "qty"]
    assert "price band bps" in head
    assert any(line.startswith("4 cells: 4 worked") for line in told)
