"""Where nobody listens, the text says so in the words of the operating system and shows no library."""

import socket

import aiohttp
import pytest
import requests

from executor.sentinel.venue import SweepVenue, VenueTrouble
from executor.venues.bybit import ask
from executor.venues.bybit.transport import NotReached, new_session
from tests.faults.certificates import Authority, Door


@pytest.fixture
def port():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def test_requests_and_sockets_say_that_nothing_is_reached(port):
    told = f"no connection to 127.0.0.1:{port} (Connection refused)"
    async with new_session(frozenset({"127.0.0.1"})) as http:
        with pytest.raises(NotReached) as caught:
            await http.get(f"http://127.0.0.1:{port}/")
        assert str(caught.value) == told
        assert isinstance(caught.value, aiohttp.ClientConnectorError)
        with pytest.raises(NotReached) as caught:
            await http.ws_connect(f"ws://127.0.0.1:{port}/")
        assert str(caught.value) == told


async def test_so_does_the_sentinel(port):
    async with SweepVenue(
        rest_url=f"http://127.0.0.1:{port}", api_key="k", api_secret="s", recv_window_ms=5_000, timeout_s=5.0
    ) as venue:
        with pytest.raises(VenueTrouble, match="no connection to") as caught:
            await venue.measure_time()
    assert "ssl" not in str(caught.value)
    assert str(caught.value).endswith("(Connection refused)")


def test_so_do_questions(port):
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get(f"http://127.0.0.1:{port}/", timeout=30)
    assert ask._cause(caught.value).startswith("no connection (")
    assert "Connection refused" in ask._cause(caught.value)
    assert ask._cause(requests.ReadTimeout("slow")) == "ReadTimeout: slow"


async def test_a_bad_certificate_is_called_one(tmp_path):
    context = Authority(tmp_path).context("self-signed")
    async with Door(9, context) as door:
        async with new_session(frozenset({"127.0.0.1"})) as http:
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match="certificate verify failed"):
                await http.get(f"https://127.0.0.1:{door.port}/")
        async with SweepVenue(
            rest_url=f"https://127.0.0.1:{door.port}",
            api_key="k",
            api_secret="s",
            recv_window_ms=5_000,
            timeout_s=5.0,
        ) as venue:
            with pytest.raises(VenueTrouble, match="certificate"):
                await venue.measure_time()
