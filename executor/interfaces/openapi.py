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

from executor.interfaces.basket_body import BasketBody
from executor.interfaces.board_doors import CodeBody, SessionBody
from executor.interfaces.guard import OPEN_FOLDER, OPEN_PATHS
from executor.interfaces.kinds import Form
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
    "/v1/plan": PlanBody,
    "/v1/board/codes": CodeBody,
    "/board/session": SessionBody,
}
"""What each route takes; a route that is not named takes no field at all."""
KEYED: Final = frozenset({"/v1/parents", "/v1/baskets", "/v1/routes"})
"""Routes that want an idempotency key."""
EVENTS: Final = "/v1/stream"
_SCHEMA: Final = "#/components/schemas/{model}"
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
                told["properties"][name] = dict(forms[0])
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
        verb, handler = str(handler.keywords["verb"]), handler.func
    told = inspect.getdoc(handler) or ""
    summary = told.partition("\n")[0]
    parts: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": _NAME}}
        for name in _PART.findall(route.path)
    ]
    operation: Json = {
        "operationId": "_".join(filter(None, (handler.__name__, verb, *_words(route.path)))),
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
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if route.path in OPEN_PATHS or route.path.startswith(OPEN_FOLDER):
        operation["security"] = []
    return operation


def _responses(route: web.RouteDef) -> Json:
    wrong = {
        "description": "Refused: what is wrong, what is allowed, and what to do next.",
        "content": {"application/json": {"schema": {"$ref": _SCHEMA.format(model="ErrorAnswer")}}},
    }
    kind = "application/json"
    if route.path.startswith(EVENTS):
        kind = "text/event-stream"
    elif not route.path.startswith("/v1/") and route.path not in {"/health", "/ready", "/board/session"}:
        kind = "*/*"
    fine: Json = {"description": "Done.", "content": {kind: {"schema": {}}}}
    found: Json = {"200": fine, "default": wrong}
    if route.method == "POST":
        found["201"] = fine
    if route.path == "/":
        found["302"] = {"description": "The board."}
    if route.path == "/ready":
        found["503"] = fine
    return found


def _words(path: str) -> list[str]:
    words = [word for word in path.split("/") if word and "{" not in word and word != "v1"]
    return [re.sub(r"\W", "_", word) for word in words]
