"""How the model itself goes wrong: its mind, its reply object, its text, and what the envelope says of it. Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from decimal import Decimal
from typing import Final

from sandbox.llm_server.acts import BAD_NUMBERS, POWERS
from sandbox.llm_server.answer import answer, shown
from sandbox.llm_server.completion import Completion
from sandbox.llm_server.faults import Fault
from sandbox.llm_server.no_information import guess
from sandbox.llm_server.question import Facts
from sandbox.llm_server.wire_json import JsonObject, compact, compact_with_raw

PARENTS_MAX: Final = 1_000
HUGE_TOKENS: Final = 10**12
OPPOSITE: Final = {1: "SELL", -1: "BUY"}
LONE_SURROGATE: Final = "\ud800"
"""Can be written in JSON, and is no character: UTF-8 has no bytes for it."""


class LatestIds:
    """The ids of the latest question about each parent order, for answers that mix them up."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def note(self, facts: Facts) -> None:
        """Remember the ids of a question that has been answered."""
        self._latest[facts.parent] = (facts.decision_id, facts.snapshot_hash)
        self._latest.move_to_end(facts.parent)
        while len(self._latest) > PARENTS_MAX:
            self._latest.popitem(last=False)

    def previous(self, facts: Facts) -> tuple[str, str]:
        """Return the ids of the question before this one about the same parent, or what they might have been."""
        return self._latest.get(facts.parent) or (_neighbour(facts, -1), _other_hash(facts))

    def of_another(self, facts: Facts) -> tuple[str, str]:
        """Return the ids of the latest question about another parent, or what they might have been."""
        others = [ids for parent, ids in reversed(self._latest.items()) if parent != facts.parent]
        return others[0] if others else (f"other-{facts.decision_id}", _other_hash(facts))


def possess(fault: Fault, facts: Facts, seed: str) -> tuple[JsonObject, str]:
    """Return what a mind that a rule has taken hold of replies, and what it thinks."""
    match fault.act:
        case "restless":
            return guess(facts, f"{seed}.{fault.fired}")
        case "oscillate":
            action = fault.text("first" if fault.fired % 2 else "second")
        case _:
            action = fault.text("action")
    reply = answer(
        facts,
        action,
        confidence=Decimal("0.9"),
        reasoning=f"{action} is what I always say in such a case.",
        risk="None that I can see.",
        strategy=next((name for name in facts.strategies if name != facts.strategy), None)
        if action == "SWITCH_STRATEGY"
        else None,
        wait_s=facts.wait_s_max if action == "WAIT" else None,
    )
    return reply, f"It has to be {action}."


def damage_reply(fault: Fault, reply: JsonObject, facts: Facts, latest: LatestIds) -> str:
    """Return the text of a reply whose members a rule has changed."""
    match fault.act:
        case "number":
            return compact_with_raw(reply, {fault.text("key"): BAD_NUMBERS[fault.text("number")]})
        case "scale":
            key, factor = fault.text("key"), Decimal(repr(fault.number("factor")))
            told = reply.get(key)
            size = Decimal(told) if isinstance(told, str) and _is_number(told) else facts.slice_qty
            return compact(reply | {key: shown(size * factor)})
        case "quote_for_base":
            return compact(reply | {"quantity": shown(facts.slice_qty * facts.mid)})
        case "price_off":
            px = facts.near_px * Decimal(repr(fault.number("factor")))
            return compact(reply | {"order_type": "LIMIT", "limit_price": shown(px)})
        case "powers":
            power = fault.text("power")
            return compact(
                reply | ({"side": OPPOSITE[facts.side_sign]} if power == "side" else POWERS[power])
            )
        case "swap_id":
            return compact(reply | _other_ids(fault.text("to"), facts, latest))
        case _:
            removed = set(fault.rows("remove"))
            kept = {key: value for key, value in reply.items() if key not in removed}
            return compact(kept | fault.members("set"))


def damage_text(fault: Fault, completion: Completion) -> Completion:
    """Return what is said, with its text changed by a rule."""
    text = completion.content or ""
    match fault.act:
        case "not_json":
            return replace(completion, content=_broken(text, fault.text("kind")))
        case "duplicate_key":
            twice = f",{compact(fault.text('key'))}:{compact(fault.text('value'))}}}"
            return replace(completion, content=text.rstrip().removesuffix("}") + twice)
        case "fences":
            return replace(completion, content=f"```json\n{text}\n```")
        case "two_objects":
            return replace(completion, content=text + text)
        case "leading_text":
            return replace(completion, content=fault.text("text") + text)
        case "trailing_text":
            return replace(completion, content=text + fault.text("text"))
        case "truncated":
            return replace(completion, content=text[: len(text) // 2], finish_reason="length")
        case "empty":
            return replace(completion, content="")
        case "null":
            return replace(completion, content=None)
        case "refusal":
            return replace(completion, content=None, refusal=fault.text("text"))
        case "content_raw":
            return replace(completion, content=fault.text("content"))
        case "big_content":
            return replace(completion, content=" " * fault.whole("bytes") + text)
        case _:
            depth = fault.whole("depth")
            return replace(completion, content="[" * depth + "]" * depth)


def damage_envelope(fault: Fault, completion: Completion) -> Completion:
    """Return what is said, with the words around it changed by a rule."""
    match fault.act:
        case "other_model":
            return replace(completion, model=fault.text("model"))
        case "usage":
            return replace(completion, usage=_lie(fault.text("kind"), completion.usage or {}))
        case "finish":
            return replace(completion, finish_reason=fault.text("finish_reason"))
        case _:
            return replace(completion, choices=fault.whole("count"))


def _other_ids(to: str, facts: Facts, latest: LatestIds) -> JsonObject:
    match to:
        case "decision":
            return {"decision_id": _neighbour(facts, 1)}
        case "snapshot":
            return {"snapshot_hash": _other_hash(facts)}
        case "parent":
            decision_id, snapshot_hash = latest.of_another(facts)
        case _:
            decision_id, snapshot_hash = latest.previous(facts)
    return {"decision_id": decision_id, "snapshot_hash": snapshot_hash}


def _neighbour(facts: Facts, step: int) -> str:
    """Return the id of the decision before or after, as far as it ends in a number."""
    parent, dash, number = facts.decision_id.rpartition("-")
    counted = number.isascii() and number.isdecimal()
    return f"{parent}{dash}{int(number) + step if counted else number + '0'}"


def _other_hash(facts: Facts) -> str:
    digest = hashlib.sha256(facts.snapshot_hash.encode()).hexdigest()
    return digest[: len(facts.snapshot_hash)] or digest[:16]


def _broken(text: str, kind: str) -> str:
    match kind:
        case "trailing_comma":
            return text.rstrip().removesuffix("}") + ",}"
        case "single_quotes":
            return text.replace('"', "'")
        case "comment":
            return text.replace("{", "{/* as advised */", 1)
        case "prose":
            return "I would wait for a better price; the book looks thin."
        case "unclosed":
            return text.rstrip().removesuffix("}")
        case "array":
            return f"[{text}]"
        case "lines":
            return f"{text}\n{text}\n"
        case "bom":
            return f"\ufeff{text}"
        case _:
            return text.replace("{", '{"' + LONE_SURROGATE + '":"",', 1)


def _lie(kind: str, usage: JsonObject) -> JsonObject | None:
    if kind == "missing":
        return None
    if kind == "text":
        return {key: str(value) for key, value in usage.items() if isinstance(value, int)}
    tokens = {"zero": 0, "huge": HUGE_TOKENS, "negative": -1}[kind]
    return {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": 2 * tokens}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
