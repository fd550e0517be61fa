import time
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.base import ExistingAlbum, Home, Organizer, Photo, Proposal
from momentarium_cli.backend.organize.events import split
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.order import instant
from momentarium_cli.models import AlbumKind, AlbumLevel
from tests.backend.organize.photos import LISBON, PORTO, SINTRA, album, burst, photo
from tests.contracts.organizer import OrganizerContract


class TestLocalOrganizer(OrganizerContract):
    @pytest.fixture
    def organizer(self) -> Organizer:
        return LocalOrganizer()


def organize(photos: list[Photo], *existing: ExistingAlbum) -> list[Proposal]:
    return list(LocalOrganizer().organize(photos, existing))


def summary(proposals: list[Proposal]) -> list[tuple[AlbumKind, str, int]]:
    return [(proposal.kind, proposal.title, len(proposal.photo_ids)) for proposal in proposals]


def test_a_library_becomes_events_everyday_undated_and_screenshots() -> None:
    photos = [
        *burst("2024-05-12T10:00", 6, LISBON),
        photo("2024-06-20T12:00"),
        photo("2024-06-29T12:00"),
        photo("2024-08-29T12:00"),
        photo(None),
        photo("2024-05-12T11:00", filename="Screenshot_20240512-110000.png", camera=None),
        photo(None, filename="Bildschirmfoto 2024-05-12.png", camera=None),
    ]
    assert summary(organize(photos)) == [
        (AlbumKind.EVENT, "Lisbon, 12 May 2024", 6),
        (AlbumKind.EVERYDAY, "Everyday, 2024", 3),
        (AlbumKind.UNDATED, "Undated", 1),
        (AlbumKind.SCREENSHOTS, "Screenshots", 2),
    ]


def test_an_event_says_where_it_was_and_how_long() -> None:
    photos = [*burst("2024-05-12T10:00", 10, LISBON), *burst("2024-05-14T10:00", 4, SINTRA)]
    [proposal] = organize(photos)
    assert proposal.title == "Lisbon, 12–14 May 2024"
    assert proposal.theme_description == "14 photos over 3 days, all in Lisbon and Sintra, Portugal."
    assert proposal.place == "Lisbon, Portugal"


def test_two_events_of_one_day_and_place_have_titles_of_their_own() -> None:
    home = [Home(*LISBON, date(2024, 1, 1), date(2024, 12, 31))]
    photos = [*burst("2024-05-12T00:10", 12, LISBON), *burst("2024-05-12T20:00", 12, LISBON)]
    titles = [proposal.title for proposal in LocalOrganizer().organize(photos, [], home)]
    assert titles == ["Lisbon, 12 May 2024", "Lisbon, 12 May 2024, 20:00"]


def test_albums_speak_the_language_of_their_user() -> None:
    photos = [*burst("2024-05-11T10:00", 5, LISBON), *burst("2024-05-12T10:00", 5, LISBON), photo(None)]
    event, undated = LocalOrganizer("de").organize(photos, [])
    assert event.title == "Wochenende in Lisbon, 11.–12. Mai 2024"
    assert (event.place, event.theme_description) == ("Lisbon, Portugal", "10 Fotos, 2 Tage: Lisbon, Portugal")
    assert undated.title == "Ohne Datum"


def test_albums_are_chapters_or_trips_where_their_user_wishes() -> None:
    days = [burst(f"2024-05-{day}T10:00", 6, where) for day, where in ((11, LISBON), (12, SINTRA), (14, LISBON))]
    later = burst("2024-05-17T10:00", 7, PORTO)
    photos = [*(photo for day in days for photo in day), *later, photo("2024-05-25T10:00")]

    def titles(level: AlbumLevel) -> list[str]:
        return [proposal.title for proposal in LocalOrganizer().organize(photos, [], (), level)]

    assert titles(AlbumLevel.CHAPTERS) == [
        "Lisbon, 11 May 2024",
        "Sintra, 12 May 2024",
        "Lisbon, 14 May 2024",
        "Porto, 17 May 2024",
        "Everyday, May 2024",
    ]
    assert titles(AlbumLevel.ALBUMS) == ["Lisbon, 11–14 May 2024", "Porto, 17 May 2024", "Everyday, May 2024"]
    assert titles(AlbumLevel.TRIPS) == ["Lisbon & Porto, 11–17 May 2024", "Everyday, May 2024"]


