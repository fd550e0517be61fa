"""Photos that come are told, whatever happens to the folders."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from momentarium_cli.client.changes import Changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    return made


@contextmanager
def watched(folder: Path, ignored: Path | None = None) -> Iterator[Changes]:
    with Changes([folder], ignored=ignored or folder.parent / "nowhere") as changes:
        assert told(changes) or not folder.exists()
        time.sleep(0.3)  # the system is told after we are
        changes.happened.clear()
        yield changes


def told(changes: Changes, seconds: float = 10) -> bool:
    happened = changes.happened.wait(seconds)
    changes.happened.clear()
    return happened


def test_a_new_photo_and_a_new_folder_are_told(folder: Path) -> None:
    with watched(folder) as changes:
        (folder / "a.JPG").write_bytes(b"x")
        assert told(changes)
        (folder / "deep").mkdir()
        assert told(changes)
        (folder / "deep" / "b.heic").write_bytes(b"x")
        assert told(changes)


def test_what_is_no_photo_and_what_is_ignored_is_not_told(folder: Path) -> None:
    ours = folder / "data"
    ours.mkdir()
    with watched(folder, ours) as changes:
        (folder / "notes.txt").write_text("x")
        (ours / "a.jpg").write_bytes(b"x")
        (ours / "logs").mkdir()
        assert not told(changes, 3)
        (folder / "a.jpg").write_bytes(b"x")
        assert told(changes)


def test_a_photo_that_is_read_or_deleted_is_not_told(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"x")
    time.sleep(0.1)
    with watched(folder) as changes:
        (folder / "a.jpg").read_bytes()
        (folder / "a.jpg").unlink()
        assert not told(changes, 3)


def test_a_folder_that_comes_back_is_told_and_watched_again(folder: Path) -> None:
    away = folder.with_name("away")
    with watched(folder) as changes:
        folder.rename(away)
        time.sleep(3)
        changes.happened.clear()
        away.rename(folder)
        assert told(changes)
        time.sleep(0.5)
        changes.happened.clear()
        (folder / "a.jpg").write_bytes(b"x")
        assert told(changes)


def test_a_folder_that_another_takes_the_place_of_is_watched_anew(folder: Path) -> None:
    with watched(folder) as changes:
        shutil.rmtree(folder)
        folder.mkdir()
        assert told(changes)
        time.sleep(0.5)
        changes.happened.clear()
        (folder / "a.jpg").write_bytes(b"x")
        assert told(changes)


def test_a_folder_that_is_not_there_yet_is_waited_for(folder: Path) -> None:
    folder.rmdir()
    with watched(folder) as changes:
        assert not told(changes, 1)
        folder.mkdir()
        assert told(changes)
