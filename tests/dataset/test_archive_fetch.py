"""Bringing archives from a server of the same layout: whole, in spite of broken lines, and never twice."""

import gzip
import hashlib
from datetime import date

import aiohttp
import pytest
from aiohttp import web

from backtest.dataset.errors import UnreachableError
from backtest.dataset.fetch import TRIES_MAX, Archive, Fetcher
from tests.dataset.written import written

DAY = date(2024, 5, 1)


class Shelf:
    """The archive: files by path, and how it misbehaves."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.trouble: list[str] = []
        self.waited: list[float] = []
        self.said: list[str] = []
        self.etag: str | None = None

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Range")))
        data = self.files.get(request.path)
        if data is None:
            return web.Response(status=404)
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble.isdigit():
            return web.Response(status=int(trouble), headers={"Retry-After": "7"})
        etag = self.etag or f'"{hashlib.md5(data).hexdigest()}"'
        begin, status = 0, 200
        asked = request.headers.get("Range")
        if asked is not None and request.headers.get("If-Range") == etag and trouble != "whole":
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
        headers = {"ETag": etag, "Content-Length": str(len(data) - begin)}
        if status == 206:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        body = data[begin:]
        if trouble == "damage":
            body = bytes([body[0] ^ 0xFF]) + body[1:]
        if trouble == "cut":
            await response.write(body[: len(body) // 2])
            request.transport.close()
            return response
        await response.write(body)
        return response


@pytest.fixture
async def shelf():
    shelf = Shelf()
    app = web.Application()
    app.router.add_get("/{path:.*}", shelf.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shelf.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        shelf.fetcher = Fetcher(session, shelf.wait, shelf.said.append)
        yield shelf
    await runner.cleanup()


def packed(size=200_000):
    return gzip.compress(bytes(hash_byte % 251 for hash_byte in range(size)), compresslevel=0, mtime=0)


async def bring(shelf, folder, what="trades", category="linear"):
    told = []
    archive = Archive(trades_url=shelf.url, books_url=f"{shelf.url}/")
    urls = archive.addresses(what, category, "BTCUSDT", DAY)
    return await shelf.fetcher.fetch(urls, folder, lambda done, total: told.append((done, total))), told


TRADES = "/trading/BTCUSDT/BTCUSDT2024-05-01.csv.gz"


async def test_a_day_of_trades_is_brought_whole_and_proved(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    got, told = await bring(shelf, tmp_path)
    assert got.path.read_bytes() == packed()
    assert (got.proof, got.resumed_at, told[-1]) == ("md5, crc", 0, (len(packed()), len(packed())))
    assert [path.name for path in tmp_path.iterdir()] == ["BTCUSDT2024-05-01.csv.gz"]
    again, _ = await bring(shelf, tmp_path)
    assert (again.proof, len(shelf.asked)) == ("here already", 1)


@pytest.mark.parametrize(
    ("what", "category", "path"),
    [
        ("trades", "spot", "/spot/BTCUSDT/BTCUSDT_2024-05-01.csv.gz"),
        ("trades", "inverse", TRADES),
        ("books", "linear", "/orderbook/linear/BTCUSDT/2024-05-01_BTCUSDT_ob200.data.zip"),
        ("books", "spot", "/orderbook/spot/BTCUSDT/2024-05-01_BTCUSDT_ob500.data.zip"),
    ],
)
async def test_each_sort_of_file_lies_where_the_archive_has_it(shelf, tmp_path, what, category, path):
    zipped = written(tmp_path / "x.data.zip", "{}").read_bytes()
    shelf.files[path] = zipped if what == "books" else packed(10)
    got, _ = await bring(shelf, tmp_path / "into", what, category)
    assert got.path.name == path.rsplit("/", 1)[1]


async def test_a_day_that_is_not_there_is_no_error(shelf, tmp_path):
    assert (await bring(shelf, tmp_path, "books"))[0] is None
    assert [path.rsplit("_", 1)[1] for path, _ in shelf.asked] == [
        "ob200.data.zip",
        "ob500.data.zip",
        "ob1000.data.zip",
    ]


async def test_a_broken_line_is_gone_on_with_where_it_broke(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    shelf.trouble = ["cut", "cut"]
    got, _ = await bring(shelf, tmp_path)
    assert got.path.read_bytes() == packed()
    ranges = [asked for _, asked in shelf.asked]
    assert ranges[0] is None
    assert all(asked is not None for asked in ranges[1:])
    assert 0 < got.resumed_at < len(packed())
    assert shelf.waited == [1.0, 2.0]


async def test_a_file_that_changed_meanwhile_is_begun_again(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    shelf.trouble = ["cut"]
    changed = packed(150_000)

    async def change(seconds):
        shelf.files[TRADES] = changed

    shelf.fetcher._sleep = change
    got, _ = await bring(shelf, tmp_path)
    assert (got.path.read_bytes() == changed, got.resumed_at) == (True, 0)


async def test_a_busy_server_is_waited_for_as_it_asks(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    shelf.trouble = ["503", "429"]
    got, _ = await bring(shelf, tmp_path)
    assert got.size == len(packed())
    assert shelf.waited == [7.0, 7.0]


@pytest.mark.parametrize("etag", [None, '"made-of-parts-2"', 'W/"weak"'])
async def test_a_file_that_comes_damaged_is_brought_again(shelf, tmp_path, etag):
    shelf.etag = etag
    shelf.files[TRADES] = packed()
    shelf.trouble = ["damage"]
    got, _ = await bring(shelf, tmp_path)
    assert got.path.read_bytes() == packed()
    assert got.proof == ("md5, crc" if etag is None else "crc")
    assert len(shelf.asked) == 2


async def test_after_many_tries_it_gives_up_and_keeps_what_came(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    shelf.trouble = ["cut"] + ["500"] * 20
    with pytest.raises(UnreachableError, match="HTTP 500"):
        await bring(shelf, tmp_path)
    assert len(shelf.asked) == TRIES_MAX
    assert len(shelf.waited) == TRIES_MAX - 1, "nobody waits for a try that is not made"
    assert [line.rsplit("; ", 1)[1] for line in shelf.said[:2]] == ["try 2 of 6 in 1 s", "try 3 of 6 in 7 s"]
    assert "HTTP 500" in shelf.said[-1]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".etag", ".part"]


async def test_a_refusal_is_no_reason_to_try_again(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    shelf.trouble = ["403"]
    with pytest.raises(UnreachableError, match="HTTP 403"):
        await bring(shelf, tmp_path)
    assert len(shelf.asked) == 1


async def test_a_part_longer_than_the_file_is_thrown_away(shelf, tmp_path):
    shelf.files[TRADES] = packed()
    part = tmp_path / "BTCUSDT2024-05-01.csv.gz.part"
    part.write_bytes(packed() + b"more")
    part.with_name("BTCUSDT2024-05-01.csv.gz.etag").write_text('"old"')
    shelf.trouble = ["416"]
    got, _ = await bring(shelf, tmp_path)
    assert got.path.read_bytes() == packed()
