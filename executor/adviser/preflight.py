"""A look at the model before it is asked for advice: is it there, the right one, and able to answer in form and time.

One look at the list of models and one tiny question, which costs next to nothing.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from executor.advice.calls import Answer, Failed, Schema, printable_detail
from executor.advice.capabilities import Capability, is_same_model
from executor.advice.prompt import Message
from executor.adviser.client import ModelClient
from executor.domain.advice import Failure
from executor.domain.finding import Finding, Verdict, fine
from executor.domain.timeline import NS_PER_MS

CHECKS: Final[Mapping[str, str]] = {
    "model server": "the server of `adviser.base_url` answers",
    "model": "it offers `adviser.model`",
    "model key": "it accepts the key",
    "model reply": "the model that answers a tiny question is the one that was asked",
    "model output": "the answer is in the form that was asked for",
    "model latency": "it came within half of `adviser.deadline_s`",
}
"""The checks of this module, in the order in which they are told."""
LIST_S_MAX: Final = 10.0
PATIENCE: Final = 5.0
"""The tiny question may take so many deadlines, so that a slow model is called slow and not silent."""
WORD: Final = "ready"
SCHEMA: Final[Schema] = {
    "type": "object",
    "properties": {
        "word": {"type": "string", "enum": [WORD]},
        "number": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["word", "number"],
    "additionalProperties": False,
}
_MESSAGES: Final = (
    Message(role="system", content="You answer with one JSON object and nothing around it."),
    Message(role="user", content=f'Answer with {{"word": "{WORD}", "number": null}}'),
)
_KEY_STEP: Final = (
    "set EXECUTOR_ADVISER_API_KEY, or adviser.api_key_file, to a key of this server that may use the model"
)
_LOCAL: Final = frozenset({Failure.TIMEOUT, Failure.UNREACHABLE})


async def look_at_model(
    client: ModelClient, deadline_s: float, max_tokens: int, aliases: Iterable[str] = ()
) -> AsyncIterator[Finding]:
    """Look at a model's server; what depends on something that failed is left out."""
    listed = await client.models(LIST_S_MAX)
    if isinstance(listed, Failed) and listed.failure in _LOCAL:
        yield _unreachable(listed)
        return
    yield fine("model server", "it answers")
    if isinstance(listed, Failed) and listed.failure is Failure.NOT_AUTHORISED:
        yield _refused_key(listed)
        return
    names = tuple(aliases)
    yield _offered(client.model, listed, names)
    got = await client.ask(_MESSAGES, schema=SCHEMA, max_tokens=max_tokens, deadline_s=deadline_s * PATIENCE)
    if isinstance(got, Failed):
        yield _refused_key(got) if got.failure is Failure.NOT_AUTHORISED else _no_answer(client, got)
        return
    yield fine("model key", "accepted")
    yield _identity(client.model, got, names)
    yield _form(client, got)
    yield _latency(got, deadline_s)


def _unreachable(failed: Failed) -> Finding:
    return Finding(
        check="model server",
        verdict=Verdict.FAIL,
        code=f"MODEL_{failed.failure.value}",
        found=failed.detail,
        allowed="a server that answers; orders follow their schedule while it does not",
        next_step="check adviser.base_url, the network, and that the server runs",
    )


def _refused_key(failed: Failed) -> Finding:
    return Finding(
        check="model key",
        verdict=Verdict.FAIL,
        code="MODEL_NOT_AUTHORISED",
        found=failed.detail,
        allowed="a key that the server accepts",
        next_step=_KEY_STEP,
    )


def _offered(model: str, listed: tuple[str, ...] | Failed, aliases: Iterable[str]) -> Finding:
    if isinstance(listed, Failed):
        return Finding(
            check="model",
            verdict=Verdict.WARN,
            code="MODEL_LIST",
            found=f"the server gives no list of its models: {listed.detail}",
            allowed="a list, though some servers have none",
            next_step="go by the findings below",
        )
    if model in listed or any(is_same_model(model, name, aliases) for name in listed):
        return fine("model", f"{model} is offered")
    shown = ", ".join(printable_detail(name)[:64] for name in sorted(listed)[:8]) or "none"
    return Finding(
        check="model",
        verdict=Verdict.FAIL,
        code="MODEL_UNKNOWN",
        found=f"{model} is not among the {len(listed)} models: {shown}{', …' if len(listed) > 8 else ''}",
        allowed="a model of the server's list",
        next_step="correct adviser.model, or load the model into the server",
    )


def _no_answer(client: ModelClient, failed: Failed) -> Finding:
    asked = [word.value for word in Capability if word in client.known.able]
    return Finding(
        check="model reply",
        verdict=Verdict.FAIL,
        code=f"MODEL_{failed.failure.value}",
        found=failed.detail,
        allowed="an answer to a tiny question",
        next_step="where the request was refused, take what the server does not know from what is asked of it"
        f" ({', '.join(asked) or 'nothing special'}) with adviser.capabilities_off, or correct adviser.tokens_key;"
        " otherwise ask the provider",
    )


def _identity(model: str, answer: Answer, aliases: Iterable[str]) -> Finding:
    if is_same_model(model, answer.model_id, aliases):
        return fine("model reply", f"given by {answer.model_id}")
    return Finding(
        check="model reply",
        verdict=Verdict.FAIL,
        code="OTHER_MODEL",
        found=f"{model} was asked, and {answer.model_id or 'a model without a name'} answered",
        allowed="the same name, with a date or a serial number behind it, or one of adviser.model_aliases",
        next_step="if it is the same model, list that name in adviser.model_aliases; if not, every reply is refused",
    )


def _form(client: ModelClient, answer: Answer) -> Finding:
    if _is_in_form(answer.content):
        held = {Capability.JSON_SCHEMA, Capability.JSON_OBJECT} & client.known.able
        return fine("model output", f"as asked for{'' if held else ', by its own will: no form is enforced'}")
    shown = printable_detail(answer.content.decode("utf-8", "replace"))[:80]
    return Finding(
        check="model output",
        verdict=Verdict.FAIL,
        code="MODEL_OUTPUT",
        found=f"{shown or 'nothing'} (ended with {answer.finish_reason or 'no reason'})",
        allowed="one JSON object with exactly the keys of its schema",
        next_step="add json_schema or json_object to adviser.capabilities_on if the server knows them, sends_think if"
        " the model thinks aloud; raise adviser.max_tokens or adviser.reasoning_tokens_max if it ended with length",
    )


def _is_in_form(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or found.keys() != {"word", "number"}:
        return False
    return bool(found["word"] == WORD) and (found["number"] is None or isinstance(found["number"], str))


def _latency(answer: Answer, deadline_s: float) -> Finding:
    latency_ms = answer.latency_ns // NS_PER_MS
    deadline_ms = int(deadline_s * 1_000)
    found = f"{latency_ms} ms, with a deadline of {deadline_ms} ms"
    if latency_ms * 2 <= deadline_ms:
        return fine("model latency", found)
    is_late = latency_ms > deadline_ms
    return Finding(
        check="model latency",
        verdict=Verdict.FAIL if is_late else Verdict.WARN,
        code="MODEL_SLOW",
        found=found,
        allowed="at most half of the deadline for a question as short as this one",
        next_step="raise adviser.deadline_s (and limits.advice_timeout_s_max), or take a faster model; late advice has"
        " no effect",
    )
