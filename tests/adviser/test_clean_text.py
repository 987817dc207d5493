"""Text from outside: only what can be seen, on one line, within its length, and never out of its JSON string."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.clean import NAME_LEN_MAX, clean, name_of
from tests.adviser.injections import corpus

ANY_TEXT = st.text(alphabet=st.characters(), max_size=300) | st.sampled_from(corpus()[:1_500])


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("Fed holds rates", "Fed holds rates"),
        ("  a \t\r\n b\u00a0\u2003\u2028c\x85d\x1ce  ", "a b c d e"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"),
        ("\u202eevil\u202c \u2066x\u2069\u200f\u061c", "evil x"),
        ("e\u0301 \u212b A\u030a", "\u00e9 \u00c5 \u00c5"),
        ("x\ud800y\udfffz", "xyz"),
        ("\ue000\U000f0000\U0010ffff\uffff\u0378", ""),
        ("hi\U000e0069\U000e0067", "hi"),
        ("\U0001f600\ufe0f\U000e0101!", "\U0001f600!"),
        ("\u3164\u115f\u1160\uffa0\u2800\u034f", ""),
        ('"}],"x":[{', '"}],"x":[{'),
        ("", ""),
    ],
)
def test_what_is_kept_of_a_text(raw, kept):
    assert clean(raw, 100) == kept


def test_marks_do_not_pile_up():
    text = clean("a" + "\u0301\u0316\u0323\u0308" * 50 + "b", 500)
    assert text[-1] == "b"
    assert sum(1 for char in text if unicodedata.combining(char)) <= 3


def test_a_long_text_is_cut_with_a_mark():
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert clean("abcd efgh", 6) == "abcd…"
    assert clean("a" * 5_000_000, 10) == "a" * 9 + "…"
    assert clean("\u200b" * 5_000_000 + "hidden", 10) == "…"
    assert clean("anything", 1) == "…"


@given(ANY_TEXT, st.integers(1, 200))
def test_a_cleaned_text_is_seen_whole_and_stays_as_it_is(raw, len_max):
    text = clean(raw, len_max)
    assert len(text) <= len_max
    assert text.isprintable()
    assert text == text.strip()
    assert "  " not in text
    assert unicodedata.is_normalized("NFC", text)
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert clean(text, len_max) == text
    assert text.encode().decode() == text


@given(ANY_TEXT)
def test_encoded_it_cannot_close_its_string(raw):
    document = {"before": "1", "text": clean(raw, 200), "after": "2"}
    assert json.loads(json.dumps(document, ensure_ascii=False)) == document


@given(st.text(alphabet=st.sampled_from(" abcXYZ019éß漢字"), max_size=50))
def test_letters_figures_and_blanks_between_them_are_kept(raw):
    assert clean(raw, 100) == " ".join(raw.split())


@given(ANY_TEXT)
def test_a_name_is_letters_figures_and_a_few_signs(raw):
    name = name_of(raw)
    assert 1 <= len(name) <= NAME_LEN_MAX
    assert name.isascii()
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
    assert name_of(name) == name


def test_usual_names_are_left_alone():
    for name in (
        "BTCUSDT",
        "1000PEPEUSDT",
        "BTC-27MAR26",
        "twap",
        "P1-7",
        "flows.example",
        "linear:BTCUSDT",
        "a_b",
    ):
        assert name_of(name) == name
    assert name_of("") == "unnamed"
    assert name_of("Ignore this, please!") == "Ignore_this_please_"
