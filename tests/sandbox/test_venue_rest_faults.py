"""Every way an HTTP answer can go wrong, seen from the client, from the truth and from the wire log."""

import gzip
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
import zlib
from urllib.parse import urlsplit

import pytest
from pybit.exceptions import FailedRequestError

from tests.sandbox.venue_support import poll_until

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
LOST = (ConnectionError, urllib.error.URLError, http.client.HTTPException)


@pytest.fixture
def order(key):
    return {**ORDER, "price": "64500.0", "orderLinkId": f"{key.key}-one"}


@pytest.fixture
def spoil(control, order):
    """Puts up a rule for this test's order."""

    def call(act, when="after_apply", **details):
        match = {"path": "/v5/order/create", "linkId": order["orderLinkId"]}
        return control("POST", "/_fault", {"match": match, "act": act, "when": when, **details})

    return call


@pytest.fixture
def count(control, key):
    return lambda: len(control("GET", "/_truth")["accounts"][str(key.uid)]["orders"])


@pytest.fixture
def wire(control, order):
    """The requests about this test's order."""

    def look():
        requests = control("GET", "/_wire?path=/v5/order/create")["requests"]
        return [entry for entry in requests if order["orderLinkId"] in entry["raw"]]

    return look


def refused_by_control(control, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        control("POST", "/_fault", body)
    with caught.value as error:
        return error.code, json.loads(error.read())["error"]


def raw_exchange(venue, request, *, deadline_s=30.0):
    """Send bytes, return everything that comes back until the end, and how it ended."""
    place = urlsplit(venue.rest_url)
    with socket.create_connection((place.hostname, place.port), timeout=deadline_s) as client:
        client.sendall(request)
        received = b""
        while True:
            try:
                part = client.recv(65_536)
            except ConnectionResetError:
                return received, "reset"
            if not part:
                return received, "end"
            received += part


def plain_get(path, *, link=""):
    return f"GET {path}?orderLinkId={link} HTTP/1.1\r\nHost: venue\r\n\r\n".encode()


@pytest.mark.parametrize(("when", "expected"), [("before_apply", 0), ("after_apply", 1)])
def test_half_closed_connections_carry_no_answer(raw, spoil, order, count, when, expected):
    spoil("half_close", when)
    with pytest.raises(LOST):
        raw.post("/v5/order/create", order)
    assert count() == expected


@pytest.mark.parametrize("act", ["drop", "reset"])
def test_a_request_is_cut_in_its_body(raw, control, order, count, act):
    match = {"path": "/v5/order/create", "method": "POST"}
    control("POST", "/_fault", {"match": match, "act": act, "when": "mid_request", "bytes": 9})
    with pytest.raises(LOST):
        raw.post("/v5/order/create", order)
    assert count() == 0
    last = control("GET", "/_wire?path=/v5/order/create")["requests"][-1]
    assert (last["raw"], last["applied"], last["answered"]) == (json.dumps(order)[:9], False, False)
    assert raw.post("/v5/order/create", order)["retCode"] == 0


@pytest.mark.parametrize(("act", "ending"), [("truncate", "end"), ("reset", "reset")])
def test_an_answer_stops_in_the_middle(venue, control, act, ending):
    fault = {"match": {"path": "/v5/market/time"}, "act": act, "bytes": 12}
    control("POST", "/_fault", fault)
    received, ended = raw_exchange(venue, plain_get("/v5/market/time"))
    head, _, body = received.partition(b"\r\n\r\n")
    assert ended == ending
    assert body == b'{"retCode":0'
    promised = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    assert int(promised.split(b":")[1]) > 12


def test_a_truncated_answer_hides_an_order_that_was_taken(raw, spoil, order, count):
    spoil("truncate")
    with pytest.raises(http.client.IncompleteRead):
        raw.post("/v5/order/create", order)
    assert count() == 1


def test_a_damaged_body_is_no_json_and_keeps_its_length(raw, spoil, order, count):
    spoil("corrupt")
    with pytest.raises(json.JSONDecodeError):
        raw.post("/v5/order/create", order)
    assert count() == 1


def test_broken_compression(raw, spoil, order, count, venue, control):
    spoil("gzip_broken")
    with pytest.raises((UnicodeDecodeError, json.JSONDecodeError)):
        raw.post("/v5/order/create", order)
    assert raw.headers["Content-Encoding"] == "gzip"
    assert count() == 1
    control("POST", "/_fault", {"match": {"path": "/v5/market/time"}, "act": "gzip_broken"})
    request = plain_get("/v5/market/time").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    _, _, body = raw_exchange(venue, request)[0].partition(b"\r\n\r\n")
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(body)


def test_another_content_type_with_the_true_body(raw, spoil, order):
    spoil("content_type", content_type="text/plain")
    assert raw.post("/v5/order/create", order)["retCode"] == 0
    assert raw.headers["Content-Type"].startswith("text/plain")


def test_an_empty_body(raw, spoil, order, count):
    spoil("body_raw", body_raw="")
    with pytest.raises(json.JSONDecodeError):
        raw.post("/v5/order/create", order)
    assert count() == 1


@pytest.mark.parametrize(("answer", "code"), [("first", 0), ("second", 110072)])
def test_a_network_that_delivers_twice(raw, spoil, order, count, wire, answer, code):
    spoil("dup", when="before_apply", answer=answer)
    assert raw.post("/v5/order/create", order)["retCode"] == code
    assert count() == 1
    (entry,) = wire()
    assert entry["applied_count"] == 2
    assert entry["faults"][0].endswith(":dup")


def test_a_redirection_and_who_follows_it(raw, spoil, order, count, control):
    class Obedient(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, request, stream, code, text, headers, place):
            return urllib.request.Request(
                place, data=request.data, headers=request.headers, method=request.get_method()
            )

    before = len(control("GET", "/_wire")["elsewhere"])
    spoil("redirect", when="before_apply")
    with pytest.raises(urllib.error.HTTPError) as caught:
        raw.post("/v5/order/create", order)
    with caught.value as error:
        assert error.code == 307
        place = error.headers["Location"]
    assert place.endswith("/_elsewhere/v5/order/create")
    assert len(control("GET", "/_wire")["elsewhere"]) == before
    spoil("redirect", when="before_apply")
    request = urllib.request.Request(f"{raw.base}/v5/order/create", data=json.dumps(order).encode())
    with urllib.request.build_opener(Obedient).open(request, timeout=30) as response:
        assert response.status == 200
    followed = control("GET", "/_wire")["elsewhere"][before:]
    assert [(entry["method"], json.loads(entry["raw"])) for entry in followed] == [("POST", order)]
    assert count() == 0


def test_rules_match_by_symbol_and_by_order_in_a_batch(raw, control, key):
    control("POST", "/_fault", {"match": {"symbol": "ETH*"}, "act": "retCode", "retCode": 10016})
    assert raw.post("/v5/order/create", {**ORDER, "price": "64500"})["retCode"] == 0
    ether = {"symbol": "ETHUSDT", "price": "3400", "qty": "0.01"}
    assert raw.post("/v5/order/create", {**ORDER, **ether})["retCode"] == 10016
    match = {"linkId": f"{key.key}-b2"}
    control("POST", "/_fault", {"match": match, "act": "retCode", "retCode": 10000, "when": "before_apply"})
    rows = [{**ORDER, "price": "64500", "orderLinkId": f"{key.key}-b{n}"} for n in (1, 2)]
    answer = raw.post("/v5/order/create-batch", {"category": "linear", "request": rows})
    assert (answer["retCode"], answer["retMsg"]) == (10000, "Server Timeout")


def test_chance_is_seeded_and_rules_can_be_taken_down_one_by_one(raw, control):
    first = control("POST", "/_fault", {"act": "status", "match": {"path": "/v5/none", "p": 0.5}})
    second = control("POST", "/_fault", {"act": "status", "match": {"path": "/v5/none2"}})
    assert control("DELETE", f"/_fault?id={first['id']}") == {"cleared": 1}
    assert [fault["id"] for fault in control("GET", "/_fault")["faults"]] == [second["id"]]
    storm = control("POST", "/_ex", {"do": "storm", "p": 0.5, "path": "/v5/market/time", "on": "rest"})
    codes = [raw.get("/v5/market/time", signed=False)["retCode"] for _ in range(60)]
    assert set(codes) == {0, 10006}
    assert control("DELETE", f"/_fault?id={storm['faults'][0]}") == {"cleared": 1}
    assert raw.get("/v5/market/time", signed=False)["retCode"] == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"act": "drop", "match": {"link": "x"}}, "link not known"),
        ({"act": "drop", "delays": 1}, "delays not known"),
        ({"act": "drop", "when": "mid_request", "match": {"linkId": "x"}}, "nobody has read"),
        ({"act": "dup", "when": "after_apply"}, "when must be before_apply"),
        ({"act": "drop", "delay": -1}, "must not be negative"),
        ({"act": "drop", "match": {"p": "often"}}, "must be a number"),
        ({"act": "frame_hex", "on": "private", "frame_hex": "xyz"}, "hexadecimal"),
        ({"act": "cut", "on": "private"}, "every must be"),
        ({"act": "edit", "on": "private", "edit": []}, "must be an object"),
        ({"act": "redirect", "on": "trade"}, "not known on trade"),
    ],
)
def test_a_rule_that_could_never_do_what_it_says_is_refused(control, body, text):
    code, error = refused_by_control(control, body)
    assert code == 400
    assert text in error


