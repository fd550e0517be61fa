"""A forwarder in front of an HTTP server that spoils what a test tells it to spoil: on a free port, in threads."""

import http.client
import itertools
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(frozen=True)
class Fault:
    """What befalls one request: a wait (seconds), then an answer of our own, or the true one with a body that ends
    after so many bytes, or the true one that is carried out and gets lost; or its own body breaks off after so many
    bytes, on both sides of us; or its connection is reset. `headers` take the place of an answer's."""

    delay: float = 0
    reset: bool = False
    status: int | None = None
    body: bytes = b""
    cut_after: int | None = None
    lost: bool = False
    received: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Forwarded:
    """A request that the true server answered; times are of time.time(), `passed_on` is whether we tried to."""

    request: str
    began: float
    ended: float
    status: int
    passed_on: bool


def no_rule(request: str) -> Fault | None:
    """Nothing befalls a request that no fault was added for."""
    return None


def nobody(forwarded: Forwarded) -> None:
    """Nobody is told."""


@dataclass
class Faults:
    """The faults to come, one a request; without one a request meets what `rule` says, or is forwarded as it is.
    `requests` is what came so far, each as "GET /path?query"; `rule` is asked with the same, in many threads, and
    `told` hears of what was forwarded."""

    url: str
    rule: Callable[[str], Fault | None] = no_rule
    told: Callable[[Forwarded], None] = nobody
    requests: list[str] = field(default_factory=list)
    _coming: deque[Fault] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def add(self, fault: Fault, times: int = 1) -> None:
        """The next requests meet this fault, after those that were added before."""
        with self._lock:
            self._coming.extend(itertools.repeat(fault, times))

    def answer(self, status: int, body: bytes = b"", times: int = 1) -> None:
        self.add(Fault(status=status, body=body), times)

    def cut(self, after: int, times: int = 1) -> None:
        self.add(Fault(cut_after=after), times)

    def lose(self, times: int = 1) -> None:
        self.add(Fault(lost=True), times)

    def delay(self, seconds: float, times: int = 1) -> None:
        self.add(Fault(delay=seconds), times)

    def clear(self) -> None:
        with self._lock:
            self._coming.clear()
            self.requests.clear()

    def next_for(self, request: str) -> Fault:
        with self._lock:
            self.requests.append(request)
            if self._coming:
                return self._coming.popleft()
        return self.rule(request) or Fault()


@contextmanager
def faulty(upstream: str) -> Iterator[Faults]:
    """A forwarder in front of `upstream`. The Host header goes through as it is, so signatures stay good."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.upstream = urlsplit(upstream).netloc
    server.faults = Faults(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a connection that its client keeps open does not keep the test waiting
    request_queue_size = 256
    upstream: str
    faults: Faults

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def forward(self) -> None:
        """One request, to its end: also what is refused has its body read, as servers do."""
        request = f"{self.command} {self.path}"
        fault = self.server.faults.next_for(request)
        if fault.reset:
            self._reset()
            return
        if fault.received is not None:
            self.close_connection = True
            self._break_off(self.rfile.read(fault.received))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(fault.delay)
        if fault.status is not None:
            headers = {"Content-Type": "application/xml", **fault.headers}
            self._tell(fault.status, headers, fault.body, len(fault.body))
            return
        began = time.time()
        status, headers, content = self._asked(body)
        self.server.faults.told(Forwarded(request, began, time.time(), status, not fault.lost))
        if fault.lost or fault.cut_after is not None:
            self.close_connection = True
        if fault.lost:
            return
        length = int(headers.get("Content-Length") or len(content))  # a HEAD tells it and has no content
        self._tell(status, {**headers, **fault.headers}, content[: fault.cut_after], length)

    def _asked(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._upstream(body) as upstream:
            answer = upstream.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def _reset(self) -> None:
        """An RST at once, whatever was sent and not read."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _break_off(self, body: bytes) -> None:
        with self._upstream(body):
            pass

    @contextmanager
    def _upstream(self, body: bytes) -> Iterator[http.client.HTTPConnection]:
        """This request on its way to the true server, with this much of its body."""
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    upstream.putheader(name, value)
            upstream.endheaders(body or None)
            yield upstream
        finally:
            upstream.close()

    def _tell(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


for _method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
    setattr(_Handler, f"do_{_method}", _Handler.forward)
