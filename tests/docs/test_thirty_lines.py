"""The strategy that the page shows is a whole one: made known as the page says, it works orders in a recording."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from executor.interfaces.cli import main
from strategies import reads
from strategies.base import STRATEGIES
from tests.backtest.recorded_days import store, wander
from tests.docs.shapes import missing
from tests.docs.written_commands import ROOT, commands
from tests.house import tidy
from tests.strategies import test_every_strategy as of_every_strategy
from tests.strategies.any_moment import any_moment

PAGE = "docs/writing-a-strategy.md"
TEXT = (ROOT / PAGE).read_text()
(CODE,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
REGISTERED, READ = re.findall(r'^```text\n    "(\w+)": ([\w()]+),\n```$', TEXT, re.MULTILINE)


@pytest.fixture
def tight(tmp_path, monkeypatch):
    """Have the file of the page imported, and known as its two lines say."""
    path = tmp_path / "tight.py"
    path.write_text(CODE)
    spec = importlib.util.spec_from_file_location("strategies.tight", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    (name, made), (same, read) = REGISTERED, READ
    assert name == same
    monkeypatch.setitem(STRATEGIES, name, getattr(module, made.removesuffix("()"))())
    monkeypatch.setitem(reads.READS, name, getattr(reads, read))
    return name


def test_it_has_thirty_lines_and_keeps_the_rules_of_the_house(tmp_path):
    assert len(CODE.splitlines()) <= 31
    module = tidy.parse("strategies/tight.py", CODE)
    assert not [found for rule in tidy.RULES for found in rule(module)]
    path = tmp_path / "strategies" / "tight.py"
    path.parent.mkdir()
    path.write_text(CODE)
    ruff = Path(sys.executable).with_name("ruff")
    for words in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        done = subprocess.run(
            [ruff, *words, "--config", ROOT / "pyproject.toml", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_what_it_wants_is_whole_within_the_order_and_within_its_limit_price(tight):
    """By the very test that every strategy passes, asked of this one alone."""
    test = of_every_strategy.test_a_wish_is_whole_within_the_order_and_within_its_limit_price
    within = test.hypothesis.inner_test
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(within.__globals__, "any_moment", lambda rng: any_moment(rng, names=(tight,)))
        for seed in range(300):
            within(seed)
    styles = {STRATEGIES[tight].decide(any_moment(Random(seed), names=(tight,))).style for seed in range(300)}
    assert {style.value for style in styles} == {"REST", "CROSS", "WAIT"}


def test_the_command_of_the_page_works_orders_with_it(tight, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "var" / "market", wander(200))
    (written,) = (each for each in commands(PAGE) if each.words[0] == "executor")
    assert main([*written.words[1:], "--twin"]) == 0
    told = capsys.readouterr().out
    assert "by tight in slices of 10 s" in told
    assert not missing(written.shown, told.splitlines())
    rows = re.findall(r"^\d{4}-(?:buy|sell)-tight +0\.060 of 0\.06 in \d+ fills", told, re.MULTILINE)
    assert len(rows) >= 4
