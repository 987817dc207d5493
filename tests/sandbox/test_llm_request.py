"""Reading requests, holding replies to a schema, counting tokens and drawing latencies: without a server."""

import json
from decimal import Decimal
from enum import StrEnum
from random import Random
from statistics import median

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, ConfigDict

from sandbox.llm_server.api_error import ApiError
from sandbox.llm_server.chat_request import read_chat_request
from sandbox.llm_server.completion import speak
from sandbox.llm_server.latency import Latency
from sandbox.llm_server.models import MODELS, Format, Thinking
from sandbox.llm_server.schema import conform, strict_problem
from sandbox.llm_server.tokens import BLOCK_TOKENS, PromptCache, count_tokens, first_tokens
from sandbox.llm_server.wire_json import compact_with_raw
from tests.sandbox.llm_talk import CALM, body, messages, reply_schema, structured


def read(**fields):
    return read_chat_request(json.dumps(body(**fields)).encode())


def refusal(raw=None, **fields):
    with pytest.raises(ApiError) as caught:
        read_chat_request(json.dumps(body(**fields)).encode() if raw is None else raw)
    return caught.value


def test_a_request_is_understood():
    chat = read(response_format=structured(), temperature=0, max_tokens=900, seed=42, user="somebody")
    assert (chat.model.name, chat.format, chat.tokens_max, chat.seed) == (
        "sandbox-trader",
        Format.JSON_SCHEMA,
        900,
        "42",
    )
    assert json.loads(chat.question) == CALM
    assert chat.prompt.startswith("system: You advise")


def test_a_message_may_come_in_parts():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert read(messages=[{"role": "user", "content": parts}]).question == "ab"
    picture = [{"type": "image_url", "image_url": {"url": "x"}}]
    assert refusal(messages=[{"role": "user", "content": picture}]).param == "messages[0].content"


def test_the_question_is_the_last_word_of_the_user():
    said = [*messages(), {"role": "user", "content": "second"}, {"role": "assistant", "content": "x"}]
    assert read(messages=said).question == "second"


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "gpt-unknown"}, 404, "model_not_found", "model"),
        ({"model": None}, 400, "", "model"),
        ({"messages": []}, 400, "", "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "invalid_value", "messages[0].role"),
        ({"messages": ["x"]}, 400, "invalid_value", "messages[0].role"),
        ({"temprature": 0}, 400, "unknown_parameter", "temprature"),
        ({"tools": []}, 400, "", "tools"),
        ({"functions": []}, 400, "unknown_parameter", "functions"),
        ({"stream": True}, 400, "unsupported_value", "stream"),
        ({"n": 2}, 400, "unsupported_value", "n"),
        ({"temperature": 2.5}, 400, "invalid_value", "temperature"),
        ({"temperature": "0"}, 400, "invalid_type", "temperature"),
        ({"temperature": 0, "model": "sandbox-reasoner"}, 400, "unsupported_value", "temperature"),
        ({"max_tokens": 9, "model": "sandbox-reasoner"}, 400, "unsupported_parameter", "max_tokens"),
        (
            {"max_completion_tokens": 9, "model": "sandbox-trader-mini"},
            400,
            "unsupported_parameter",
            "max_completion_tokens",
        ),
        ({"max_completion_tokens": 9, "max_tokens": 9}, 400, "", ""),
        ({"max_tokens": 0}, 400, "invalid_value", "max_tokens"),
        ({"max_tokens": True}, 400, "invalid_value", "max_tokens"),
        ({"seed": "x"}, 400, "invalid_value", "seed"),
        ({"response_format": {"type": "xml"}}, 400, "invalid_value", "response_format.type"),
        ({"response_format": "json"}, 400, "invalid_value", "response_format.type"),
        ({"response_format": structured(), "model": "sandbox-trader-mini"}, 400, "", "response_format"),
        (
            {"response_format": {"type": "json_object"}, "model": "sandbox-thinker"},
            400,
            "",
            "response_format",
        ),
        (
            {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "hi"}]},
            400,
            "",
            "messages",
        ),
        ({"response_format": structured(name="an advice")}, 400, "", "response_format.json_schema.name"),
        ({"response_format": structured(strict=False)}, 400, "", "response_format.json_schema.strict"),
        (
            {"response_format": structured(schema={"type": "array"})},
            400,
            "invalid_json_schema",
            "response_format",
        ),
    ],
)
def test_what_is_refused_and_how(fields, status, code, param):
    error = refusal(**fields)
    assert (error.status, error.code, error.param) == (status, code, param)
    shown = error.body()["error"]
    assert shown["type"] == "invalid_request_error"
    assert shown["message"]
    assert (shown["code"], shown["param"]) == (code or None, param or None)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object(raw):
    assert refusal(raw).status == 400


def test_a_prompt_beyond_the_context():
    small = MODELS["sandbox-trader-mini"]
    said = [{"role": "user", "content": "x" * (4 * small.context_tokens_max + 1)}]
    assert refusal(model=small.name, messages=said).code == "context_length_exceeded"
    assert read(messages=said).model.name == "sandbox-trader"


