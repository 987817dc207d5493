"""The HTTP interface under a tool that draws requests from its own description: no 500, no secret, no lie.

    python -m benchmarks.fuzz_api [--examples N] [--schemathesis PATH]

A daemon on a local exchange has a parent order and a basket to be asked about. `schemathesis` draws the requests (an
environment of its own will do: `python -m venv x && x/bin/pip install schemathesis`); streams are left out, because
their answers do not end. Every answer is searched for the token and the key. Then come the requests that no description
tells of: a wrong token, another host, a foreign origin, no JSON, five megabytes, a body that comes slowly.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config.secrets import SANDBOX_SECRET
from tests.process.processes import Daemon, Exchange

CHECKS: Final = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "ignored_auth", "unsupported_method",
)  # fmt: skip
ORDER: Final = {"symbol": "BTCUSDT", "side": "buy", "qty": "0.1", "residual": "leave", "duration": "2h"}
ROUTE: Final = {name: value for name, value in ORDER.items() if name != "symbol"} | {
    "route": ["linear:BTCUSDT", "spot:BTCUSDT"]
}
_HOOK: Final = """
import os
import schemathesis

SECRETS = [each.encode() for each in os.environ["FUZZ_SECRETS"].split()]


@schemathesis.hook
def after_call(context, case, response):
    with open(os.environ["FUZZ_TOLD"], "a") as out:
        found = any(each in response.content or each in str(response.headers).encode() for each in SECRETS)
        out.write(f"{response.status_code}{' SECRET ' + case.formatted_path if found else ''}\\n")
"""
"""Looks for secrets in every answer, and notes its status."""


def main() -> int:
    """Run it and say what was found; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=100, help="cases for each operation (default: %(default)s)"
    )
    parser.add_argument("--schemathesis", default=shutil.which("schemathesis"), help="the tool")
    chosen = parser.parse_args()
    if not chosen.schemathesis:
        sys.stderr.write("schemathesis is not found; install it anywhere and name it with --schemathesis\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "daemon").mkdir(mode=0o700)
        exchange = Exchange.start(home)
        daemon = Daemon(home / "daemon", exchange, {}, "--init")
        try:
            daemon.start()
            return _judge(daemon, home, chosen.schemathesis, chosen.examples)
        finally:
            daemon.close()
            exchange.close()


def _judge(daemon: Daemon, home: Path, tool: str, examples: int) -> int:
    names = {"parent_id": daemon.ask("POST", "/v1/parents", ORDER, **{"Idempotency-Key": "a"})["parent_id"]}
    basket = {"orders": [ORDER]}
    names["basket_id"] = daemon.ask("POST", "/v1/baskets", basket, **{"Idempotency-Key": "b"})["basket_id"]
    names["route_id"] = daemon.ask("POST", "/v1/routes", ROUTE, **{"Idempotency-Key": "c"})["route_id"]
    names["decision_id"] = f"{names['parent_id']}-1"
    (home / "schemathesis.toml").write_text(
        "[parameters]\n" + "".join(f'"path.{name}" = "{value}"\n' for name, value in names.items())
    )
    (home / "secrets_hook.py").write_text(_HOOK)
    told, secrets = home / "told.txt", (daemon.token, SANDBOX_SECRET)
    told.touch()
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - the tool that the caller named
        [
            tool, "--config-file", str(home / "schemathesis.toml"), "run", f"{daemon.control.url}/openapi.json",
            "-H", f"Authorization: Bearer {daemon.token}", "--exclude-path-regex", "^/v1/stream", "-n", str(examples),
            "--phases", "coverage,fuzzing", "-c", ",".join(CHECKS), "--seed", "7", "--no-color",
            "--continue-on-failure", "--warnings", "off",
        ],
        cwd=home, capture_output=True, text=True, check=False,
        env=os.environ | {
            "SCHEMATHESIS_HOOKS": "secrets_hook", "FUZZ_SECRETS": " ".join(secrets), "FUZZ_TOLD": str(told)
        },
    )  # fmt: skip
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    log = (home / "daemon" / "daemon.log").read_text(errors="replace")
    answers = told.read_text().splitlines()
    found = [
        *([] if done.returncode == 0 else [done.stdout[-3_000:]]),
        *([] if daemon.process.poll() is None else ["the daemon ended"]),
        *(["a request failed inside: see the log"] if "request failed" in log else []),
        *(["a secret is in the log"] if any(each in log for each in secrets) else []),
        *(["no answer was looked at"] if not answers else []),
        *sorted({line for line in answers if "SECRET" in line or line.startswith("500")}),
        *_by_hand(daemon.control.url, daemon.token),
    ]
    sys.stdout.write(f"{cases.group(0) if cases else 'no cases'} in {time.monotonic() - began:.0f} s\n")
    statuses = ", ".join(f"{number} x {status}" for status, number in sorted(Counter(answers).items()))
    sys.stdout.write(f"{len(answers)} answers looked at: {statuses}\n")
    for each in found:
        sys.stdout.write(f"FOUND: {each}\n")
    sys.stdout.write("nothing was found\n" if not found else "")
    return 1 if found else 0


def _by_hand(url: str, token: str) -> list[str]:
    """Requests that nobody who follows the description sends; names those that were not refused as documented."""
    place = urlsplit(url)
    mine = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"reason": "x"}).encode()
    wanted: list[tuple[str, dict[str, str], bytes, int]] = [
        ("a wrong token", mine | {"Authorization": "Bearer nothing"}, body, 401),
        ("another host", mine | {"Host": "evil.example"}, body, 403),
        ("a foreign origin", mine | {"Origin": "https://evil.example"}, body, 403),
        ("no JSON", mine | {"Content-Type": "text/plain"}, body, 415),
        ("JSON that is none", mine, b"{", 400),
        ("five megabytes", mine, b" " * 5_000_000, 413),
    ]
    found = []
    for name, headers, sent, status in wanted:
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
        try:
            connection.request("POST", "/v1/halt", sent, headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != status or token.encode() in told:
                found.append(f"{name}: {answer.status}, not {status}")
        except (ConnectionError, urllib.error.URLError):
            if status != 413:
                found.append(f"{name}: the connection was cut")
        finally:
            connection.close()
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=30) as slow:
        head = f"POST /v1/halt HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n"
        slow.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        told = slow.recv(4_096)
        if not told.startswith(b"HTTP/1.1 408"):
            found.append(f"a slow body: {told[:40]!r}")
    return found


if __name__ == "__main__":
    sys.exit(main())