def test_the_wire_log_is_complete_and_can_be_asked_in_parts(raw, control, order):
    raw.get("/v5/market/time", "a=1", signed=False)
    raw.post("/v5/order/create", order)
    entries = control("GET", "/_wire")["requests"]
    looked, placed = entries[-2:]
    assert (looked["method"], looked["path"], looked["raw"]) == ("GET", "/v5/market/time", "a=1")
    assert (placed["transport"], placed["status"], placed["retCode"]) == ("rest", 200, 0)
    assert json.loads(placed["raw"]) == order
    assert placed["headers"]["x-bapi-api-key"] == raw.key.key
    assert abs(placed["time_ns"] // 1_000_000 - int(placed["headers"]["x-bapi-timestamp"])) < 5000
    assert placed["n"] == looked["n"] + 1
    later = control("GET", f"/_wire?since={looked['n']}&path=/v5/order/*")["requests"]
    assert [entry["n"] for entry in later] == [placed["n"]]
    assert control("POST", "/_wire")["cleared"] >= 2
    assert control("GET", "/_wire")["requests"] == []
    raw.get("/v5/market/time", signed=False)
    assert [entry["n"] for entry in control("GET", "/_wire")["requests"]] == [placed["n"] + 1]


def test_a_delay_before_applying_meets_the_time_window(raw, spoil, order, count):
    raw.window = "200"
    spoil("delay", when="before_apply", delay=0.4)
    assert raw.post("/v5/order/create", order)["retCode"] == 10002
    assert count() == 0
    raw.window = "5000"
    started = time.monotonic()
    spoil("delay", when="after_apply", delay=0.3)
    assert raw.post("/v5/order/create", order)["retCode"] == 0
    assert time.monotonic() - started >= 0.3


def test_pybit_is_refused_a_ban_and_let_in_again(http, control):
    def status():
        try:
            return http.get_server_time()["retCode"]
        except FailedRequestError as error:
            return error.status_code

    control("POST", "/_ex", {"do": "ban", "s": 60})
    assert status() == 403
    control("POST", "/_ex", {"do": "unban"})
    assert status() == 0
    control("POST", "/_ex", {"do": "ban", "s": 0.2})
    poll_until(lambda: status() == 0)
