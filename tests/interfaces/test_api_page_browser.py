"""The page of the interface in a real browser: readable wide and on a phone, light and dark, without a script."""

import os
import shutil
from pathlib import Path

import pytest
from doors import Daemon

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
PICTURES = os.environ.get("BOARD_PICTURES")


def test_it_is_readable_wide_and_narrow_light_and_dark(daemon: Daemon):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, width, scheme in (("wide", 1_200, "light"), ("phone", 390, "dark")):
            choices = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            tab = browser.new_context(**choices).new_page()
            tab.set_default_timeout(60_000)
            complaints = []
            tab.on("console", lambda said, kept=complaints: kept.append(said.text))
            tab.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
            tab.on("requestfailed", lambda request, kept=complaints: kept.append(request.url))
            tab.goto(f"{daemon.url}/docs")
            tab.click("#submit_parents > summary")
            assert tab.is_visible("#submit_parents pre")
            assert "POST /v1/parents" in tab.inner_text("#submit_parents > summary")
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
            colours = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            assert colours == ("rgb(246, 247, 249)" if scheme == "light" else "rgb(15, 20, 26)")
            if PICTURES:
                tab.screenshot(path=Path(PICTURES) / f"docs-{name}.png")
                tab.locator("#submit_parents").screenshot(path=Path(PICTURES) / f"docs-{name}-open.png")
            open_all = "for (const one of document.querySelectorAll('details')) one.open = %s"
            tab.evaluate(open_all % "true")
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
            tab.evaluate(open_all % "one.id === 'tighten_limits_tighten' || one.id === 'journal_journal'")
            assert tab.is_visible("#tighten_limits_tighten pre")
            found = axe.Axe().run(tab).response["violations"]
            serious = [
                (each["id"], [one["target"] for one in each["nodes"]][:5])
                for each in found
                if each["impact"] in {"serious", "critical"}
            ]
            assert serious == []
            assert complaints == []
        browser.close()
