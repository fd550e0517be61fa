"""What happens around every request: an id, a line in the log, limits on bodies, headers for browsers."""

import asyncio
import logging
import time
from http import HTTPStatus
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from momentarium_cli.backend.api.problems import answer, bug
from momentarium_cli.backend.webhook import FAILED_PATH, MAINTENANCE_PATH, PROCESS_PATH
from momentarium_cli.errors import Temporary, TooLarge
from momentarium_cli.logs import request_id

log = logging.getLogger(__name__)

_WEBHOOK_PATHS = (PROCESS_PATH, FAILED_PATH, MAINTENANCE_PATH)
MAX_JSON_BYTES = 8 << 20  # 1,000 photos with long names and folders stay well below
_SILENCE_SECONDS = 60.0  # who is still there sends something sooner


class Envelope:
    """Wraps the application.

    Bodies under /files/ have a limit of their own, which is signed; so have the queue's, whose refusals are all alike.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id.set(uuid4().hex[:16])
        started, status = time.monotonic(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id.get()
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if _too_large(scope):
            await answer(TooLarge(f"The body is larger than {MAX_JSON_BYTES >> 20} MiB."))(
                scope, receive, send_with_headers
            )
            return
        try:
            await self._app(scope, _limited(scope, _patient(receive)), send_with_headers)
        except asyncio.CancelledError:  # we are ending, and have waited for this request long enough
            if status:
                raise
            await answer(Temporary("The server is ending.", retry_after=1))(scope, receive, send_with_headers)
        except Exception as error:
            if status:
                raise  # an answer is on its way already
            await bug(error)(scope, receive, send_with_headers)
        finally:
            log.info("%s %s %d %.0f ms", scope["method"], scope["path"], status, (time.monotonic() - started) * 1000)


def _has_own_limit(scope: Scope) -> bool:
    method, path = scope["method"], str(scope["path"])
    return (method == "PUT" and path.startswith("/files/")) or (method == "POST" and path in _WEBHOOK_PATHS)


def _too_large(scope: Scope) -> bool:
    length = Headers(scope=scope).get("content-length", "0")
    return not _has_own_limit(scope) and length.isdigit() and int(length) > MAX_JSON_BYTES


def _limited(scope: Scope, receive: Receive) -> Receive:
    """A body without a length is cut off where it grows too large."""
    if _has_own_limit(scope):
        return receive
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_JSON_BYTES:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )  # any other kind is taken for a body that is no JSON
        return message

    return counted


def _patient(receive: Receive) -> Receive:
    """A body that stops coming ends the request: its client may be gone without a word, and hold what it has here."""
    coming = True

    async def within_time() -> Message:
        nonlocal coming
        if not coming:
            return await receive()
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
        coming = message.get("more_body", False)
        return message

    return within_time
