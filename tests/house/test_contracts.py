"""The import contracts hold in the tree, and each of them fails when it is broken.

Method: a skeleton of the house, one empty module per room, is kept by every contract; with one forbidden
import in it exactly the contract in question breaks.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / ".importlinter"
LINTER = Path(sys.executable).with_name("lint-imports")

SKELETON = {
    "executor/__init__.py": "",
    "executor/app/__init__.py": "",
    "executor/app/start.py": "import executor.venues.bybit.gateway\nimport executor.interfaces.cli\n",
    "executor/sentinel/__init__.py": "",
    "executor/sentinel/sweep.py": "import executor.venues.bybit.signer\nimport executor.watch.heartbeat\n",
    "executor/watch/__init__.py": "",
    "executor/watch/heartbeat.py": "import json\n",
    "executor/interfaces/__init__.py": "",
    "executor/interfaces/cli.py": "import executor.runtime.live\n",
    "executor/runtime/__init__.py": "",
    "executor/runtime/clock.py": "import time\n",
    "executor/runtime/audit.py": "",
    "executor/runtime/journal.py": "",
    "executor/runtime/live.py": "import asyncio\nimport executor.engine.core\n",
    "executor/runtime/record.py": "",
    "executor/runtime/tables.py": "",
    "executor/runtime/telemetry.py": "",
    "executor/venues/__init__.py": "",
    "executor/venues/bybit/__init__.py": "",
    "executor/venues/bybit/codec.py": "import executor.domain.orders\n",
    "executor/venues/bybit/gateway.py": "import executor.runtime.clock\nimport executor.venues.bybit.codec\n",
    "executor/venues/bybit/order_entry.py": "",
    "executor/venues/bybit/queries.py": "",
    "executor/venues/bybit/signer.py": "",
    "executor/engine/__init__.py": "",
    "executor/engine/core.py": "import risk.gate\nimport strategies.schedule\nimport impact.shortfall\n",
    "executor/adviser/__init__.py": "",
    "executor/advice/__init__.py": "",
    **{f"executor/advice/{name}.py": "" for name in ("context", "facts", "reply")},
    "executor/advice/prompt.py": "import executor.advice.facts\nimport hashlib\nimport json\n",
    "executor/adviser/client.py": "import asyncio\nimport executor.advice.prompt\n",
    "executor/domain/__init__.py": "",
    "executor/domain/orders.py": "import decimal\n",
    "strategies/__init__.py": "",
    "strategies/schedule.py": "import random\nimport executor.domain.orders\n",
    "strategies/twap.py": "import strategies.schedule\n",
    "impact/__init__.py": "",
    "impact/shortfall.py": "import executor.domain.orders\n",
    "risk/__init__.py": "",
    "risk/gate.py": "import executor.domain.orders\n",
    "simulation/__init__.py": "",
    "simulation/walk_market.py": "import random\nimport executor.domain.orders\n",
    "impact/estimation/__init__.py": "",
    "impact/estimation/metaorders.py": "import random\n",
    "simulation/touch_venue.py": "import executor.domain.orders\n",
    "simulation/replay/__init__.py": "",
    "simulation/kept_code.py": "import os\nimport pathlib\n",
    "backtest/__init__.py": "",
    "backtest/run.py": "import executor.adviser.client\nimport executor.runtime.live\nimport simulation.touch_venue\n",
    "config/__init__.py": "",
    "config/schema.py": "import pydantic\nimport executor.domain.orders\n",
    "sandbox/__init__.py": "",
    "sandbox/server.py": "import aiohttp\n",
}

VIOLATIONS = [
    pytest.param("layers", "executor/domain/orders.py", "impact.shortfall", id="floor uses a storey above"),
    pytest.param("layers", "impact/shortfall.py", "risk.gate", id="impact uses risk"),
    pytest.param("layers", "risk/gate.py", "strategies.twap", id="risk uses its neighbour"),
    pytest.param("layers", "strategies/twap.py", "executor.engine.core", id="strategy uses the engine"),
    pytest.param("layers", "executor/runtime/live.py", "config.schema", id="runtime uses its neighbour"),
    pytest.param(
        "layers", "executor/venues/bybit/gateway.py", "executor.runtime.live", id="venue uses its neighbour"
    ),
    pytest.param("layers", "executor/runtime/live.py", "executor.app.start", id="runtime uses the roof"),
    pytest.param(
        "layers", "executor/runtime/live.py", "executor.watch.heartbeat", id="runtime uses the watch"
    ),
    pytest.param(
        "layers", "executor/watch/heartbeat.py", "executor.sentinel.sweep", id="watch uses the roof"
    ),
    pytest.param(
        "layers", "executor/engine/core.py", "executor.adviser.client", id="engine calls a model itself"
    ),
    pytest.param("layers", "strategies/twap.py", "executor.advice.reply", id="strategy reads a reply"),
    pytest.param("layers", "executor/advice/facts.py", "executor.engine.core", id="facts use the engine"),
    pytest.param(
        "layers", "executor/advice/prompt.py", "executor.adviser.client", id="pure room uses its shell"
    ),
    pytest.param(
        "layers", "executor/runtime/live.py", "executor.adviser.client", id="runtime knows the adviser"
    ),
    pytest.param("layers", "simulation/touch_venue.py", "risk.gate", id="simulated venue uses the gate"),
    pytest.param(
        "layers", "simulation/touch_venue.py", "executor.engine.core", id="simulated venue uses the engine"
    ),
    pytest.param("layers", "executor/runtime/live.py", "backtest.run", id="runtime uses an experiment"),
    pytest.param("purity", "simulation/touch_venue.py", "random", id="randomness outside the walk"),
    pytest.param("purity", "simulation/touch_venue.py", "pathlib", id="simulated venue reads a file"),
    pytest.param("purity", "executor/advice/prompt.py", "pathlib", id="prompt reads a file"),
    pytest.param("purity", "executor/advice/reply.py", "logging", id="reply logs"),
    pytest.param("purity", "executor/advice/context.py", "time", id="context reads a clock"),
    pytest.param("adviser-apart", "executor/advice/facts.py", "risk.gate", id="facts use the gate"),
    pytest.param(
        "adviser-apart", "executor/advice/reply.py", "strategies.schedule", id="reply uses a schedule"
    ),
    pytest.param("purity", "executor/engine/core.py", "time", id="engine reads a clock"),
    pytest.param("purity", "executor/domain/orders.py", "asyncio", id="domain reaches the loop"),
    pytest.param("purity", "risk/gate.py", "logging", id="gate logs"),
    pytest.param("purity", "impact/shortfall.py", "os", id="impact reads the environment"),
    pytest.param("purity", "strategies/twap.py", "random", id="randomness outside the schedule"),
    pytest.param("purity", "strategies/schedule.py", "secrets", id="unseeded randomness in the schedule"),
    pytest.param("vocabulary", "executor/domain/orders.py", "numpy", id="domain uses numpy"),
    pytest.param("vocabulary", "executor/domain/orders.py", "pydantic", id="domain uses pydantic"),
    pytest.param("vocabulary", "executor/domain/orders.py", "msgspec", id="domain uses msgspec"),
    pytest.param(
        "venues", "executor/interfaces/cli.py", "executor.venues.bybit.gateway", id="cli names a venue"
    ),
    pytest.param(
        "sentinel-alone", "executor/sentinel/sweep.py", "executor.engine.core", id="sentinel uses the engine"
    ),
    pytest.param(
        "sentinel-alone",
        "executor/sentinel/sweep.py",
        "executor.runtime.journal",
        id="sentinel opens the journal",
    ),
    pytest.param(
        "sentinel-alone",
        "executor/sentinel/sweep.py",
        "executor.venues.bybit.queries",
        id="sentinel uses queries",
    ),
    pytest.param(
        "sentinel-alone",
        "executor/watch/heartbeat.py",
        "executor.engine.core",
        id="sentinel reaches the engine",
    ),
    pytest.param(
        "sandbox-alone", "sandbox/server.py", "executor.domain.orders", id="sandbox shares our vocabulary"
    ),
    pytest.param(
        "sandbox-alone", "sandbox/server.py", "config.schema", id="sandbox shares our configuration"
    ),
    pytest.param(
        "sandbox-unused", "executor/app/start.py", "sandbox.server", id="the daemon starts the sandbox"
    ),
]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the import linter on the house at `tree`, which need not be installed."""
    return subprocess.run(
        [LINTER, "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


LINT_EACH = """
import os, sys
from importlinter.cli import lint_imports
for tree in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.chdir(tree)
        sys.path.insert(0, tree)
        os.dup2(os.open("lint.txt", os.O_CREAT | os.O_WRONLY), 1)
        code = lint_imports(no_cache=True, no_logo=True)
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""The linter is loaded once for many trees, and reads each in a process of its own: to load it takes longest."""


def lint_each(trees: Sequence[Path]) -> list[tuple[int, str]]:
    """Run the import linter on several houses; the exit code and the text of each."""
    told = subprocess.run(
        [sys.executable, "-c", LINT_EACH, *trees],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [int(line) for line in told.stdout.split()]
    return [(code, (tree / "lint.txt").read_text()) for code, tree in zip(codes, trees, strict=True)]


def verdicts(output: str) -> dict[str, str]:
    """Map each contract's identifier to KEPT or BROKEN, from the linter's printed list."""
    parser = configparser.ConfigParser()
    parser.read(CONTRACTS)
    prefix = "importlinter:contract:"
    found = {}
    for section in parser.sections():
        if section.startswith(prefix):
            line = re.search(re.escape(parser[section]["name"]) + r"\s+(KEPT|BROKEN)", output)
            found[section.removeprefix(prefix)] = line.group(1) if line else "MISSING"
    return found


def build(root: Path) -> Path:
    for name, text in SKELETON.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(CONTRACTS, root)
    return root


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    return build(tmp_path)


def test_the_house_keeps_its_contracts() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(verdicts(result.stdout).values()) == {"KEPT"}


def test_the_skeleton_keeps_every_contract(skeleton: Path) -> None:
    result = lint(skeleton)
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(verdicts(result.stdout).values()) == {"KEPT"}


def test_a_forbidden_import_breaks_its_contract(tmp_path: Path) -> None:
    trees = []
    for number, case in enumerate(VIOLATIONS):
        _, module, imported = case.values
        trees.append(build(tmp_path / str(number)))
        path = trees[-1] / str(module)
        path.write_text(path.read_text() + f"import {imported}\n")
    unseen = [
        f"{case.id}: {output}"
        for case, (code, output) in zip(VIOLATIONS, lint_each(trees), strict=True)
        if code != 1 or verdicts(output)[str(case.values[0])] != "BROKEN"
    ]
    assert not unseen, "\n".join(unseen)


def test_purity_sees_through_a_module_in_between(skeleton: Path) -> None:
    """The engine imports a harmless-looking module of its own that reads the clock."""
    (skeleton / "risk/pace.py").write_text("import time\n")
    (skeleton / "risk/gate.py").write_text("import risk.pace\n")
    result = lint(skeleton)
    assert verdicts(result.stdout)["purity"] == "BROKEN"
    assert "executor.engine.core" in result.stdout


def test_every_contract_is_broken_by_some_test() -> None:
    tested = {case.values[0] for case in VIOLATIONS}
    assert tested == set(verdicts(""))


def test_an_exception_that_is_no_longer_needed_is_reported(skeleton: Path) -> None:
    (skeleton / "strategies/schedule.py").write_text("")
    assert lint(skeleton).returncode == 1
