"""One call to a model in words: the question, and what came back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from executor.advice.prompt import Message
from executor.domain.advice import Failure, Usage

Schema = Mapping[str, object]
"""A JSON schema."""
DETAIL_LEN_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked.

    Parameters
    ----------
    asked_ns
        When it was asked, UTC.
    template_hash
        Which wording the messages were made from.
    messages
        In the order in which they are sent; the fixed part first.
    schema
        Form of the reply; empty asks for none.
    tokens_max
        Most tokens the answer itself may have.
    deadline_s
        How long the whole call may take.
    tool
        Function that the reply must call, `schema` being its parameters; empty asks for text.
    """

    decision_id: str
    parent_id: str
    asked_ns: int
    template_hash: str
    messages: tuple[Message, ...]
    schema: Schema
    tokens_max: int
    deadline_s: float
    tool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server sent back in the form of a reply; whether it is of any use is judged elsewhere.

    Parameters
    ----------
    content
        Text of the reply, as it came.
    model_id
        The model that says it has answered.
    finish_reason, refusal
        As the server put them; empty where it said nothing.
    usage
        None if the server did not tell, or told nonsense.
    """

    content: bytes
    model_id: str
    finish_reason: str
    refusal: str
    usage: Usage | None
    latency_ns: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why there is no reply.

    Parameters
    ----------
    detail
        Short and printable; holds no key and no header.
    """

    failure: Failure
    detail: str
    latency_ns: int


Outcome = Answer | Failed


def printable_detail(text: str) -> str:
    """Text from outside as part of one line: without control characters, and not long."""
    plain = "".join(char if char.isprintable() else " " for char in text[: 4 * DETAIL_LEN_MAX])
    return " ".join(plain.split())[:DETAIL_LEN_MAX]
