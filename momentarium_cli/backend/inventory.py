"""Compare the store with the database: objects that no row knows, and rows whose object is not there.

Both are in use meanwhile, so what looks wrong is looked at again before it is told.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from momentarium_cli.backend.db import housekeeping as rows
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.storage.base import Storage

KINDS = ("originals", "previews", "thumbs")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object that no row knows."""

    kind: str
    storage_key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Missing:
    """What a row says is stored, and is not. Originals have a size, those of photos a filename."""

    kind: str
    storage_key: str
    size_bytes: int | None
    filename: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A kind is done: how many objects there were, and how many the rows say there must be."""

    kind: str
    objects: int
    expected: int


class Inventory:
    """Holds the keys of one kind in memory, about 200 MB for a million."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def check(self) -> Iterator[Orphan | Missing | Compared]:
        for kind in KINDS:
            yield from self._check(kind)

    def _check(self, kind: str) -> Iterator[Orphan | Missing | Compared]:
        with self._database.administration() as conn:
            unseen = set(rows.expected_keys(conn, f"{kind}/"))
        expected, objects = len(unseen), 0
        for keys in _batches(self._storage.list(f"{kind}/")):
            objects += len(keys)
            strangers = [key for key in keys if key not in unseen]
            unseen.difference_update(keys)
            yield from self._orphans(kind, strangers)
        for keys in _batches(unseen):
            yield from self._missing(kind, keys)
        yield Compared(kind, objects, expected)

    def _orphans(self, kind: str, keys: list[str]) -> Iterator[Orphan]:
        with self._database.administration() as conn:
            known = rows.known(conn, keys)
        for key, info in self._storage.heads(key for key in keys if key not in known).items():
            yield Orphan(kind, key, info.size)

    def _missing(self, kind: str, keys: list[str]) -> Iterator[Missing]:
        there = self._storage.heads(keys)
        with self._database.administration() as conn:
            expected = rows.expected(conn, f"{kind}/", [key for key in keys if key not in there])
        for item in expected:
            yield Missing(kind, item.key, item.size_bytes, item.filename)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
