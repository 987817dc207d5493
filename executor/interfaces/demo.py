"""The demonstration: a local exchange, a local model, a daemon between them, sample orders, and everything ended.

It does what a newcomer would do by hand, with the same commands, in processes of their own, and says in plain words
what happens. The address of the board comes first: there everything can be seen, and steered.
"""

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from config.secrets import make_private_dir
from executor.interfaces.cli_board import board_address
from executor.interfaces.client import Client, named
from executor.interfaces.control_file import ControlFile, read_control_file
from executor.interfaces.demo_orders import KEY, all_words, followed, place_beside, place_route
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.output import console_on, line_on_terminal, say
from executor.sentinel.place import LOCK_NAME, sentinel_runs

HOME: Final = Path("var/sample-run")
_START_S_MAX: Final = 30.0
_STOP_S_MAX: Final = 25.0
_SENTINEL_S_MAX: Final = 3.0
_CLI: Final = "executor.interfaces.cli"
_SYMBOL, _QTY, _SLICES = "BTCUSDT", "1.2", 6
_ACCEPTED_S_MAX: Final = 30.0
_LOOK_S: Final = 0.1
_BUDGET: Final = {
    # Nine orders at once, where the usual budget is meant for one or two.
    "EXECUTOR_LIMITS__ORDERS_PER_S_MAX": "5",
    "EXECUTOR_LIMITS__ORDERS_PER_MIN_MAX": "60",
}
_MODEL: Final = "sandbox-trader"
_MODEL_LATENCY_MS: Final = 400
_ASK_EVERY_S: Final = 5
_SILENCE_MS: Final = 60_000


def arranged(parent_id: str) -> tuple[Mapping[str, object], ...]:
    """Faults of the local model about one order, so that it is seen what becomes of each.

    An answer beyond the band, one that comes too late, and one that is not sure.
    """
    return (
        {
            "act": "edit",
            "match": {"decision_id": f"{parent_id}-2"},
            "set": {
                "action": "ACCELERATE",
                "rate": "4",
                "limit_price": None,
                "order_type": None,
                "quantity": None,
                "strategy": None,
                "wait_seconds": None,
                "confidence": "0.9",
                "reasoning": "Arranged for the demonstration: four times the speed, of which the band allows two.",
            },
        },
        {"act": "delay", "match": {"decision_id": f"{parent_id}-3"}, "delay_ms": _SILENCE_MS},
        {
            "act": "edit",
            "match": {"decision_id": f"{parent_id}-4"},
            "set": {
                "confidence": "0.3",
                "reasoning": "Arranged for the demonstration: an answer less sure than is asked for.",
            },
        },
    )


def run_demo(*, json_output: bool, seconds: int, seed: int, stay: bool | None, open_it: bool) -> int:
    """Work sample orders on a fresh local exchange; returns the exit code of the submission that is followed.

    Parameters
    ----------
    seconds
        Length of the order that is followed.
    seed
        Seed of the exchange's order flow and of the model.
    stay
        Whether everything goes on after the report, until Ctrl-C; None where somebody sits at a terminal.
    open_it
        Whether the browser of this machine is opened.

    Raises
    ------
    CommandFailed
        INTERRUPTED after Ctrl-C before the order that is followed has ended; whatever was started has ended then.
    """
    shutil.rmtree(HOME, ignore_errors=True)
    make_private_dir(HOME)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children: list[subprocess.Popen[bytes]] = []
    try:
        with line_on_terminal() as tell:
            tell("starting a local exchange, a local model, and the daemon between them: a few seconds …")
            venue = _start_exchange(children, seed)
            key = f"sk-demo-{secrets.token_urlsafe(18)}"
            model = _start_model(children, seed, key)
            settings = _settings(venue) | _adviser_settings(model, key)
            control = _start_daemon(children, settings)
        client = Client(named(control.url, Path(control.token_file)))
        address = board_address(client, read_only=False)[0]
        _introduce(address, venue, model, control, seconds)
        if open_it and not webbrowser.open(address):
            say("no browser was found on this machine; open the address above in one")
        place_beside(client, say)
        ended = _submit_and_tell(settings, client, model, seconds, seed, json_output=json_output)
        if stay if stay is not None else _somebody_watches(json_output=json_output):
            _stay(client, children[-1])
    except KeyboardInterrupt:
        raise failed(
            ExitCode.INTERRUPTED,
            "INTERRUPTED",
            "demo",
            "Ctrl-C: stopped; exchange, model and daemon are ended",
            "patience",
            "the same command begins a new demonstration",
        ) from None
    else:
        return ended
    finally:
        _end_all(children)
        _end_sentinel()
        journal = HOME / "journal.db"
        if journal.is_file():
            say(f"the journal stays until the next demo replaces it; try: {own_command()} audit {journal}")


