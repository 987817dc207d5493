"""A live venue in a thread of its own, and clients for it: every test gets an API key nobody else uses."""

import itertools
import json
import re
import urllib.error
import urllib.request

import pybit.unified_trading as pybit_client
import pytest

from sandbox.bybit_server import SandboxOptions
from tests.sandbox.venue_support import KEYS, Bench, RawClient, venue_in_thread

_numbers = itertools.count()


@pytest.fixture(scope="module")
def venue():
    """One for each module: its crowd trades, and so takes time, for as long as it runs; to start it takes little."""
    options = SandboxOptions(seed=7, credentials=KEYS, address_requests_max=0)
    with venue_in_thread(options) as server:
        yield server


@pytest.fixture
def key():
    return KEYS[next(_numbers)]


@pytest.fixture
def raw(venue, key):
    return RawClient(venue.rest_url, key)


@pytest.fixture
def control(venue):
    """Calls the control plane; faults are cleared afterwards."""

    def call(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(venue.control_url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    yield call
    call("DELETE", "/_fault")


@pytest.fixture
def http(venue, key):
    session = pybit_client.HTTP(api_key=key.key, api_secret=key.secret, retry_codes={-999}, max_retries=1)
    session.endpoint = venue.rest_url
    yield session
    session.client.close()


@pytest.fixture
def sockets(venue, key):
    """Makes pybit sockets that connect to the venue, and closes them."""
    local = re.compile(r"^wss://[^/]+")

    class LocalSocket(pybit_client.WebSocket):
        def _connect(self, url):
            super()._connect(local.sub(venue.ws_url, url))

    class LocalTrading(pybit_client.WebSocketTrading):
        def _connect(self, url):
            super()._connect(local.sub(venue.ws_url, url))

    opened = []

    def make(channel, **options):
        if channel in {"private", "trade"}:
            options |= {"api_key": key.key, "api_secret": key.secret}
        if channel == "trade":
            socket = LocalTrading(testnet=False, **options)
        else:
            socket = LocalSocket(testnet=False, channel_type=channel, **options)
        opened.append(socket)
        return socket

    yield make
    for socket in opened:
        socket.exit()


@pytest.fixture
def bench():
    return Bench()
