"""The SDK: what the command does, for programs."""

import logging
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
from momentarium_cli.client.budget import Budget
from momentarium_cli.client.embedded import EmbeddedServer
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.client.open_import import IfHeld, OpenImport
from momentarium_cli.client.send import Staging
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.transport import FixedServer, Server, Transport
from momentarium_cli.config import Settings
from momentarium_cli.errors import NotAllowed, NothingUsable, UsageError
from momentarium_cli.models import Album, AlbumLevel, AlbumNode, JobAccepted, JobStatus, Me, Photo, ProcessImage

log = logging.getLogger(__name__)


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
        self, paths: Sequence[str | Path], *, options: Options | None = None, if_held: IfHeld = IfHeld.FAIL
    ) -> Iterator[Event]:
        """Import photos, telling what happens; the last event is the Summary. Close the iterator to stop early.

        Before it ends, what other runs handed over meanwhile is imported, too. LockHeld: another import into this
        library is running here; HandedOver: it will import these, too.
        """
        with self.open_import(paths, options=options, if_held=if_held) as turn:
            for import_, errand in turn.imports():
                if errand is not None:
                    _run(import_, errand)
                    continue
                for event in import_.events():
                    if isinstance(event, Summary):
                        summary = event
                    else:
                        yield event
        yield summary

    def open_import(
        self,
        paths: Sequence[str | Path],
        *,
        options: Options | None = None,
        if_held: IfHeld = IfHeld.FAIL,
        budget: Budget | None = None,
        settling: Settling | None = None,
    ) -> OpenImport:
        """A turn at the library in a with-block, for whoever wants an import's summary even after an error.

        Of files that are still being written, `settling` says so, and they are left out.
        """
        expanded = [Path(path).expanduser() for path in paths]
        return OpenImport(self, expanded, options or Options(), if_held, budget, settling)

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


def _run(import_: Import, errand: str) -> None:
    """Import what another run handed over."""
    log.info("importing what %s handed over", errand)
    try:
        for _ in import_.events():
            pass
    except NothingUsable as error:
        log.warning("%s: %s", errand, error)