def _introduce(
    address: str, venue: Mapping[str, str], model: Mapping[str, str], control: ControlFile, seconds: int
) -> None:
    """Say where to look, and what there will be to see; the board's address first."""
    say(f"board    {address}")
    say("         Open this in a browser to see, and steer, all that follows; good once, for ten minutes.")
    say("")
    say(
        "Nothing here is real: exchange and model are stand-ins on this machine. No account, no network, no money."
    )
    say(f"exchange {venue['rest']}  (speaks Bybit's protocol; its prices are made up)")
    say(f"model    {model['llm']}  (stands in for a language model, and advises by a few rules)")
    say(
        f"daemon   {control.url}  metrics {control.url}/metrics  log {HOME / 'daemon.log'}\n"
        "         This is the executor: it cuts a large order into many small ones, and sends them over time."
    )
    say("")
    say("It is handed these orders:")
    say(
        f"  - buy {_QTY} {_SYMBOL} within {seconds} s, its pace advised by the model:"
        " this terminal follows it to its end"
    )
    for words in all_words():
        say(f"  - {words}")
    say(
        f"The first ten seconds are a warm-up. The model is asked every {_ASK_EVERY_S} s; three of its answers are"
        " arranged,\nto show what becomes of them: 2 asks for more than it may, 3 comes too late, 4 is not sure enough."
    )
    say("")


def _somebody_watches(*, json_output: bool) -> bool:
    return not json_output and sys.stdin.isatty() and sys.stderr.isatty()


def _stay(client: Client, daemon: subprocess.Popen[bytes]) -> None:
    """Let everything go on until Ctrl-C, or until the daemon has ended by itself."""
    try:
        say("")
        say("That order has ended. The others go on, and so does the board; Ctrl-C ends everything.")
        say(f"board    {board_address(client, read_only=False)[0]}")
        daemon.wait()
    except KeyboardInterrupt:
        say("stopping: open orders are cancelled, then exchange, model and daemon end …")
    else:
        say(f"the daemon has ended; its log: {HOME / 'daemon.log'}")


def own_command() -> str:
    """Give the path of the `executor` that is running, as it can be typed from here."""
    command = Path(sys.executable).with_name("executor")
    here = Path.cwd()
    return shlex.quote(str(command.relative_to(here) if command.is_relative_to(here) else command))


def _start_exchange(children: list[subprocess.Popen[bytes]], seed: int) -> Mapping[str, str]:
    ready = HOME / "exchange.json"
    words = ["--port", "0", "--control-port", "0", "--seed", str(seed), "--ready-file", str(ready)]
    child = _spawn(["-m", "sandbox", *words], os.environ, HOME / "exchange.log")
    children.append(child)
    _wait_for(child, ready.is_file, "the exchange", HOME / "exchange.log")
    addresses: Mapping[str, str] = json.loads(ready.read_text(encoding="utf-8"))
    return addresses


def _start_model(children: list[subprocess.Popen[bytes]], seed: int, key: str) -> Mapping[str, str]:
    ready = HOME / "model.json"
    words = ["--port", "0", "--control-port", "0", "--seed", str(seed), "--ready-file", str(ready)]
    words += ["--latency-ms", str(_MODEL_LATENCY_MS), "--api-key", key]
    child = _spawn(["-m", "sandbox.llm_server", *words], os.environ, HOME / "model.log")
    children.append(child)
    _wait_for(child, ready.is_file, "the model", HOME / "model.log")
    addresses: Mapping[str, str] = json.loads(ready.read_text(encoding="utf-8"))
    return addresses


def _arrange(model: Mapping[str, str], parent_id: str) -> None:
    for fault in arranged(parent_id):
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{model['control']}/_fault", data=json.dumps(fault).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - loopback


def _adviser_settings(model: Mapping[str, str], key: str) -> dict[str, str]:
    return {
        "EXECUTOR_ADVISER_API_KEY": key,
        "EXECUTOR_ADVISER__ENABLED": "true",
        "EXECUTOR_ADVISER__BASE_URL": model["llm"],
        "EXECUTOR_ADVISER__MODEL": _MODEL,
        "EXECUTOR_ADVISER__INTERVAL_S": str(_ASK_EVERY_S),
        "EXECUTOR_ADVISER__MIN_GAP_S": "2",
        "EXECUTOR_ADVISER__INPUT_PRICE": "0.15",
        "EXECUTOR_ADVISER__CACHED_PRICE": "0.075",
        "EXECUTOR_ADVISER__OUTPUT_PRICE": "0.6",
    }


