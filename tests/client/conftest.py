"""A backend with a user, and what a client of it needs."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

from momentarium_cli.client.api import Api
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.config import Server, Settings
from momentarium_cli.photos.decode import Decoder
from tests.servers import Account, ApiServer


@dataclass(frozen=True)
class Library:
    """A user's library on a live server; jobs are done while `working` lasts."""

    server: ApiServer
    account: Account
    settings: Settings

    def open(self) -> Momentarium:
        return Momentarium(self.settings)

    @property
    def objects(self) -> Path:
        return self.server.data_dir / "objects"

    def originals(self) -> list[Path]:
        return sorted(path for path in (self.objects / "originals").rglob("*") if path.is_file())

    @contextmanager
    def working(self) -> Iterator[None]:
        stop = Event()
        thread = Thread(target=self.server.worker.work, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)


@pytest.fixture
def library(api_server: ApiServer, tmp_path: Path) -> Iterator[Library]:
    with api_server.account() as account:
        server = Server(url=api_server.url, token=account.token)
        yield Library(api_server, account, Settings(data_dir=tmp_path / "client", server=server))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def api(library: Library) -> Iterator[Api]:
    transport = Transport(FixedServer(library.server.url, library.account.token))
    yield Api(transport)
    transport.close()


@pytest.fixture
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    opened = Journal(tmp_path_factory.mktemp("journal") / "journal.sqlite3")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder(2) as pool:
        yield pool


@pytest.fixture
def unused_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
