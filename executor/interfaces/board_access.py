"""Who may look at the board: a code that is good once, and the session that a browser gets for it.

The daemon's token never reaches a browser. Whoever has it (`executor board`, by reading the token file) asks for a
code; the page hands the code in and gets the token of a session, which ends with the daemon, or when nobody used it for
long. A session may be for looking only.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CODE_S_MAX: Final = 600.0
"""How long a code waits for its browser, seconds."""
IDLE_S_MAX: Final = 12 * 3_600.0
"""How long a session lives without a request, seconds."""
CODES_MAX: Final = 64
SESSIONS_MAX: Final = 64
_BYTES: Final = 32


class Scope(StrEnum):
    """What a caller may do."""

    READ = "read"
    OPERATE = "operate"


@dataclass(slots=True)
class _Held:
    scope: Scope
    until_s: float


class BoardAccess:
    """Codes and sessions; only their digests are kept.

    Parameters
    ----------
    now_s
        A clock that never goes back, seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._codes: dict[bytes, _Held] = {}
        self._sessions: dict[bytes, _Held] = {}

    def new_code(self, scope: Scope) -> str:
        """Make a code that is good once, for `CODE_S_MAX`; the oldest goes where there are too many."""
        code = secrets.token_urlsafe(_BYTES)
        _keep(self._codes, code, _Held(scope, self._now_s() + CODE_S_MAX), CODES_MAX)
        return code

    def redeem(self, code: str) -> tuple[str, Scope] | None:
        """Take a code and give the token of a new session; None if it is unknown, used or too old."""
        held = self._codes.pop(_digest(code), None)
        if held is None or held.until_s < self._now_s():
            return None
        token = secrets.token_urlsafe(_BYTES)
        _keep(self._sessions, token, _Held(held.scope, self._now_s() + IDLE_S_MAX), SESSIONS_MAX)
        return token, held.scope

    def scope_of(self, token: str) -> Scope | None:
        """What the holder of a token may do; None if it is of no session. Found by digest: the time tells nothing."""
        key = _digest(token)
        held = self._sessions.get(key)
        if held is None:
            return None
        if held.until_s < self._now_s():
            del self._sessions[key]
            return None
        held.until_s = self._now_s() + IDLE_S_MAX
        return held.scope

    def end(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(token), None)


def _keep(where: dict[bytes, _Held], secret: str, held: _Held, most: int) -> None:
    while len(where) >= most:
        del where[min(where, key=lambda key: where[key].until_s)]  # the one that was unused for the longest
    where[_digest(secret)] = held


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
