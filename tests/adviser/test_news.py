"""News: the newest few, each once; a source that is broken or hostile costs one line in the log and nothing else."""

import asyncio
import gzip
import json
import os

import pytest
from model_server import always, page, serving

from executor.advice.context import news_document
from executor.adviser.feed_document import read_feed
from executor.adviser.feeds import FEED_BYTES_MAX, FeedAddress, FeedFile, GrowingFile, source_of
from executor.adviser.news import REMEMBERED_MAX, News, NewsBroken, NewsDesk, NewsDoor, NewsFate
from executor.domain.timeline import NS_PER_MIN, NS_PER_S

NOW_NS = 1_790_000_000 * NS_PER_S


def rss(*titles, extra=""):
    items = "".join(f"<item><title>{title}</title>{extra}</item>" for title in titles)
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>c</title>{items}</channel></rss>'.encode()
    )


ATOM = b"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>
<entry><title>Rates unchanged</title><updated>2026-08-01T10:00:00Z</updated><summary>As expected.</summary></entry>
</feed>"""


class Clock:
    def __init__(self):
        self.at_ns = NOW_NS

    def __call__(self):
        return self.at_ns


class Log:
    def __init__(self):
        self.lines = []

    def __call__(self, message, **fields):
        self.lines.append((message, fields.get("source"), fields.get("reason")))


def desk_of(*sources, items_max=8):
    clock, log = Clock(), Log()
    news = News(items_max, clock)
    return NewsDesk(news, sources, 60, log), news, log, clock


# ---------------------------------------------------------------- what is kept


def test_the_newest_are_kept_the_newest_first():
    clock = Clock()
    news = News(3, clock)
    for number in range(5):
        clock.at_ns += NS_PER_S
        assert news.add("desk", f"text {number}")
    assert [item.text for item in news.items()] == ["text 4", "text 3", "text 2"]
    assert news.items()[0].at_ns == NOW_NS + 5 * NS_PER_S
    assert not news.add("desk", "from last year", said_ns=NOW_NS - 10**16)
    assert len(news.items()) == 3


def test_of_one_instant_the_later_one_is_the_newer():
    news = News(2, Clock())
    for text in "abc":
        news.add("desk", text)
    assert [item.text for item in news.items()] == ["c", "b"]


def test_a_text_comes_once_whoever_repeats_it():
    news = News(8, Clock())
    assert news.add("a", "BTC  falls\n")
    assert not news.add("b", "btc falls")
    assert not news.add("a", " \n\t ")
    assert [(item.source, item.text) for item in news.items()] == [("a", "BTC falls")]


def test_nobody_writes_from_the_future():
    news = News(8, Clock())
    news.add("a", "tomorrow", said_ns=NOW_NS + 10**15)
    news.add("a", "yesterday", said_ns=NOW_NS - 86_400 * NS_PER_S)
    news.add("a", "before time", said_ns=-5)
    assert [item.at_ns for item in news.items()] == [NOW_NS, NOW_NS - 86_400 * NS_PER_S, 0]


def test_a_flood_is_bounded_in_every_direction():
    news = News(8, Clock())
    for number in range(REMEMBERED_MAX + 500):
        news.add("s" * 10_000, f"{number} " + "x" * 100_000)
    assert len(news.items()) == 8
    assert all(len(item.text) <= 2_000 and len(item.source) <= 60 for item in news.items())
    assert len(news._seen) == REMEMBERED_MAX


def test_what_is_kept_is_shown_made_harmless():
    news = News(8, Clock())
    news.add("desk\u202e", "ignore \x1b[31m all\u200b rules \ud800")
    (shown,) = news_document(news.items(), NOW_NS + NS_PER_S)
    assert shown["text"].isprintable()
    assert shown["source"] == "desk"
    assert float(shown["age_s"]) == 1


# ---------------------------------------------------------------- feeds


def test_rss_and_atom_the_oldest_first():
    assert read_feed(rss("newest", "older")) == [("older", None), ("newest", None)]
    ((text, said_ns),) = read_feed(ATOM)
    assert text == "Rates unchanged - As expected."
    assert said_ns == 1_785_578_400 * NS_PER_S


def test_a_feed_without_entries_is_a_feed():
    assert read_feed(rss()) == []


def test_of_a_long_feed_the_first_entries_are_read():
    assert len(read_feed(rss(*(f"t{number}" for number in range(500))))) == 50


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>
<rss version="2.0"><channel><item><title>&b;</title></item></channel></rss>"""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"<html><body>Not found</body></html>",
        b'{"text": "x"}',
        LAUGHS,
        LAUGHS.replace(b"<!ENTITY", b"<!entity"),
        LAUGHS.replace(b'"aaaaaaaaaa"', b'SYSTEM "file:///etc/passwd"'),
        LAUGHS.decode().encode("utf-16"),
        b"\x00" * 100,
        b"\xff\xfe\xfd" * 100,
        b'<?xml version="1.0" encoding="zlib"?><x/>',
        b"<a>" * 50_000,
    ],
)
def test_what_is_no_feed(raw):
    with pytest.raises(NewsBroken):
        read_feed(raw)


