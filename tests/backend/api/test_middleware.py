"""What wraps every request."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from momentarium_cli.backend.api.middleware import Envelope

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
