"""A small HTTP server in a thread that answers as a test tells it to."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from momentarium_cli.errors import MomentariumError


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Drop(Exception):
    """Raised by an answer: the connection is cut without one."""


Answer = Callable[[Request], Reply]


@dataclass
class Loopback:
    """`answer` is called for every request, which is then in `requests`."""

    url: str
    answer: Answer
    requests: list[Request] = field(default_factory=list)


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def problem(error: MomentariumError, **headers: str) -> Reply:
    """An error as the backend answers it."""
    body = {"title": "-", "status": error.status, "detail": str(error), "code": error.error_code, "request_id": "-"}
    return as_json({**body, "errors": [dict(item) for item in error.details]}, error.status, **headers)


def s3_error(status: int, code: str, message: str = "What happened.", **headers: str) -> Reply:
    """An error as an S3 store answers it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, body.encode(), {"Content-Type": "application/xml", **headers})


def in_turn(*replies: Reply | Exception) -> Answer:
    """These answers one after another, the last one for ever."""
    left = list(replies)

    def answer(_: Request) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    return answer


@contextmanager
def loopback(answer: Answer, port: int = 0) -> Iterator[Loopback]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, dict(self.headers.items()), body)
            made.requests.append(request)
            try:
                reply = made.answer(request)
            except Drop:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else reply.body)

        do_GET = do_HEAD = do_PUT = do_POST = _answer  # noqa: N815 -- the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that goes away in the middle is what some tests are about."""

    server = Quiet(("127.0.0.1", port), Handler)
    made = Loopback(f"http://127.0.0.1:{server.server_address[1]}", answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
