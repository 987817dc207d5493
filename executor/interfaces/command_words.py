"""Problems of the HTTP interface in the words of the command line: commands and flags instead of paths and headers."""

import re
from dataclasses import replace
from typing import Final

from config.problems import Problem

REARM: Final = "`executor rearm --operator NAME --reason TEXT`"

_VERB: Final = re.compile(r"/v1/parents/([^/\s]+)/([a-z]+)")
_BASKET_VERB: Final = re.compile(r"/v1/baskets/([^/\s]+)/([a-z]+)")
_BASKET: Final = re.compile(r"/v1/baskets/([^/\s]+)")
_ROUTE_VERB: Final = re.compile(r"/v1/routes/([^/\s]+)/([a-z]+)")
_ROUTE: Final = re.compile(r"/v1/routes/([^/\s]+)")
_PARENT: Final = re.compile(r"/v1/parents/([^/\s]+)")
_FIELD: Final = re.compile(r"(?<!\S)/([a-z_]+)(?!\S)")
_ARGUMENTS: Final = {"limit": "NAME", "value": "VALUE"}
"""Fields that no flag carries: `executor limits tighten NAME VALUE`."""
_SAID: Final = (
    (
        "read why_not_ready in GET /v1/status; a halt is cleared with POST /v1/rearm and a reason",
        f"`executor status` says why; a halt is cleared with {REARM}",
    ),
    ("GET /v1/parents", "`executor list`"),
    ("GET /v1/baskets", "`executor list`"),
    ("GET /v1/routes", "`executor list`"),
    ("GET /v1/status", "`executor status`"),
    ("POST /v1/rearm", REARM),
    ("POST /v1/halt", "`executor halt --reason TEXT`"),
    ("header Idempotency-Key", "--idempotency-key"),
    ("Idempotency-Key", "--idempotency-key"),
    ("header Authorization", "--token-file"),
    ("Bearer and the content of the token file", "the token of this daemon"),
    (
        "read the path of the token file from control.json",
        "name the token file with --token-file, or leave it out",
    ),
    (' in quotes such as "1.5"', " such as 1.5"),
    (", or whole seconds", ""),
    ("send a JSON boolean without quotes", "write one of these two words"),
    ("; or whole milliseconds since 1970 as a number", ""),
    ("send the number as text in plain digits", "write the number in plain digits"),
)


def command_of(path: str) -> str:
    """Name the command that asks for a path of the interface; other texts stay as they are."""
    text = _VERB.sub(r"executor \2 \1", path)
    text = _BASKET_VERB.sub(r"executor \2 --basket \1", text)
    text = _BASKET.sub(r"executor status --basket \1", text).replace("/v1/baskets", "executor basket")
    text = _ROUTE_VERB.sub(r"executor \2 \1", text)
    text = _ROUTE.sub(r"executor status \1", text).replace("/v1/routes", "executor submit --route")
    text = _PARENT.sub(r"executor status \1", text)
    text = text.replace("/v1/parents", "executor submit")
    return text.replace("/v1/", "executor ")


def in_command_words(problem: Problem) -> Problem:
    """Say a problem of a request in the words of somebody who typed a command."""
    where = "PARENT" if problem.where == "path" else _said(command_of(problem.where))
    return replace(
        problem,
        where=_FIELD.sub(lambda found: _ARGUMENTS.get(found[1], f"--{found[1].replace('_', '-')}"), where),
        allowed=_said(problem.allowed),
        next_step=_said(problem.next_step),
    )


def _said(text: str) -> str:
    for written, spoken in _SAID:
        text = text.replace(written, spoken)
    return text
