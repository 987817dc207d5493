"""One WebSocket spoken to by hand: says what it is told, remembers everything it has heard."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp

from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload


class Talk:
    def __init__(self, socket):
        self.socket = socket
        self.heard = []

    async def say(self, **message):
        await self.socket.send_str(json.dumps(message))

    async def hear(self, wanted=lambda message: True, deadline_s=30.0):
        async with asyncio.timeout(deadline_s):
            while True:
                message = json.loads((await self.socket.receive()).data)
                self.heard.append(message)
                if wanted(message):
                    return message

    async def ask(self, **message):
        await self.say(**message)
        return await self.hear(lambda answer: "topic" not in answer)

    async def hears_nothing(self, length_s=0.2):
        """Whether nothing at all arrives for a while."""
        try:
            await self.socket.receive(timeout=length_s)
        except TimeoutError:
            return True
        return False

    async def authenticate(self, key, **extra):
        expires = now_ms(SystemClock()) + 5000
        return await self.ask(
            op="auth", args=[key.key, expires, sign(key.secret, stream_payload(str(expires)))], **extra
        )

    async def subscribe(self, *topics):
        return await self.ask(op="subscribe", args=list(topics))


@asynccontextmanager
async def talk_to(venue, path):
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + path) as socket:
        yield Talk(socket)
