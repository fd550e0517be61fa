"""Files that moved, were touched, have two names or vanish: none is sent twice, and the counts add up."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from momentarium_cli.client import events
from momentarium_cli.client.events import Event
from momentarium_cli.photos.decode import Decoder
from tests.client.conftest import Library
from tests.client.photos import dated, event
from tests.client.runs import QUICK, counts, names, run, summary


def described(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are read from now on."""
    read: list[str] = []
    real = Decoder.describe

    def describe(self: Decoder, files: list[tuple[Path, int]]) -> object:
        read.extend(path.name for path, _ in files)
        return real(self, files)

    monkeypatch.setattr(Decoder, "describe", describe)
    return read


def test_photos_of_a_folder_that_was_moved_are_not_even_read(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(folder / "may", 3)
    run(library, folder)
    (folder / "may").rename(folder / "rome")
    read = described(monkeypatch)
    assert counts(summary(run(library, folder))) == {"unchanged": 3}
    (folder / "rome").rename(folder / "rome, again")
    assert counts(summary(run(library, folder))) == {"unchanged": 3}
    assert read == []


def test_a_photo_that_was_renamed_is_read_and_not_sent(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its inode alone proves nothing: a new file may have been given it."""
    dated(folder / "a.jpg")
    run(library, folder)
    (folder / "a.jpg").rename(folder / "b.jpg")
    read = described(monkeypatch)
    told = run(library, folder)
    assert read == ["b.jpg"]
    assert counts(summary(told)) == {"duplicates": 1}
    assert names(told, events.Sent) == []


def test_another_photo_in_place_of_one_that_is_gone_is_uploaded(library: Library, folder: Path) -> None:
    photo = dated(folder / "a.jpg")
    run(library, folder)
    stat, size = photo.stat(), photo.stat().st_size
    photo.unlink()
    other = dated(folder / "b.jpg", seed=2)
    other.write_bytes(other.read_bytes().ljust(size, b"\0")[:size])
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert counts(summary(run(library, folder))) == {"uploaded": 1}


def test_two_names_of_one_file_are_one_photo(library: Library, folder: Path) -> None:
    photo = dated(folder / "a.jpg")
    (folder / "b.jpg").hardlink_to(photo)
    assert counts(summary(run(library, folder))) == {"uploaded": 1, "duplicates": 1}
    assert counts(summary(run(library, folder))) == {"unchanged": 2}
    (folder / "a.jpg").unlink()
    assert sum(counts(summary(run(library, folder))).values()) == 1
    assert len(library.originals()) == 1


def test_a_folder_with_two_names_is_one_folder(library: Library, folder: Path) -> None:
    event(folder / "may", 2)
    (folder / "link").symlink_to(folder / "may")
    assert counts(summary(run(library, folder, folder / "may", folder / "link"))) == {"uploaded": 2}


@pytest.mark.parametrize("seconds", [3600, -3600, 2])
def test_a_clock_that_is_off_costs_reading_and_nothing_else(library: Library, folder: Path, seconds: int) -> None:
    """FAT keeps local time, so that all its files are an hour older every summer."""
    for photo in event(folder, 3):
        os.utime(photo, ns=(1, 10**18))
    run(library, folder)
    for photo in folder.iterdir():
        os.utime(photo, ns=(1, 10**18 + seconds * 10**9))
    told = run(library, folder)
    assert counts(summary(told)) == {"unchanged": 3}
    assert names(told, events.Found) == ["0501-000.jpg", "0501-001.jpg", "0501-002.jpg"]
    assert names(run(library, folder), events.Found) == []


def test_a_photo_in_the_bin_stays_there_when_its_file_is_touched(library: Library, folder: Path) -> None:
    photo = dated(folder / "a.jpg")
    with library.working():
        run(library, folder, options=QUICK)
        with library.open() as momentarium:
            momentarium.wait([job.id for job in momentarium.api.jobs()], timeout=60)
            [album] = momentarium.gallery()
            [shown] = momentarium.album(album.id)[1]
            momentarium.delete(shown.id)
    photo.touch()
    assert counts(summary(run(library, folder))) == {"unchanged": 1}
    with library.open() as momentarium:
        assert momentarium.me().photos == 0


def test_a_photo_that_was_edited_and_put_back_is_not_sent_again(library: Library, folder: Path) -> None:
    first = dated(folder / "a.jpg").read_bytes()
    run(library, folder)
    dated(folder / "a.jpg", seed=2)
    assert counts(summary(run(library, folder))) == {"uploaded": 1}
    (folder / "a.jpg").write_bytes(first)
    assert counts(summary(run(library, folder))) == {"duplicates": 1}


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [(Path.unlink, "failed"), (lambda path: path.write_bytes(path.read_bytes()[:-9]), "uploaded")],
    ids=["vanishes", "shrinks"],
)
def test_what_happens_between_the_passes_is_told(
    library: Library, folder: Path, spoil: Callable[[Path], object], outcome: str
) -> None:
    photos = event(folder, 3)
    told: list[Event] = []
    with library.open() as momentarium:
        for each in momentarium.events([folder], options=QUICK):
            told.append(each)
            if isinstance(each, events.Planned):
                spoil(photos[1])
    expected = {"uploaded": 3} if outcome == "uploaded" else {"uploaded": 2, "failed": 1}
    assert counts(summary(told)) == expected
    if outcome == "failed":
        [failed] = [each for each in told if isinstance(each, events.Failed)]
        assert (failed.path, failed.error) == (photos[1], "No such file or directory")
        assert counts(summary(run(library, folder))) == {"unchanged": 2}


def test_a_damaged_journal_is_begun_anew_with_a_word_and_nothing_is_sent_again(library: Library, folder: Path) -> None:
    event(folder, 3)
    run(library, folder)
    [journal] = (library.settings.data_dir / "journals").glob("*.sqlite3")
    journal.write_bytes(b"this is no database, and long enough to be looked at" * 100)
    stored = {path: path.stat().st_ctime_ns for path in library.originals()}
    dated(folder / "new.jpg", seed=50)
    told = run(library, folder)
    [word] = [each.text for each in told if isinstance(each, events.Warned)]
    assert word.startswith("it was damaged and is begun anew from what the server knows")
    assert counts(summary(told)) == {"duplicates": 3, "uploaded": 1}
    assert {path: path.stat().st_ctime_ns for path in stored} == stored
    assert counts(summary(run(library, folder))) == {"unchanged": 4}
