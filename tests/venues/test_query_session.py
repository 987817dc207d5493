"""The wall around pybit's session: what leads elsewhere is refused before a byte leaves, whoever says so."""

import asyncio
import socket

import pytest
import requests
from aiohttp import web
from pybit.unified_trading import HTTP

from executor.domain.errors import TransportError
from executor.venues.bybit.query_session import HostRefused, wall_in
from tests.venues.queries_bench import listed, scripted_desk

HERE = frozenset({"127.0.0.1"})
THERE = "127.0.0.2"
"""Another address of this machine, and none of those that an environment on it may reach."""


@pytest.fixture
def elsewhere():
    """A server that counts who connects; it answers nothing."""
    with socket.create_server((THERE, 0)) as server:
        server.setblocking(False)
        yield server


def connections(server):
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def walled(hosts=HERE, **over):
    session = requests.Session()
    wall_in(session, hosts)
    for name, value in over.items():
        setattr(session, name, value)
    return session


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:{port}/",
        "http://127.0.0.1@127.0.0.2:{port}/",
        "http://127.0.0.2:{port}/@127.0.0.1",
        "http://127.0.0.2:{port}\\@127.0.0.1/",
        "http://127.0.2:{port}/?127.0.0.1",
    ],
)
def test_another_host_is_refused_before_a_byte_leaves(elsewhere, url):
    with walled() as session, pytest.raises(HostRefused):
        session.get(url.format(port=elsewhere.getsockname()[1]), timeout=2)
    assert connections(elsewhere) == 0


def test_tls_changes_nothing(elsewhere):
    with walled() as session, pytest.raises(HostRefused):
        session.get(f"https://{THERE}:{elsewhere.getsockname()[1]}/", timeout=2)
    assert connections(elsewhere) == 0


def test_the_server_that_counts_would_have_noticed(elsewhere):
    with walled(frozenset({THERE})) as session, pytest.raises(requests.exceptions.Timeout):
        session.get(f"http://{THERE}:{elsewhere.getsockname()[1]}/", timeout=0.1)
    assert connections(elsewhere) == 1


@pytest.mark.parametrize("proxies", [{"http": "http://127.0.0.2:{port}"}, {"all": "http://127.0.0.2:{port}"}])
def test_a_proxy_is_refused(elsewhere, proxies):
    through = {kind: url.format(port=elsewhere.getsockname()[1]) for kind, url in proxies.items()}
    with walled() as session, pytest.raises(HostRefused):
        session.get("http://127.0.0.1:9/", proxies=through, timeout=2)
    with walled(proxies=through) as session, pytest.raises(HostRefused):
        session.get("http://127.0.0.1:9/", timeout=2)
    assert connections(elsewhere) == 0


async def test_proxies_and_passwords_of_the_environment_are_not_taken(monkeypatch, tmp_path, elsewhere):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{THERE}:{elsewhere.getsockname()[1]}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heads = []

    async def answer(request):
        heads.append(request.headers)
        return web.json_response({"retCode": 0, "result": {}}, headers={"Set-Cookie": "a=b"})

    async with scripted_desk(lambda *_: answer) as (_, desk):
        for _ in range(2):
            await desk.asker.result(HTTP.get_account_info)
    assert connections(elsewhere) == 0
    assert [{"Authorization", "Cookie"} & set(head) for head in heads] == [set(), set()]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_19_a_redirect_sends_the_key_nowhere(elsewhere, status):
    place = f"http://{THERE}:{elsewhere.getsockname()[1]}/v5/order/realtime"

    def answer(*_):
        return web.Response(status=status, headers={"Location": place})

    async with scripted_desk(answer) as (script, desk):
        for redirects_max in (0, 30):  # the wall holds by itself
            desk.asker._client.client.max_redirects = redirects_max
            with pytest.raises(TransportError):
                await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert len(script.asked) == 2
    assert connections(elsewhere) == 0


async def test_a_client_that_was_led_elsewhere_asks_nothing(elsewhere):
    async with scripted_desk(lambda *_: listed()) as (script, desk):
        desk.asker._client.endpoint = f"http://{THERE}:{elsewhere.getsockname()[1]}"
        with pytest.raises(TransportError, match="not a host of this environment"):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert script.asked == []
    assert connections(elsewhere) == 0


async def test_what_was_given_up_sends_nothing_more():
    async with scripted_desk(lambda *_: listed()) as (script, desk):
        desk.asker._wall.give_up()
        with pytest.raises(TransportError, match="given up"):
            await asyncio.wait_for(desk.asker.result(HTTP.get_account_info), 10)
        assert script.asked == []
