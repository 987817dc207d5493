"""Replies as models and broken servers send them: a valid one, changed in a way drawn from a seed.

`mutated(random)` gives the bytes of one reply and the name of what was done to it. Nothing here knows how a reply is
read.
"""

import json
from collections.abc import Callable
from random import Random

from tests.adviser.questions import STRATEGIES, reply

Raw = bytes
Change = Callable[[Random, dict, Raw], Raw]

NUMBERS = ("quantity", "limit_price", "rate", "wait_seconds", "confidence", "impact_adjustment")
BAD_NUMBERS = (
    '"NaN"',
    "NaN",
    '"Infinity"',
    "-Infinity",
    '"-1"',
    "-1",
    '"0"',
    "0",
    '"1e308"',
    "1e308",
    '"1e9"',
    '"\u0661\u0662"',
    '"\uff11"',
    "true",
    "null",
    "[]",
    '["1"]',
    '{"value":"1"}',
    '""',
    '" 1"',
    '"1%"',
    '"1,000"',
    '"0x1"',
    '"' + "9" * 400 + '"',
    "9" * 400,
)
STRANGE_KEYS = (
    "side",
    "symbol",
    "category",
    "mode",
    "limits",
    "order_id",
    "parent_id",
    "stop",
    "__proto__",
    "",
    "Action",
)
LETTERS = 'abcXYZ019 .,:;-_{}[]"\\/<>\u00e9\u202e\u200b\u4e2d\U0001f4a5'


def valid(random: Random) -> dict:
    """A reply that fits its question."""
    action = random.choice(
        ["AGGRESSIVE", "PASSIVE", "WAIT", "ACCELERATE", "DECELERATE", "SWITCH_STRATEGY", "CANCEL"]
    )
    opens = action not in {"WAIT", "CANCEL"}
    kind = random.choice([None, "LIMIT"]) if opens else None
    rate = {"ACCELERATE": "1.5", "DECELERATE": "0.67"}.get(action, "1")
    return reply(
        action=action,
        strategy=random.choice(sorted(STRATEGIES)) if action == "SWITCH_STRATEGY" else None,
        quantity=random.choice([None, f"{random.randint(1, 10**6)}.{random.randint(0, 999):03d}"])
        if opens
        else None,
        order_type=kind,
        limit_price=f"{random.randint(1, 10**6)}.5" if kind and random.random() < 0.5 else None,
        rate=random.choice([None, rate]) if opens else None,
        wait_seconds=random.choice([None, str(random.randint(0, 3_600))]) if action == "WAIT" else None,
        confidence=f"0.{random.randint(0, 99):02d}",
        impact_adjustment=random.choice(["0.5", "1", "1.25", "2.0"]),
        reasoning="".join(random.choices(LETTERS, k=random.randint(0, 80))),
        risk_assessment="".join(random.choices(LETTERS, k=random.randint(0, 80))),
    )


def mutated(random: Random) -> tuple[str, Raw]:
    """One reply, and what was done to it; often several things."""
    document = valid(random)
    raw = written(random, document)
    names = []
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3))):
        name, change = random.choice(CHANGES)
        names.append(name)
        raw = change(random, document, raw)
    return "+".join(names) or "valid", raw


def written(random: Random, document: dict) -> Raw:
    keys = list(document)
    if random.random() < 0.3:
        random.shuffle(keys)
    text = json.dumps(
        {key: document[key] for key in keys},
        ensure_ascii=random.random() < 0.5,
        indent=random.choice((None, None, 2)),
    )
    return text.encode()


