"""What a model says and the envelope around it: thoughts, text, usage. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.llm_server.models import Thinking
from sandbox.llm_server.tokens import count_tokens, first_tokens
from sandbox.llm_server.wire_json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model has said, before it is put into its envelope.

    Parameters
    ----------
    thoughts
        What came before the text; where it is shown depends on the model.
    refusal
        The model's own "no", which stands in place of the text.
    usage
        What the envelope says about tokens; None leaves it out.
    tool
        Function that is called with the text as its arguments; empty says the text.
    """

    request_id: str
    created_s: int
    model: str
    content: str | None
    thoughts: str | None
    finish_reason: str
    usage: JsonObject | None
    refusal: str | None = None
    choices: int = 1
    tool: str = ""

    def envelope(self) -> JsonObject:
        """Return the body of the HTTP answer."""
        message: JsonObject = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        if self.tool and self.content is not None:
            call = {"name": self.tool, "arguments": self.content}
            number = self.request_id.removeprefix("req_")
            message["content"] = None
            message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": call}]
        if self.thoughts is not None:
            message["reasoning_content"] = self.thoughts
        choices = [
            {"index": index, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
            for index in range(self.choices)
        ]
        body: JsonObject = {
            "id": f"chatcmpl-{self.request_id.removeprefix('req_')}",
            "object": "chat.completion",
            "created": self.created_s,
            "model": self.model,
            "choices": choices,
        }
        return body if self.usage is None else {**body, "usage": self.usage}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Text and thoughts as they fit into the tokens that were allowed."""

    content: str
    thoughts: str | None
    finish_reason: str
    completion_tokens: int
    thinking_tokens: int


def speak(text: str, thoughts: str, thinking: Thinking, tokens_max: int | None) -> Spoken:
    """Return what is said: thoughts first, then the text, cut where the tokens end."""
    if thinking is Thinking.TAGS:
        text = f"<think>\n{thoughts}\n</think>\n\n{text}"
    kept = thoughts if thinking is Thinking.FIELD else ""
    thinking_tokens = count_tokens(kept)
    tokens = count_tokens(text) + thinking_tokens
    too_long = tokens_max is not None and tokens > tokens_max
    if tokens_max is not None and too_long:
        text = first_tokens(text, max(0, tokens_max - thinking_tokens))
        kept = first_tokens(kept, tokens_max)
        tokens, thinking_tokens = tokens_max, min(thinking_tokens, tokens_max)
    return Spoken(
        content=text,
        thoughts=kept if thinking is Thinking.FIELD else None,
        finish_reason="length" if too_long else "stop",
        completion_tokens=tokens,
        thinking_tokens=thinking_tokens,
    )


def usage_of(prompt_tokens: int, cached_tokens: int, spoken: Spoken) -> JsonObject:
    """Return what a call has used, in the form of the wire."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": spoken.completion_tokens,
        "total_tokens": prompt_tokens + spoken.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": spoken.thinking_tokens},
    }
