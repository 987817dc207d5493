"""Structured output: which JSON schemas are accepted as strict, and holding a value to one. Pure.

As with real providers, shape and lists of allowed values are enforced; ranges and patterns are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

Schema = Mapping[str, object]
DEPTH_MAX: Final = 10
_BLANKS: Final[dict[str, object]] = {"string": "", "number": 0, "integer": 0, "boolean": False, "null": None}


def strict_problem(schema: object) -> str:
    """Return why a schema is not accepted as strict, empty if it is."""
    if not isinstance(schema, dict):
        return "schema must be an object"
    if _kinds(schema) != ("object",):
        return "schema must have type 'object' at the top level"
    return next(_problems(schema, schema, "()", 0), "")


def conform(value: object, schema: Schema) -> object:
    """Return the value that is nearest to ``value`` and has the shape of a schema that is accepted as strict."""
    return _conform(value, schema, schema)


def _problems(node: Schema, root: Schema, place: str, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        yield f"In context={place}, more than {DEPTH_MAX} levels of nesting."
        return
    if "$ref" in node:
        if not _is_reference(node, root):
            yield f"In context={place}, reference can only point to definitions defined at the top level."
            return
        yield from _problems(_resolved(node, root), root, place, depth + 1)
        return
    branches = node.get("anyOf")
    if isinstance(branches, list):
        for number, branch in enumerate(branches):
            yield from _problems(_schema(branch), root, f"{place}.anyOf.{number}", depth + 1)
        return
    kinds = _kinds(node)
    if not kinds and "enum" not in node and "const" not in node:
        yield f"In context={place}, schema must have a 'type' key."
    if "object" in kinds:
        members = _schema(node.get("properties"))
        required = node.get("required")
        if node.get("additionalProperties") is not False:
            yield f"In context={place}, 'additionalProperties' is required to be supplied and to be false."
        if not isinstance(required, list) or set(required) != set(members):
            yield f"In context={place}, 'required' is required to be an array including every key in properties."
        for name, member in members.items():
            yield from _problems(_schema(member), root, f"{place}.{name}", depth + 1)
    if "array" in kinds:
        if not isinstance(node.get("items"), dict):
            yield f"In context={place}, array schema missing items."
        else:
            yield from _problems(_schema(node["items"]), root, f"{place}.items", depth + 1)


def _conform(value: object, node: Schema, root: Schema) -> object:
    node = _resolved(node, root)
    branches = node.get("anyOf")
    if isinstance(branches, list) and branches:
        chosen = next((branch for branch in branches if _fits(value, _schema(branch), root)), branches[0])
        return _conform(value, _schema(chosen), root)
    allowed = node.get("enum", [node["const"]] if "const" in node else None)
    if isinstance(allowed, list) and allowed:
        return value if value in allowed else allowed[0]
    kinds = _kinds(node)
    kind = next((each for each in kinds if _is_kind(value, each)), kinds[0] if kinds else "null")
    match kind:
        case "object":
            given = value if isinstance(value, dict) else {}
            members = _schema(node.get("properties"))
            return {
                name: _conform(given.get(name), _schema(member), root) for name, member in members.items()
            }
        case "array":
            rows = value if isinstance(value, list) else []
            return [_conform(row, _schema(node.get("items")), root) for row in rows]
        case "number" | "integer" if not _is_kind(value, kind):
            number = _as_number(value)
            return int(number) if kind == "integer" else float(number)
        case "string" if value is not None and not isinstance(value, str | dict | list):
            return str(value)
    return value if _is_kind(value, kind) else _BLANKS[kind]


def _fits(value: object, node: Schema, root: Schema) -> bool:
    node = _resolved(node, root)
    branches = node.get("anyOf")
    if isinstance(branches, list):
        return any(_fits(value, _schema(branch), root) for branch in branches)
    allowed = node.get("enum", [node["const"]] if "const" in node else None)
    if isinstance(allowed, list):
        return value in allowed
    return any(_is_kind(value, kind) for kind in _kinds(node))


def _is_kind(value: object, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return value is None


def _as_number(value: object) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)


def _kinds(node: Schema) -> tuple[str, ...]:
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return tuple(each for each in kinds if isinstance(each, str))


def _resolved(node: Schema, root: Schema) -> Schema:
    for _ in range(DEPTH_MAX):
        if "$ref" not in node or not _is_reference(node, root):
            return node
        node = _schema(_schema(root.get("$defs"))[str(node["$ref"]).removeprefix("#/$defs/")])
    return {}


def _is_reference(node: Schema, root: Schema) -> bool:
    place = str(node["$ref"])
    return place.startswith("#/$defs/") and place.removeprefix("#/$defs/") in _schema(root.get("$defs"))


def _schema(value: object) -> Schema:
    return value if isinstance(value, dict) else {}
