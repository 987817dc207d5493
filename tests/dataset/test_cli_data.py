"""`executor data`, as an operator types it."""

import asyncio
import gzip
import json
import subprocess
import sys
import threading

import pytest
from aiohttp import web

from executor.interfaces import cli
from tests.dataset.test_importers import DAY, archive
from tests.dataset.written import book_message, written

GOOD = archive(
    book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
    book_message(8, [["9.5", "2"]], [], ms=100),
)
BAD = GOOD + book_message(10, [["9.5", "-2"]], [], ms=200) + "\n{\n"


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("EXECUTOR_MARKET_DATA", str(tmp_path / "store"))

    def run(*words):
        code = cli.main(["data", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_files_are_imported_listed_checked_and_converted(run, tmp_path):
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip", GOOD)
    code, out, err = run("import", path)
    assert (code, err) == (0, "")
    told, warning, tail = out.split("\n", 2)
    assert told.startswith("stored ")
    assert ": rows 4, " in told
    assert warning.startswith(
        "WARNING        ABCUSDT: tick 0.5 is deduced and may be too coarse, as it rests on few"
    )
    assert tail.endswith("\nno fault found\n")
    code, out, _ = run("info")
    assert code == 0
    assert out == (
        "bybit/linear/ABCUSDT  tick 0.5 (data), lot 1 (data)\n"
        f"  {DAY}  22:13:20Z to 22:13:20Z          4 rows  no fault\n"
    )
    assert run("check")[:2] == (0, "no fault found\n")
    code, out, _ = run("info", "--json")
    (day,) = json.loads(out)
    assert day["counts"] == {"LEVEL": 3, "CLEAR": 1}
    assert run("convert", day["path"], tmp_path / "x.csv")[0] == 0
    assert run("convert", day["path"], tmp_path / "x.npz")[0] == 0
    text = (tmp_path / "x.csv").read_text()
    assert text.count("\n") == 5
    for name in ("x.csv", "x.npz"):
        code, out, err = run("convert", day["path"], tmp_path / name)
        assert (code, out) == (2, "")
        assert "--overwrite" in err
    assert run("convert", day["path"], tmp_path / "x.csv", "--overwrite")[0] == 0
    assert (tmp_path / "x.csv").read_text() == text


def test_a_terminal_shows_how_many_bytes_are_done(run, tmp_path, monkeypatch):
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", GOOD)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    size = path.stat().st_size
    code, out, err = run("import", path)
    assert (code, out.endswith("no fault found\n")) == (0, True)
    assert f"{size}/{size} bytes" in err
    (stored,) = (tmp_path / "store").rglob("rows.parquet")
    assert "kB" in run("convert", stored, tmp_path / "x.csv")[2]


def test_faults_are_told_with_line_and_meaning_and_fail_the_check_alone(run, tmp_path):
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", BAD)
    code, out, _ = run("check", path)
    assert code == 1
    assert f"{path.name}:3: NEGATIVE: price 19 ticks" in out
    assert f"{path.name}:3: GAP: " in out
    assert "1 x UNREADABLE: the line cannot be read" in out
    code, out, _ = run("check", path, "--json")
    answer = json.loads(out)
    assert (code, answer["ok"]) == (1, False)
    assert answer["faults"] == {"UNREADABLE": 1, "GAP": 1, "NEGATIVE": 1}
    assert {(each["fault"], each["line"]) for each in answer["places"]} == {
        ("GAP", 3),
        ("NEGATIVE", 3),
        ("UNREADABLE", 4),
    }
    code, out, _ = run("import", path, "--repair")
    assert code == 0
    assert "1 rows left out by --repair" in out
    assert "rows 5" in out


def test_folders_are_taken_apart_and_candles_are_stored_beside(run, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    written(folder / f"{DAY}_ABCUSDT_ob500.data", GOOD)
    written(folder / "abcusdt.csv", "20231114 16:00:00,0.0001\n20231114 22:13:20,0.0002\n")
    candles = written(
        tmp_path / "k.csv",
        "symbol,interval,start_at,open,high,low,close\nABCUSDT,1,1700000000,10.5,11,10,10.5\nABCUSDT,1,1700000060,10.5,10,11,10.5\n",
    )
    code, out, err = run("import", folder, candles, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert [each["rows"] for each in answer["days"]] == [2, 5, 2]
    assert answer["days"][1]["kinds"] == {"LEVEL": 3, "CLEAR": 1, "FUNDING": 1}, (
        "the settlement within the recording"
    )
    assert answer["faults"] == {"BOOK_DIFFERS": 1}
    assert (tmp_path / "store/venue=bybit/category=linear/symbol=ABCUSDT/klines-1m.parquet").is_file()
    code, out, _ = run("info")
    assert code == 0
    assert "  funding     2023-11-14T16:00:00Z to 2023-11-14T22:13:20Z  2 settlements\n" in out
    assert "  klines-1m   2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z  2 candles\n" in out
    tables = {each["table"]: each["rows"] for each in json.loads(run("info", "--json")[1]) if "table" in each}
    assert tables == {"bybit/linear/ABCUSDT/funding": 2, "bybit/linear/ABCUSDT/klines-1m": 2}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["import", "none.csv"], 1, "there is no such file"),
        (["import", "{empty}"], 1, "no importer knows its layout"),
        (["import", "{good}", "--category", "swap"], 2, "CATEGORY at --category"),
        (["import", "{good}", "--symbol", "../x"], 2, "SYMBOL at --symbol"),
        (["import", "{good}", "--tick", "0.1"], 2, "STEP at --lot"),
        (["import", "{good}", "--tick", "nan", "--lot", "1"], 2, "STEP at --tick"),
        (["import", "{good}", "--importer", "x"], 2, "IMPORTER at --importer"),
        (["check", "{good}", "--importer", "x"], 2, "IMPORTER at --importer"),
        (["check"], 1, "no stored day"),
        (["info"], 1, "no stored day"),
        (["convert", "none.parquet", "x.csv"], 1, "there is no such file"),
        (["convert", "{good}", "x.csv"], 1, "damaged"),
        (["convert", "{good}", "x.pdf"], 2, "TARGET at TARGET"),
        (["fetch", "BTCUSDT", "--from", "yesterday"], 2, "DAY at --from"),
        (["fetch", "BTCUSDT", "--from", "2024-01-02", "--to", "2024-01-01"], 2, "DAYS at --to"),
        (["fetch", "BTCUSDT", "--from", "2999-01-02"], 2, "DAYS at --from"),
        (["fetch", "BTCUSDT", "--from", "2024-01-02", "--to", "2999-01-02"], 2, "DAYS at --to"),
        (["fetch", "../x", "--from", "2024-01-02"], 2, "SYMBOL at SYMBOL"),
        (["fetch", "BTCUSDT", "--from", "2024-01-02", "--what", "all"], 2, "WHAT at --what"),
        (["fetch", "BTCUSDT", "--from", "2024-01-02", "--category", "option"], 2, "CATEGORY at --category"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, tmp_path, words, code, said):
    files = {
        "good": written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", GOOD),
        "empty": written(tmp_path / "empty", ""),
    }
    got, out, err = run(*(word.format(**files) for word in words))
    assert (got, out) == (code, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_command_line_starts_without_its_packages_and_the_command_says_what_to_install():
    script = (
        "import sys; from executor.interfaces import cli\n"
        "print({'numpy', 'pyarrow', 'numba', 'llvmlite'} & set(sys.modules))\n"
        "sys.modules['numpy'] = None; sys.modules['pyarrow'] = None; sys.exit(cli.main(['data', 'info']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "set()\n")
    assert "pip install 'bybit-executor[backtest]'" in done.stderr


def test_days_are_fetched_and_then_imported(run, tmp_path):
    head = (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
    )
    trades = gzip.compress(f"{head}1700000000.15,ABCUSDT,Buy,1,11,P,a,0,0,0\n".encode())
    book = written(tmp_path / "b.data.zip", GOOD).read_bytes()
    files = {
        f"/trading/ABCUSDT/ABCUSDT{DAY}.csv.gz": trades,
        f"/orderbook/linear/ABCUSDT/{DAY}_ABCUSDT_ob500.data.zip": book,
    }

    async def answer(request):
        data = files.get(request.path)
        return web.Response(status=404) if data is None else web.Response(body=data)

    ready, done, address = threading.Event(), threading.Event(), []

    async def serve():
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(runner.addresses[0][1])
        ready.set()
        await asyncio.to_thread(done.wait)
        await runner.cleanup()

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    try:
        assert ready.wait(20)
        url = f"http://127.0.0.1:{address[0]}"
        words = [
            "fetch",
            "ABCUSDT",
            "--from",
            DAY,
            "--into",
            tmp_path / "in",
            "--trades-url",
            url,
            "--books-url",
            url,
        ]
        code, out, err = run(*words)
        assert code == 0, err
        assert [line.split(":")[0] for line in out.splitlines()] == [
            f"trades of {DAY}", f"books of {DAY}", "2 of 2 files are here",
        ]  # fmt: skip
        assert run(*words, "--to", "2023-11-15")[0] == 1
    finally:
        done.set()
        server.join()
    code, out, _ = run("import", tmp_path / "in")
    assert code == 0
    assert "TRADE 1" in out
    assert "LEVEL 3" in out


def test_a_conversion_that_cannot_be_written_says_so_and_leaves_nothing(run, tmp_path):
    run("import", written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", GOOD))
    (stored,) = (tmp_path / "store").rglob("rows.parquet")
    for name in ("x.csv", "x.npz"):
        code, out, err = run("convert", stored, tmp_path / "none" / name)
        assert (code, out) == (1, "")
        assert err.startswith("TARGET at ")
        assert "No such file" in err
    damaged = written(tmp_path / "rows.parquet", stored.read_bytes()[:-200])
    assert run("convert", damaged, tmp_path / "y.csv")[0] == 1
    assert not list(tmp_path.glob("y.csv*"))


def test_a_day_that_is_stored_already_is_told_in_words_of_its_own(run, tmp_path):
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", GOOD)
    run("import", path)
    code, out, err = run("import", path)
    assert (code, out) == (1, "")
    assert (
        "got a day that is stored already; allowed: a day that is not stored yet; next: add --replace" in err
    )


def test_an_archive_that_nobody_reaches_is_told_try_by_try(run, tmp_path, monkeypatch):
    monkeypatch.setattr("backtest.dataset.fetch.WAIT_S_MAX", 0.0)
    words = ["--from", DAY, "--what", "trades", "--into", tmp_path, "--trades-url", "http://127.0.0.1:1"]
    code, out, err = run("fetch", "ABCUSDT", *words)
    assert (code, out) == (7, "")
    *tries, last = err.splitlines()
    assert [line.rsplit("; ", 1)[1] for line in tries] == [
        f"try {number} of 6 in 0 s" for number in range(2, 7)
    ]
    assert last.startswith("UNREACHABLE at http://127.0.0.1:1/trading/")
