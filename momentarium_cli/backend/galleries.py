"""Read albums, with signed addresses for their photos."""

import base64
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from momentarium_cli.backend.db import albums, images, jobs
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.base import Storage
from momentarium_cli.errors import NotFound
from momentarium_cli.models import Album, AlbumKind, AlbumNode, AlbumPage, AlbumTree, Chapter, Gallery, Photo

Row = dict[str, Any]

_FIRST = ("infinity", 0)
_PHOTO_COLUMNS = set(Photo.model_fields) - {"original_url", "preview_url", "thumb_url", "thumbhash"}


class Galleries:
    def __init__(self, database: Database, storage: Storage, signer: Signer) -> None:
        self._database = database
        self._storage = storage
        self._signer = signer

    def version(self, user_id: int) -> int:
        """A number that changes whenever the user's albums do."""
        with self._database.transaction(user_id) as conn:
            return jobs.library_version(conn)

    def gallery(self, user_id: int, *, cursor: str | None = None, limit: int = 50) -> Gallery:
        """A page of albums, newest first."""
        before = tuple(self._signer.open("albums", cursor)) if cursor else _FIRST
        with self._database.transaction(user_id) as conn:
            found = albums.page(conn, before, limit + 1)
        shown = found[:limit]
        more = self._signer.seal("albums", _position(shown[-1])) if len(found) > limit else None
        return Gallery(user_id=user_id, albums=[self._album(row) for row in shown], next_cursor=more)

    def tree(self, user_id: int, *, cursor: str | None = None, limit: int = 50) -> AlbumTree:
        """A page of trips with their albums and of albums that are in none, newest first."""
        before = tuple(self._signer.open("tree", cursor)) if cursor else _FIRST
        with self._database.transaction(user_id) as conn:
            level = albums.level(conn)
            found = albums.roots(conn, before, limit + 1)
            shown = found[:limit]
            parts = albums.parts(conn, [row["id"] for row in shown if row["kind"] == AlbumKind.TRIP])
            chapters = albums.chapters(conn, [row["id"] for row in (*shown, *parts)])
        more = self._signer.seal("tree", _position(shown[-1])) if len(found) > limit else None
        return AlbumTree(level=level, nodes=_nodes(shown, parts, chapters), next_cursor=more)

    def album(self, user_id: int, album_id: int, *, cursor: str | None = None, limit: int = 200) -> AlbumPage:
        """An album and a page of its photos, in its order; those of a trip are its albums'."""
        after = self._signer.open("photos of albums", cursor) if cursor else (0, 0, 0)
        with self._database.transaction(user_id) as conn:
            row = albums.one(conn, album_id)
            if row is None:
                raise NotFound("There is no such album.")
            found = images.of_album(conn, album_id, after, limit + 1)
            parts = albums.parts(conn, [album_id]) if row["kind"] == AlbumKind.TRIP else []
            chapters = albums.chapters(conn, [part["id"] for part in parts])
        shown = found[:limit]
        last = tuple(shown[-1][name] for name in ("place", "display_order", "id")) if len(found) > limit else None
        [trip] = _nodes([row], parts, chapters)
        return AlbumPage(
            album=self._album(row).model_copy(update={"albums": trip.albums}),
            photos=[self._photo(photo) for photo in shown],
            next_cursor=self._signer.seal("photos of albums", last) if last else None,
        )

    def _album(self, row: Row) -> Album:
        return Album(
            id=row["id"],
            title=row["title"],
            theme_description=row["theme_description"],
            kind=AlbumKind(row["kind"]),
            place=row["place"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            photo_count=row["photo_count"],
            cover_url=self._shown(row["cover_key"], row["cover_region"]),
            organized_by=row["organized_by"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def _photo(self, row: Row) -> Photo:
        known = {name: row[name] for name in _PHOTO_COLUMNS}
        return Photo(
            **known,
            thumbhash=base64.b64encode(row["thumbhash"]).decode() if row["thumbhash"] else None,
            original_url=self._storage.at(row["region"]).download_url(
                row["storage_key"], content_type=row["content_type"], filename=row["original_filename"]
            ),
            preview_url=self._shown(row["preview_key"], row["region"]),
            thumb_url=self._shown(row["thumb_key"], row["region"]),
        )

    def _shown(self, key: str | None, region: str | None) -> str | None:
        return self._storage.at(region).download_url(key, content_type="image/jpeg") if key else None


def _nodes(roots: Sequence[Row], parts: Sequence[Row], chapters: Sequence[Row]) -> list[AlbumNode]:
    of_album, of_trip = defaultdict(list), defaultdict(list)
    for row in chapters:
        of_album[row["album_id"]].append(Chapter(**row))
    for row in parts:
        of_trip[row["parent_id"]].append(AlbumNode(**row, chapters=of_album[row["id"]]))
    return [AlbumNode(**row, albums=of_trip[row["id"]], chapters=of_album[row["id"]]) for row in roots]


def _position(row: Row) -> tuple[str, int]:
    starts_at: datetime | None = row["starts_at"]
    return (starts_at.isoformat() if starts_at else "-infinity", row["id"])
