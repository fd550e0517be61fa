"""Issue upload targets for files, and tell those that are here already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from momentarium_cli.backend.db import uploads as rows
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.db.uploads import Known
from momentarium_cli.backend.parts import Parts
from momentarium_cli.backend.storage.base import Storage, original_key, preview_key
from momentarium_cli.errors import BadRequest, InsufficientStorage, Temporary
from momentarium_cli.models import (
    FileParts,
    SignedPart,
    SignedRequest,
    UploadFile,
    UploadSlot,
    UploadSlots,
    UploadStatus,
)
from momentarium_cli.photos.formats import BY_CONTENT_TYPE

_RESERVE_BYTES = 64 << 20  # what a disk keeps free: the database on it must be able to go on
_NEW = Known()


@dataclass(slots=True)
class _Wanted:
    """A file that is to be uploaded. `parts_stored` are the sizes of the parts that are there, by number, where an
    earlier upload goes on."""

    file: UploadFile
    known: Known
    key: str
    preview_key: str | None
    region: str | None
    parts_stored: Mapping[int, int] | None = None


class Uploads:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._parts = Parts(database, storage)

    def issue(
        self, user_id: int, files: Sequence[UploadFile], import_id: UUID | None, region: str | None = None
    ) -> UploadSlots:
        """A slot for each file, in order; InsufficientStorage before the first byte if they cannot all fit. `region` is
        the nearest to the client."""
        _check_types(files)
        with self._database.transaction(user_id) as conn:
            known = rows.known(conn, [file.sha256 for file in files])
        wanted = self._wanted(user_id, files, known, region)
        stored = self._stored(wanted.values())
        for item in wanted.values():
            self._look_at_parts(item, stored)
        self._check_space(wanted.values(), stored)
        if wanted:
            with self._database.transaction(user_id) as conn:
                rows.issue(conn, [_row(item) for item in wanted.values()], import_id)
                _refuse_while_deleting(conn, [item.key for item in wanted.values()])
        slots = {sha256: self._slot(user_id, item, stored) for sha256, item in wanted.items()}
        return UploadSlots(
            files=[slots.get(file.sha256) or _known_slot(user_id, file, known[file.sha256]) for file in files]
        )

    def complete(self, user_id: int, storage_key: str) -> None:
        """All parts of an original were sent. The same again is no error; NotAsDescribed: some are missing."""
        self._parts.complete(user_id, storage_key)

    def free_bytes(self) -> int | None:
        free = self._storage.free_bytes()
        return None if free is None else max(0, free - _RESERVE_BYTES)

    @property
    def where(self) -> str:
        return self._storage.where

    @property
    def regions(self) -> Mapping[str, str]:
        return self._storage.regions

    def _wanted(
        self, user_id: int, files: Sequence[UploadFile], known: Mapping[str, Known], region: str | None
    ) -> dict[str, _Wanted]:
        """Those that are no photos yet, by checksum."""
        return {
            file.sha256: _Wanted(
                file,
                before,
                original_key(user_id, file.sha256),
                preview_key(user_id, file.preview.sha256) if file.preview else None,
                self._region(before.region, region),
            )
            for file in files
            if (before := known.get(file.sha256, _NEW)).image_id is None
        }

    def _region(self, before: str | None, wanted: str | None) -> str | None:
        """Where it was sent before, as long as it can be sent there: parts and previews may lie there."""
        return before if before and self._storage.region_for(before) == before else self._storage.region_for(wanted)

    def _stored(self, wanted: Iterable[_Wanted]) -> set[str]:
        """Keys that hold their bytes already: only where one was issued before can something lie under it."""
        return self._storage.seen_at(
            {
                key: item.region
                for item in wanted
                if item.known.issued
                for key in (item.key, item.preview_key)
                if key is not None
            }
        )

    def _look_at_parts(self, item: _Wanted, stored: set[str]) -> None:
        if item.file.parts is not None and item.key not in stored:
            item.parts_stored = self._parts.stored(item.key, item.region, item.known.parts, item.file.parts)

    def _check_space(self, wanted: Iterable[_Wanted], stored: set[str]) -> None:
        free = self.free_bytes()
        needed = sum(_needed(item, stored) for item in wanted)
        if free is not None and needed > free:
            raise InsufficientStorage(
                f"{self._storage.where} has {free / 1e6:,.0f} MB left to fill, and {needed / 1e6:,.0f} MB are to come.",
                hint="Free some space there, or set data_dir or storage.url to a larger disk.",
            )

    def _slot(self, user_id: int, item: _Wanted, stored: set[str]) -> UploadSlot:
        file, here = item.file, item.key in stored
        return UploadSlot(
            storage_key=item.key,
            status=UploadStatus.UPLOAD,
            original=None if here or file.parts else self._target(item, item.key, file.content_type, file.size_bytes),
            parts=self._missing_parts(user_id, item, file.parts) if file.parts and not here else None,
            preview=self._target(item, item.preview_key, "image/jpeg", file.preview.size_bytes)
            if file.preview and item.preview_key and item.preview_key not in stored
            else None,
        )

    def _missing_parts(self, user_id: int, item: _Wanted, cut: FileParts) -> list[SignedPart]:
        begun, there = item.known.parts, item.parts_stored
        if begun is None or there is None:
            begun, there = self._parts.begin(user_id, item.key, item.region, begun, item.file, cut), {}
        return self._parts.missing(item.key, item.region, item.file, begun, there)

    def _target(self, item: _Wanted, key: str, content_type: str, size: int) -> SignedRequest:
        return self._storage.at(item.region).upload_target(key, content_type=content_type, size=size)


def _refuse_while_deleting(conn: Connection, keys: Sequence[str]) -> None:
    if rows.being_deleted(conn, keys):
        raise Temporary("Some of these photos are being deleted just now.", code="being_deleted", retry_after=2)


def _needed(item: _Wanted, stored: set[str]) -> int:
    """Bytes that this file takes in the store; parts lie beside what is made of them for a while."""
    file = item.file
    preview = file.preview.size_bytes if file.preview else 0
    if file.reflinked or item.key in stored:
        return preview
    parts = file.size_bytes - sum((item.parts_stored or {}).values()) if file.parts else 0
    return file.size_bytes + parts + preview


def _check_types(files: Sequence[UploadFile]) -> None:
    for file in files:
        if file.content_type not in BY_CONTENT_TYPE:
            raise BadRequest(f"{file.content_type} is not a type of photo that is stored.", code="unsupported_type")


def _known_slot(user_id: int, file: UploadFile, known: Known) -> UploadSlot:
    status = UploadStatus.IN_BIN if known.in_bin else UploadStatus.DUPLICATE
    return UploadSlot(storage_key=original_key(user_id, file.sha256), status=status, image_id=known.image_id)


def _row(item: _Wanted) -> dict[str, object]:
    return {
        "storage_key": item.key,
        "sha256": item.file.sha256,
        "size_bytes": item.file.size_bytes,
        "content_type": item.file.content_type,
        "preview_key": item.preview_key,
        "region": item.region,
    }
