"""Hand a stored batch to the backend, which answers with a job."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar
from uuid import UUID

from uuid6 import uuid7

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.background import in_thread
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import File
from momentarium_cli.errors import Conflict, NotAsDescribed
from momentarium_cli.models import ProcessImage

T = TypeVar("T")

_LOOK_SECONDS = 0.02


class Processor:
    """What is sent is fixed in the journal first, so that the same batch is the same request in every run.

    While the backend looks for the originals, which takes a while, None is yielded instead of an event.
    """

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal

    def process(self, batch_id: UUID, import_id: UUID) -> Iterator[Event | None]:
        """JobStarted, and Failed for originals that the store no longer has; nothing for a batch with no photo left."""
        self._journal.sent(batch_id)
        files = self._journal.stored_of(batch_id)
        if not files:
            self._journal.done(batch_id)
            return
        try:
            images = [_image(file) for file in files]
            accepted = yield from _meanwhile(lambda: self._api.process(images, import_id, batch_id))
        except Conflict:
            # The batch was accepted in an earlier run, and a file of it has changed since: what is left is a new batch.
            new_id = UUID(str(uuid7()))
            self._journal.renamed(batch_id, new_id)
            yield from self.process(new_id, import_id)
        except NotAsDescribed as error:
            yield from self._without(error, batch_id, import_id, files)
        else:
            self._journal.accepted(batch_id, accepted.job_id)
            yield events.JobStarted(str(accepted.job_id), len(files))

    def _without(
        self, error: NotAsDescribed, batch_id: UUID, import_id: UUID, files: Sequence[File]
    ) -> Iterator[Event | None]:
        reasons = {item.get("storage_key"): str(item.get("reason")) for item in error.details}
        gone = [file for file in files if file.storage_key in reasons]
        if not gone:
            raise error
        for file in gone:
            reason = f"the store does not have it as it was sent ({reasons[file.storage_key]})"
            self._journal.failed(file.id, reason)
            yield events.Failed(file.path, reason)
        yield from self.process(batch_id, import_id)


def waited(events: Iterator[Event | None]) -> Iterator[Event]:
    """The events alone, for who has nothing else to do meanwhile."""
    for event in events:
        if event is None:
            time.sleep(_LOOK_SECONDS)
        else:
            yield event


def _meanwhile(call: Callable[[], T]) -> Generator[None, None, T]:
    """What a call in a thread returns; until then there is None."""
    future = in_thread(call, "process")
    while not future.done():
        yield None
    return future.result()


def _image(file: File) -> ProcessImage:
    described = json.loads(file.metadata) if file.metadata else {}
    return ProcessImage.model_validate(
        described
        | {
            "storage_key": file.storage_key or "",
            "original_filename": file.filename,
            "source_folder": file.folder,
            "decode_error": file.decode_error,
        }
    )