def flip_bytes(random, document, raw):
    changed = bytearray(raw)
    for _ in range(random.randint(1, 4) if raw else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def flip_bit(random, document, raw):
    changed = bytearray(raw)
    if raw:
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def truncate(random, document, raw):
    return raw[: random.randrange(len(raw) + 1)]


def cut_out(random, document, raw):
    at = random.randrange(len(raw) + 1)
    return raw[:at] + raw[at + random.randint(1, 30) :]


def insert(random, document, raw):
    at = random.randrange(len(raw) + 1)
    piece = random.choice(
        (b"\x00", b"\xff", b"\xed\xa0\x80", b"{", b"}", b'"', b",", b"\\", b"\\ud800", b"\n", b"/**/")
    )
    return raw[:at] + piece * random.choice((1, 1, 2, 50)) + raw[at:]


def fence(random, document, raw):
    return (
        random.choice((b"```json\n", b"```\n", b"~~~\n", b"<json>", b"`"))
        + raw
        + random.choice((b"\n```", b"", b"`"))
    )


def think(random, document, raw):
    return b"<think>" + b"The spread {is} wide. " * random.randint(0, 20) + b"</think>\n" + raw


def double(random, document, raw):
    return random.choice((b"", b"\n", b",")).join((raw, raw))


def wrap(random, document, raw):
    before, after = random.choice(
        ((b"[", b"]"), (b'{"advice":', b"}"), (b'"', b'"'), (b"[[", b"]]"), (b"(", b")"))
    )
    return before + raw + after


def text_around(random, document, raw):
    said = random.choice(
        (b"Sure! ", b"Answer:\n", b"\xef\xbb\xbf", "以下です ".encode(), b"// ", b"\x1b[0m", b"\n\n", b"\t")
    )
    return said + raw if random.random() < 0.5 else raw + said


def drop_key(random, document, raw):
    gone = random.choice(list(document))
    return written(random, {key: value for key, value in document.items() if key != gone})


def rename_key(random, document, raw):
    old = random.choice(list(document))
    new = random.choice((old.upper(), old + " ", "_" + old, old[:-1], "\u200b" + old))
    return written(random, {new if key == old else key: value for key, value in document.items()})


def add_key(random, document, raw):
    return written(
        random, {**document, random.choice(STRANGE_KEYS): random.choice(("SELL", "1", None, {}, True))}
    )


def repeat_key(random, document, raw):
    key = random.choice(list(document))
    again = json.dumps(random.choice((document[key], "CANCEL", None)))
    return raw.rstrip()[:-1] + f',"{key}":{again}}}'.encode()


def bad_number(random, document, raw):
    key = random.choice(NUMBERS)
    mark = "@@number@@"
    text = written(random, {**document, key: mark}).decode()
    return text.replace(f'"{mark}"', random.choice(BAD_NUMBERS)).encode()


def times_ten(random, document, raw):
    """A size, price or rate in another unit: ten or a hundred times as much, or as little."""
    key = random.choice(NUMBERS)
    value = document[key] or "1"
    whole = value.split(".")[0]
    other = random.choice(
        (whole + "0", whole + "00", "0." + whole, "0.0" + whole, whole + " USDT", whole + "%")
    )
    return written(random, {**document, key: other})


def bare_number(random, document, raw):
    key = random.choice(NUMBERS)
    return written(
        random, {**document, key: random.choice((0.5, 1, -1, 10**30, 1e308, 0, True, None, [], {}))}
    )


def other_identity(random, document, raw):
    key = random.choice(("decision_id", "snapshot_hash"))
    value = random.choice(("P1-6", "P2-7", "p1-7", "", "0" * 16, "P1-7\u200b", None, document[key][::-1]))
    return written(random, {**document, key: value})


def other_word(random, document, raw):
    key = random.choice(("action", "strategy", "order_type"))
    words = (
        "BUY",
        "SELL",
        "WITHDRAW",
        "market",
        "STOP",
        "twap",
        "SWITCH_STRATEGY",
        "CANCEL",
        "WAIT",
        "LIMIT",
        "MARKET",
        "vwap",
    )
    return written(random, {**document, key: random.choice((*words, "", None, 1, [], "\u0430CCELERATE"))})


def nest(random, document, raw):
    depth = random.choice((2, 3, 4, 5, 9, 100, 1_000, 5_000))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}")))
    inner = opening * depth + "1" + closing * random.choice((depth, depth - 1, 0))
    if random.random() < 0.5:
        return inner.encode()
    return written(random, {**document, "reasoning": "@@"}).decode().replace('"@@"', inner).encode()


def long_text(random, document, raw):
    length = random.choice((999, 1_000, 1_001, 5_000, 20_000))
    return written(
        random,
        {**document, random.choice(("reasoning", "risk_assessment")): random.choice("a\u200b漢") * length},
    )


def other_encoding(random, document, raw):
    return raw.decode("utf-8", "replace").encode(
        random.choice(("utf-16", "utf-32", "latin-1", "utf-7")), "replace"
    )


def empty(random, document, raw):
    return random.choice((b"", b" ", b"\n\n", b"{}", b"[]", b"null", b"I cannot help with that."))


CHANGES: tuple[tuple[str, Change], ...] = tuple(
    (change.__name__, change)
    for change in (
        *(flip_bytes, flip_bit, truncate, cut_out, insert, fence, think, double, wrap, text_around),
        *(drop_key, rename_key, add_key, repeat_key, bad_number, times_ten, bare_number, other_identity),
        *(other_word, nest, long_text, other_encoding, empty),
    )
)
