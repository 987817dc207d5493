"""Reading a request for a chat completion, and refusing what the chosen model cannot do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from sandbox.llm_server.api_error import ApiError
from sandbox.llm_server.models import MODELS, Format, Model
from sandbox.llm_server.schema import Schema, strict_problem
from sandbox.llm_server.tokens import count_tokens
from sandbox.llm_server.wire_json import JsonObject, NotAnObjectError, read_object

CHAT_PATH: Final = "/v1/chat/completions"
WITHOUT_EFFECT: Final = frozenset(
    {"frequency_penalty", "metadata", "presence_penalty", "prompt_cache_key", "reasoning_effort"}
    | {"parallel_tool_calls", "safety_identifier", "service_tier", "store", "top_p", "user"}
)
"""Fields that are accepted and change nothing here."""
UNDERSTOOD: Final = frozenset(
    {"max_completion_tokens", "max_tokens", "messages", "model", "n", "response_format", "seed", "stream"}
    | {"temperature", "tool_choice", "tools"}
)
ROLES: Final = frozenset({"assistant", "developer", "system", "user"})
SCHEMA_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TEMPERATURE_MAX: Final = 2
TOKENS_MAX: Final = 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request that makes sense.

    Parameters
    ----------
    prompt
        All messages in one text, for counting and for the cache.
    question
        The last message of the user.
    schema
        What the answer is held to; None without ``json_schema`` or a function with parameters.
    tool
        Function that is to be called with the answer, empty if none.
    tokens_max
        How long the answer may be, thinking included; None leaves it open.
    seed
        The client's own seed, empty when it gives none.
    """

    model: Model
    prompt: str
    question: str
    format: Format
    schema: Schema | None
    tokens_max: int | None
    seed: str
    tool: str = ""


def read_chat_request(raw: bytes) -> ChatRequest:
    """Return the request in a body.

    Raises
    ------
    ApiError
        400 for what is malformed, unknown or beyond the model; 404 for a model that is not on offer.
    """
    try:
        body = read_object(raw)
    except NotAnObjectError as error:
        raise ApiError("We could not parse the JSON body of your request.") from error
    for name in sorted(set(body) - UNDERSTOOD - WITHOUT_EFFECT):
        raise ApiError(
            f"Unrecognized request argument supplied: {name}", code="unknown_parameter", param=name
        )
    model = find_model(body.get("model"))
    messages = _messages(body)
    prompt = "\n".join(f"{role}: {text}" for role, text in messages)
    _refuse_what_is_not_served(body, model)
    form, schema = _response_format(body, model, prompt)
    tool, parameters = _tool(body, model)
    tokens = count_tokens(prompt)
    if tokens > model.context_tokens_max:
        raise ApiError(
            f"This model's maximum context length is {model.context_tokens_max} tokens."
            f" However, your messages resulted in {tokens} tokens.",
            code="context_length_exceeded",
            param="messages",
        )
    return ChatRequest(
        model=model,
        prompt=prompt,
        question=next((text for role, text in reversed(messages) if role == "user"), ""),
        format=form,
        schema=parameters if tool else schema,
        tokens_max=_tokens_max(body, model),
        seed=str(_whole(body, "seed", -(2**63), 2**63 - 1) if body.get("seed") is not None else ""),
        tool=tool,
    )


def find_model(name: object) -> Model:
    """Return a model by its name, or refuse as for one that does not exist."""
    if not isinstance(name, str):
        raise ApiError("you must provide a model parameter", param="model")
    if name not in MODELS:
        raise ApiError(
            f"The model `{name}` does not exist or you do not have access to it.",
            status=HTTPStatus.NOT_FOUND,
            code="model_not_found",
            param="model",
        )
    return MODELS[name]


def _messages(body: JsonObject) -> list[tuple[str, str]]:
    rows = body.get("messages")
    if not isinstance(rows, list) or not rows:
        raise ApiError("'messages' must be an array with at least one message.", param="messages")
    messages = []
    for number, row in enumerate(rows):
        role = row.get("role") if isinstance(row, dict) else None
        text = _content(row.get("content")) if isinstance(row, dict) else None
        if role not in ROLES:
            raise ApiError(
                "Invalid value for a role.", code="invalid_value", param=f"messages[{number}].role"
            )
        if text is None:
            raise ApiError("Invalid content.", code="invalid_type", param=f"messages[{number}].content")
        messages.append((str(role), text))
    return messages


