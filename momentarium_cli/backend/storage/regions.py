"""A store of several regions, each of which gets a copy of every object, sooner or later: the buckets replicate.

preferred    the region that comes first: the one that an object was uploaded to, or the first of the settings
passed over  a region that raised StorageUnavailable comes last, for a while and until it answers again

An object is read from the first region that has it. It is missing only if no region has it and all could be asked: what
is missing gets deleted, or uploaded again. It is written to one region, and deleted in all. An upload in parts lies in
the region where it was begun, and nowhere else.
"""

import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from math import inf
from threading import Event, Lock, Thread
from typing import Any, BinaryIO, TypeVar

from momentarium_cli.backend.storage.base import ObjectInfo, Part, Storage, original_key
from momentarium_cli.backend.storage.cdn import Cdn
from momentarium_cli.errors import MomentariumError, NotFound, StorageUnavailable
from momentarium_cli.models import SignedRequest

T = TypeVar("T")
log = logging.getLogger(__name__)

_PASSED_OVER_SECONDS = 30.0
_HEARD_SECONDS = 10.0  # so long an answer shows that a region is within reach
_LOOK_SECONDS = 1.0  # so long a caller waits for one
_NOBODYS_KEY = original_key(1, "0" * 64)
_BUFFER_BYTES = 1 << 20


class RegionalStorage(Storage):
    """The same objects in each of `stores`, by region, best first.

    `addresses` are what clients measure, by region. Downloads go through `cdn` where there is one: it has regions, and
    a health, of its own.
    """

    def __init__(
        self,
        stores: Mapping[str, Storage],
        addresses: Mapping[str, str],
        *,
        cdn: Cdn | None = None,
        passed_over_seconds: float = _PASSED_OVER_SECONDS,
    ) -> None:
        self._addresses, self._cdn = addresses, cdn
        self._best_first = [_Region(name, store, passed_over_seconds) for name, store in stores.items()]
        self._regions = self._best_first

    @property
    def where(self) -> str:
        return ", ".join(f"{region.store.where} ({region.name})" for region in self._best_first)

    # --- several places ----------------------------------------------------------------------------------------

    @property
    def regions(self) -> Mapping[str, str]:
        return self._addresses

    def region_for(self, wanted: str | None) -> str | None:
        return self.at(wanted)._within_reach().name

    def at(self, region: str | None) -> "RegionalStorage":
        """One that is not known, or no longer, is no preference."""
        view = copy(self)
        view._regions = sorted(self._best_first, key=lambda each: each.name != region)
        return view

    def _within_reach(self) -> "_Region":
        """The first for what clients do: of how that goes we hear nothing."""
        return next((region for region in self._regions if region.is_within_reach()), self._regions[0])

    def _in_turn(self) -> "list[_Region]":
        return sorted(self._regions, key=lambda region: region.is_passed_over)

    # --- signed requests ---------------------------------------------------------------------------------------

    def upload_target(self, key: str, *, content_type: str, size: int) -> SignedRequest:
        return self._within_reach().store.upload_target(key, content_type=content_type, size=size)

    def download_url(self, key: str, *, content_type: str, filename: str | None = None) -> str:
        """In the first region that is within reach. Whether it has the object is not asked: a page shows hundreds."""
        if self._cdn is not None:
            return self._cdn.url(key, content_type=content_type, filename=filename)
        return self._within_reach().store.download_url(key, content_type=content_type, filename=filename)

    # --- objects -----------------------------------------------------------------------------------------------

    def head(self, key: str) -> ObjectInfo | None:
        return self._first(lambda region: region.store.head(key))

    def heads(self, keys: Iterable[str]) -> dict[str, ObjectInfo]:
        found = dict[str, ObjectInfo]()
        self._heads(keys, found)
        return found

    def seen_at(self, regions: Mapping[str, str | None]) -> set[str]:
        """Without those that are passed over: an upload goes on, and waits for none of them."""
        found = dict[str, ObjectInfo]()
        for name in set(regions.values()):
            view = self.at(name)
            view._regions = [region for region in view._regions if not region.is_passed_over]
            with suppress(StorageUnavailable):
                view._heads((key for key in regions if regions[key] == name), found)
        return set(found)

    def _heads(self, keys: Iterable[str], found: dict[str, ObjectInfo]) -> None:
        """Also where StorageUnavailable is raised, what could be found is in `found`."""
        distinct = set(keys)

        def all_found(region: _Region) -> bool | None:
            found.update(region.store.heads(distinct - found.keys()))
            return distinct <= found.keys() or None

        self._first(all_found)

    def open(self, key: str) -> BinaryIO:
        """Where it breaks off later, that region is passed over when it is opened again."""
        found = self._first(lambda region: _opened(region, key))
        if found is None:
            raise NotFound(f"There is no object {key}.")
        return found

    def _first(self, ask: "Callable[[_Region], T | None]") -> T | None:
        """The first answer; None if all have none, StorageUnavailable if the others have none."""
        unavailable = None
        for region in self._in_turn():
            try:
                with region.asked():
                    answer = ask(region)
            except StorageUnavailable as error:
                unavailable = unavailable or error
            else:
                if answer is not None:
                    return answer
        if unavailable is not None:
            raise unavailable
        return None

    def write(self, key: str, file: BinaryIO, *, size: int, content_type: str) -> None:
        with self._in_turn()[0].asked() as store:
            store.write(key, file, size=size, content_type=content_type)

    def delete(self, keys: Iterable[str]) -> None:
        """In all at once: who may delete may only do so for a moment. Where a region is out of reach, in the others."""
        same = list(keys)
        with ThreadPoolExecutor(len(self._regions), thread_name_prefix="delete") as threads:
            deleting = [threads.submit(_delete, region, same) for region in self._regions]
        for future in deleting:
            future.result()

    def list(self, prefix: str) -> Iterator[str]:
        told = set[str]()
        for region in self._regions:
            with region.asked() as store:
                for key in store.list(prefix):
                    if key not in told:
                        told.add(key)
                        yield key

    # --- large objects, in parts -------------------------------------------------------------------------------

    def begin_parts(self, key: str, *, content_type: str) -> str:
        with self._regions[0].asked() as store:
            return store.begin_parts(key, content_type=content_type)

    def part_target(self, key: str, upload_id: str, part: Part) -> SignedRequest:
        return self._regions[0].store.part_target(key, upload_id, part)

    def stored_parts(self, key: str, upload_id: str) -> dict[int, int]:
        with self._regions[0].asked() as store:
            return store.stored_parts(key, upload_id)

    def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part], *, content_type: str) -> None:
        with self._regions[0].asked() as store:
            store.complete_parts(key, upload_id, parts, content_type=content_type)

    def abort_parts(self, key: str, upload_id: str) -> None:
        with self._regions[0].asked() as store:
            store.abort_parts(key, upload_id)


