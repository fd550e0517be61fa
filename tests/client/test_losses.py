"""What the journal takes to be in the library, and is not, is uploaded again."""

import os
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client import events, losses
from momentarium_cli.client.api import Api
from momentarium_cli.client.imports import Options
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import FileState
from momentarium_cli.models import JobState, JobStatus
from tests.client.conftest import Library
from tests.client.journals import accepted, state_of
from tests.client.photos import dated, event
from tests.client.runs import counts, names, run, summary
from tests.client.test_jobs import status

WAIT = Options(timeout=60)
HOUR = 3600 * 10**9


def forget_jobs(library: Library) -> None:
    """As a database that was restored from a backup without them; the objects stay."""
    with library.server.database.administration() as conn:
        for table in ("albums", "images", "uploads", "processing_jobs"):
            conn.execute(f"delete from {table}")


@pytest.mark.parametrize("wait", [True, False])
def test_photos_of_a_job_that_the_server_has_lost_are_sent_again(library: Library, folder: Path, wait: bool) -> None:
    event(folder, 3)
    with library.working():
        run(library, folder, options=Options(wait=wait, timeout=60))
    forget_jobs(library)
    with library.working():
        told = run(library, folder, options=WAIT)
    assert counts(summary(told)) == {"uploaded": 3}
    [warned] = [each for each in told if isinstance(each, events.Warned)]
    assert warned.text.startswith("the server has lost 3 photos that it had")
    assert [album.photos for album in summary(told).albums] == [3]
    assert counts(summary(run(library, folder))) == {"unchanged": 3}


def test_a_photo_that_was_touched_since_is_sent_again(library: Library, folder: Path) -> None:
    touched, *_ = event(folder, 3)
    run(library, folder)
    os.utime(touched, ns=(0, touched.stat().st_mtime_ns + HOUR))
    assert counts(summary(run(library, folder))) == {"unchanged": 3}
    forget_jobs(library)
    assert counts(summary(run(library, folder))) == {"uploaded": 3}


def test_a_photo_is_sent_again_of_which_a_copy_alone_is_left(library: Library, folder: Path) -> None:
    edited, *_ = event(folder, 3)
    shutil.copyfile(edited, folder / "copy.jpg")
    run(library, folder)
    dated(edited, seed=9)
    assert counts(summary(run(library, folder))) == {"uploaded": 1, "unchanged": 3}
    forget_jobs(library)
    assert counts(summary(run(library, folder))) == {"uploaded": 4}


def test_a_job_that_was_lost_in_the_midst_of_its_import_is_found(api: Api, journal: Journal) -> None:
    """The server was restored while the run waited for it, and accepted the rest of its photos afterwards."""
    before, lost, after = (UUID(str(uuid7())) for _ in range(3))
    earlier, import_ = UUID(str(uuid7())), UUID(str(uuid7()))
    for job_id, import_id in ((before, earlier), (lost, import_), (after, import_)):
        accepted(journal, job_id, f"/p/{job_id}.jpg", import_id=import_id)
    known = {earlier: [before], import_: [after]}
    asked: list[UUID] = []

    def jobs(import_id: UUID, *, albums: bool) -> list[JobStatus]:
        asked.append(import_id)
        return [status(job_id, JobState.COMPLETED) for job_id in known[import_id]]

    api.jobs = jobs  # type: ignore[method-assign,assignment]
    [warned] = losses.of_restored_server(api, journal)
    assert "has lost a photo" in warned.text
    assert [state_of(journal, f"/p/{job_id}.jpg") for job_id in (before, lost, after)] == [
        FileState.ACCEPTED,
        FileState.FOUND,
        FileState.ACCEPTED,
    ]
    assert asked == [import_, earlier]
    assert list(losses.of_restored_server(api, journal)) == []
    assert asked == [import_, earlier, import_], "where an import is known, those before it are"


def test_nothing_is_said_while_the_server_knows_them(library: Library, folder: Path) -> None:
    event(folder, 3)
    run(library, folder)
    assert names(run(library, folder), events.Warned) == []


def test_a_photo_that_was_found_damaged_is_sent_again_by_the_next_run(library: Library, folder: Path) -> None:
    event(folder, 3)
    run(library, folder)
    with library.server.database.administration() as conn:
        conn.execute("update images set verified = false")  # as where the store cannot tell
    before = library.originals()
    before[0].write_bytes(b"other bytes")
    with library.working():
        [job] = summary(run(library, folder, options=WAIT)).jobs
    assert (job.error_code, job.damaged) == (
        "not_as_described",
        [f"originals/{library.account.user_id}/{before[0].name}"],
    )
    assert library.originals() == before[1:]
    with library.working():
        again = run(library, folder, options=WAIT)
    assert counts(summary(again)) == {"unchanged": 2, "uploaded": 1}
    assert library.originals() == before
