"""An authority that issues certificates, and a door with TLS in front of the exchange that can swap its own."""

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock

DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM


class Authority:
    """Issues certificates for 127.0.0.1, good and bad ones."""

    def __init__(self, directory):
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])

    def publish(self):
        """Write down what clients must trust; returns the file."""
        path = self._directory / "authority.pem"
        path.write_bytes(self._certificate(self._key, self._name, is_authority=True).public_bytes(PEM))
        return str(path)

    def context(self, kind):
        """What a server needs to show a certificate that is `good`, `expired`, `self-signed` or `of another host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exchange")])
        certificate = self._certificate(
            key,
            name,
            host="192.0.2.1" if kind == "of another host" else "127.0.0.1",
            age=10 * DAY if kind == "expired" else timedelta(),
            signed_by=(key, name) if kind == "self-signed" else None,
        )
        path = self._directory / f"{kind}.pem"
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(private + certificate.public_bytes(PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(
        self, key, name, *, host="127.0.0.1", age=timedelta(), signed_by=None, is_authority=False
    ):  # fmt: skip
        signer, issuer = signed_by or (self._key, self._name)
        begins = datetime.fromtimestamp(Clock().now_ns() // NS_PER_S, UTC) - DAY - age
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + 3 * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )


class Door:
    """Ends TLS in front of a plain port. Use inside `async with`."""

    def __init__(self, port, context):
        self._behind = port
        self._context = context
        self._visits = set()
        self.port = 0
        self.admitted = 0
        """Handshakes that were completed: clients that accepted the certificate."""

    async def __aenter__(self):
        await self._open()
        return self

    async def __aexit__(self, *_):
        await self._close()

    async def swap(self, context):
        """Show another certificate from now on; whoever is inside is turned out."""
        await self._close()
        self._context = context
        await self._open()

    async def _open(self):
        self._server = await asyncio.start_server(self._admit, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        self._server.close()
        for visit in list(self._visits):
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        await self._server.wait_closed()

    async def _admit(self, reader, writer):
        visit = asyncio.current_task()
        self._visits.add(visit)
        self.admitted += 1
        ours = None
        try:
            behind, ours = await asyncio.open_connection("127.0.0.1", self._behind)
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(reader, ours))
                group.create_task(_carry(behind, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._visits.discard(visit)
            for end in (writer, ours):
                if end is not None:
                    end.transport.abort()


async def _carry(source, sink):
    with suppress(OSError):
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    sink.close()