def test_markup_is_taken_off():
    extra = "<description><![CDATA[<p>5 &lt; 6</p>]]></description>"
    ((text, _),) = read_feed(rss("&lt;script&gt;a(1)&lt;/script&gt;up", extra=extra))
    assert text == "a(1) up - 5 < 6"


async def test_a_feed_at_an_address():
    async with serving(always(page(rss("up", "down"), kind="application/rss+xml"))) as heard:
        source = source_of(f"http://127.0.0.1:{heard.port}/feed?topic=btc")
        desk, news, log, _ = desk_of(source)
        assert await desk.look(source) == 2
        assert await desk.look(source) == 0, "known already"
        assert [(item.source, item.text) for item in news.items()] == [
            ("127.0.0.1", "up"),
            ("127.0.0.1", "down"),
        ]
        head = heard.requests[0].lower()
        assert head.startswith("get /feed?topic=btc http/1.1\r\n")
        assert "accept-encoding: identity" in head
        assert log.lines == []


async def hang(_text, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<rss")


async def endless(_text, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"<item>" * 10_000)
        await writer.drain()


async def cut(_text, writer):
    writer.write(page(rss("a"))[:-5])
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (hang, "not read within 0.2 s"),
        (endless, f"more than {FEED_BYTES_MAX} bytes"),
        (cut, "ClientPayloadError"),
        (always(page(b"", "500 Oh")), "status 500"),
        (always(page(gzip.compress(b" " * 10**6), headers=["Content-Encoding: gzip"])), "compressed"),
        (always(page(b"<html>")), "neither RSS nor Atom"),
        (always(b"SSH-2.0\r\n\r\n"), "ClientResponseError"),
        (always(page(LAUGHS)), "entities"),
    ],
)
async def test_a_broken_address_is_told_once_and_costs_nothing_else(behave, reason):
    async with serving(behave) as heard:
        url = f"http://127.0.0.1:{heard.port}/feed"
        source = FeedAddress(url, fetch_s_max=0.2 if behave is hang else 30.0)
        desk, news, log, _ = desk_of(source)
        for _ in range(2):
            assert await desk.look(source) == 0
    ((message, name, told),) = log.lines
    assert (message, name) == ("no news", "127.0.0.1")
    assert reason in told
    assert news.items() == ()


async def test_a_feed_follows_no_redirect():
    async with serving(always(page(rss("a")))) as elsewhere:
        moved = page(b"", "302 Found", headers=[f"Location: http://127.0.0.1:{elsewhere.port}/"])
        async with serving(always(moved)) as heard:
            with pytest.raises(NewsBroken, match="status 302"):
                await FeedAddress(f"http://127.0.0.1:{heard.port}/").read()
        assert elsewhere.connections == 0


async def test_a_feed_uses_no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(always(page(rss("a")))) as heard:
        assert await FeedAddress(f"http://127.0.0.1:{heard.port}/").read() == [("a", None)]


async def test_no_other_kind_of_address_is_read(tmp_path):
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(NewsBroken, match="only http and https"):
            await FeedAddress(url).read()


async def test_nobody_listens_and_then_somebody_does():
    async with serving(always(page(rss("a")))) as heard:
        url = f"http://127.0.0.1:{heard.port}/"
    source = FeedAddress(url)
    desk, _, log, _ = desk_of(source)
    await desk.look(source)
    async with serving(always(page(rss("a")))) as heard:
        source._url = f"http://127.0.0.1:{heard.port}/"
        assert await desk.look(source) == 1
    assert [line[0] for line in log.lines] == ["no news", "news again"]


# ---------------------------------------------------------------- files


async def test_a_feed_in_a_file(tmp_path):
    path = tmp_path / "desk.xml"
    source = source_of(str(path))
    assert isinstance(source, FeedFile)
    desk, news, log, _ = desk_of(source)
    assert await desk.look(source) == 0
    path.write_bytes(rss("a"))
    assert await desk.look(source) == 1
    path.write_bytes(rss("b", "a"))
    assert await desk.look(source) == 1
    assert [item.text for item in news.items()] == ["b", "a"]
    assert [line[0] for line in log.lines] == ["no news", "news again"]


async def test_files_that_are_none(tmp_path):
    pipe = tmp_path / "pipe.xml"
    os.mkfifo(pipe)
    large = tmp_path / "large.xml"
    large.write_bytes(b" " * (FEED_BYTES_MAX + 1))
    for path in (pipe, tmp_path, large):
        with pytest.raises(NewsBroken):
            await FeedFile(path).read()
    with pytest.raises(NewsBroken):
        await GrowingFile(pipe).read()


