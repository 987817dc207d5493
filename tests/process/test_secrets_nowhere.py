"""INV-62: marked secrets in every place that holds one, failures on every way, and then everything written is searched.

A daemon with an exchange, a model and three ways to people runs as it does in production, at its most talkative. It is
refused by the venue, the ways to people fail and answer with what they were sent, its journal is spoilt under it so
that it ends with a traceback, and it is started with a wrong key. Then every file, every answer and everything printed
is searched for each secret: as it is, in base64, encoded for addresses, and for its beginning and its end.
"""

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import quote

import apsw
import pytest

from executor.interfaces.openapi import EVENTS
from executor.runtime.journal_bounds import ROWS_MAX
from tests.process.processes import Daemon, Exchange, wait_until

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]
KEY = "qX7cAnArYkEy4Zt9Wm2L"
SECRET = "sJ3_cAnArY-ExChAnGe_0Pq8RtY5UiN2vB"
MODEL_KEY = "sk-cAnArYmOdEl-8Hd3Kf6Ls1Pz"
HOOK = "hK9cAnArYhOoK5Tg2Vb"
HOOK_TOKEN = "wT4cAnArYwEbToKeN7Jx"
BOT = "731:cAnArYtElEgRaM0Qw8Er"
MAIL = "mP6/cAnArY+MaIl&3Xc"
PING = "pG1cAnArYpInG6Ud9Sf"
SECRETS = {
    "the exchange's key": KEY,
    "the exchange's secret": SECRET,
    "the model's key": MODEL_KEY,
    "the webhook's address": HOOK,
    "the webhook's token": HOOK_TOKEN,
    "the bot's token": BOT,
    "the mail password": MAIL,
    "the ping's address": PING,
}
ORDER = {
    "symbol": "BTCUSDT",
    "side": "buy",
    "qty": "0.2",
    "residual": "leave",
    "duration": "2m",
    "interval": "5s",
}
CLI = [sys.executable, "-m", "executor.interfaces.cli"]
IS_FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
MORE = [
    ["doctor"], ["doctor", "--json"], ["config", "show", "--json"], ["config", "check"], ["status", "--json"],
    ["limits"], ["journal", "tail"], ["decisions", "P1"], ["report", "P1"], ["board"],
    ["kill", "--yes", "--timeout", "5"],
] if IS_FULL else []  # fmt: skip
"""Beside one command in the short form: each takes seconds, and most say what the interface says."""
OWN = {"control.token", "notices.toml"}
"""Files that are there to hold a secret, and that only we may read."""


def forms(secret):
    """How a secret could be written; its beginning and its end count too."""
    raw = secret.encode()
    yield raw
    yield secret[:8].encode()
    yield secret[-8:].encode()
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    for start in range(3):  # base64 of a text with other things before it
        yield base64.b64encode(raw[start:])[4:-4]
        yield base64.urlsafe_b64encode(raw[start:])[4:-4]
    yield raw.hex().encode()


class Repeats(http.server.BaseHTTPRequestHandler):
    """Fails, and says again everything that it was sent."""

    heard: list[str]

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = f"{self.path}\n{self.headers}\n".encode() + body
        self.server.heard.append(said.decode())
        self.send_response(500, "no " + self.path.replace("\n", ""))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST  # noqa: N815 - the server's own name

    def log_message(self, *_):
        pass


@pytest.fixture
def people():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Repeats)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def model(tmp_path):
    ready = tmp_path / "model.json"
    words = ["--port", "0", "--control-port", "0", "--ready-file", str(ready)]
    with (tmp_path / "model.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.llm_server", *words, "--api-key", MODEL_KEY],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    wait_until(ready.is_file, "the model's start")
    yield json.loads(ready.read_text())["llm"]
    process.terminate()
    process.wait(20)


def settings_of(home, model, port):
    notices = home / "notices.toml"
    here = f"http://127.0.0.1:{port}"
    notices.touch(mode=0o600)
    notices.write_text(
        f'severity = "INFO"\nping_url = "{here}/{PING}"\n'
        f'[webhook]\nurl = "{here}/{HOOK}"\ntoken = "{HOOK_TOKEN}"\n'
        f'[telegram]\ntoken = "{BOT}"\nchat_id = "5"\nurl = "{here}"\n'
        f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsender = "a@b.c"\nto = ["d@e.f"]\nuser = "u"\ntls = false\n'
        f'password = "{MAIL}"\n'
    )
    return {
        "BYBIT_SANDBOX_API_KEY": KEY,
        "BYBIT_SANDBOX_API_SECRET": SECRET,
        "EXECUTOR_ADVISER_API_KEY": MODEL_KEY,
        "EXECUTOR_ADVISER__ENABLED": "true",
        "EXECUTOR_ADVISER__BASE_URL": model,
        "EXECUTOR_ADVISER__MODEL": "sandbox-trader",
        "EXECUTOR_ADVISER__INTERVAL_S": "5",
        "EXECUTOR_ADVISER__MIN_GAP_S": "2",
        "EXECUTOR_ADVISER__INPUT_PRICE": "0.15",
        "EXECUTOR_ADVISER__OUTPUT_PRICE": "0.6",
        "EXECUTOR_NOTICES__FILE": str(notices),
        "EXECUTOR_LOG__LEVEL": "debug",
        "EXECUTOR_VENUE__ORDER_ENTRY": "websocket",
    }


