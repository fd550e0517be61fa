"""Checks of what Momentarium needs, each ending in a finding."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.binaries import find_binaries
from momentarium_cli.backend.storage.base import thumb_key
from momentarium_cli.backend.wiring import open_database, open_storage
from momentarium_cli.config import Settings
from momentarium_cli.errors import InsufficientStorage, MomentariumError, SettingsError
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.decode import DecodeFailed, Decoder
from momentarium_cli.rendezvous import write_private

_LOW_BYTES = 1 << 30
_PROBE_USER = 2**63 - 1  # no user has this id


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    ok: bool
    text: str
    exit_code: int = 0


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check; one that fails does not keep the next from running. A client of another's server needs less."""
    client: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("data folder", _data_folder),
        ("decoding", _decoding),
    )
    server: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("PostgreSQL", _binaries),
        ("database", _database),
        ("store", _store),
    )
    for name, check in client if settings.server.url else client + server:
        try:
            yield Finding(name, True, check(settings))
        except MomentariumError as error:
            yield Finding(name, False, str(error), error.exit_code)
        except OSError as error:
            yield Finding(name, False, f"{error}.", SettingsError.exit_code)


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


def _store(settings: Settings) -> str:
    store = open_storage(settings)
    probe = b"probe"
    key = thumb_key(_PROBE_USER, sha256_bytes(probe))
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
