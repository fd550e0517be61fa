"""The composition root: from settings to a database, a store, a queue, an organizer, and what is built on them.

Adapters are opened here and nowhere else.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from momentarium_cli import logs
from momentarium_cli.backend import secrets
from momentarium_cli.backend.api.asgi import Application, ASGIApp
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.deliveries import Deliveries
from momentarium_cli.backend.galleries import Galleries
from momentarium_cli.backend.housekeeping import Housekeeping
from momentarium_cli.backend.images import Images
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.once import Once
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.base import Storage
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.uploads import Uploads
from momentarium_cli.backend.webhook import FAILED_PATH, MAINTENANCE_PATH, PROCESS_PATH, Proofs
from momentarium_cli.config import Organizer as OrganizerSettings
from momentarium_cli.config import Settings, StorageSettings, load
from momentarium_cli.errors import NotFound, SettingsError

if TYPE_CHECKING:
    from momentarium_cli.backend.db.embedded import EmbeddedPostgres
    from momentarium_cli.backend.organize.asking import Connect
    from momentarium_cli.backend.organize.base import Organizer, Organizers, Photo, Watch
    from momentarium_cli.backend.organize.tasks import Policy
    from momentarium_cli.backend.queues.qstash import QStashOptions
    from momentarium_cli.backend.storage.cdn import Cdn
    from momentarium_cli.backend.storage.regions import RegionalStorage
    from momentarium_cli.backend.storage.s3 import S3Storage
    from momentarium_cli.backend.storage.s3_client import S3Options
    from momentarium_cli.backend.worker import Worker
    from momentarium_cli.photos.decode import Decoder

_OF_ONE = "storage.url looks like s3://bucket."
_OF_SEVERAL = "storage.buckets looks like eu-central-1=photos-eu,us-east-1=photos-us."
_REGION_IN_URL = "{region}"
_ANSWER_SECONDS = 60.0  # for one answer of a model; a request that takes longer hangs
_FLEX_SECONDS = 600.0
_OWN_SECONDS = 600.0  # a model on a machine of one's own may be slow
_WORKER_NICENESS = 10  # photos that arrive go first


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """`embedded` is there where the database is our own."""

    database: Database
    embedded: "EmbeddedPostgres | None"


@dataclass(frozen=True, slots=True)
class Backend:
    """`worker` makes it when it is first asked for: what only answers requests starts without an organizer."""

    services: Services
    worker: "Callable[[], Worker]"


@contextmanager
def open_database(settings: Settings) -> Iterator[OpenDatabase]:
    """The database that the settings name, or our own, started or attached to; at this version's schema."""
    with ExitStack() as stack:
        embedded, conninfo, direct = None, settings.database.url, settings.database.direct_url
        if conninfo is None:
            from momentarium_cli.backend.db.embedded import EmbeddedPostgres

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
    _check_organizer(settings.organizer)
    signer = _signer(settings)
    storage = open_storage(settings)
    arrivals = Arrivals()
    housekeeping = Housekeeping(database, storage)
    images = Images(database, housekeeping)
    with ExitStack() as stack:
        queue = stack.enter_context(_open_queue(settings, database))
        jobs = Jobs(database, storage, queue)
        of_worker = stack.enter_context(ExitStack())  # it is ended after the deliveries, which use it
        worker = Once(lambda: _worker(settings, services, storage, queue, housekeeping, of_worker))
        deliveries = stack.enter_context(Deliveries(jobs, worker, housekeeping).open())
        services = Services(
            database=database,
            uploads=Uploads(database, storage),
            jobs=jobs,
            galleries=Galleries(database, storage, signer),
            images=images,
            arrivals=arrivals,
            deliveries=deliveries,
            proofs=queue_proofs(settings),
            files=storage if isinstance(storage, LocalStorage) else None,
            organizer=settings.organizer.backend,
        )
        yield Backend(services, worker)


def _worker(
    settings: Settings,
    services: Services,
    storage: Storage,
    queue: Queue,
    housekeeping: Housekeeping,
    stack: ExitStack,
) -> "Worker":
    """`stack` ends what it opens. Decoders and organizers are slow to import."""
    from momentarium_cli.backend.albums import Albums
    from momentarium_cli.backend.previews import Previews
    from momentarium_cli.backend.verifying import Verifying
    from momentarium_cli.backend.worker import Worker
    from momentarium_cli.photos.decode import Decoder

    decoder = stack.enter_context(Decoder(nice=_WORKER_NICENESS))
    database = services.database
    return Worker(
        services.jobs,
        queue,
        Verifying(database, storage, services.jobs, services.images),
        Previews(database, storage, decoder, services.arrivals),
        Albums(database, services.jobs, organizers(settings.organizer, database, storage, decoder)),
        housekeeping,
    )


