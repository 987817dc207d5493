"""Seeded bad weather: for each seed a few kinds of faults at chosen rates, then everything heals.

Every other seed sends its orders over the order socket. Many seeds with few kinds at high rates find more than all
kinds at once; one seed in ten has no fault at all, because fair weather must stay perfect.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import apsw

from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from sandbox.bybit_server import Credentials
from tests.builders import D
from tests.faults.stage import TIMINGS, Stage, stage
from tests.faults.ways import at, over

FOUL_S = 4.0
HEAL_S = 60.0
DRIFT_EVERY_S = 0.3
QUERIES = ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list", "/v5/position/list")


@dataclass(frozen=True)
class Fault:
    """One kind of fault as a rule for the exchange's control plane; `way` is the one it exists on, empty for both."""

    name: str
    way: str
    rule: dict


def _orders(name, act, kind, when="after_apply", way="", **more):
    """A fault of one kind of order request."""
    return Fault(name, way, dict(act=act, kind=kind, when=when, **more))


def _answers(kind):
    """What can happen to a request of one kind and to its answer."""
    busy = dict(retCode=10000, retMsg="Server Timeout")
    return (
        _orders(f"{kind} lost", "drop", kind, "before_apply"),
        _orders(f"{kind}: answer lost", "drop", kind),
        _orders(f"{kind} delayed past our patience", "delay", kind, "before_apply", delay=1.3),
        _orders(f"{kind}: answer delayed", "delay", kind, delay=0.7),
        _orders(f"{kind}: server timeout after the fact", "retCode", kind, **busy),
        _orders(f"{kind}: server timeout before it", "retCode", kind, "before_apply", **busy),
        _orders(f"{kind}: code never seen", "retCode", kind, retCode=999_999, retMsg="?"),
        _orders(f"{kind}: connection reset after the fact", "reset", kind),
        _orders(f"{kind}: connection reset before it", "reset", kind, "before_apply"),
        _orders(
            f"{kind}: rate limit", "retCode", kind, "before_apply", retCode=10006, retMsg="Too many visits."
        ),
        _orders(f"{kind}: damaged answer", "corrupt", kind),
        _orders(f"{kind}: gateway error after the fact", "status", kind, way="rest", status=502),
        _orders(f"{kind}: gateway error before it", "status", kind, "before_apply", way="rest", status=503),
        _orders(f"{kind}: page instead of an answer", "body_raw", kind, way="rest"),
        _orders(f"{kind}: socket closed after the fact", "close", kind, way="websocket", code=1001),
        _orders(
            f"{kind}: socket closed before it", "close", kind, "before_apply", way="websocket", code=1001
        ),
    )


KINDS = (
    *_answers("create"),
    *_answers("amend"),
    *_answers("cancel"),
    _orders("server restarts", "retCode", "create", retCode=10016),
    *(Fault(f"{path} fails", "", dict(act="status", path=path, status=500)) for path in QUERIES),
    *(Fault(f"{path} unanswered", "", dict(act="drop", path=path)) for path in QUERIES[:3]),
    Fault("order messages lost", "", dict(act="drop", on="private", topic="order*")),
    Fault("executions lost", "", dict(act="drop", on="private", topic="execution*")),
    Fault("messages doubled", "", dict(act="dup", on="private")),
    Fault("messages late", "", dict(act="delay", on="private", delay=0.4)),
    Fault("messages out of order", "", dict(act="reorder", on="private", window=20, within=0.5)),
)
BREAKS = (
    "private stream cut",
    "market data cut",
    "order socket cut",
    "outage",
    "hold",
    "one way",
    "idle closed",
)
INSTRUMENTS = (
    *(dict(category=Category.LINEAR, symbol="BTCUSDT", step="0.001") for _ in range(7)),
    dict(category=Category.LINEAR, symbol="BTCUSDT", step="0.001", hedged=True),
    dict(category=Category.INVERSE, symbol="BTCUSD", step="10"),
    dict(category=Category.SPOT, symbol="BTCUSDT", step="0.001"),
)


@dataclass(frozen=True)
class Told:
    """What one run saw: faults chosen, events by kind, children, and how the parents ended."""

    seed: int
    kinds: tuple[str, ...]
    events: Counter
    children: int
    outcomes: tuple[str, ...]


def way_of(seed: int) -> str:
    """How the orders of a seed are sent."""
    return "websocket" if seed % 2 else "rest"


