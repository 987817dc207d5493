"""The line to a program that plays a market of agents: one message of JSON a line, either way, strictly in turn.

The program is a process of its own with the venue at its standard input and output. Nothing of it is known here but
what it says; one that says nonsense, says nothing, or ends, is told by an ``AgentsError``, and that is all it can do.
The messages are in docs/sandbox.md.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Final, Protocol

LINE_BYTES_MAX: Final = 1 << 20
PIECE_BYTES: Final = 1 << 16
START_S_MAX: Final = 60.0
QUIET_S_MAX: Final = 10.0
END_S_MAX: Final = 1.0
MESSAGES_MAX: Final = 100_000
"""Messages in one moment; whoever sends more would hold up the venue for seconds."""
SHOWN_CHARS_MAX: Final = 120

NUMBER_MAX: Final = 1 << 62
DONE: Final = "done"

Heard = tuple[str, tuple[int, ...]]
"""A word, and whole numbers: all that agents can say."""

Answer = Callable[[Heard], tuple[object, ...]]


class AgentsError(Exception):
    """The agents cannot take part, or no longer; the text says why, as in "the agents ...": it begins with a verb."""


class Agents(Protocol):
    """The agents as the venue sees them."""

    @property
    def pid(self) -> int:
        """Number of their process; 0 if they have none of their own."""

    def hello(self) -> Heard:
        """Return their first word."""

    def moment(self, go: tuple[object, ...], answer: Answer) -> Heard:
        """Let them live through a moment, and return their last word of it.

        Parameters
        ----------
        go
            The fields of ``go``.
        answer
            Does what they ask, and says what came of it.

        Raises
        ------
        AgentsError
            If they cannot.
        """

    def close(self) -> None:
        """Let them go."""


class AgentsLink:
    """Agents at the other end of a connection.

    Parameters
    ----------
    connection
        The venue's end of a pair of sockets.
    process
        The program at the other end, where it is one.
    quiet_s
        How long it may think.
    """

    def __init__(
        self,
        connection: socket.socket,
        process: subprocess.Popen[bytes] | None = None,
        *,
        quiet_s: float = QUIET_S_MAX,
    ) -> None:
        self._connection: Final = connection
        self._quiet_s: Final = quiet_s
        self._process: Final = process
        self._held = b""

    @property
    def pid(self) -> int:
        """Number of the program's process; 0 if there is none."""
        return 0 if self._process is None else self._process.pid

    def hello(self) -> Heard:
        """Wait for their first word, longer than for any other: a program has to start.

        Raises
        ------
        AgentsError
            If there is none.
        """
        return self.receive(START_S_MAX)

    def moment(self, go: tuple[object, ...], answer: Answer) -> Heard:
        """Let them live through a moment, and return their last word of it."""
        self.send("go", *go)
        for _ in range(MESSAGES_MAX):
            heard = self.receive()
            if heard[0] == DONE:
                return heard
            self.send(*answer(heard))
        raise AgentsError(f"asked for {MESSAGES_MAX} things in one moment")

    def send(self, *message: object) -> None:
        """Send one message.

        Raises
        ------
        AgentsError
            If nobody takes it.
        """
        try:
            self._connection.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except TimeoutError:
            raise AgentsError("do not listen") from None
        except OSError:
            raise AgentsError(self._how_they_ended()) from None

    def receive(self, seconds: float | None = None) -> Heard:
        """Wait for the next message, as long as it may take.

        Parameters
        ----------
        seconds
            How long that is, if not as usual.

        Raises
        ------
        AgentsError
            If none comes, or it is no list of a word and whole numbers.
        """
        line = self._line(self._quiet_s if seconds is None else seconds)
        try:
            message = json.loads(line)
        except ValueError:
            raise AgentsError(nonsense(line.decode(errors="replace"))) from None
        match message:
            # True and false are numbers to Python, and none here.
            case [str(word), *numbers] if all(type(one) is int and abs(one) <= NUMBER_MAX for one in numbers):
                return word, tuple(numbers)
            case _:
                raise AgentsError(nonsense(message))

    def close(self) -> None:
        """Hang up; a program that does not end by itself is ended."""
        self._connection.close()
        if self._process is None:
            return
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _line(self, seconds: float) -> bytes:
        self._connection.settimeout(seconds)
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > LINE_BYTES_MAX:
                raise AgentsError(f"sent more than {LINE_BYTES_MAX} bytes without an end of line")
            try:
                piece = self._connection.recv(PIECE_BYTES)
            except TimeoutError:
                raise AgentsError(f"said nothing for {seconds:g} s") from None
            except OSError:
                piece = b""
            if not piece:
                raise AgentsError(self._how_they_ended())
            self._held += piece
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line

    def _how_they_ended(self) -> str:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return f"ended with exit code {self._process.wait(END_S_MAX)}"
        return "hung up"


def nonsense(said: object) -> str:
    """Say that something is no message, and show its beginning."""
    text = ascii(said)
    return f"sent what is no message here: {text[:SHOWN_CHARS_MAX]}{'...' if len(text) > SHOWN_CHARS_MAX else ''}"


def call(command: Sequence[str]) -> AgentsLink:
    """Start a program that plays agents; what it writes to standard error goes to ours.

    Raises
    ------
    AgentsError
        If there is no such program.
    """
    ours, theirs = socket.socketpair()
    try:
        # A group of its own: Ctrl-C is for the venue, which then ends its agents in order.
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), process_group=0)  # noqa: S603 - the operator's own
    except OSError as error:
        ours.close()
        raise AgentsError(f"cannot be started: {command[0]}: {error.strerror or error}") from None
    finally:
        theirs.close()
    return AgentsLink(ours, process)
