"""Asking a model: one call to an OpenAI-compatible server, over within its deadline whatever the server does.

The SDK builds the request; its retries are off, and `transport` stands between it and the network. The deadline is
around everything, so that a server that sends one byte a second ends as one that sends none.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from executor.advice.calls import Answer, Failed, Outcome, Question, Schema, printable_detail
from executor.advice.capabilities import Capabilities, request_body, tokens_cap, without_thoughts
from executor.advice.prompt import Message
from executor.domain.advice import Failure, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

BYTES_MAX: Final = 65_536
"""Longest answer that is read, with everything around the reply."""
CALLS_MAX: Final = 4
IDLE_S_MAX: Final = 30.0
TOKENS_MOST: Final = 100_000_000
_NO_KEY: Final = "given-by-the-transport"
_WORD_LEN_MAX: Final = 128
_SPEAKERS: Final = ("openai", "httpx2", "httpcore2")
"""Loggers that would tell addresses and prompts."""


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    function: _Function


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Envelope(msgspec.Struct):
    model: str
    choices: list[_Choice]
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Tokens(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class ModelClient:
    """One model behind one address.

    Parameters
    ----------
    base_url
        Up to and with `/v1`; no other host is ever reached.
    reveal
        Gives the key; None where the server asks for none.
    reasoning_tokens_max
        Tokens a reasoning model may spend before its answer, over those of the answer.
    calls_max
        Calls at the same time; one more fails at once.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        reveal: Callable[[], str] | None,
        known: Capabilities,
        now_ns: Callable[[], int],
        *,
        reasoning_tokens_max: int,
        calls_max: int = CALLS_MAX,
    ) -> None:
        self._base_url = base_url
        self.model = model
        self._reveal = reveal
        self.known = known
        self._now_ns = now_ns
        self._reasoning_tokens_max = reasoning_tokens_max
        self._calls_max = calls_max
        self._calls = 0
        self._loading = asyncio.Lock()
        self._sdk: AsyncOpenAI | None = None

    def __repr__(self) -> str:
        return f"ModelClient({self.model!r} at {self._base_url!r})"

    async def open(self) -> None:
        """Load the SDK, in a thread: it takes a second, which no trading task should wait."""
        async with self._loading:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(self._load)

    async def close(self) -> None:
        """Close the connections."""
        if self._sdk is not None:
            await self._sdk.close()

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: Schema,
        max_tokens: int,
        deadline_s: float,
        tool: str = "",
    ) -> Outcome:
        """Ask once.

        Parameters
        ----------
        schema
            Form of the reply, or parameters of the function; sent if the model takes one.
        max_tokens
            Most tokens of the answer; a reasoning model gets more, for its thoughts.
        tool
            Function that is to be called; of a model that calls none, its arguments are the text. Empty for none.

        Returns
        -------
        Outcome
            By `deadline_s` at the latest; nothing is raised for what a server does.
        """
        tokens = tokens_cap(self.known, max_tokens, self._reasoning_tokens_max)
        body = request_body(self.model, self.known, messages, schema, tokens, tool)
        began_ns = self._now_ns()
        got = await self._post("/chat/completions", body, deadline_s)
        latency_ns = self._now_ns() - began_ns
        if isinstance(got, Failed):
            return got
        raw, request_id = got
        try:
            return _answer(raw, self.known, request_id, latency_ns, tool)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            detail = "status 200 with something else than one reply"
            return Failed(failure=Failure.PROTOCOL, detail=detail, latency_ns=latency_ns)

    async def models(self, deadline_s: float) -> tuple[str, ...] | Failed:
        """Names of the models the server offers."""
        began_ns = self._now_ns()
        got = await self._post("/models", None, deadline_s)
        if isinstance(got, Failed):
            return got
        try:
            return tuple(each.id for each in msgspec.json.decode(got[0], type=_Models).data)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            latency_ns = self._now_ns() - began_ns
            return Failed(failure=Failure.PROTOCOL, detail="no list of models", latency_ns=latency_ns)

    async def _post(
        self, path: str, body: dict[str, object] | None, deadline_s: float
    ) -> tuple[bytes, str] | Failed:
        """Send a body, or ask for a page if there is none; the bytes of the answer and the server's number for it."""
        began_ns = self._now_ns()

        def failed(failure: Failure, detail: str) -> Failed:
            return Failed(
                failure=failure, detail=printable_detail(detail), latency_ns=self._now_ns() - began_ns
            )

        if self._calls >= self._calls_max:
            return failed(Failure.CROWDED, f"{self._calls} calls are under way")
        self._calls += 1
        try:
            async with asyncio.timeout(deadline_s):
                await self.open()
                return await self._send(path, body)
        except TimeoutError:
            return failed(Failure.TIMEOUT, f"no whole answer within {deadline_s:g} s")
        except _Told as told:
            return failed(told.failure, told.detail)
        except Exception as error:  # noqa: BLE001 - a fault of the SDK must not end the daemon
            return failed(Failure.INTERNAL, type(error).__name__)
        finally:
            self._calls -= 1

    async def _send(self, path: str, body: dict[str, object] | None) -> tuple[bytes, str]:
        import httpx2  # noqa: PLC0415 - loaded by `open`, never at the start of a daemon without an adviser
        import openai  # noqa: PLC0415

        from executor.adviser.transport import Unanswered  # noqa: PLC0415 - brings the HTTP library with it

        assert self._sdk is not None, "open comes first"
        try:
            if body is None:
                response = await self._sdk.get(path, cast_to=httpx2.Response)
            else:
                response = await self._sdk.post(path, cast_to=httpx2.Response, body=body)
        except Unanswered as error:
            raise _Told(error.failure, error.detail) from None
        except (openai.OpenAIError, httpx2.HTTPError, OSError) as error:
            raise _told(error) from None
        return response.content, response.headers.get("x-request-id", "")

    def _load(self) -> "AsyncOpenAI":
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        from executor.adviser.transport import GuardedTransport  # noqa: PLC0415 - as above

        for name in _SPEAKERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        limits = httpx2.Limits(
            max_connections=self._calls_max,
            max_keepalive_connections=self._calls_max,
            keepalive_expiry=IDLE_S_MAX,
        )
        inner = httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(), trust_env=False, limits=limits)
        return openai.AsyncOpenAI(
            api_key=_NO_KEY,
            base_url=self._base_url,
            max_retries=0,
            timeout=None,
            http_client=httpx2.AsyncClient(
                transport=GuardedTransport(inner, self._base_url, self._reveal, BYTES_MAX),
                trust_env=False,
                follow_redirects=False,
                timeout=None,
            ),
        )


