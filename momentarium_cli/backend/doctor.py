"""Checks of what Momentarium needs, each ending in a finding."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.binaries import find_binaries
from momentarium_cli.backend.findings import PROBE_USER, Finding, found
from momentarium_cli.backend.storage.base import thumb_key
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.wiring import (
    model,
    open_database,
    open_storage,
    qstash_options,
    queue_proofs,
    s3_buckets,
)
from momentarium_cli.config import Settings
from momentarium_cli.errors import InsufficientStorage, MomentariumError, SettingsError
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.decode import DecodeFailed, Decoder
from momentarium_cli.rendezvous import write_private

if TYPE_CHECKING:
    from momentarium_cli.backend.storage.s3 import S3Storage

_LOW_BYTES = 1 << 30


def examine(settings: Settings, *, live: bool = False) -> Iterator[Finding]:
    """Run every check; one that fails does not keep the next from running. A client of another's server needs less.

    `live`: also have the queue deliver a real message, and the model look at a picture.
    """
    client: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("data folder", _data_folder),
        ("decoding", _decoding),
    )
    server: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("PostgreSQL", _binaries),
        ("database", _database),
    )
    for name, check in client if settings.server.url else client + server:
        yield found(name, partial(check, settings))
    if not settings.server.url:
        yield from _stores(settings)
    qstash = not settings.server.url and settings.queue.backend == "qstash"
    asks = not settings.server.url and settings.organizer.backend != "local"
    if qstash:
        yield from _qstash(settings, live=live)
    if asks:
        yield from _model(settings, live=live)
    if live and not (qstash or asks):
        yield Finding("live", True, "there is nothing to check live: only QStash and models have something")


def _data_folder(settings: Settings) -> str:
    probe = settings.data_dir / "run" / "probe"
    try:
        write_private(probe, "probe")
        probe.unlink()
    except OSError as error:
        hint = "Set data_dir to a folder you may write."
        raise SettingsError(f"{settings.data_dir}: {error.strerror}.", hint=hint) from error
    free = shutil.disk_usage(settings.data_dir).free
    if free < _LOW_BYTES:
        raise InsufficientStorage(f"{settings.data_dir} has only {free / 1e6:,.0f} MB left.", hint="Free some space.")
    return f"{settings.data_dir}, {free / 1e9:,.1f} GB free"


def _binaries(settings: Settings) -> str:
    return "not needed: database.url is set" if settings.database.url else str(find_binaries())


def _database(settings: Settings) -> str:
    with open_database(settings) as opened, opened.database.administration() as conn:
        version = conn.info.parameter_status("server_version")
        return f"PostgreSQL {version}, {len(users.list_all(conn))} users"


def _stores(settings: Settings) -> Iterator[Finding]:
    try:
        stores = _opened(settings)
    except MomentariumError as error:
        yield Finding.of_error("store", error)
        return
    for store in stores:
        if isinstance(store, LocalStorage):
            yield found("store", partial(_folder, store))
        else:
            yield from _bucket(store, settings, f" of {store.where}" if len(stores) > 1 else "")


def _bucket(store: "S3Storage", settings: Settings, of: str) -> Iterator[Finding]:
    from momentarium_cli.backend.s3_doctor import examine_bucket  # boto3 is slow to import

    for finding in examine_bucket(store, settings.server.public_url):
        yield replace(finding, check=finding.check + of)


def _qstash(settings: Settings, *, live: bool) -> Iterator[Finding]:
    from momentarium_cli.backend.qstash_doctor import examine_qstash  # httpx and the vendor's are slow to import

    try:
        options, proofs = qstash_options(settings), queue_proofs(settings)
    except MomentariumError as error:
        yield Finding.of_error("QStash", error)
        return
    if proofs is not None:
        yield from examine_qstash(options, proofs, settings.queue, live=live)


def _model(settings: Settings, *, live: bool) -> Iterator[Finding]:
    from momentarium_cli.backend.ai_doctor import examine_model

    connect, policy = model(settings.organizer)
    yield from examine_model(settings.organizer, connect, policy, live=live)


def _opened(settings: Settings) -> "Sequence[LocalStorage | S3Storage]":
    """The folder, or each bucket, that originals lie in."""
    store = open_storage(settings)
    if isinstance(store, LocalStorage):
        return [store]
    from momentarium_cli.backend.storage.s3 import S3Storage

    if isinstance(store, S3Storage):
        return [store]
    return [S3Storage.connect(options) for options in s3_buckets(settings.storage)]


def _folder(store: LocalStorage) -> str:
    probe = b"probe"
    key = thumb_key(PROBE_USER, sha256_bytes(probe))
    store.put(key, probe, content_type="image/jpeg")
    with store.open(key) as file:
        same = file.read() == probe
    store.delete([key])
    if not same:
        raise SettingsError(f"{store.where} does not give back what was stored.", hint="Check it.")
    return f"{store.where}: stored, read and deleted a probe"


def _decoding(_: Settings) -> str:
    from PIL import Image

    picture = BytesIO()
    Image.new("RGB", (64, 48), "navy").save(picture, "JPEG")
    try:
        with Decoder(1) as decoder:
            derived = decoder.derive(picture.getvalue()).result()
    except DecodeFailed as error:
        raise SettingsError(f"A child process could not decode a picture: {error}.") from error
    return f"a child process decoded a picture of {derived.width} × {derived.height}"
