import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as StopEvent
from threading import Timer
from typing import Any
from uuid import UUID, uuid4

import pytest

from momentarium_cli.client import events
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Options
from momentarium_cli.client.open_import import IfHeld
from momentarium_cli.client.plan import Plan
from momentarium_cli.client.send import Sender
from momentarium_cli.errors import InsufficientStorage, LockHeld, NothingUsable, Stopped
from momentarium_cli.models import JobState, UploadFile, UploadSlot
from tests.client.conftest import Library
from tests.client.photos import MAY, dated, event
from tests.client.runs import QUICK, counts, run, summary


def messy(folder: Path) -> None:
    event(folder / "may", 4)
    event(folder / "july", 3, begins=MAY.replace(month=7), seed=7)
    (folder / "twin.jpg").write_bytes((folder / "may" / "0501-000.jpg").read_bytes())
    (folder / "film.mov").write_bytes(b"x")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("this is no photo, whatever its name says")
    (folder / "gone.jpg").symlink_to(folder / "nowhere")


def test_every_file_is_in_exactly_one_count(library: Library, folder: Path) -> None:
    messy(folder)
    assert counts(summary(run(library, folder))) == {"uploaded": 7, "duplicates": 1, "skipped": 3, "failed": 1}


def test_a_second_run_has_nothing_to_do(library: Library, folder: Path) -> None:
    messy(folder)
    run(library, folder)
    told = run(library, folder)
    assert counts(summary(told)) == {"unchanged": 8, "skipped": 3, "failed": 1}
    assert Counter(type(each) for each in told)[events.Found] == 0


def test_jobs_and_albums_are_in_the_summary(library: Library, folder: Path) -> None:
    event(folder, 4)
    event(folder, 3, begins=MAY.replace(month=7), seed=7)
    with library.working():
        ended = summary(run(library, folder, options=Options()))
    assert [job.status for job in ended.jobs] == [JobState.COMPLETED]
    assert [(album.title, album.photos) for album in ended.albums] == [("1 May 2024", 4), ("1 July 2024", 3)]


def test_the_first_albums_are_there_while_the_rest_uploads(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plan.next_batch, "__defaults__", (4,))
    event(folder, 4)
    *_, last = event(folder, 4, begins=MAY.replace(month=7), seed=7)
    told: list[Event] = []
    ready = StopEvent()
    real = Sender.send

    def send(self: Sender, path: Path, *rest: Any) -> None:
        if path == last:
            ready.wait(60)
        real(self, path, *rest)

    monkeypatch.setattr(Sender, "send", send)
    with library.working(), library.open() as momentarium:
        for each in momentarium.events([folder], options=Options()):
            told.append(each)
            if isinstance(each, events.Albums):
                ready.set()
    kinds = [type(each) for each in told]
    assert kinds.index(events.Albums) < len(kinds) - 1 - kinds[::-1].index(events.Uploaded)
    [first] = [each for each in told if isinstance(each, events.Albums)]
    assert [album.title for album in first.albums] == ["1 May 2024"]
    assert [album.title for album in summary(told).albums] == ["1 May 2024", "1 July 2024"]


def test_a_dry_run_sends_nothing_and_plans_what_the_real_one_does(library: Library, folder: Path) -> None:
    messy(folder)
    planned = [each for each in run(library, folder, options=Options(dry_run=True)) if isinstance(each, events.Planned)]
    assert library.originals() == []
    told = run(library, folder)
    assert [each for each in told if isinstance(each, events.Planned)] == planned
    ended = summary(told)
    assert planned[0].files == ended.uploaded + ended.duplicates


def test_a_stop_leaves_the_rest_pending_and_the_next_run_finishes(library: Library, folder: Path) -> None:
    photos = event(folder, 50)
    with library.open() as momentarium:
        told = []
        for each in momentarium.events([folder], options=QUICK):
            told.append(each)
            if isinstance(each, events.Uploaded):
                momentarium.stop.set()
    first = summary(told)
    assert first.uploaded
    assert first.pending
    assert first.found == 50
    told = run(library, folder)
    second = summary(told)
    assert counts(second) == {"uploaded": 50 - first.uploaded, "unchanged": first.uploaded}
    assert second.import_id == first.import_id
    assert len(library.originals()) == len(photos)
    assert sum(each.photos for each in told if isinstance(each, events.JobStarted)) == 50


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next(library: Library, folder: Path, seed: int) -> None:
    messy(folder)
    chance = random.Random(seed)
    for _ in range(3):
        with pytest.raises(Killed), library.open() as momentarium:
            for number, each in enumerate(momentarium.events([folder], options=QUICK)):
                if isinstance(each, Summary) or number == chance.randrange(1, 40):
                    raise Killed
    told = run(library, folder)
    ended = summary(told)
    assert ended.found == 12
    assert (ended.failed, ended.skipped, ended.pending) == (1, 3, 0)
    assert len(library.originals()) == 7
    with library.working(), library.open() as momentarium:
        momentarium.wait([job.id for job in momentarium.api.jobs()], timeout=60)
        shown = [photo.sha256 for album in momentarium.gallery() for photo in momentarium.album(album.id)[1]]
    assert len(shown) == len(set(shown)) == 7


