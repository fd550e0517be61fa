"""Requests to a store, on connections that are kept: client and server make them by the thousand, and each costs a
fifth of what it costs with httpx or urllib3. Only what goes there directly: proxies are theirs.

Bodies of files go from the page cache to the socket where the system can do that (`sendfile`).
"""

import os
import re
import select
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from ssl import SSLContext, SSLSocket
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

import httptools

_Address = tuple[str, str]  # scheme, and host with port

_PORTS = {"http": 80, "https": 443}
_RECEIVED_BYTES = 1 << 16
_NOT_IN_TARGET, _NOT_IN_HEADER = re.compile(r"[^\x21-\x7e]"), re.compile(r"[\x00-\x1f\x7f]")
_MORE = getattr(socket, "MSG_MORE", 0)  # the head goes into one packet with what follows
_UNSENT_BYTES = 1 << 18  # no more waits in the system, so that what counts as sent is sent
_SENDS_FILES = hasattr(os, "sendfile")


class WireError(Exception):
    """The other side cannot be reached, or broke off."""


class WireTimeout(WireError):
    """It did not answer in time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that is open for reading."""

    file: FileIO
    start: int
    size: int

    def read(self) -> bytes:
        """Raises EOFError where the file has become too short."""
        self.file.seek(self.start)
        data = self.file.read(self.size)
        if len(data) < self.size:
            raise EOFError
        return data


Body = bytes | Iterable[bytes | Piece]


class Headers(Protocol):
    """Of an answer; case does not matter."""

    def get(self, name: str, /) -> str | None: ...


class _Headers(dict[str, str]):
    def get(self, name: str, /) -> str | None:  # type: ignore[override]  # there are no defaults here
        return super().get(name.lower())


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
        self._idle: dict[_Address, list[socket.socket]] = {}
        self._lock = Lock()
        weakref.finalize(self, _close, self._idle)

    def close(self) -> None:
        with self._lock:
            _close(self._idle)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body, *, keep: int) -> Reply:
        """One request with these headers; `keep` is how many bytes of the answer's body matter.

        A body that is no bytes has its length in the headers. Raises WireError, EOFError where a file has become
        shorter than a piece of it, and what iterating over the body raises.
        """
        parts = urlsplit(url)
        address = parts.scheme, parts.netloc
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        head = _head(method, target, {"Host": _host(address), **headers}, body)
        sock = self._taken(address)
        try:
            whole = _send(sock, head, (body,) if isinstance(body, bytes) else body)
            answer = _Answer(keep, has_body=method != "HEAD")
            with _network():
                answer.receive(sock)
        except BaseException:
            sock.close()
            raise
        self._put_back(address, sock, good=whole and answer.is_whole)
        return Reply(answer.status, answer.headers, answer.body)

    def _taken(self, address: _Address) -> socket.socket:
        while True:
            with self._lock:
                idle = self._idle.get(address)
                sock = idle.pop() if idle else None
            if sock is None:
                return self._connected(address)
            if _is_quiet(sock):
                return sock
            sock.close()

    def _put_back(self, address: _Address, sock: socket.socket, *, good: bool) -> None:
        if good:
            with self._lock:
                self._idle.setdefault(address, []).append(sock)
        else:
            sock.close()

    def _connected(self, address: _Address) -> socket.socket:
        parts = urlsplit(f"{address[0]}://{address[1]}")
        host = parts.hostname or ""
        with _network():
            sock = socket.create_connection((host, parts.port or _PORTS[parts.scheme]), self._connect_seconds)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
                if parts.scheme == "https":
                    sock = self._secure().wrap_socket(sock, server_hostname=host)
                sock.settimeout(self._read_seconds)
            except BaseException:
                sock.close()
                raise
        return sock

    def _secure(self) -> SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._tls()
            return self._context


def _close(idle: dict[_Address, list[socket.socket]]) -> None:
    for sock in [each for some in idle.values() for each in some]:
        sock.close()
    idle.clear()


