"""Requests to a store, on connections of the standard library that are kept: client and server make them by the
thousand, and each costs a third of what it costs with httpx or urllib3. Only what goes there directly: proxies are
theirs.
"""

import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import SSLContext
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlsplit

_GATHERS = hasattr(socket.socket, "sendmsg")  # not on Windows

_Address = tuple[str, str]  # scheme, and host with port


class WireError(Exception):
    """The other side cannot be reached, or broke off."""


class WireTimeout(WireError):
    """It did not answer in time."""


class Headers(Protocol):
    """Of an answer; case does not matter."""

    def get(self, name: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; of the body no more than was asked for."""

    status: int
    headers: Headers
    body: bytes


class Wire:
    """Thread-safe. `tls` makes the context when the first secure address is met."""

    def __init__(self, tls: Callable[[], SSLContext], *, connect_seconds: float, read_seconds: float) -> None:
        self._tls = tls
        self._context: SSLContext | None = None
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._idle: dict[_Address, list[HTTPConnection]] = {}
        self._lock = Lock()

    def close(self) -> None:
        with self._lock:
            for connection in [each for some in self._idle.values() for each in some]:
                connection.close()
            self._idle.clear()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes, *, keep: int
    ) -> Reply:
        """One request with these headers; `keep` is how many bytes of the answer's body matter.

        A body that is no bytes has its length in the headers. Raises WireError, and what reading the body raises.
        """
        parts = urlsplit(url)
        address = parts.scheme, parts.netloc
        target = parts._replace(scheme="", netloc="").geturl() or "/"
        connection = self._taken(address)
        try:
            response, whole = _exchange(connection, method, target, headers, body)
            with _network():
                reply = Reply(response.status, response.headers, response.read(keep))
                whole = whole and not response.read(1)
        except BaseException:
            connection.close()
            raise
        self._put_back(address, connection, good=whole)
        return reply

    def _taken(self, address: _Address) -> HTTPConnection:
        while True:
            with self._lock:
                idle = self._idle.get(address)
                connection = idle.pop() if idle else None
            if connection is None:
                return self._connected(address)
            if _is_quiet(connection):
                return connection
            connection.close()

    def _put_back(self, address: _Address, connection: HTTPConnection, *, good: bool) -> None:
        if good and connection.sock is not None:
            with self._lock:
                self._idle.setdefault(address, []).append(connection)
        else:
            connection.close()

    def _connected(self, address: _Address) -> HTTPConnection:
        scheme, host = address
        if scheme == "https":
            connection: HTTPConnection = HTTPSConnection(host, timeout=self._connect_seconds, context=self._secure())
        else:
            connection = (_Plain if _GATHERS else HTTPConnection)(host, timeout=self._connect_seconds)
        with _network():
            connection.connect()
        connection.sock.settimeout(self._read_seconds)
        return connection

    def _secure(self) -> SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._tls()
            return self._context


class _Plain(HTTPConnection):
    """Sends the head of a request in one go with the first bytes of its body: less to do for both sides."""

    _head: bytes | None = None

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        self._head = b""
        super().endheaders(message_body, encode_chunked=encode_chunked)

    def send(self, data: Any) -> None:
        if self._head is None:
            super().send(data)
        elif not self._head:
            self._head = data
        else:
            head, self._head = self._head, None
            rest = self.sock.sendmsg([head, data]) - len(head)
            if rest < len(data):
                super().send(memoryview(data)[max(0, rest) :] if rest >= 0 else head[rest:] + data)

    def getresponse(self) -> HTTPResponse:
        head, self._head = self._head, None
        if head:
            super().send(head)
        return super().getresponse()


def _exchange(
    connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes
) -> tuple[HTTPResponse, bool]:
    """The answer, and whether all was sent before: who refuses a body before its end is heard all the same."""
    with _network():
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if isinstance(body, bytes) and "content-length" not in map(str.lower, headers):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
    for chunk in (body,) if isinstance(body, bytes) else body:
        with _network():
            try:
                connection.send(chunk)
            except (BrokenPipeError, ConnectionResetError):
                return connection.getresponse(), False
    with _network():
        return connection.getresponse(), True


def _is_quiet(connection: HTTPConnection) -> bool:
    """Whether a connection is still there: one that says something while nobody asked is being closed."""
    with suppress(OSError, ValueError):
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(connection.sock, select.POLLIN)
            return not poll.poll(0)
        return not select.select([connection.sock], [], [], 0)[0]
    return False


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise WireTimeout(str(error)) from error
    except (OSError, HTTPException) as error:
        raise WireError(str(error) or type(error).__name__) from error
