import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import Batch, BatchState, Counted, FileState, Seen, Stored
from momentarium_cli.client.sightings import Sightings
from momentarium_cli.errors import InsufficientStorage, SettingsError, Temporary
from momentarium_cli.models import Metadata, TakenAtSource
from momentarium_cli.photos.scan import FileStat
from tests.client.journals import (
    IMPORT,
    STAT,
    accepted,
    found,
    left_of,
    metadata_of,
    names,
    state_of,
    unchanged,
    waiting,
)

SHA = "ab" * 32
VERSION_1 = """
create table files (
  id integer primary key, path blob not null unique, device integer not null, inode integer not null,
  size integer not null, mtime_ns integer not null, ctime_ns integer not null, state text not null default 'found',
  seen integer not null, filename text not null, folder text, content_type text, metadata text, taken_sort real,
  sha256 text, storage_key text, decode_error text, error text, batch text references batches
) strict;
create index files_by_time on files (seen, state, taken_sort, id);
create index files_by_checksum on files (sha256) where sha256 is not null;
create index files_by_batch on files (batch) where batch is not null;
create table batches (
  id text primary key, import_id text not null, state text not null default 'closed', job_id text
) strict;
insert into files values (1, cast('/p/a.jpg' as blob), 1, 2, 3, 4, 5, 'accepted', 7, 'a.jpg', 'p', 'image/jpeg',
  '{"taken_at":"2024-05-01T10:00:00","taken_at_source":"exif"}', 1714557600.0, 'SHA256', 'originals/1/x',
  null, null, null);
pragma user_version = 1;
""".replace("SHA256", SHA)
AT_TEN = Metadata(taken_at=datetime(2024, 5, 1, 10), taken_at_source=TakenAtSource.EXIF)


def batch_of(journal: Journal, *file_ids: int) -> UUID:
    batch_id = UUID(str(uuid7()))
    journal.close_batch(batch_id, IMPORT, file_ids)
    return batch_id


def see_again(journal: Journal, *paths: str) -> None:
    """A later run finds these files as they were."""
    for path in paths:
        known = unchanged(journal, path)
        assert known is not None
        counted = Counted.UNCHANGED if known.state is FileState.STORED else Counted.PENDING
        Sightings(journal).seen_again(known.id, counted)
    journal.commit()


def again(journal: Journal) -> Journal:
    """The journal as the next run finds it."""
    journal.close()
    return Journal(journal.path)


def test_a_file_that_was_found_waits_in_capture_order(journal: Journal) -> None:
    found(journal, "/p/b.jpg", minute=2)
    found(journal, "/p/a.jpg", minute=1)
    assert names(waiting(journal)) == ["a.jpg", "b.jpg"]


def test_a_file_is_unchanged_while_inode_size_and_times_are(journal: Journal) -> None:
    found(journal)
    known = unchanged(journal, stat=STAT)
    assert known is not None
    assert (known.state, known.described, known.folder) == (FileState.FOUND, True, "p")


@pytest.mark.parametrize("what", ["inode", "size", "mtime_ns", "ctime_ns"])
def test_a_file_with_another_inode_size_or_time_is_changed(journal: Journal, what: str) -> None:
    found(journal)
    other = FileStat(**{name: getattr(STAT, name) for name in STAT.__slots__} | {what: 99})
    assert unchanged(journal, stat=other) is None


def test_another_device_number_alone_is_no_change(journal: Journal) -> None:
    """Removable disks get another one whenever they are mounted."""
    found(journal)
    assert unchanged(journal, stat=FileStat(7, 2, 3, 4, 5)) is not None


