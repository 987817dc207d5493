"""From facts to the messages that are sent: a fixed text first, then one JSON object, and nothing else.

The fixed text never changes between questions, so that a provider's cache holds it. What others wrote has one place, at
the end of the object, as the value of a string: it cannot end that string, cannot touch a fact, and not even a reader
who counts brackets without knowing JSON can take it for structure.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from executor.advice.clean import name_of
from executor.advice.context import MarketContext, NewsItem, context_document, news_document
from executor.advice.facts import Document, facts_document, snapshot_hash
from executor.domain.advice_facts import AdviceFacts

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>[]{}`"}
"""Inside strings these are written as JSON escapes: the value is the same, but no text can spell the marks with which
some servers separate the messages of a conversation (`<|...|>`, `[INST]`), nor a code fence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The fixed text of every question.

    Parameters
    ----------
    name
        For people and for the record; the hash says which text it was.
    """

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the text in UTF-8, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user"]
    content: str


def render(
    template: Template,
    facts: AdviceFacts,
    context: MarketContext,
    news: Sequence[NewsItem] | None,
    within_ms: int,
) -> tuple[Message, ...]:
    """Write a question.

    Parameters
    ----------
    news
        None when no source of texts is configured.
    within_ms
        Time left for the answer, milliseconds, > 0.

    Returns
    -------
    tuple of Message
        The system message, which is the template as it is, and the user message, which is one JSON object. The bytes of
        its part from "parent" to "recent_decisions" are those that the snapshot hash is made of.

    Raises
    ------
    ValueError
        If a fact is a figure without a meaning, or there is no time to answer.
    """
    if within_ms <= 0:
        raise ValueError(f"no time to answer: {within_ms} ms")
    question: Document = {
        "decision_id": name_of(facts.decision_id),
        "snapshot_hash": snapshot_hash(facts),
        "answer_within_ms": within_ms,
        **facts_document(facts),
        "context": context_document(context),
        "outside_text": news_document(news, context.at_ns),
    }
    return (Message(role="system", content=template.text), Message(role="user", content=_write(question)))


def prompt_sha256(messages: Sequence[Message]) -> str:
    """Name a prompt: SHA-256 over roles and contents, hexadecimal."""
    written = json.dumps([[message.role, message.content] for message in messages], separators=(",", ":"))
    return hashlib.sha256(written.encode("ascii")).hexdigest()


def _write(document: Document) -> str:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _STRING.sub(lambda match: match.group().translate(_ESCAPES), text)
