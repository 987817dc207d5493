"""Command line of the sandbox: ``python -m sandbox`` starts the exchange server."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Final, NoReturn

from sandbox.bybit_server import Credentials, FlowSettings, SandboxOptions, run
from sandbox.bybit_server.agents_link import AgentsError
from sandbox.bybit_server.agents_market import AgentsCall, listed
from sandbox.bybit_server.instruments import LINEAR
from sandbox.bybit_server.recorded_market import PlaySettings
from sandbox.bybit_server.recording import RecordingError, find_recording, held_in
from sandbox.bybit_server.signature import public_key

PORT_MAX: Final = 65_535
AGENTS_SYMBOL: Final = "BTCUSDT"
STORE_ENV: Final = "EXECUTOR_MARKET_DATA"
USUAL_STORE: Final = "var/market"
INSTANT_FORM: Final = "a time with its zone is written 2026-08-09T12:00:00Z"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DESCRIPTION: Final = """\
A local exchange that speaks Bybit's v5 protocol: REST, the public, private and
trade WebSockets, a matching engine, and a crowd that trades. Clients written
for Bybit can use it unmodified as a test exchange; no money, no network.
"""
EPILOG: Final = """\
pointing pybit at it (before the first socket is made):
  import pybit.unified_trading as ut, pybit._websocket_trading as wt
  ut.PUBLIC_WSS = "ws://127.0.0.1:8765/v5/public/{CHANNEL_TYPE}"
  ut.PRIVATE_WSS = "ws://127.0.0.1:8765/v5/private"
  wt.TRADE_WSS = "ws://127.0.0.1:8765/v5/trade"
  http = ut.HTTP(api_key=..., api_secret=...)
  http.endpoint = "http://127.0.0.1:8765"

pointing ccxt at it: give ccxt.bybit (or ccxt.pro.bybit) its addresses under
  {"urls": {"api": {"public": "http://127.0.0.1:8765", "private": ..., "ws": {...}}}}
  docs/sandbox.md has the whole dictionary.

