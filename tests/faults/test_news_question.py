"""A text handed in over HTTP: the model is asked before its time and sees it; nobody ever sees a key."""

from dataclasses import replace

import aiohttp
import pytest

from config.secrets import Secret
from executor.adviser.news import News, NewsDoor
from executor.app.daemon import Daemon
from executor.domain.advice import Trigger
from executor.domain.advice_terms import AdviserTerms, Caps, Prices, Triggers
from executor.domain.events import NewsArrived
from executor.domain.orders import ResidualRule, StrategyParams
from executor.interfaces.api import build_app, serve
from executor.interfaces.control import DaemonInfo
from executor.runtime.clock import Clock
from sandbox.llm_server import DEFAULT_API_KEY
from tests.builders import D
from tests.faults.stage import KEY, stage

pytestmark = pytest.mark.process

TOKEN = "tEsT0tOkEn1tHaT2iS3lOnG4eNoUgH5fOr6tHe7gAtE8xyz"
TEXT = "Rates unchanged, says the bank"
TERMS = AdviserTerms(
    model="sandbox-trader",
    interval_s=3_600,
    min_gap_s=1,
    deadline_ms=2_000,
    caps=Caps(
        parent_cost_max=D(10), hour_cost_max=D(10), day_cost_max=D(10),
        parent_calls_max=100, hour_calls_max=100, day_calls_max=100,
    ),
    prices=Prices(prompt=D(1), cached=D(1), completion=D(1)),
    triggers=Triggers(spread_times=D(1_000), volatility_times=D(1_000), schedule_pct=D(100)),
)  # fmt: skip


class Shown:
    """What the counsel shows of the news, as it is when it asks."""

    def __init__(self, news):
        self.news = news

    def __iter__(self):
        return iter(self.news.items())


async def test_a_text_that_is_handed_in_becomes_a_question(tmp_path):
    clock = Clock()
    news = News(8, clock.now_ns)
    door = NewsDoor(news, clock.now_ns)
    async with stage(tmp_path, terms=TERMS) as played:
        played.texts = Shown(news)
        info = DaemonInfo(version="t", instance="x", venue="sandbox", profile="sandbox", pid=1)
        daemon = Daemon(played.life.runtime, clock, info, door)
        parent = await played.submit(
            order_qty=D("0.03"), duration_s=120, residual=ResidualRule.LEAVE, advised=True,
            params=StrategyParams(interval_s=4, passiveness=D(0)),
        )  # fmt: skip
        await played.until(lambda: parent.advice is not None and parent.advice.recent)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        told = []
        async with (
            serve(build_app(daemon, Secret(TOKEN)), "127.0.0.1", 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http,
        ):
            for outcome in ("ACCEPTED", "REPEATED"):
                async with http.post("/v1/news", json={"source": "the desk", "text": TEXT}) as answer:
                    assert (await answer.json()).get("outcome") == outcome, await answer.text()
            await played.until(lambda: len(parent.advice.recent) > 1)
            one = f"/v1/parents/{parent.order.parent_id}"
            for path in ("/v1/status", "/v1/parents", one, f"{one}/decisions", f"{one}/children", "/metrics"):
                async with http.get(path) as answer:
                    assert answer.status == 200
                    told.append(await answer.text())
        assert [record.trigger for record in parent.advice.recent[:2]] == [Trigger.INTERVAL, Trigger.NEWS]
        asked = [str(entry) for entry in played.model.requests(path="/v1/chat/completions")]
    assert [TEXT in each for each in asked[:2]] == [False, True]
    journal = played.journal_path.read_bytes()
    assert NewsArrived.__name__.encode() in journal
    assert TEXT.encode() not in journal, "the journal says that there were news, the tape which"
    for text in [*asked, *told, repr(played.lines), journal.decode("latin-1")]:
        for secret in (DEFAULT_API_KEY, KEY.key, KEY.secret):
            assert secret not in text


async def test_where_no_door_is_nothing_is_taken(tmp_path):
    async with stage(tmp_path, terms=replace(TERMS, interval_s=3_600)) as played:
        info = DaemonInfo(version="t", instance="x", venue="sandbox", profile="sandbox", pid=1)
        daemon = Daemon(played.life.runtime, Clock(), info)
        assert daemon.hand_in_news("desk", TEXT, None) == "CLOSED"
