"""A whole daemon and a local exchange in one process, over real sockets: what every fault is played on.

The daemon is engine, journal, runtime and Bybit client; only the operator's interfaces are missing. Its waiting
times are short (a window of 1.5 s instead of 5, a margin of 1 s instead of 15), so that a proof of absence
takes about six seconds; the rules are the ones that serve real money.
"""

import asyncio
import io
import itertools
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import aiohttp

from executor.advice.capabilities import Capability, capabilities_of
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.counsel import ModelCounsel
from executor.adviser.template_files import load_template
from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import Outcome
from executor.domain.events import RULES_NOW, DrainPolicy, EngineStarted, ShutdownRequested
from executor.domain.limits import Limits, Timings
from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine.engine import Engine
from executor.engine.state import worst_case_qty
from executor.runtime.audit import audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.gateway import BybitVenue
from risk.turnstile import Turnstile
from sandbox.bybit_server import Credentials, FlowSettings, RunningServer, SandboxOptions, running_server
from sandbox.llm_server import DEFAULT_API_KEY, RunningLlmServer, running_llm_server
from tests.builders import D, submitted

INSTANCE = "x"
KEY = Credentials()
CREATE, AMEND, CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
LIVELY = (("linear", "BTCUSDT"), ("linear", "ETHUSDT"), ("spot", "BTCUSDT"), ("inverse", "BTCUSD"))
NAP_S = 0.02
LOOK_S = 0.1

LIMITS = Limits(
    order_gap_s_min=D("0.2"),
    orders_per_s_max=20,
    orders_per_min_max=1_000,
    participation_pct_max=D(100),
    volatility_hourly_pct_max=D(1_000),
    cross_spread_bps_max=D(100),
    price_collar_bps_max=D(2_000),
    reference_gap_bps_max=D(2_000),
)
TIMINGS = Timings(
    recv_window_ms=1_500,
    absence_margin_s=1,
    query_gap_s=1,
    confirm_s=1,
    recancel_s=1,
    reconcile_s=2,
    refusal_wait_s=1,
    volatility_warmup_s=1,
)


class Levers:
    """A hand on the exchange's control plane."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    async def control(self, method, path, body=None):
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.server.control_url + path, data=data) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def fault(self, act, *, on="rest", path="", match=None, **more):
        """Make the next matching request or message go wrong; `when` is the act's usual moment unless given."""
        wanted = {"path": path, **(match or {})} if path else (match or {})
        return await self.control("POST", "/_fault", {"on": on, "act": act, "match": wanted, **more})

    async def heal(self):
        return await self.control("DELETE", "/_fault")

    async def do(self, what, **fields):
        return await self.control("POST", "/_ex", {"do": what, **fields})

    async def truth(self):
        """Orders, executions, positions and wallet of the account, as the exchange holds them."""
        return (await self.control("GET", "/_truth"))["accounts"][str(KEY.uid)]

    async def connects(self):
        """Connections made so far, by stream."""
        return (await self.control("GET", "/_wire"))["connects"]

    async def wire(self, path=""):
        requests = (await self.control("GET", "/_wire"))["requests"]
        return [entry for entry in requests if not path or entry["path"] == path]

    async def elsewhere(self):
        """Requests that followed a redirection to another server."""
        return (await self.control("GET", "/_wire"))["elsewhere"]

    async def sent(self, kind):
        """Requests of one kind (create, amend, cancel) that reached the exchange, whichever way they came."""
        paths = {f"/v5/order/{kind}", f"order.{kind}"}
        return [entry for entry in await self.wire() if entry["path"] in paths]


@dataclass
class Incarnation:
    """One life of the daemon."""

    venue: BybitVenue
    runtime: LiveRuntime
    stop: asyncio.Event
    task: asyncio.Task