def _start_daemon(children: list[subprocess.Popen[bytes]], settings: Mapping[str, str]) -> ControlFile:
    child = _spawn(["-m", _CLI, "run", "--profile", "sandbox"], settings, HOME / "daemon.log")
    children.append(child)
    _wait_for(child, lambda: read_control_file(HOME) is not None, "the daemon", HOME / "daemon.log")
    control = read_control_file(HOME)
    assert control is not None
    return control


def _settings(venue: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "EXECUTOR_EXECUTOR__DATA_DIR": str(HOME),
        "EXECUTOR_VENUE__REST_URL": venue["rest"],
        "EXECUTOR_VENUE__PUBLIC_WS_URL": venue["ws"],
        "EXECUTOR_VENUE__PRIVATE_WS_URL": venue["ws"],
        "EXECUTOR_CONTROL__PORT": "0",
        **_BUDGET,
    }


def _submit(
    settings: Mapping[str, str],
    client: Client,
    model: Mapping[str, str],
    seconds: int,
    seed: int,
    *,
    json_output: bool,
) -> tuple[int, str]:
    """Work the order that is followed to its end; gives the exit code of its submission, and its id."""
    words = ["submit", "--symbol", _SYMBOL, "--side", "buy", "--qty", _QTY, "--duration", f"{seconds}s"]
    words += ["--advised", "--interval", f"{max(seconds // _SLICES, 1)}s", "--residual", "cross"]
    words += ["--seed", str(seed), "--wait"]
    say(f"$ executor {' '.join(words)}")
    words += ["--idempotency-key", KEY, *(["--json"] if json_output else [])]
    # In a process group of its own: Ctrl-C is answered here alone, and once.
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", _CLI, *words], env=dict(settings), process_group=0
    )
    try:
        parent_id = _accepted(child, client)
        if parent_id:
            _arrange(model, parent_id)
            place_route(client, say)
        return child.wait(), parent_id
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
            console_on(sys.stderr).show_cursor()


def _accepted(child: subprocess.Popen[bytes], client: Client) -> str:
    """Wait until the order that is followed was accepted; gives its id, empty if its submission ended without one."""
    end_s = time.monotonic() + _ACCEPTED_S_MAX
    while child.poll() is None and time.monotonic() < end_s:
        parent_id = followed(client)
        if parent_id:
            return parent_id
        time.sleep(_LOOK_S)
    return ""


def _submit_and_tell(
    settings: Mapping[str, str],
    client: Client,
    model: Mapping[str, str],
    seconds: int,
    seed: int,
    *,
    json_output: bool,
) -> int:
    """Work the order to its end; then tell, people only, what was advised on it, and how the others stand."""
    ended, parent_id = _submit(settings, client, model, seconds, seed, json_output=json_output)
    if not json_output and parent_id:
        _show(settings, "decisions", parent_id)
        _show(settings, "list")
    return ended


def _show(settings: Mapping[str, str], *words: str) -> None:
    """Run a command that only shows something, as a newcomer would type it."""
    say(f"$ executor {' '.join(words)}")
    command = [sys.executable, "-m", _CLI, *words]
    child = subprocess.Popen(command, env=dict(settings), process_group=0)  # noqa: S603 - our own interpreter
    try:
        child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def _spawn(words: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for(child: subprocess.Popen[bytes], is_there: Callable[[], bool], who: str, log: Path) -> None:
    end_s = time.monotonic() + _START_S_MAX
    while not is_there():
        if child.poll() is not None or time.monotonic() > end_s:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise failed(
                ExitCode.UNREACHABLE,
                "DEMO_START",
                str(log),
                tail or "nothing was written",
                f"{who} running within {_START_S_MAX:g} s",
                "mend what the log says and try again",
            )
        time.sleep(0.05)


def _end_all(children: list[subprocess.Popen[bytes]]) -> None:
    """End what was started, last first; a second Ctrl-C does not leave anything behind."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for child in reversed(children):
            _end(child)
    finally:
        signal.signal(signal.SIGINT, usual)


def _end_sentinel() -> None:
    """Wait until the daemon's sentinel has ended; one that cannot finish, the exchange being gone, is ended."""
    lock = HOME / LOCK_NAME
    end_s = time.monotonic() + _SENTINEL_S_MAX
    while sentinel_runs(HOME) and time.monotonic() < end_s:
        time.sleep(0.05)
    if sentinel_runs(HOME):
        os.kill(int(lock.read_text(encoding="ascii")), signal.SIGTERM)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
