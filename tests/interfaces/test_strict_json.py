"""The strict reader against Python's own: what both accept is equal, and nothing else is accepted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.interfaces.strict_json import JsonProblem, read_json_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


def depth(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max((depth(item) for item in inner), default=0)


@given(OBJECTS.filter(lambda value: depth(value) <= 8), st.booleans())
def test_what_is_json_is_read_as_it_was_written(value: dict, ascii_only: bool):
    assert read_json_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(OBJECTS.filter(bool), st.data())
def test_a_key_twice_is_never_read(value: dict, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(value)))
    text = json.dumps(value)[:-1] + f", {json.dumps(name)}: 1}}"
    with pytest.raises(JsonProblem, match="twice"):
        read_json_object(text.encode())


@given(OBJECTS, st.text(min_size=1, max_size=5).filter(lambda tail: tail.strip(" \t\r\n")))
def test_nothing_may_follow(value: dict, tail: str):
    with pytest.raises(JsonProblem):
        read_json_object((json.dumps(value) + tail).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_never_raise_anything_else(raw: bytes):
    try:
        value = read_json_object(raw)
    except JsonProblem:
        return
    assert json.loads(raw) == value


@given(st.text(st.sampled_from('{}[]":,0123456789.eE+-truefalsnINy \\ud8'), max_size=40))
def test_texts_that_look_like_json(text: str):
    try:
        value = read_json_object(text.encode())
    except JsonProblem:
        return
    assert json.loads(text) == value


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_are_not_json(word: str):
    with pytest.raises(JsonProblem) as caught:
        read_json_object(f'{{"a": {word}}}'.encode())
    assert caught.value.position == 6


def test_an_escaped_duplicate_is_one():
    with pytest.raises(JsonProblem, match="twice"):
        read_json_object(b'{"a": 1, "\\u0061": 2}')
