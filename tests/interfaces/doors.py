"""Ways into a running interface: over a session, over raw bytes, through its data directory."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from control_double import ControlDouble

TOKEN = "tEsT0tOkEn1tHaT2iS3lOnG4eNoUgH5fOr6tHe7gAtE8xyz"


@dataclass
class Door:
    control: ControlDouble
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    async def get(self, path: str, **headers: str) -> tuple[int, dict]:
        async with self.session.get(f"{self.url}{path}", headers=self.headers | headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> tuple[int, dict]:
        sent = self.headers | (headers or {})
        async with self.session.post(f"{self.url}{path}", json=body, headers=sent) as answer:
            return answer.status, await answer.json()

    async def raw(self, lines: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(lines)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@dataclass
class Daemon:
    """The interface in a thread of its own, found through its data directory."""

    control: ControlDouble
    data_dir: Path
    url: str
    token: str
