"""`momentarium serve`: the API and the worker, in one process or each for itself, and the PostgreSQL they need.

One server serves a data folder: it holds the folder's lock and says in run/server.json where it listens. One that a
client started for itself ends when no client is left and nothing is to be done.
"""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from momentarium_cli.backend import secrets
from momentarium_cli.backend.api.app import create_app
from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.wiring import Backend, open_backend, open_database
from momentarium_cli.config import Settings
from momentarium_cli.errors import MomentariumError, SettingsError
from momentarium_cli.rendezvous import Process, ServerFile, server_clients, server_lock

if TYPE_CHECKING:
    from momentarium_cli.backend.worker import Worker

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
LOCAL_USER = "local@localhost"
_LOOK_SECONDS = 1.0
_BACKLOG = 256


def work(settings: Settings, *, ready: Callable[[], None]) -> None:
    """Run jobs until a signal comes. `ready` is called once it takes them."""
    _check_shared(settings)
    stop = Event()
    with (
        _stopped_by_signals(stop),
        open_database(settings) as opened,
        open_backend(settings, opened.database) as backend,
    ):
        ready()
        backend.worker().work(stop)


def serve(settings: Settings, *, worker: bool = True, until_idle: bool, ready: Callable[[str], None]) -> None:
    """Serve until a signal comes, or, with `until_idle`, until nobody needs it any more.

    Without `worker` it is the API alone. `ready` is called with the address once requests are answered. LockHeld:
    another server has this data folder.
    """
    if not worker:
        _check_shared(settings)
    stop = Event()
    with ExitStack() as stack:
        stack.enter_context(_interruptible())
        if worker:
            stack.enter_context(server_lock(settings.data_dir).acquire(what="momentarium serve"))
        opened = stack.enter_context(open_database(settings))
        listener = stack.enter_context(_listen(settings, until_idle=until_idle))
        backend = stack.enter_context(open_backend(settings, opened.database))
        if opened.embedded is not None:
            backend.services.jobs.take_over()
        server = _http_server(backend)
        if worker:
            stack.enter_context(_background("worker", _worker(backend.worker(), stop), stop))
        if opened.embedded is not None:
            stack.enter_context(_background("postgres", _keep_up(opened.embedded, stop), stop))
            stack.enter_context(_announced(settings, backend, opened.database, _address(listener)))
        if until_idle:
            idle = _end_when_idle(settings, backend.services.jobs, server, stop)
            stack.enter_context(_background("idle", idle, stop))
        stack.callback(stop.set)
        ready(settings.server.public_url or _address(listener))
        server.run(sockets=[listener])


def _check_shared(settings: Settings) -> None:
    if settings.database.url is None:
        raise SettingsError(
            "--role is for a database that several servers share.",
            hint="Set database.url, or leave --role out: then one server does all.",
        )


@contextmanager
def _stopped_by_signals(stop: Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C set `stop`; a second one ends at once."""

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM unwinds what was begun as Ctrl-C does, also while the HTTP server does not listen to signals."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """Ends on a signal as for any other reason: uvicorn would raise it again, before we have cleaned up behind us."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        self.force_exit = self.should_exit
        self.should_exit = True


def _http_server(backend: Backend) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(backend.services),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
    )
    return _Server(config)


@contextmanager
def _listen(settings: Settings, *, until_idle: bool) -> Iterator[socket.socket]:
    host, port = ("127.0.0.1", 0) if until_idle else (settings.server.host, settings.server.port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SettingsError(
                f"Cannot listen on {host}:{port}: {reason}", hint="Set server.port or server.host."
            ) from error
        listener.listen(_BACKLOG)
        yield listener


def _address(listener: socket.socket) -> str:
    """Where this machine reaches it, also where it listens on all addresses."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _background(name: str, work: Callable[[], None], stop: Event) -> Iterator[None]:
    """Run `work` in a thread until the block ends."""
    thread = Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=15)


def _worker(worker: "Worker", stop: Event) -> Callable[[], None]:
    return lambda: worker.work(stop)


@contextmanager
def _announced(settings: Settings, backend: Backend, database: Database, url: str) -> Iterator[None]:
    """Let this machine's clients find the server: run/server.json, with the local user's token."""
    token = secrets.load(settings.data_dir).local_token
    with database.administration() as conn:
        user_id = users.add(conn, LOCAL_USER)
        if user_id is None:
            user_id = _known_id(users.by_email(conn, LOCAL_USER))
        users.add_token(conn, user_id, "this machine", token, ("read", "upload", "edit"))
    files = backend.services.files
    me = Process.current()
    ServerFile(**asdict(me), url=url, token=token, incoming=str(files.incoming) if files else None).write(
        settings.data_dir
    )
    try:
        yield
    finally:
        ServerFile.path(settings.data_dir).unlink(missing_ok=True)


def _known_id(user: dict[str, int] | None) -> int:
    assert user is not None  # noqa: S101 -- its address was taken a moment ago
    return user["id"]


def _keep_up(postgres: EmbeddedPostgres, stop: Event) -> Callable[[], None]:
    """Start PostgreSQL again whenever it dies."""

    def watch() -> None:
        while not stop.wait(_LOOK_SECONDS):
            try:
                if not postgres.running:
                    log.warning("PostgreSQL is gone, starting it again")
                    postgres.start()
            except (MomentariumError, OSError) as error:
                log.warning("PostgreSQL could not be started: %s", error)

    return watch


def _end_when_idle(settings: Settings, jobs: Jobs, server: uvicorn.Server, stop: Event) -> Callable[[], None]:
    clients = server_clients(settings.data_dir)

    def busy() -> bool:
        try:
            return bool(clients.others()) or jobs.open_count() > 0
        except MomentariumError:
            return True  # what cannot be asked just now is not known to be idle

    def watch() -> None:
        last_busy = time.monotonic()
        while not stop.wait(_LOOK_SECONDS):
            if busy():
                last_busy = time.monotonic()
            elif time.monotonic() - last_busy > IDLE_SECONDS:
                log.info("no client left, ending")
                server.should_exit = True
                return

    return watch


def ignore_terminal() -> None:
    """A server that a client started outlives the client's terminal."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