def answers(daemon):
    """Everything that the interface says, by its own description, and what it says to those whom it refuses."""
    told = daemon.ask("GET", "/openapi.json")
    names = {"parent_id": "P1", "basket_id": "B1", "route_id": "R1", "decision_id": "P1-1"}
    for path, methods in told["paths"].items():
        place = path
        for name, value in names.items():
            place = place.replace(f"{{{name}}}", value)
        for method in methods:
            yield f"{method} {path}", asked(daemon, method.upper(), place)
            yield f"{method} {path}, refused", asked(daemon, method.upper(), place, token="nothing")
    after, at_end = 0, False
    while not at_end:
        page = daemon.ask("GET", f"/v1/journal?after={after}&limit={ROWS_MAX}")
        yield f"the journal after {after}", json.dumps(page).encode()
        after, at_end = page["next_after"], page["at_end"]
    yield "a token in an address", asked(daemon, "GET", f"/v1/status?token={daemon.token}")


def asked(daemon, method, path, token=None):
    request = urllib.request.Request(
        f"{daemon.control.url}{path}",
        method=method,
        data=b'{"wrong": 1}' if method == "POST" else None,
        headers={"Authorization": f"Bearer {token or daemon.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            size = 20_000 if path.startswith(EVENTS) else -1
            return (
                str(answer.headers).encode() + (answer.readline() if size > 0 else b"")
                if size > 0
                else answer.read()
            )
    except urllib.error.HTTPError as error:
        return str(error.headers).encode() + error.read()


def printed(daemon, *words):
    done = subprocess.run(
        [*CLI, *words, "--profile", "sandbox"],
        env=daemon.environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout + done.stderr, words
    return done.stdout + done.stderr


def found_in(name, raw, secrets):
    return [
        f"{what} in {name}" for what, secret in secrets.items() if any(form in raw for form in forms(secret))
    ]


def test_no_secret_is_written_anywhere(tmp_path, model, people):
    home = tmp_path / "daemon"
    home.mkdir(mode=0o700)
    exchange = Exchange.start(tmp_path, "--key", f"{KEY}:{SECRET}")
    daemon = Daemon(home, exchange, settings_of(home, model, people.server_port))
    seen = []
    try:
        daemon.start()
        wait_until(lambda: b'"ready": true' in asked(daemon, "GET", "/ready"), "readiness")
        request = urllib.request.Request(
            f"{exchange.addresses['control']}/_ex", data=b'{"do": "reject_next", "count": 1}', method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()
        daemon.ask("POST", "/v1/parents", ORDER, **{"Idempotency-Key": "a"})
        tape = home / "advice.jsonl"
        wait_until(lambda: tape.exists() and tape.stat().st_size, "an answer of the model", deadline_s=120)
        wait_until(
            lambda: b"REJECTED" in asked(daemon, "GET", "/v1/parents/P1/children"), "a refusal of the venue"
        )
        daemon.ask("POST", "/v1/halt", {"reason": "tried", "operator": "ann"})
        for secret in (HOOK, HOOK_TOKEN, BOT, PING):
            wait_until(lambda on_its_way=secret: any(on_its_way in said for said in people.heard), "a notice")
        if IS_FULL:  # a way is given up after 36 seconds
            wait_until(lambda: "not delivered" in daemon_log(home), "a notice that is given up")
        seen += answers(daemon)
        for words in (["config", "show"], *MORE):
            seen.append((" ".join(words), printed(daemon, *words)))
        with apsw.Connection(str(home / "journal.db")) as spoilt:
            spoilt.set_busy_timeout(60_000)
            spoilt.execute("DROP TABLE fills")
            spoilt.execute("DROP TABLE children")
            spoilt.execute("DROP TABLE journal")
        daemon.process.wait(60)
        assert daemon.process.returncode != 0
        assert "Error" in daemon_log(home), "it ended with what went wrong"
        if IS_FULL:
            seen += with_a_wrong_key(daemon, tmp_path / "wrong")
    finally:
        daemon.close()
        exchange.close()
    roots = [home, tmp_path / "wrong"] if IS_FULL else [home]
    files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    seen += [(str(path.relative_to(tmp_path)), path.read_bytes()) for path in files if path.name not in OWN]
    assert {"daemon/journal.db", "daemon/advice.jsonl", "daemon/daemon.log"} <= {name for name, _ in seen}
    secrets = SECRETS | {"the token": daemon.token, "a wrong secret": SECRET[::-1]}
    assert [line for name, raw in seen for line in found_in(name, raw, secrets)] == []
    assert all((home / name).stat().st_mode & 0o077 == 0 for name in OWN)


def with_a_wrong_key(daemon, wrong):
    """What is said by those who are started with another secret; the venue refuses their key, and repeats it."""
    wrong.mkdir(mode=0o700)
    daemon.environment |= {
        "EXECUTOR_EXECUTOR__DATA_DIR": str(wrong),
        "BYBIT_SANDBOX_API_SECRET": SECRET[::-1],
    }
    for words in (["doctor"], ["kill", "--yes", "--timeout", "1"]):
        yield f"{words} with a wrong key", printed(daemon, *words)
    daemon.home = wrong
    daemon.process = daemon.spawn()
    wait_until(lambda: "refuses our key" in daemon_log(wrong), "a refusal of the key")


def daemon_log(home):
    return (home / "daemon.log").read_text(errors="replace")


def test_the_search_finds_what_is_there():
    secret = MAIL
    for written in (
        secret, secret[:8], secret[-8:], quote(secret, safe=""), base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"user:{secret}".encode()).decode(), secret.encode().hex(), json.dumps({"a": secret}),
    ):  # fmt: skip
        assert found_in("x", f"before {written} after".encode(), {"it": secret}) == ["it in x"], written
    assert found_in("x", b"nothing here", SECRETS) == []
