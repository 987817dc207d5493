"""A refusal in the form every OpenAI-compatible server gives it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from sandbox.llm_server.wire_json import JsonObject

KINDS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """The server refuses a request.

    Parameters
    ----------
    message
        For people.
    status
        HTTP status.
    code
        For programs, as in ``model_not_found``.
    param
        The request's field that is at fault.
    """

    def __init__(self, message: str, *, status: int = 400, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param

    def body(self) -> JsonObject:
        """Return the body of the answer."""
        standard = (
            "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        )
        return {
            "error": {
                "message": self.message,
                "type": KINDS.get(self.status, standard),
                "param": self.param or None,
                "code": self.code or None,
            }
        }