def test_a_file_that_changed_is_forgotten_and_leaves_its_batch(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored([Stored(file_id, SHA, "originals/1/x", None, (64, 48), STAT)])
    assert found(journal, stat=FileStat(1, 2, 30, 4, 5)) == file_id
    [file] = waiting(journal)
    assert (file.state, file.sha256, file.storage_key) == (FileState.FOUND, None, None)
    assert journal.stored_of(batch_id) == []


@pytest.mark.parametrize("what", ["dev", "inode", "size", "mtime_ns", "ctime_ns"])
def test_the_same_file_is_one_that_agrees_in_everything(journal: Journal, what: str) -> None:
    journal.duplicate(found(journal), SHA)
    sightings = Sightings(journal)
    same = sightings.same_file(STAT)
    assert same is not None
    assert same.path == Path("/p/a.jpg")
    other = FileStat(**{name: getattr(STAT, name) for name in STAT.__slots__} | {what: 99})
    assert sightings.same_file(other) is None


def test_without_inodes_no_file_is_the_same(journal: Journal) -> None:
    nothing = FileStat(dev=1, inode=0, size=3, mtime_ns=4, ctime_ns=5)
    journal.duplicate(found(journal, stat=nothing), SHA)
    assert Sightings(journal).same_file(nothing) is None


def test_what_decoding_showed_is_kept_with_the_metadata(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored([Stored(file_id, SHA, "originals/1/x", None, (64, 48), STAT)])
    [file] = journal.stored_of(batch_id)
    assert metadata_of(file) == AT_TEN.model_copy(update={"width": 64, "height": 48})
    assert (file.state, file.sha256, file.storage_key) == (FileState.STORED, SHA, "originals/1/x")


def test_a_photo_that_could_not_be_decoded_keeps_its_metadata_and_the_reason(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored([Stored(file_id, SHA, "originals/1/x", "it is cut off", None, STAT)])
    [file] = journal.stored_of(batch_id)
    assert (file.decode_error, metadata_of(file)) == ("it is cut off", AT_TEN)


def test_a_file_that_changed_before_it_was_read_is_known_as_it_was_sent(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    sent = FileStat(1, 2, 30, 40, 50)
    journal.stored([Stored(file_id, SHA, "originals/1/x", None, None, sent)])
    assert unchanged(journal, stat=STAT) is None
    known = unchanged(journal, stat=sent)
    assert known is not None
    assert known.state is FileState.STORED
    assert [file.id for file in journal.stored_of(batch_id)] == [file_id]


def test_a_batch_is_never_cut_again_and_outlives_the_run(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg", minute=1)
    batch_id = batch_of(journal, first, second)
    journal.stored([Stored(first, SHA, "originals/1/x", None, None, STAT)])
    with closing(again(journal)) as later:
        see_again(later, "/p/a.jpg", "/p/b.jpg")
        found(later, "/p/c.jpg", minute=2)
        assert later.unfinished() == [Batch(batch_id, IMPORT, BatchState.CLOSED, None)]
        assert names(left_of(later, batch_id)) == ["b.jpg"]
        assert names(later.stored_of(batch_id)) == ["a.jpg"]
        assert names(waiting(later)) == ["c.jpg"]


def test_a_file_that_is_gone_leaves_its_batch_if_it_was_not_stored(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg")
    batch_id = batch_of(journal, first, second)
    journal.stored([Stored(first, SHA, "originals/1/x", None, None, STAT)])
    with closing(again(journal)) as later:
        later.release_missing(batch_id)
        assert left_of(later, batch_id) == []
        assert names(later.stored_of(batch_id)) == ["a.jpg"]
        assert waiting(later) == []


def test_a_batch_goes_from_closed_to_done(journal: Journal) -> None:
    file_id = found(journal)
    batch_id, job_id = batch_of(journal, file_id), UUID(str(uuid7()))
    journal.stored([Stored(file_id, SHA, "originals/1/x", None, None, STAT)])
    journal.sent(batch_id)
    assert [batch.state for batch in journal.unfinished()] == [BatchState.SENT]
    journal.accepted(batch_id, job_id)
    assert journal.unfinished() == [Batch(batch_id, IMPORT, BatchState.ACCEPTED, str(job_id))]
    known = unchanged(journal, stat=STAT)
    assert known is not None
    assert known.state is FileState.ACCEPTED
    journal.done_job(str(job_id))
    assert journal.unfinished() == []


def test_a_batch_can_go_on_under_another_id(journal: Journal) -> None:
    file_id = found(journal)
    old, new = batch_of(journal, file_id), UUID(str(uuid7()))
    journal.stored([Stored(file_id, SHA, "originals/1/x", None, None, STAT)])
    journal.renamed(old, new)
    assert [batch.id for batch in journal.unfinished()] == [new]
    assert [file.id for file in journal.stored_of(new)] == [file_id]


def test_failed_files_leave_their_batch_and_are_tried_again(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.failed(file_id, "no permission")
    assert left_of(journal, batch_id) == []
    assert waiting(journal) == [], "not in the same run"
    with closing(again(journal)) as later:
        see_again(later, "/p/a.jpg")
        [file] = waiting(later)
    assert (file.state, file.error) == (FileState.FAILED, "no permission")


def test_duplicates_and_skipped_files_do_not_wait(journal: Journal) -> None:
    journal.duplicate(found(journal, "/p/a.jpg"), SHA)
    Sightings(journal).unsupported(Seen(Path("/p/b.jpg"), STAT, "b.jpg", None), "not a photo")
    assert waiting(journal) == []


def test_a_twin_is_another_file_that_is_stored(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg")
    assert journal.twin(SHA, second) is None
    journal.stored([Stored(first, SHA, "originals/1/x", None, None, STAT)])
    assert journal.twin(SHA, second) == Path("/p/a.jpg")
    assert journal.twin(SHA, first) is None
    journal.failed(first, "the store lost it")
    assert journal.twin(SHA, second) is None


def test_all_that_a_lost_job_was_to_bring_is_tried_again_with_its_twins(journal: Journal) -> None:
    first, second = UUID(str(uuid7())), UUID(str(uuid7()))
    accepted(journal, first, "/p/kept.jpg")
    [sha256] = accepted(journal, second, "/p/lost.jpg")
    twin = found(journal, "/p/twin.jpg")
    journal.duplicate(twin, sha256)
    assert journal.jobs_by_import() == {IMPORT: [str(second), str(first)]}
    assert journal.lost(str(second)) == 1
    states = {name: state_of(journal, f"/p/{name}.jpg") for name in ("kept", "lost", "twin")}
    assert states == {"kept": FileState.ACCEPTED, "lost": FileState.FOUND, "twin": FileState.FOUND}
    assert journal.twin(sha256, twin) is None
    assert [batch.job_id for batch in journal.unfinished()] == [str(first)]
    assert journal.jobs_by_import() == {IMPORT: [str(first)]}


def test_a_duplicate_of_none_here_is_tried_again_when_a_job_was_lost(journal: Journal) -> None:
    first, second = UUID(str(uuid7())), UUID(str(uuid7()))
    [kept] = accepted(journal, first, "/p/kept.jpg")
    accepted(journal, second, "/p/lost.jpg")
    journal.duplicate(found(journal, "/p/twin.jpg"), kept)
    journal.as_before(found(journal, "/p/touched.jpg"), SHA)
    assert journal.lost(str(second), []) == 0
    assert state_of(journal, "/p/touched.jpg") is FileState.DUPLICATE, "what was damaged says nothing of others"
    assert journal.lost(str(second)) == 1
    states = {name: state_of(journal, f"/p/{name}.jpg") for name in ("twin", "touched")}
    assert states == {"twin": FileState.DUPLICATE, "touched": FileState.FOUND}


def test_what_was_once_in_the_library_is_asked_for_when_something_was_lost(journal: Journal) -> None:
    job_id = UUID(str(uuid7()))
    [sha256] = accepted(journal, job_id, "/p/a.jpg")
    changed = found(journal, stat=replace(STAT, mtime_ns=7))
    assert journal.twin(sha256, changed) == Path("/p/a.jpg"), "it was edited, and is put back"
    assert journal.lost(str(job_id)) == 0
    assert journal.twin(sha256, changed) is None


def test_paths_need_not_be_utf8(journal: Journal) -> None:
    path = Path(os.fsdecode(b"/p/\xff\xfe.jpg"))
    found(journal, path)
    assert [os.fsencode(file.path) for file in waiting(journal)] == [b"/p/\xff\xfe.jpg"]
    assert unchanged(journal, path) is not None


@pytest.mark.parametrize("inode", [2**63 - 1, 2**63, 2**64 - 1, 0])
def test_inodes_of_64_bits_survive(journal: Journal, inode: int) -> None:
    stat = FileStat(dev=2**64 - 2, inode=inode, size=3, mtime_ns=-1, ctime_ns=5)
    found(journal, stat=stat)
    assert unchanged(journal, stat=stat) is not None


def test_a_damaged_journal_is_kept_aside_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"this is no database, and long enough to be looked at" * 100)
    with closing(Journal(path)) as journal:
        assert journal.unfinished() == []
    assert (tmp_path / "journal.damaged").read_bytes().startswith(b"this is no database")
    assert "begun anew" in caplog.text


def test_a_torn_page_is_damage_too(journal: Journal) -> None:
    for number in range(200):
        found(journal, f"/p/{number}.jpg")
    journal.close()
    with journal.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    with closing(Journal(journal.path)) as anew:
        assert waiting(anew) == []
    assert journal.path.with_suffix(".damaged").exists()


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(journal: Journal) -> None:
    found(journal)
    journal.close()
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(SettingsError, match="newer Momentarium"):
        Journal(journal.path)
    with closing(sqlite3.connect(journal.path)) as db:
        assert db.execute("select count(*) from files").fetchone() == (1,)


def test_damage_that_shows_in_the_midst_of_a_run_is_told_with_the_remedy(journal: Journal) -> None:
    for number in range(500):
        found(journal, f"/p/{number}.jpg")
    journal.db.one("pragma wal_checkpoint(truncate)")
    journal.db.one("pragma cache_size = 1")
    with journal.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(journal.path.stat().st_size - 4096))
    with pytest.raises(Temporary, match=r"is damaged\. Run again: it is begun anew"):
        journal.db.all("select * from files")


def test_a_journal_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
    with closing(Journal(path)) as journal:
        known = unchanged(journal)
        assert known is not None
        assert (known.state, known.taken_on) == (FileState.ACCEPTED, date(2024, 5, 1))
        assert journal.run == 8, "runs go on"
        assert journal.twin(SHA, 99) == Path("/p/a.jpg")
        assert journal.unfinished() == []
        found(journal, "/p/b.jpg")
        assert journal.counts() == {"pending": 1}
    with closing(Journal(path)) as later:
        assert later.run == 9


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"cannot be used.*Set data_dir"):
        Journal(tmp_path / "file" / "journal.sqlite3")


def test_a_journal_that_cannot_be_written_is_named() -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        Journal(Path("/proc/self/journal.sqlite3"))


@pytest.fixture
def full(journal: Journal) -> Journal:
    """A journal whose disk takes nothing more."""
    file_ids = [found(journal, f"/p/{number}.jpg") for number in range(50)]
    batch_of(journal, *file_ids)
    pages = journal.db.one("pragma page_count")[0]
    journal.db.one(f"pragma max_page_count = {pages}")
    return journal


def test_a_full_disk_is_told_as_such_while_scanning(full: Journal) -> None:
    with pytest.raises(InsufficientStorage, match=r"is full\. Free some space"):
        for number in range(10_000):
            found(full, f"/q/{number}" + "x" * 200)


def test_a_full_disk_is_told_as_such_while_uploading(full: Journal) -> None:
    with pytest.raises(InsufficientStorage, match="Free some space"):
        for number in range(10_000):
            full.failed(1 + number % 50, "x" * 4000)


def test_what_was_written_before_the_disk_was_full_is_still_there(full: Journal) -> None:
    with pytest.raises(InsufficientStorage):
        full.failed(1, "x" * 1_000_000)
    full.close()
    with closing(Journal(full.path)) as later:
        [batch] = later.unfinished()
        assert batch.state is BatchState.CLOSED