def test_an_original_that_the_store_loses_counts_once(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(folder, 3)
    with library.open() as momentarium:
        real = momentarium.api.process

        def process(*arguments: Any) -> Any:
            if len(library.originals()) == 3:
                library.originals()[0].unlink()
            return real(*arguments)

        monkeypatch.setattr(momentarium.api, "process", process)
        ended = summary(list(momentarium.events([folder], options=QUICK)))
    assert counts(ended) == {"uploaded": 2, "failed": 1}
    assert counts(summary(run(library, folder))) == {"uploaded": 1, "unchanged": 2}


def test_a_photo_that_was_removed_before_it_was_sent_is_nobodys_business(library: Library, folder: Path) -> None:
    photos = event(folder, 3)
    with library.open() as momentarium:
        for each in momentarium.events([folder], options=QUICK):
            if isinstance(each, events.Planned):
                momentarium.stop.set()
    photos[0].unlink()
    assert counts(summary(run(library, folder))) == {"uploaded": 2}


def test_another_folder_goes_on_with_what_the_first_one_began(library: Library, tmp_path: Path) -> None:
    event(tmp_path / "one", 40)
    event(tmp_path / "two", 3, begins=MAY.replace(month=7), seed=7)
    with library.open() as momentarium:
        for each in momentarium.events([tmp_path / "one"], options=QUICK):
            if isinstance(each, events.Uploaded):
                momentarium.stop.set()
    stored = len(library.originals())
    assert counts(summary(run(library, tmp_path / "two"))) == {"uploaded": 3}
    assert counts(summary(run(library, tmp_path / "one"))) == {"unchanged": stored, "uploaded": 40 - stored}


def test_a_photo_that_was_changed_is_uploaded_as_it_is_now(library: Library, folder: Path) -> None:
    dated(folder / "a.jpg")
    run(library, folder)
    dated(folder / "a.jpg", seed=2)
    assert counts(summary(run(library, folder))) == {"uploaded": 1}
    assert len(library.originals()) == 2, "originals are never overwritten"


def test_a_photo_that_was_moved_is_a_duplicate(library: Library, folder: Path) -> None:
    dated(folder / "a.jpg").rename(folder / "b.jpg")
    run(library, folder)
    (folder / "b.jpg").rename(folder / "c.jpg")
    assert counts(summary(run(library, folder))) == {"duplicates": 1}


def test_two_at_once_are_not_allowed_and_the_holder_is_named(library: Library, folder: Path) -> None:
    event(folder, 2)
    named = pytest.raises(LockHeld, match=r"momentarium upload .*photos, pid")
    with library.open() as first, first.open_import([folder]), library.open() as second, named:
        list(second.events([folder]))
    assert counts(summary(run(library, folder))) == {"uploaded": 2}


def test_waiting_for_the_other_one_can_be_stopped(library: Library, folder: Path) -> None:
    with library.open() as first, first.open_import([folder]), library.open() as second:
        Timer(0.3, second.stop.set).start()
        with pytest.raises(Stopped, match="nothing was done"):
            list(second.events([folder], if_held=IfHeld.WAIT))


def test_nothing_there_is_an_error(library: Library, folder: Path) -> None:
    with pytest.raises(NothingUsable):
        run(library, folder / "nowhere")


def test_a_store_that_is_too_small_is_told_before_the_first_byte(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(folder, 2)
    with library.open() as momentarium:
        me = momentarium.api.me().model_copy(update={"storage_free_bytes": 1000})
        monkeypatch.setattr(momentarium, "me", lambda: me)
        with pytest.raises(InsufficientStorage, match=r"MB left.*Free some space"):
            list(momentarium.events([folder]))
    assert library.originals() == []


def test_each_library_has_a_journal_of_its_own(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was set up anew is another library: what the journal of the old one says does not count."""
    event(folder, 2)
    run(library, folder)
    with library.open() as momentarium:
        me = momentarium.me().model_copy(update={"library_id": uuid4()})
        monkeypatch.setattr(momentarium, "me", lambda: me)
        told = list(momentarium.events([folder], options=QUICK))
    assert counts(summary(told)) == {"duplicates": 2}


def test_a_store_of_several_regions_is_asked_for_the_nearest(
    library: Library, folder: Path, unused_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(folder, 2)
    asked: list[str | None] = []
    with library.open() as momentarium:
        me = momentarium.me().model_copy(update={"regions": {"away": unused_url, "here": library.server.url}})
        real = momentarium.api.generate_urls

        def generate_urls(files: Sequence[UploadFile], import_id: UUID, region: str | None) -> list[UploadSlot]:
            asked.append(region)
            return real(files, import_id)

        monkeypatch.setattr(momentarium, "me", lambda: me)
        monkeypatch.setattr(momentarium.api, "generate_urls", generate_urls)
        told = list(momentarium.events([folder], options=QUICK))
    assert counts(summary(told)) == {"uploaded": 2}
    assert set(asked) == {"here"}


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("momentarium_cli.client.retries._FIRST_DELAY_SECONDS", 0.01)
    yield
