"""`executor tca` over journals that virtual drives have written: tables, page, CSV, JSON, and errors that help."""

import csv
import json
import sys

import pytest

from executor.domain.orders import Side
from executor.interfaces import cli, views
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.follow import progress_table
from executor.interfaces.output import show_rich
from executor.runtime.reading import read_past_run
from tests.backtest.cost_journals import write
from tests.builders import D


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("journals")
    write(made / "buy.db", 1, parents=2)
    write(made / "sell.db", 2, Side.SELL)
    return made


def run(*words):
    return cli.main(["tca", *map(str, words)])


def as_json(capsys, *words):
    assert run(*words, "--json") == ExitCode.OK
    return json.loads(capsys.readouterr().out)


def test_tables_tell_every_order_by_every_key(folder, capsys):
    assert run(folder, "--by", "algorithm,side+symbol") == ExitCode.OK
    said = capsys.readouterr().out
    assert said.startswith("3 orders, ")
    for heading in ("Cost by algorithm", "What it is made of", "Fills against benchmarks", "Mark-outs"):
        assert heading in said
    rows = [line.split("│") for line in said.splitlines() if "│" in line]
    counts = {row[0].strip(): row[1].strip() for row in rows}
    assert counts["BUY linear BTCUSDT"] == "2"
    assert counts["SELL linear BTCUSDT"] == "1"
    assert counts["all"] == "3"


def test_json_and_csv_hold_the_same_orders(folder, tmp_path, capsys):
    orders, fills = tmp_path / "orders.csv", tmp_path / "fills.csv"
    told = as_json(capsys, folder, "--by", "side", "--csv", orders, "--fills", fills)
    with orders.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert told["orders"] == len(lines) == 3
    assert told["written"] == {"--csv": str(orders), "--fills": str(fills)}
    mean = sum(float(line["cost_bps"]) for line in lines) / 3
    assert told["all"]["figures"]["cost"]["mean"] == pytest.approx(mean, abs=1e-6)
    for line in lines:
        parts = ("delay", "spread", "temporary", "permanent", "timing", "opportunity", "fees")
        total = sum(float(line[f"{part}_bps"]) for part in parts)
        assert total == pytest.approx(float(line["total_bps"]), abs=1e-9)
    with fills.open(newline="") as file:
        told_fills = list(csv.DictReader(file))
    assert len(told_fills) == sum(each["fills"] for each in told["fills"])
    for line in lines:
        own = [
            each for each in told_fills if (each["source"], each["order"]) == (line["source"], line["order"])
        ]
        assert sum(float(each["qty"]) for each in own) == pytest.approx(float(line["cum_qty"]))
        captured = sum(float(each["spread_captured_bps"]) * float(each["value"]) for each in own)
        assert captured / float(line["traded_value"]) == pytest.approx(
            float(line["spread_captured_bps"]), abs=1e-3
        )


def test_the_page_opens_without_a_network_and_is_written_once(folder, tmp_path, capsys):
    page = tmp_path / "tca.html"
    assert run(folder, "--html", page) == ExitCode.OK
    text = page.read_text()
    assert "default-src 'none'" in text
    assert "<title>Cost of 3 orders</title>" in text
    assert text.count('data-figure="') == 5
    assert "src=" not in text.replace("src=e", "").split("<script", 1)[0]
    capsys.readouterr()
    assert run(folder, "--html", page) == ExitCode.USAGE
    assert "--overwrite" in capsys.readouterr().err
    assert run(folder, "--html", page, "--overwrite") == ExitCode.OK
    assert page.read_text() == text


def test_times_choose_orders(folder, capsys):
    assert as_json(capsys, folder, "--since", "2023-11-14")["orders"] == 3
    assert run(folder, "--until", "2023-11-14T00:00Z") == ExitCode.REFUSED
    assert "none of 3 orders began" in capsys.readouterr().err
    for wrong in ("yesterday", "2023-11-14T10:00"):
        assert run(folder, "--since", wrong) == ExitCode.USAGE
        assert "with its zone" in capsys.readouterr().err


def test_a_journal_that_is_being_written_is_read_and_left_alone(tmp_path, capsys):
    path = tmp_path / "live.db"
    journal = write(path, 3, close=False)
    try:
        assert (tmp_path / "live.db-wal").exists()
        assert as_json(capsys, path)["orders"] == 1
        journal.commit()
    finally:
        journal.close()


def test_without_a_path_the_journal_of_the_profile_is_meant(tmp_path, monkeypatch, capsys):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    assert run() == ExitCode.REFUSED
    assert "name journals" in capsys.readouterr().err
    write(data_dir / "journal.db", 4)
    assert as_json(capsys)["sources"] == [str(data_dir / "journal.db")]


def test_what_is_wrong_is_said_with_what_to_do(folder, tmp_path, capsys):
    assert run(tmp_path / "nothing") == ExitCode.REFUSED
    assert "no such file or folder" in capsys.readouterr().err
    assert run(folder, "--by", "weekday") == ExitCode.USAGE
    assert "algorithm, symbol" in capsys.readouterr().err
    (tmp_path / "foreign.db").write_bytes(b"x" * 4_096)
    assert run(folder, tmp_path / "foreign.db") == ExitCode.DURABILITY
    assert "foreign.db" in capsys.readouterr().err
    assert run(folder, tmp_path / "foreign.db", "--skip-broken") == ExitCode.OK
    assert "WARNING left out: " in capsys.readouterr().err
    assert run(tmp_path / "foreign.db", "--skip-broken") == ExitCode.REFUSED
    assert "no order that has ended" in capsys.readouterr().err
    (tmp_path / "there.csv").touch()
    assert run(folder, "--csv", tmp_path / "there.csv") == ExitCode.USAGE
    assert run(folder, "--csv", tmp_path / "no" / "folder.csv") == ExitCode.USAGE
    assert "No such file or directory" in capsys.readouterr().err


def test_a_report_and_a_status_show_the_parts_and_mark_outs(tmp_path, monkeypatch, capsys):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    write(data_dir / "journal.db", 4)
    assert cli.main(["report", "P1"]) == ExitCode.OK
    said = capsys.readouterr().out
    for name in (
        "spread",
        "temporary impact",
        "permanent impact",
        "timing",
        "Mark-outs",
        "after 5 s",
        "still waiting",
    ):
        assert name in said
    past = read_past_run(data_dir / "journal.db")
    state, parent = past.state, past.state.parents["P1"]
    view = views.parent_view(state, parent, state.now_ns)
    stored = past.report(parent)
    assert view["cost"] == {name: stored[name] for name in views.COSTS}
    assert "cost" not in views.parent_view(state, parent, state.now_ns, with_slices=False)
    show_rich(progress_table(view))
    said = capsys.readouterr().out
    assert f"total {stored['split_bps']['total']}" in said
    assert "mark-outs, bps, above zero is a gain" in said
    children = views.children_view(state, parent)["children"]
    for part in ("spread", "temporary", "permanent"):
        whole = sum(D(child["costs"][part]) for child in children if child["costs"])
        assert whole == D(stored["split_quote"][part])
    marks = [child["mark_outs"][0]["fills"] for child in children if child["mark_outs"]]
    assert sum(marks) == stored["mark_outs"][0]["fills"] > 0