class ModelAdviser:
    """Puts whole questions to a model."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    async def ask(self, question: Question) -> Outcome:
        """Answer or fail within the question's deadline."""
        return await self._client.ask(
            question.messages,
            schema=question.schema,
            max_tokens=question.tokens_max,
            deadline_s=question.deadline_s,
            tool=question.tool,
        )


class _Told(Exception):  # noqa: N818 - carries a failure within this module
    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def _told(error: BaseException) -> _Told:
    """Say what a library's error means; its text may hold an address, so that only its kinds are told."""
    kinds = [type(error).__name__]
    cause = error.__cause__ or error.__context__
    while cause is not None and len(kinds) < 6:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    failure = Failure.UNREACHABLE
    if any("Timeout" in kind for kind in kinds):
        failure = Failure.TIMEOUT
    elif "RemoteProtocolError" in kinds:
        failure = Failure.PROTOCOL
    return _Told(failure, " < ".join(dict.fromkeys(kinds)))


def _answer(raw: bytes, known: Capabilities, request_id: str, latency_ns: int, tool: str) -> Answer:
    envelope = msgspec.json.decode(raw, type=_Envelope)
    if len(envelope.choices) != 1:
        raise msgspec.ValidationError(f"{len(envelope.choices)} choices")
    (choice,) = envelope.choices
    content = (_called(choice.message, tool) or choice.message.content or "").encode("utf-8", "surrogatepass")
    return Answer(
        content=without_thoughts(content, known),
        model_id=printable_detail(envelope.model)[:_WORD_LEN_MAX],
        finish_reason=printable_detail(choice.finish_reason or "")[:_WORD_LEN_MAX],
        refusal=printable_detail(choice.message.refusal or ""),
        usage=_usage(envelope.usage),
        latency_ns=latency_ns,
        request_id=request_id,
    )


def _called(message: _Message, tool: str) -> str:
    """Arguments with which the function was called; empty if it was not, or none was wanted."""
    calls = message.tool_calls or []
    if not tool or not calls:
        return ""
    if len(calls) != 1 or calls[0].function.name != tool:
        raise msgspec.ValidationError(f"{len(calls)} calls, and not one of {tool}")
    return calls[0].function.arguments


def _usage(raw: msgspec.Raw) -> Usage | None:
    """What the server says it has counted; None if that cannot be."""
    try:
        told: Any = msgspec.json.decode(raw, type=_Tokens | None)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if told is None:
        return None
    cached = (told.prompt_tokens_details and told.prompt_tokens_details.cached_tokens) or 0
    if not (
        0 <= cached <= told.prompt_tokens <= TOKENS_MOST
        and 0 <= told.completion_tokens <= TOKENS_MOST
        and told.prompt_tokens > 0
    ):
        return None
    return Usage(
        prompt_tokens=told.prompt_tokens,
        cached_tokens=cached,
        completion_tokens=told.completion_tokens,
        reported=True,
    )
