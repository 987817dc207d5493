"""A look at the model before it is asked for advice: is it there, the right one, and able to answer in form and time.

One look at the list of models, which costs nothing, and one question about a made-up order, which costs what a true
one costs and is in no bill of the engine's.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from executor.advice.budget import believed, cost, worst_cost
from executor.advice.calls import Answer, Failed, printable_detail
from executor.advice.capabilities import Capability, is_same_model
from executor.advice.facts import snapshot_hash
from executor.advice.prompt import Message, Template
from executor.advice.reply import Rejected, parse_reply, reply_schema
from executor.adviser.client import ModelClient
from executor.adviser.specimen import specimen_facts, specimen_messages
from executor.adviser.tape import TapeError, read_tape
from executor.domain.advice import Action, Failure
from executor.domain.advice_terms import AdviserTerms, Prices
from executor.domain.finding import Finding, Verdict, fine
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO

CHECKS: Final[Mapping[str, str]] = {
    "model wording": "the fixed text of every question can be read and leaves room for a question",
    "model tape": "the recording that is to be played instead of asking anybody can be read",
    "model prices": "the prices are written, and the caps on money leave room for a question",
    "model server": "the server of `adviser.base_url` answers",
    "model": "it offers `adviser.model`",
    "model key": "it accepts the key",
    "model reply": "the model that answers a question about a made-up order is the one that was asked",
    "model output": "the answer is advice in the form that was asked for",
    "model latency": "it came within half of `adviser.deadline_s`",
    "model cost": "the server told the tokens, so that the bill is not an estimate",
}
"""The checks of this module, in the order in which they are told."""
LIST_S_MAX: Final = 10.0
MS_PER_S: Final = 1_000
PATIENCE: Final = 5
"""The question may take so many deadlines, so that a slow model is called slow and not silent."""
_KEY_STEP: Final = (
    "set EXECUTOR_ADVISER_API_KEY, or adviser.api_key_file, to a key of this server that may use the model"
)
_USD_DIGITS: Final = 6
_NO_SUCH_PATH: Final = ("status 404", "status 405")
"""How a failure begins where the server has nothing at that path, or does not know the model."""
_PATH_STEP: Final = "write adviser.base_url up to and with /v1, such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1"
_STEP_AFTER: Final = {
    Failure.TIMEOUT: "see that the server has loaded the model, or raise adviser.deadline_s",
    Failure.UNREACHABLE: "check the network, and that the server still runs",
    Failure.RATE_LIMITED: "wait, ask less often (adviser.interval_s), or get more from the provider",
    Failure.SERVER_ERROR: "try again later; if it stays, read the server's log or ask the provider",
    Failure.TOO_LARGE: "lower adviser.max_tokens, or take a server that answers with the reply alone",
    Failure.INTERNAL: "a fault of the program: keep what `executor doctor` says and report it",
    Failure.CROWDED: "try again; more questions are out than adviser.questions_max",
}
"""What helps where the request itself was not refused."""
CLOSE_NAMES: Final = 3
LISTED_MAX: Final = 2_000
"""So many names of a list are compared with one that is not in it."""
_LOCAL: Final = frozenset({Failure.TIMEOUT, Failure.UNREACHABLE})


def bad_wording(found: str) -> Finding:
    """Say what is wrong with the fixed text of every question; with it the daemon does not start."""
    return Finding(
        check="model wording",
        verdict=Verdict.FAIL,
        code="TEMPLATE",
        found=found,
        allowed="a text in UTF-8 that leaves room for a question",
        next_step="correct adviser.template_file, or leave it out; or raise adviser.prompt_bytes_max",
    )


def look_at_tape(path: Path, model: str) -> Finding:
    """Look at a recording that is to be played."""
    try:
        lines = sum(1 for line in read_tape(path) if line.model == model)
    except TapeError as error:
        return _bad_tape(str(error))
    if not lines:
        return _bad_tape(f"{path} holds no call to {model}")
    return Finding(
        check="model tape",
        verdict=Verdict.WARN,
        code="REPLAY",
        found=f"{lines} calls to {model} in {path}; nobody is asked",
        allowed="questions with the very facts of the recording; each of a new order has others, and fails with"
        " NOT_ON_TAPE",
        next_step='write tape = "live" to be advised; `executor backtest session` plays a recorded session',
    )


def look_at_prices(terms: AdviserTerms, *, is_near: bool) -> Finding:
    """Look at whether the caps on money bind, and whether they forbid every question.

    Parameters
    ----------
    is_near
        Whether the model runs on a machine of our own, where no price is the right one.
    """
    caps, prices = terms.caps, terms.prices
    worst = worst_cost(terms.prompt_bytes_max, terms.tokens_max, prices)
    least = min(caps.parent_cost_max, caps.hour_cost_max, caps.day_cost_max)
    calls = f"{caps.hour_calls_max} questions an hour, {caps.day_calls_max} a day"
    if worst == ZERO:
        found = f"all prices are 0, so no cap on money can bind; the others do: {calls}"
        if is_near:
            return fine("model prices", found)
        return Finding(
            check="model prices",
            verdict=Verdict.WARN,
            code="PRICES_ZERO",
            found=found,
            allowed="what the provider charges; 0 for a model of your own",
            next_step="write adviser.input_price and adviser.output_price from the provider's list",
        )
    found = f"a question is counted at up to {_usd(worst)} before it is asked"
    if worst > least:
        return Finding(
            check="model prices",
            verdict=Verdict.FAIL,
            code="CAP_BELOW_ONE_CALL",
            found=f"{found}, and the lowest cap is {_usd(least)}: nothing will ever be asked",
            allowed="caps of at least one question",
            next_step="raise adviser.parent_cost_max, hour_cost_max and day_cost_max, or lower adviser.max_tokens,"
            " adviser.reasoning_tokens_max or adviser.prompt_bytes_max",
        )
    return fine("model prices", f"{found}; {calls}")


async def look_at_server(client: ModelClient, aliases: Iterable[str] = ()) -> AsyncIterator[Finding]:
    """Look at a model's server without asking it anything that costs."""
    listed = await client.models(LIST_S_MAX)
    if isinstance(listed, Failed) and listed.failure in _LOCAL:
        yield _unreachable(listed)
        return
    yield fine("model server", "it answers")
    if isinstance(listed, Failed) and listed.failure is Failure.NOT_AUTHORISED:
        yield _refused_key(listed)
        return
    yield _offered(client.model, listed, tuple(aliases))


