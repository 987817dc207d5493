"""The messages of a question: a fixed text that explains every key, and one object that holds them."""

import hashlib
import json
import re
from dataclasses import replace

import pytest

from executor.advice.facts import canonical, facts_document, snapshot_hash
from executor.advice.prompt import Message, Template, prompt_sha256, render
from executor.advice.reply import parse_reply, reply_schema
from executor.adviser.template_files import TEMPLATE_BYTES_MAX, load_template
from executor.domain.advice import Action, Advice, AdviceOutcome, OrderKind
from executor.domain.errors import ConfigError
from executor.engine.question import Regime
from tests.adviser.questions import STRATEGIES, TEMPLATE, changed, context, facts, news_item


def ask(**over):
    usual = dict(template=TEMPLATE, facts=facts(), context=context(), news=[news_item()], within_ms=4_000)
    return render(**{**usual, **over})


def keys_of(value):
    """Every key of a document, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_the_fixed_text_comes_first_and_the_question_is_one_object():
    system, user = ask()
    assert (system.role, user.role) == ("system", "user")
    assert system.content == TEMPLATE.text
    question = json.loads(user.content)
    assert list(question) == [
        *(
            "decision_id",
            "snapshot_hash",
            "answer_within_ms",
            "parent",
            "progress",
            "market",
            "band",
            "impact",
        ),
        *("recent_decisions", "context", "outside_text"),
    ]
    assert question["decision_id"] == "P1-7"
    assert question["snapshot_hash"] == snapshot_hash(facts())
    assert question["answer_within_ms"] == 4_000
    assert question["outside_text"] == [
        {"source": "Example Wire", "age_s": "42", "text": "Exchange lists a new coin"}
    ]
    assert json.loads(ask(news=None)[1].content)["outside_text"] == "none configured"
    assert "\n" not in user.content


def test_whoever_has_the_question_can_check_its_hash():
    question = json.loads(ask()[1].content)
    covered = {key: question[key] for key in facts_document(facts())}
    assert hashlib.sha256(canonical(covered)).hexdigest()[:16] == question["snapshot_hash"]


def test_surroundings_change_neither_facts_nor_hash():
    usual, other = (
        ask()[1].content,
        ask(context=context(bids=(), trades=()), news=None, within_ms=1)[1].content,
    )
    part = canonical(facts_document(facts()))[1:-1].decode()
    assert usual.count(part) == other.count(part) == 1
    assert json.loads(usual)["snapshot_hash"] == json.loads(other)["snapshot_hash"]


def test_no_time_no_question():
    with pytest.raises(ValueError, match="no time to answer: 0 ms"):
        ask(within_ms=0)


def test_a_prompt_is_named_by_all_it_says():
    usual = ask()
    assert prompt_sha256(usual) == prompt_sha256(ask())
    assert re.fullmatch("[0-9a-f]{64}", prompt_sha256(usual))
    others = [
        ask(template=replace(TEMPLATE, text=TEMPLATE.text + ".")),
        ask(template=replace(TEMPLATE, name="other")),
        ask(facts=facts(decision_id="P1-8")),
        ask(facts=changed(facts(), "order", symbol="ETHUSDT")),
        ask(context=context(volume_1min_qty=None)),
        ask(news=[news_item(text="Another")]),
        ask(within_ms=3_999),
        usual[::-1],
        usual[1:],
    ]
    names = [prompt_sha256(messages) for messages in others]
    assert names.count(prompt_sha256(usual)) == 1  # the template's name is not part of what is sent
    assert len(set(names)) == len(others)
    joined = (Message(role="user", content="ab"), Message(role="user", content="c"))
    assert prompt_sha256(joined) != prompt_sha256(
        (Message(role="user", content="a"), Message(role="user", content="bc"))
    )


def test_the_shipped_text_explains_every_key_of_question_and_answer():
    """A key that is not explained is noise to a model; with everything known, every key occurs."""
    words = set(re.findall(r"[a-z0-9_]+", TEMPLATE.text))
    assert set(keys_of(json.loads(ask()[1].content))) <= words
    assert set(reply_schema(STRATEGIES)["required"]) <= words


def test_the_shipped_text_names_every_choice():
    for choice in (*Action, *OrderKind, *AdviceOutcome, *Regime):
        assert re.search(rf"\b{choice}\b", TEMPLATE.text), choice
    for word in (
        "Asia",
        "Europe",
        "US",
        "overnight",
        "none configured",
        "LOW",
        "MEDIUM",
        "HIGH",
        "inverse",
        "spot",
    ):
        assert f'"{word}"' in TEMPLATE.text or f'words "{word}"' in TEMPLATE.text, word


def test_the_shipped_text_says_which_keys_an_answer_has_and_its_example_is_one():
    assert f"these {['', 'thirteen'][len(reply_schema(STRATEGIES)['required']) == 13]} keys" in TEMPLATE.text
    example = TEMPLATE.text.splitlines()[-1]
    assert list(json.loads(example)) == reply_schema(STRATEGIES)["required"]
    advice = parse_reply(example.encode(), decision_id="P0-0", snapshot_hash="0" * 16, strategies=STRATEGIES)
    assert isinstance(advice, Advice), advice


def test_the_shipped_text_is_plain_and_its_hash_is_of_its_bytes():
    assert TEMPLATE.name == "execution"
    assert all(line.isprintable() for line in TEMPLATE.text.splitlines())
    assert TEMPLATE.sha256 == hashlib.sha256(TEMPLATE.text.encode()).hexdigest()
    assert len(TEMPLATE.text) < 12_000


def test_an_operators_text_is_read_as_it_is(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("\n Be careful. {parent} %s \n")
    assert load_template(path) == Template(name="mine", text="Be careful. {parent} %s")
    assert ask(template=load_template(path))[0].content == "Be careful. {parent} %s"


def test_a_text_that_cannot_be_used_is_refused(tmp_path):
    path = tmp_path / "mine.txt"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_template(path)
    for raw, why in (
        (b" \n", "is empty"),
        (b"\xff", "not UTF-8"),
        (b"a" * (TEMPLATE_BYTES_MAX + 1), "longer than 32768"),
    ):
        path.write_bytes(raw)
        with pytest.raises(ConfigError, match=why):
            load_template(path)
