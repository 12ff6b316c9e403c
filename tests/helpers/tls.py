"""A certificate authority of a test's own, and TLS in front of a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def certificate(folder: Path, name: str, *, password: str = "") -> tuple[Path, Path]:
    """A self-made certificate of an application: PEM with its key (or PFX with a password), and PEM without."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = _signed(key, name)
    public = folder / f"{name}.public.pem"
    public.write_bytes(made.public_bytes(Encoding.PEM))
    if password:
        file = folder / f"{name}.pfx"
        secret = BestAvailableEncryption(password.encode())
        file.write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), key, made, None, secret))
        return file, public
    file = folder / f"{name}.pem"
    file.write_bytes(_private(key) + made.public_bytes(Encoding.PEM))
    return file, public


@contextmanager
def tls_before(url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Listen with TLS and pass on to a server without: the https:// URL, and the certificate to trust."""
    private, public = _loopback()
    file, trust = folder / "server.pem", folder / "trust.pem"
    trust.write_bytes(public)
    file.write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    front = _Front(urlsplit(url).port or 0, context)
    thread = threading.Thread(target=front.run)
    thread.start()
    try:
        assert front.listening.wait(10)
        yield f"https://127.0.0.1:{front.port}", trust
    finally:
        front.stop()
        thread.join(10)


@cache
def _loopback() -> tuple[bytes, bytes]:
    """One for all tests of a process: two of the same name would stand in each other's way where they are trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _private(key), _signed(key, "loopback", address="127.0.0.1").public_bytes(Encoding.PEM)


class _Front:
    def __init__(self, to: int, context: ssl.SSLContext) -> None:
        self._to, self._context = to, context
        self.listening, self.port = threading.Event(), 0
        self._loop = asyncio.new_event_loop()
        self._told = asyncio.Event()

    def run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._told.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        await self._told.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(_pass(reader, back_writer), _pass(back_reader, writer), return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


def _signed(key: Key, name: str, *, address: str = "") -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def _private(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
