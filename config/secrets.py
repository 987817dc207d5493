"""API keys: read from the environment or from a file that only we can read, and never shown.

No message of this room contains a value, a part of one, or its hash; it says what is wrong with the form.
"""

import hmac
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from config.hosts import Mode
from config.problems import MASK, ConfigProblems, Problem, place

ENV_NAMES: Final[dict[Mode, tuple[str, str]]] = {
    Mode.SANDBOX: ("BYBIT_SANDBOX_API_KEY", "BYBIT_SANDBOX_API_SECRET"),
    Mode.TESTNET: ("BYBIT_TESTNET_API_KEY", "BYBIT_TESTNET_API_SECRET"),
    Mode.DEMO: ("BYBIT_DEMO_API_KEY", "BYBIT_DEMO_API_SECRET"),
    Mode.LIVE: ("BYBIT_API_KEY", "BYBIT_API_SECRET"),
}
"""Where the keys of a mode may be given; paper trading has none."""
ADVISER_ENV: Final = "EXECUTOR_ADVISER_API_KEY"
"""Where the key of the model's server may be given; it has nothing to do with the exchange's."""
SANDBOX_KEY: Final = "sandbox-key"
SANDBOX_SECRET: Final = "sandbox-secret-0123456789abcdef"  # noqa: S105 - opens nothing but the local sandbox
KEY_LEN: Final = (8, 40)
SECRET_LEN: Final = (24, 128)
FILE_BYTES_MAX: Final = 4_096
KEY_FILE_FORM: Final = (
    "two lines (key, then secret), a line with the key and a private key in PEM form below it,"
    ' or TOML with api_key = "…" and api_secret = "…"'
)

_PLAIN: Final = re.compile(r"\A[A-Za-z0-9_-]+\Z", re.ASCII)
_PEM_MARK: Final = "-----BEGIN"
_PEM: Final = re.compile(
    r"\A-----BEGIN (RSA )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+\n-----END (RSA )?PRIVATE KEY-----\n?\Z",
    re.ASCII,
)
_PEM_LINE_LEN_MIN: Final = 16


class Secret:
    """A value that prints as asterisks; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value, to sign with it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One pair of API key and secret, and where it came from."""

    api_key: Secret
    api_secret: Secret
    origin: str


def read_credentials(
    mode: Mode, key_file: Path | None, environ: Mapping[str, str]
) -> tuple[Credentials | None, list[Problem]]:
    """Read the key pair of a mode; None without problems means that none was given.

    Only the names of this mode are looked at: a live key never reaches a testnet process.
    """
    if mode not in ENV_NAMES:
        unwanted = _problem(
            "SECRET_UNWANTED",
            "venue.api_key_file",
            f"a key in mode {mode}",
            f"none: mode {mode} signs nothing",
            "remove api_key_file",
        )
        return None, [] if key_file is None else [unwanted]
    key_name, secret_name = ENV_NAMES[mode]
    given = [name for name in (key_name, secret_name) if name in environ]
    if given and key_file is not None:
        return None, [
            _problem(
                "SECRET_TWICE",
                f"environment {given[0]} and venue.api_key_file",
                "a key from two places",
                "one place",
                "unset the variables or remove api_key_file",
            )
        ]
    if key_file is not None:
        return _from_file(key_file)
    if len(given) == 1:
        missing = secret_name if given[0] == key_name else key_name
        return None, [
            _problem(
                "SECRET_MISSING", f"environment {missing}", "nothing", "both names", f"set {missing} too"
            )
        ]
    if given:
        places = (f"environment {key_name}", f"environment {secret_name}")
        return _checked(environ[key_name], environ[secret_name], places, "environment")
    if mode is Mode.SANDBOX:
        origin = "default"
        return Credentials(api_key=Secret(SANDBOX_KEY), api_secret=Secret(SANDBOX_SECRET), origin=origin), []
    return None, []


