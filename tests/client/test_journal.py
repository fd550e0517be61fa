import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import Batch, BatchState, FileState
from momentarium_cli.errors import InsufficientStorage, SettingsError
from momentarium_cli.models import Metadata
from momentarium_cli.photos.scan import FileStat

STAT = FileStat(dev=1, inode=2, size=3, mtime_ns=4, ctime_ns=5)
SHA = "ab" * 32
IMPORT = UUID(str(uuid7()))


def found(journal: Journal, path: str | Path = "/p/a.jpg", stat: FileStat = STAT, minute: int = 0) -> int:
    file_id = journal.found(Path(path), stat, Path(path).name, "p")
    journal.described(file_id, "image/jpeg", Metadata(taken_at=datetime(2024, 5, 1, 10, minute)))
    journal.commit()
    return file_id


def batch_of(journal: Journal, *file_ids: int) -> UUID:
    batch_id = UUID(str(uuid7()))
    journal.close_batch(batch_id, IMPORT, file_ids)
    return batch_id


def again(journal: Journal) -> Journal:
    """The journal as the next run finds it."""
    journal.close()
    return Journal(journal.path)


def test_a_file_that_was_found_waits_in_capture_order(journal: Journal) -> None:
    found(journal, "/p/b.jpg", minute=2)
    found(journal, "/p/a.jpg", minute=1)
    assert [file.path.name for file in journal.waiting()] == ["a.jpg", "b.jpg"]


def test_a_file_without_metadata_does_not_wait(journal: Journal) -> None:
    journal.found(Path("/p/a.jpg"), STAT, "a.jpg", None)
    assert journal.waiting() == []


def test_a_file_is_unchanged_while_inode_size_and_times_are(journal: Journal) -> None:
    found(journal)
    known = journal.unchanged(Path("/p/a.jpg"), STAT)
    assert known is not None
    assert (known.state, known.filename, known.folder) == (FileState.FOUND, "a.jpg", "p")


@pytest.mark.parametrize("what", ["inode", "size", "mtime_ns", "ctime_ns"])
def test_a_file_with_another_inode_size_or_time_is_changed(journal: Journal, what: str) -> None:
    found(journal)
    other = FileStat(**{name: getattr(STAT, name) for name in STAT.__slots__} | {what: 99})
    assert journal.unchanged(Path("/p/a.jpg"), other) is None


def test_another_device_number_alone_is_no_change(journal: Journal) -> None:
    """Removable disks get another one whenever they are mounted."""
    found(journal)
    assert journal.unchanged(Path("/p/a.jpg"), FileStat(7, 2, 3, 4, 5)) is not None


