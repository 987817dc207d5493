"""The pages of commands and of the HTTP interface leave nothing out, and say something of each."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from config.secrets import Secret
from executor.interfaces.api import build_app
from executor.interfaces.cli import app
from executor.interfaces.openapi import BODIES
from executor.interfaces.route_body import NOT_ROUTED, RouteBody
from tests.docs.written_commands import ROOT
from tests.interfaces.control_double import ControlDouble

COMMANDS = (ROOT / "docs/reference/cli.md").read_text()
INTERFACE = (ROOT / "docs/reference/http.md").read_text()


def leaves(group, words=("executor",)):
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from leaves(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


LEAVES = dict(leaves(get_command(app)))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_its_part_with_every_option_and_what_it_means(name):
    part = COMMANDS.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    command = LEAVES[name]
    first = command.help.partition("\n")[0].rstrip(".")
    assert first.split(" (docs/")[0] in part
    rows = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", part, re.MULTILINE))
    for parameter in command.params:
        if parameter.param_type_name != "option" or parameter.hidden:
            continue
        (text,) = (text for shown, text in rows.items() if parameter.opts[-1] in re.split(r"[\s,;/]+", shown))
        assert len(text) > 8, f"{name} says nothing of {parameter.opts[-1]}"


def test_no_command_is_told_of_that_is_not_there():
    told = set(re.findall(r"^## `(executor [^`]+)`$", COMMANDS, re.MULTILINE))
    groups = {name.rpartition(" ")[0] for name in LEAVES}
    assert told - groups == set(LEAVES)


def test_every_route_and_every_field_of_a_body_has_a_row():
    application = build_app(ControlDouble(), Secret("x" * 43))
    for route in application.router.routes():
        if route.method != "HEAD" and route.resource.canonical != "/openapi.json":
            assert f"| `{route.method} {route.resource.canonical}` | " in INTERFACE
    for model in BODIES.values():
        part = INTERFACE.partition(f"\n### {model.__name__}\n")[2].partition("\n### ")[0]
        for name in model.model_fields:
            left_out = model is RouteBody and name in NOT_ROUTED
            assert (f"| `{name}` | " in part) is not left_out, (model, name)
