"""Write albums as folders, originals byte for byte."""

import errno
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopEvent
from typing import ClassVar

from momentarium_cli.client.events import Event
from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.errors import (
    InsufficientStorage,
    MomentariumError,
    NotFound,
    ServerUnreachable,
    Stopped,
    UsageError,
)
from momentarium_cli.models import Album, Photo
from momentarium_cli.photos.checksum import sha256_file

_MAX_NAME_BYTES = 200  # file systems allow 255; a counter must still fit
_MAX_SUFFIX_BYTES = 20
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_WINDOWS_NAMES = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class AlbumBegun(Event):
    name: ClassVar[str] = "album"
    title: str
    folder: Path
    photos: int


@dataclass(frozen=True, slots=True)
class Written(Event):
    """A photo is there with its bytes proven; `new` if this run wrote it."""

    name: ClassVar[str] = "written"
    path: Path
    size_bytes: int
    new: bool


@dataclass(frozen=True, slots=True)
class NotWritten(Event):
    name: ClassVar[str] = "failed"
    path: Path
    error: str


def export(
    momentarium: Momentarium, destination: Path, *, album_ids: frozenset[int], stop: StopEvent
) -> Iterator[Event]:
    """AlbumBegun, Written and NotWritten; of all albums, or of those named.

    What is there is not written again, and nothing is overwritten. NotFound: an album that was named is not there.
    """
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "Name a folder you may write."
        raise UsageError(f"{destination} cannot be used: {error.strerror}.", hint=hint) from error
    folders, missing = _Names(), set(album_ids)
    for album in momentarium.gallery():
        folder = destination / folders.take(_safe(album.title), "")
        missing.discard(album.id)
        if not album_ids or album.id in album_ids:
            yield from _album(momentarium, album, folder, stop)
    if missing:
        raise NotFound(f"There is no album {', '.join(map(str, sorted(missing)))}.")


def _album(momentarium: Momentarium, album: Album, folder: Path, stop: StopEvent) -> Iterator[Event]:
    yield AlbumBegun(album.title, folder, album.photo_count)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise _translated(error, folder) from error
    names = _Names()
    _, photos = momentarium.album(album.id)
    for photo in photos:
        if stop.is_set():
            raise Stopped("Stopped; run the same command again to go on.")
        stem, suffix = os.path.splitext(_safe(photo.original_filename))  # noqa: PTH122 -- of a name, not of a path
        path = folder / names.take(stem, suffix)
        while path.exists() and not _holds(path, photo):  # what is not ours, or no longer, is left alone
            path = folder / names.take(stem, suffix)
        try:
            yield Written(path, photo.file_size_bytes, _write(momentarium, album, photo, path))
        except (InsufficientStorage, ServerUnreachable):
            raise  # the next photo would fare no better
        except MomentariumError as error:
            yield NotWritten(path, error.message)


def _write(momentarium: Momentarium, album: Album, photo: Photo, path: Path) -> bool:
    """Whether it had to be written."""
    if path.exists():
        return False
    url = photo.original_url
    for left in range(_TRIES - 1, -1, -1):
        try:
            _download(momentarium, url, photo, path)
        except MomentariumError:
            if not left:
                raise
            momentarium.api.transport.server.revive()
            url = _fresh_url(momentarium, album, photo)
        else:
            break
    _set_time(path, photo)
    return True


def _fresh_url(momentarium: Momentarium, album: Album, photo: Photo) -> str:
    """An address is good for an hour, and while the server stays where it is."""
    _, photos = momentarium.album(album.id)
    return next((again.original_url for again in photos if again.id == photo.id), photo.original_url)


def _holds(path: Path, photo: Photo) -> bool:
    try:
        return path.stat().st_size == photo.file_size_bytes and sha256_file(path) == photo.sha256
    except OSError:
        return False


def _download(momentarium: Momentarium, url: str, photo: Photo, path: Path) -> None:
    """Under a temporary name until its checksum is proven."""
    temporary = path.with_name(f".{photo.sha256[:16]}.part")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            for chunk in momentarium.download(url):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != photo.sha256:
            raise MomentariumError(f"{photo.original_filename} arrived damaged.", hint="Run the command again.")
        temporary.replace(path)
    except OSError as error:
        raise _translated(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def _translated(error: OSError, path: Path) -> MomentariumError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage(f"The disk that holds {path.parent} is full.", hint="Free some space there.")
    return UsageError(f"{path} cannot be written: {error.strerror}.")


def _set_time(path: Path, photo: Photo) -> None:
    """The file's time becomes the capture time, as far as the file system can tell it."""
    if photo.taken_at is not None:
        with suppress(OSError, OverflowError, ValueError):
            taken = photo.taken_at.timestamp()
            os.utime(path, (taken, taken))


class _Names:
    """Names in one folder; two photos of one name, also but for case, get a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, stem: str, suffix: str) -> str:
        name, number = stem + suffix, 1
        while unicodedata.normalize("NFC", name).casefold() in self._taken:
            number += 1
            name = f"{stem} ({number}){suffix}"
        self._taken.add(unicodedata.normalize("NFC", name).casefold())
        return name


def _safe(name: str) -> str:
    """A name that every file system takes, and that stays in its folder."""
    name = _FORBIDDEN.sub("_", name).strip(" ").rstrip(". ") or "_"
    if _WINDOWS_NAMES.match(name):
        name = "_" + name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 -- of a name, not of a path
    suffix = _cut(suffix, _MAX_SUFFIX_BYTES)
    return (_cut(stem, _MAX_NAME_BYTES - len(suffix.encode())) + suffix).rstrip(". ")


def _cut(text: str, size: int) -> str:
    """As much of the text as takes at most `size` bytes."""
    return text.encode()[:size].decode("utf-8", "ignore")
