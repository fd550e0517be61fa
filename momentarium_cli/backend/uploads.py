"""Issue upload targets for files, and tell those that are here already."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from momentarium_cli.backend.db import uploads as rows
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.db.uploads import Known
from momentarium_cli.backend.storage.base import Storage, original_key, preview_key
from momentarium_cli.errors import BadRequest, InsufficientStorage, Temporary
from momentarium_cli.models import SignedRequest, UploadFile, UploadSlot, UploadSlots, UploadStatus
from momentarium_cli.photos.formats import BY_CONTENT_TYPE

_RESERVE_BYTES = 64 << 20  # what a disk keeps free: the database on it must be able to go on
_NEW = Known(image_id=None, in_bin=False, issued=False)


class Uploads:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def issue(self, user_id: int, files: Sequence[UploadFile], import_id: UUID | None) -> UploadSlots:
        """A slot for each file, in order; InsufficientStorage before the first byte if they cannot all fit."""
        _check_types(files)
        with self._database.transaction(user_id) as conn:
            known = rows.known(conn, [file.sha256 for file in files])
        wanted = [file for file in files if known.get(file.sha256, _NEW).image_id is None]
        stored = self._stored(user_id, wanted, known)
        self._check_space([file for file in wanted if original_key(user_id, file.sha256) not in stored])
        if wanted:
            with self._database.transaction(user_id) as conn:
                rows.issue(conn, list({f.sha256: _row(user_id, f) for f in wanted}.values()), import_id)
                _refuse_while_deleting(conn, [original_key(user_id, file.sha256) for file in wanted])
        return UploadSlots(files=[self._slot(user_id, file, known.get(file.sha256, _NEW), stored) for file in files])

    def free_bytes(self) -> int | None:
        free = self._storage.free_bytes()
        return None if free is None else max(0, free - _RESERVE_BYTES)

    @property
    def where(self) -> str:
        return self._storage.where

    def _stored(self, user_id: int, files: Sequence[UploadFile], known: Mapping[str, Known]) -> set[str]:
        """Keys that hold their bytes already: only where one was issued before can something lie under it."""
        keys = {
            key
            for file in files
            if known.get(file.sha256, _NEW).issued
            for key in (original_key(user_id, file.sha256), _preview_key(user_id, file))
            if key is not None
        }
        return set(self._storage.heads(keys))

    def _check_space(self, files: Sequence[UploadFile]) -> None:
        free = self.free_bytes()
        needed = sum(_needed(file) for file in files)
        if free is not None and needed > free:
            raise InsufficientStorage(
                f"{self._storage.where} has {free / 1e6:,.0f} MB left to fill, and {needed / 1e6:,.0f} MB are to come.",
                hint="Free some space there, or set data_dir or storage.url to a larger disk.",
            )

    def _slot(self, user_id: int, file: UploadFile, known: Known, stored: set[str]) -> UploadSlot:
        key = original_key(user_id, file.sha256)
        if known.image_id is not None:
            status = UploadStatus.IN_BIN if known.in_bin else UploadStatus.DUPLICATE
            return UploadSlot(storage_key=key, status=status, image_id=known.image_id)
        return UploadSlot(
            storage_key=key,
            status=UploadStatus.UPLOAD,
            original=self._target(key, file.content_type, file.size_bytes, stored),
            preview=self._target(_preview_key(user_id, file), "image/jpeg", file.preview.size_bytes, stored)
            if file.preview
            else None,
        )

    def _target(self, key: str | None, content_type: str, size: int, stored: set[str]) -> SignedRequest | None:
        if key is None or key in stored:
            return None
        return self._storage.upload_target(key, content_type=content_type, size=size)


def _refuse_while_deleting(conn: Connection, keys: Sequence[str]) -> None:
    if rows.being_deleted(conn, keys):
        raise Temporary("Some of these photos are being deleted just now.", code="being_deleted", retry_after=2)


def _needed(file: UploadFile) -> int:
    """Bytes that this file takes in the store."""
    return (0 if file.reflinked else file.size_bytes) + (file.preview.size_bytes if file.preview else 0)


def _check_types(files: Sequence[UploadFile]) -> None:
    for file in files:
        if file.content_type not in BY_CONTENT_TYPE:
            raise BadRequest(f"{file.content_type} is not a type of photo that is stored.", code="unsupported_type")


def _preview_key(user_id: int, file: UploadFile) -> str | None:
    return preview_key(user_id, file.preview.sha256) if file.preview else None


def _row(user_id: int, file: UploadFile) -> dict[str, object]:
    return {
        "storage_key": original_key(user_id, file.sha256),
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "content_type": file.content_type,
        "preview_key": _preview_key(user_id, file),
    }
