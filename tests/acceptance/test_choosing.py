"""What is uploaded, chosen as people do it; and what a journal that was lost costs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.photos import JULY, MAY, event, photo
from tests.acceptance.program import Program, assert_whole, program


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    """One library that grows."""
    with program() as made:
        yield made


@pytest.fixture(scope="module")
def photos(shared: Program) -> list[Path]:
    may = event(shared.folder / "p" / "may", 4)
    return [*may, *event(shared.folder / "p" / "july", 3, JULY, seed=1)]


def test_a_time_without_photos_is_nothing_to_do(shared: Program, photos: list[Path]) -> None:
    done = shared.run("upload", "--since", "2025", shared.folder / "p")
    assert (done.code, done.out) == (0, ""), done
    assert "0 files found: nothing new" in done.err
    assert "left out: 7 × not taken in the time that --since and --until name" in done.err
    assert shared.upload("--since", "2025", shared.folder / "p").counts == {}


def test_what_is_chosen_is_uploaded_and_the_rest_later(shared: Program, photos: list[Path]) -> None:
    (shared.folder / "p" / ".momentariumignore").write_text("*_003.jpg\n")
    chosen = ("--since", "2024-05", "--until", "2024-05-31", "--type", "jpeg,heic", "--min-size", "1k")
    assert shared.upload(*chosen, shared.folder / "p").counts == {"uploaded": 3}
    assert shared.upload(*chosen, "--exclude", "MAY/", shared.folder / "p").counts == {}
    (shared.folder / "p" / ".momentariumignore").unlink()
    done = shared.upload("--order", "newest", shared.folder / "p")
    assert done.counts == {"unchanged": 3, "uploaded": 4}
    assert_whole(shared, photos)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--since", "soon"], "is no date. Write a day, month or year"),
        (["--type", "docx"], "names no types of photos. There are arw"),
        (["--exclude", "!"], "Patterns are written as in .gitignore."),
        (["--min-size", "large"], "is not a size"),
    ],
)
def test_a_choice_that_means_nothing_is_2_in_one_line(
    shared: Program, photos: list[Path], arguments: list[str], text: str
) -> None:
    done = shared.run("upload", *arguments, shared.folder / "p")
    assert (done.code, done.out) == (2, "")
    assert text in done.err


def test_a_dry_run_tells_duplicates_albums_and_the_time(shared: Program, photos: list[Path]) -> None:
    new = event(shared.folder / "q", 5, MAY.replace(month=9), seed=5)
    (shared.folder / "q" / "copy.jpg").write_bytes(photos[0].read_bytes())
    done = shared.run("upload", "--dry-run", shared.folder / "q")
    assert done.code == 0
    assert "Would upload 5 photos" in done.err
    assert "about 1 album; nothing was done." in done.err
    assert "At the speed of earlier uploads that takes about " in done.err
    assert "1 duplicate, 0 unchanged" in done.err
    assert shared.upload(shared.folder / "q").counts == {"uploaded": 5, "duplicates": 1}
    photos += new


def test_what_failed_is_tried_again_on_its_own(shared: Program, photos: list[Path]) -> None:
    (shared.folder / "p" / "away.jpg").symlink_to(shared.folder / "r" / "back.jpg")
    assert shared.run("upload", shared.folder / "p").code == 3
    done = shared.run("upload", "--retry-failed")
    assert done.code == 3
    assert "failed: " in done.err
    photos.append(photo(shared.folder / "r" / "back.jpg", JULY.replace(hour=20), seed=60))
    assert shared.upload("--retry-failed").counts == {"uploaded": 1}
    done = shared.run("upload", "--retry-failed")
    assert done.code == 0
    assert "0 files found: nothing new" in done.err
    assert_whole(shared, photos)


def test_a_folder_that_moved_is_known(shared: Program, photos: list[Path]) -> None:
    (shared.folder / "p" / "may").rename(shared.folder / "p" / "spring")
    photos[:4] = [shared.folder / "p" / "spring" / path.name for path in photos[:4]]
    assert shared.upload(shared.folder / "p").counts == {"unchanged": 8}


def test_a_damaged_journal_costs_a_line_and_reading(shared: Program, photos: list[Path]) -> None:
    [journal] = (shared.data_dir / "journals").glob("*.sqlite3")
    with journal.open("r+b") as file:
        file.write(b"damaged" * 1000)
    stored = {path: path.stat().st_ctime_ns for path in shared.originals()}
    done = shared.run("upload", shared.folder / "p")
    assert done.code == 0, done
    [line] = [line for line in done.err.splitlines() if "damaged" in line]
    assert line.startswith(f"{journal}: it was damaged and is begun anew from what the server knows")
    assert "8 duplicates" in done.err
    assert {path: path.stat().st_ctime_ns for path in shared.originals()} == stored
    assert_whole(shared, photos)


def test_nothing_named_is_a_usage_error(shared: Program) -> None:
    done = shared.run("upload")
    assert (done.code, done.out) == (2, "")
    assert "Name folders or photos" in done.err