def test_a_file_that_changed_is_forgotten_and_leaves_its_batch(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored(file_id, SHA, "originals/1/x", None, (64, 48))
    assert found(journal, stat=FileStat(1, 2, 30, 4, 5)) == file_id
    [file] = journal.waiting()
    assert (file.state, file.sha256, file.storage_key) == (FileState.FOUND, None, None)
    assert journal.members(batch_id, stored=True) == []


def test_what_decoding_showed_is_kept_with_the_metadata(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored(file_id, SHA, "originals/1/x", None, (64, 48))
    [file] = journal.members(batch_id, stored=True)
    assert file.metadata == Metadata(taken_at=datetime(2024, 5, 1, 10), width=64, height=48)
    assert (file.state, file.sha256, file.storage_key) == (FileState.STORED, SHA, "originals/1/x")


def test_a_photo_that_could_not_be_decoded_keeps_its_metadata_and_the_reason(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.stored(file_id, SHA, "originals/1/x", "it is cut off", None)
    [file] = journal.members(batch_id, stored=True)
    assert (file.decode_error, file.metadata) == ("it is cut off", Metadata(taken_at=datetime(2024, 5, 1, 10)))


def test_a_batch_is_never_cut_again_and_outlives_the_run(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg", minute=1)
    batch_id = batch_of(journal, first, second)
    journal.stored(first, SHA, "originals/1/x", None, None)
    with closing(again(journal)) as later:
        for name in ("a.jpg", "b.jpg"):
            assert later.unchanged(Path("/p") / name, STAT) is not None
        found(later, "/p/c.jpg", minute=2)
        assert later.unfinished() == [Batch(batch_id, IMPORT, BatchState.CLOSED, None)]
        assert [file.path.name for file in later.members(batch_id, stored=False)] == ["b.jpg"]
        assert [file.path.name for file in later.members(batch_id, stored=True)] == ["a.jpg"]
        assert [file.path.name for file in later.waiting()] == ["c.jpg"]


def test_a_file_that_is_gone_leaves_its_batch_if_it_was_not_stored(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg")
    batch_id = batch_of(journal, first, second)
    journal.stored(first, SHA, "originals/1/x", None, None)
    with closing(again(journal)) as later:
        later.release_missing(batch_id)
        assert later.members(batch_id, stored=False) == []
        assert [file.path.name for file in later.members(batch_id, stored=True)] == ["a.jpg"]
        assert later.waiting() == []


def test_a_batch_goes_from_closed_to_done(journal: Journal) -> None:
    file_id = found(journal)
    batch_id, job_id = batch_of(journal, file_id), UUID(str(uuid7()))
    journal.stored(file_id, SHA, "originals/1/x", None, None)
    journal.sent(batch_id)
    assert [batch.state for batch in journal.unfinished()] == [BatchState.SENT]
    journal.accepted(batch_id, job_id)
    assert journal.unfinished() == [Batch(batch_id, IMPORT, BatchState.ACCEPTED, str(job_id))]
    known = journal.unchanged(Path("/p/a.jpg"), STAT)
    assert known is not None
    assert known.state is FileState.ACCEPTED
    journal.done_job(str(job_id))
    assert journal.unfinished() == []


def test_a_batch_can_go_on_under_another_id(journal: Journal) -> None:
    file_id = found(journal)
    old, new = batch_of(journal, file_id), UUID(str(uuid7()))
    journal.stored(file_id, SHA, "originals/1/x", None, None)
    journal.renamed(old, new)
    assert [batch.id for batch in journal.unfinished()] == [new]
    assert [file.id for file in journal.members(new, stored=True)] == [file_id]


def test_failed_files_leave_their_batch_and_are_tried_again(journal: Journal) -> None:
    file_id = found(journal)
    batch_id = batch_of(journal, file_id)
    journal.failed(file_id, "no permission")
    assert journal.members(batch_id, stored=False) == []
    [file] = journal.waiting()
    assert (file.state, file.error) == (FileState.FAILED, "no permission")


def test_duplicates_and_skipped_files_do_not_wait(journal: Journal) -> None:
    journal.duplicate(found(journal, "/p/a.jpg"), SHA)
    journal.skipped(found(journal, "/p/b.jpg"), "not a photo")
    assert journal.waiting() == []


def test_a_twin_is_another_file_that_is_stored(journal: Journal) -> None:
    first, second = found(journal, "/p/a.jpg"), found(journal, "/p/b.jpg")
    assert journal.twin(SHA, second) is None
    journal.stored(first, SHA, "originals/1/x", None, None)
    assert journal.twin(SHA, second) == Path("/p/a.jpg")
    assert journal.twin(SHA, first) is None
    journal.failed(first, "the store lost it")
    assert journal.twin(SHA, second) is None


def test_paths_need_not_be_utf8(journal: Journal) -> None:
    path = Path(os.fsdecode(b"/p/\xff\xfe.jpg"))
    file_id = journal.found(path, STAT, "x.jpg", None)
    journal.described(file_id, "image/jpeg", Metadata())
    assert [os.fsencode(file.path) for file in journal.waiting()] == [b"/p/\xff\xfe.jpg"]
    assert journal.unchanged(path, STAT) is not None


@pytest.mark.parametrize("inode", [2**63 - 1, 2**63, 2**64 - 1, 0])
def test_inodes_of_64_bits_survive(journal: Journal, inode: int) -> None:
    stat = FileStat(dev=2**64 - 2, inode=inode, size=3, mtime_ns=-1, ctime_ns=5)
    found(journal, stat=stat)
    assert journal.unchanged(Path("/p/a.jpg"), stat) is not None


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
        assert anew.waiting() == []
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
    pages = journal._db.execute("pragma page_count").fetchone()[0]
    journal._db.execute(f"pragma max_page_count = {pages}")
    return journal


def test_a_full_disk_is_told_as_such_while_scanning(full: Journal) -> None:
    with pytest.raises(InsufficientStorage, match=r"is full\. Free some space"):
        for number in range(10_000):
            full.found(Path(f"/q/{number}" + "x" * 200), STAT, "x" * 200, None)


def test_a_full_disk_is_told_as_such_while_uploading(full: Journal) -> None:
    with pytest.raises(InsufficientStorage, match="Free some space"):
        for number in range(10_000):
            full.failed(1 + number % 50, "x" * 4000)


def test_what_was_written_before_the_disk_was_full_is_still_there(full: Journal) -> None:
    with pytest.raises(InsufficientStorage):
        full.failed(1, "x" * 1_000_000)
    with closing(again(full)) as later:
        [batch] = later.unfinished()
        assert batch.state is BatchState.CLOSED
