"""Alarms reach people over real sockets within seconds, and a way that does not work is seen and holds nothing up."""

import asyncio
import email
import json
from contextlib import asynccontextmanager

from aiohttp import web

from config.notices import read_notices
from executor.app.messengers import WAITING_MAX, Delivery
from executor.app.notifying import Notifier
from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.domain.timeline import NS_PER_S
from executor.runtime.alarms import Alarms
from executor.runtime.notices import Notices

NOW_NS = 1_700_000_000 * NS_PER_S


class People:
    """A webhook, a Telegram bot and a mail server on this machine, and all that they were told."""

    def __init__(self):
        self.told = asyncio.Queue(maxsize=100)
        self.refuses = False
        self.talks = []
        self.port = self.mail_port = 0

    async def web(self, request):
        body = await request.json()
        if self.refuses:
            return web.Response(status=500)
        await self.told.put((request.path, request.headers.get("Authorization"), body))
        return web.json_response({"ok": True})

    async def ping(self, _request):
        return web.Response()

    async def mail(self, reader, writer):
        """As much of SMTP as a client without TLS needs."""
        self.talks.append(asyncio.current_task())
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                raw = await reader.readuntil(b"\r\n.\r\n")
                await self.told.put(("mail", None, email.message_from_bytes(raw[:-3])))
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                break
        writer.close()


@asynccontextmanager
async def people():
    one = People()
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", one.web), web.get("/ping", one.ping)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = await asyncio.start_server(one.mail, "127.0.0.1", 0)
    one.port, one.mail_port = site.port, server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await asyncio.gather(*one.talks)
        await runner.cleanup()


def settings(one, tmp_path, heartbeat_s=0):
    path = tmp_path / "notices.toml"
    path.write_text(
        f"""
heartbeat_s = {heartbeat_s}
ping_url = "http://127.0.0.1:{one.port}/ping"
[webhook]
url = "http://127.0.0.1:{one.port}/hook"
token = "wh-secret"
[telegram]
url = "http://127.0.0.1:{one.port}/api"
token = "123:tg-secret"
chat_id = "-100"
[mail]
host = "127.0.0.1"
port = {one.mail_port}
sender = "executor@example.org"
to = ["trader@example.org"]
tls = false
"""
    )
    path.chmod(0o600)
    return read_notices(path)


class Logged(list):
    """What was logged, and a way to wait for more."""

    def __init__(self):
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, text, **more):
        self.append((text, more))
        self._more.set()

    async def changed(self):
        await self._more.wait()
        self._more.clear()


@asynccontextmanager
async def notifier(whom, alarms, counted):
    logged = Logged()
    one = Notifier(
        whom,
        "executor a1 (live)",
        lambda: alarms,
        lambda: NOW_NS,
        lambda: "ready; 2 open parent orders",
        lambda way, outcome: counted.append((way, outcome)),
        logged,
    )
    task = asyncio.create_task(one.run(lambda _: None))
    try:
        yield logged
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def raised(code=AlertCode.HALT):
    return RaiseAlert(severity=Severity.CRITICAL, code=code, parent_id="P1", detail="because")


async def test_an_alarm_reaches_people_on_every_way(tmp_path):
    alarms, counted = Alarms(), []
    alarms.take(raised(AlertCode.OVER_FILL), NOW_NS)  # before anybody listened
    async with people() as one, notifier(settings(one, tmp_path), alarms, counted) as logged:
        async with asyncio.timeout(20):
            first = [await one.told.get() for _ in range(3)]
            alarms.take(raised(), NOW_NS)
            second = [await one.told.get() for _ in range(3)]
    assert {told[0] for told in first} == {"/hook", "/api/bot123:tg-secret/sendMessage", "mail"}
    by_way = {told[0]: told for told in second}
    _, token, body = by_way["/hook"]
    assert token == "Bearer wh-secret"
    assert (body["code"], body["severity"], body["parent_id"]) == ("HALT", "CRITICAL", "P1")
    _, _, telegram = by_way["/api/bot123:tg-secret/sendMessage"]
    assert telegram["chat_id"] == "-100"
    assert "executor a1 (live): CRITICAL HALT P1" in telegram["text"]
    _, _, mail = by_way["mail"]
    assert mail["Subject"] == "executor a1 (live): CRITICAL HALT P1"
    assert "because" in mail.get_payload()
    assert not logged


async def test_a_heartbeat_tells_that_all_is_well(tmp_path):
    async with people() as one, notifier(settings(one, tmp_path, 60), Alarms(), []), asyncio.timeout(20):
        told = {path: body for path, _, body in [await one.told.get() for _ in range(3)]}
    assert "ready; 2 open parent orders" in told["/hook"]["text"]


async def test_a_way_that_does_not_work_is_counted_and_logged_without_a_secret(tmp_path, monkeypatch):
    monkeypatch.setattr(Delivery.__init__, "__defaults__", ((0.0, 0.0),))
    alarms, counted = Alarms(), []
    async with people() as one:
        one.refuses = True
        async with notifier(settings(one, tmp_path), alarms, counted) as logged, asyncio.timeout(20):
            alarms.take(raised(), NOW_NS)
            await one.told.get()  # the mail, which still works
            while {("webhook", "failed"), ("telegram", "failed")} - set(counted):
                await logged.changed()
    assert ("mail", "failed") not in counted
    assert "secret" not in json.dumps(logged)
    assert {more["way"] for _, more in logged} == {"webhook", "telegram"}


async def test_what_nobody_takes_does_not_pile_up():
    counted = []

    class Nobody:
        name = "nobody"

        async def send(self, notice):
            await asyncio.Event().wait()

    delivery = Delivery(Nobody(), lambda way, outcome: counted.append((way, outcome)))
    notice = Notices(least=Severity.INFO, name="x").heartbeat(NOW_NS, "fine")
    for _ in range(WAITING_MAX + 5):
        delivery.put(notice)
    assert counted == [("nobody", "dropped")] * 5


async def test_whatever_goes_wrong_on_a_way_ends_nothing_but_the_try():
    class Broken:
        name = "broken"

        async def send(self, _notice):
            raise ValueError("a letter that mail cannot hold")

    counted = asyncio.Queue(maxsize=2)
    way = Delivery(Broken(), lambda *what: counted.put_nowait(what), tries=(0.0, 0.0))
    notices = Notices(least=Severity.INFO, name="executor")
    task = asyncio.create_task(way.run())
    for _ in range(2):
        way.put(notices.heartbeat(NOW_NS, "ready"))
        assert await counted.get() == ("broken", "failed")
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