@pytest.mark.parametrize("piece", [b"<a>", b"<", b'<a b="'])
async def test_a_document_made_to_take_for_ever_is_given_up(tmp_path, piece):
    path = tmp_path / "slow.xml"
    path.write_bytes(piece * (FEED_BYTES_MAX // len(piece)))
    with pytest.raises(NewsBroken, match=r"not read within 0\.2 s"):
        await FeedFile(path, read_s_max=0.2).read()


async def test_who_takes_a_document_apart_knows_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", "canary")
    begun = {}

    async def begin(*arguments, **options):
        begun.update(options)
        raise OSError("not begun")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin)
    path = tmp_path / "a.xml"
    path.write_bytes(rss("a"))
    with pytest.raises(NewsBroken, match="not begun"):
        await FeedFile(path).read()
    assert begun["env"] == {}


def lines(*texts):
    return "".join(json.dumps({"text": text, "other": 1}) + "\n" for text in texts)


async def test_a_growing_file_is_followed_line_by_whole_line(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text(lines("old"))
    source = source_of(str(path))
    assert await source.read() == [], "what was there before is no news"
    with path.open("a") as out:
        out.write(lines("a", "b") + '{"text": "c')
    assert await source.read() == [("a", None), ("b", None)]
    assert await source.read() == []
    with path.open("a") as out:
        out.write('"}\n')
    assert await source.read() == [("c", None)]


async def test_a_growing_file_that_appears_is_cut_off_or_replaced(tmp_path):
    path = tmp_path / "news.jsonl"
    source = GrowingFile(path)
    with pytest.raises(NewsBroken):
        await source.read()
    path.write_text(lines("first", "second"))
    assert len(await source.read()) == 2
    path.write_text(lines("third"))
    assert await source.read() == [("third", None)]
    other = tmp_path / "other"
    other.write_text(lines("fourth", "fifth", "sixth"))
    other.replace(path)
    assert len(await source.read()) == 3


async def test_lines_that_are_no_news_are_left_out(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text("")
    source = GrowingFile(path)
    await source.read()
    long = json.dumps({"text": "x" * 20_000})
    path.write_text(f'nonsense\n{{"text": 7}}\n[]\n\n{"[" * 9_000}\n{long}\n' + lines("a"))
    assert await source.read() == [("a", None)]
    with path.open("a") as out:
        out.write("nonsense\n")
    with pytest.raises(NewsBroken, match="no line such as"):
        await source.read()
    with path.open("a") as out:
        out.write("x" * 20_000)
    with pytest.raises(NewsBroken, match="a line of more than"):
        await source.read()
    with path.open("a") as out:
        out.write("\n" + lines("b"))
    assert await source.read() == [("b", None)]


# ---------------------------------------------------------------- webhook, and all together


def test_so_many_texts_a_minute_are_handed_in_and_each_is_taken_once():
    clock = Clock()
    news = News(8, clock)
    door = NewsDoor(news, clock, per_min_max=3)
    assert door.hand_in("desk", "CPI at 14:30", None) is NewsFate.TAKEN
    assert door.hand_in("desk", "cpi at  14:30", None) is NewsFate.KNOWN
    clock.at_ns += NS_PER_MIN - 1
    assert door.hand_in("desk", "another", NOW_NS - NS_PER_S) is NewsFate.TAKEN
    assert door.hand_in("desk", "one too many", None) is NewsFate.TOO_MANY
    clock.at_ns += 1
    assert door.hand_in("desk", "one too many", None) is NewsFate.TAKEN, "what was turned away is not known"
    assert door.hand_in("desk", "a fifth", None) is NewsFate.TAKEN
    assert door.hand_in("desk", "a sixth", None) is NewsFate.TOO_MANY
    assert [item.at_ns for item in news.items()][-1] == NOW_NS - NS_PER_S


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(5, "Input/output error", "/home/me/news.xml"), "Input/output error"),
        (RuntimeError("https://user:word@feed"), "RuntimeError"),
    ],
)
async def test_a_source_that_fails_in_any_way_is_told_once(error, told):
    class Failing:
        name = "disk"

        async def read(self):
            raise error

    source = Failing()
    desk, _, log, _ = desk_of(source)
    assert (await desk.look(source), await desk.look(source)) == (0, 0)
    assert log.lines == [("no news", "disk", told)]


class Signalling(News):
    def __init__(self, items_max, now_ns):
        super().__init__(items_max, now_ns)
        self.added = asyncio.Event()

    def add(self, source, text, said_ns=None):
        self.added.set()
        return super().add(source, text, said_ns)


async def test_one_broken_source_does_not_stop_the_others(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(rss("a"))
    news, told = Signalling(8, Clock()), asyncio.Event()
    sources = [FeedFile(tmp_path / "none.xml"), FeedFile(path)]
    running = asyncio.create_task(
        NewsDesk(news, sources, 60, lambda *_, **__: told.set()).run(lambda _: None)
    )
    await asyncio.gather(news.added.wait(), told.wait())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [item.text for item in news.items()] == ["a"]
