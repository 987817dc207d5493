"""The clients' port: models, chat completions, and errors in the form of the wire."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Final

from aiohttp import web

from sandbox.bybit_server.clock import NS_PER_S, Clock
from sandbox.llm_server.acts import Layer
from sandbox.llm_server.api_error import ApiError
from sandbox.llm_server.chat_request import CHAT_PATH, ChatRequest, find_model, read_chat_request
from sandbox.llm_server.completion import Completion, speak, usage_of
from sandbox.llm_server.faults import FaultBoard, FaultEvent
from sandbox.llm_server.market_policy import choose_order, draw_order
from sandbox.llm_server.market_question import MarketFacts, asks_for_an_order, read_market_question
from sandbox.llm_server.models import MODELS, Format, Mind, Model
from sandbox.llm_server.no_information import guess
from sandbox.llm_server.options import LlmOptions
from sandbox.llm_server.policy import advise
from sandbox.llm_server.question import Facts, QuestionError, read_question
from sandbox.llm_server.reply_faults import (
    LatestIds,
    damage_envelope,
    damage_reply,
    damage_text,
    possess,
)
from sandbox.llm_server.request_log import Entry, Fate, RequestLog
from sandbox.llm_server.schema import conform
from sandbox.llm_server.tokens import PromptCache, count_tokens
from sandbox.llm_server.wire_faults import CUTS, Answer, spoil
from sandbox.llm_server.wire_json import JsonObject, compact, on_the_wire

MODELS_PATH: Final = "/v1/models"
BEARER: Final = "Bearer "
BODY_BYTES_MAX: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model answers to a question: the text, the thoughts before it, and the action named in it."""

    text: str
    thoughts: str
    action: str = ""


