"""The application for a platform that starts it by its name. It is opened by whatever is asked of it first."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import Lock

from starlette.types import ASGIApp, Receive, Scope, Send

from momentarium_cli.errors import MomentariumError

__all__ = ["ASGIApp", "Application"]

log = logging.getLogger(__name__)


class Application:
    """ASGI. `opened` gives the application for as long as its block lasts; some platforms never tell it to end."""

    def __init__(self, opened: Callable[[], AbstractContextManager[ASGIApp]]) -> None:
        self._opened = opened
        self._stack = ExitStack()
        self._opening = Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await (await asyncio.to_thread(self._open))(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "lifespan.startup":
            try:
                await asyncio.to_thread(self._open)
            except MomentariumError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        assert message["type"] == "lifespan.shutdown"  # noqa: S101 -- there is no third
        await asyncio.to_thread(self._close)
        await send({"type": "lifespan.shutdown.complete"})

    def _open(self) -> ASGIApp:
        with self._opening:
            if self._app is None:
                self._app = self._stack.enter_context(self._opened())
            return self._app

    def _close(self) -> None:
        with self._opening:
            self._app = None
            self._stack.close()
