"""The HTTP interface in OpenAPI's words: drawn from the routes, from what they say of themselves, and from the bodies.

What a body may hold is written once, in the models that read it; nothing of it is repeated here.
"""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from executor.interfaces.answer_shapes import SHAPES, shape_schema
from executor.interfaces.basket_body import BasketBody
from executor.interfaces.board_doors import CodeBody, SessionBody
from executor.interfaces.guard import OPEN_FOLDER, OPEN_PATHS
from executor.interfaces.journal_body import JournalQuery
from executor.interfaces.kinds import Form
from executor.interfaces.limit_body import TightenBody
from executor.interfaces.models import AmendBody, Body, EmptyBody, FlowBody, NewsBody, StopBody, SubmitBody
from executor.interfaces.plan_body import PlanBody
from executor.interfaces.route_body import NOT_ROUTED, RouteAmendBody, RouteBody

BODIES: Final[Mapping[str, type[Body]]] = {
    "/v1/parents": SubmitBody,
    "/v1/parents/{parent_id}/amend": AmendBody,
    "/v1/baskets": BasketBody,
    "/v1/routes": RouteBody,
    "/v1/route-plan": RouteBody,
    "/v1/routes/{route_id}/amend": RouteAmendBody,
    "/v1/halt": StopBody,
    "/v1/rearm": StopBody,
    "/v1/news": NewsBody,
    "/v1/exchange-flow": FlowBody,
    "/v1/limits/tighten": TightenBody,
    "/v1/plan": PlanBody,
    "/v1/board/codes": CodeBody,
    "/board/session": SessionBody,
}
"""What each route takes; a route that is not named takes no field at all."""
QUERIES: Final[Mapping[str, type[Body]]] = {"/v1/journal": JournalQuery}
"""What routes read of a query; every other one under /v1/ refuses any."""
_ORDER: Final = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
_ROUTED: Final = {name: value for name, value in _ORDER.items() if name != "symbol"} | {
    "route": ["linear:BTCUSDT", "spot:BTCUSDT"]
}
_STOP: Final = {"operator": "ann", "reason": "the market is strange"}
EXAMPLES: Final[Mapping[str, Mapping[str, object]]] = {
    "/v1/parents": _ORDER,
    "/v1/parents/{parent_id}/amend": {"duration": "45m", "urgency": "HIGH"},
    "/v1/baskets": {"name": "two", "orders": [_ORDER, {**_ORDER, "symbol": "ETHUSDT", "qty": "20"}]},
    "/v1/routes": _ROUTED,
    "/v1/route-plan": _ROUTED,
    "/v1/routes/{route_id}/amend": {"qty": "2"},
    "/v1/halt": _STOP,
    "/v1/rearm": {**_STOP, "reason": "looked at the account, all is well"},
    "/v1/news": {"source": "desk", "text": "the exchange announced maintenance at 14:00 UTC"},
    "/v1/exchange-flow": {
        "coin": "BTC",
        "source": "desk",
        "inflow": "900",
        "outflow": "1200.5",
        "span": "1h",
    },
    "/v1/limits/tighten": {**_STOP, "limit": "child_notional_max", "value": "5000"},
    "/v1/plan": _ORDER,
    "/v1/board/codes": {"read_only": True},
    "/board/session": {"code": "the-code-that-executor-board-printed"},
}
"""A body that each route reads; a route that is not named reads an empty object."""
KEYED: Final = frozenset({"/v1/parents", "/v1/baskets", "/v1/routes"})
"""Routes that want an idempotency key."""
EVENTS: Final = "/v1/stream"
_SCHEMA: Final = "#/components/schemas/{model}"
_ALWAYS: Final[Mapping[int, str]] = {
    400: "HTTP, JSON_STRICT, FIELD: not a well-formed request, or fields that are not known.",
    401: "AUTH: no valid token.",
    403: "HOST, ORIGIN: meant for another server, or from another web page.",
    429: "BUSY: too many requests at once; Retry-After says when to ask again.",
    500: "INTERNAL: a fault of the program, told by an id that is in the log of the daemon.",
}
_OF_BODIES: Final[Mapping[int, str]] = {
    408: "SLOW: the body did not come in time.",
    413: "SIZE: the body is too large.",
    415: "CONTENT_TYPE: the body is not JSON in UTF-8.",
    422: "What is asked cannot be: each problem with its field, what is allowed, and what to do next.",
}
_OF_VERBS: Final[Mapping[int, str]] = {
    409: "Its state, or another order, does not allow it; or the key was used with another body.",
    412: "VERSION: it was changed meanwhile.",
    423: "HALTED, DRAINING: nothing may be opened now.",
    504: "TIMEOUT: no answer in time; it is not known whether the request was accepted.",
}
_OF_PLACES: Final[Mapping[int, str]] = {
    404: "There is nothing of that name.",
    503: "What it would be read from cannot be read just now.",
}
_REFERENCE: Final = re.compile(r"#/components/schemas/(\w+)")
_PART: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = r"^[A-Za-z0-9_-]{1,64}$"
Json = dict[str, object]


class ErrorRecord(BaseModel):
    """What is wrong, and how to mend it."""

    model_config = ConfigDict(extra="forbid")

    code: str
    where: str
    got: str
    allowed: str
    next: str


