"""Nothing secret goes into a question (INV-46): only listed places are filled, whatever lies beside what fills them."""

import json
import os
from dataclasses import fields, is_dataclass, make_dataclass

import pytest

from config.hosts import Mode
from config.load import load_settings
from config.secrets import ADVISER_ENV, ENV_NAMES
from executor.advice.context import NEWS_MAX
from executor.advice.facts import RECENT_DECISIONS_MAX
from executor.advice.prompt import render
from executor.domain.advice import Failure
from executor.domain.advice_facts import PastDecision
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed, EngineStarted
from executor.domain.limits import Limits
from executor.domain.orders import StrategyParams
from executor.engine.state import EngineState
from tests.advice_records import ADVISER
from tests.adviser.questions import TEMPLATE, context, facts, news_item
from tests.builders import D, submitted
from tests.engine.rig import Rig

CANARY = "cAnArY0123456789cAnArY0123456789"
PLACES = """
decision_id snapshot_hash answer_within_ms
parent.symbol parent.category parent.side parent.order_qty parent.cum_qty parent.leaves_qty
parent.deadline_in_s parent.duration_s parent.decision_px parent.limit_px parent.strategy parent.urgency
progress.executed_pct progress.elapsed_pct progress.ahead_pct progress.avg_px progress.shortfall_bps
progress.twap_px progress.vs_twap_bps progress.slice_qty progress.slices_left progress.working_qty
market.mid market.spread_bps market.best_bid market.best_bid_qty market.best_ask market.best_ask_qty
market.volatility_hourly_pct market.volume_per_min_qty market.mean_px_5min market.regime
band.rate_min band.rate_max band.slice_times_max band.ahead_pct_max band.behind_pct_max band.wait_s_max
band.confidence_min band.strategies[] band.cancel_allowed
impact.estimate_bps impact.low_bps impact.high_bps
recent_decisions[].decision_id recent_decisions[].action recent_decisions[].confidence
recent_decisions[].outcome recent_decisions[].filled_pct_since recent_decisions[].mid_moved_bps
context.bids[][] context.asks[][] context.imbalance context.last_trades[][] context.volume_1min_qty
context.funding_rate context.funding_in_s context.open_interest_change_pct context.liquidations.long_qty
context.liquidations.short_qty context.liquidations.span_s context.liquidations.nearest_bps
context.exchange_flow.source context.exchange_flow.net_qty context.exchange_flow.span_s context.session
outside_text[].source outside_text[].age_s outside_text[].text
"""
"""Every place of a question that may hold something. Who adds one says here that it is nobody's secret."""


def places(value, at=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, f"{at}[]")
    else:
        yield at


def written(told, surroundings, news):
    return "".join(message.content for message in render(TEMPLATE, told, surroundings, news, 4_000))


def leaky(record, secrets):
    """The same record as one of a class that carries secrets as well, and so all records within it."""
    values = {field.name: leaky_value(getattr(record, field.name), secrets) for field in fields(record)}
    extra = make_dataclass(
        f"Leaky{type(record).__name__}",
        [("secrets", object), ("api_key", str), ("note", str)],
        bases=(type(record),),
        frozen=True,
        kw_only=True,
    )
    return extra(**values, secrets=secrets, api_key=CANARY, note=CANARY)


def leaky_value(value, secrets):
    if is_dataclass(value):
        return leaky(value, secrets)
    if isinstance(value, tuple):
        return tuple(leaky_value(inner, secrets) for inner in value)
    return value


@pytest.fixture
def settings(monkeypatch):
    """Settings that hold canaries for secrets, in an environment full of them."""
    for name in [name for pair in ENV_NAMES.values() for name in pair]:
        monkeypatch.setenv(name, CANARY)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", ADVISER_ENV):
        monkeypatch.setenv(name, CANARY)
    environ = {name: os.environ[name] for name in ENV_NAMES[Mode.TESTNET]}
    loaded = load_settings("testnet", None, environ, yes_live=False)
    assert loaded.require().api_secret.reveal() == CANARY
    return loaded


def test_only_listed_places_are_filled():
    question = json.loads(written(facts(), context(), [news_item()]).removeprefix(TEMPLATE.text))
    assert sorted(set(places(question))) == sorted(PLACES.split())


def test_no_secret_beside_the_facts_reaches_a_question(settings):
    state = EngineState(instance=CANARY, venue=CANARY, latch_reason=CANARY)
    secrets = (settings, settings.credentials, state, {"api_secret": CANARY}, CANARY)
    clear = written(facts(), context(), [news_item()])
    told = leaky(facts(), secrets)
    assert told.order.api_key == told.recent_decisions[0].note == CANARY
    full = written(told, leaky(context(), secrets), [leaky(news_item(), secrets)])
    assert full == clear
    for piece in (CANARY, CANARY[:12], "Secret(", "testnet", "tst"):
        assert piece not in full


class Named(Rig):
    """A rig in whose state a canary stands wherever a name of ours, of the account or of an operator can."""

    def start(self):
        self.send(
            EngineStarted(
                at_ns=0, version=CANARY, instance=CANARY, venue=CANARY, limits=self.limits, timings=self.timings,
                sentinel_required=False, seed=1, hedge_mode=False, adviser=self.adviser,
            )
        )  # fmt: skip


def test_what_the_engine_puts_into_a_question_holds_no_name_of_ours_and_no_money_limit():
    rig = Named(Limits(day_loss_max=D("918273.64"), position_notional_max=D("81726354.5")), adviser=ADVISER)
    rig.open_market()
    rig.send(
        submitted(
            idempotency_key=CANARY, request_id=CANARY, body_sha256=CANARY, order_qty=D(2), duration_s=1_200,
            params=StrategyParams(interval_s=60), seed=918_273_645, advised=True,
        )
    )  # fmt: skip
    rig.settle()
    asked = []
    for _ in range(200):
        rig.tick(1)
        asked = [command for command in rig.log if isinstance(command, RequestAdvice)]
        if len(asked) > 2 and rig.engine.state.children:
            break
        for request in asked[-1:]:
            rig.send(
                AdviceFailed(
                    at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id,
                    failure=Failure.SERVER_ERROR, detail=CANARY, latency_ns=1,
                )
            )  # fmt: skip
    assert len(asked) > 2
    assert CANARY in repr(rig.engine.state), "the canary sits where the question is made from"
    for request in asked:
        full = written(request.facts, context(), [news_item()])
        for piece in (CANARY, CANARY[:12], "918273", "81726354", "client_order_id", "k1"):
            assert piece not in full


def test_what_identifies_a_parent_to_us_stays_with_us():
    told = facts(parent_id=CANARY, parent_version=918_273_645)
    assert written(told, context(), None) == written(facts(), context(), None)


def test_what_is_beyond_the_shown_rows_is_not_shown():
    past = facts().recent_decisions[0]
    old = PastDecision(
        **{field.name: getattr(past, field.name) for field in fields(past)} | {"decision_id": CANARY}
    )
    told = facts(recent_decisions=(old,) + (past,) * RECENT_DECISIONS_MAX)
    news = [news_item(age_s=age) for age in range(NEWS_MAX)] + [
        news_item(text=CANARY, source=CANARY, age_s=10_000)
    ]
    assert CANARY not in written(told, context(), news)