class _Region:
    """One region, and what is known of its health. Thread-safe."""

    def __init__(self, name: str, store: Storage, passed_over_seconds: float) -> None:
        self.name, self.store = name, store
        self._passed_over_seconds = passed_over_seconds
        self._lock = Lock()
        self._answered_at = -inf
        self._failed_at: float | None = None
        self._look: _Look | None = None

    @property
    def is_passed_over(self) -> bool:
        return self._failed_at is not None

    @contextmanager
    def asked(self) -> Iterator[Storage]:
        """What comes of it is remembered."""
        try:
            yield self.store
        except StorageUnavailable as error:
            self._failed(error)
            raise
        except NotFound:
            self._answered()
            raise
        self._answered()

    def is_within_reach(self) -> bool:
        """Whether it is not passed over. Where nothing was heard for a while, it is asked first."""
        look = self._looked()
        if look is not None and not self.is_passed_over:
            look.wait()
        return not self.is_passed_over

    def _answered(self) -> None:
        with self._lock:
            self._answered_at = time.monotonic()
            back = self._failed_at is not None and self._answered_at - self._failed_at >= self._passed_over_seconds
            if back:
                self._failed_at = None
        if back:
            log.info("the region %s of the store answers again", self.name)

    def _failed(self, error: StorageUnavailable) -> None:
        with self._lock:
            new = self._failed_at is None
            self._failed_at = time.monotonic()
        if new:
            log.warning("the region %s of the store is passed over: %s", self.name, error)

    def _looked(self) -> "_Look | None":
        """A look that is under way, where one is due."""
        with self._lock:
            if self._look is None and self._is_due():
                self._look = _Look(time.monotonic(), Event())
                Thread(target=self._ask, args=(self._look.done,), name=f"look-{self.name}", daemon=True).start()
            return self._look

    def _is_due(self) -> bool:
        if self._failed_at is not None:
            return time.monotonic() - self._failed_at >= self._passed_over_seconds
        return time.monotonic() - self._answered_at >= _HEARD_SECONDS

    def _ask(self, done: Event) -> None:
        with suppress(MomentariumError), self.asked():  # what it says is logged there
            self.store.head(_NOBODYS_KEY)
        with self._lock:
            self._look = None
        done.set()


@dataclass(frozen=True, slots=True)
class _Look:
    began: float
    done: Event

    def wait(self) -> None:
        """A look that takes long has held up one caller, not each."""
        self.done.wait(max(0.0, self.began + _LOOK_SECONDS - time.monotonic()))


def _delete(region: _Region, keys: Sequence[str]) -> None:
    with region.asked() as store:
        store.delete(keys)


def _opened(region: _Region, key: str) -> BinaryIO | None:
    try:
        return io.BufferedReader(_Reading(region, region.store.open(key)), _BUFFER_BYTES)
    except NotFound:
        return None


class _Reading(io.RawIOBase):
    """An object as it comes in, from a region whose health it tells."""

    def __init__(self, region: _Region, file: BinaryIO) -> None:
        self._region, self._file = region, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._region.asked():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
