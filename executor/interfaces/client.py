"""The command line's side of the HTTP interface: finds the daemon, asks, and says plainly when it cannot."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config.hosts import LOOPBACK
from config.problems import ConfigProblems, Problem, place, quoted
from config.secrets import Secret, no_directory
from executor.interfaces.command_words import command_of, in_command_words
from executor.interfaces.control_file import NAME, read_control_file
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.pulse import standstill
from executor.interfaces.strict_json import JsonProblem, read_json_object
from executor.interfaces.token import FILE_NAME, read_token
from executor.watch.halt_file import halt_path
from executor.watch.heartbeat import process_lives

ANSWER_S_MAX: Final = 15.0
HUNG_ANSWER_S_MAX: Final = 3.0
"""How long a daemon whose heart does not beat is waited for, seconds."""
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
STATUS_OK: Final = (200, 201)
STOPPING: Final = ("/halt", "/pause", "/cancel")
"""What is sent even to a daemon that hangs: late is better than never. Everything else would come as a surprise."""
KILL: Final = (
    "`executor kill` (same --profile and --config) needs no daemon: it stops and cancels every open order"
)

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the daemon listens and the token it asks for.

    Parameters
    ----------
    found_in
        How we know.
    data_dir, pid
        Where its heartbeat lies, and its process; None and 0 when it was named by its address.
    """

    url: str
    token: Secret
    found_in: str
    version: str = ""
    data_dir: Path | None = None
    pid: int = 0

    def standstill(self) -> str:
        """Say why its order loop stands still; empty if it does not, or if that cannot be seen from here."""
        return "" if self.data_dir is None else standstill(self.data_dir, self.pid)


def named(url: str, token_file: Path) -> Endpoint:
    """Take a daemon by its address and its token; no setting is needed.

    Raises
    ------
    CommandFailed
        USAGE if the address is not on this machine.
    ConfigProblems
        If the token file cannot be trusted.
    """
    _check_address(url)
    return Endpoint(url=url, token=read_token(token_file), found_in="--url")


def locate(data_dir: Path, url: str | None, token_file: Path | None) -> Endpoint:
    """Find the daemon of a data directory, or the one that was named.

    Raises
    ------
    CommandFailed
        UNREACHABLE if no daemon has left its address there; USAGE if the address is not on this machine.
    ConfigProblems
        If the token file cannot be trusted, or the data directory is a file.
    """
    try:
        is_usable = data_dir.is_dir() or not data_dir.exists()
    except PermissionError as error:
        raise ConfigProblems([no_directory(data_dir, error)]) from None
    if not is_usable:
        raise ConfigProblems([no_directory(data_dir, NotADirectoryError())])
    left = read_control_file(data_dir)
    path = (data_dir / NAME).absolute()
    if url is None and left is None:
        raise failed(
            ExitCode.UNREACHABLE,
            "DAEMON_NOT_RUNNING",
            place(path),
            "no control file",
            "a running daemon with this data directory",
            _where_to_look(data_dir),
        )
    address = url if url is not None else (left.url if left is not None else "")
    _check_address(address)
    token_path = token_file
    if token_path is None:
        token_path = Path(left.token_file) if left is not None else data_dir / FILE_NAME
    return Endpoint(
        url=address,
        token=read_token(token_path),
        found_in=str(path) if url is None else "--url",
        version=left.version if left is not None and url is None else "",
        data_dir=data_dir if left is not None and url is None else None,
        pid=left.pid if left is not None and url is None else 0,
    )


def _where_to_look(data_dir: Path) -> str:
    """Say how to reach a daemon; a relative data directory is another one in every place."""
    step = f"start it with `executor run`, or name it with --profile, --config or --url; {KILL}"
    if halt_path(data_dir).exists():
        step = f"{step}; the stop is pulled: it starts halted, and `executor rearm` then clears it"
    return step if data_dir.is_absolute() else f"{step}; {data_dir} is looked for below this directory"


