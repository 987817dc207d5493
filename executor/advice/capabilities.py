"""What is known of models by their names, and the request that follows from it.

A name says what a model can do, never which server runs it; where a server differs, the configuration has the last
word, and the preflight says when it should have it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from executor.advice.calls import Schema
from executor.advice.prompt import Message

SEED: Final = 42
SCHEMA_NAME: Final = "advice"
_THINK_BEGIN: Final = b"<think>"
_THINK_END: Final = b"</think>"
_DATED: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3})\Z", re.ASCII)
_LATEST: Final = "-latest"


class Capability(StrEnum):
    """What a model may be able to do; the words of `adviser.capabilities_on` and `_off`."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEMPERATURE = "temperature"
    SEED = "seed"
    REASONING = "reasoning"
    SENDS_THINK = "sends_think"
    TOOLS = "tools"


class TokensKey(StrEnum):
    """What the key of the token cap is called."""

    MAX_TOKENS = "max_tokens"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"


class SystemRole(StrEnum):
    """What the role of the fixed text is called."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """How one model wants to be asked.

    Parameters
    ----------
    able
        What it can do, or does: `reasoning` spends tokens on thoughts that are not part of the answer, `sends_think`
        puts them in front of the answer.
    """

    able: frozenset[Capability]
    tokens_key: TokensKey = TokensKey.MAX_TOKENS
    system_role: SystemRole = SystemRole.SYSTEM

    def overridden(
        self,
        on: Iterable[Capability] = (),
        off: Iterable[Capability] = (),
        tokens_key: TokensKey | None = None,
        system_role: SystemRole | None = None,
    ) -> "Capabilities":
        """What the operator knows better."""
        return replace(
            self,
            able=(self.able | frozenset(on)) - frozenset(off),
            tokens_key=tokens_key or self.tokens_key,
            system_role=system_role or self.system_role,
        )


def _able(*words: Capability) -> Capabilities:
    return Capabilities(able=frozenset(words))


_SCHEMA, _OBJECT = Capability.JSON_SCHEMA, Capability.JSON_OBJECT
_TEMPERATURE, _SEED = Capability.TEMPERATURE, Capability.SEED
_REASONING, _THINK = Capability.REASONING, Capability.SENDS_THINK
_TOOLS: Final = Capability.TOOLS

_DEFAULT: Final = _able(_TEMPERATURE)
"""Nothing that a server might refuse because it does not know it."""
_OPENAI: Final = _able(_SCHEMA, _OBJECT, _TEMPERATURE, _SEED, _TOOLS)
_OPENAI_OLD: Final = _able(_OBJECT, _TEMPERATURE, _SEED, _TOOLS)
_OPENAI_REASONING: Final = Capabilities(
    able=frozenset({_SCHEMA, _OBJECT, _REASONING, _TOOLS}),
    tokens_key=TokensKey.MAX_COMPLETION_TOKENS,
    system_role=SystemRole.DEVELOPER,
)
_OPEN: Final = _able(_SCHEMA, _TEMPERATURE, _SEED)
"""Open weights, served by ollama, vLLM, LM Studio or llama.cpp, which all take a schema."""
_OPEN_THINKING: Final = _able(_SCHEMA, _TEMPERATURE, _SEED, _REASONING, _THINK)

_TABLE: Final[Sequence[tuple[str, Capabilities]]] = (
    (
        "o1-mini",
        replace(_able(_REASONING), tokens_key=TokensKey.MAX_COMPLETION_TOKENS, system_role=SystemRole.USER),
    ),
    (
        "o1-preview",
        replace(_able(_REASONING), tokens_key=TokensKey.MAX_COMPLETION_TOKENS, system_role=SystemRole.USER),
    ),
    ("o1", _OPENAI_REASONING),
    ("o3", _OPENAI_REASONING),
    ("o4", _OPENAI_REASONING),
    ("gpt-5-chat", _OPENAI),
    ("gpt-5", _OPENAI_REASONING),
    ("gpt-oss", _able(_SCHEMA, _TEMPERATURE, _SEED, _REASONING)),
    ("gpt-4.1", _OPENAI),
    ("gpt-4o-2024-05-13", _OPENAI_OLD),
    ("gpt-4o", _OPENAI),
    ("gpt-4-turbo", _OPENAI_OLD),
    ("gpt-4", _able(_TEMPERATURE, _SEED)),
    ("gpt-3.5", _OPENAI_OLD),
    ("claude", _DEFAULT),
    ("gemini-2.5", _able(_SCHEMA, _OBJECT, _TEMPERATURE, _REASONING)),
    ("gemini-3", _able(_SCHEMA, _OBJECT, _TEMPERATURE, _REASONING)),
    ("gemini", _able(_SCHEMA, _OBJECT, _TEMPERATURE)),
    ("deepseek-reasoner", _able(_OBJECT, _REASONING)),
    ("deepseek-r1", _OPEN_THINKING),
    ("deepseek", _able(_OBJECT, _TEMPERATURE)),
    ("magistral", _able(_SCHEMA, _OBJECT, _TEMPERATURE, _REASONING, _THINK)),
    ("mistral", _able(_SCHEMA, _OBJECT, _TEMPERATURE)),
    ("ministral", _able(_SCHEMA, _OBJECT, _TEMPERATURE)),
    ("qwq", _OPEN_THINKING),
    ("qwen3", _OPEN_THINKING),
    ("qwen", _OPEN),
    ("llama", _OPEN),
    ("meta-llama", _OPEN),
    ("gemma", _OPEN),
    ("phi", _OPEN),
)
"""Beginnings of names, the first that fits; the name of a maker in front (`openai/gpt-4o`) is left out."""


def capabilities_of(model: str) -> Capabilities:
    """What is known of a model; of one that is not known, what every server takes."""
    name = model.rpartition("/")[2].lower()
    return next((known for beginning, known in _TABLE if name.startswith(beginning)), _DEFAULT)


def tokens_cap(known: Capabilities, tokens_max: int, reasoning_tokens_max: int) -> int:
    """Most tokens a call can be charged for: those of the answer, and of the thoughts before it."""
    return tokens_max + (reasoning_tokens_max if Capability.REASONING in known.able else 0)


def request_body(
    model: str, known: Capabilities, messages: Iterable[Message], schema: Schema, tokens: int, tool: str = ""
) -> dict[str, object]:
    """What is sent: the model's own words for everything, and as little chance in the answer as it allows."""
    body: dict[str, object] = {
        "model": model,
        "messages": [_in_role(message, known.system_role) for message in messages],
        known.tokens_key.value: tokens,
    }
    if Capability.TEMPERATURE in known.able:
        body["temperature"] = 0
    if Capability.SEED in known.able:
        body["seed"] = SEED
    if tool and Capability.TOOLS in known.able:
        function: dict[str, object] = {"name": tool, "parameters": schema}
        if Capability.JSON_SCHEMA in known.able:
            function["strict"] = True
        body["tools"] = [{"type": "function", "function": function}]
        body["tool_choice"] = {"type": "function", "function": {"name": tool}}
    elif schema and Capability.JSON_SCHEMA in known.able:
        form = {"name": SCHEMA_NAME, "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    elif schema and Capability.JSON_OBJECT in known.able:
        body["response_format"] = {"type": "json_object"}
    return body


def without_thoughts(content: bytes, known: Capabilities) -> bytes:
    """Take one whole block of thoughts off the front, if the model is known to send one; nothing else is touched."""
    if Capability.SENDS_THINK not in known.able or not content.lstrip().startswith(_THINK_BEGIN):
        return content
    _, end, rest = content.partition(_THINK_END)
    return rest.lstrip() if end else content


def is_same_model(configured: str, replied: str, aliases: Iterable[str] = ()) -> bool:
    """Whether the model that answered is the one that was asked.

    It is if the names are equal, if it is a listed alias, or if it is the configured name (without `-latest`) with a
    date or a serial number behind it, such as `gpt-4o` and `gpt-4o-2024-08-06`, or `gpt-4` and `gpt-4-0613`.
    """
    if replied == configured or replied in frozenset(aliases):
        return True
    stem = configured.removesuffix(_LATEST)
    return replied.startswith(stem) and bool(_DATED.fullmatch(replied[len(stem) :]))


def _in_role(message: Message, role: SystemRole) -> dict[str, str]:
    """A message under the role that the model has for it."""
    return {"role": role.value if message.role == "system" else message.role, "content": message.content}
