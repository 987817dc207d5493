"""The board in a real browser: live values, pause and resume, a halt, no error on the console, and readable for all."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from executor.interfaces.token import FILE_NAME

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install '.[browser]')"
)
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)
pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(240),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian package)"),
]
CLI = [sys.executable, "-m", "executor.interfaces.cli"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
PATIENT = {"timeout": 60_000}
expect = playwright.expect
PICTURES = os.environ.get("BOARD_PICTURES")


@pytest.fixture
def demo(tmp_path):
    """The demonstration with a parent at work; gives the address of the daemon and its token file."""
    process = subprocess.Popen(
        [*CLI, "demo", "--seconds", "200"],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    said = b""
    try:
        while b"accepted as" not in said:
            assert select.select([process.stderr], [], [], 60)[0], said
            piece = os.read(process.stderr.fileno(), 4_096)
            assert piece, said
            said += piece
        url = re.search(rb"daemon\s+(http://\S+)", said).group(1).decode()
        yield url, tmp_path / "var" / "sample-run" / FILE_NAME
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def address(demo, *words):
    url, token_file = demo
    done = subprocess.run(
        [*CLI, "board", "--url", url, "--token-file", str(token_file), "--json", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["url"]


@pytest.fixture
def browser():
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


class Page:
    """A tab, and everything that its console complained of."""

    def __init__(self, browser, **choices):
        self.tab = browser.new_context(**choices).new_page()
        self.tab.set_default_timeout(60_000)
        self.complaints = []
        self.tab.on(
            "console", lambda said: said.type in {"error", "warning"} and self.complaints.append(said.text)
        )
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def choose_the_advised_one(self):
        self.tab.click("#parents a:has-text('+ model')")

    def picture(self, name):
        if PICTURES:
            self.tab.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)

    def serious(self):
        """What an accessibility checker finds serious."""
        found = axe.Axe().run(self.tab).response["violations"]
        return [
            (each["id"], [one["target"] for one in each["nodes"]])
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]


def test_one_sees_what_happens_and_can_stop_it(demo, browser):
    page = Page(browser, viewport={"width": 1400, "height": 1000})
    tab = page.tab
    tab.goto(address(demo))
    tab.wait_for_selector("#parents li")
    assert "code=" not in tab.url, "the code does not stay in the address"
    assert tab.is_visible("#welcome"), "who is here for the first time is told what is seen"
    page.picture("list")
    assert page.serious() == []
    tab.click("#welcomed")
    assert not tab.is_visible("#welcome")
    look_at_what_belongs_together(page)
    page.choose_the_advised_one()
    tab.wait_for_selector("#children tr")
    expect(tab.locator("#chart-price path").first).to_be_attached(**PATIENT)
    tab.wait_for_selector("#decisions details")
    left = tab.inner_text("#progress-figures div:nth-child(5) dd")
    expect(tab.locator("#progress-figures div:nth-child(5) dd")).not_to_have_text(left, **PATIENT)
    page.picture("parent")
    assert page.serious() == []

    tab.keyboard.press("p")
    expect(tab.locator("#one-status")).to_have_text("paused", **PATIENT)
    tab.click("#resume")
    expect(tab.locator("#one-status")).not_to_have_text("paused", **PATIENT)

    tab.click("#decisions summary")
    tab.click("#decisions details[open] .spoken summary")
    expect(tab.locator(".spoken pre").first).to_contain_text("order", **PATIENT)
    assert "Its reply, as it came" in tab.locator(".spoken h4").all_inner_texts()
    assert page.serious() == []
    page.picture("decision")
    tab.click("#theme")
    assert page.serious() == []
    page.picture("dark")

    tab.click("#halt")
    tab.fill("#ask input[name=word]", "halt")
    tab.fill("#ask input[name=reason]", "<b>tried</b>")
    tab.click("#ask-yes")
    assert tab.inner_text("#standing") != "HALTED", "the word was not typed as it must be"
    tab.fill("#ask input[name=word]", "HALT")
    tab.click("#ask-yes")
    expect(tab.locator("#standing")).to_have_text("HALTED", **PATIENT)
    assert "<b>tried</b>" in tab.inner_text("#loud"), "words from outside are never HTML"
    assert tab.locator("#loud b").count() == 0
    tab.keyboard.press("2")
    tab.wait_for_selector("#alarms li.CRITICAL")
    page.picture("alarms")
    assert page.serious() == []
    tab.click("#rearm")
    tab.fill("#ask input[name=word]", "REARM")
    tab.fill("#ask input[name=reason]", "tried enough")
    tab.click("#ask-yes")
    expect(tab.locator("#standing")).not_to_have_text("HALTED", **PATIENT)

    tab.click("#leave")
    tab.click("#ask-yes")
    expect(tab.locator("#door-says")).to_contain_text("You have left", **PATIENT)
    assert tab.evaluate("sessionStorage.getItem('executor-token')") is None
    assert page.complaints == []
    tab.reload()
    expect(tab.locator("#door")).to_be_visible(**PATIENT)


def look_at_what_belongs_together(page):
    """A basket has a row of its own, its orders below it, and its verbs act on all of them; so has a routed order."""
    tab = page.tab
    tab.wait_for_selector("#parents li.group")
    tab.click("#parents li.group:has-text('basket pair') a")
    expect(tab.locator("#group-title")).to_contain_text("basket pair", **PATIENT)
    assert tab.locator("#members tr").count() == 2
    assert page.serious() == []
    page.picture("basket")
    tab.click("#group-pause")
    paused = tab.locator("#members tr", has_text="paused by a person")
    expect(paused).to_have_count(2, **PATIENT)
    tab.click("#group-resume")
    expect(paused).to_have_count(0, **PATIENT)
    tab.click("#members a")
    expect(tab.locator("#belongs")).to_contain_text("basket pair", **PATIENT)
    tab.click("#parents li.group:has-text('over 2 markets') a")
    expect(tab.locator("#members tr")).to_have_count(2, **PATIENT)
    expect(tab.locator("#members")).to_contain_text("spot:BTCUSDT", **PATIENT)
    page.picture("route")


@pytest.mark.skipif(
    os.environ.get("EXECUTOR_CAMPAIGN") != "full",
    reason="seven tabs want a quiet machine: in the long form only",
)
def test_many_tabs_other_addresses_and_a_session_that_ends(demo, browser):
    page = Page(browser)
    tab = page.tab
    tab.goto(address(demo))
    tab.wait_for_selector("#one-rest:not([hidden])")
    newest = tab.evaluate("location.hash")
    assert re.fullmatch(r"#/P\d+", newest), "where there is room, the newest order is shown at once"
    tab.wait_for_selector("#children tr")
    for _ in range(6):  # with the first, more than the connections that a browser makes to one server
        other = tab.context.new_page()
        other.goto(address(demo))
        other.wait_for_selector("#children tr")
    tab.keyboard.press("p")
    expect(tab.locator("#one-status")).to_have_text("paused", **PATIENT)
    tab.keyboard.press("p")

    tab.goto(address(demo))
    tab.wait_for_selector("#children tr")
    # A code is taken by a tab in which the board is open already, too, and then the newest order is shown again.
    expect(tab).to_have_url(re.compile(f"/board{newest}$"), **PATIENT)
    assert page.complaints == []

    tab.goto(f"{demo[0]}/board#/nobody")
    expect(tab.locator("#why")).to_contain_text("no such order", **PATIENT)
    assert not tab.is_visible("#one-rest"), "nothing of another order is shown under this name"
    tab.go_back()
    expect(tab).to_have_url(re.compile(f"/board{newest}$"), **PATIENT)
    tab.wait_for_selector("#one-rest:not([hidden])")

    tab.evaluate("sessionStorage.setItem('executor-token', 'x')")
    tab.reload()
    expect(tab.locator("#door-says")).to_contain_text("session is over", **PATIENT)
    tab.fill("#door-code", address(demo).partition("code=")[2])
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#one-rest:not([hidden])")
    tab.wait_for_selector("#children tr")


def test_on_a_phone_and_for_looking_only(demo, browser):
    page = Page(browser, viewport={"width": 390, "height": 844}, color_scheme="dark")
    tab = page.tab
    tab.goto(address(demo, "--read-only"))
    page.choose_the_advised_one()
    tab.wait_for_selector("#children tr")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    assert not tab.is_visible("#halt")
    assert not tab.is_visible("#verbs")
    assert tab.is_visible("#looking")
    page.picture("phone")
    assert page.serious() == []
    tab.click("#back")
    assert tab.is_visible("#parents")
    page.choose_the_advised_one()
    tab.reload()
    tab.wait_for_selector("#children tr")
    assert page.complaints == []


def test_a_daemon_that_is_gone_is_said(demo, browser):
    _, token_file = demo
    page = Page(browser)
    tab = page.tab
    tab.goto(address(demo))
    expect(tab.locator("#link")).to_have_text("live", **PATIENT)
    os.kill(json.loads((token_file.parent / "control.json").read_text())["pid"], signal.SIGKILL)
    expect(tab.locator("#link")).to_contain_text("not heard for", **PATIENT)
    assert tab.is_visible("#parents li"), "what was last heard stays to be read"
    assert tab.evaluate("document.querySelector('#main').classList.contains('stale')")