def test_a_folder_that_a_person_named_makes_an_event_of_a_few_photos() -> None:
    photos = [photo(f"2024-05-{day}T10:00", source_folder="Anna's wedding/DCIM") for day in (10, 12, 14)]
    assert summary(organize(photos)) == [(AlbumKind.EVENT, "Anna's wedding, 10–14 May 2024", 3)]


def test_two_photos_are_everyday_even_of_one_hour() -> None:
    assert summary(organize(burst("2024-05-12T10:00", 2))) == [(AlbumKind.EVERYDAY, "Everyday, May 2024", 2)]


def test_a_month_has_an_everyday_album_for_five_photos_or_for_several_of_one_time() -> None:
    photos = [
        *(photo(f"2024-03-{day:02}T10:00") for day in (1, 6, 11, 16, 21)),
        *(photo(f"2024-04-{day:02}T10:00") for day in (1, 8, 15, 22)),
        *burst("2024-05-12T10:00", 2),
        photo("2024-06-12T10:00"),
        photo("2025-06-12T10:00"),
    ]
    assert {(title, count) for _, title, count in summary(organize(photos))} == {
        ("Everyday, March 2024", 5),
        ("Everyday, May 2024", 2),
        ("Everyday, 2024", 5),
        ("Everyday, June 2025", 1),
    }


def test_everyday_goes_by_the_local_month() -> None:
    [found] = organize([photo("2024-06-01T01:00", taken_sort=datetime.fromisoformat("2024-05-31T15:00+00:00"))])
    assert found.title == "Everyday, June 2024"


def test_photos_are_shown_by_time_then_name_and_undated_ones_by_folder_then_name() -> None:
    at = "2024-05-12T10:00"
    events = [photo(at, filename="b"), photo(at, filename="a"), photo("2024-05-12T09:00", filename="c")]
    [event] = organize(events)
    assert event.photo_ids == (events[2].id, events[1].id, events[0].id)
    undated = [photo(None, source_folder="z", filename="a"), photo(None, filename="c"), photo(None, filename="b")]
    assert organize(undated)[0].photo_ids == (undated[2].id, undated[1].id, undated[0].id)


def test_a_later_job_adds_to_the_event_and_describes_the_whole() -> None:
    held = burst("2024-05-12T10:00", 6, LISBON)
    [proposal] = organize(burst("2024-05-14T10:00", 2, LISBON), album(7, held))
    assert (proposal.album_id, proposal.title) == (7, "Lisbon, 12–14 May 2024")
    assert proposal.theme_description.startswith("8 photos over 3 days")
    assert proposal.cover_id in {photo.id for photo in held}


def test_new_photos_join_the_album_with_most_photos_near_them_then_the_nearest() -> None:
    new = burst("2024-05-13T10:00", 3)
    large, small = album(2, burst("2024-05-12T10:00", 6)), album(1, burst("2024-05-13T09:00", 5, minutes=1))
    assert organize(new, large, small)[0].album_id == 2
    even = album(1, burst("2024-05-13T09:00", 6, minutes=1))
    assert organize(new, large, even)[0].album_id == 1


def test_photos_between_two_events_of_one_album_are_one_proposal() -> None:
    held = [*burst("2024-05-01T10:00", 6), *burst("2024-05-20T10:00", 6)]
    new = [*burst("2024-05-02T10:00", 2), *burst("2024-05-21T10:00", 2)]
    [proposal] = organize(new, album(7, held))
    assert proposal.photo_ids == tuple(photo.id for photo in new)


def test_everyday_undated_and_screenshots_continue_their_albums() -> None:
    existing = [
        album(1, [photo("2024-04-30T10:00")], AlbumKind.EVERYDAY),
        album(2, [photo("2024-05-02T10:00")], AlbumKind.EVERYDAY),
        album(3, [photo(None)], AlbumKind.UNDATED),
        album(4, [photo(None, filename="Screenshot_1.png")], AlbumKind.SCREENSHOTS),
    ]
    new = [photo("2024-05-01T10:00"), photo(None), photo(None, filename="Screenshot_2.png")]
    assert [proposal.album_id for proposal in organize(new, *existing)] == [2, 3, 4]


def test_an_event_that_began_as_everyday_opens_an_album_for_its_new_photos() -> None:
    everyday = album(1, burst("2024-05-12T10:00", 2), AlbumKind.EVERYDAY)
    new = burst("2024-05-12T12:00", 4)
    [proposal] = organize(new, everyday)
    assert (proposal.kind, proposal.album_id, len(proposal.photo_ids)) == (AlbumKind.EVENT, None, 4)


