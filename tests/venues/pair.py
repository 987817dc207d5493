"""A daemon on two local exchanges, one of them through ccxt, over real sockets."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

from executor.domain.commands import Outcome
from executor.domain.events import RULES_NOW, DrainPolicy, EngineStarted, ShutdownRequested
from executor.domain.orders import ResidualRule, StrategyParams
from executor.engine.engine import Engine
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.venues.bybit.access import Access
from executor.venues.bybit.gateway import BybitVenue
from executor.venues.several import SeveralVenues
from executor.venues.through_ccxt.bybit_dialect import BybitDialect
from executor.venues.through_ccxt.gateway import CcxtVenue
from risk.turnstile import Turnstile
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from tests.builders import D, submitted
from tests.faults.stage import LIMITS, TIMINGS, Levers, own_executions
from tests.venues.other_bench import terms_for
from tests.venues.venue_bench import KEY

NAP_S = 0.1
LIVELY = SandboxOptions(flow=FlowSettings(), address_requests_max=0, step_ms=40.0)


class Pair:
    """Two exchanges and a daemon on both."""

    def __init__(self, home, other, runtime, lines):
        self.home, self.other = Levers(home), Levers(other)
        self.runtime, self.lines, self._number = runtime, lines, 0

    @property
    def state(self):
        return self.runtime.engine.state

    async def submit(self, symbol):
        self._number += 1
        event = submitted(
            symbol=symbol,
            request_id=f"r{self._number}",
            idempotency_key=f"k{self._number}",
            order_qty=D("0.03"),
            duration_s=4,
            residual=ResidualRule.CROSS,
            params=StrategyParams(interval_s=1, passiveness=D(0)),
        )
        reply = await self.runtime.ask(event, event.request_id)
        assert reply.outcome is Outcome.ACCEPTED, reply
        return self.state.parents[reply.parent_id]

    async def until(self, condition, deadline_s=45.0):
        try:
            async with asyncio.timeout(deadline_s):
                while not (found := condition()):  # noqa: ASYNC110 - a state tells nobody of its changes
                    await asyncio.sleep(NAP_S)
                return found
        except TimeoutError:
            parents = [(each.order.symbol, each.status, each.waiting) for each in self.state.parents.values()]
            raise AssertionError(f"{parents} {self.lines[-8:]}") from None

    async def check(self, levers, symbol):
        """Hold the books of one exchange against the daemon's, and what arrived there against what was meant."""
        truth = await levers.truth()
        executed = Counter()
        for row in own_executions(truth):
            executed[row["orderLinkId"]] += Decimal(row["qty"])
        children = [child for child in self.state.children.values() if child.order.symbol == symbol]
        assert {child.order.client_order_id: child.cum_qty for child in children if child.cum_qty} == executed
        names = [json.loads(entry["raw"])["orderLinkId"] for entry in await levers.sent("create")]
        assert len(names) == len(set(names)) <= len(children)
        return truth


@asynccontextmanager
async def two_venues(tmp_path):
    lines = []

    def log(message, **fields):
        lines.append((message, fields))

    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(running_server(LIVELY))
        other = await stack.enter_async_context(running_server(LIVELY))
        clock, turnstile = Clock(), Turnstile()
        journal = stack.enter_context(Journal.open(tmp_path / "journal.db", create=True, instance="x"))
        usual = await stack.enter_async_context(
            BybitVenue(
                access=Access(
                    rest_url=home.rest_url,
                    public_ws_url=home.ws_url,
                    private_ws_url=home.ws_url,
                    api_key=KEY.key,
                    api_secret=KEY.secret,
                    request_timeout_s=1.0,
                ),
                instance="x",
                recv_window_ms=TIMINGS.recv_window_ms,
                clock=clock,
                turnstile=turnstile,
                log=log,
                seed=1,
            )
        )
        terms = terms_for(
            rest_url=other.rest_url,
            recv_window_ms=TIMINGS.recv_window_ms,
            request_timeout_s=1.0,
            poll_s=0.2,
        )
        there = await stack.enter_async_context(
            CcxtVenue(terms, BybitDialect(), instance="x", clock=clock, turnstile=turnstile, log=log)
        )
        await there.open()  # ccxt is imported: that takes longer than an order of this test lasts
        runtime = LiveRuntime(
            engine=Engine(journal.recover()),
            journal=journal,
            venue=SeveralVenues(usual, {"other": there}),
            clock=clock,
            turnstile=turnstile,
            log=log,
        )
        runtime.post(
            EngineStarted(
                at_ns=0,
                version="test",
                instance="x",
                venue="bybit-sandbox",
                limits=LIMITS,
                timings=TIMINGS,
                sentinel_required=False,
                seed=1,
                rules=RULES_NOW,
            )
        )
        stop = asyncio.Event()
        drain = ShutdownRequested(at_ns=0, policy=DrainPolicy.LEAVE)
        task = asyncio.create_task(runtime.run(stop, drain, 5.0))
        yield Pair(home, other, runtime, lines)
        stop.set()
        await task
