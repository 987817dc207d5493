"""The page of the HTTP interface: every route and every body, drawn from the document that the daemon serves."""

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Final

from aiohttp import web
from pages import table

from config.secrets import Secret
from executor.interfaces.api import OPENAPI_PATH, build_app
from executor.interfaces.token import TOKEN_CHARS_MIN

_METHODS: Final = ("get", "post")


def interface_page() -> Iterator[str]:
    """Give the blocks of the page."""
    document = described()
    yield (
        "The daemon listens on this machine alone. Its address and the path of its token stand in `control.json` of "
        "the data directory; a request carries `Authorization: Bearer` and the content of `control.token`. A "
        "session of the board may carry its own. The same page for programs: `/openapi.json`, OpenAPI 3.1."
    )
    yield (
        "A body is JSON in UTF-8 without unknown fields, sent whole and soon. A refusal has one form everywhere: "
        "`error` with `code`, `where`, `got`, `allowed` and `next`, one record or several. What a request asks of the "
        "engine is answered when it is in the journal. A request that was not answered is repeated with the **same** "
        "`Idempotency-Key`: it gives the first answer again."
    )
    yield "## Routes"
    yield table(
        ("route", "what it does", "body", "needs"),
        (
            (
                f"`{method.upper()} {path}`",
                str(told["summary"]),
                _body_of(told),
                "nothing" if told.get("security") == [] else "the token",
            )
            for path, methods in document["paths"].items()
            for method, told in sorted(methods.items(), key=lambda pair: _METHODS.index(pair[0]))
        ),
    )
    yield "## Bodies"
    for name, schema in document["components"]["schemas"].items():
        properties = schema.get("properties", {})
        if schema.get("type") != "object" or name.startswith("Error") or not properties:
            continue
        required = set(schema.get("required", ()))
        yield f"### {name}"
        yield str(schema.get("description", ""))
        yield table(
            ("field", "required", "what may be written"),
            (
                (f"`{field}`", "yes" if field in required else "", form(told))
                for field, told in properties.items()
            ),
        )


def described() -> dict[str, Any]:
    """The document that a daemon serves, without one: it is drawn from routes and bodies alone."""
    nobody = SimpleNamespace(info=SimpleNamespace(version=""))
    app = build_app(nobody, Secret("x" * TOKEN_CHARS_MIN))
    (route,) = (
        one
        for one in app.router.routes()
        if one.resource is not None and one.resource.canonical == OPENAPI_PATH and one.method == "GET"
    )
    return json.loads(json.dumps(_told_by(route)))


def _told_by(route: web.AbstractRoute) -> object:
    handler = route.handler
    return handler.args[0]


def _body_of(told: Mapping[str, Any]) -> str:
    if "requestBody" not in told:
        return ""
    name = told["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return "`{}`" if name == "EmptyBody" else f"[{name}](#{name.lower()})"


def form(told: Mapping[str, Any]) -> str:
    """Say in words what a schema takes."""
    if "anyOf" in told:
        return " or ".join(dict.fromkeys(form(one) for one in told["anyOf"] if one.get("type") != "null"))
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if "const" in told:
        return f"`{told['const']}`"
    kind = str(told.get("type", "anything"))
    if kind == "array":
        return f"a list of {form(told.get('items', {}))}"
    words = str(told.get("description", "")) or {"boolean": "`true` or `false`"}.get(kind, kind)
    low, high = told.get("minimum"), told.get("maximum")
    if low is not None and high is not None:
        words = f"{words}, {low} to {high}"
    return words
