"""Live servers for tests: on a free port of 127.0.0.1, in a thread, stopped at the end."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx
import uvicorn
from starlette.types import ASGIApp

from momentarium_cli.backend import secrets
from momentarium_cli.backend.api.app import create_app
from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.wiring import open_backend
from momentarium_cli.backend.worker import Worker
from momentarium_cli.config import Settings


@dataclass(frozen=True)
class Account:
    """A user of a server, and a client that speaks for them."""

    user_id: int
    token: str
    http: httpx.Client


@dataclass(frozen=True)
class ApiServer:
    url: str
    services: Services
    worker: Worker
    data_dir: Path

    @property
    def database(self) -> Database:
        return self.services.database

    @contextmanager
    def account(
        self, email: str = "ann@example.com", scopes: Sequence[str] = ("read", "upload", "edit")
    ) -> Iterator[Account]:
        """A new user with a token."""
        token = secrets.new_token()
        with self.database.administration() as conn:
            user_id = users.add(conn, email)
            assert user_id is not None
            users.add_token(conn, user_id, "test", token, scopes)
        with self.http(token) as http:
            yield Account(user_id, token, http)

    def http(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False)


@contextmanager
def serving(
    data_dir: Path, database: Database, settings: Callable[[str], Settings] | None = None
) -> Iterator[ApiServer]:
    """A backend of its own behind a live server; `settings` are made of its address."""
    with listening() as (listener, url):
        chosen = settings(url) if settings else Settings(data_dir=data_dir)
        with _serving(listener, url, chosen, database) as server:
            yield server


@contextmanager
def _serving(listener: socket.socket, url: str, settings: Settings, database: Database) -> Iterator[ApiServer]:
    with open_backend(settings, database) as backend:
        app = create_app(backend.services)
        with answering(app, listener):
            yield ApiServer(url, backend.services, backend.worker(), settings.data_dir)


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A socket on a free port, and its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def answering(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """An application that answers on this socket."""
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        yield
    finally:
        server.should_exit = True
        thread.join(20)