class Client:
    """Asks one daemon; one connection for each request."""

    def __init__(self, endpoint: Endpoint, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._endpoint = endpoint
        self._answer_s_max = answer_s_max

    @property
    def url(self) -> str:
        """Where the daemon listens."""
        return self._endpoint.url

    def get(self, path: str) -> Json:
        """Read something.

        Raises
        ------
        CommandFailed
            If the daemon cannot be reached or refuses.
        """
        return self._exchange("GET", path, None, {})

    def post(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        """Ask for a change.

        Raises
        ------
        CommandFailed
            If the daemon cannot be reached or refuses. With code CONNECTION_LOST or NO_ANSWER it is not known whether
            the request was accepted.
        """
        return self._exchange("POST", path, json.dumps(body).encode(), dict(headers or {}))

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Json:
        parts = urlsplit(self._endpoint.url)
        hung = self._endpoint.standstill()
        if body is not None and not path.endswith(STOPPING):
            self.refuse_if_hung(path, hung)
        limit_s = min(self._answer_s_max, HUNG_ANSWER_S_MAX) if hung else self._answer_s_max
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=limit_s)
        sent = {"Authorization": f"Bearer {self._endpoint.token.reveal()}", **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.connect()
        except OSError as error:
            raise self._not_running(error) from None
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            raw = response.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(path, error, limit_s, changes=body is not None) from None
        finally:
            connection.close()
        return self._understood(response.status, raw, path)

    def refuse_if_hung(self, path: str, why: str | None = None) -> None:
        """Leave no command with a daemon that would carry it out at some later time.

        Parameters
        ----------
        why
            Why it stands still, if that was looked up already.

        Raises
        ------
        CommandFailed
            DAEMON_HUNG: nothing was sent.
        """
        why = self._endpoint.standstill() if why is None else why
        if not why:
            return
        raise failed(
            ExitCode.UNREACHABLE,
            "DAEMON_HUNG",
            f"{command_of(path)} at {self._endpoint.url}",
            f"a daemon (pid {self._endpoint.pid}) that does not work: {why}; nothing was sent",
            "a daemon that answers",
            f"{KILL}; then end the process (`kill -9 {self._endpoint.pid}`) and start it anew",
        )

    def _unanswered(self, path: str, error: Exception, limit_s: float, *, changes: bool) -> CommandFailed:
        """Say what is known of a command that was sent and not answered."""
        silent = isinstance(error, TimeoutError)
        got = f"no answer within {limit_s:g} s" if silent else quoted(str(error) or type(error).__name__)
        why = self._endpoint.standstill()
        if why:
            got = f"{got}; the daemon (pid {self._endpoint.pid}) is there, but {why}"
        fate = "the command was sent and MAY take effect, also later" if changes else "it changes nothing"
        steps = [
            "read the state with `executor status`; repeat an order only with the same --idempotency-key"
        ]
        steps = [KILL, *steps] if why or path.endswith(STOPPING) else [*steps, KILL]
        return failed(
            ExitCode.UNREACHABLE,
            "NO_ANSWER" if silent else "CONNECTION_LOST",
            f"{command_of(path)} at {self._endpoint.url}",
            f"{got}; {fate}",
            f"an answer within {limit_s:g} s",
            "; ".join(steps) if changes else KILL,
        )

    def _not_running(self, error: OSError) -> CommandFailed:
        return failed(
            ExitCode.UNREACHABLE,
            "DAEMON_NOT_RUNNING",
            f"{self._endpoint.url} (from {self._endpoint.found_in})",
            f"{quoted(error.strerror or str(error) or type(error).__name__)}{self._died()}; nothing was sent",
            "a daemon that listens there",
            f"start it with `executor run`; {KILL}",
        )

    def _died(self) -> str:
        pid = self._endpoint.pid
        if not pid or process_lives(pid):
            return ""
        return f"; its process {pid} has ended without a last word, orders may be open"

    def _understood(self, status: int, raw: bytes, path: str) -> Json:
        try:
            answer = read_json_object(raw)
        except JsonProblem as problem:
            raise failed(
                ExitCode.UNREACHABLE,
                "ANSWER",
                f"{command_of(path)} at {self._endpoint.url}",
                f"status {status} and {problem.reason}",
                "an answer of the executor in JSON",
                "check that this address is the daemon's",
            ) from None
        if status in STATUS_OK:
            return answer
        raise CommandFailed(_exit_code(status, answer), _problems(answer, path))


def _check_address(address: str) -> None:
    """Refuse to send the token anywhere but to this machine."""
    try:
        parts = urlsplit(address)
        is_ours = parts.scheme == "http" and parts.hostname in LOOPBACK and parts.port is not None
    except ValueError:
        is_ours = False
    if not is_ours or "@" in address:
        raise failed(
            ExitCode.USAGE,
            "CONTROL_URL",
            "--url or EXECUTOR_CONTROL_URL",
            quoted(address.rpartition("@")[2]),
            "http:// with a loopback host and a port, such as http://127.0.0.1:8720",
            "name the daemon on this machine; reach another through a tunnel",
        )


def _exit_code(status: int, answer: Json) -> ExitCode:
    if status == http.HTTPStatus.UNAUTHORIZED:
        return ExitCode.UNREACHABLE
    codes = {problem.code for problem in _problems(answer, "")}
    if status == http.HTTPStatus.LOCKED and "HALTED" in codes:
        return ExitCode.HALTED
    return ExitCode.REFUSED


def _problems(answer: Json, path: str) -> list[Problem]:
    """Read the daemon's problems back, in the words of the command line."""
    return [in_command_words(problem) for problem in _answered_problems(answer, path)]


def _answered_problems(answer: Json, path: str) -> list[Problem]:
    error = answer.get("error")
    records = error if isinstance(error, list) else [error]
    return [
        Problem(
            code=str(record.get("code", "REFUSED")),
            where=str(record.get("where", path)),
            got=str(record.get("got", "")),
            allowed=str(record.get("allowed", "")),
            next_step=str(record.get("next", "")),
        )
        for record in records
        if isinstance(record, dict)
    ] or [
        Problem(code="REFUSED", where=path, got="no reason", allowed="-", next_step="read the daemon's log")
    ]
