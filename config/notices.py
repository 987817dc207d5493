"""The file that says whom to tell of alarms: webhooks, Telegram, mail. It holds secrets, so only we may read it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from config.hosts import LOOPBACK
from config.problems import ConfigProblems, Problem, place, quoted
from config.secrets import Secret, open_private

TELEGRAM_URL: Final = "https://api.telegram.org"
SEVERITIES: Final = ("INFO", "WARNING", "CRITICAL")
HEARTBEAT_S: Final = (0, 7 * 86_400)
_FORM: Final = "tables [webhook], [telegram] and [mail] as in docs/notices.md"


class _Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    token: str = ""


class _Telegram(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str
    chat_id: str
    url: str = TELEGRAM_URL


class _Mail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    user: str = ""
    password: str = ""
    tls: bool = True


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    severity: str = "WARNING"
    heartbeat_s: int = 86_400
    ping_url: str = ""
    webhook: _Webhook | None = None
    telegram: _Telegram | None = None
    mail: _Mail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that takes each notice as JSON; `token`, if any, goes along as a bearer."""

    url: str
    token: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """A bot and the chat that it writes into; `url` is that of its API or of one like it."""

    url: str
    token: Secret
    chat_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail server and who writes to whom; `tls` wants STARTTLS before anything is said."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    user: str
    password: Secret | None
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Whom to tell, and of what.

    Parameters
    ----------
    severity
        The least that is told: INFO, WARNING or CRITICAL.
    heartbeat_s
        Time between two notices that all is well, seconds; 0 for none.
    ping_url
        Asked once a minute while the daemon lives, for a watcher that alarms when that ends; "" for none.
    """

    severity: str
    heartbeat_s: int
    ping_url: str
    webhook: Webhook | None
    telegram: Telegram | None
    mail: Mail | None


def read_notices(path: Path) -> Notices:
    """Read the file.

    Raises
    ------
    ConfigProblems
        NOTICES, or what is wrong with its owner or mode; no secret is in it.
    """
    raw, problem = open_private(path)
    if problem is not None:
        raise ConfigProblems([problem])
    try:
        told = msgspec.convert(tomllib.loads(raw.decode()), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _problem(path, quoted(str(error))) from error
    why = _why_not(told)
    if why:
        raise _problem(path, why)
    webhook, telegram, mail = told.webhook, told.telegram, told.mail
    return Notices(
        severity=told.severity,
        heartbeat_s=told.heartbeat_s,
        ping_url=told.ping_url,
        webhook=None if webhook is None else Webhook(url=webhook.url, token=_secret(webhook.token)),
        telegram=(
            None
            if telegram is None
            else Telegram(
                url=telegram.url.rstrip("/"), token=Secret(telegram.token), chat_id=telegram.chat_id
            )
        ),
        mail=(
            None
            if mail is None
            else Mail(
                host=mail.host,
                port=mail.port,
                sender=mail.sender,
                to=mail.to,
                user=mail.user,
                password=_secret(mail.password),
                tls=mail.tls,
            )
        ),
    )


def _why_not(told: _File) -> str:
    if told.severity not in SEVERITIES:
        return f"severity {quoted(told.severity)}; it is one of {', '.join(SEVERITIES)}"
    if not HEARTBEAT_S[0] <= told.heartbeat_s <= HEARTBEAT_S[1]:
        return f"heartbeat_s {told.heartbeat_s}; it is {HEARTBEAT_S[0]} to {HEARTBEAT_S[1]}"
    if told.webhook is None and told.telegram is None and told.mail is None:
        return "nobody to tell"
    urls = [told.ping_url, "" if told.webhook is None else told.webhook.url]
    urls.append("" if told.telegram is None else told.telegram.url)
    for url in filter(None, urls):
        if not _is_safe(url):
            return "an address that is neither https:// nor http:// on this machine, or has a name in it"
    if told.telegram is not None and not (told.telegram.token and told.telegram.chat_id):
        return "[telegram] without token or chat_id"
    mail = told.mail
    if mail is not None and not (
        mail.host and "@" in mail.sender and mail.to and all("@" in to for to in mail.to)
    ):
        return "[mail] without host, sender or to"
    if mail is not None and any(ord(letter) < 32 for letter in "".join((mail.sender, *mail.to))):
        return "[mail] with a control character in an address"
    if mail is not None and not mail.tls and mail.host not in LOOPBACK:
        return "[mail] without tls to another machine: the password would be readable on the way"
    return ""


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return "@" not in parts.netloc and (
            (parts.scheme == "https" and bool(parts.hostname))
            or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )
    except ValueError:
        return False


def _secret(value: str) -> Secret | None:
    return Secret(value) if value else None


def _problem(path: Path, got: str) -> ConfigProblems:
    return ConfigProblems(
        [
            Problem(
                code="NOTICES",
                where=place(path),
                got=got,
                allowed=_FORM,
                next_step="correct the file, or unset notices.file",
            )
        ]
    )