def keys_of_other_modes(mode: Mode, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Name the variables that hold keys of other modes than this one; their values are not looked at."""
    return tuple(
        name for other, names in ENV_NAMES.items() if other is not mode for name in names if name in environ
    )


def missing_credentials(mode: Mode, other_keys: Iterable[str] = ()) -> Problem:
    """Say that a mode that signs requests has no key, and how to give one.

    Parameters
    ----------
    other_keys
        Names that hold keys of other modes: the usual reason why somebody believes to have given one.
    """
    if mode not in ENV_NAMES:
        return _problem(
            "NO_ACCOUNT",
            "executor.mode",
            f"{mode}, which has no account at any venue and no orders there",
            "a mode with an account",
            "`executor halt` stops what a running daemon simulates",
        )
    key_name, secret_name = ENV_NAMES[mode]
    others = ", ".join(other_keys)
    note = (
        f"; {others} are of another mode and are not read in mode {mode}, whose accounts and keys are its own"
    )
    return _problem(
        "SECRET_MISSING",
        f"environment {key_name}, {secret_name}",
        f"nothing{note if others else ''}",
        "both names, or venue.api_key_file",
        f"create a key pair for {mode} at the venue and export both, or write a key file with mode 0600",
    )


def known_secrets(environ: Mapping[str, str]) -> list[str]:
    """Values that must never be printed, longest first."""
    names = {ADVISER_ENV, *(name for pair in ENV_NAMES.values() for name in pair)}
    whole = [environ[name].strip() for name in names if name in environ]
    # A private key is printed line by line, if it is printed at all.
    lines = [line for text in whole for line in text.splitlines() if len(line) >= _PEM_LINE_LEN_MIN]
    return sorted({*whole, *lines}, key=len, reverse=True)


def open_private(path: Path) -> tuple[bytes, Problem | None]:
    """Read a small file that must be ours alone: regular, not a link, our owner, mode 0600 or less."""
    where = place(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        reason = "a symbolic link" if path.is_symlink() else (error.strerror or "an unreadable file")
        return b"", _problem("SECRET_READ", where, reason, "a regular file of ours", "check the path")
    except ValueError:
        return b"", _problem(
            "SECRET_READ", where, "a path with NUL", "a regular file of ours", "check the path"
        )
    problem = _trust_problem(os.fstat(handle), path)
    if problem is not None:
        os.close(handle)
        return b"", problem
    with os.fdopen(handle, "rb") as source:
        return source.read(FILE_BYTES_MAX + 1), None


_NO_DIRECTORY: Final = (FileExistsError, NotADirectoryError)


def make_private_dir(path: Path) -> None:
    """Make a directory of ours if it is not there, with mode 0700.

    Raises
    ------
    ConfigProblems
        DATA_DIR if it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigProblems([no_directory(path, error)]) from None


def no_directory(path: Path, error: OSError) -> Problem:
    """Say that a path cannot be used as the directory of our records."""
    return _problem(
        "DATA_DIR",
        place(path.absolute()),
        "a file" if isinstance(error, _NO_DIRECTORY) else (error.strerror or "a path that cannot be used"),
        "a directory of ours, or a path where one can be made",
        "correct executor.data_dir, or its permissions",
    )


def _trust_problem(status: os.stat_result, path: Path) -> Problem | None:
    """Say why an open file is not ours alone; None if it is."""
    where = place(path)
    if not stat.S_ISREG(status.st_mode):
        return _problem(
            "SECRET_READ", where, "not a regular file", "a regular file of ours", "check the path"
        )
    if status.st_uid != os.getuid():
        got = f"a file of user {status.st_uid}"
        return _problem("SECRET_OWNER", where, got, f"a file of user {os.getuid()}", f"chown {path}")
    if status.st_mode & 0o077:
        got = f"mode {stat.S_IMODE(status.st_mode):04o}"
        return _problem(
            "SECRET_MODE", where, got, "mode 0600", f"chmod 600 {path}, and change the secret in it"
        )
    return None


def _from_file(path: Path) -> tuple[Credentials | None, list[Problem]]:
    raw, problem = open_private(path)
    if problem is not None:
        return None, [problem]
    where = place(path)
    if not raw.strip():
        return None, [
            _problem("SECRET_EMPTY", where, "an empty file", KEY_FILE_FORM, "write the key pair into it")
        ]
    refused = _problem("SECRET_READ", where, "text of another form", KEY_FILE_FORM, "write the file again")
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        return None, [refused]
    first, _, rest = text.partition("\n")
    pair: tuple[str, str] | None
    if rest.startswith(_PEM_MARK):
        pair = (first, rest)
    elif "=" in text:
        pair = _toml_pair(text)
    else:
        lines = text.removesuffix("\n").split("\n")
        pair = (lines[0], lines[1]) if len(lines) == 2 else None
    if pair is None or len(raw) > FILE_BYTES_MAX:
        return None, [refused]
    return _checked(*pair, (f"{where} api_key", f"{where} api_secret"), f"file {path}")


def _toml_pair(text: str) -> tuple[str, str] | None:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    key, secret = table.get("api_key"), table.get("api_secret")
    if len(table) != 2 or not isinstance(key, str) or not isinstance(secret, str):
        return None
    return key, secret


def _checked(
    key: str, secret: str, places: tuple[str, str], origin: str
) -> tuple[Credentials | None, list[Problem]]:
    if secret.startswith(_PEM_MARK):
        found = (
            _form_problem(key, places[0]),
            _length_problem(key, places[0], KEY_LEN),
            _pem_problem(secret, places[1]),
        )
        problems = [problem for problem in found if problem is not None][:1]
        if problems:
            return None, problems
        return Credentials(api_key=Secret(key), api_secret=Secret(secret), origin=origin), []
    problems = [
        problem
        for value, where in ((key, places[0]), (secret, places[1]))
        if (problem := _form_problem(value, where)) is not None
    ]
    if not problems and len(key) > len(secret):
        problems.append(
            _problem(
                "SECRET_SWAPPED", places[0], "a key longer than its secret", "key, then secret", "swap them"
            )
        )
    if not problems:
        problems = [
            problem
            for value, where, bounds in ((key, places[0], KEY_LEN), (secret, places[1], SECRET_LEN))
            if (problem := _length_problem(value, where, bounds)) is not None
        ]
    if problems:
        return None, problems
    return Credentials(api_key=Secret(key), api_secret=Secret(secret), origin=origin), []


def _length_problem(value: str, where: str, bounds: tuple[int, int]) -> Problem | None:
    if bounds[0] <= len(value) <= bounds[1]:
        return None
    return _problem(
        "SECRET_LENGTH",
        where,
        f"{len(value)} characters",
        f"{bounds[0]} to {bounds[1]} characters",
        "copy the whole value again",
    )


def _pem_problem(value: str, where: str) -> Problem | None:
    """Find what is wrong with the form of a private key; whether it is a key, the signer finds out."""
    if "ENCRYPTED" in value:
        got, next_step = (
            "a private key behind a password",
            "write it without one: openssl rsa -in KEY -out KEY",
        )
    elif not _PEM.match(value):
        got, next_step = "text of another form", "copy the whole PEM block, from BEGIN to END"
    else:
        return None
    return _problem("SECRET_FORM", where, got, "a private key in PEM form, without a password", next_step)


def _form_problem(value: str, where: str) -> Problem | None:
    """Find what is wrong with the characters of a value, from the most telling cause to the least."""
    if not value.strip():
        return _problem(
            "SECRET_EMPTY", where, "an empty value", "the whole value", "set it, or unset the name"
        )
    if value != value.strip():
        return _problem(
            "SECRET_BLANK", where, "a blank or line end around the value", "the value alone", "remove it"
        )
    if value[0] in "\"'`" or value[-1] in "\"'`":
        return _problem(
            "SECRET_QUOTED", where, "quotes around the value", "the value alone", "remove the quotes"
        )
    if not _PLAIN.match(value):
        return _problem("SECRET_FORM", where, "other characters", "letters, digits, - and _", "copy it again")
    return None


def _problem(code: str, where: str, got: str, allowed: str, next_step: str) -> Problem:
    return Problem(code=code, where=where, got=got, allowed=allowed, next_step=next_step)


def require_credentials(
    mode: Mode, credentials: Credentials | None, other_keys: Iterable[str] = ()
) -> Credentials:
    """Give the credentials, or refuse to go on without them.

    Raises
    ------
    ConfigProblems
        SECRET_MISSING if there are none.
    """
    if credentials is None:
        raise ConfigProblems([missing_credentials(mode, other_keys)])
    return credentials