A second port, the control plane, makes orders fill, answers get lost, sockets
stall and books break: see docs/sandbox.md.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; --help has the rest."""

    def error(self, message: str) -> NoReturn:
        """End with 2."""
        self.exit(2, f"sandbox: {message}; `{self.prog} --help` lists the options\n")


def parse(arguments: list[str] | None = None) -> tuple[SandboxOptions, Path | None]:
    """Return the options on the command line and the path of the ready file, if any."""
    default_key = Credentials()
    parser = _Parser(
        prog="executor sandbox",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the clients' port")
    parser.add_argument("--port", type=_port, default=8765, help="clients' port, 0 for any (default 8765)")
    parser.add_argument(
        "--control-port", type=_port, default=8766, help="control port, 0 for any (default 8766)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of everything random (default 7)")
    parser.add_argument(
        "--intensity", type=float, default=1.0, help="how often the crowd trades (default 1.0)"
    )
    parser.add_argument(
        "--volatility", type=float, default=0.008, help="hourly volatility as a fraction (default 0.008)"
    )
    parser.add_argument("--frozen", action="store_true", help="start without a crowd, with empty books")
    parser.add_argument(
        "--key",
        action="append",
        metavar="KEY:SECRET[:UID]",
        help=f"API key; may be repeated (default {default_key.key}:{default_key.secret})",
    )
    parser.add_argument(
        "--rsa-key",
        action="append",
        metavar="KEY:PATH[:UID]",
        help="API key with the PEM file of its RSA public key; may be repeated",
    )
    parser.add_argument(
        "--separate-allowances",
        action="store_true",
        help="count requests over REST and over the trade socket apart (default together)",
    )
    parser.add_argument(
        "--market",
        choices=("crowd", "recorded", "agents"),
        default="crowd",
        help="who makes the market (default crowd)",
    )
    recorded = parser.add_argument_group("a recorded market instead of the crowd (docs/sandbox.md)")
    recorded.add_argument(
        "--data",
        type=Path,
        metavar="ROOT",
        help=f"store of `executor data import` (default {STORE_ENV}, or else {USUAL_STORE})",
    )
    recorded.add_argument("--symbol", help="which symbol is played; also as VENUE/CATEGORY/SYMBOL")
    recorded.add_argument("--venue", default="", help="of which venue, where the store has several")
    recorded.add_argument("--category", default="", help="of which category, where the store has several")
    recorded.add_argument(
        "--start",
        type=_instant_ns,
        metavar="TIME",
        help="where in the recording it begins, such as 2026-08-09T12:00:00Z (default its first whole book)",
    )
    recorded.add_argument(
        "--speed", type=_speed, default=Fraction(1), help="how many times as fast as it was (default 1)"
    )
    recorded.add_argument("--loop", action="store_true", help="begin again when it is over")
    agents = parser.add_argument_group(
        "a market of agents who react instead of the crowd (docs/sandbox.md); --symbol and --category are theirs, too"
    )
    agents.add_argument(
        "--scenario",
        help="who they are: a name of `executor simulate list` or a .toml file (default default)",
    )
    agents.add_argument(
        "--agents", type=_count, metavar="N", help="how many they are (default the scenario's)"
    )
    agents.add_argument(
        "--pace", type=_speed, metavar="X", help="how many times as fast as the clock they live (default 1)"
    )
    agents.add_argument("--tick-size", type=_step, metavar="PRICE", help="what one tick of theirs is")
    agents.add_argument("--lot-size", type=_step, metavar="QTY", help="what one lot of theirs is")
    agents.add_argument(
        "--agents-by",
        metavar="COMMAND",
        help="program that plays them (of `executor sandbox`: its own); --scenario, --agents, --seed are its words",
    )
    parser.add_argument("--ready-file", type=Path, help="where to write the addresses as JSON when ready")
    chosen = parser.parse_args(arguments)
    credentials = (
        *(_credentials(text, parser) for text in chosen.key or ()),
        *(_rsa_credentials(text, parser) for text in chosen.rsa_key or ()),
    )
    options = SandboxOptions(
        seed=chosen.seed,
        host=chosen.host,
        rest_port=chosen.port,
        control_port=chosen.control_port,
        credentials=credentials or (default_key,),
        shared_allowance=not chosen.separate_allowances,
        flow=FlowSettings(
            intensity=chosen.intensity, volatility_hourly=chosen.volatility, frozen=chosen.frozen
        ),
        played=_play(chosen, parser),
        agents=_agents(chosen, parser),
    )
    return options, chosen.ready_file


def _play(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> PlaySettings | None:
    if chosen.market != "recorded":
        if chosen.data or (chosen.symbol and chosen.market == "crowd"):
            parser.error("--data and --symbol belong to --market recorded")
        return None
    root = chosen.data or Path(os.environ.get(STORE_ENV) or USUAL_STORE)
    if not chosen.symbol:
        parser.error(f"--market recorded needs --symbol; {root} holds {held_in(root)}")
    *where, symbol = chosen.symbol.split("/")
    if len(where) not in {0, 2} or not symbol:
        parser.error(f"--symbol is SYMBOL or VENUE/CATEGORY/SYMBOL, not {chosen.symbol!r}")
    venue, category = where or (chosen.venue, chosen.category)
    try:
        recording = find_recording(root, symbol, category=category, venue=venue)
    except RecordingError as error:
        parser.error(str(error))
    first_ns, last_ns = recording.days[0].first_ns, recording.days[-1].last_ns
    if chosen.start is not None and not first_ns <= chosen.start <= last_ns:
        parser.error(
            f"--start: {recording.name} is recorded from {_instant(first_ns)} to {_instant(last_ns)},"
            f" not at {_instant(chosen.start)}"
        )
    return PlaySettings(recording=recording, start_ns=chosen.start or 0, speed=chosen.speed, loop=chosen.loop)


def _agents(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> AgentsCall | None:
    own = ("scenario", "agents", "pace", "tick_size", "lot_size")
    if chosen.market != "agents":
        for name in own:
            if getattr(chosen, name) is not None:
                parser.error(f"--{name.replace('_', '-')} belongs to --market agents")
        return None
    if not chosen.agents_by:
        parser.error("--market agents needs --agents-by; `executor sandbox --market agents` brings its own")
    try:
        command = shlex.split(chosen.agents_by)
    except ValueError as error:
        parser.error(f"--agents-by: {error}")
    for name in ("scenario", "agents"):
        if getattr(chosen, name) is not None:
            command += [f"--{name}", str(getattr(chosen, name))]
    key = (chosen.category or LINEAR, chosen.symbol or AGENTS_SYMBOL)
    try:
        listed(key)
    except AgentsError as error:
        parser.error(f"agents {error}")
    return AgentsCall(
        command=(*command, "--seed", str(chosen.seed)),
        key=key,
        tick=chosen.tick_size,
        lot=chosen.lot_size,
        pace=chosen.pace or Fraction(1),
    )


def _instant_ns(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{INSTANT_FORM}, not {text!r}") from None
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{INSTANT_FORM}; {text!r} says no zone")
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


def _instant(at_ns: int) -> str:
    return (EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat().replace("+00:00", "Z")


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text)
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if speed <= 0:
        raise argparse.ArgumentTypeError(f"a speed is a positive number, not {text!r}")
    return speed


def _step(text: str) -> Decimal:
    try:
        step = Decimal(text)
    except InvalidOperation:
        step = Decimal(0)
    if not (step.is_finite() and step > 0):
        raise argparse.ArgumentTypeError(f"a step is a positive number, not {text!r}")
    return Decimal(format(step, "f"))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not int(text):
        raise argparse.ArgumentTypeError(f"agents are counted 1, 2, 3 and so on, not {text!r}")
    return int(text)


def _credentials(text: str, parser: argparse.ArgumentParser) -> Credentials:
    parts = text.split(":")
    if len(parts) not in {2, 3} or not all(parts) or not parts[-1 if len(parts) == 3 else 0]:
        parser.error(f"--key must be KEY:SECRET or KEY:SECRET:UID, not {text!r}")
    if len(parts) == 3 and not (parts[2].isascii() and parts[2].isdecimal()):
        parser.error(f"the UID in --key must be digits, not {parts[2]!r}")
    uid = int(parts[2]) if len(parts) == 3 else Credentials().uid
    return Credentials(key=parts[0], secret=parts[1], uid=uid)


def _rsa_credentials(text: str, parser: argparse.ArgumentParser) -> Credentials:
    key, _, place = text.partition(":")
    path, _, uid = place.rpartition(":")
    if not (uid.isascii() and uid.isdecimal() and path):
        path, uid = place, str(Credentials().uid)
    if not (key and path):
        parser.error(f"--rsa-key must be KEY:PATH or KEY:PATH:UID, not {text!r}")
    try:
        pem = Path(path).read_text(encoding="utf-8")
        public_key(pem)
    except (OSError, ValueError) as error:
        parser.error(f"--rsa-key {key}: {path!r} holds no public key in PEM form: {error}")
    return Credentials(key=key, secret="", uid=int(uid), public_key_pem=pem)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"a port is a whole number from 0 to {PORT_MAX}, not {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the exchange until it is told to end; gives the exit code, 2 if it cannot start."""
    options, ready_file = parse(arguments)
    if options.played is not None:
        recording = options.played.recording
        assumed = ", ".join(recording.assumed)
        options.played.say(f"plays {recording.name}; its recording does not say, so assumed: {assumed}")
    try:
        run(options, ready_file)
    except RecordingError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except AgentsError as error:
        sys.stderr.write(f"sandbox: the agents {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"sandbox: {error.strerror or error}; end what holds it, or choose another\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
