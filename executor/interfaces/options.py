"""Options that many commands share, and how they lead to a daemon."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from config.load import locate_data_dir
from executor.interfaces.client import Client, Endpoint, locate, named
from executor.interfaces.output import say
from executor.interfaces.version import version

USUAL_PROFILE: Final = "sandbox"

YesLive = Annotated[
    bool,
    typer.Option(
        "--yes-live",
        help='Second sign of live trading, like EXECUTOR_LIVE_CONFIRM=I-TRADE-REAL-MONEY; the first is mode = "live" '
        "in the profile file.",
    ),
]

Profile = Annotated[
    str,
    typer.Option(
        "--profile", "-p", envvar="EXECUTOR_PROFILE", help="sandbox (usual), paper, testnet, demo or live."
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="One more settings file, over the profile.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="EXECUTOR_CONTROL_URL", help="Address of the daemon, instead of control.json."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="EXECUTOR_TOKEN_FILE", help="File with the daemon's token."),
]
SomeParent = Annotated[str | None, typer.Argument(metavar="[PARENT]", help="Id of the parent order.")]
BasketName = Annotated[
    str | None, typer.Option("--basket", help="All orders of a basket, by its id, in place of one order.")
]
ParentName = Annotated[str, typer.Argument(metavar="PARENT", help="Id of the parent order.")]


def connect(profile: str, config: Path | None, url: str | None, token_file: Path | None) -> Client:
    """Find the daemon that these options mean; what is wrong with other settings is a remark.

    Raises
    ------
    CommandFailed
        If it is not running.
    ConfigProblems
        If the options, the files or the token cannot be used.
    """
    endpoint = way_to_daemon(profile, config, url, token_file)()
    _compare_versions(endpoint)
    return Client(endpoint)


def way_to_daemon(
    profile: str, config: Path | None, url: str | None, token_file: Path | None
) -> Callable[[], Endpoint]:
    """Give what finds the daemon that these options mean, wherever it is at the time; it fails as `connect` does.

    Raises
    ------
    ConfigProblems
        If the options or the files cannot be used.
    """
    if url is not None and token_file is not None:
        return partial(named, url, token_file)
    data_dir, remarks = locate_data_dir(profile, config, os.environ)
    for remark in remarks:
        say(f"ignored here: {remark.line()}")
    return partial(locate, data_dir, url, token_file)


def _compare_versions(endpoint: Endpoint) -> None:
    own = version()
    if endpoint.version and endpoint.version != own:
        say(
            f"VERSION_MISMATCH at {endpoint.found_in}: the daemon is version {endpoint.version}, "
            f"this command is {own}; next: restart the daemon, or use its own command"
        )