@dataclass
class Stage:
    """One exchange and, between `start` and `end`, one daemon working on it; both may be ahead of real time."""

    levers: Levers
    journal_path: Path
    limits: Limits
    timings: Timings
    access: dict
    seed: int
    terms: AdviserTerms | None = None
    model: RunningLlmServer | None = None
    texts: list | None = None
    ahead_s: int = 0
    silence_s_max: float = 3.0
    venue_algorithms: bool = False
    lines: list = field(default_factory=list)
    life: Incarnation | None = None
    _stack: AsyncExitStack | None = None
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def state(self):
        return self.life.runtime.engine.state

    @property
    def exchange(self):
        """The exchange's own objects, for what has no lever."""
        return self.levers.server.exchange

    def limit_order_qty(self, qty, symbol="BTCUSDT"):
        """Let the venue split reducing orders above a quantity, which it has told nobody."""
        market = self.exchange.markets["linear", symbol]
        market.instrument = replace(market.instrument, limit_qty_max=qty)

    def alerts(self):
        """Codes of the alerts so far."""
        return [text.removeprefix("ALERT ") for text, _ in self.lines if text.startswith("ALERT ")]

    async def start(self):
        """Begin a life: open the journal, read it back, connect."""
        stack = self._stack = AsyncExitStack()
        server, turnstile = self.levers.server, Turnstile()
        clock = Clock(Clock().now_ns() - time.monotonic_ns() + self.ahead_s * NS_PER_S)
        usual = dict(
            rest_url=server.rest_url,
            public_ws_url=server.ws_url,
            private_ws_url=server.ws_url,
            api_key=KEY.key,
            api_secret=KEY.secret,
            request_timeout_s=1.0,
        )
        usual |= self.access
        usual["order_entry"] = Way(usual.get("order_entry", Way.REST))
        if usual["order_entry"] is Way.WEBSOCKET:
            usual.setdefault("trade_ws_url", server.ws_url)
        journal = stack.enter_context(Journal.open(self.journal_path, create=True, instance=INSTANCE))
        venue = await stack.enter_async_context(
            BybitVenue(
                access=Access(**usual),
                instance=INSTANCE,
                recv_window_ms=self.timings.recv_window_ms,
                clock=clock,
                turnstile=turnstile,
                log=self.log,
                seed=self.seed,
                ping_every_s=0.5,
                silence_s_max=self.silence_s_max,
            )
        )
        runtime = LiveRuntime(
            engine=Engine(journal.recover()),
            journal=journal,
            venue=venue,
            clock=clock,
            turnstile=turnstile,
            log=self.log,
            counsel=await self._counsel(stack, venue, clock),
            algos=venue,
        )
        runtime.post(
            EngineStarted(
                at_ns=0,
                version="test",
                instance=INSTANCE,
                venue="bybit-sandbox",
                limits=self.limits,
                timings=self.timings,
                sentinel_required=False,
                seed=self.seed,
                adviser=self.terms,
                venue_algorithms=self.venue_algorithms,
                rules=RULES_NOW,
            )
        )
        stop = asyncio.Event()
        drain = ShutdownRequested(at_ns=0, policy=DrainPolicy.LEAVE)
        self.life = Incarnation(venue, runtime, stop, asyncio.create_task(runtime.run(stop, drain, 5.0)))

    async def _counsel(self, stack, venue, clock):
        """Whoever asks the local model; None on a stage without one."""
        if self.model is None:
            return None
        client = ModelClient(
            self.model.base_url,
            self.terms.model,
            lambda: DEFAULT_API_KEY,
            capabilities_of(self.terms.model).overridden(on=[Capability.JSON_SCHEMA]),
            clock.now_ns,
            reasoning_tokens_max=0,
        )
        stack.push_async_callback(client.close)
        await client.open()
        return ModelCounsel(
            adviser=ModelAdviser(client),
            template=load_template(),
            scenery=venue.context,
            texts=lambda: self.texts,
            now_ns=clock.now_ns,
            tokens_max=800,
            prompt_bytes_max=self.terms.prompt_bytes_max,
            log=self.log,
        )

    async def sleep_through(self, hours):
        """Between two lives, let so much time pass, for the exchange and for this machine."""
        self.ahead_s += hours * 3_600
        await self.levers.do("clock", offset_ms=self.ahead_s * 1_000)

    async def end(self):
        """End the life as SIGTERM with the policy "leave" does."""
        life, stack = self.life, self._stack
        if life is None:
            return
        self.life = self._stack = None
        life.stop.set()
        try:
            async with asyncio.timeout(20):
                await life.task
        finally:
            await stack.aclose()

    def log(self, message, **fields):
        self.lines.append((message, fields))

    async def until(self, condition, deadline_s=30.0):
        """Wait for a condition on the daemon's state; its first true value is returned."""
        try:
            async with asyncio.timeout(deadline_s):
                while not (found := condition()):
                    if self.life is not None and self.life.task.done():
                        self.life.task.result()
                        raise AssertionError("the daemon ended by itself")
                    await asyncio.sleep(NAP_S)
                return found
        except TimeoutError:
            raise AssertionError(f"not within {deadline_s} s; {self.describe()}") from None

    async def let_pass(self, seconds):
        """Let time pass in which nothing may happen, or in which something must."""
        await asyncio.sleep(seconds)

    async def until_truth(self, condition, deadline_s=30.0):
        """Wait for a condition on what the exchange holds."""
        end_s = asyncio.get_running_loop().time() + deadline_s
        while asyncio.get_running_loop().time() < end_s:
            found = condition(await self.levers.truth())
            if found:
                return found
            await asyncio.sleep(LOOK_S)
        differences = self._differences(await self.levers.truth())
        raise AssertionError(f"not within {deadline_s} s; books differ in {differences}; {self.describe()}")

    def describe(self):
        """What the daemon believed and said, for a failure's message."""
        if self.life is None:
            return f"no daemon; last lines {self.lines[-12:]}"
        children = [
            (name, child.status.value, str(child.cum_qty), child.detail)
            for name, child in self.state.children.items()
        ]
        parents = [
            (name, parent.status.value, parent.waiting, parent.children[:3])
            for name, parent in self.state.parents.items()
        ]
        return f"children {children[:6]} .. {children[-6:]}, parents {parents}, last lines {self.lines[-12:]}"

    async def submit(self, **over):
        """Give the daemon a parent order; returns its state."""
        number = next(self._numbers)
        usual = dict(
            request_id=f"r{number}", idempotency_key=f"k{number}", order_qty=D("0.03"), duration_s=6,
            residual=ResidualRule.CROSS, params=StrategyParams(interval_s=2, passiveness=D(0)), seed=self.seed,
        )  # fmt: skip
        event = submitted(**{**usual, **over})
        reply = await self.life.runtime.ask(event, event.request_id)
        assert reply.outcome is Outcome.ACCEPTED, reply
        return self.state.parents[reply.parent_id]

    async def submit_resting(self, **over):
        """Give a parent whose only child rests far below the market; returns both once it is in the book."""
        usual = dict(
            order_qty=D("0.01"), duration_s=300, residual=ResidualRule.LEAVE,
            params=StrategyParams(interval_s=300, passiveness=D(1)), limit_px=D(55_000),
        )  # fmt: skip
        parent = await self.submit(**{**usual, **over})
        children = self.state.children

        def resting():
            # Not always the first: on a starved machine the first may have been taken out before it was seen.
            return [name for name in parent.children if children[name].status is ChildStatus.NEW]

        return parent, children[(await self.until(resting, 40.0))[0]]

    async def finish(self, parent, deadline_s=40.0):
        """Wait until a parent has ended."""
        return await self.until(lambda: parent.is_final, deadline_s)

    async def proved(self, deadline_s=60.0):
        """Wait until nothing is left in doubt: every child proved finished or shown open, every fill booked."""

        def settled():
            return all(
                child.is_released or child.status in {ChildStatus.NEW, ChildStatus.PARTIALLY_FILLED}
                for child in self.state.children.values()
            )

        await self.until(settled, deadline_s)
        await self.until_truth(lambda truth: not self._differences(truth), deadline_s)

    def _differences(self, truth):
        """In what the daemon's bookings are not the exchange's: executions, then quantities of orders."""
        if self.life is None:
            return []
        booked, executed, differences = self.state.executions, Counter(), []
        for row in own_executions(truth):
            executed[row["orderLinkId"]] += Decimal(row["qty"])
            stored = booked.get(execution_key(row))
            if stored is None:
                differences.append(("never booked", row))
                continue
            _, qty, px = stored.split(":")
            if (Decimal(qty), Decimal(px)) != (Decimal(row["qty"]), Decimal(row["price"])):
                differences.append(("booked otherwise", row, stored))
        for name, child in self.state.children.items():
            if child.cum_qty != executed[name]:
                differences.append(("cumulative quantity", name, child.cum_qty, executed[name]))
        return differences

    async def check(self, *, over_fill=False, doubled_by_network=False):
        """Hold the books against the exchange, and the wire against the rules (INV-1, 2, 9, 10, 14, 16).

        What is on its way while the market goes on gets its time to arrive: the books must agree at some moment.
        """
        truth = await self.until_truth(lambda truth: None if self._differences(truth) else truth)
        state = self.state
        reachable = defaultdict(Decimal)
        for row in truth["orders"]:
            if row["orderLinkId"] in state.children:
                is_open = row["status"] in {"New", "PartiallyFilled", "Untriggered"}
                bound = Decimal(row["qty"]) if is_open else Decimal(row["cumExecQty"])
                reachable[state.children[row["orderLinkId"]].order.parent_id] += bound
        for name, parent in state.parents.items():
            assert over_fill or reachable[name] <= parent.order.order_qty, (name, reachable[name])
            assert over_fill or worst_case_qty(state, parent) <= parent.order.order_qty
        sent = await self.levers.sent("create")
        names = [name for entry in sent if (name := link_id(entry))]
        assert doubled_by_network or len(names) == len(set(names)), Counter(names).most_common(3)
        ours = [name for name in names if name.startswith(f"{INSTANCE}-")]
        cut_off = len(sent) - len(names)
        assert len(ours) + cut_off <= len(state.children), (
            "more requests than children: something was repeated"
        )
        assert all(child.status is not ChildStatus.UNKNOWN for child in state.children.values()), (
            self.describe()
        )


