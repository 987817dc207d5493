"""The page to read the interface by: every route is in it, every word of it is text, and nothing comes from outside."""

import re
from html.parser import HTMLParser

import pytest
from doors import Door

from executor.interfaces.api_page import page_of
from executor.interfaces.board_doors import POLICY


class Elements(HTMLParser):
    """Every element with its attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


async def described(door):
    async with door.session.get(f"{door.url}/openapi.json") as answer:
        return await answer.json()


async def test_everybody_may_read_it_and_it_holds_every_route(door: Door):
    async with door.session.get(f"{door.url}/docs") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert "script-src 'self'" in POLICY
        text = await answer.text()
    page = Elements(text)
    assert page.open == []
    words = "".join(page.text)
    told = await described(door)
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in words
            assert operation["summary"] in words
    for name, schema in told["components"]["schemas"].items():
        assert ("section", {"id": f"body-{name}"}) in page.found
        for field in schema.get("properties", {}):
            assert field in words
    names = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(names)) == len(names)
    links = {attributes["href"] for tag, attributes in page.found if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(names)
    assert {link for link in links if not link.startswith("#")} == {"/openapi.json"}
    assert not [tag for tag, _ in page.found if tag in {"script", "style", "img", "form", "iframe"}]
    assert not [name for _, attributes in page.found for name in attributes if name in {"style", "onclick"}]
    async with door.session.get(f"{door.url}/docs/page.css") as answer:
        assert (answer.status, answer.content_type) == (200, "text/css")
        style = await answer.text()
    assert not re.search(r"url\(|@import|http", style)


async def test_the_board_leads_to_it_in_a_tab_of_its_own(door: Door):
    async with door.session.get(f"{door.url}/board") as answer:
        board = await answer.text()
    links = [attributes for tag, attributes in Elements(board).found if tag == "a"]
    away = [one for one in links if not one["href"].startswith("#")]
    assert away == [{"href": "/docs", "target": "_blank", "rel": "noopener"}]
    async with door.session.get(door.url + away[0]["href"]) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


@pytest.mark.parametrize(
    "bad", ['<script>alert("x")</script>', '"><img src=x onerror=alert(1)>', "</code>&amp;"]
)
async def test_no_word_of_the_description_is_html(door: Door, bad):
    told = await described(door)
    plain = {tag for tag, _ in Elements(page_of(told)).found}

    def spoilt(value, key=""):
        if isinstance(value, dict):
            return {name: spoilt(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [spoilt(one, key) for one in value]
        return f"{value}{bad}" if key in {"summary", "description", "title", "version", "enum"} else value

    page = Elements(page_of(spoilt(told)))
    assert {tag for tag, _ in page.found} == plain
    assert page.open == []
    assert bad in "".join(page.text)