def organizers(settings: OrganizerSettings, database: Database, storage: Storage, decoder: "Decoder") -> "Organizers":
    """Who makes the albums. A model is asked only where the settings name its vendor: a key alone is no yes."""
    from momentarium_cli.backend.organize.local import LocalOrganizer

    if settings.backend == "local":
        return lambda *_: LocalOrganizer(settings.language)
    from momentarium_cli.backend.answers import Answers
    from momentarium_cli.backend.organize.ai import AIOrganizer
    from momentarium_cli.backend.organize.sheets import Sheets

    connect, policy = model(settings)
    sheets = Sheets(decoder, partial(_thumbnail, storage))

    def of(user_id: int, watch: "Watch") -> "Organizer":
        memory = Answers(database, user_id, settings.max_cost)
        local = LocalOrganizer(settings.language)
        return AIOrganizer(settings.backend, local, connect, sheets, memory, policy, watch)

    return of


def model(settings: OrganizerSettings) -> "tuple[Connect, Policy]":
    """The way to the model that the settings name, and how it is asked."""
    return _own_model(settings) if settings.backend == "openai" else _gemini(settings)


def _check_organizer(settings: OrganizerSettings) -> None:
    """What is missing is told now, and not by the first job."""
    if settings.backend == "openai":
        from momentarium_cli.backend.organize.openai import check_installed

        check_installed()


def _own_model(settings: OrganizerSettings) -> "tuple[Connect, Policy]":
    from momentarium_cli.backend.addresses import is_inside
    from momentarium_cli.backend.organize.openai import OpenAI
    from momentarium_cli.backend.organize.questions import Sharing
    from momentarium_cli.backend.organize.tasks import Policy

    host = urlsplit(settings.openai_base_url or "").hostname
    own = host is not None and is_inside(host)
    policy = Policy(
        models=(settings.openai_model or "",),
        language=settings.language,
        sharing=Sharing(settings.share_places, settings.share_folder_names),
        free=own,
        at_once=2,  # a machine of one's own has one model in its memory, and that a small context
        sheets_a_request=1,
        closer_sheets=2,
        deadline=_OWN_SECONDS,
        silence=3 * _OWN_SECONDS,
    )
    return partial(OpenAI, settings.openai_api_key, base_url=settings.openai_base_url, own=own), policy


def _gemini(settings: OrganizerSettings) -> "tuple[Connect, Policy]":
    from momentarium_cli.backend.organize.gemini import Gemini
    from momentarium_cli.backend.organize.questions import Sharing
    from momentarium_cli.backend.organize.tasks import Policy

    policy = Policy(
        models=_models(settings),
        language=settings.language,
        sharing=Sharing(settings.share_places, settings.share_folder_names),
        flex=settings.flex,
        deadline=_ANSWER_SECONDS,
        flex_deadline=_FLEX_SECONDS,
        silence=3 * (_FLEX_SECONDS if settings.flex else _ANSWER_SECONDS),
    )
    return partial(Gemini, settings.api_key or ""), policy


def _models(settings: OrganizerSettings) -> tuple[str, ...]:
    """Each once, in the order in which they are asked."""
    names = (settings.model, *settings.fallback_models.split(","))
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _thumbnail(storage: Storage, photo: "Photo") -> bytes | None:
    if photo.thumb_key is None:
        return None
    try:
        with storage.at(photo.region).open(photo.thumb_key) as file:
            return file.read()
    except NotFound:
        return None


@contextmanager
def _open_queue(settings: Settings, database: Database) -> Iterator[Queue]:
    if settings.queue.backend != "qstash":
        from momentarium_cli.backend.queues.postgres import PostgresQueue

        yield PostgresQueue(database.direct_conninfo)
        return
    from momentarium_cli.backend.queues.qstash import QStashQueue

    queue = QStashQueue(qstash_options(settings))
    try:
        yield queue
    finally:
        queue.close()


def queue_proofs(settings: Settings) -> Proofs | None:
    """How a queue that calls this server proves itself; none where no queue does."""
    queue = settings.queue
    if queue.backend != "qstash":
        return None
    return Proofs(
        settings.server.public_url or "",
        (queue.api_secret, queue.previous_api_secret),
        (queue.qstash_current_signing_key, queue.qstash_next_signing_key),
    )


def qstash_options(settings: Settings) -> "QStashOptions":
    """SettingsError: something is missing."""
    from momentarium_cli.backend.queues.qstash import QStashOptions

    queue, proofs = settings.queue, queue_proofs(settings)
    if not queue.qstash_token or not queue.api_secret or proofs is None:
        raise SettingsError("queue.qstash_token and queue.api_secret must be set.", hint="Upstash's console shows it.")
    return QStashOptions(
        url=queue.qstash_url,
        token=queue.qstash_token,
        process_url=proofs.destination(PROCESS_PATH),
        failed_url=proofs.destination(FAILED_PATH),
        maintenance_url=proofs.destination(MAINTENANCE_PATH),
        api_secret=queue.api_secret,
        parallelism=queue.qstash_parallelism,
        rate=queue.qstash_rate,
    )


