"""A reply acts only if it is exactly what was asked for (INV-42), and no bytes whatever raise."""

import json
import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.facts import snapshot_hash
from executor.advice.reply import Rejected, parse_reply, reply_schema
from executor.domain.advice import REPLY_BYTES_MAX, TEXT_LEN_MAX, Action, Advice, OrderKind, Unusable
from tests.adviser.questions import STRATEGIES, as_bytes, facts, reply

DECISION_ID = "P1-7"
SNAPSHOT = snapshot_hash(facts())
ELSEWHERE = {Unusable.OTHER_MODEL, Unusable.REFUSED, Unusable.TRUNCATED}
"""Told by what a server says beside the reply, never by its text."""


def parse(raw: bytes) -> Advice | Rejected:
    return parse_reply(raw, decision_id=DECISION_ID, snapshot_hash=SNAPSHOT, strategies=STRATEGIES)


def without(key):
    return as_bytes({name: value for name, value in reply().items() if name != key})


GOOD = as_bytes(reply())
EXAMPLES = [
    (Unusable.TOO_LARGE, GOOD + b" " * REPLY_BYTES_MAX),
    (Unusable.TOO_LARGE, b"[" * 1_000_000 + b"]" * 1_000_000),
    (Unusable.EMPTY, b""),
    (Unusable.EMPTY, b" \r\n\t"),
    (Unusable.NOT_UTF8, GOOD.replace(b"spread", b"spr\xe9ad")),
    (Unusable.NOT_UTF8, b"\xff\xfe{\x00}\x00"),
    (Unusable.NOT_UTF8, GOOD.replace(b"spread", b"\xed\xa0\x80")),
    (Unusable.TOO_DEEP, b"[" * 8_000 + b"]" * 8_000),
    (Unusable.TOO_DEEP, b'{"a":' * 2_000),
    (Unusable.NOT_JSON, b"```json\n" + GOOD + b"\n```"),
    (Unusable.NOT_JSON, b"Here is my answer: " + GOOD),
    (Unusable.NOT_JSON, GOOD[:-20]),
    (Unusable.NOT_JSON, b"\xef\xbb\xbf" + GOOD),
    (Unusable.NOT_JSON, b"\x00" + GOOD),
    (Unusable.NOT_JSON, GOOD.replace(b'"', b"'")),
    (Unusable.NOT_JSON, GOOD.replace(b'"0.8"', b"NaN")),
    (Unusable.NOT_JSON, GOOD.replace(b'"0.8"', b"-Infinity")),
    (Unusable.NOT_JSON, GOOD.replace(b'"}', b'",}')),
    (Unusable.NOT_JSON, GOOD.replace(b"wide.", b"wide.\n")),
    (Unusable.NOT_ONE_OBJECT, GOOD + GOOD),
    (Unusable.NOT_ONE_OBJECT, GOOD + b"\nI hope this helps."),
    (Unusable.NOT_ONE_OBJECT, GOOD + b"\x00"),
    (Unusable.NOT_ONE_OBJECT, GOOD + "\u00a0".encode()),
    (Unusable.NOT_ONE_OBJECT, b"[" + GOOD + b"]"),
    (Unusable.NOT_ONE_OBJECT, b'"' + b"a" * 20 + b'"'),
    (Unusable.NOT_ONE_OBJECT, b"null"),
    (Unusable.NOT_ONE_OBJECT, b"1" * 10_000),
    (Unusable.KEY_TWICE, GOOD.replace(b'{"decision', b'{"rate": "1", "decision')),
    (Unusable.KEY_TWICE, GOOD.replace(b'"action"', b'"action": "CANCEL", "\\u0061ction"')),
    (Unusable.KEY_TWICE, GOOD.replace(b'"0.8"', b'{"a": 1, "a": 1}')),
    (Unusable.KEY_UNKNOWN, as_bytes(reply(side="SELL"))),
    (Unusable.KEY_UNKNOWN, as_bytes(reply(symbol="ETHUSDT"))),
    (Unusable.KEY_UNKNOWN, as_bytes(reply(risk_limits={"child_qty_max": "1000"}))),
    (Unusable.KEY_UNKNOWN, GOOD.replace(b"order_type", b"orderType")),
    *((Unusable.KEY_MISSING, without(key)) for key in reply()),
    (Unusable.KEY_MISSING, b"{}"),
    (Unusable.OTHER_DECISION, as_bytes(reply(decision_id="P1-6"))),
    (Unusable.OTHER_DECISION, as_bytes(reply(decision_id="P1-7 "))),
    (Unusable.OTHER_SNAPSHOT, as_bytes(reply(snapshot_hash="0" * 16))),
    (Unusable.OTHER_SNAPSHOT, as_bytes(reply(snapshot_hash=SNAPSHOT.upper() + "0"))),
    (Unusable.BAD_TYPE, as_bytes(reply(decision_id=None))),
    (Unusable.BAD_TYPE, as_bytes(reply(snapshot_hash=[SNAPSHOT]))),
    (Unusable.BAD_TYPE, as_bytes(reply(action=None))),
    (Unusable.BAD_TYPE, as_bytes(reply(confidence=None))),
    (Unusable.BAD_TYPE, as_bytes(reply(confidence=0.8))),
    (Unusable.BAD_TYPE, as_bytes(reply(quantity=1))),
    (Unusable.BAD_TYPE, as_bytes(reply(quantity=True))),
    (Unusable.BAD_TYPE, as_bytes(reply(quantity=["1"]))),
    (Unusable.BAD_TYPE, as_bytes(reply(quantity={"value": "1"}))),
    (Unusable.BAD_TYPE, GOOD.replace(b'"0.8"', b"1e999999999")),
    (Unusable.BAD_TYPE, GOOD.replace(b'"0.8"', b"9" * 10_000)),
    (Unusable.BAD_TYPE, as_bytes(reply(order_type=False))),
    (Unusable.BAD_TYPE, as_bytes(reply(strategy=7))),
    (Unusable.BAD_TYPE, as_bytes(reply(reasoning=["because"]))),
    *(
        (Unusable.BAD_NUMBER, as_bytes(reply(quantity=text)))
        for text in (
            "NaN",
            "Infinity",
            "-1",
            "+1",
            "1e9",
            "1E+308",
            "1,000",
            "1_000",
            "١٢",
            "\uff11\uff12",
            "0x10",
            "",
        )
    ),
    *(
        (Unusable.BAD_NUMBER, as_bytes(reply(quantity=text)))
        for text in (
            " 1",
            "1 ",
            "1\n",
            ".5",
            "5.",
            "1.2.3",
            "50%",
            "2 BTC",
            "$100",
            "½",
            "1" * 19,
            "null",
            "\u22121",
        )
    ),
    (Unusable.BAD_NUMBER, as_bytes(reply(confidence="high"))),
    (Unusable.BAD_NUMBER, as_bytes(reply(action="WAIT", wait_seconds="12.5"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(confidence="1.01"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(confidence="80"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(impact_adjustment="0.49"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(impact_adjustment="2.01"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(rate="0"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(rate="100.1"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(quantity="0.000"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(limit_price="0", order_type="LIMIT"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(action="WAIT", wait_seconds="3601"))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(reasoning="x" * (TEXT_LEN_MAX + 1)))),
    (Unusable.OUT_OF_RANGE, as_bytes(reply(risk_assessment="\u200b" * (TEXT_LEN_MAX + 1)))),
    (Unusable.BAD_ACTION, as_bytes(reply(action="BUY"))),
    (Unusable.BAD_ACTION, as_bytes(reply(action="passive"))),
    (Unusable.BAD_ACTION, as_bytes(reply(action="PASSIVE "))),
    (Unusable.BAD_ACTION, as_bytes(reply(action="\u0420ASSIVE"))),
    (Unusable.BAD_STRATEGY, as_bytes(reply(action="SWITCH_STRATEGY", strategy="martingale"))),
    (Unusable.BAD_STRATEGY, as_bytes(reply(action="SWITCH_STRATEGY", strategy=""))),
    (Unusable.BAD_ORDER_TYPE, as_bytes(reply(order_type="STOP"))),
    (Unusable.BAD_ORDER_TYPE, as_bytes(reply(order_type="limit"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="SWITCH_STRATEGY"))),
    (Unusable.CONTRADICTION, as_bytes(reply(strategy="vwap"))),
    (Unusable.CONTRADICTION, as_bytes(reply(limit_price="50000"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="AGGRESSIVE", limit_price="1", order_type="MARKET"))),
    (Unusable.CONTRADICTION, as_bytes(reply(order_type="MARKET"))),
    (Unusable.CONTRADICTION, as_bytes(reply(wait_seconds="5"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="WAIT", quantity="1"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="WAIT", rate="1"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="CANCEL", order_type="MARKET"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="CANCEL", wait_seconds="0"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="ACCELERATE", rate="0.99"))),
    (Unusable.CONTRADICTION, as_bytes(reply(action="DECELERATE", rate="1.01"))),
]


@pytest.mark.parametrize(
    ("reason", "raw"), EXAMPLES, ids=[f"{n}-{reason}" for n, (reason, _) in enumerate(EXAMPLES)]
)
def test_a_bad_reply_is_rejected_for_its_fault(reason, raw):
    rejected = parse(raw)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is reason
    assert rejected.detail.isprintable()
    assert 0 < len(rejected.detail) <= 120


def test_every_fault_of_a_text_has_an_example():
    assert {reason for reason, _ in EXAMPLES} == set(Unusable) - ELSEWHERE


@pytest.mark.parametrize(
    "over",
    [
        {},
        dict(action="AGGRESSIVE", order_type="MARKET", quantity="0.5"),
        dict(action="AGGRESSIVE", order_type="LIMIT", limit_price="50010.5"),
        dict(action="PASSIVE", order_type="LIMIT", limit_price="49990", rate="0.8"),
        dict(action="WAIT"),
        dict(action="WAIT", wait_seconds="0"),
        dict(action="WAIT", wait_seconds="3600"),
        dict(action="ACCELERATE", rate="100"),
        dict(action="ACCELERATE", rate="1"),
        dict(action="DECELERATE", rate="0.000000000000000001"),
        dict(action="DECELERATE"),
        dict(action="SWITCH_STRATEGY", strategy="pov", rate="1.5", order_type="MARKET"),
        dict(action="CANCEL"),
        dict(confidence="0", impact_adjustment="0.5"),
        dict(confidence="1.000", impact_adjustment="2.0"),
        dict(reasoning="", risk_assessment="x" * TEXT_LEN_MAX),
    ],
)
def test_a_good_reply_is_advice(over):
    advice = parse(b"\n " + as_bytes(reply(**over)) + b"\n")
    assert isinstance(advice, Advice), advice
    assert told_by(advice) == as_values(reply(**over))


def test_texts_are_cleaned_for_display():
    advice = parse(as_bytes(reply(reasoning="a\u202eb\x1b[31m\r\n\u200bc")))
    assert isinstance(advice, Advice)
    assert advice.reasoning == "ab[31m c"
    half = parse(GOOD.replace(b"wide.", b"wide\\ud800."))
    assert isinstance(half, Advice)
    assert half.reasoning == "The spread is wide."


def test_what_a_reply_quotes_cannot_reach_the_terminal():
    rejected = parse(as_bytes(reply(**{"\x1b[2J\u202e" + "k" * 5_000: None})))
    assert isinstance(rejected, Rejected)
    assert rejected.detail.startswith("a key that is not asked for: [2Jkkk")
    assert len(rejected.detail) == 120


def test_a_strategy_is_only_one_that_was_offered():
    raw = as_bytes(reply(action="SWITCH_STRATEGY", strategy="vwap"))
    asked = dict(decision_id=DECISION_ID, snapshot_hash=SNAPSHOT)
    assert isinstance(parse_reply(raw, strategies=frozenset({"vwap"}), **asked), Advice)
    rejected = parse_reply(raw, strategies=frozenset(), **asked)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Unusable.BAD_STRATEGY


@given(st.binary(max_size=REPLY_BYTES_MAX + 10))
def test_no_bytes_raise(raw):
    assert isinstance(parse(raw), Rejected)


@given(st.text(alphabet='{}[]":,\\ \n0123456789.eE+-truefalsnNaIity\u0661\ud83d', max_size=400))
def test_no_almost_json_raises(text):
    assert isinstance(parse(text.encode("utf-8", "surrogatepass")), Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(reply())), JSON)
def test_any_value_in_any_place_is_rejected_or_in_range(key, value):
    verdict = parse(json.dumps(reply(**{key: value})).encode())
    if isinstance(verdict, Advice):
        assert isinstance(value, str | None)
        assert_in_range(verdict)


PLAIN = st.decimals(min_value=0, max_value=10**17, places=6).map(lambda value: format(value, "f"))
POSITIVE = PLAIN.filter(lambda text: Decimal(text) > 0)
READABLE = st.text(alphabet=string.ascii_letters + string.punctuation + "äßé漢字", max_size=200)


@st.composite
def good_replies(draw):
    action = draw(st.sampled_from(list(Action)))
    opens = action not in {Action.WAIT, Action.CANCEL}
    kinds = [None, "LIMIT"] if action is Action.PASSIVE else [None, "LIMIT", "MARKET"]
    kind = draw(st.sampled_from(kinds)) if opens else None
    low = "1" if action is Action.ACCELERATE else "0.01"
    high = "1" if action is Action.DECELERATE else "100"
    rates = st.decimals(min_value=low, max_value=high, places=2).map(str)
    return reply(
        action=action.value,
        strategy=draw(st.sampled_from(sorted(STRATEGIES))) if action is Action.SWITCH_STRATEGY else None,
        quantity=draw(st.none() | POSITIVE) if opens else None,
        order_type=kind,
        limit_price=draw(st.none() | POSITIVE) if kind == "LIMIT" else None,
        rate=draw(st.none() | rates) if opens else None,
        wait_seconds=draw(st.none() | st.integers(0, 3_600).map(str)) if action is Action.WAIT else None,
        confidence=draw(st.decimals(min_value=0, max_value=1, places=4).map(lambda x: format(x, "f"))),
        impact_adjustment=draw(st.decimals(min_value="0.5", max_value=2, places=3).map(str)),
        reasoning=draw(READABLE),
        risk_assessment=draw(READABLE),
    )


@given(good_replies(), st.randoms(use_true_random=False), st.booleans())
def test_a_valid_reply_says_what_it_says_whatever_the_order_and_writing(document, random, escaped):
    keys = list(document)
    random.shuffle(keys)
    raw = json.dumps(
        {key: document[key] for key in keys}, ensure_ascii=escaped, indent=random.choice([None, 2])
    )
    advice = parse(raw.encode())
    assert isinstance(advice, Advice), advice
    assert told_by(advice) == as_values(document)
    assert_in_range(advice)


def test_the_schema_asks_for_exactly_what_is_read():
    """Strict structured outputs: every key required, none beside them, absence is null, and only simple keywords."""
    schema = reply_schema(STRATEGIES)
    properties = schema["properties"]
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(properties) == set(reply())
    assert properties["action"]["enum"] == [action.value for action in Action]
    assert properties["strategy"]["enum"] == ["pov", "vwap", None]
    assert properties["order_type"]["enum"] == [*(kind.value for kind in OrderKind), None]
    for key, described in properties.items():
        assert set(described) <= {"type", "enum", "description"}
        nullable = isinstance(parse(as_bytes(reply(**{key: None}))), Advice)
        assert ("null" in described["type"]) == nullable, key
        assert "string" in described["type"]
    assert json.loads(json.dumps(schema)) == schema


def test_the_schema_makes_a_model_give_its_reasons_before_its_choice():
    keys = list(reply_schema(STRATEGIES)["properties"])
    assert keys.index("reasoning") < keys.index("action")


def test_where_there_is_nothing_to_switch_to_the_schema_has_no_switch():
    properties = reply_schema(frozenset())["properties"]
    assert "SWITCH_STRATEGY" not in properties["action"]["enum"]
    assert properties["strategy"]["type"] == "null"


def as_values(document):
    """A reply's keys with numbers as numbers."""
    numbers = {"quantity", "limit_price", "rate", "wait_seconds", "confidence", "impact_adjustment"}
    return {
        key: Decimal(value) if key in numbers and value is not None else value
        for key, value in document.items()
    }


def told_by(advice):
    """Advice in the keys of a reply."""
    return dict(
        decision_id=advice.decision_id,
        snapshot_hash=advice.snapshot_hash,
        action=advice.action,
        strategy=advice.strategy,
        quantity=advice.qty,
        order_type=advice.order_kind,
        limit_price=advice.limit_px,
        rate=advice.rate,
        wait_seconds=advice.wait_s,
        confidence=advice.confidence,
        impact_adjustment=advice.impact_adjustment,
        reasoning=advice.reasoning,
        risk_assessment=advice.risk_assessment,
    )


def assert_in_range(advice):
    """What every accepted reply satisfies, whatever it was."""
    assert (advice.decision_id, advice.snapshot_hash) == (DECISION_ID, SNAPSHOT)
    assert advice.action in Action
    assert advice.strategy is None or advice.strategy in STRATEGIES
    assert (advice.strategy is not None) == (advice.action is Action.SWITCH_STRATEGY)
    for value in (advice.qty, advice.limit_px):
        assert value is None or (value.is_finite() and 0 < value < 10**18)
    assert advice.limit_px is None or advice.order_kind is OrderKind.LIMIT
    assert advice.rate is None or 0 < advice.rate <= 100
    assert advice.wait_s is None or (type(advice.wait_s) is int and 0 <= advice.wait_s <= 3_600)
    assert advice.wait_s is None or advice.action is Action.WAIT
    assert 0 <= advice.confidence <= 1
    assert Decimal("0.5") <= advice.impact_adjustment <= 2
    for text in (advice.reasoning, advice.risk_assessment):
        assert len(text) <= TEXT_LEN_MAX
        assert text.isprintable()