async def look_at_model(
    client: ModelClient, template: Template, terms: AdviserTerms, max_tokens: int
) -> AsyncIterator[Finding]:
    """Look at a model's server, and ask about a made-up order; what depends on something that failed is left out."""
    found: Finding | None = None
    async for found in look_at_server(client, terms.model_aliases):
        yield found
    if found is None or found.check != "model":
        return
    facts = specimen_facts(terms.band)
    strategies = frozenset(terms.band.strategies)
    messages = specimen_messages(template, facts, terms.deadline_ms)
    got = await client.ask(
        messages,
        schema=reply_schema(strategies),
        max_tokens=max_tokens,
        deadline_s=terms.deadline_ms * PATIENCE / MS_PER_S,
    )
    if isinstance(got, Failed):
        is_refused = got.failure is Failure.NOT_AUTHORISED
        yield _refused_key(got) if is_refused else _no_answer(client, got, found.code)
        return
    yield fine("model key", "accepted")
    yield _identity(client.model, got, terms.model_aliases)
    read = parse_reply(
        got.content,
        decision_id=facts.decision_id,
        snapshot_hash=snapshot_hash(facts),
        strategies=strategies,
    )
    yield _bad_form(got, read) if isinstance(read, Rejected) else _form(client, read.action)
    yield _latency(got, terms.deadline_ms)
    yield _cost(got, messages, terms.prices)


def _bad_tape(found: str) -> Finding:
    return Finding(
        check="model tape",
        verdict=Verdict.FAIL,
        code="TAPE",
        found=found,
        allowed="the recording of a run with adviser.model",
        next_step='correct adviser.tape_file and adviser.model, or write tape = "live"',
    )


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
            next_step=_PATH_STEP
            if listed.detail.startswith(_NO_SUCH_PATH)
            else "nothing, if the model answers: some servers have no list",
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
        next_step=f"correct adviser.model{_nearest(model, listed)}, or load the model into the server",
    )


