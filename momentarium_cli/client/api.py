"""The backend's API as calls with typed values."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from momentarium_cli.client.transport import PATIENCE_SECONDS, Answer, Transport
from momentarium_cli.errors import BadRequest
from momentarium_cli.models import (
    Album,
    AlbumLevel,
    AlbumNode,
    AlbumPage,
    AlbumTree,
    CompleteUpload,
    Gallery,
    GenerateUrls,
    JobAccepted,
    Jobs,
    JobStatus,
    Me,
    Photo,
    Process,
    ProcessImage,
    Regroup,
    UploadFile,
    UploadSlot,
    UploadSlots,
    Value,
)

V = TypeVar("V", bound=Value)

HELLO_PATIENCE_SECONDS = 3.0
AWAY_SECONDS = 300.0  # a server that restarts, or is away for minutes, ends no upload


class Api:
    """Every method raises the error that the server raised; see momentarium_cli.errors."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def me(self) -> Me:
        """Who we are to the server; the first call of a run, so it does not wait long for one that is not there."""
        answer = self.transport.call("GET", "/api/me", patience=HELLO_PATIENCE_SECONDS)
        return _parsed(Me, answer)

    def generate_urls(
        self, files: Sequence[UploadFile], import_id: UUID, region: str | None = None
    ) -> list[UploadSlot]:
        """A slot for each file, in order; `region` is the nearest of a store that has several."""
        request = GenerateUrls(files=list(files), import_id=import_id, region=region)
        answer = self.transport.call("POST", "/api/uploads/generate-urls", body=_dump(request), patience=AWAY_SECONDS)
        return _parsed(UploadSlots, answer).files

    def complete_upload(self, storage_key: str) -> None:
        """Make one of the parts that were sent. NotAsDescribed: some are missing, or are not as they were signed."""
        request = CompleteUpload(storage_key=storage_key)
        self.transport.call("POST", "/api/uploads/complete", body=_dump(request), patience=AWAY_SECONDS)

    def process(self, images: Sequence[ProcessImage], import_id: UUID, key: UUID) -> JobAccepted:
        """Have stored photos organized; the same again with the same key is the same job."""
        request = Process(import_id=import_id, images=list(images))
        headers = {"Idempotency-Key": str(key)}
        answer = self.transport.call(
            "POST", "/api/galleries/process", body=_dump(request), headers=headers, patience=AWAY_SECONDS
        )
        return _parsed(JobAccepted, answer)

    def job(self, job_id: UUID | str, *, patience: float = PATIENCE_SECONDS) -> tuple[JobStatus, float]:
        """How a job is doing, and in how many seconds to ask again."""
        answer = self.transport.call("GET", f"/api/jobs/{job_id}/status", patience=patience)
        return _parsed(JobStatus, answer), float(answer.headers.get("Retry-After", "3"))

    def jobs(self, import_id: UUID | str | None = None, *, albums: bool = True) -> list[JobStatus]:
        """The jobs of an import, or the latest ones; newest first. Those of a large import are told sooner without the
        `albums` that they made."""
        params = {**({"import_id": str(import_id)} if import_id else {}), **({} if albums else {"albums": "false"})}
        return _parsed(Jobs, self.transport.call("GET", "/api/jobs", params=params)).jobs

    def retry(self, job_id: UUID | str) -> JobStatus:
        return _status(self.transport.call("POST", f"/api/jobs/{job_id}/retry"))

    def cancel(self, job_id: UUID | str) -> JobStatus:
        return _status(self.transport.call("POST", f"/api/jobs/{job_id}/cancel"))

    def albums(self) -> Iterator[Album]:
        """All albums, newest first."""
        cursor: str | None = None
        while True:
            params = {"limit": 200, **({"cursor": cursor} if cursor else {})}
            page = _parsed(Gallery, self.transport.call("GET", "/api/galleries/me", params=params))
            yield from map(self._reachable_album, page.albums)
            cursor = page.next_cursor
            if cursor is None:
                return

    def tree(self) -> Iterator[AlbumNode]:
        """Trips with their albums, and albums that are in none; newest first."""
        cursor: str | None = None
        while True:
            params = {"limit": 200, **({"cursor": cursor} if cursor else {})}
            page = _parsed(AlbumTree, self.transport.call("GET", "/api/albums/tree", params=params))
            yield from page.nodes
            cursor = page.next_cursor
            if cursor is None:
                return

    def level(self) -> AlbumLevel:
        """The level of the tree that the albums are at."""
        return _parsed(AlbumTree, self.transport.call("GET", "/api/albums/tree", params={"limit": 1})).level

    def regroup(self, level: AlbumLevel, key: UUID) -> JobAccepted:
        """Have all albums made anew at a level; the same again with the same key is the same job."""
        headers = {"Idempotency-Key": str(key)}
        body = _dump(Regroup(level=level))
        return _parsed(JobAccepted, self.transport.call("POST", "/api/albums/regroup", body=body, headers=headers))

    def album(self, album_id: int) -> tuple[Album, Iterator[Photo]]:
        """An album, and its photos in their order."""
        first = self._album_page(album_id, None)
        return self._reachable_album(first.album), self._photos(album_id, first)

    def delete_image(self, image_id: int, *, for_good: bool) -> None:
        """Into the bin, or for good."""
        self.transport.call("DELETE", f"/api/images/{image_id}", params={"for_good": for_good})

    def _photos(self, album_id: int, page: AlbumPage) -> Iterator[Photo]:
        yield from map(self._reachable_photo, page.photos)
        while page.next_cursor is not None:
            page = self._album_page(album_id, page.next_cursor)
            yield from map(self._reachable_photo, page.photos)

    def _reachable_album(self, album: Album) -> Album:
        cover = self.transport.absolute(album.cover_url) if album.cover_url else None
        return album.model_copy(update={"cover_url": cover})

    def _reachable_photo(self, photo: Photo) -> Photo:
        urls = {name: getattr(photo, name) for name in ("original_url", "preview_url", "thumb_url")}
        return photo.model_copy(update={name: url and self.transport.absolute(url) for name, url in urls.items()})

    def _album_page(self, album_id: int, cursor: str | None) -> AlbumPage:
        params = {"limit": 500, **({"cursor": cursor} if cursor else {})}
        return _parsed(AlbumPage, self.transport.call("GET", f"/api/albums/{album_id}", params=params))


def _status(answer: Answer) -> JobStatus:
    return _parsed(JobStatus, answer)


def _parsed(cls: type[V], answer: Answer) -> V:
    """BadRequest where the answer is JSON, but not of the shape that this version knows."""
    try:
        return cls.model_validate(answer.json())
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRequest(
            f"What server.url answers is not understood ({'.'.join(map(str, first['loc']))}: {first['msg']}).",
            hint="Check the address, and that server and client are of the same version.",
        ) from error


def _dump(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True)
