"""The bearer token of the control interface: made once, kept in a file that only we can read."""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from config.problems import ConfigProblems, Problem, place
from config.secrets import Secret, make_private_dir, open_private

FILE_NAME: Final = "control.token"
TOKEN_BYTES: Final = 32
TOKEN_CHARS_MIN: Final = 43
"""So many characters of the URL-safe alphabet, six bits each, hold `TOKEN_BYTES`."""
TOKEN_DISTINCT_MIN: Final = 12
TRUSTED_FORM: Final = (
    "a file of ours with mode 0600 that holds one random token of 256 bits or more, and no link"
)

_TOKEN: Final = re.compile(rf"\A[A-Za-z0-9_-]{{{TOKEN_CHARS_MIN},256}}\Z", re.ASCII)


def ensure_token(path: Path) -> Secret:
    """Read the token; make it if the file does not exist.

    Raises
    ------
    ConfigProblems
        API_TOKEN_WEAK if the file cannot be trusted or the token is short or guessable.
    """
    make_private_dir(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return read_token(path)
    except OSError as error:
        raise ConfigProblems([_weak(path, error.strerror or "a path that cannot be written")]) from None
    with os.fdopen(handle, "w", encoding="ascii") as target:
        target.write(f"{secrets.token_urlsafe(TOKEN_BYTES)}\n")
        target.flush()
        os.fsync(target.fileno())
    return read_token(path)


def read_token(path: Path) -> Secret:
    """Read the token from its file.

    Raises
    ------
    ConfigProblems
        API_TOKEN_WEAK if the file cannot be trusted or the token is short or guessable.
    """
    raw, problem = open_private(path)
    if problem is not None:
        raise ConfigProblems([_weak(path, problem.got)])
    text = raw.decode("ascii", "replace").removesuffix("\n")
    if not _TOKEN.match(text):
        raise ConfigProblems([_weak(path, f"{len(text)} characters, or characters of another kind")])
    if len(set(text)) < TOKEN_DISTINCT_MIN:
        raise ConfigProblems([_weak(path, f"only {len(set(text))} different characters")])
    return Secret(text)


def _weak(path: Path, got: str) -> Problem:
    return Problem(
        code="API_TOKEN_WEAK",
        where=place(path),
        got=got,
        allowed=TRUSTED_FORM,
        next_step="delete the file and start the daemon: it makes a good one"
        if os.path.lexists(path)
        else "name the daemon's own file with --token-file, or its settings with --profile and --config; a daemon"
        " that starts makes one where there is none",
    )
