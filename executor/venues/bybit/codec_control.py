"""Answers to what we asked a socket, in each of the shapes they come in.

| who | shape |
| --- | --- |
| linear, inverse, spot, private | `{"success", "ret_msg", "op", "conn_id", "req_id"?}`, ping included |
| option | `{"success", "data": {"failTopics", "successTopics"}, "type": "COMMAND_RESP"}` |
| private, option ping | `{"op": "pong", "args": [...]}` |
| trade, and some refusals | `{"retCode", "retMsg", "op", "connId", "reqId"?}` |
"""

from dataclasses import dataclass

from executor.domain.errors import RemoteProtocolError

_TEXT_LEN_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReply:
    """One answer.

    Parameters
    ----------
    op
        What was asked; "pong" for every answer to a ping.
    ok
        Whether it was granted, wholly.
    code, text
        Why not; the code is None where the socket gives none.
    request_id
        The request's own id where it is echoed as text or number, else empty.
    body
        The answer as it came, for what a room of its own reads out of it.
    """

    op: str
    ok: bool
    code: int | None
    text: str
    request_id: str
    body: dict[str, object]


def decode_control(message: dict[str, object]) -> ControlReply:
    """Read an answer.

    Raises
    ------
    RemoteProtocolError
        If the message is no answer of any known shape.
    """
    op, success, code = message.get("op"), message.get("success"), message.get("retCode")
    if op is None and message.get("type") == "COMMAND_RESP":
        op = "subscribe"
    if not isinstance(op, str) or not op.isprintable() or len(op) > _TEXT_LEN_MAX:
        raise RemoteProtocolError("a message without topic or operation")
    if success is not None and not isinstance(success, bool):
        raise RemoteProtocolError("success is neither true nor false")
    if code is not None and type(code) is not int:
        raise RemoteProtocolError("retCode is not a whole number")
    words = message.get("ret_msg", message.get("retMsg"))
    told = words if isinstance(words, str) else ""
    if op == "pong" or (op == "ping" and told == "pong"):
        op, success = "pong", True
    elif success is None and code is None:
        raise RemoteProtocolError(f"an answer to {op!r} that says neither yes nor no")
    failed = message.get("data")
    refused = failed.get("failTopics") if isinstance(failed, dict) else None
    if refused:
        told = told or f"refused: {str(refused)[:_TEXT_LEN_MAX]}"
    return ControlReply(
        op=op,
        ok=success is not False and not code and not refused,
        code=code,
        text=told[:_TEXT_LEN_MAX].encode(errors="backslashreplace").decode(),
        request_id=_request_id(message),
        body=message,
    )


def _request_id(message: dict[str, object]) -> str:
    value = message.get("req_id", message.get("reqId"))
    return str(value) if isinstance(value, str) or (type(value) is int and value.bit_length() <= 64) else ""