def own_executions(truth):
    """Executions of this instance's orders."""
    return [row for row in truth["executions"] if row["orderLinkId"].startswith(f"{INSTANCE}-")]


def execution_key(row):
    """Under which the daemon books an execution."""
    return f"{row['category']}:{row['symbol']}:{row['execId']}"


def link_id(entry):
    """The client's id in a logged request, whichever way it came; empty if it was cut off before it."""
    found = re.search(r'"orderLinkId":"([^"]+)"', entry["raw"])
    return found.group(1) if found else ""


@asynccontextmanager
async def stage(
    tmp_path,
    *,
    options=None,
    access=None,
    limits=LIMITS,
    timings=TIMINGS,
    silence_s_max=3.0,
    seed=1,
    started=True,
    terms=None,
    texts=None,
) -> AsyncIterator[Stage]:
    """Set up an exchange with a lively market and a daemon on it; at the end the journal must replay identically.

    With terms of an adviser there is a local model beside it, which is asked.
    """
    usual = dict(seed=seed, flow=FlowSettings(volatility_hourly=0.004), address_requests_max=0)
    async with AsyncExitStack() as around:
        server = await around.enter_async_context(
            running_server(SandboxOptions(**{**usual, **(options or {})}))
        )
        model = None if terms is None else await around.enter_async_context(running_llm_server())
        for key, flow in server.exchange.flows.items():
            flow.frozen = key not in LIVELY  # nobody looks at the others, and each costs time
        played = Stage(
            levers=Levers(server), journal_path=tmp_path / "journal.db", limits=limits, timings=timings,
            access=access or {}, silence_s_max=silence_s_max, seed=seed, terms=terms, model=model, texts=texts,
        )  # fmt: skip
        try:
            if started:
                await played.start()
            yield played
        finally:
            await played.end()
    if played.journal_path.exists():
        assert audit(played.journal_path).identical
