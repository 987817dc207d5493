"""What a service manager is told, by systemd's protocol (sd_notify(3)): that we are ready, that we live, that we end.

Without a service manager nothing is told. A word that cannot be delivered is dropped: the sentinel has its own way.
"""

import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


class Supervisor:
    """The service manager that started us, if any.

    Parameters
    ----------
    environ
        Names its socket: a path, or an abstract name that begins with "@".
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get(VARIABLE, "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name

    def tell(self, *words: str) -> None:
        """Say something; returns at once."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as way:
                way.sendto("\n".join(words).encode(), self._address)
        except OSError:
            return
