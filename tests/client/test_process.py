"""Batches that are stored become jobs, whatever happened in between."""

from pathlib import Path
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.process import Processor, waited
from momentarium_cli.client.records import BatchState, Stored
from momentarium_cli.models import UploadFile
from momentarium_cli.photos.preview import prepare
from momentarium_cli.photos.scan import FileStat
from tests.client.conftest import Library
from tests.client.journals import found
from tests.client.photos import event

IMPORT = UUID(str(uuid7()))


@pytest.fixture
def batch(tmp_path: Path, api: Api, journal: Journal) -> UUID:
    """Three photos in the store and in one batch of the journal."""
    file_ids = []
    for path in event(tmp_path / "p", 3):
        prepared = prepare(path)
        file = UploadFile(
            filename=path.name, content_type="image/jpeg", size_bytes=prepared.size, sha256=prepared.sha256
        )
        [slot] = api.generate_urls([file], IMPORT)
        assert slot.original is not None
        api.transport.send("PUT", slot.original.url, slot.original.headers, path.read_bytes())
        file_id = found(journal, path, FileStat.of(path.stat()))
        journal.stored([Stored(file_id, prepared.sha256, slot.storage_key, None, (64, 48), prepared.stat)])
        file_ids.append(file_id)
    batch_id = UUID(str(uuid7()))
    journal.close_batch(batch_id, IMPORT, file_ids)
    return batch_id


def test_a_stored_batch_becomes_one_job(api: Api, journal: Journal, batch: UUID) -> None:
    [started] = waited(Processor(api, journal).process(batch, IMPORT))
    [job] = api.jobs(IMPORT)
    assert started == events.JobStarted(str(job.id), 3)
    [unfinished] = journal.unfinished()
    assert (unfinished.state, unfinished.job_id) == (BatchState.ACCEPTED, str(job.id))


def test_the_same_batch_again_is_the_same_job(api: Api, journal: Journal, batch: UUID) -> None:
    """As after a run that was killed before it could write down the answer."""
    [first] = waited(Processor(api, journal).process(batch, IMPORT))
    journal.db.note("update batches set state = 'sent', job_id = null")
    journal.db.note("update files set state = 'stored'")
    journal.commit()
    [second] = waited(Processor(api, journal).process(batch, IMPORT))
    assert first == second
    assert len(api.jobs(IMPORT)) == 1


def test_a_batch_that_lost_a_file_since_it_was_sent_is_a_new_job(api: Api, journal: Journal, batch: UUID) -> None:
    list(waited(Processor(api, journal).process(batch, IMPORT)))
    journal.db.note("update batches set state = 'sent', job_id = null")
    journal.db.note("update files set state = 'stored'")
    journal.commit()
    journal.failed(1, "it changed meanwhile")
    [started] = waited(Processor(api, journal).process(batch, IMPORT))
    assert isinstance(started, events.JobStarted)
    assert started.photos == 2
    assert len(api.jobs(IMPORT)) == 2


def test_an_original_that_the_store_lost_fails_and_the_others_go_on(
    api: Api, journal: Journal, batch: UUID, library: Library
) -> None:
    library.originals()[0].unlink()
    failed, started = waited(Processor(api, journal).process(batch, IMPORT))
    assert isinstance(failed, events.Failed)
    assert "missing" in failed.error
    assert isinstance(started, events.JobStarted)
    assert started.photos == 2


def test_a_batch_without_photos_is_done(api: Api, journal: Journal) -> None:
    batch_id = UUID(str(uuid7()))
    journal.close_batch(batch_id, IMPORT, [])
    assert list(waited(Processor(api, journal).process(batch_id, IMPORT))) == []
    assert journal.unfinished() == []