def test_which_schemas_are_strict():
    assert strict_problem(reply_schema()) == ""
    loose = {**reply_schema(), "additionalProperties": True}
    assert "additionalProperties" in strict_problem(loose)
    assert "required" in strict_problem({**reply_schema(), "required": ["action"]})
    assert "top level" in strict_problem({"type": "string"})
    assert strict_problem(None)
    nested = reply_schema()
    nested["properties"]["deep"] = {"type": "object", "properties": {}}
    nested["required"].append("deep")
    assert strict_problem(nested).startswith("In context=().deep")
    nested["properties"]["deep"] = {"type": "array"}
    assert "items" in strict_problem(nested)
    nested["properties"]["deep"] = {}
    assert "'type'" in strict_problem(nested)
    nested["properties"]["deep"] = {"$ref": "#/$defs/None"}
    assert "reference" in strict_problem(nested)
    endless = {**nested, "$defs": {"A": {"$ref": "#/$defs/A"}}}
    endless["properties"]["deep"] = {"$ref": "#/$defs/A"}
    assert "'type'" in strict_problem(endless)
    tall = {"type": "string"}
    for _ in range(12):
        tall = {"type": "array", "items": tall}
    nested["properties"]["deep"] = tall
    assert "nesting" in strict_problem(nested)


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Leg(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    px: float
    count: int


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: str
    mood: Mood
    leg: Leg
    legs: list[Leg]
    note: str | None
    sure: bool


def test_a_value_is_held_to_a_schema_that_another_library_wrote():
    schema = to_strict_json_schema(Shape)
    assert strict_problem(schema) == ""
    told = {"action": "WAIT", "mood": "good", "leg": {"px": "1.5", "count": "x"}, "note": "n", "other": 1}
    shaped = Shape.model_validate(conform(told, schema))
    assert (shaped.action, shaped.mood, shaped.note, shaped.sure) == ("WAIT", Mood.GOOD, "n", False)
    assert (shaped.leg.px, shaped.leg.count, shaped.legs) == (1.5, 0, [])
    blank = Shape.model_validate(conform({"mood": "odd", "legs": [{}, {"count": 3}]}, schema))
    assert (blank.mood, blank.note, [leg.count for leg in blank.legs]) == (Mood.GOOD, None, [0, 3])


def test_a_reply_that_fits_its_schema_is_left_as_it_is():
    reply = dict.fromkeys(reply_schema()["properties"])
    reply |= {"action": "CANCEL", "order_type": "LIMIT", "confidence": "0.5", "decision_id": "P1-1"}
    held = conform(reply, reply_schema())
    assert {key: held[key] for key in ("action", "order_type", "confidence", "rate")} == {
        "action": "CANCEL",
        "order_type": "LIMIT",
        "confidence": "0.5",
        "rate": None,
    }
    assert held["reasoning"] == ""
    assert conform({**reply, "action": "BUY"}, reply_schema())["action"] == "AGGRESSIVE"
    assert conform({**reply, "confidence": Decimal("0.5")}, reply_schema())["confidence"] == "0.5"


def test_tokens_follow_the_length_and_texts_are_cut_between_letters():
    assert [count_tokens(text) for text in ("", "a", "abcd", "abcde", "é" * 4)] == [0, 1, 1, 2, 2]
    assert first_tokens("abcdefgh", 1) == "abcd"
    assert first_tokens("abcé", 1) == "abc"


def test_a_beginning_that_was_seen_before_is_cached_in_whole_blocks():
    cache = PromptCache()
    fixed = "s" * 4 * BLOCK_TOKENS * 3
    assert cache.meet("m", fixed + "first question") == 0
    assert cache.meet("m", fixed + "second") == 3 * BLOCK_TOKENS
    assert cache.meet("another", fixed + "second") == 0
    assert cache.meet("m", "x" + fixed) == 0
    assert cache.meet("m", fixed[:-1]) == 2 * BLOCK_TOKENS


def test_thinking_uses_up_the_tokens_before_the_answer():
    free = speak("a" * 40, "t" * 80, Thinking.FIELD, None)
    assert (free.content, free.thoughts, free.finish_reason) == ("a" * 40, "t" * 80, "stop")
    assert (free.completion_tokens, free.thinking_tokens) == (30, 20)
    short = speak("a" * 40, "t" * 80, Thinking.FIELD, 25)
    assert (short.content, short.finish_reason, short.completion_tokens) == ("a" * 20, "length", 25)
    spent = speak("a" * 40, "t" * 80, Thinking.FIELD, 10)
    assert (spent.content, spent.thoughts, spent.thinking_tokens) == ("", "t" * 40, 10)
    tagged = speak("{}", "t" * 80, Thinking.TAGS, None)
    assert tagged.content == f"<think>\n{'t' * 80}\n</think>\n\n{{}}"
    assert tagged.thoughts is None
    plain = speak("{}", "t" * 80, Thinking.NONE, None)
    assert (plain.content, plain.thoughts, plain.completion_tokens) == ("{}", None, 1)


def test_latency_is_constant_or_seeded():
    assert Latency(median_ms=250).draw_ms(Random(1)) == 250
    law = Latency(median_ms=250, sigma=0.5)
    first, second = Random(1), Random(1)
    drawn = [law.draw_ms(first) for _ in range(999)]
    assert drawn == [law.draw_ms(second) for _ in range(999)]
    assert 230 < median(drawn) < 270
    assert 400 < sorted(drawn)[949] < 750
    for median_ms, sigma in ((-1, 0), (1, 9), (float("nan"), 0)):
        with pytest.raises(ValueError, match="must be"):
            Latency(median_ms=median_ms, sigma=sigma)


def test_members_may_stand_verbatim():
    assert compact_with_raw({"a": "é", "b": 1}, {"b": "NaN", "c": "[]"}) == '{"a":"é","b":NaN,"c":[]}'
