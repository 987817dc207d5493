"""The page about the language model is true: its code runs, its requests are understood, and it leaves nothing out."""

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import pytest

from sandbox.llm_server import policy, running_llm_server
from sandbox.llm_server.acts import ACTS
from sandbox.llm_server.models import MODELS, Format
from sandbox.llm_server.policy import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "language-model.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CONTROL = [
    line.split(" ", 2)
    for block in re.findall(r"^```control\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def rows_below(heading):
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


async def test_the_code_runs_as_it_stands_but_for_the_port(capsys):
    async with running_llm_server() as server:
        for block in CODE:
            here = block.replace("http://127.0.0.1:8767/v1", server.base_url)
            assert here != block
            await asyncio.to_thread(exec, here, {})
    assert "3.5 % behind schedule" in capsys.readouterr().out


async def test_control_requests_are_understood():
    async with running_llm_server() as server, aiohttp.ClientSession(server.control_url) as session:
        for method, path, body in CONTROL:
            async with session.request(method, path, json=json.loads(body)) as response:
                assert response.status == 200, (body, await response.text())
        named = re.findall(r"`(?:(GET|DELETE) )(/_\w+)(?:\?id=N)?`", PAGE)
        assert len(named) >= 4
        for method, path in named:
            async with session.request(method, path) as response:
                assert response.status == 200


def test_every_act_has_an_example():
    bodies = [json.loads(body) for _, path, body in CONTROL if path == "/_fault"]
    assert [body["act"] for body in bodies if "act" in body] != []
    assert {body["act"] for body in bodies} == set(ACTS)
    for act, known in ACTS.items():
        shown = set().union(*(body.keys() for body in bodies if body["act"] == act))
        assert shown >= set(known.details) - {"message", "code"}, act


def test_the_table_of_models_is_the_table_of_the_code():
    rows = rows_below("Models")
    assert [row[0].strip("`") for row in rows] == list(MODELS)
    for row, model in zip(rows, MODELS.values(), strict=True):
        assert set(row[1].split(", ")) == {form.value for form in Format if form in model.formats}
        assert (row[2] == "yes") is model.temperature
        limits = {"both names"} if len(model.limits) > 1 else {f"`{name}`" for name in model.limits}
        assert {row[3]} == limits
        assert (row[4] == "no") is (model.thinking.value == "none")
        assert row[5].startswith("by the rules" if model.mind.value == "rules" else "at random")


def test_the_table_of_rules_names_every_rule_in_order():
    names = [row[0] for row in rows_below("The rules") if row[0]]
    assert names == [rule.__name__.replace("_", " ") for rule in RULES]


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        ("the end is near", policy.END_PCT),
        ("behind schedule", policy.FAR_BEHIND_PCT),
        ("funding is close", policy.FUNDING_S),
        ("the market is wild", policy.VOLATILE_PCT),
        ("the spread is wide", policy.WIDE_BPS),
        ("the book leans", policy.STRONG_FAVOUR),
        ("the impact is high", policy.IMPACT_BPS),
        ("far ahead", policy.AHEAD_PCT),
    ],
)
def test_the_table_of_rules_has_the_thresholds_of_the_code(rule, threshold):
    (row,) = [row for row in rows_below("The rules") if row[0] == rule]
    assert str(threshold) in row[1].replace(",", "").split()
