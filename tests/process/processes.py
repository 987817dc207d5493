"""Real processes for tests: the local exchange and the daemon, started, killed and asked from outside."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from executor.interfaces.control_file import read_control_file
from executor.interfaces.token import read_token
from executor.sentinel.place import LOCK_NAME, sentinel_runs

DEADLINE_S = 60.0
_PAUSE = threading.Event()


def wait_until(condition, what, *, deadline_s=DEADLINE_S, step_s=0.02):
    """Wait for a condition; its first true value is returned."""
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        value = condition()
        if value:
            return value
        _PAUSE.wait(step_s)
    raise AssertionError(f"{what} did not happen within {deadline_s} s")


class Exchange:
    """The local exchange in a process of its own."""

    def __init__(self, process, addresses):
        self.process = process
        self.addresses = addresses

    @classmethod
    def start(cls, home: Path, *words: str):
        ready = home / "exchange.json"
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--port",
            "0",
            "--control-port",
            "0",
            "--ready-file",
            str(ready),
        ]
        with (home / "exchange.log").open("wb") as output:
            process = subprocess.Popen([*command, *words], stdout=output, stderr=subprocess.STDOUT)
        wait_until(ready.is_file, "the exchange's start")
        return cls(process, json.loads(ready.read_text()))

    def get(self, path):
        with urllib.request.urlopen(f"{self.addresses['control']}{path}", timeout=30) as answer:
            return json.load(answer)

    def truth(self):
        """Orders, executions and positions of the only account, as the exchange holds them."""
        (account,) = self.get("/_truth")["accounts"].values()
        return account

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class Daemon:
    """The daemon in a process of its own; killed and started again at will."""

    def __init__(self, home: Path, exchange: Exchange, settings: dict[str, str], *words: str) -> None:
        self.home = home
        self.words = words
        self.environment = {
            **os.environ,
            "EXECUTOR_EXECUTOR__DATA_DIR": str(home),
            "EXECUTOR_VENUE__REST_URL": exchange.addresses["rest"],
            "EXECUTOR_VENUE__PUBLIC_WS_URL": exchange.addresses["ws"],
            "EXECUTOR_VENUE__PRIVATE_WS_URL": exchange.addresses["ws"],
            "EXECUTOR_CONTROL__PORT": "0",
            **settings,
        }
        self.process = None

    def spawn(self):
        with (self.home / "daemon.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "executor.interfaces.cli", "run", "--profile", "sandbox", *self.words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def start(self):
        self.process = self.spawn()

        def answers():
            assert self.process.poll() is None, self.log_tail()
            control = read_control_file(self.home)
            return control if control is not None and control.pid == self.process.pid else None

        self.control = wait_until(answers, "the daemon's start")
        self.token = read_token(Path(self.control.token_file)).reveal()

    def let_run(self, seconds):
        """Let it work for a time; it must not end by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"the daemon ended by itself: {self.log_tail()}")

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(25)

    def ask(self, method, path, body=None, **headers):
        request = urllib.request.Request(
            f"{self.control.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                **({"Content-Type": "application/json"} if body is not None else {}),
                **headers,
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def close(self):
        """End what is left, its sentinel included."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        end_sentinel(self.home)

    def log_tail(self):
        return (self.home / "daemon.log").read_text(errors="replace")[-4_000:]


def end_sentinel(home):
    """End the sentinel of a data directory, if there is one."""
    if sentinel_runs(home):
        os.kill(int((home / LOCK_NAME).read_text()), signal.SIGTERM)
        wait_until(lambda: not sentinel_runs(home), "the sentinel's end", deadline_s=20)
