"""Writing events, commands and the state down as bytes, and reading them back. The same value, the same bytes."""

from functools import cache
from typing import Final, get_args

import msgspec

from executor.domain.advice import AdviceRecord
from executor.domain.commands import Command
from executor.domain.events import Event
from executor.engine.state import EngineState

_encoder = msgspec.json.Encoder()
_NOTHING_TIGHTENED: Final = b',"tightened":{}}'
"""The end of a state in which nobody tightened a limit; left out, it is the state as it was written before."""
_EVENT_TYPES = {kind.__name__: kind for kind in get_args(Event)}


def encode_event(event: Event) -> bytes:
    """Write the fields of an event; its kind is its class name, kept beside it."""
    return _encoder.encode(event)


def decode_event(kind: str, body: bytes) -> Event:
    """Read an event back.

    Raises
    ------
    KeyError, msgspec.ValidationError
        If the kind is not known or the body is not of its form.
    """
    event: Event = _decoder(kind).decode(body)
    return event


def encode_commands(commands: tuple[Command, ...]) -> bytes:
    """Write commands in order, each with its kind."""
    return _encoder.encode([(type(command).__name__, command) for command in commands])


def encode_state(state: EngineState) -> bytes:
    """Write the whole state."""
    body = _encoder.encode(state)
    return body[: -len(_NOTHING_TIGHTENED)] + b"}" if body.endswith(_NOTHING_TIGHTENED) else body


def encode_decision(decision: AdviceRecord) -> bytes:
    """Write what became of a question."""
    return _encoder.encode(decision)


def decode_decision(body: bytes) -> AdviceRecord:
    """Read it back."""
    return msgspec.json.decode(body, type=AdviceRecord)


def decode_state(body: bytes) -> EngineState:
    """Read a whole state back."""
    return msgspec.json.decode(body, type=EngineState)


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(_EVENT_TYPES[kind])
