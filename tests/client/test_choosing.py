"""What a run is to take, and in which order."""

import errno
import os
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.client import events
from momentarium_cli.client.imports import Options
from momentarium_cli.client.order import Order
from momentarium_cli.client.plan import Plan
from momentarium_cli.photos.choice import Choice
from tests.client.conftest import Library
from tests.client.photos import MAY, dated, event
from tests.client.runs import QUICK, counts, names, run, summary
from tests.photos.pictures import encoded, picture


def chosen(**choice: object) -> Options:
    return Options(wait=False, choice=Choice(**choice))  # type: ignore[arg-type]


MAY_ONLY = chosen(since=date(2024, 5, 1), until=date(2024, 5, 31))


@pytest.fixture
def months(folder: Path) -> Path:
    """Two photos in May, three in July, one without a date."""
    event(folder / "may", 2)
    event(folder / "july", 3, begins=MAY.replace(month=7), seed=7)
    (folder / "undated.jpg").write_bytes(encoded(picture(seed=99)))
    return folder


def test_photos_of_another_time_are_in_no_count(library: Library, months: Path) -> None:
    told = run(library, months, options=MAY_ONLY)
    assert counts(summary(told)) == {"uploaded": 2}
    reasons = {each.path.name: each.reason for each in told if isinstance(each, events.LeftOut)}
    assert reasons.pop("undated.jpg") == "undated"
    assert set(reasons.values()) == {"other_day"}
    assert len(reasons) == 3


def test_what_was_left_out_is_uploaded_once_it_is_chosen(library: Library, months: Path) -> None:
    run(library, months, options=MAY_ONLY)
    assert counts(summary(run(library, months, options=MAY_ONLY))) == {"unchanged": 2}
    assert counts(summary(run(library, months))) == {"unchanged": 2, "uploaded": 4}


@pytest.mark.parametrize(
    ("choice", "uploaded"),
    [
        ({"exclude": ("may",)}, 4),
        ({"include": ("may/",)}, 2),
        ({"types": frozenset(("png",))}, 0),
        ({"min_size": 1}, 6),
    ],
)
def test_names_sizes_and_types_are_chosen_likewise(
    library: Library, months: Path, choice: dict[str, object], uploaded: int
) -> None:
    first = summary(run(library, months, options=chosen(**choice)))
    assert (first.found, first.uploaded) == (uploaded, uploaded)
    assert summary(run(library, months)).uploaded == 6 - uploaded


def test_what_is_no_longer_chosen_leaves_the_batch_that_was_begun(library: Library, folder: Path) -> None:
    event(folder / "may", 20)
    event(folder / "july", 20, begins=MAY.replace(month=7), seed=7)
    with library.open() as momentarium:
        for each in momentarium.events([folder], options=QUICK):
            if isinstance(each, events.Uploaded):
                momentarium.stop.set()
    stored = len(library.originals())
    assert 0 < stored < 20
    assert counts(summary(run(library, folder, options=chosen(exclude=("july",))))) == {
        "unchanged": stored, "uploaded": 20 - stored,
    }  # fmt: skip
    assert counts(summary(run(library, folder))) == {"unchanged": 20, "uploaded": 20}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.OLDEST, ["old", "mid", "new"]),
        (Order.NEWEST, ["new", "mid", "old"]),
        (Order.SMALLEST, ["mid", "new", "old"]),
    ],
)
def test_photos_are_planned_in_the_order_that_is_asked_for(
    library: Library, folder: Path, order: Order, expected: list[str]
) -> None:
    for days, (name, size) in enumerate({"old": 3000, "mid": 1000, "new": 2000}.items()):
        photo = dated(folder / f"{name}.jpg", MAY + timedelta(days=days), seed=days)
        photo.write_bytes(photo.read_bytes() + bytes(size))
    with library.open() as momentarium, momentarium.open_import([folder], options=QUICK) as opened:
        for import_, _ in opened.imports():
            for each in import_.events():
                if isinstance(each, events.Planned):
                    plan = Plan(import_._journal, order)
                    ids = [plan.next_batch(limit=1)[0], *plan.next_batch(limit=3)[1:]]
                    planned = [file.path.stem for file in import_._journal.files(ids)]
    assert planned == expected