def weather_of(seed: int, chance: Random) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    """What goes wrong in the run of a seed: answers and messages, and connections; in every tenth run nothing."""
    if chance.random() < 0.1:
        return (), ()
    known = [kind for kind in KINDS if kind.way in ("", way_of(seed))]
    kinds = tuple(chance.sample(known, chance.randint(1, 4)))
    return kinds, tuple(chance.sample(BREAKS, chance.choice([0, 0, 1, 2])))


async def play(tmp_path, seed: int) -> Told:
    """Work up to three parents through the weather of a seed, heal, and hold everything against the exchange's truth.

    Raises
    ------
    AssertionError
        If anything was sent twice, over-filled, lost, doubled, or is still in doubt a minute after healing.
    """
    chance = Random(seed)
    home = tmp_path / f"seed{seed}"
    home.mkdir()
    way = way_of(seed)
    kinds, breaks = weather_of(seed, chance)
    traded = dict(chance.choice(INSTRUMENTS))
    step, hedged = D(traded.pop("step")), traded.pop("hedged", False)
    side = chance.choice([Side.BUY, Side.SELL])
    if hedged:
        traded["position_idx"] = 1 if side is Side.BUY else 2
    options = dict(credentials=(Credentials(hedged=hedged),))
    timings = replace(TIMINGS, residual_window_s=4)
    async with stage(home, seed=seed, timings=timings, access=over(way), options=options) as played:
        for kind in kinds:
            await _set(played, kind, way, round(chance.uniform(0.3, 0.95), 2))
        drift_bps = side.sign * chance.choice([0, 3, 3, -3])
        weather = asyncio.gather(_breaking(played, Random(seed), breaks), _drifting(played, drift_bps))
        try:
            parents = [
                await played.submit(
                    **traded,
                    side=side,
                    order_qty=chance.randint(6, 60) * step,
                    duration_s=chance.choice([4, 5, 6]),
                    residual=chance.choice([ResidualRule.CROSS, ResidualRule.LEAVE]),
                    params=StrategyParams(
                        interval_s=chance.choice([1, 2]),
                        passiveness=chance.choice([D(0), D("0.5"), D(1), D(1)]),
                    ),
                )
                for _ in range(chance.choice([1, 2, 3]))
            ]
            await asyncio.sleep(FOUL_S)
        finally:
            weather.cancel()
            await asyncio.gather(weather, return_exceptions=True)
        await played.levers.heal()
        for parent in parents:
            await played.finish(parent, HEAL_S)
        await played.proved(HEAL_S)
        await played.check()
        outcomes = tuple(parent.status.value for parent in parents)
        children = sum(len(parent.children) for parent in parents)
    return Told(
        seed, (*(kind.name for kind in kinds), *breaks), _events(home / "journal.db"), children, outcomes
    )


async def _set(played: Stage, kind: Fault, way: str, rate: float) -> None:
    rule = dict(kind.rule)
    match = {"p": rate}
    if "topic" in rule:
        match["topic"] = rule.pop("topic")
    place = at(way, rule.pop("kind")) if "kind" in rule else {}
    await played.levers.fault(**rule, **place, match=match, times=None)


async def _breaking(played: Stage, chance: Random, breaks: tuple[str, ...]) -> None:
    """Break the net again and again in the ways given, a second or so at a time."""
    while breaks:
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        span_s = round(chance.uniform(0.5, 2.0), 2)
        match chance.choice(breaks):
            case "private stream cut":
                await played.levers.fault("close", on="private")
            case "market data cut":
                await played.levers.do("cut_public")
            case "order socket cut":
                await played.levers.fault("close", on="trade")
            case "outage":
                await played.levers.do("refuse_connect", s=span_s, cut=True)
            case "hold":
                await played.levers.do("hold", s=span_s, on=chance.choice(["rest", "trade", ""]))
            case "one way":
                await played.levers.do("one_way", s=span_s)
            case "idle closed":
                await played.levers.do("close_idle")


async def _drifting(played: Stage, bps: Decimal) -> None:
    """Let the market run one way, so that resting orders are filled, or left behind and follow."""
    while bps:
        await played.levers.do("jump", bps=str(bps))
        await asyncio.sleep(DRIFT_EVERY_S)


def _events(path) -> Counter:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return Counter(dict(db.execute("SELECT kind, count(*) FROM journal GROUP BY kind")))
    finally:
        db.close()


__all__ = ["BREAKS", "KINDS", "Told", "play"]
