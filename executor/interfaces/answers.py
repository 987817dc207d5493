"""Answers of the HTTP interface: one form for results, one form for errors, one table from outcome to status."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aiohttp import web

from config.problems import Problem
from executor.domain.commands import Outcome, Reply
from executor.domain.errors import ExecutorError
from executor.engine.baskets import Refusal
from executor.interfaces.basket_body import json_place
from executor.interfaces.remedies import ANSWER_REMEDY

STATUS: Final[dict[Outcome, int]] = {
    Outcome.ACCEPTED: 200,
    Outcome.REPEATED: 200,
    Outcome.NOT_FOUND: 404,
    Outcome.CONFLICT: 409,
    Outcome.STATE: 409,
    Outcome.VERSION: 412,
    Outcome.INVALID: 422,
    Outcome.LOCKED: 423,
}

NEXT_STEP: Final[dict[Outcome, str]] = {
    Outcome.ACCEPTED: "nothing",
    Outcome.REPEATED: "nothing",
    Outcome.NOT_FOUND: "list the parents with GET /v1/parents",
    Outcome.CONFLICT: "look at the parent that is named, or use a new Idempotency-Key for a new order",
    Outcome.STATE: "read the parent again and choose a request that its state allows",
    Outcome.VERSION: "read the parent again and repeat the change with its present version",
    Outcome.INVALID: "correct the request",
    Outcome.LOCKED: "read why_not_ready in GET /v1/status; a halt is cleared with POST /v1/rearm and a reason",
}


class ApiRefusal(ExecutorError):  # noqa: N818 - it is an answer
    """An answer other than success.

    Parameters
    ----------
    status
        HTTP status.
    problems
        At least one.
    headers
        Added to the answer.
    """

    def __init__(
        self, status: int, problems: Iterable[Problem], headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        super().__init__("; ".join(problem.code for problem in self.problems))

    def response(self) -> web.Response:
        """Give the answer in the one form of errors: an object, or a list if there are several."""
        records = [problem.record() for problem in self.problems]
        error: object = records[0] if len(records) == 1 else records
        response = web.json_response({"error": error}, status=self.status, headers=self.headers)
        if "Connection" in self.headers:
            response.force_close()
        return response


def refusal(
    status: int,
    code: str,
    where: str,
    got: str,
    allowed: str,
    next_step: str,
    headers: Mapping[str, str] | None = None,
) -> ApiRefusal:
    """Make a refusal with one problem."""
    problem = Problem(code=code, where=where, got=got, allowed=allowed, next_step=next_step)
    return ApiRefusal(status, [problem], headers)


def basket_refusal(outcome: Outcome, found: Sequence[Refusal]) -> ApiRefusal:
    """Tell everything that speaks against a basket, each beside the order that it is about."""
    problems = []
    for number, each, code, text in found:
        allowed, next_step = ANSWER_REMEDY.get(code, ("see the documentation of this code", NEXT_STEP[each]))
        where = "/orders" if number is None else json_place(number)
        problems.append(Problem(code=code, where=where, got=text, allowed=allowed, next_step=next_step))
    return ApiRefusal(STATUS[outcome], problems)


def check_reply(reply: Reply, where: str) -> Reply:
    """Let a granted request through.

    Raises
    ------
    ApiRefusal
        For every outcome that is not a success.
    """
    if reply.outcome in (Outcome.ACCEPTED, Outcome.REPEATED):
        return reply
    allowed, next_step = ANSWER_REMEDY.get(
        reply.code, ("see the documentation of this code", NEXT_STEP[reply.outcome])
    )
    text = reply.text or reply.outcome.value
    # Some texts name the parent that stands in the way; otherwise it is the one that was asked about.
    about = f"{reply.parent_id}: " if reply.parent_id and reply.parent_id not in text else ""
    raise refusal(
        STATUS[reply.outcome],
        reply.code or reply.outcome.value,
        where,
        f"{about}{text}",
        allowed,
        next_step,
    )


def reply_view(reply: Reply) -> dict[str, object]:
    """Show a granted request."""
    return {
        "outcome": reply.outcome.value,
        "parent_id": reply.parent_id,
        "code": reply.code,
        "text": reply.text,
        "request_id": reply.request_id,
    }
