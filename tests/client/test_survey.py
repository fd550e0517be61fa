import os
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from threading import Event as StopEvent

from momentarium_cli.client import events
from momentarium_cli.client.events import Event
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.survey import Survey
from momentarium_cli.photos.decode import Decoder
from momentarium_cli.photos.metadata import Described
from tests.client.journals import metadata_of, waiting
from tests.client.photos import dated, event


def survey(paths: Sequence[Path], journal: Journal, decoder: Decoder) -> list[Event]:
    return list(Survey(paths, journal, decoder, StopEvent()).events())


class Vanishing(Decoder):
    """Files are gone before they are read."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def describe(self, files: Sequence[tuple[Path, int]]) -> "Future[list[Described | Exception]]":
        for path, _ in files:
            path.unlink()
        return self._decoder.describe(files)


def names(told: list[Event], kind: type[Event]) -> list[str]:
    return [each.path.name for each in told if isinstance(each, kind)]  # type: ignore[attr-defined]


def test_photos_are_described_into_the_journal(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    event(tmp_path / "may", 3)
    told = survey([tmp_path / "may"], journal, decoder)
    assert names(told, events.Found) == ["0501-000.jpg", "0501-001.jpg", "0501-002.jpg"]
    files = waiting(journal)
    taken = [metadata_of(file).taken_at for file in files]
    assert [at.minute for at in taken if at] == [0, 10, 20]
    assert {(file.content_type, file.folder) for file in files} == {("image/jpeg", "may")}


def test_many_photos_are_described_in_many_tasks(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    photo = dated(tmp_path / "first.jpg").read_bytes()
    for number in range(300):
        (tmp_path / f"{number:03}.jpg").write_bytes(photo)
    assert len(names(survey([tmp_path], journal, decoder), events.Found)) == 301
    assert len(waiting(journal)) == 301


def test_what_is_dealt_with_is_unchanged(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    dated(tmp_path / "a.jpg")
    survey([tmp_path], journal, decoder)
    journal.duplicate(waiting(journal)[0].id, "ab" * 32)
    assert names(survey([tmp_path], journal, decoder), events.Unchanged) == ["a.jpg"]
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    assert names(survey([tmp_path], journal, decoder), events.Found) == ["a.jpg"]


def test_what_is_known_is_not_read_again(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    dated(tmp_path / "a.jpg")
    survey([tmp_path], journal, decoder)
    before = (tmp_path / "a.jpg").stat().st_mtime_ns
    os.utime(tmp_path / "a.jpg", ns=(1, before))
    with closing(Journal(journal.path)):
        pass
    known = waiting(journal)
    survey([tmp_path], journal, decoder)
    assert len(known) == len(waiting(journal)) == 1


def test_a_text_named_as_a_photo_is_skipped_now_and_later(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    (tmp_path / "a.jpg").write_text("no photo at all, whatever its name says")
    for _ in range(2):
        told = survey([tmp_path], journal, decoder)
        assert names(told, events.Skipped) == ["a.jpg"]
    assert names(told, events.Found) == [], "the second time it is not read"


def test_a_file_that_vanishes_while_it_is_read_fails(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    dated(tmp_path / "a.jpg")
    survey = Survey([tmp_path], journal, Vanishing(decoder), StopEvent())
    told = list(survey.events())
    assert names(told, events.Failed) == ["a.jpg"]
    assert names(told, events.Found) == []
    assert waiting(journal) == []


def test_a_dangling_link_fails_and_a_folder_of_junk_is_left_out(
    tmp_path: Path, journal: Journal, decoder: Decoder
) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "nowhere")
    dated(tmp_path / ".thumbnails" / "b.jpg")
    told = survey([tmp_path], journal, decoder)
    assert names(told, events.Failed) == ["a.jpg"]
    assert names(told, events.LeftOut) == [".thumbnails"]


def test_a_stop_ends_it_and_keeps_what_was_seen(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    photo = dated(tmp_path / "first.jpg").read_bytes()
    for number in range(1000):
        (tmp_path / f"{number:03}.jpg").write_bytes(photo)
    stop = StopEvent()
    told = []
    for each in Survey([tmp_path], journal, decoder, stop).events():
        told.append(each)
        stop.set()
    assert 0 < len(told) < 1000
    assert len(waiting(journal)) == len(told)


def test_folders_are_told_from_the_named_one_on(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    dated(tmp_path / "secret" / "trips" / "rome" / "a.jpg")
    dated(tmp_path / "secret" / "one.jpg", seed=2)
    survey([tmp_path / "secret" / "trips", tmp_path / "secret" / "one.jpg"], journal, decoder)
    assert {file.filename: file.folder for file in waiting(journal)} == {"a.jpg": "trips/rome", "one.jpg": "secret"}


def test_names_that_are_not_utf8_are_kept_as_text(tmp_path: Path, journal: Journal, decoder: Decoder) -> None:
    dated(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")))
    survey([tmp_path], journal, decoder)
    [file] = waiting(journal)
    assert file.filename == "�.jpg"
    assert file.path.exists()