def _nearest(model: str, listed: Sequence[str]) -> str:
    """The names that a misspelt one may have meant; empty if none is near."""
    by_fold = {name.casefold(): name for name in listed[:LISTED_MAX] if len(name) <= 2 * len(model) + 16}
    near = get_close_matches(model.casefold(), by_fold, n=CLOSE_NAMES)
    return f" (near it: {', '.join(printable_detail(by_fold[name]) for name in near)})" if near else ""


def _no_answer(client: ModelClient, failed: Failed, offered: str) -> Finding:
    """Say what to do about a question without an answer; `offered` is what was found of the model's name."""
    asked = [word.value for word in Capability if word in client.known.able]
    if failed.detail.startswith(_NO_SUCH_PATH):
        next_step = f"{_PATH_STEP}; or the server does not know adviser.model"
        if offered == "MODEL_UNKNOWN":
            next_step = f"correct adviser.model first; if it is right, {_PATH_STEP}"
    elif failed.failure in _STEP_AFTER:
        next_step = _STEP_AFTER[failed.failure]
    else:
        next_step = (
            "where the request was refused, take what the server does not know from what is asked of it"
            f" ({', '.join(asked) or 'nothing special'}) with adviser.capabilities_off, or correct adviser.tokens_key;"
            " otherwise ask the provider"
        )
    return Finding(
        check="model reply",
        verdict=Verdict.FAIL,
        code=f"MODEL_{failed.failure.value}",
        found=failed.detail,
        allowed="an answer to a question about a made-up order",
        next_step=next_step,
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


def _form(client: ModelClient, action: Action) -> Finding:
    held = {Capability.JSON_SCHEMA, Capability.JSON_OBJECT} & client.known.able
    hint = (
        ', by its own will: no form is enforced; adviser.capabilities_on = ["json_schema"] asks for one, if the'
        " server has it"
    )
    return fine("model output", f"{action}, in the form asked for{'' if held else hint}")


def _bad_form(answer: Answer, rejected: Rejected) -> Finding:
    shown = printable_detail(answer.content.decode("utf-8", "replace"))[:80]
    return Finding(
        check="model output",
        verdict=Verdict.FAIL,
        code="MODEL_OUTPUT",
        found=f"{rejected.reason}, {rejected.detail}: {shown or answer.refusal or 'nothing'}"
        f" (ended with {answer.finish_reason or 'no reason'})",
        allowed="one JSON object with exactly the keys of its schema",
        next_step="add json_schema or json_object to adviser.capabilities_on if the server knows them, sends_think if"
        " the model thinks aloud; raise adviser.max_tokens or adviser.reasoning_tokens_max if it ended with length",
    )


def _latency(answer: Answer, deadline_ms: int) -> Finding:
    latency_ms = answer.latency_ns // NS_PER_MS
    found = f"{latency_ms} ms, with a deadline of {deadline_ms} ms"
    if latency_ms * 2 <= deadline_ms:
        return fine("model latency", found)
    is_late = latency_ms > deadline_ms
    return Finding(
        check="model latency",
        verdict=Verdict.FAIL if is_late else Verdict.WARN,
        code="MODEL_SLOW",
        found=found,
        allowed="at most half of the deadline, since answers take longer on other days",
        next_step="raise adviser.deadline_s (and limits.advice_timeout_s_max), or take a faster model; late advice has"
        " no effect",
    )


def _cost(answer: Answer, messages: Sequence[Message], prices: Prices) -> Finding:
    asked = sum(len(message.content.encode()) for message in messages)
    usage = believed(answer.usage, asked, len(answer.content))
    bill = (
        f"{_usd(cost(usage, prices))}: {usage.prompt_tokens} tokens asked, {usage.completion_tokens} answered"
    )
    if usage.reported:
        return fine("model cost", bill)
    return Finding(
        check="model cost",
        verdict=Verdict.WARN,
        code="NO_USAGE",
        found=f"the server told no tokens that can be true; counted as {bill}",
        allowed="a server that tells the tokens of each answer",
        next_step="nothing must be done: without them each byte counts as a token, so that the caps hold early",
    )


def _usd(amount: Decimal) -> str:
    return f"{round(amount, _USD_DIGITS).normalize():f} US dollars"
