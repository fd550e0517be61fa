"""The SDK: what the command does, for programs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event as StopEvent
from typing import Self
from uuid import UUID

from uuid6 import uuid7

from momentarium_cli import config
from momentarium_cli.client import poll
from momentarium_cli.client.api import Api
from momentarium_cli.client.embedded import EmbeddedServer
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.send import Staging
from momentarium_cli.client.transport import FixedServer, Server, Transport
from momentarium_cli.config import Settings
from momentarium_cli.errors import LockHeld, NotAllowed, Stopped, UsageError
from momentarium_cli.models import Album, AlbumLevel, AlbumNode, JobAccepted, JobStatus, Me, Photo, ProcessImage
from momentarium_cli.rendezvous import Lock

_LOOK_SECONDS = 0.2


class Momentarium:
    """A library of photos on a server, or on this machine where no server is set.

    Use it in a with-block:

        with Momentarium() as momentarium:
            summary = momentarium.upload(["~/Photos"])
            for album in momentarium.gallery():
                print(album.title, album.photo_count)

    Without `settings` they are read as the command reads them: environment, file, default. Errors are those of
    momentarium_cli.errors.
    """

    def __init__(
        self, settings: Settings | None = None, *, serve_options: Sequence[str] = (), stop: StopEvent | None = None
    ) -> None:
        self.settings = settings or config.load()
        self.stop = stop or StopEvent()
        self._serve_options = serve_options
        self._stack = ExitStack()
        self._staging: Staging | None = None
        self.api: Api

    def __enter__(self) -> Self:
        try:
            transport = Transport(self._server(), self.stop)
        except BaseException:
            self._stack.close()
            raise
        self._stack.callback(transport.close)
        self.api = Api(transport)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _server(self) -> Server:
        if self.settings.server.url is None:
            embedded = self._stack.enter_context(EmbeddedServer(self.settings.data_dir, self._serve_options))
            self._staging = Staging(embedded.incoming) if embedded.incoming else None
            return embedded
        if not self.settings.server.url.startswith(("http://", "https://")):
            url = self.settings.server.url
            raise UsageError(f"server.url {url!r} is not an address.", hint="It begins with https:// or http://.")
        if self.settings.server.token is None:
            raise NotAllowed("There is no token for the server.", hint="Run `momentarium login`.")
        return FixedServer(self.settings.server.url, self.settings.server.token)

    # --- photos ------------------------------------------------------------------------------------------------

    def events(
        self, paths: Sequence[str | Path], *, options: Options | None = None, lock_wait: bool = False
    ) -> Iterator[Event]:
        """Import photos, telling what happens; the last event is the Summary. Close the iterator to stop early.

        LockHeld: another import into this library is running here, and `lock_wait` is not set.
        """
        run = self.open_import(paths, options=options, lock_wait=lock_wait)
        with run as import_:
            yield from import_.events()

    def open_import(
        self, paths: Sequence[str | Path], *, options: Options | None = None, lock_wait: bool = False
    ) -> "OpenImport":
        """An import in a with-block, for whoever wants its summary even after an error."""
        return OpenImport(self, [Path(path).expanduser() for path in paths], options or Options(), lock_wait=lock_wait)

    def upload(self, paths: Sequence[str | Path]) -> Summary:
        """Upload every photo under `paths`; jobs that organize them begin, and are not waited for."""
        *_, last = self.events(paths, options=Options(wait=False))
        assert isinstance(last, Summary)  # noqa: S101 -- it is always the last
        return last

    def process(self, images: Sequence[ProcessImage], *, import_id: UUID, key: UUID) -> JobAccepted:
        """Have photos organized that are in the store already; `key` makes the same call again the same job."""
        return self.api.process(images, import_id, key)

    def wait(self, job_ids: Sequence[str | UUID], *, timeout: float | None = None) -> list[JobStatus]:
        """The jobs' ends, once all have ended; JobFailed after `timeout` seconds."""
        ends = {}
        for progress in poll.follow(self.api, [str(job_id) for job_id in job_ids], self.stop, timeout=timeout):
            ends[str(progress.job.id)] = progress.job
        return list(ends.values())

    # --- albums ------------------------------------------------------------------------------------------------

    def me(self) -> Me:
        """Whose library this is, and how much is in it."""
        return self.api.me()

    def gallery(self) -> Iterator[Album]:
        """All albums, newest first."""
        return self.api.albums()

    def tree(self) -> Iterator[AlbumNode]:
        """Trips with their albums, and albums that are in none, each with its chapters; newest first."""
        return self.api.tree()

    def regroup(self, level: AlbumLevel) -> JobAccepted:
        """Have all albums made anew at a level of the tree; those that their owner touched stay."""
        return self.api.regroup(level, uuid7())

    def album(self, album_id: int) -> tuple[Album, Iterator[Photo]]:
        """An album, and its photos in their order."""
        return self.api.album(album_id)

    def delete(self, photo_id: int, *, for_good: bool = False) -> None:
        """Put a photo into the bin, or delete it with its bytes. This machine's journal does not upload it again."""
        self.api.delete_image(photo_id, for_good=for_good)

    def download(self, url: str) -> Iterator[bytes]:
        """The bytes of a photo's `original_url`, `preview_url` or `thumb_url`."""
        return self.api.transport.stream(url)

    # --- inside ------------------------------------------------------------------------------------------------

    @property
    def staging(self) -> Staging | None:
        return self._staging


class OpenImport:
    """An import that holds its library's lock and journal while the block lasts."""

    def __init__(self, momentarium: Momentarium, paths: Sequence[Path], options: Options, *, lock_wait: bool) -> None:
        self._momentarium, self._paths, self._options = momentarium, paths, options
        self._lock_wait = lock_wait
        self._stack = ExitStack()

    def __enter__(self) -> Import:
        with ExitStack() as stack:
            me = self._momentarium.me()
            base = self._momentarium.settings.data_dir / "journals" / str(me.library_id)
            what = "momentarium upload " + " ".join(str(path) for path in self._paths)
            lock = Lock(base.with_suffix(".lock"))
            stack.enter_context(self._acquired(lock, what))
            journal = Journal(base.with_suffix(".sqlite3"))
            stack.callback(journal.close)
            self._stack = stack.pop_all()
        return Import(
            self._momentarium.api,
            me,
            journal,
            self._paths,
            options=self._options,
            staging=self._momentarium.staging,
            region=self._momentarium.settings.storage.region,
            stop=self._momentarium.stop,
        )

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _acquired(self, lock: Lock, what: str) -> Lock:
        """Waiting for another import can be stopped."""
        while True:
            try:
                return lock.acquire(what=what, wait=_LOOK_SECONDS if self._lock_wait else 0)
            except LockHeld:
                if not self._lock_wait:
                    raise
            if self._momentarium.stop.is_set():
                raise Stopped("Stopped while waiting for another upload to end; nothing was done.")
