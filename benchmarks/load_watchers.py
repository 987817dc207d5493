"""People who look at the board, as its page asks for it, and a scraper: what stands around a daemon under load.

A process of its own (`python -m benchmarks.load_watchers URL TOKEN_FILE VIEWERS SCRAPE`): its work is not the daemon's.
Each viewer is let in with a code of its own, loads the page, and then asks once a second for everything and once a
second for the one order that it has chosen (`executor/interfaces/board/board.js`, `follow`). A line on standard input,
or its end, stops them; what they saw is printed as one JSON object. Each line `mark` forgets what was seen so far.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

import aiohttp
import msgspec

EVERY_S: Final = 1.0
ANSWER_S_MAX: Final = 15.0
PAUSE_S_MIN: Final = 0.1
PAUSE_S_MAX: Final = 8.0
PAGE: Final = ("/board", "/board/board.css", "/board/board.js", "/board/charts.js", "/board/icon.svg")


@dataclass(slots=True)
class Seen:
    """What was asked for and what came of it.

    Parameters
    ----------
    took_s
        How long each whole answer took, by what was asked for.
    sent_bytes
        Size of the answers, by what was asked for.
    failed
        Answers that were none, by what was asked for and what came instead.
    """

    took_s: dict[str, list[float]] = field(default_factory=dict)
    sent_bytes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def take(self, name: str, took_s: float, size: int) -> None:
        """Count a whole answer."""
        self.took_s.setdefault(name, []).append(took_s)
        self.sent_bytes[name] += size

    def forget(self) -> None:
        """Begin anew."""
        self.took_s.clear()
        self.sent_bytes.clear()
        self.failed.clear()


class Viewer:
    """One browser with the board open.

    Parameters
    ----------
    number
        Which one; the orders are shared out among viewers by it.
    """

    def __init__(self, number: int, http: aiohttp.ClientSession, seen: Seen) -> None:
        self._number = number
        self._http = http
        self._seen = seen
        self._headers: dict[str, str] = {}
        self._chosen = ""

    async def look(self, operator: dict[str, str], after_s: float) -> None:
        """Come at a moment of one's own, be let in, load the page, and look until the end."""
        await asyncio.sleep(after_s)
        async with self._http.post("/v1/board/codes", json={"read_only": True}, headers=operator) as answer:
            code = (await answer.json())["code"]
        for path in PAGE:
            async with self._http.get(path) as answer:
                await answer.read()
        async with self._http.post("/board/session", json={"code": code}) as answer:
            self._headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}
        await asyncio.gather(self._follow("overview"), self._follow("order"))

    async def _follow(self, name: str) -> None:
        """Ask as the page does: a second from question to question, longer after a failure."""
        wait_s = EVERY_S
        while True:
            began = perf_counter()
            if name == "overview" or self._chosen:
                wait_s = EVERY_S if await self._ask(name, began) else min(wait_s * 2, PAUSE_S_MAX)
            await asyncio.sleep(max(wait_s - (perf_counter() - began), PAUSE_S_MIN))

    async def _ask(self, name: str, began: float) -> bool:
        path = "/v1/board" if name == "overview" else f"/v1/board/{self._chosen}"
        try:
            async with self._http.get(path, headers=self._headers) as answer:
                body = await answer.read()
                if answer.status != 200:
                    self._seen.failed[f"{name}: status {answer.status}"] += 1
                    return False
        except (aiohttp.ClientError, TimeoutError) as error:
            self._seen.failed[f"{name}: {type(error).__name__}"] += 1
            return False
        self._seen.take(name, perf_counter() - began, len(body))
        picture = msgspec.json.decode(body)
        if name == "overview" and not self._chosen:
            open_ = [each["id"] for each in picture["parents"] if not each["final"]]
            self._chosen = open_[self._number % len(open_)] if open_ else ""
        return True


async def scrape(http: aiohttp.ClientSession, seen: Seen) -> None:
    """Read the metrics once a second, by the clock: what is late is not made good."""
    due = perf_counter()
    while True:
        due = max(due + EVERY_S, perf_counter())
        await asyncio.sleep(due - perf_counter())
        began = perf_counter()
        try:
            async with http.get("/metrics") as answer:
                body = await answer.read()
                if answer.status != 200:
                    seen.failed[f"metrics: status {answer.status}"] += 1
                    continue
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.failed[f"metrics: {type(error).__name__}"] += 1
            continue
        seen.take("metrics", perf_counter() - began, len(body))


async def watch(url: str, token: str, viewers: int, *, scrapes: bool) -> None:
    """Look and scrape until told to end, then print what was seen."""
    seen = Seen()
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    operator = {"Authorization": f"Bearer {token}"}
    browsers = [aiohttp.ClientSession(url, timeout=timeout) for _ in range(viewers + 1)]
    tasks = [
        asyncio.create_task(Viewer(number, http, seen).look(operator, EVERY_S * number / viewers))
        for number, http in enumerate(browsers[1:])
    ]
    if scrapes:
        tasks.append(asyncio.create_task(scrape(browsers[0], seen)))
    ending = asyncio.create_task(_until_told(seen))
    try:
        done, _ = await asyncio.wait([ending, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {ending}:
            task.result()  # nobody stops by himself: raises why
    finally:
        for task in (ending, *tasks):
            task.cancel()
        await asyncio.gather(ending, *tasks, return_exceptions=True)
        for http in browsers:
            await http.close()
    told = {"took_s": seen.took_s, "sent_bytes": seen.sent_bytes, "failed": seen.failed}
    sys.stdout.write(f"{json.dumps(told)}\n")


async def _until_told(seen: Seen) -> None:
    loop = asyncio.get_running_loop()
    while (await loop.run_in_executor(None, sys.stdin.readline)).strip() == "mark":
        seen.forget()


def main() -> None:
    """Watch the daemon that the command line names."""
    url, token_file, viewers, scrapes = sys.argv[1:]
    token = Path(token_file).read_text(encoding="ascii").strip()
    asyncio.run(watch(url, token, int(viewers), scrapes=scrapes == "yes"))


if __name__ == "__main__":
    main()
