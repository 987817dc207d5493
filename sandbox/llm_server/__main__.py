"""Command line of the language model's stand-in: ``python -m sandbox.llm_server``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from sandbox.llm_server import DEFAULT_API_KEY, Latency, LlmOptions, run
from sandbox.llm_server.models import MODELS

PORT_MAX: Final = 65_535
DESCRIPTION: Final = """\
A local server that speaks OpenAI's chat completions. Its models advise on the
execution of an order by a few written rules; no network, no money, no secrets.
"""
EPILOG: Final = f"""\
pointing a client at it:
  openai.AsyncOpenAI(base_url="http://127.0.0.1:8767/v1", api_key="{DEFAULT_API_KEY}")

models: {", ".join(MODELS)}

A second port, the control plane, makes answers late, broken, false or endless:
see docs/language-model.md.
"""


def parse(arguments: list[str] | None = None) -> tuple[LlmOptions, Path | None]:
    """Return the options on the command line and the path of the ready file, if any."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.llm_server",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the clients' port")
    parser.add_argument("--port", type=_port, default=8767, help="clients' port, 0 for any (default 8767)")
    parser.add_argument(
        "--control-port", type=_port, default=8768, help="control port, 0 for any (default 8768)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of everything random (default 7)")
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, help="median time to an answer, milliseconds (default 0)"
    )
    parser.add_argument(
        "--latency-sigma",
        type=float,
        default=0.0,
        help="spread of the lognormal latency, 0 for a constant (default 0)",
    )
    parser.add_argument(
        "--api-key", action="append", help=f"accepted key; may be repeated (default {DEFAULT_API_KEY})"
    )
    parser.add_argument("--ready-file", type=Path, help="where to write the addresses as JSON when ready")
    chosen = parser.parse_args(arguments)
    keys = tuple(chosen.api_key or (DEFAULT_API_KEY,))
    if not all(key.isascii() and key.isprintable() and key for key in keys):
        parser.error("--api-key must be printable ASCII")
    try:
        latency = Latency(median_ms=chosen.latency_ms, sigma=chosen.latency_sigma)
    except ValueError as error:
        parser.error(str(error))
    options = LlmOptions(
        seed=chosen.seed,
        host=chosen.host,
        port=chosen.port,
        control_port=chosen.control_port,
        api_keys=keys,
        latency=latency,
    )
    return options, chosen.ready_file


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"a port is a whole number from 0 to {PORT_MAX}, not {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to end; gives the exit code, 2 if it cannot start."""
    options, ready_file = parse(arguments)
    try:
        run(options, ready_file)
    except OSError as error:
        sys.stderr.write(f"llm: {error.strerror or error}; end what holds it, or choose another\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
