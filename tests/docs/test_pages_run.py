"""Pages whose commands are run as they stand: they end as they should, and print what the page shows in its shape.

The first five minutes are run whole, against the local exchange; what asks for no daemon is run where the test is.
Other pages with a daemon are in the long form.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections import Counter

import pytest

from config.secrets import SANDBOX_SECRET
from executor.interfaces.cli import main
from tests.backtest.recorded_days import store, wander
from tests.docs.shapes import missing, shape
from tests.docs.written_commands import ROOT, commands
from tests.process.processes import Exchange, end_sentinel, wait_until

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
DONE = frozenset({0})
FILLED_OR_NOT = frozenset({0, 1})
"""A busy machine may come too late for the last fill; then the command says so."""


class Reader:
    """Somebody who types what a page shows: what it prints goes beside how it ended."""

    def __init__(self, home, monkeypatch):
        self.home, self.daemon = home, None
        monkeypatch.chdir(home)

    def type(self, words):
        """Run a command of ours in this process; gives its exit code and what it printed."""
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            code = main(list(words[1:]))
        return code, out.getvalue() + said.getvalue()

    def follow(self, written, codes):
        """Run a command of a page, and hold it against the page."""
        code, told = self.type(written.words)
        assert code in codes, f"{written.name} ended with {code}:\n{told}"
        lost = missing(written.shown, told.splitlines())
        assert not lost, f"{written.name} prints no such line as {lost}:\n{told}"
        return told

    def open_daemon(self, words):
        """Start the daemon in its own terminal and wait until it answers."""
        with (self.home / "daemon.log").open("wb") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "executor.interfaces.cli", *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until((self.home / "var/sandbox/control.json").is_file, "the daemon's start")

    def press_ctrl_c(self):
        """End the daemon in good order; returns its exit code."""
        daemon, self.daemon = self.daemon, None
        daemon.send_signal(signal.SIGINT)
        return daemon.wait(60)

    def leave(self):
        """End what was started."""
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait(20)
        end_sentinel(self.home / "var" / "sandbox")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    one = Reader(home, monkeypatch)
    yield one
    one.leave()


@pytest.fixture
def exchange(tmp_path, monkeypatch):
    """The exchange of the first terminal, on ports that are free, where the others look for it."""
    found = Exchange.start(tmp_path, "--seed", "5", "--intensity", "3")
    monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", found.addresses["rest"])
    monkeypatch.setenv("EXECUTOR_VENUE__PUBLIC_WS_URL", found.addresses["ws"])
    monkeypatch.setenv("EXECUTOR_VENUE__PRIVATE_WS_URL", found.addresses["ws"])
    monkeypatch.setenv("EXECUTOR_CONTROL__PORT", "0")
    yield found
    found.close()


def codes_of(words):
    return FILLED_OR_NOT if "--wait" in words else DONE


@pytest.mark.process
@pytest.mark.timeout(280)
def test_the_first_five_minutes(reader, exchange):
    done = Counter()
    for written in commands("docs/index.md"):
        match written.words[:2]:
            case ("make", _) | ("executor", "sandbox"):
                continue  # tests/interfaces/test_demo.py; the fixture above
            case ("executor", "run"):
                reader.open_daemon(written.words)
                continue
            case ("executor", "list"):
                assert reader.press_ctrl_c() == 0
        reader.follow(written, codes_of(written.words))
        done[written.words[1]] += 1
    once = {"config", "doctor", "halt", "rearm", "list", "report", "decisions", "tca", "audit", "backtest"}
    assert done == {"submit": 2, "status": 2, **dict.fromkeys(once, 1)}
    _is_private(reader.home / "var" / "sandbox")


def _is_private(data):
    """As the page about security says: modes, and secrets nowhere but in their own file."""
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {"journal.db", "control.token", "account.json", "heartbeat.json"} <= {path.name for path in files}
    token = (data / "control.token").read_bytes().strip()
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        held = path.read_bytes()
        assert SANDBOX_SECRET.encode() not in held, path
        assert path.name == "control.token" or token not in held, path
    said = (data.parents[1] / "daemon.log").read_bytes()
    assert token not in said
    assert SANDBOX_SECRET.encode() not in said


def test_a_plan_by_figures_that_are_told(reader):
    (written,) = (
        each for each in commands("docs/planning.md") if "--compare" in each.words and any(each.shown)
    )
    reader.follow(written, DONE)


SHORTER = {"--qty": "0.06", "--duration": "30s", "--every": "30s"}
"""What is exchanged in commands about recorded books, so that a recording of three minutes is long enough."""
RECORDED = [
    each
    for each in commands("README.md")
    if each.words[1:3] in {("backtest", "run"), ("backtest", "report")} or each.words[1] == "tca"
]


def test_recorded_books(reader):
    store(reader.home / "var" / "market", wander(150))
    told = []
    for written in RECORDED:
        words = list(written.words)
        for option, value in SHORTER.items():
            if option in words:
                words[words.index(option) + 1] = value
        if words[1:3] == ["backtest", "run"]:
            words += ["--interval", "10s", "--warmup", "15s", "--twin"]
        code, said = reader.type(words)
        assert code == 0, f"{written.name}: {said}"
        told.append(said)
    assert [each.words[1] for each in RECORDED] == ["backtest", "backtest", "tca"]
    assert "fees included" in told[0]
    assert (reader.home / "run" / "tear_sheet.html").is_file()
    assert "Cost by algorithm" in told[2]


@pytest.mark.campaign
@pytest.mark.process
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not FULL, reason="long: EXECUTOR_CAMPAIGN=full runs it")
@pytest.mark.parametrize(
    ("page", "left_out", "refused"),
    [
        ("docs/algorithms.md", (), ("--display 0.1",)),
        ("docs/baskets.md", ("b.csv", "large.csv", "B2"), ()),
        ("docs/routing.md", ("--leg-carry",), ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_pages_with_a_daemon(reader, exchange, page, left_out, refused):
    """Commands of a page in their order; what is left out wants files or a market that the page only tells about."""
    shutil.copytree(ROOT / "examples", reader.home / "examples")
    reader.open_daemon(("executor", "run", "--profile", "sandbox"))
    ran = 0
    for written in commands(page):
        line = shlex.join(written.words)
        if written.words[0] != "executor" or any(word in line for word in left_out):
            continue
        codes = {2} if any(word in line for word in refused) else codes_of(written.words)
        code, told = reader.type(written.words)
        assert code in codes, f"{written.name} ended with {code}:\n{told}"
        ran += 1
    assert ran >= 5
    assert reader.press_ctrl_c() == 0
    code, told = reader.type(("executor", "audit", "var/sandbox/journal.db"))
    assert code == 0, told


def test_a_shape_is_seen_and_its_absence_too():
    printed = ["P1 done at 12.5 on 2026-11-22T19:01:29.904Z", "", "2 orders, 1 checkpoint", "end"]
    shown = ["P7 done at 8,000.25 on 2026-01-01T00:00:00Z", "…", "1 order, 3 checkpoints", "en…"]
    assert not missing(shown, printed)
    assert missing(["P1 gone at 3 on …"], printed) == ["P1 gone at 3 on …"]
    assert missing(["end", "2 orders, 1 checkpoint"], printed) == ["2 orders, 1 checkpoint"], (
        "their order counts"
    )
    assert shape("│  a   3 │") == shape("│ a -4.5 │") != shape("│ b 3 │")
    assert re.fullmatch(r"N N", shape("1 2"))
