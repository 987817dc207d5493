"""A definite "no" of the exchange: a retCode with its text, raised where the rule is checked."""

from __future__ import annotations


class RefusalError(Exception):
    """The exchange refuses a request.

    Parameters
    ----------
    code
        The wire's ``retCode``, never 0.
    text
        The wire's ``retMsg``.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def parameter_error(text: str) -> RefusalError:
    """Return the refusal for a malformed request."""
    return RefusalError(10001, text)
