"""The page about testnet: every command of it, typed as it stands, against the local exchange.

Only what names testnet itself is exchanged: the profile, and the key of an account there.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.processes import Exchange, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "running-on-testnet.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXCHANGED = {
    "make .venv/.run && . .venv/bin/activate": ":",
    "EXECUTOR_PROFILE=testnet": "EXECUTOR_PROFILE=sandbox",
    "YOUR-KEY": "sandbox-key",
    "YOUR-SECRET": "sandbox-secret-0123456789abcdef",
}


def blocks():
    """The page's commands, block by block, with what names testnet exchanged; each exchange must have a place."""
    found = BLOCK.findall(PAGE.read_text())
    for old, new in EXCHANGED.items():
        assert any(old in block for block in found), f"the page no longer says {old}"
        found = [block.replace(old, new) for block in found]
    return found


class Reader:
    """Somebody who follows the page in an empty directory, with the daemon in another terminal."""

    def __init__(self, home, exchange):
        self.home, self.said, self.daemon = home, [], None
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "EXECUTOR_PROFILE": "sandbox",
            "EXECUTOR_EXECUTOR__DATA_DIR": "var/testnet",
            "EXECUTOR_VENUE__REST_URL": exchange.addresses["rest"],
            "EXECUTOR_VENUE__PUBLIC_WS_URL": exchange.addresses["ws"],
            "EXECUTOR_VENUE__PRIVATE_WS_URL": exchange.addresses["ws"],
            "EXECUTOR_CONTROL__PORT": "0",
        }

    def type(self, script):
        """Run a block in a shell that ends at the first error."""
        done = subprocess.run(
            ["bash", "-eu", "-c", script], cwd=self.home, env=self.environment, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip
        self.said.append(f"$ {script}\n{done.stdout}{done.stderr}")
        return done.returncode

    def open_terminal(self, command):
        """Start the daemon and wait until it answers."""
        with (self.home / "daemon.log").open("wb") as log:
            self.daemon = subprocess.Popen(
                shlex.split(command),
                cwd=self.home,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until((self.home / "var/testnet/control.json").is_file, "the daemon's start")
        wait_until(lambda: not self.type("executor status --config my-testnet.toml"), "an answer", step_s=0.3)

    def press_ctrl_c(self):
        """End the daemon in good order; returns its exit code."""
        self.daemon.send_signal(signal.SIGINT)
        return self.daemon.wait(30)

    def leave(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait(20)


@pytest.mark.process
@pytest.mark.timeout(240)
def test_every_command_of_the_page(tmp_path):
    exchange = Exchange.start(tmp_path, "--seed", "5", "--intensity", "3", "--volatility", "0.004")
    home = tmp_path / "home"
    home.mkdir()
    reader = Reader(home, exchange)
    try:
        for block in blocks():
            first = next(line for line in block.splitlines() if line and not line.startswith("#"))
            if first.startswith("executor run"):
                reader.open_terminal(first)
                continue
            if first.startswith("executor audit"):
                assert reader.press_ctrl_c() == 0
            assert reader.type(block) == 0, "\n".join(reader.said[-2:])
        assert "FAIL" not in next(text for text in reader.said if "executor doctor" in text)
        assert re.search(r"P1\b.*COMPLETE", "\n".join(reader.said))
        assert "identical" in reader.said[-1]
        orders = exchange.truth()["orders"]
        bought = sum(Decimal(row["cumExecQty"]) for row in orders if row["side"] == "Buy")
        assert bought == Decimal("0.01")
        assert all(row["status"] not in {"New", "PartiallyFilled"} for row in orders)
    finally:
        reader.leave()
        exchange.close()
