"""The site is built without a warning, holds every page, loads nothing from elsewhere, and its checks see faults."""

import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "mkdocs.yml"
LOADS = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src",
    "object": "data", "link": "href", "use": "href",
}  # fmt: skip
"""Elements that fetch something by themselves, and where they say what."""


def build(settings, target):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--config-file",
            settings,
            "--site-dir",
            target,
        ],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_source_archive_holds_what_builds_the_site():
    """The archive of sources has the pages, so it has what makes a site of them; nothing is named that is not there."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = told["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"docs", SETTINGS.name} <= set(names)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_site_is_whole_and_loads_nothing_from_elsewhere(tmp_path):
    """One build for all: it is what takes the time."""
    done = build(SETTINGS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    every_page_is_in_the_site_and_in_its_navigation(tmp_path)
    nothing_is_loaded_from_another_host(tmp_path)
    pictures_of_states_are_shown_and_there(tmp_path)


def every_page_is_in_the_site_and_in_its_navigation(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    assert pages == built - {Path("404")}
    home = (site / "index.html").read_text()
    listed = set(re.findall(r'<a href="([^"#:]+)\.html" class="md-nav__link', home))
    assert {str(page) for page in pages} - {"index"} <= listed
    assert not list(site.rglob("*.py"))


class _Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "link" and told.get("rel") in {"canonical", "prev", "next"}:
            return
        if tag in LOADS and told.get(LOADS[tag]):
            self.found.append(told[LOADS[tag]])


def nothing_is_loaded_from_another_host(site):
    for page in site.rglob("*.html"):
        reader = _Loads()
        reader.feed(page.read_text())
        assert reader.found
        assert not [each for each in reader.found if re.match(r"(?:[a-z]+:)?//", each)], page
    for style in site.rglob("*.css"):
        text = style.read_text()
        assert not re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)", text), style
        assert "@import" not in text


def pictures_of_states_are_shown_and_there(site):
    for page in ("concepts.html", "reference/states.html"):
        for name in ("parent-states.svg", "child-states.svg"):
            (place,) = re.findall(rf'<img[^>]* src="([^"]*{name})"', (site / page).read_text())
            assert (site / page).parent.joinpath(place).resolve().is_file()


FAULTS = {
    "no-page.md": "[gone](gone.md)",
    "no-anchor.md": "[nowhere](index.md#nowhere)",
    "no-file.md": "[source](../no/such/file.py)",
    "not-listed.md": "Nobody leads here.",
}


def test_a_link_to_nothing_and_a_page_that_nothing_lists_are_errors(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Home\n\n[source](../mkdocs.yml), [page](no-page.md)\n")
    for name, text in FAULTS.items():
        (docs / name).write_text(f"# Title\n\n{text}\n")
    settings = SETTINGS.read_text().partition("\nnav:\n")[0]
    settings = settings.replace("[docs/site_links.py]", f"[{ROOT / 'docs' / 'site_links.py'}]")
    listed = ", ".join(name for name in ("index.md", *FAULTS) if name != "not-listed.md")
    (tmp_path / "mkdocs.yml").write_text(f"{settings}\nnav: [{listed}]\n")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    told = "\n".join([*warnings, done.stderr])
    assert "no-page.md' contains a link 'gone.md'" in told
    assert "no-anchor.md' contains a link 'index.md#nowhere'" in told
    assert "no-file.md: nothing is at ../no/such/file.py" in told
    assert "- not-listed.md" in told
    assert len(warnings) == len(FAULTS)