def test_events_far_away_and_albums_without_photos_are_left_alone() -> None:
    existing = [album(1, burst("2024-04-12T10:00", 6)), album(2, []), album(3, [], AlbumKind.EVERYDAY)]
    assert [proposal.album_id for proposal in organize(burst("2024-05-12T10:00", 6), *existing)] == [None]


def test_the_order_of_the_input_changes_nothing() -> None:
    photos = [*burst("2024-05-12T10:00", 9, LISBON), *burst("2024-06-12T10:00", 2), photo(None), photo(None)]
    assert organize(photos) == organize(photos[::-1])


def test_a_name_that_no_file_system_should_have_makes_a_title_that_every_terminal_can_print() -> None:
    photos = burst("2024-05-12T10:00", 5, source_folder="Anna\ud83d\udce9's\n\x1b[2Jwedding\u202e " + "x" * 200)
    [proposal] = organize(photos)
    assert proposal.title.startswith("Anna's [2Jwedding xxx")
    assert proposal.title.endswith("…, 12 May 2024")
    assert len(proposal.title) == 80


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    hours=st.lists(st.sampled_from([0, 1, 5, 20, 25, 30, 50, 95, 96, 200]), min_size=1, max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=3),
)
def test_an_import_cut_into_batches_never_doubles_an_event(hours: list[int], cuts: list[int]) -> None:
    times = [datetime(2024, 5, 1)]
    for gap in hours:
        times.append(times[-1] + timedelta(hours=gap))
    photos = [photo(at) for at in times]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(photos)), len(photos)]
    existing: list[ExistingAlbum] = []
    for start, stop in pairwise(bounds):
        existing = applied(organize(photos[start:stop], *existing), photos, existing)
    homes = {held.id: found for found in existing for held in found.photos}
    assert Counter(held.id for found in existing for held in found.photos) == Counter(held.id for held in photos)
    for segment in split([instant(held) for held in photos]):
        events = {homes[photos[index].id].id for index in segment if homes[photos[index].id].kind is AlbumKind.EVENT}
        assert len(events) <= 1


def test_a_trip_in_three_jobs_is_the_album_that_one_job_makes() -> None:
    days = [burst(f"2024-05-{day}T10:00", 8, LISBON) for day in (10, 11, 12, 13)]
    photos = [one for day in days for one in day]
    existing: list[ExistingAlbum] = []
    for part in (photos[:5], photos[5:20], photos[20:]):
        existing = applied(organize(part, *existing), photos, existing)
    [whole] = organize(photos)
    assert [(found.title, {held.id for held in found.photos}) for found in existing] == [
        (whole.title, set(whole.photo_ids))
    ]


def applied(proposals: list[Proposal], photos: list[Photo], existing: list[ExistingAlbum]) -> list[ExistingAlbum]:
    """The albums after a job, as the backend would write them."""
    by_id = {one.id: one for one in photos}
    albums = {found.id: found for found in existing}
    for proposal in proposals:
        key = proposal.album_id or len(albums) + 1
        held = albums[key].photos if key in albums else ()
        new = tuple(by_id[key] for key in proposal.photo_ids)
        albums[key] = ExistingAlbum(key, proposal.kind, proposal.title, False, (*held, *new))
    return list(albums.values())


def test_a_hundred_thousand_photos_take_seconds() -> None:
    first = datetime(2010, 1, 1)
    photos = [
        photo(first + timedelta(hours=index % 7 + index * 0.9), (38 + index % 997 / 500, -9 + index % 499 / 300))
        for index in range(100_000)
    ]
    started = time.process_time()
    proposals = organize(photos)
    assert sum(len(proposal.photo_ids) for proposal in proposals) == 100_000
    assert time.process_time() - started < 10


def test_a_long_album_has_chapters_and_the_albums_of_a_stretch_are_a_trip() -> None:
    days = [burst(f"2024-05-{day}T10:00", 8, LISBON) for day in (10, 11, 12)]
    later = burst("2024-05-15T20:00", 20, PORTO)
    first, second = organize([*(one for day in days for one in day), *later])
    assert first.chapter_ids == (days[1][0].id, days[2][0].id)
    assert first.trip == second.trip
    assert first.trip is not None
    assert first.trip.title == "Lisbon & Porto, 10–15 May 2024"
    assert organize(later)[0].trip is None
