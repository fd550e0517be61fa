"""Requests on kept connections, against servers that answer byte by byte what a test wants."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from momentarium_cli.wire import Piece, Reply, Wire, WireError, WireTimeout

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LENGTH = {"Content-Length": "6"}


def no_tls() -> ssl.SSLContext:
    raise AssertionError("no address here is secure")


class Peer:
    """A server of one answer after another; `received` is what came on each of its connections."""

    def __init__(self, answers: list[bytes], *, reads: bool = True) -> None:
        self.answers, self.reads = answers, reads
        self.received: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while self.answers:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.received.append(b"")
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while self.answers:
            while self.reads and not self._is_whole(self.received[-1]):
                data = connection.recv(1 << 16)
                if not data:
                    return
                self.received[-1] += data
            answer = self.answers.pop(0)
            self.received[-1] += b"|"
            connection.sendall(answer)
            if b"Connection: close" in answer or not self.reads:
                return

    @staticmethod
    def _is_whole(received: bytes) -> bool:
        last = received.rpartition(b"|")[2]
        return b"\r\n\r\n" in last and (b"Content-Length: 6" not in last or last.endswith(b"abcdef"))


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(no_tls, connect_seconds=2, read_seconds=2)
    yield made
    made.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def start(*answers: bytes, reads: bool = True) -> Peer:
        made.append(Peer(list(answers), reads=reads))
        return made[-1]

    yield start
    for each in made:
        each.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        each.listener.close()
        each.thread.join(5)


def put(wire: Wire, url: str) -> Reply:
    return wire.send("PUT", f"{url}/a/b?c=d%2Fe", LENGTH, iter([b"abc", b"def"]), keep=100)


def test_a_request_is_made_of_exactly_what_is_given(wire: Wire, peer: Callable[..., Peer]) -> None:
    server = peer(OK)
    reply = put(wire, server.url)
    assert (reply.status, reply.body, reply.headers.get("content-LENGTH")) == (200, b"hi", "2")
    host = server.url.removeprefix("http://")
    head = f"PUT /a/b?c=d%2Fe HTTP/1.1\r\nHost: {host}\r\nContent-Length: 6\r\n\r\n"
    assert server.received == [head.encode() + b"abcdef|"]


def test_a_connection_is_used_again(wire: Wire, peer: Callable[..., Peer]) -> None:
    server = peer(OK, OK, b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert [put(wire, server.url).status for _ in range(3)] == [200] * 3
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_one_that_is_closed_is_not(wire: Wire, peer: Callable[..., Peer], last: bytes) -> None:
    server = peer(last, OK)
    assert [put(wire, server.url).status for _ in range(2)] == [200, 200]
    assert len(server.received) == 2


def test_one_that_was_closed_meanwhile_is_not_tried(wire: Wire, peer: Callable[..., Peer]) -> None:
    server = peer(OK, reads=False)
    put(wire, server.url)
    server.thread.join(5)  # it has gone
    with pytest.raises(WireError):
        put(wire, server.url)
    assert len(server.received) == 1, "the second was on a connection of its own"


def test_who_refuses_a_body_before_its_end_is_heard(wire: Wire, peer: Callable[..., Peer]) -> None:
    server = peer(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", reads=False)
    headers = {"Content-Length": str(1 << 30)}

    def body() -> Iterator[bytes]:
        for _ in range(1 << 10):
            yield bytes(1 << 10)
        server.thread.join(5)
        yield from iter(lambda: bytes(1 << 20), b"")

    try:
        assert wire.send("PUT", server.url, headers, body(), keep=0).status == 412
    except WireError:
        """The answer was lost with the connection, as it may be; the loop ended all the same."""


def test_an_answer_that_is_chunked_or_long_is_kept_in_part(wire: Wire, peer: Callable[..., Peer]) -> None:
    chunks = b"".join(b"a\r\n0123456789\r\n" for _ in range(5000))
    server = peer(
        b"HTTP/1.1 503 Slow\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n" + chunks + b"0\r\n\r\n", OK
    )
    reply = put(wire, server.url)
    assert (reply.status, reply.headers.get("Retry-After"), reply.body[:10]) == (503, "7", b"0123456789")
    assert len(reply.body) < 30_000


def test_a_head_has_no_body_whatever_its_length(wire: Wire, peer: Callable[..., Peer]) -> None:
    server = peer(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", OK)
    assert wire.send("HEAD", server.url, {}, (), keep=0).headers.get("content-length") == "999"
    assert put(wire, server.url).status == 200
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nCont", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_no_answer_is_an_error(wire: Wire, peer: Callable[..., Peer], answer: bytes) -> None:
    with pytest.raises(WireError):
        put(wire, peer(answer, reads=False).url)


def test_who_does_not_answer_in_time_is_told(peer: Callable[..., Peer]) -> None:
    wire = Wire(no_tls, connect_seconds=2, read_seconds=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(WireTimeout):
        put(wire, f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_body_that_nobody_takes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(1 << 28)
    wire = Wire(no_tls, connect_seconds=2, read_seconds=0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        path.open("rb", buffering=0) as file,
        pytest.raises(WireTimeout),
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        wire.send("PUT", url, {"Content-Length": str(1 << 28)}, [Piece(file, 0, 1 << 28)], keep=0)


def test_pieces_of_a_file_are_sent(wire: Wire, peer: Callable[..., Peer], tmp_path: Path) -> None:
    server, path = peer(OK), tmp_path / "a"
    path.write_bytes(b"xxabcdefxx")
    with path.open("rb", buffering=0) as file:
        wire.send("PUT", server.url, LENGTH, [Piece(file, 2, 4), Piece(file, 6, 2)], keep=0)
    assert server.received[0].endswith(b"abcdef|")


def test_a_file_that_became_too_short_is_told(wire: Wire, peer: Callable[..., Peer], tmp_path: Path) -> None:
    server, path = peer(OK), tmp_path / "a"
    path.write_bytes(b"abc")
    with path.open("rb", buffering=0) as file, pytest.raises(EOFError):
        wire.send("PUT", server.url, LENGTH, [Piece(file, 0, 6)], keep=0)
    with path.open("rb", buffering=0) as file, pytest.raises(EOFError):
        Piece(file, 0, 6).read()


@pytest.mark.parametrize(("url", "headers"), [("/a b", {}), ("/é", {}), ("/", {"A": "b\r\nX: y"}), ("/", {"A\n": "b"})])
def test_nothing_can_be_smuggled_into_a_request(
    wire: Wire, peer: Callable[..., Peer], url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(WireError):
        wire.send("PUT", peer(OK).url + url, headers, (), keep=0)
