"""The models on offer, and what each of them can do: the differences that real providers have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """What ``response_format`` may ask for."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class Thinking(StrEnum):
    """Where a model puts what it thinks before it answers."""

    NONE = "none"
    FIELD = "reasoning_content"
    TAGS = "think_tags"


class Mind(StrEnum):
    """How a model comes to its answer."""

    RULES = "rules"
    NO_INFORMATION = "no_information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model.

    Parameters
    ----------
    formats
        What it can be held to.
    temperature
        Whether it accepts one; models that reason refuse it.
    tools
        Whether it calls functions.
    limits
        Names under which it accepts a largest number of tokens.
    context_tokens_max
        Longest prompt.
    """

    name: str
    formats: frozenset[Format] = frozenset(Format)
    temperature: bool = True
    tools: bool = True
    limits: frozenset[str] = frozenset({"max_tokens", "max_completion_tokens"})
    thinking: Thinking = Thinking.NONE
    mind: Mind = Mind.RULES
    context_tokens_max: int = 128_000


MODELS: Final[dict[str, Model]] = {
    model.name: model
    for model in (
        Model(name="sandbox-trader"),
        Model(
            name="sandbox-trader-mini",
            formats=frozenset({Format.TEXT, Format.JSON_OBJECT}),
            limits=frozenset({"max_tokens"}),
            context_tokens_max=16_000,
        ),
        Model(
            name="sandbox-reasoner",
            temperature=False,
            limits=frozenset({"max_completion_tokens"}),
            thinking=Thinking.FIELD,
        ),
        Model(
            name="sandbox-thinker",
            formats=frozenset({Format.TEXT}),
            tools=False,
            limits=frozenset({"max_tokens"}),
            thinking=Thinking.TAGS,
        ),
        Model(name="sandbox-no-information", mind=Mind.NO_INFORMATION),
    )
}
"""By name; the first is a model without any limitation."""
