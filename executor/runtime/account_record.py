"""`account.json`: which account a data directory trades, written at the first start and never changed."""

import json
import os
import secrets
from pathlib import Path
from typing import Final

from executor.domain.errors import ConfigError

NAME: Final = "account.json"
_BYTES_MAX: Final = 4_096


def read_account(data_dir: Path) -> str | None:
    """The venue's number of the account traded from here; None if nothing was traded yet.

    Raises
    ------
    ConfigError
        If the file is there and says nothing: whose orders the journal holds is then not known.
    """
    path = data_dir / NAME
    try:
        with path.open("rb") as source:
            body = json.loads(source.read(_BYTES_MAX))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); restore it, or put it aside if you know the account"
        ) from error
    user_id = body.get("user_id") if isinstance(body, dict) else None
    if not isinstance(user_id, str) or not user_id:
        raise ConfigError(f"{path} names no account; restore it, or put it aside if you know the account")
    return user_id


def write_account(data_dir: Path, user_id: str) -> None:
    """Write down which account is traded from here, once and durably.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    draft = data_dir / f".{NAME}.{secrets.token_hex(4)}"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as output:
            json.dump({"user_id": user_id}, output)
            output.flush()
            os.fsync(output.fileno())
        draft.replace(data_dir / NAME)
    except OSError as error:
        raise ConfigError(f"{data_dir / NAME} cannot be written: {error.strerror}") from error
