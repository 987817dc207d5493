"""The description of the interface: every route, every field that is read, and nothing that is not so."""

import json
import re

import pytest
from control_double import ControlDouble
from doors import Door

from config.problems import ConfigProblems
from config.secrets import Secret
from executor.interfaces.api import build_app
from executor.interfaces.models import AmendBody, FlowBody, StopBody, SubmitBody, read_body
from executor.interfaces.openapi import BODIES, KEYED


@pytest.fixture(scope="module")
def told():
    app = build_app(ControlDouble(), Secret("x" * 43))
    (route,) = [
        one
        for one in app.router.routes()
        if one.resource.canonical == "/openapi.json" and one.method == "GET"
    ]
    return route.handler.args[0], app


async def test_it_is_open_and_json(door: Door):
    async with door.session.get(f"{door.url}/openapi.json") as answer:
        assert answer.status == 200
        assert (await answer.json())["openapi"] == "3.1.0"


def test_every_route_is_described_and_nothing_else(told):
    document, app = told
    routes = {
        (one.method.lower(), one.resource.canonical) for one in app.router.routes() if one.method != "HEAD"
    }
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert routes == described
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)
    assert all(one["summary"].strip() for methods in document["paths"].values() for one in methods.values())


def test_every_body_and_key_belongs_to_a_route_that_takes_one(told):
    document, _ = told
    posts = {path for path, methods in document["paths"].items() if "post" in methods}
    assert set(BODIES) <= posts
    assert posts >= KEYED
    for path in posts:
        (schema,) = [document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]]
        reference = schema.get("$ref", "")
        assert (
            schema.get("type") == "object"
            or reference.rpartition("/")[2] in document["components"]["schemas"]
        )


def test_every_reference_is_there(told):
    document, _ = told
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names == set(document["components"]["schemas"])


USUAL = {"symbol": "BTCUSDT", "side": "buy", "qty": "1", "residual": "leave", "duration": "10m"}
STRATEGY_FIELDS = {"strategy": "pov"}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (SubmitBody, USUAL),
        (AmendBody, {"qty": "2", "limit_price": "100.5", "duration": 600}),
        (StopBody, {"reason": "because"}),
        (FlowBody, {"coin": "BTC", "source": "me", "inflow": "1.5", "outflow": "0", "span": "1h"}),
    ],
)
def test_what_is_read_is_what_is_described(told, model, values):
    document, _ = told
    schema = document["components"]["schemas"][model.__name__]
    assert set(schema["properties"]) == set(model.model_fields)
    assert read_body(model, values)
    for name, value in values.items():
        form = schema["properties"][name]
        forms = form.get("anyOf", [form])
        assert any(fits(each, value) for each in forms), (name, form)
        wrong = {**values, name: ["no"]}
        with pytest.raises(ConfigProblems):
            read_body(model, wrong)
        assert not any(fits(each, ["no"]) for each in forms)


def fits(form, value):
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": float}
    if not isinstance(value, kinds[form["type"]]):
        return False
    if "enum" in form:
        return value in form["enum"]
    if "pattern" in form:
        return re.search(form["pattern"], value) is not None
    if "minimum" in form:
        return form["minimum"] <= value <= form["maximum"]
    return True
