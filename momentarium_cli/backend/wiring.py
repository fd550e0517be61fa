"""The composition root: from settings to a database, a store, a queue, an organizer, and what is built on them.

Adapters are opened here and nowhere else.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from momentarium_cli.backend import secrets
from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.galleries import Galleries
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.uploads import Uploads
from momentarium_cli.backend.worker import Worker
from momentarium_cli.config import Settings
from momentarium_cli.errors import SettingsError
from momentarium_cli.photos.decode import Decoder

_WORKER_NICENESS = 10  # photos that arrive go first


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """`embedded` is there where the database is our own."""

    database: Database
    embedded: EmbeddedPostgres | None


@dataclass(frozen=True, slots=True)
class Backend:
    services: Services
    worker: Worker


@contextmanager
def open_database(settings: Settings) -> Iterator[OpenDatabase]:
    """The database that the settings name, or our own, started or attached to; at this version's schema."""
    with ExitStack() as stack:
        embedded, conninfo, direct = None, settings.database.url, settings.database.direct_url
        if conninfo is None:
            embedded = EmbeddedPostgres(settings.data_dir, secrets.load(settings.data_dir).database_password)
            stack.callback(embedded.stop)
            conninfo = embedded.start()
        migrate(direct or conninfo)
        database = Database(conninfo, direct_conninfo=direct)
        stack.callback(database.close)
        yield OpenDatabase(database, embedded)


@contextmanager
def open_backend(settings: Settings, database: Database) -> Iterator[Backend]:
    """Everything that serves and works."""
    signer = Signer(settings.server.secret_key or secrets.load(settings.data_dir).signing_key)
    storage = LocalStorage(storage_root(settings), settings.server.public_url or "", signer)
    queue = PostgresQueue(database.direct_conninfo)
    jobs = Jobs(database, storage, queue)
    arrivals = Arrivals()
    with Decoder(nice=_WORKER_NICENESS) as decoder:
        worker = Worker(
            jobs, queue, Previews(database, storage, decoder, arrivals), Albums(database, jobs, LocalOrganizer())
        )
        services = Services(
            database=database,
            uploads=Uploads(database, storage),
            jobs=jobs,
            galleries=Galleries(database, storage, signer),
            arrivals=arrivals,
            files=storage,
        )
        yield Backend(services, worker)


def storage_root(settings: Settings) -> Path:
    """The folder of the local store."""
    if settings.storage.url is None:
        return settings.data_dir / "objects"
    parts = urlsplit(settings.storage.url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SettingsError(
            f"storage.url {settings.storage.url!r} cannot be used.", hint="Use file:///folder, or leave it out."
        )
    return Path(unquote(parts.path))
