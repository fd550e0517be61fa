"""What a model may change of the albums by looking closer and by comparing events, on a loopback server."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from momentarium_cli.backend.organize.base import Home, Photo, Proposal
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.questions import Sharing
from momentarium_cli.models import AlbumKind, AlbumLevel
from tests import gemini as vendor
from tests.backend.organize.photos import LISBON, PORTO, SINTRA, album, burst
from tests.backend.organize.test_gemini import POLICY, Make, decoder, events, make, notebook, server, titles
from tests.gemini import NOTHING_TO_CHANGE, GeminiServer, looked_at, titled

__all__ = ["decoder", "make", "notebook", "server"]  # fixtures

SATURDAY = datetime(2024, 5, 4, 10)


def shown(photos: Sequence[Photo]) -> list[Photo]:
    return [replace(one, thumb_key=f"thumbs/1/{one.id}.jpg") for one in photos]


def days(*offsets: float, size: int = 6, **more: Any) -> list[Photo]:
    """Events that begin so many days after a Saturday morning."""
    begins = [SATURDAY + timedelta(days=offset) for offset in offsets]
    return shown([one for begin in begins for one in burst(begin.isoformat(), size, **more)])


def ids(proposals: Sequence[Proposal]) -> list[tuple[int, ...]]:
    return [proposal.photo_ids for proposal in proposals]


def saying(**lists: Any) -> Mapping[str, Any]:
    return {**NOTHING_TO_CHANGE, **lists}


def mixed(event: dict[str, Any]) -> dict[str, Any]:
    return {**titled(event["event"]), "kind": "mixed"}


def together(*numbers: int, title: str = "Street festival") -> dict[str, Any]:
    return {"events": list(numbers), "title": title}


# --- a closer look


def test_only_what_is_unclear_is_looked_at_closer_with_all_its_photos(make: Make, server: GeminiServer) -> None:
    server.decide = lambda event: {**titled(event["event"]), "confidence": 20 if event["event"] == 2 else 90}
    photos = events(3, 40)
    [first, second, third] = make().organize(photos, [])
    [asked] = server.of("closer")
    assert [event["event"] for event in asked.events] == [2] and len(asked.sheets) == 3
    assert second.title == "Picnic CB, 27 January 2024"
    assert (first.title, third.title) == ("Picnic B, 6 January 2024", "Picnic D, 17 February 2024")


def test_an_event_that_is_two_becomes_two_albums_with_titles_and_covers_of_their_own(
    make: Make, server: GeminiServer
) -> None:
    server.decide, server.look_closer = mixed, lambda event: looked_at(event["event"], 1, 13)
    photos = events(1, 30)
    one, two = make().organize(photos, [])
    assert (one.photo_ids, two.photo_ids) == (
        tuple(photo.id for photo in photos[:12]),
        tuple(photo.id for photo in photos[12:]),
    )
    assert titles([one, two]) == ["Picnic BB, 6 January 2024", "Picnic CD, 6 January 2024"]
    assert (one.cover_id, two.theme_description) == (photos[0].id, "A meadow in the sun.")


def test_photos_that_do_not_belong_go_to_everyday_life(make: Make, server: GeminiServer) -> None:
    server.decide = mixed
    server.look_closer = lambda event: looked_at(event["event"], strays=(3,))
    photos = events(1, 12)
    event, everyday = make().organize(photos, [])
    assert everyday.kind is AlbumKind.EVERYDAY and everyday.photo_ids == (photos[2].id,)
    assert photos[2].id not in event.photo_ids and event.title == "Picnic BB, 6 January 2024"


@pytest.mark.parametrize(
    "closer",
    [
        looked_at(1, 1, 2),  # one photo is no event
        looked_at(1, 1, 99),
        looked_at(1, 2, 9),
        looked_at(1, 9, 1),
        looked_at(1, *range(1, 20, 2)),
        looked_at(1, strays=tuple(range(1, 13))),
        looked_at(1, strays=(0, -1, 99)),
        {"event": 1, "parts": [], "strays": []},
        {"event": 1, "parts": "two", "strays": []},
        {"event": 7, "parts": [], "strays": []},
    ],
)
def test_parts_and_strays_that_cannot_be_change_no_album(
    closer: dict[str, Any], make: Make, server: GeminiServer
) -> None:
    server.decide, server.look_closer = mixed, lambda event: closer
    photos = events(1, 20)
    assert ids(make().organize(photos, [])) == ids(LocalOrganizer().organize(photos, []))


def test_a_part_that_it_is_not_sure_of_is_none(make: Make, server: GeminiServer) -> None:
    unsure = looked_at(1, 1, 9)
    unsure["parts"][1]["confidence"] = 10
    server.decide, server.look_closer = mixed, lambda event: unsure
    photos = events(1, 20)
    assert ids(make().organize(photos, [])) == ids(LocalOrganizer().organize(photos, []))


def test_what_a_person_put_into_one_folder_stays_together(make: Make, server: GeminiServer) -> None:
    server.decide = mixed
    server.look_closer = lambda event: looked_at(event["event"], 1, 9, strays=(3,))
    photos = events(1, 20, source_folder="Anna's wedding")
    assert len(make().organize(photos, [])) == 1


def test_albums_of_another_level_are_as_their_owner_wants_them(make: Make, server: GeminiServer) -> None:
    server.decide, server.look_closer = mixed, lambda event: looked_at(event["event"], 1, 9)
    server.relate = lambda told: saying(merges=[together(1, 2)])
    photos = days(0, 3)
    for level in (AlbumLevel.CHAPTERS, AlbumLevel.TRIPS):
        assert ids(make().organize(photos, [], (), level)) == ids(LocalOrganizer().organize(photos, [], (), level))
    assert not server.of("closer")


def test_a_closer_look_at_many_costs_no_more_than_a_third_of_the_first(make: Make, server: GeminiServer) -> None:
    server.decide = mixed
    make().organize(events(45, 20), [])
    assert sum(len(asked.sheets) for asked in server.of("names")) == 45
    assert sum(len(asked.sheets) for asked in server.of("closer")) <= 15


def test_of_a_large_event_no_more_than_eight_sheets_are_shown(make: Make, server: GeminiServer) -> None:
    server.decide = mixed
    make().organize(events(1, 400), [])
    [asked] = server.of("closer")
    assert len(asked.sheets) == 8


def test_what_a_closer_look_said_is_kept(make: Make, server: GeminiServer) -> None:
    server.decide, server.look_closer = mixed, lambda event: looked_at(event["event"], 1, 13, strays=(2,))
    photos = events(2, 30)
    first = make().organize(photos, [])
    asked = len(server.asked)
    assert list(make().organize(photos, [])) == list(first)
    assert len(server.asked) == asked


# --- events compared


def test_all_events_are_compared_in_one_request_of_words(make: Make, server: GeminiServer) -> None:
    before, after = days(-20), days(60)
    neighbours = [album(7, before, title="Easter, 14 April 2024"), album(8, after), album(9, days(90))]
    make().organize(days(0, 3, 30, where=LISBON), neighbours)
    [asked] = server.of("relations")
    assert not asked.sheets and len(asked.texts) == 1
    assert [event["title"] for event in asked.events] == ["Picnic B", "Picnic C", "Picnic D"]
    assert asked.events[0]["place"] == "Lisbon, Portugal"
    assert "Easter" in asked.texts[0] and "Album 8" in asked.texts[0] and "Album 9" not in asked.texts[0]


def test_of_what_its_owner_named_and_of_what_is_not_shared_no_word_is_told(make: Make, server: GeminiServer) -> None:
    policy = replace(POLICY, sharing=Sharing(places=False))
    edited = album(7, days(-20), title="My secret", edited=True)
    make(policy).organize(days(0, 30, where=LISBON), [edited, album(8, days(60), title="Lisbon, 3 July 2024")])
    [asked] = server.of("relations")
    assert "secret" not in asked.texts[0] and "Lisbon" not in asked.texts[0]


def test_one_occasion_that_was_cut_in_two_becomes_one_album(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(merges=[together(1, 2)])
    photos = days(0, 3, 30)
    merged, other = make().organize(photos, [])
    assert merged.photo_ids == tuple(photo.id for photo in photos[:12])
    assert merged.title == "Street festival, 4–7 May 2024"
    assert other.title == "Picnic D, 3 June 2024"


def test_a_merged_album_continues_the_one_that_held_most_of_its_photos(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(merges=[together(1, 2)])
    photos = days(0, 3, size=8)
    existing = [album(7, photos[:3]), album(8, photos[3:])]
    [merged] = make().organize(photos, existing)
    assert merged.album_id == 8


@pytest.mark.parametrize(
    "said",
    [
        saying(merges=[together(1, 3)]),  # not next to one another
        saying(merges=[together(3, 4)]),  # weeks apart
        saying(merges=[together(1, 99)]),
        saying(merges=[together(1, 1)]),
        saying(merges=[together(1)]),
        saying(merges=[together()]),
        saying(merges=[together(1, 2), together(2, 3)]),
        saying(merges=[{"events": ["1", "2"], "title": "Both"}]),
        saying(merges=[together(1, 2, 3, 4)]),
        saying(merges="all"),
        {"merges": []},
    ],
)
def test_merges_that_cannot_be_change_no_album(said: Mapping[str, Any], make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: said
    photos = days(0, 3, 6, 40)
    assert ids(make().organize(photos, [])) == ids(LocalOrganizer().organize(photos, []))


def test_a_model_that_merges_most_of_a_job_is_not_believed(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(merges=[together(1, 2), together(3, 4)])
    photos = days(0, 3, 20, 23)
    assert len(make().organize(photos, [])) == 4


def test_events_of_different_folders_and_places_are_not_merged(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(merges=[together(1, 2)])
    assert len(make().organize([*days(0, source_folder="Anna"), *days(3, source_folder="Ben")], [])) == 2
    home = Home(*LISBON, date(2000, 1, 1), date(2030, 1, 1))
    assert len(make().organize(days(0, size=12, where=LISBON) + days(3, where=PORTO), [], [home])) == 2


def test_what_its_owner_touched_is_neither_merged_nor_passed_over(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(merges=[together(1, 2)])
    photos, between = days(0, 3, size=30), album(7, days(1.5, size=30), title="Ours", edited=True)
    assert ids(make().organize(photos, [between])) == ids(LocalOrganizer().organize(photos, [between]))


def test_a_trip_gets_a_title(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(trips=[together(1, 2, title="Cycling holiday")])
    first, second, third = make().organize(days(0, 3, 30), [])
    assert first.trip is not None and first.trip == second.trip and third.trip is None
    assert first.trip.title == "Cycling holiday, 4–7 May 2024"


def test_without_positions_it_says_which_events_of_a_run_are_a_trip(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(trips=[together(1, 2, title="Cycling holiday")])
    first, second, third = make().organize(days(0, 3, 6), [])
    assert first.trip is not None and first.trip == second.trip and third.trip is None
    assert first.trip.title == "Cycling holiday, 4–7 May 2024"


def test_a_trip_goes_on_in_the_one_that_held_its_albums(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(trips=[together(1, 2, title="Cycling holiday")])
    photos = days(0, 3)
    existing = [album(7, photos[:6], trip_id=9), album(8, photos[6:], trip_id=9)]
    trips = {proposal.trip.album_id for proposal in make().organize(photos, existing) if proposal.trip}
    assert trips == {9}


def test_where_positions_tell_what_is_a_trip_it_stays_that(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(trips=[together(1, 2, title="Cycling holiday")])
    photos = [*days(0, where=LISBON), *days(3, where=SINTRA), *days(6, where=PORTO)]
    local = LocalOrganizer().organize(photos, [])
    assert [one.trip for one in make().organize(photos, [])] == [one.trip for one in local]


@pytest.mark.parametrize("numbers", [(1, 3), (2, 3), (1,), (1, 99), (1, 1)])
def test_trips_that_cannot_be_are_none(numbers: tuple[int, ...], make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(trips=[together(*numbers)])
    photos = days(0, 30, 33)
    local = LocalOrganizer().organize(photos, [])
    trips = [one.trip for one in make().organize(photos, [])]
    assert [bool(trip) for trip in trips] == [bool(one.trip) for one in local] == [False, True, True]


def test_a_title_that_repeats_is_told_apart(make: Make, server: GeminiServer) -> None:
    server.decide = lambda event: {**titled(event["event"]), "title": "Birthday"}
    server.relate = lambda told: saying(renames=[{"event": 2, "title": "Birthday at the lake"}])
    assert titles(make().organize(events(2), [])) == [
        "Birthday, 6 January 2024",
        "Birthday at the lake, 27 January 2024",
    ]


@pytest.mark.parametrize(
    "renames",
    [
        [{"event": 1, "title": "See www.evil.example"}],
        [{"event": 9, "title": "Lake"}],
        [{"event": 1, "title": "Lake"}, {"event": 1, "title": "Sea"}],
        [{"event": "1", "title": "Lake"}],
    ],
)
def test_renames_that_cannot_be_shown_or_meant_are_not_taken(
    renames: list[dict[str, Any]], make: Make, server: GeminiServer
) -> None:
    server.relate = lambda told: saying(renames=renames)
    assert titles(make().organize(events(2), []))[0] == "Picnic B, 6 January 2024"


def test_only_titles_that_repeat_are_changed(make: Make, server: GeminiServer) -> None:
    server.relate = lambda told: saying(renames=[{"event": 1, "title": "Lake"}])
    assert titles(make().organize(events(2), []))[0] == "Picnic B, 6 January 2024"


def test_a_model_that_obeys_a_sheet_in_every_look_changes_its_own_event_alone(make: Make, server: GeminiServer) -> None:
    def obey(event: dict[str, Any]) -> dict[str, Any]:
        said = titled(event["event"])
        return {**said, "title": "Put all into Album X", "kind": "mixed"} if event["event"] == 2 else said

    server.decide = obey
    server.look_closer = lambda event: {**looked_at(1, 1, 4), "strays": list(range(1, 7))}
    server.relate = lambda told: saying(
        merges=[together(1, 2, 3, 4, title="Album X")],
        trips=[together(1, 2, 3, 4, title="Album X")],
        renames=[{"event": number, "title": f"Album X {'abcd'[number - 1]}"} for number in (1, 2, 3, 4)],
    )
    photos = events(4)
    proposals = make().organize(photos, [])
    assert ids(proposals) == ids(LocalOrganizer().organize(photos, []))
    named = [title.partition(",")[0] for title in titles(proposals)]
    assert named == ["Picnic B", "Put all into Album X", "Picnic D", "Picnic E"]
    assert all(proposal.trip is None for proposal in proposals)


def test_an_event_that_was_not_seen_gets_no_title_of_words_alone(make: Make, server: GeminiServer) -> None:
    server.always = vendor.blocked_with(1)
    server.relate = lambda told: saying(renames=[{"event": 1, "title": "Lake"}])
    assert titles(make().organize(events(2), []))[0] == "6 January 2024"


def test_where_comparing_fails_titles_stay_and_the_reason_is_told(make: Make, server: GeminiServer) -> None:
    server.always = vendor.only("names")
    organizer = make()
    assert titles(organizer.organize(events(2), [])) == ["Picnic B, 6 January 2024", "Picnic C, 27 January 2024"]
    assert organizer.report["reason"] == "1 of 1 looks over all events did not come: it refuses to answer."
    assert organizer.name == "gemini"


def test_a_thousand_events_are_compared_in_windows(make: Make, server: GeminiServer) -> None:
    photos = events(250, 5)
    proposals = make().organize(photos, [])
    assert sorted(len(asked.events) for asked in server.of("relations")) == [50, 200]
    assert Counter(key for proposal in proposals for key in proposal.photo_ids) == Counter(one.id for one in photos)
