"""What wraps every request."""

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from starlette.types import Message, Receive, Scope, Send

from momentarium_cli.backend.api import middleware
from momentarium_cli.backend.api.middleware import Envelope
from tests.servers import Account, ApiServer

_SCOPE: Scope = {"type": "http", "method": "GET", "path": "/api/me", "headers": []}


def test_a_request_that_outlasts_the_server_is_told_to_come_again() -> None:
    sent: list[Message] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def cancelled() -> None:
        task = asyncio.create_task(Envelope(endless)(_SCOPE, receive, send))
        await asyncio.sleep(0)
        task.cancel()
        await task

    asyncio.run(cancelled())
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_a_client_that_falls_silent_in_the_middle_of_a_body_is_let_go(
    shared: ApiServer, anyone: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "_SILENCE_SECONDS", 0.3)
    here = urlsplit(shared.url)
    head = ["POST /api/uploads/generate-urls HTTP/1.1", f"Host: {here.netloc}", f"Authorization: Bearer {anyone.token}",
            "Content-Type: application/json", "Content-Length: 100"]  # fmt: skip
    with socket.create_connection((here.hostname or "", here.port or 80), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", '{"files": ']).encode())
        answer = connection.makefile("rb").read()  # to its end: the server closes
    assert answer.startswith(b"HTTP/1.1 503 ") and b"The body stopped coming." in answer


def test_what_comes_after_a_body_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "_SILENCE_SECONDS", 0.01)
    heard: list[str] = []

    async def coming() -> AsyncIterator[Message]:
        yield {"type": "http.request"}
        await asyncio.sleep(0.1)
        yield {"type": "http.disconnect"}

    async def until_gone(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    async def send(_: Message) -> None:
        """Nothing is answered."""

    asyncio.run(Envelope(until_gone)(_SCOPE, coming().__anext__, send))
    assert heard == ["http.request", "http.disconnect"]