class _Answer:
    """One answer as it comes in; what comes before it (100 and the like) is passed over."""

    def __init__(self, keep: int, *, has_body: bool) -> None:
        self._keep, self._has_body = keep, has_body
        self._parser = httptools.HttpResponseParser(self)
        self._has_head = self._is_done = self._stays = False
        self.status, self.headers, self.body = 0, _Headers(), b""
        self.is_whole = False  # to its end, and the connection can be used again

    def receive(self, sock: socket.socket) -> None:
        while not self._is_done:
            data = sock.recv(_RECEIVED_BYTES)
            if not data and not self._has_head:
                raise ConnectionError("it closed the connection without an answer")
            if not data or (self._has_head and len(self.body) > self._keep):
                return
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise ConnectionError("what it answers is no HTTP") from error
        self.is_whole = self._stays

    # --- called by the parser

    def on_message_begin(self) -> None:
        self.headers, self.body = _Headers(), b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status, self._stays = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._has_head = self.status >= 200
        self._is_done = self._has_head and not self._has_body

    def on_body(self, data: bytes) -> None:
        if len(self.body) <= self._keep:
            self.body += data

    def on_message_complete(self) -> None:
        self._is_done = self._has_head


def _head(method: str, target: str, headers: Mapping[str, str], body: Body) -> bytes:
    if _NOT_IN_TARGET.search(target) or any(_NOT_IN_HEADER.search(name + value) for name, value in headers.items()):
        raise WireError("it has characters that no request has")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if isinstance(body, bytes) and "content-length" not in map(str.lower, headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _host(address: _Address) -> str:
    """As the header has it: a usual port is not said."""
    scheme, host = address
    return host.removesuffix(f":{_PORTS.get(scheme)}")


def _send(sock: socket.socket, head: bytes, body: Iterable[bytes | Piece]) -> bool:
    """Whether all was sent: who refuses a body before its end is heard all the same."""
    pieces = iter(body)
    first = next(pieces, None)
    try:
        with _network():
            sock.sendall(head, _MORE if first is not None and not isinstance(sock, SSLSocket) else 0)
        while first is not None:
            _send_piece(sock, first)
            first = next(pieces, None)
    except WireError as error:
        if isinstance(error.__cause__, BrokenPipeError | ConnectionResetError):
            return False
        raise
    return True


def _send_piece(sock: socket.socket, piece: bytes | Piece) -> None:
    if isinstance(piece, Piece) and _SENDS_FILES and not isinstance(sock, SSLSocket):
        with _network():
            _send_file(sock, piece)
        return
    data = piece if isinstance(piece, bytes) else piece.read()
    with _network():
        sock.sendall(data)


def _send_file(sock: socket.socket, piece: Piece) -> None:
    start, end = piece.start, piece.start + piece.size
    while start < end:
        try:
            sent = os.sendfile(sock.fileno(), piece.file.fileno(), start, end - start)
        except BlockingIOError:
            _wait_writable(sock)
            continue
        if sent == 0:
            raise EOFError
        start += sent


def _wait_writable(sock: socket.socket) -> None:
    if not _polled(sock, writable=True, seconds=sock.gettimeout()):
        raise TimeoutError("timed out")


def _is_quiet(sock: socket.socket) -> bool:
    """Whether a connection is still there: one that says something while nobody asked is being closed."""
    with suppress(OSError, ValueError):
        return not _polled(sock, writable=False, seconds=0)
    return False


def _polled(sock: socket.socket, *, writable: bool, seconds: float | None) -> bool:
    if hasattr(select, "poll"):  # select() knows no large descriptors
        poll = select.poll()
        poll.register(sock, select.POLLOUT if writable else select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    mine, none = [sock], list[socket.socket]()
    return any(select.select(none if writable else mine, mine if writable else none, none, seconds))


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise WireTimeout(str(error)) from error
    except OSError as error:
        raise WireError(str(error) or type(error).__name__) from error
