"""A real Prometheus scrapes the running demonstration: every expression is understood, and panels have data."""

import json
import math
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from deploy.alerts import ALERTS, RECORDED
from deploy.boards import BOARDS
from tests.process.processes import wait_until

ROOT = Path(__file__).parents[2]
PROMETHEUS = shutil.which("prometheus")
WORDS = {"$__rate_interval": "30s", "$instance": ".*", "$parent": "P1"}
pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(240),
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian package)"),
]


def chosen(expr):
    for word, meant in WORDS.items():
        expr = expr.replace(word, meant)
    return expr


class Prometheus:
    """The real thing, in a process of its own, scraping one address every second."""

    def __init__(self, process, log, url):
        self.process, self._log, self.url = process, log, url

    @classmethod
    def start(cls, home, target):
        (home / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n"
            f"  - {{job_name: executor, static_configs: [{{targets: ['{target}']}}]}}\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        words = [
            PROMETHEUS,
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'tsdb'}",
            f"--web.listen-address={place}",
        ]
        log = (home / "prometheus.log").open("wb")
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log)
        started = cls(process, log, f"http://{place}")
        try:
            wait_until(started._is_ready, "Prometheus' start")
        except AssertionError:
            started.close()
            raise
        return started

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def query(self, expr):
        """Values now, and how many of them are numbers."""
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': chosen(expr)})}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            body = json.load(answer)
        assert body["status"] == "success", (expr, body)
        return [one for one in body["data"]["result"] if not math.isnan(float(one["value"][1]))]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._log.close()


@pytest.fixture
def demo(tmp_path):
    """The demonstration with a parent at work; gives the address of its metrics."""
    process = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", "demo", "--seconds", "90"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    said = b""
    try:
        while b"accepted as" not in said:
            assert select.select([process.stderr], [], [], 60)[0], said
            piece = os.read(process.stderr.fileno(), 4_096)
            assert piece, said
            said += piece
        yield re.search(rb"metrics http://([^/]+)/metrics", said).group(1).decode()
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_every_expression_is_understood_and_every_panel_that_should_have_data_has(demo, tmp_path):
    prometheus = Prometheus.start(tmp_path, demo)
    queries = [
        (f"{board.uid}: {panel.title}: {query.legend}", query)
        for board in BOARDS
        for panel in board.panels()
        for query in panel.queries
    ]
    try:
        for alert in ALERTS:
            prometheus.query(alert.expr)
        for _, expr in RECORDED:
            prometheus.query(expr)

        def empty():
            return [name for name, query in queries if not query.rare and not prometheus.query(query.expr)]

        waiting = []

        def nothing_is_empty():
            waiting[:] = empty()
            return not waiting

        try:
            wait_until(nothing_is_empty, "data in every panel", deadline_s=70, step_s=2.0)
        except AssertionError:
            raise AssertionError(f"no data: {waiting}") from None
        expected = sum(not query.rare for _, query in queries)
        for _, query in queries:
            prometheus.query(query.expr)
        sys.stdout.write(
            f"{expected} of {expected} queries that should have data have it; {len(queries)} in all\n"
        )
    finally:
        prometheus.close()
