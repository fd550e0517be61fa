"""Originals that come in parts: which of them are there, requests for those that are not, and one object in the end."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from momentarium_cli.backend.db import uploads as rows
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.db.uploads import InParts, Issued
from momentarium_cli.backend.storage.base import Part, Storage, checksum_of
from momentarium_cli.errors import NotAsDescribed, NotFound, StorageUnavailable, Temporary
from momentarium_cli.models import FileParts, SignedPart, UploadFile

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5  # a large object takes its time, above all where it is a file that is copied together


class Parts:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._joining: set[str] = set()
        self._lock = Lock()

    def stored(self, key: str, region: str | None, known: InParts | None, cut: FileParts) -> Mapping[int, int] | None:
        """The sizes of those parts of this very cut that are there, by number; None if it has to begin."""
        if known is None or (known.part_bytes, known.sha256s) != (cut.part_bytes, cut.sha256s):
            return None
        try:
            return self._storage.at(region).stored_parts(key, known.upload_id)
        except NotFound:
            return None

    def begin(
        self, user_id: int, key: str, region: str | None, known: InParts | None, file: UploadFile, cut: FileParts
    ) -> InParts:
        """Begin anew. Two clients that begin the same at once share what the first of them began."""
        store = self._storage.at(region)
        begun = InParts(store.begin_parts(key, content_type=file.content_type), cut.part_bytes, cut.sha256s)
        with self._database.transaction(user_id) as conn:
            taken = rows.set_parts(conn, key, known, begun)
        self._abort(store, key, known if taken else begun)
        if not taken:
            raise Temporary("This file is being uploaded by somebody else just now.", code="begun", retry_after=1)
        return begun

    def missing(
        self, key: str, region: str | None, file: UploadFile, begun: InParts, stored: Mapping[int, int]
    ) -> list[SignedPart]:
        """A request for each part that is not there."""
        store = self._storage.at(region)
        return [
            SignedPart(number=part.number, request=store.part_target(key, begun.upload_id, part))
            for part in _parts(begun, file.size_bytes)
            if stored.get(part.number) != part.size
        ]

    def complete(self, user_id: int, key: str) -> None:
        """Make one object of the parts; the same again is no error. NotAsDescribed: some are missing, or different."""
        checksum_of(key)
        with self._database.transaction(user_id) as conn:
            upload = rows.by_keys(conn, [key]).get(key)
        if upload is None:
            raise NotFound("This key was not issued.")
        if upload.parts is not None:
            with self._alone(key):
                self._join(upload, upload.parts)
            with self._database.transaction(user_id) as conn:
                rows.set_parts(conn, key, upload.parts, None)
        elif self._storage.at(upload.region).head(key) is None:
            raise NotAsDescribed("This file was not begun in parts.", hint="Upload the file again.")

    def _join(self, upload: Issued, parts: InParts) -> None:
        store, key = self._storage.at(upload.region), upload.storage_key
        try:
            store.complete_parts(
                key, parts.upload_id, _parts(parts, upload.size_bytes), content_type=upload.content_type
            )
        except NotFound as error:
            if store.head(key) is None:
                raise NotAsDescribed("The parts are no longer there.", hint="Upload the file again.") from error

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """A client that waited too long asks again, which must not be twice the work."""
        with self._lock:
            if key in self._joining:
                raise Temporary("The parts are being put together.", code="being_completed", retry_after=_BUSY_SECONDS)
            self._joining.add(key)
        try:
            yield
        finally:
            self._joining.discard(key)

    def _abort(self, store: Storage, key: str, parts: InParts | None) -> None:
        """What is left where this fails, the store's own rule for unfinished uploads clears."""
        if parts is None:
            return
        try:
            store.abort_parts(key, parts.upload_id)
        except StorageUnavailable as error:
            log.warning("an unfinished upload of %s stays: %s", key, error)


def _parts(begun: InParts, size: int) -> list[Part]:
    return [
        Part(number, min(begun.part_bytes, size - (number - 1) * begun.part_bytes), sha256)
        for number, sha256 in enumerate(begun.sha256s, 1)
    ]
