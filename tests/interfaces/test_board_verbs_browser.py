"""What the board's verbs ask of the daemon, pressed in a real browser: once, and of the order that was named."""

import http.client
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from control_double import START_NS, add_market, add_parent
from doors import Daemon

from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.domain.events import AmendRequested, CancelRequested, PauseRequested
from executor.domain.orders import Urgency
from executor.domain.timeline import NS_PER_S
from executor.runtime.alarms import Alarms

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install '.[browser]')"
)
pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(240),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian package)"),
]
expect = playwright.expect
PATIENT = {"timeout": 60_000}
COUNTS = """
window.held = 0;
window.asked = 0;
for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
  const plain = AbortSignal.prototype[name];
  AbortSignal.prototype[name] = function (...words) { window.held += by; return plain.apply(this, words); };
}
const ask = window.fetch;
window.fetch = (...words) => { window.asked += 1; return ask(...words); };
"""
"""What waits for an end of asking, and how often was asked."""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def tab(daemon: Daemon, browser) -> Iterator:
    """The board with two orders; the second is shown, and before it the first was."""
    add_market(daemon.control.state)
    add_parent(daemon.control.state)
    add_parent(daemon.control.state, "tst-2")
    context = browser.new_context()
    tab = context.new_page()
    tab.add_init_script(COUNTS)
    tab.set_default_timeout(60_000)
    tab.goto(f"{daemon.url}/board#code={code(daemon)}")
    for name in ("tst-1", "tst-2"):
        tab.click(f"#parents li[data-id={name}] a")
        expect(tab.locator("#one-title")).to_contain_text(f"· {name}", **PATIENT)
        tab.wait_for_selector("#verbs:not([hidden])")
    yield tab
    context.close()


def code(daemon: Daemon) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(daemon.url).port, timeout=30)
    sent = {"Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/board/codes", body=b"{}", headers=sent)
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told["code"]


def asked(daemon: Daemon, tab) -> object:
    """The one thing that was asked since the last look."""
    expect(tab.locator("#ask")).not_to_be_visible(**PATIENT)
    (event,) = daemon.control.asked
    daemon.control.asked.clear()
    return event


def test_a_verb_is_for_the_order_that_it_named_when_it_was_asked(daemon: Daemon, tab):
    tab.click("#cancel")
    assert "Cancel tst-2?" in tab.inner_text("#ask-title")
    tab.go_back()
    expect(tab.locator("#one-title")).to_contain_text("tst-1", **PATIENT)
    tab.click("#ask-yes")
    event = asked(daemon, tab)
    assert isinstance(event, CancelRequested)
    assert event.parent_id == "tst-2", "the order in the title, not the one that is shown behind it by now"

    tab.wait_for_selector("#verbs:not([hidden])")
    tab.click("#amend")
    assert "Amend tst-1" in tab.inner_text("#ask-title")
    tab.go_forward()
    expect(tab.locator("#one-title")).to_contain_text("tst-2", **PATIENT)
    tab.fill("#ask input[name=qty]", "12")
    tab.fill("#ask input[name=urgency]", "high")
    tab.click("#ask-yes")
    event = asked(daemon, tab)
    assert isinstance(event, AmendRequested)
    assert (event.parent_id, event.order_qty, event.urgency) == ("tst-1", Decimal(12), Urgency.HIGH)


def test_a_key_that_is_held_asks_once(daemon: Daemon, tab):
    sent = []
    tab.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    with tab.expect_response(lambda answer: answer.url.endswith("/pause")):
        for _ in range(5):  # what a held key sends: down again and again, and up once
            tab.keyboard.down("p")
        tab.keyboard.up("p")
    assert len(sent) == 1
    event = asked(daemon, tab)
    assert isinstance(event, PauseRequested)
    assert event.parent_id == "tst-2"


def test_a_page_that_is_open_for_days_keeps_nothing_of_each_second(daemon: Daemon, tab):
    before = tab.evaluate("window.asked")
    tab.wait_for_function("before => window.asked >= before + 8", arg=before)
    assert tab.evaluate("window.held") <= 2, "two pictures are followed, and each waits once"


def test_alarms_of_a_daemon_that_began_anew_are_shown_for_those_of_the_one_before(daemon: Daemon, tab):
    """Both count from one."""
    for detail in ("of the first", "of the second"):
        daemon.control.alarmed = Alarms()
        daemon.control.alarmed.take(
            RaiseAlert(severity=Severity.CRITICAL, code=AlertCode.HALT, parent_id="", detail=detail),
            START_NS + len(detail) * NS_PER_S,
        )
        expect(tab.locator("#alarms")).to_contain_text(detail, **PATIENT)


def test_a_code_for_a_daemon_that_does_not_answer_is_told(tab):
    tab.click("#leave")
    tab.click("#ask-yes")
    expect(tab.locator("#door-says")).to_contain_text("You have left", **PATIENT)
    tab.route("**/board/session", lambda route: route.abort())
    tab.fill("#door-code", "a-code")
    tab.keyboard.press("Enter")
    expect(tab.locator("#door-says")).to_contain_text("did not answer", **PATIENT)