def _content(content: object) -> str | None:
    """Return the text of a message: a string, or parts that are all text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(content) else None


def _refuse_what_is_not_served(body: JsonObject, model: Model) -> None:
    if body.get("stream") not in {None, False}:
        raise _unsupported_value("stream", "This server does not stream; ask without 'stream'.")
    if body.get("n") not in {None, 1}:
        raise _unsupported_value("n", "Only one choice is served.")
    temperature = body.get("temperature")
    if temperature is None:
        return
    if not model.temperature:
        raise _unsupported_value("temperature", f"'temperature' is not supported with {model.name}.")
    if isinstance(temperature, bool) or not isinstance(temperature, int | Decimal):
        raise ApiError("'temperature' must be a number.", code="invalid_type", param="temperature")
    if not 0 <= temperature <= TEMPERATURE_MAX:
        raise ApiError("'temperature' must be 0 to 2.", code="invalid_value", param="temperature")


def _response_format(body: JsonObject, model: Model, prompt: str) -> tuple[Format, Schema | None]:
    wanted = body.get("response_format")
    if wanted is None:
        return Format.TEXT, None
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or kind not in set(Format):
        raise ApiError("Invalid value for the type.", code="invalid_value", param="response_format.type")
    form = Format(str(kind))
    if form not in model.formats:
        raise ApiError(
            f"Invalid parameter: 'response_format' of type '{form}' is not supported with this model.",
            param="response_format",
        )
    if form is Format.JSON_OBJECT and "json" not in prompt.lower():
        raise ApiError(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    return form, _schema(wanted) if form is Format.JSON_SCHEMA else None


def _schema(wanted: JsonObject) -> Schema:
    place = wanted.get("json_schema")
    name = place.get("name") if isinstance(place, dict) else None
    if not isinstance(place, dict) or not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        raise ApiError(
            "A name of letters, digits, _ and - is required.", param="response_format.json_schema.name"
        )
    schema = place.get("schema")
    if place.get("strict") is not True:
        raise ApiError("Only strict schemas are served.", param="response_format.json_schema.strict")
    problem = strict_problem(schema)
    if problem or not isinstance(schema, dict):
        text = f"Invalid schema for response_format '{name}': {problem}"
        raise ApiError(text, code="invalid_json_schema", param="response_format")
    return schema


def _tool(body: JsonObject, model: Model) -> tuple[str, Schema | None]:
    """Return the function that will be called and its parameters: the one asked for, or the first on offer."""
    rows, choice = body.get("tools"), body.get("tool_choice")
    if rows is None:
        if choice not in (None, "none"):
            raise ApiError("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
        return "", None
    if not model.tools:
        raise ApiError(f"'tools' is not supported with {model.name}.", param="tools")
    if not isinstance(rows, list) or not rows:
        raise ApiError("'tools' must be an array with at least one function.", param="tools")
    offered = dict(_function(row, number) for number, row in enumerate(rows))
    if choice == "none":
        return "", None
    if choice in (None, "auto", "required"):
        return next(iter(offered.items()))
    wanted = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if not isinstance(name, str) or name not in offered:
        raise ApiError("'tool_choice' names no function of 'tools'.", param="tool_choice")
    return name, offered[name]


def _function(row: object, number: int) -> tuple[str, Schema | None]:
    function = row.get("function") if isinstance(row, dict) and row.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        raise ApiError(
            "A function with a name of letters, digits, _ and - is required.",
            param=f"tools[{number}].function",
        )
    parameters = function.get("parameters")
    if function.get("strict") is not True:
        return name, None
    problem = strict_problem(parameters)
    if problem or not isinstance(parameters, dict):
        text = f"Invalid schema for function '{name}': {problem}"
        raise ApiError(text, code="invalid_function_parameters", param=f"tools[{number}].function.parameters")
    return name, parameters


def _tokens_max(body: JsonObject, model: Model) -> int | None:
    named = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    if not named:
        return None
    for name in named:
        if name not in model.limits:
            raise ApiError(
                f"Unsupported parameter: '{name}' is not supported with this model."
                f" Use {' or '.join(sorted(model.limits))} instead.",
                code="unsupported_parameter",
                param=name,
            )
    if len(named) > 1:
        raise ApiError("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    return _whole(body, named[0], 1, TOKENS_MAX)


def _whole(body: JsonObject, name: str, low: int, high: int) -> int:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ApiError(f"'{name}' must be a whole number from {low}.", code="invalid_value", param=name)
    return value


def _unsupported_value(name: str, text: str) -> ApiError:
    return ApiError(f"Unsupported value: {text}", code="unsupported_value", param=name)
