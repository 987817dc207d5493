"""A page to read the interface by: drawn from its description on the server, without a script, every word as text."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web

from executor.interfaces.board_doors import HEADERS

PATH: Final = "/docs"
STYLE_PATH: Final = "/docs/page.css"
_STYLE: Final = Path(__file__).with_name("api_page.css")
_NAMES: Final[Mapping[str, str]] = {
    "parents": "Parent orders",
    "baskets": "Baskets",
    "routes": "Routed orders",
    "plan": "Plans",
    "route_plan": "Plans of routed orders",
    "limits": "Limits",
    "halt": "Halt",
    "rearm": "Rearm",
    "journal": "Journal",
    "status": "State of the daemon",
    "news": "News",
    "exchange_flow": "Flows of coins",
    "stream": "Server-sent events",
    "board": "The board",
    "docs": "This page",
    "health": "Health",
    "ready": "Ready",
    "metrics": "Metrics",
    "openapi_json": "The description itself",
}
_FIRST: Final = tuple(_NAMES)
_INTRO: Final = (
    "Every route under /v1/ wants the header Authorization: Bearer and the content of the token file, whose path is in"
    " control.json in the data directory. Bodies are JSON objects in UTF-8; a field that is not known is refused."
    " Numbers of money and quantity are text in plain digits. Only this machine is listened to, and no web page but the"
    " daemon's own."
)
_REFUSED: Final = (
    "Every refusal has one form: an object error, or a list of them, with code, where, got, allowed and next."
    " The codes are explained in docs/reference/refusals.md."
)
Json = Mapping[str, object]


class ApiPage:
    """The page and its style.

    Parameters
    ----------
    told
        The description of the interface; it may be filled in later.
    """

    def __init__(self, told: Json) -> None:
        self._told = told

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        return [web.get(PATH, self.page), web.get(STYLE_PATH, self.style)]

    async def page(self, _request: web.Request) -> web.Response:
        """Give the page to read this interface by; it holds no data and no secret."""
        text = page_of(self._told)
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=HEADERS)

    async def style(self, _request: web.Request) -> web.Response:
        """Give the style of that page."""
        return web.Response(text=_style(), content_type="text/css", charset="utf-8", headers=HEADERS)


@cache
def _style() -> str:
    return _STYLE.read_text()


def page_of(told: Json) -> str:
    """Draw the page."""
    groups = _groups(told)
    info = _object(told["info"])
    contents = _list(_link(f"#{tag}", _NAMES.get(tag, tag)) for tag in groups)
    schemas = _object(_object(told["components"])["schemas"])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(str(info['title']))}: the HTTP interface</title>",
        '<link rel="icon" href="/board/icon.svg" type="image/svg+xml">',
        f'<link rel="stylesheet" href="{STYLE_PATH}"></head><body>',
        '<a class="skip" href="#main">To the routes</a>',
        f"<header><h1>{escape(str(info['title']))} <small>version {escape(str(info['version']))}</small></h1>",
        f"<p>{escape(str(info['description']))} {_link('/openapi.json', 'openapi.json')}</p></header>",
        f'<nav aria-label="Groups">{contents}</nav>',
        f'<main id="main"><p>{escape(_INTRO)}</p><p>{escape(_REFUSED)}</p>',
        *(_group(tag, operations, told) for tag, operations in groups.items()),
        '<section id="bodies"><h2>Bodies</h2>',
        *(_schema(name, _object(schema)) for name, schema in schemas.items()),
        "</section></main></body></html>",
    ]
    return "\n".join(parts)


def _groups(told: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """Put the operations into groups: orders first, then what stops them, then the rest."""
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in _object(told["paths"]).items():
        for method, operation in _object(methods).items():
            (tag,) = _items(_object(operation)["tags"])
            found.setdefault(str(tag), []).append((method.upper(), path, _object(operation)))
    order = {tag: place for place, tag in enumerate(_FIRST)}
    return dict(sorted(found.items(), key=lambda group: order.get(group[0], len(order))))


def _group(tag: str, operations: Sequence[tuple[str, str, Json]], told: Json) -> str:
    inner = "\n".join(_operation(method, path, one, told) for method, path, one in operations)
    return f'<section id="{escape(tag)}"><h2>{escape(_NAMES.get(tag, tag))}</h2>\n{inner}</section>'


def _operation(method: str, path: str, operation: Json, told: Json) -> str:
    summary = (
        f'<summary><span class="verb {method.lower()}">{method}</span> <code>{escape(path)}</code>'
        f' <span class="words">{escape(str(operation["summary"]))}</span></summary>'
    )
    open_ = "" if "security" not in operation else "<p>Needs no token.</p>"
    name = escape(str(operation["operationId"]))
    parts = "\n".join(filter(None, (_parameters(operation), _body(operation), _answer(operation))))
    refusals = _refusals(operation, told)
    return (
        f'<details id="{name}">{summary}<div class="inner">{open_}{parts}{refusals}'
        f"<h3>Example</h3><pre>{escape(_example(method, path, operation))}</pre></div></details>"
    )


def _parameters(operation: Json) -> str:
    rows = [
        (
            _code(str(one["name"])),
            escape(str(one["in"])),
            "required" if one["required"] else "optional",
            _form(_object(one["schema"]))
            + (f". {escape(str(one['description']))}" if "description" in one else ""),
        )
        for one in map(_object, _items(operation.get("parameters", [])))
    ]
    return _table("Parameters", ("name", "in", "needed", "form"), rows)


def _body(operation: Json) -> str:
    if "requestBody" not in operation:
        return ""
    content = _object(_object(_object(operation["requestBody"])["content"])["application/json"])
    return f"<h3>Body</h3><p>{_form(_object(content['schema']))}</p>"


def _answer(operation: Json) -> str:
    fine = _object(_object(operation["responses"])["200"])
    ((kind, held),) = _object(fine["content"]).items()
    fields = _object(_object(_object(held)["schema"]).get("properties", {}))
    rows = [
        (_code(name), escape(_type(_object(form))), escape(str(_object(form)["description"])))
        for name, form in fields.items()
    ]
    if not rows:
        return f"<h3>Answer</h3><p>{_code(kind)}</p>"
    return _table("Answer", ("field", "form", "what it is"), rows)


def _refusals(operation: Json, told: Json) -> str:
    shared = _object(_object(told["components"])["responses"])
    rows = []
    for status, answer in _object(operation["responses"]).items():
        reference = str(_object(answer).get("$ref", ""))
        if reference:
            words = _object(shared[reference.rpartition("/")[2]])["description"]
            rows.append((_code(status), escape(str(words))))
    return _table("Refusals", ("status", "why"), rows)


def _example(method: str, path: str, operation: Json) -> str:
    """The request as a command."""
    words = ["curl", "-sS"]
    if "security" not in operation:
        words += ["-H", "Authorization: Bearer TOKEN"]
    for one in map(_object, _items(operation.get("parameters", []))):
        if one["in"] == "header":
            words += ["-H", f"{one['name']}: my-key-1"]
    if "requestBody" in operation:
        content = _object(_object(_object(operation["requestBody"])["content"])["application/json"])
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(content["example"])]
    place = path
    for part, name in (("parent_id", "P1"), ("basket_id", "B1"), ("route_id", "R1"), ("decision_id", "P1-1")):
        place = place.replace(f"{{{part}}}", name)
    asked = [one for one in map(_object, _items(operation.get("parameters", []))) if one["in"] == "query"]
    query = (
        "?" + "&".join(f"{one['name']}={one['example']}" for one in asked if "example" in one)
        if asked
        else ""
    )
    return " ".join(shlex.quote(word) for word in [*words, f"http://127.0.0.1:8720{place}{query}"])


def _schema(name: str, schema: Json) -> str:
    required = set(map(str, _items(schema.get("required", []))))
    rows = [
        (
            _code(field),
            "required" if field in required else "optional",
            _form(_object(form)) + _usual(_object(form)),
        )
        for field, form in _object(schema.get("properties", {})).items()
    ]
    words = escape(str(schema.get("description", "")).partition("\n")[0])
    table = _table("", ("field", "needed", "form"), rows) if rows else "<p>No field.</p>"
    return f'<section id="body-{escape(name)}"><h3>{escape(name)}</h3><p>{words}</p>{table}</section>'


def _usual(form: Json) -> str:
    return f"; usually {_code(json.dumps(form['default']))}" if form.get("default") not in (None, "") else ""


def _form(schema: Json) -> str:
    """Say in words which values a schema takes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _link(f"#body-{name}", name)
    if "anyOf" in schema:
        each = [_form(_object(one)) for one in _items(schema["anyOf"]) if _object(one).get("type") != "null"]
        return " or ".join(each)
    parts = [escape(str(schema["description"]))] if "description" in schema else []
    if "enum" in schema:
        parts.append(f"one of {', '.join(_code(str(one)) for one in _items(schema['enum']))}")
    elif schema.get("type") == "array":
        within = _object(schema.get("items", {}))
        parts.append(f"a list of {_form(within)}" if within else "a list")
    elif not parts or "minimum" in schema:
        parts.append(escape(_type(schema) + _range(schema)))
    if "pattern" in schema and not parts:
        parts.append(_code(str(schema["pattern"])))
    return "; ".join(parts)


def _range(schema: Json) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        return f", at most {schema['maxLength']} characters"
    return ""


_TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
}


def _type(schema: Json) -> str:
    kinds = schema.get("type", "anything")
    names = [str(kind) for kind in kinds] if isinstance(kinds, list) else [str(kinds)]
    return " or ".join(_TYPES.get(name, name) for name in names)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table; its cells are HTML already."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    above = f"<h3>{escape(title)}</h3>" if title else ""
    return f"{above}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _object(value: object) -> Json:
    assert isinstance(value, Mapping), "the description has an object here"
    return value


def _items(value: object) -> Iterator[object]:
    assert isinstance(value, list), "the description has a list here"
    return iter(value)
