"""A dry run: the same first pass, then what the real one would send."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.client import events
from momentarium_cli.client.imports import Options
from momentarium_cli.client.rehearsal import albums
from momentarium_cli.photos.checksum import sha256_file
from tests.client.conftest import Library
from tests.client.photos import MAY, dated, event
from tests.client.runs import counts, names, run, summary

DRY = Options(dry_run=True)
DAY = 86_400.0


def estimated(told: list[Any]) -> events.Estimated:
    [found] = [each for each in told if isinstance(each, events.Estimated)]
    return found


def test_duplicates_are_found_by_their_bytes(library: Library, folder: Path) -> None:
    first = dated(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(first.read_bytes())
    dated(folder / "c.jpg", seed=2)
    told = run(library, folder, options=DRY)
    assert counts(summary(told)) == {"pending": 2, "duplicates": 1}
    assert [(each.path.name, each.twin) for each in told if isinstance(each, events.Duplicate)] == [("b.jpg", first)]
    assert estimated(told).files == 2
    assert library.originals() == []
    assert counts(summary(run(library, folder))) == {"uploaded": 2, "duplicates": 1}


def test_duplicates_of_the_library_are_found_too(library: Library, folder: Path) -> None:
    photo = dated(folder / "a.jpg")
    run(library, folder)
    (folder / "copy.jpg").write_bytes(photo.read_bytes())
    told = run(library, folder, options=DRY)
    assert counts(summary(told)) == {"unchanged": 1, "duplicates": 1}
    assert (estimated(told).files, estimated(told).bytes) == (0, 0)
    photo.touch()
    assert counts(summary(run(library, folder, options=DRY))) == {"unchanged": 1, "duplicates": 1}


def test_only_files_of_equal_size_are_read(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = dated(folder / "a.jpg")
    (folder / "same.jpg").write_bytes(photo.read_bytes()[:-1] + b"x")
    (folder / "longer.jpg").write_bytes(photo.read_bytes() + b"x")
    read: list[str] = []

    def reading(path: Path) -> str:
        read.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr("momentarium_cli.client.rehearsal.sha256_file", reading)
    run(library, folder, options=DRY)
    assert sorted(read) == ["a.jpg", "same.jpg"]


def test_what_vanishes_meanwhile_is_left_to_the_real_run(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = dated(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(photo.read_bytes())
    with library.open() as momentarium:
        told = []
        for each in momentarium.events([folder], options=DRY):
            told.append(each)
            if isinstance(each, events.Planned):
                photo.unlink()
    assert counts(summary(told)) == {"pending": 2}


def test_the_time_is_told_by_the_speed_of_earlier_runs(library: Library, folder: Path) -> None:
    event(folder / "may", 3)
    assert estimated(run(library, folder, options=DRY)).seconds is None
    run(library, folder)
    event(folder / "july", 3, begins=MAY.replace(month=7), seed=7)
    seconds = estimated(run(library, folder, options=DRY)).seconds
    assert seconds is not None
    assert 0 < seconds < 60


def test_albums_are_about_those_that_come(library: Library, folder: Path) -> None:
    event(folder / "may", 6)
    event(folder / "july", 6, begins=MAY.replace(month=7), seed=7)
    about = estimated(run(library, folder, options=DRY)).albums
    with library.working():
        made = summary(run(library, folder, options=Options()))
    assert about == len(made.albums) == 2


@pytest.mark.parametrize(("organizer", "dollars"), [("local", None), ("gemini", 3e-05), ("openai", None)])
def test_what_a_model_costs_is_told_where_one_is_asked(
    library: Library, folder: Path, organizer: str, dollars: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dated(folder / "a.jpg")
    with library.open() as momentarium:
        me = momentarium.me().model_copy(update={"organizer": organizer})
        monkeypatch.setattr(momentarium, "me", lambda: me)
        told = list(momentarium.events([folder], options=DRY))
    assert estimated(told).dollars == (dollars and pytest.approx(dollars))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], 0),
        ([0.0] * 3, 1),
        ([0, DAY, 2 * DAY - 1, 2 * DAY, 3 * DAY], 1),
        ([0.0, 5 * DAY, 10 * DAY], 1),
        ([0.0, 40 * DAY, 80 * DAY], 3),
        ([n / 10 + 100 * DAY * (n // 7) for n in range(21)], 3),
    ],
    ids=["none", "three at once", "five in days", "a month of single ones", "three months", "three events"],
)
def test_an_event_is_an_album_and_so_is_a_month_of_what_is_none(times: list[float], expected: int) -> None:
    assert albums(times) == expected


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 2e9), max_size=60).map(sorted))
def test_there_are_never_more_albums_than_photos(times: list[float]) -> None:
    assert albums(times) <= len(times)
    assert (albums(times) == 0) == (not times)


def test_a_dry_run_that_is_stopped_ends(library: Library, folder: Path) -> None:
    event(folder, 5, begins=MAY + timedelta(days=1))
    with library.open() as momentarium:
        told = []
        for each in momentarium.events([folder], options=DRY):
            told.append(each)
            momentarium.stop.set()
    assert names(told, events.Uploaded) == []
    assert summary(told).pending == summary(told).found
