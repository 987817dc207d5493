"""What is known of models by their names, and what is sent because of it."""

import pytest

from executor.advice.capabilities import (
    Capability,
    SystemRole,
    TokensKey,
    capabilities_of,
    is_same_model,
    request_body,
    tokens_cap,
)
from executor.advice.prompt import Message

MESSAGES = (Message(role="system", content="a"), Message(role="user", content="b"))
SCHEMA = {"type": "object"}


def body_of(model):
    return request_body(model, capabilities_of(model), MESSAGES, SCHEMA, 100)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ("gpt-4o-mini", {"max_tokens", "temperature", "seed", "response_format"}),
        ("openai/GPT-4o", {"max_tokens", "temperature", "seed", "response_format"}),
        ("gpt-5", {"max_completion_tokens", "response_format"}),
        ("gpt-5-chat-latest", {"max_tokens", "temperature", "seed", "response_format"}),
        ("o4-mini", {"max_completion_tokens", "response_format"}),
        ("o1-mini", {"max_completion_tokens"}),
        ("claude-sonnet-4", {"max_tokens", "temperature"}),
        ("gemini-2.5-flash", {"max_tokens", "temperature", "response_format"}),
        ("deepseek-reasoner", {"max_tokens", "response_format"}),
        ("qwen3:8b", {"max_tokens", "temperature", "seed", "response_format"}),
        ("never-heard-of", {"max_tokens", "temperature"}),
    ],
)
def test_a_request_in_the_model_s_own_words(model, keys):
    body = body_of(model)
    assert body.keys() == {"model", "messages"} | keys
    assert body["model"] == model
    assert body.get("temperature", 0) == 0
    assert body.get("seed", 42) == 42


@pytest.mark.parametrize(
    ("model", "kind"),
    [("gpt-4o", "json_schema"), ("gpt-4o-2024-05-13", "json_object"), ("gpt-4-turbo", "json_object")],
)
def test_the_strictest_form_a_model_knows(model, kind):
    assert body_of(model)["response_format"]["type"] == kind


@pytest.mark.parametrize(
    ("model", "strict"), [("gpt-4o", True), ("o3", True), ("gpt-4-turbo", None), ("claude-sonnet-4", "text")]
)
def test_a_function_is_asked_for_where_a_model_calls_any(model, strict):
    body = request_body(model, capabilities_of(model), MESSAGES, SCHEMA, 100, "act")
    if strict == "text":
        assert "tools" not in body
        return
    assert "response_format" not in body
    (tool,) = body["tools"]
    assert tool["type"] == "function"
    assert tool["function"].get("strict") is strict
    assert (tool["function"]["name"], tool["function"]["parameters"]) == ("act", SCHEMA)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "act"}}


def test_without_a_schema_no_form_is_asked_for():
    assert "response_format" not in request_body("gpt-4o", capabilities_of("gpt-4o"), MESSAGES, {}, 100)


@pytest.mark.parametrize(
    ("model", "role"), [("gpt-4o", "system"), ("gpt-5", "developer"), ("o1-mini", "user"), ("x", "system")]
)
def test_only_the_fixed_text_changes_its_role(model, role):
    assert body_of(model)["messages"] == [{"role": role, "content": "a"}, {"role": "user", "content": "b"}]


def test_a_reasoning_model_gets_room_for_its_thoughts():
    assert tokens_cap(capabilities_of("gpt-4o"), 800, 4_096) == 800
    assert tokens_cap(capabilities_of("gpt-5"), 800, 4_096) == 4_896


def test_what_is_written_wins_and_off_wins_over_on():
    known = capabilities_of("gpt-4o").overridden(
        on=[Capability.REASONING, Capability.SEED], off=[Capability.SEED], system_role=SystemRole.USER
    )
    assert Capability.REASONING in known.able
    assert Capability.SEED not in known.able
    assert (known.tokens_key, known.system_role) == (TokensKey.MAX_TOKENS, SystemRole.USER)


@pytest.mark.parametrize(
    ("configured", "replied", "same"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("claude-sonnet-4", "claude-sonnet-4-20250514", True),
        ("gpt-4", "gpt-4-0613", True),
        ("gemini-2.0-flash", "gemini-2.0-flash-001", True),
        ("mistral-large-latest", "mistral-large-2411", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("gpt-4o", "GPT-4o", False),
        ("gpt-4", "gpt-4-32", False),
        ("gpt-4", "gpt-4-0613\n", False),
        ("gpt-4", "gpt-4-٠٦١٣", False),
        ("gpt-4o", "", False),
        ("llama3", "llama3:70b", False),
    ],
)
def test_which_names_are_one_model(configured, replied, same):
    assert is_same_model(configured, replied) is same
    assert is_same_model(configured, replied, aliases=[replied])
