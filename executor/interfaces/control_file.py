"""`control.json`: how the command line finds the daemon of a data directory. The daemon writes it, then removes it."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from config.problems import ConfigProblems
from config.secrets import make_private_dir, no_directory, open_private
from executor.interfaces.strict_json import JsonProblem, read_json_object

NAME: Final = "control.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFile:
    """Where a daemon listens, who it is, and where its token lies."""

    url: str
    pid: int
    version: str
    token_file: str


def control_url(host: str, port: int) -> str:
    """Write the address of the interface; an IPv6 host needs brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def write_control_file(data_dir: Path, content: ControlFile) -> Path:
    """Write the file so that a reader sees the whole of it or the one before; mode 0600.

    Raises
    ------
    ConfigProblems
        DATA_DIR if nothing can be written there.
    """
    make_private_dir(data_dir)
    target = data_dir / NAME
    draft = data_dir / f".{NAME}.{secrets.token_hex(4)}"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigProblems([no_directory(data_dir, error)]) from None
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        json.dump(asdict(content), output)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(target)
    return target


def remove_control_file(data_dir: Path, pid: int) -> None:
    """Remove the file if it is still the one of this process."""
    content = read_control_file(data_dir)
    if content is not None and content.pid == pid:
        (data_dir / NAME).unlink(missing_ok=True)


def read_control_file(data_dir: Path) -> ControlFile | None:
    """Read the file; None if there is none that can be trusted."""
    raw, problem = open_private(data_dir / NAME)
    if problem is not None:
        return None
    try:
        values = read_json_object(raw)
    except JsonProblem:
        return None
    match values:
        case {"url": str(url), "pid": int(pid), "version": str(version), "token_file": str(token_file)}:
            return ControlFile(url=url, pid=pid, version=version, token_file=token_file)
        case _:
            return None