class ChatDoor:
    """Answers clients.

    Parameters
    ----------
    options
        Keys, seed and latency.
    clock
        Dates the completions.
    faults
        What goes wrong.
    log
        Where requests are noted.
    """

    def __init__(self, options: LlmOptions, clock: Clock, faults: FaultBoard, log: RequestLog) -> None:
        self._keys = tuple(key.encode() for key in options.api_keys)
        self._seed = options.seed
        self._clock = clock
        self._started_s = clock.now_ns() // NS_PER_S
        self._faults = faults
        self._log = log
        self._cache = PromptCache()
        self._latest = LatestIds()
        self._chance = Random(f"{options.seed}.latency")  # noqa: S311 - replayable chance
        self._count = 0
        self.latency = options.latency

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request to the clients' port, truly or as the rules in force will have it."""
        entry = self._log.arrived(request.method, request.path, request.headers, self._request_id())
        fate, status = Fate.ABANDONED, None
        try:
            answer = await self._answer(request, entry)
            event = FaultEvent(path=entry.path, model=entry.model, decision_id=entry.decision_id)
            fault = self._faults.strike(Layer.WIRE, event)
            if fault is None:
                response: web.StreamResponse = answer.response()
                fate = Fate.ANSWERED
            else:
                entry.faults.append(fault.name)
                response = await spoil(fault, request, answer, self._faults)
                fate = Fate.CUT if fault.act in CUTS else Fate.ANSWERED
            status = None if fate is Fate.CUT else response.status
            return response
        finally:
            self._log.ended(entry, fate, status)

    async def _answer(self, request: web.Request, entry: Entry) -> Answer:
        headers = {"x-request-id": entry.request_id}
        try:
            body = await self._body(request, entry)
        except ApiError as error:
            return Answer(body=on_the_wire(error.body()), status=error.status, headers=headers)
        return Answer(body=on_the_wire(body), headers=headers)

    async def _body(self, request: web.Request, entry: Entry) -> JsonObject:
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise ApiError("The request is too large.", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE) from error
        entry.raw = raw.decode(errors="replace")
        self._refuse_strangers(request)
        match request.method, request.path:
            case "POST", path if path == CHAT_PATH:
                return await self._complete(raw, entry)
            case "GET", path if path == MODELS_PATH:
                return {"object": "list", "data": [self._shape(model) for model in MODELS.values()]}
            case "GET", path if path.startswith(f"{MODELS_PATH}/"):
                return self._shape(find_model(path.removeprefix(f"{MODELS_PATH}/")))
            case method, path if path in {CHAT_PATH, MODELS_PATH}:
                text = f"Not allowed to {method} on {path}."
                raise ApiError(text, status=HTTPStatus.METHOD_NOT_ALLOWED)
            case method, path:
                text = f"Unknown request URL: {method} {path}."
                raise ApiError(text, status=HTTPStatus.NOT_FOUND, code="unknown_url")

    def _refuse_strangers(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if not given:
            raise ApiError("You didn't provide an API key.", status=HTTPStatus.UNAUTHORIZED)
        key = given.removeprefix(BEARER).encode() if given.startswith(BEARER) else b""
        if not any(hmac.compare_digest(key, known) for known in self._keys):
            text = "Incorrect API key provided."
            raise ApiError(text, status=HTTPStatus.UNAUTHORIZED, code="invalid_api_key")

    async def _complete(self, raw: bytes, entry: Entry) -> JsonObject:
        chat = read_chat_request(raw)
        entry.model = chat.model.name
        facts: Facts | None = None
        try:
            if asks_for_an_order(chat.question):
                said = self._trade(chat, read_market_question(chat.question), entry)
            else:
                facts = read_question(chat.question)
                said = self._think(chat, facts, entry)
        except QuestionError as error:
            said = Said(text=_puzzled(chat, str(error)), thoughts=f"I cannot read this: {error}.")
        spoken = speak(said.text, said.thoughts, chat.model.thinking, chat.tokens_max)
        cached_tokens = self._cache.meet(chat.model.name, chat.prompt)
        usage = usage_of(count_tokens(chat.prompt), cached_tokens, spoken)
        completion = Completion(
            request_id=entry.request_id,
            created_s=self._clock.now_ns() // NS_PER_S,
            model=chat.model.name,
            content=spoken.content,
            thoughts=spoken.thoughts,
            finish_reason=spoken.finish_reason,
            usage=usage,
            tool=chat.tool,
        )
        completion = self._spoilt(completion, entry)
        self._log.completed(entry, action=said.action, content=completion.content, usage=usage)
        if facts is not None:
            self._latest.note(facts)
        await self._take_time()
        return completion.envelope()

    def _trade(self, chat: ChatRequest, facts: MarketFacts, entry: Entry) -> Said:
        """Return the order of a trader who understands the question."""
        entry.decision_id = facts.decision_id
        seed = f"{self._seed}.{chat.seed}"
        lottery = chat.model.mind is Mind.NO_INFORMATION
        reply, thoughts = draw_order(facts, seed) if lottery else choose_order(facts, seed)
        held = reply if chat.schema is None else conform(reply, chat.schema)
        return Said(text=compact(held), thoughts=thoughts, action=str(reply["action"]))

    def _think(self, chat: ChatRequest, facts: Facts, entry: Entry) -> Said:
        """Return what the model makes of a question that it understands."""
        entry.decision_id, entry.snapshot_hash = facts.decision_id, facts.snapshot_hash
        seed = f"{self._seed}.{chat.seed}"
        event = _event(entry)
        mind_fault = self._faults.strike(Layer.MIND, event)
        if mind_fault is not None:
            entry.faults.append(mind_fault.name)
            reply, thoughts = possess(mind_fault, facts, seed)
        elif chat.model.mind is Mind.NO_INFORMATION:
            reply, thoughts = guess(facts, seed)
        else:
            reply, thoughts = advise(facts, seed)
        action = str(reply["action"])
        if chat.schema is not None:
            held = conform(reply, chat.schema)
            reply = held if isinstance(held, dict) else reply
        reply_fault = self._faults.strike(Layer.REPLY, event)
        if reply_fault is None:
            return Said(text=compact(reply), thoughts=thoughts, action=action)
        entry.faults.append(reply_fault.name)
        text = damage_reply(reply_fault, reply, facts, self._latest)
        return Said(text=text, thoughts=thoughts, action=action)

    def _spoilt(self, completion: Completion, entry: Entry) -> Completion:
        event = _event(entry)
        for layer, damage in ((Layer.TEXT, damage_text), (Layer.ENVELOPE, damage_envelope)):
            fault = self._faults.strike(layer, event)
            if fault is not None:
                entry.faults.append(fault.name)
                completion = damage(fault, completion)
        return completion

    async def _take_time(self) -> None:
        length_ms = self.latency.draw_ms(self._chance)
        if length_ms:
            await asyncio.sleep(length_ms / 1000)

    def _shape(self, model: Model) -> JsonObject:
        return {"id": model.name, "object": "model", "created": self._started_s, "owned_by": "sandbox"}

    def _request_id(self) -> str:
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}.{self._started_s}.{self._count}".encode()).hexdigest()
        return f"req_{digest[:24]}"


def _event(entry: Entry) -> FaultEvent:
    return FaultEvent(path=entry.path, model=entry.model, decision_id=entry.decision_id)


def _puzzled(chat: ChatRequest, problem: str) -> str:
    """Return what a model says to a question that it does not understand, in the form it is held to."""
    text = f"I cannot advise on this: {problem}."
    if chat.schema is not None:
        return compact(conform({"reasoning": text}, chat.schema))
    return text if chat.format is Format.TEXT else compact({"error": text})