class ErrorAnswer(BaseModel):
    """The one form of every refusal: one record, or several at once."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorRecord | list[ErrorRecord]


def document(routes: Iterable[web.RouteDef], version: str) -> Json:
    """Describe every route."""
    schemas = _schemas()
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "executor",
            "version": version,
            "description": "Works large orders on Bybit as many small safe ones. Listens on this machine alone.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "responses": {
                f"refused_{status}": _refused(words)
                for status, words in sorted({**_ALWAYS, **_OF_BODIES, **_OF_VERBS, **_OF_PLACES}.items())
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _schemas() -> Json:
    """Every body and the form of errors; a field that is read in a way of its own says how it is written."""
    models: list[type[BaseModel]] = [EmptyBody, ErrorAnswer, *dict.fromkeys(BODIES.values())]
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMA)
    schemas: Json = made["$defs"]
    for model in models:
        told = schemas[model.__name__]
        assert isinstance(told, dict)
        for name, field in model.model_fields.items():
            forms = [kind.written for kind in field.metadata if isinstance(kind, Form)]
            if forms:
                usual = told["properties"][name].get("default")
                told["properties"][name] = dict(forms[0]) | ({} if usual is None else {"default": usual})
    schemas[RouteBody.__name__] = _routed(schemas)
    return _used(schemas, {model.__name__ for model in models})


def _routed(schemas: Json) -> Json:
    """A routed order says its legs, and what a parent order says beside its market."""
    legs, alone = schemas[RouteBody.__name__], schemas[SubmitBody.__name__]
    assert isinstance(legs, dict)
    assert isinstance(alone, dict)
    shared = {name: form for name, form in alone["properties"].items() if name not in NOT_ROUTED}
    required = [name for name in alone["required"] if name not in NOT_ROUTED]
    return {
        **legs,
        "properties": shared | legs["properties"],
        "required": [*required, *legs.get("required", ())],
    }


def _used(schemas: Json, wanted: set[str]) -> Json:
    """Leave out what nothing refers to any more."""
    before: set[str] = set()
    while wanted != before:
        before = set(wanted)
        wanted |= set(_REFERENCE.findall(json.dumps([schemas[name] for name in sorted(wanted)])))
    return {name: schemas[name] for name in sorted(wanted)}


def _operation(route: web.RouteDef) -> Json:
    handler = route.handler
    verb = ""
    if isinstance(handler, partial):
        verb, handler = str(handler.keywords.get("verb", "")), handler.func
    told = inspect.getdoc(handler) or ""
    summary = told.partition("\n")[0]
    parts: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": _NAME}}
        for name in _PART.findall(route.path)
    ]
    parts += _query(route.path)
    operation: Json = {
        "operationId": "_".join(filter(None, (handler.__name__.strip("_"), verb, *_words(route.path)))),
        "summary": f"{summary} ({verb})" if verb else summary,
        "tags": [_words(route.path)[0] if _words(route.path) else "board"],
        "responses": _responses(route),
    }
    if route.path in KEYED and route.method == "POST":
        parts.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "A new one for every new order; the same again gives the first answer again.",
                "schema": {"type": "string", "pattern": _NAME},
            }
        )
    if parts:
        operation["parameters"] = parts
    if route.method == "POST":
        model = BODIES.get(route.path, EmptyBody)
        schema = {"$ref": _SCHEMA.format(model=model.__name__)}
        content = {"schema": schema, "example": EXAMPLES.get(route.path, {})}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if route.path in OPEN_PATHS or route.path.startswith(OPEN_FOLDER):
        operation["security"] = []
    return operation


def _query(path: str) -> list[Json]:
    """What a route reads of its query."""
    model = QUERIES.get(path)
    if model is None:
        return []
    found: list[Json] = []
    for name, field in model.model_fields.items():
        (form,) = [dict(kind.written) for kind in field.metadata if isinstance(kind, Form)]
        usual = {} if field.default == "" else {"default": field.default}
        example = {"example": field.default} if usual else {}
        found.append({"name": name, "in": "query", "required": False, "schema": form | usual, **example})
    return found


def _responses(route: web.RouteDef) -> Json:
    fine: Json = {"description": "Done.", "content": {_kind(route): {"schema": _shape(route)}}}
    found: Json = {"200": fine, **{str(status): _refusal(status) for status in _refusals(route)}}
    if route.method == "POST":
        found["201"] = fine
    if route.path == "/":
        found["302"] = {"description": "The board."}
    if route.path == "/ready":
        found["503"] = fine
    found["default"] = _refused("Refused: what is wrong, what is allowed, and what to do next.")
    return found


def _refusals(route: web.RouteDef) -> list[int]:
    """Statuses with which a route may refuse, beside those that nobody foresees."""
    statuses = set(_ALWAYS)
    if route.path in OPEN_PATHS or route.path.startswith(OPEN_FOLDER):
        statuses -= set() if route.path == "/board/session" else {401}
    if "{" in route.path:
        statuses.add(404)
    if route.path in QUERIES:
        statuses |= {404, 422, 503}
    if route.method == "POST":
        statuses |= set(_OF_BODIES)
    if route.method == "POST" and route.path.startswith("/v1/") and not route.path.startswith("/v1/board/"):
        statuses |= {*_OF_VERBS, 404}
    return sorted(statuses)


def _refusal(status: int) -> Json:
    return {"$ref": f"#/components/responses/refused_{status}"}


def _refused(words: str) -> Json:
    schema = {"$ref": _SCHEMA.format(model=ErrorAnswer.__name__)}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _kind(route: web.RouteDef) -> str:
    if route.path.startswith(EVENTS):
        return "text/event-stream"
    is_json = route.path.startswith("/v1/") or f"{route.method} {route.path}" in SHAPES
    return "application/json" if is_json or route.path == "/openapi.json" else "*/*"


def _shape(route: web.RouteDef) -> Json:
    name = f"{route.method} {route.path}"
    return shape_schema(name) if name in SHAPES else {}


def _words(path: str) -> list[str]:
    words = [word for word in path.split("/") if word and "{" not in word and word != "v1"]
    return [re.sub(r"\W", "_", word) for word in words]
