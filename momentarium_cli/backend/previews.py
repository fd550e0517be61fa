"""Look at every preview of a job: check it, remake it from the original where it is missing or wrong, and derive from
it what galleries and organizers use (thumbnail, thumbhash, perceptual hash). Decoding happens in limited children."""

import errno
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db import images
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.examine import Examined, examine_preview
from momentarium_cli.backend.lease import Lease
from momentarium_cli.backend.storage.base import Storage, preview_key, thumb_key
from momentarium_cli.errors import NotFound, Temporary
from momentarium_cli.photos.decode import DecodeFailed, Decoder, DecoderUnavailable
from momentarium_cli.photos.formats import BY_CONTENT_TYPE
from momentarium_cli.photos.preview import CannotDecode

log = logging.getLogger(__name__)

_STAGE = "previews"
_AT_ONCE = 32
_FIRST_SECONDS = 1.0  # what so many take, before it is known
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Row = dict[str, Any]


class Previews:
    def __init__(self, database: Database, storage: Storage, decoder: Decoder, arrivals: Arrivals) -> None:
        self._database = database
        self._storage = storage
        self._decoder = decoder
        self._arrivals = arrivals

    def examine(self, job: Job, lease: Lease) -> None:
        """Leave every photo of the job with its thumbnail, or with the reason why it has none."""
        with self._database.transaction(job.user_id) as conn:
            waiting = images.without_thumb(conn, job.image_keys)
        total = len(job.image_keys)
        done = total - len(waiting)
        lease.progress(_STAGE, done, total)
        took = _FIRST_SECONDS
        for rows in _chunks(waiting, _AT_ONCE):
            self._arrivals.wait_for_quiet(lease.stop, worked=took)
            lease.check()
            began = time.monotonic()
            results = self._examine(job.user_id, rows)
            lease.check()  # what came of a decoder that is being stopped says nothing about the photos
            with self._database.transaction(job.user_id) as conn:
                images.derived(conn, [result for result in results if "reason" not in result])
                images.undecodable(conn, [result for result in results if "reason" in result])
            took = time.monotonic() - began
            done += len(rows)
            lease.progress(_STAGE, done, total)

    def _examine(self, user_id: int, rows: Sequence[Row]) -> list[Row]:
        """The store is asked for many at once; originals, which are large, are fetched one after another."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="previews") as threads:
            looked_at = list(zip(rows, threads.map(self._look_at, rows), strict=True))
            examined = [(row, *self._made_sure(user_id, row, found)) for row, found in looked_at]
            return list(threads.map(lambda item: self._kept(user_id, *item), examined))

    def _look_at(self, row: Row) -> Examined:
        data = self._read(row)
        return _result(self._decoder.submit(examine_preview, data)) if data else Examined(reason="missing")

    def _read(self, row: Row) -> bytes | None:
        if row["preview_key"] is None:
            return None
        try:
            with self._storage.at(row["region"]).open(row["preview_key"]) as file:
                return file.read()
        except NotFound:
            return None

    def _made_sure(self, user_id: int, row: Row, examined: Examined) -> "tuple[Examined, str | None]":
        return (examined, row["preview_key"]) if examined.derived is not None else self._remade(user_id, row)

    def _kept(self, user_id: int, row: Row, examined: Examined, key: str | None) -> Row:
        """The thumbnail is stored; what is to be written of it."""
        if examined.derived is None or key is None:
            return {"id": row["id"], "reason": examined.reason or "it could not be decoded"}
        thumb = thumb_key(user_id, examined.derived.thumb_sha256)
        self._storage.at(row["region"]).put(thumb, examined.derived.thumb, content_type="image/jpeg")
        return {
            "id": row["id"],
            "preview_key": key,
            "thumb_key": thumb,
            "thumbhash": examined.derived.thumbhash,
            "phash": examined.derived.phash,
            "quality": examined.derived.quality,
            "look": examined.derived.look,
        }

    def _remade(self, user_id: int, row: Row) -> "tuple[Examined, str | None]":
        """A new preview, from the original."""
        try:
            with _as_file(self._storage.at(row["region"]), row["storage_key"], row["content_type"]) as path:
                preview = self._decoder.remake(path, row["content_type"]).result()
        except DecoderUnavailable as error:
            raise Temporary(f"No preview can be made: {error}.") from error
        except (CannotDecode, DecodeFailed) as error:
            return Examined(reason=str(error)), None
        except NotFound:
            return Examined(reason="its original is not in the store"), None
        key = preview_key(user_id, preview.sha256)
        self._storage.at(row["region"]).put(key, preview.data, content_type="image/jpeg")
        return _result(self._decoder.submit(examine_preview, preview.data)), key


def _result(future: "Future[Examined]") -> Examined:
    try:
        return future.result()
    except (DecoderUnavailable, OSError) as error:  # which says nothing about the photo
        raise Temporary(f"No preview can be looked at: {error}.") from error
    except DecodeFailed as error:
        return Examined(reason=str(error))


def _chunks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@contextmanager
def _as_file(storage: Storage, key: str, content_type: str) -> Iterator[Path]:
    """An object as a file, which the decoder's children can open; NotFound, also in the block, if there is none."""
    path = storage.path(key)
    if path is None:
        with _local_copy(storage, key, content_type) as copy:
            yield copy
        return
    try:
        yield path
    except FileNotFoundError as error:
        raise NotFound(f"There is no object {key}.") from error


@contextmanager
def _local_copy(storage: Storage, key: str, content_type: str) -> Iterator[Path]:
    """It goes when the block ends. CannotDecode if there is no room for it."""
    with tempfile.TemporaryDirectory(prefix="momentarium-") as folder:
        path = Path(folder) / f"original{BY_CONTENT_TYPE[content_type].extensions[0]}"
        try:
            with storage.open(key) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            log.warning("%s cannot be looked at: %s: %s", key, folder, error.strerror)
            raise CannotDecode("it is too large for the server's temporary folder") from error
        yield path