def test_every_batch_is_a_job_in_that_order(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("momentarium_cli.client.plan.MAX_BATCH", 4)
    monkeypatch.setattr(Plan.next_batch, "__defaults__", (4,))
    event(folder / "may", 4)
    event(folder / "july", 4, begins=MAY.replace(month=7), seed=7)
    told = run(library, folder, options=Options(wait=False, order=Order.NEWEST))
    assert [each.photos for each in told if isinstance(each, events.JobStarted)] == [4, 4]
    assert rows(library, "select distinct folder from files join batches on batch = batches.id order by batch") == [
        ("photos/july",), ("photos/may",),
    ]  # fmt: skip


def rows(library: Library, sql: str) -> list[tuple[object, ...]]:
    """What the journal says."""
    [journal] = (library.settings.data_dir / "journals").glob("*.sqlite3")
    with closing(sqlite3.connect(journal)) as db:
        return db.execute(sql).fetchall()


# --- retrying what failed ---------------------------------------------------------------------------------------------

RETRY = Options(wait=False, retry_failed=True)


def unreadable(path: Path) -> Path:
    """A photo that even root cannot read; `.resolve` makes it one that can."""
    path.symlink_to(path.with_suffix(".away"))
    return path


def test_only_what_failed_is_tried_again(library: Library, folder: Path) -> None:
    event(folder, 2)
    broken = unreadable(folder / "a.jpg")
    assert counts(summary(run(library, folder))) == {"uploaded": 2, "failed": 1}
    assert counts(summary(run(library, options=RETRY))) == {"failed": 1}
    dated(broken.with_suffix(".away"), seed=50)
    dated(folder / "new.jpg", seed=51)
    assert counts(summary(run(library, options=RETRY))) == {"uploaded": 1}
    assert counts(summary(run(library, options=RETRY))) == {}


def test_of_what_failed_only_that_below_the_named_paths(library: Library, folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        unreadable(folder / name / "a.jpg")
    run(library, folder)
    told = run(library, folder / "one", options=RETRY)
    assert [each.path for each in told if isinstance(each, events.Failed)] == [folder / "one" / "a.jpg"]


def test_what_failed_and_is_gone_is_told_once(library: Library, folder: Path) -> None:
    dated(folder / "b.jpg")
    unreadable(folder / "a.jpg")
    run(library, folder)
    (folder / "a.jpg").unlink()
    assert counts(summary(run(library, options=RETRY))) == {"failed": 1}
    assert counts(summary(run(library, options=RETRY))) == {}


def test_what_failed_while_it_was_sent_keeps_its_folder(library: Library, folder: Path) -> None:
    photos = event(folder / "rome", 2)
    with library.open() as momentarium:
        for each in momentarium.events([folder], options=QUICK):
            if isinstance(each, events.Planned):
                away = photos[0].rename(folder.parent / "away.jpg")
    away.rename(photos[0])
    told = run(library, options=RETRY)
    assert names(told, events.Uploaded) == [photos[0].name]
    assert rows(library, "select distinct folder from files") == [("photos/rome",)]


@pytest.mark.parametrize("patterns", ["sub/", "/sub", "a.jpg", "sub/deep/*", "*\n!*.jpg"])
def test_what_failed_and_is_ignored_since_is_left_out(library: Library, folder: Path, patterns: str) -> None:
    dated(failed(library, folder, "sub/deep/a.jpg").with_suffix(".away"))
    (folder / ".momentariumignore").write_text(patterns)
    told = run(library, options=RETRY)
    assert (names(told, events.LeftOut), counts(summary(told))) == (["a.jpg"], {})
    (folder / ".momentariumignore").unlink()
    assert counts(summary(run(library, options=RETRY))) == {"uploaded": 1}


@pytest.mark.parametrize(
    ("choice", "uploaded"),
    [
        ({"exclude": ("sub/",)}, 0),
        ({"exclude": ("/sub/deep",)}, 0),
        ({"exclude": ("/deep", "photos")}, 1),
        ({"include": ("sub/",)}, 1),
        ({"include": ("/deep",)}, 0),
    ],
)
def test_what_failed_is_chosen_by_its_path_below_the_folder_that_was_named(
    library: Library, folder: Path, choice: dict[str, tuple[str, ...]], uploaded: int
) -> None:
    dated(failed(library, folder, "sub/deep/a.jpg").with_suffix(".away"))
    retry = Options(wait=False, retry_failed=True, choice=Choice(**choice))  # type: ignore[arg-type]
    assert summary(run(library, options=retry)).uploaded == uploaded


def test_what_failed_is_chosen_by_its_path_below_the_folder_that_is_named(library: Library, folder: Path) -> None:
    dated(failed(library, folder, "sub/deep/a.jpg").with_suffix(".away"))
    retry = Options(wait=False, retry_failed=True, choice=Choice(exclude=("/deep",)))
    assert counts(summary(run(library, folder / "sub", options=retry))) == {}
    assert counts(summary(run(library, folder, options=retry))) == {"uploaded": 1}


def test_of_a_folder_that_failed_what_is_ignored_is_left_out(library: Library, folder: Path) -> None:
    away = failed(library, folder, "sub/deep").with_suffix(".away")
    dated(away / "a.jpg")
    dated(away / "secret.jpg", seed=2)
    (folder / ".momentariumignore").write_text("/sub/deep/secret.jpg\n")
    told = run(library, options=RETRY)
    assert (names(told, events.Uploaded), names(told, events.LeftOut)) == (["a.jpg"], ["secret.jpg"])
    assert rows(library, "select distinct folder from files") == [("photos/sub/deep",)]


def test_what_failed_fails_again_where_an_ignore_file_above_cannot_be_read(library: Library, folder: Path) -> None:
    dated(failed(library, folder, "sub/a.jpg").with_suffix(".away"))
    (folder / ".momentariumignore").mkdir()
    told = run(library, options=RETRY)
    assert counts(summary(told)) == {"failed": 1}
    [error] = [each.error for each in told if isinstance(each, events.Failed)]
    assert error.startswith(f"{folder / '.momentariumignore'}: ")


def test_what_failed_fails_again_where_its_folder_lets_nobody_in(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = failed(library, folder, "sub/a.jpg")
    examine = os.stat

    def refusing(examined: Any, *args: Any, **options: Any) -> os.stat_result:
        if examined == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return examine(examined, *args, **options)

    monkeypatch.setattr(os, "stat", refusing)
    told = run(library, options=RETRY)
    assert [each.error for each in told if isinstance(each, events.Failed)] == ["Permission denied"]


def failed(library: Library, folder: Path, name: str) -> Path:
    """What fails in a run, until something is there with the suffix .away."""
    (folder / name).parent.mkdir(parents=True)
    path = unreadable(folder / name)
    assert summary(run(library, folder)).failed == 1
    return path