def open_storage(settings: Settings) -> "LocalStorage | S3Storage | RegionalStorage":
    """The store that the settings name."""
    buckets = s3_buckets(settings.storage)
    if not buckets:
        return LocalStorage(storage_root(settings), settings.server.public_url or "", _signer(settings))
    from momentarium_cli.backend.storage.s3 import S3Storage  # boto3 is slow to import

    cdn = _cdn(settings.storage)
    if settings.storage.buckets is None:
        return S3Storage.connect(buckets[0], cdn=cdn)
    from momentarium_cli.backend.storage.regions import RegionalStorage

    regions = zip(settings.storage.buckets, buckets, strict=True)
    stores = {region: S3Storage.connect(options) for region, options in regions}
    addresses = {region: store.client.presigner.base_url for region, store in stores.items()}
    return RegionalStorage(stores, addresses, cdn=cdn)


def s3_buckets(storage: StorageSettings) -> "tuple[S3Options, ...]":
    """The buckets that originals lie in, best first; none for a folder."""
    if storage.buckets is not None:
        found = tuple(_s3_options(storage, bucket, region, _OF_SEVERAL) for region, bucket in storage.buckets.items())
        _refuse_every_region(found)
        return found
    url = storage.url or ""
    if url.startswith("s3://"):
        return (_s3_options(storage, url.removeprefix("s3://"), storage.region, _OF_ONE),)
    return ()


def _s3_options(storage: StorageSettings, name: str, region: str | None, hint: str) -> "S3Options":
    from momentarium_cli.backend.storage.s3_client import S3Options

    bucket, _, prefix = name.strip("/").partition("/")
    if bucket.startswith("arn:"):
        bucket, prefix = f"{bucket}/{prefix}".rstrip("/"), ""
    if not bucket or not re.fullmatch(r"[A-Za-z0-9._/-]*", prefix):
        raise SettingsError(f"The bucket {name!r} cannot be used.", hint=hint)
    return S3Options(
        bucket=bucket,
        prefix=f"{prefix}/" if prefix else "",
        endpoint_url=_endpoint(storage.endpoint_url, region),
        region=region,
        addressing_style=storage.addressing_style,
    )


def _endpoint(url: str | None, region: str | None) -> str | None:
    if url is None or _REGION_IN_URL not in url:
        return url
    if region is None:
        raise SettingsError(
            f"storage.endpoint_url has {_REGION_IN_URL} in it, and there is no region.", hint="Set storage.region."
        )
    return url.replace(_REGION_IN_URL, region)


def _refuse_every_region(buckets: "Iterable[S3Options]") -> None:
    for options in buckets:
        if options.every_region:
            raise SettingsError(
                f"{options.bucket} is a Multi-Region Access Point, which chooses among its regions itself.",
                hint="Set storage.url to it, or list the buckets behind it in storage.buckets.",
            )


def _cdn(storage: StorageSettings) -> "Cdn | None":
    if storage.cdn_url is None:
        return None
    from momentarium_cli.backend.storage.cdn import Cdn

    key_file = Path(storage.cdn_private_key_file).expanduser() if storage.cdn_private_key_file else None
    return Cdn.load(storage.cdn_url, storage.cdn_key_id, key_file, policy=storage.cdn_policy, hash=storage.cdn_hash)


def _signer(settings: Settings) -> Signer:
    return Signer(settings.server.secret_key or secrets.load(settings.data_dir).signing_key)


def storage_root(settings: Settings) -> Path:
    """The folder of the local store."""
    if settings.storage.url is None:
        return settings.data_dir / "objects"
    parts = urlsplit(settings.storage.url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SettingsError(
            f"storage.url {settings.storage.url!r} cannot be used.",
            hint="Use file:///folder or s3://bucket, or leave it out.",
        )
    return Path(unquote(parts.path))


@contextmanager
def _application() -> Iterator[ASGIApp]:
    """The API of settings that leave nothing on this machine."""
    from momentarium_cli.backend.api.app import create_app

    logs.setup_stderr()
    settings = load()
    _check_stateless(settings)
    with open_database(settings) as opened, open_backend(settings, opened.database) as backend:
        yield create_app(backend.services)


def _check_stateless(settings: Settings) -> None:
    needed = {
        "database.url": settings.database.url,
        "storage.url (s3://) or storage.buckets": s3_buckets(settings.storage),
        "server.secret_key": settings.server.secret_key,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SettingsError(f"Not set: {', '.join(missing)}.", hint="A platform that keeps no files needs them.")


asgi = Application(_application)
