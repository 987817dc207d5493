"""Who carries notices to people: a webhook, a Telegram bot, a mail server. Each tries a few times, then gives up."""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Final, Protocol

import aiohttp

from config.notices import Mail, Telegram, Webhook
from executor.domain.timeline import iso_utc
from executor.runtime.notices import Notice

TRIES: Final = (0.0, 1.0, 5.0, 30.0)
"""Waits before each try, seconds."""
ANSWER_S_MAX: Final = 8.0
WAITING_MAX: Final = 100
_TEXT_MAX: Final = 3_500


class Messenger(Protocol):
    """A way to people."""

    name: str

    async def send(self, notice: Notice) -> None:
        """Hand one notice over.

        Raises
        ------
        OSError, aiohttp.ClientError, TimeoutError, smtplib.SMTPException
            If it was not taken.
        """


class WebhookMessenger:
    """Posts each notice as JSON."""

    name = "webhook"

    def __init__(self, http: aiohttp.ClientSession, webhook: Webhook) -> None:
        self._http = http
        self._webhook = webhook

    async def send(self, notice: Notice) -> None:
        """Post it; a status other than 2xx is a failure."""
        token = self._webhook.token
        body = {
            "at": iso_utc(notice.at_ns),
            "severity": notice.severity.value,
            "code": notice.code,
            "parent_id": notice.parent_id,
            "title": notice.title,
            "text": notice.text,
        }
        headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
        await _post(self._http, self._webhook.url, body, headers)


class TelegramMessenger:
    """Has a bot write each notice into a chat, as plain text."""

    name = "telegram"

    def __init__(self, http: aiohttp.ClientSession, telegram: Telegram) -> None:
        self._http = http
        self._telegram = telegram

    async def send(self, notice: Notice) -> None:
        """Call sendMessage."""
        url = f"{self._telegram.url}/bot{self._telegram.token.reveal()}/sendMessage"
        text = f"{notice.title}\n{notice.text}"[:_TEXT_MAX]
        await _post(self._http, url, {"chat_id": self._telegram.chat_id, "text": text}, {})


class MailMessenger:
    """Writes each notice as a mail; the server is spoken with in a thread."""

    name = "mail"

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def send(self, notice: Notice) -> None:
        """Send it to everybody named."""
        await asyncio.to_thread(self._send, notice)

    def _send(self, notice: Notice) -> None:
        mail = self._mail
        message = EmailMessage()
        message["Subject"] = notice.title.replace("\n", " ")
        message["From"], message["To"] = mail.sender, ", ".join(mail.to)
        message.set_content(notice.text)
        with smtplib.SMTP(mail.host, mail.port, timeout=ANSWER_S_MAX) as server:
            if mail.tls:
                server.starttls(context=ssl.create_default_context())
            if mail.password is not None:
                server.login(mail.user, mail.password.reveal())
            server.send_message(message)


async def _post(http: aiohttp.ClientSession, url: str, body: dict[str, str], headers: dict[str, str]) -> None:
    async with (
        asyncio.timeout(ANSWER_S_MAX),
        http.post(url, json=body, headers=headers, allow_redirects=False) as answer,
    ):
        if not 200 <= answer.status < 300:
            raise aiohttp.ClientError(f"status {answer.status}")


class Delivery:
    """Hands notices over one after the other on one way, and counts what became of them.

    Parameters
    ----------
    count
        Told of each: the way's name and sent, failed or dropped.
    """

    def __init__(
        self, messenger: Messenger, count: Callable[[str, str], None], tries: tuple[float, ...] = TRIES
    ) -> None:
        self._messenger = messenger
        self._count = count
        self._tries = tries
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(maxsize=WAITING_MAX)

    def put(self, notice: Notice) -> None:
        """Take a notice; the oldest that waits goes where there are too many."""
        if self._waiting.full():
            self._waiting.get_nowait()
            self._count(self._messenger.name, "dropped")
        self._waiting.put_nowait(notice)

    async def run(self) -> None:
        """Hand over until cancelled."""
        while True:
            notice = await self._waiting.get()
            self._count(self._messenger.name, "sent" if await self._hand_over(notice) else "failed")

    async def _hand_over(self, notice: Notice) -> bool:
        for wait_s in self._tries:
            await asyncio.sleep(wait_s)
            if await self._is_taken(notice):
                return True
        return False

    async def _is_taken(self, notice: Notice) -> bool:
        try:
            await self._messenger.send(notice)
        except Exception:  # noqa: BLE001 - telling people runs beside the venue and must never end it
            return (
                False  # what went wrong may hold an address with a token: only that it went wrong is counted
            )
        return True
