"""Same photos, any order, any batches: the same albums as one import."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.base import REACH, TIMELESS, YEAR, ExistingAlbum, Home, Photo, Proposal
from momentarium_cli.backend.organize.events import stretches
from momentarium_cli.backend.organize.everyday import MOST, undecided
from momentarium_cli.backend.organize.homes import changed, find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.order import by_time, instant
from momentarium_cli.models import AlbumKind, AlbumLevel
from tests.backend.organize.photos import LISBON, MADRID, PORTO, SINTRA, photo
from tests.backend.organize.test_clocks import journey

Album = tuple[AlbumKind, str, str, str | None, frozenset[int], int | None, frozenset[int], str | None]

# How long examples take to draw says how busy the machine is.
_LIMITS = settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


class Library:
    """Albums in memory, as the backend keeps them."""

    def __init__(self) -> None:
        self.albums: dict[int, ExistingAlbum] = {}
        self.written: dict[int, Proposal] = {}
        self.photos: dict[int, Photo] = {}
        self._trips: dict[int, str] = {}
        self._homes: list[Home] = []
        self._level = AlbumLevel.ALBUMS

    def add(self, new: Sequence[Photo]) -> None:
        self.photos.update((one.id, one) for one in new)
        homes = find_homes(spots(self.photos.values()))
        spans = list(self._spans(new, changed(self._homes, homes)))
        self._homes = homes
        near, movable = self._near(spans)
        more = undecided([*new, *movable], near)
        near, movable = self._near([*spans, *self._spans(more, [])])
        self._write(LocalOrganizer().organize([*new, *movable], near, homes, self._level))

    def regroup(self, level: AlbumLevel) -> None:
        self._level = level
        near, movable = self._near([(instant(photo(datetime(1, 1, 1))), instant(photo(datetime(9999, 1, 1))))])
        if movable:
            self._write(LocalOrganizer().organize(movable, near, self._homes, level))

    def _near(self, spans: Sequence[tuple[datetime, datetime]]) -> tuple[list[ExistingAlbum], list[Photo]]:
        near = [self._handed_out(album) for album in self.albums.values() if _is_near(album, spans)]
        movable = [
            one
            for album in near
            if album.kind in (AlbumKind.EVENT, AlbumKind.EVERYDAY) and not album.edited
            for one in album.photos
            if one.taken_at and any(since <= instant(one) <= until for since, until in spans)
        ]
        return near, movable

    def _handed_out(self, album: ExistingAlbum) -> ExistingAlbum:
        """Of an album without a time only the cover."""
        if album.kind not in TIMELESS:
            return album
        cover = tuple(one for one in album.photos if one.id == self.written[album.id].cover_id)
        return replace(album, photos=cover, more=len(album.photos) - 1)

    def _spans(self, new: Sequence[Photo], periods: Sequence[tuple[date, date]]) -> Iterator[tuple[datetime, datetime]]:
        dated = sorted((one for one in self.photos.values() if one.taken_at), key=by_time)
        ids = {one.id for one in new}
        for run in stretches([instant(one) for one in dated]):
            since, until = instant(dated[run.start]), instant(dated[run.stop - 1])
            days = (since - timedelta(days=1)).date(), (until + timedelta(days=1)).date()
            touched = any(first <= days[1] and days[0] <= last for first, last in periods)
            if touched or any(dated[index].id in ids for index in run):
                yield since, until

    def _write(self, proposals: Sequence[Proposal]) -> None:
        for proposal in proposals:
            for key in proposal.photo_ids:
                shift = proposal.clock_shifts.get(key, timedelta())
                self.photos[key] = replace(self.photos[key], clock_shift=shift)
        placed = {key for proposal in proposals for key in proposal.photo_ids}
        for key, album in self.albums.items():
            kept = tuple(one for one in album.photos if one.id not in placed)
            self.albums[key] = ExistingAlbum(key, album.kind, album.title, album.edited, kept, album.trip_id)
        for proposal in proposals:
            key = proposal.album_id or max([*self.albums, *self._trips], default=0) + 1
            kept = self.albums[key].photos if key in self.albums else ()
            held = (*kept, *(self.photos[one] for one in proposal.photo_ids))
            edited = key in self.albums and self.albums[key].edited
            trip_id = self._trip(proposal)
            self.albums[key] = ExistingAlbum(key, proposal.kind, proposal.title, edited, held, trip_id)
            self.written[key] = proposal
        self.albums = {key: album for key, album in self.albums.items() if album.photos}

    def _trip(self, proposal: Proposal) -> int | None:
        if proposal.trip is None:
            return None
        known = [key for key, title in self._trips.items() if title == proposal.trip.title]
        key = proposal.trip.album_id or (known[0] if known else 1000 + len(self._trips))
        self._trips[key] = proposal.trip.title
        return key

    def summary(self) -> set[Album]:
        """All that a user sees of the albums; not their ids."""
        return {_album(album, self.written[key]) for key, album in self.albums.items()}


def _is_near(album: ExistingAlbum, spans: Sequence[tuple[datetime, datetime]]) -> bool:
    dated = [instant(one) for one in album.photos if one.taken_at]
    if album.kind in TIMELESS:
        return True
    reach = YEAR if album.kind is AlbumKind.EVERYDAY and len(album.photos) <= MOST else REACH
    return any(min(dated) - reach <= until and max(dated) + reach >= since for since, until in spans)


def _album(album: ExistingAlbum, last: Proposal) -> Album:
    return (
        album.kind,
        album.title,
        last.theme_description,
        last.place,
        frozenset(one.id for one in album.photos),
        last.cover_id,
        frozenset(last.chapter_ids),
        last.trip.title if last.trip else None,
    )


_hours = st.lists(st.sampled_from([0, 1, 5, 13, 20, 25, 30, 50, 70, 95, 96, 200, 700, 2000]), min_size=1, max_size=80)
_places = st.lists(st.sampled_from([LISBON, SINTRA, PORTO, MADRID, None]), min_size=1, max_size=5)


def _photos(hours: Sequence[int], places: Sequence[tuple[float, float] | None]) -> list[Photo]:
    times = [datetime(2024, 5, 1)]
    for gap in hours:
        times.append(times[-1] + timedelta(hours=gap))
    made = [photo(at, places[index * len(places) // len(times)]) for index, at in enumerate(times)]
    return [*made, photo(None), photo(None), photo(None, filename="Screenshot_1.png", camera=None), *_papers()]


def _papers() -> list[Photo]:
    names = ("Scan0001.jpg", "Scan0002.jpg", "Receipt 3.jpg", "download.jpg")
    return [photo("2024-05-01T12:00", filename=name, camera=None) for name in names]


@_LIMITS
@given(hours=_hours, places=_places, data=st.data())
def test_any_order_and_any_batches_make_the_albums_of_one_import(
    hours: list[int], places: list[tuple[float, float] | None], data: st.DataObject
) -> None:
    photos = _photos(hours, places)
    once, often = Library(), Library()
    once.add(photos)
    order = data.draw(st.permutations(photos))
    cuts = data.draw(st.sets(st.integers(1, len(photos) - 1), max_size=5))
    for start, stop in pairwise([0, *sorted(cuts), len(photos)]):
        often.add(order[start:stop])
    assert often.summary() == once.summary()


@_LIMITS
@given(hours=_hours, data=st.data())
def test_an_album_that_its_owner_touched_keeps_its_photos_and_its_title(hours: list[int], data: st.DataObject) -> None:
    photos = _photos(hours, [LISBON])
    library = Library()
    order = data.draw(st.permutations(photos))
    cut = data.draw(st.integers(1, len(photos) - 1))
    library.add(order[:cut])
    key = data.draw(st.sampled_from(sorted(library.albums)))
    album = library.albums[key]
    library.albums[key] = ExistingAlbum(key, album.kind, "Ours", True, album.photos, album.trip_id)
    library.add(order[cut:])
    after = library.albums[key]
    assert after.title == "Ours"
    assert {one.id for one in album.photos} <= {one.id for one in after.photos}
    assert sorted(one.id for found in library.albums.values() for one in found.photos) == sorted(
        one.id for one in photos
    )


_levels = st.sampled_from(list(AlbumLevel))


@_LIMITS
@given(hours=_hours, places=_places, levels=st.lists(_levels, min_size=1, max_size=3), data=st.data())
def test_regrouped_between_imports_or_at_last_the_albums_are_the_same(
    hours: list[int], places: list[tuple[float, float] | None], levels: list[AlbumLevel], data: st.DataObject
) -> None:
    photos = _photos(hours, places)
    once, often = Library(), Library()
    once.add(photos)
    plain = once.summary()
    order = data.draw(st.permutations(photos))
    cut = data.draw(st.integers(1, len(photos) - 1))
    often.add(order[:cut])
    for level in levels:
        often.regroup(level)
    often.add(order[cut:])
    once.regroup(levels[-1])
    assert often.summary() == once.summary()
    once.regroup(AlbumLevel.ALBUMS)
    assert once.summary() == plain


@_LIMITS
@given(hours=_hours, level=_levels, data=st.data())
def test_regrouping_leaves_what_its_owner_touched(hours: list[int], level: AlbumLevel, data: st.DataObject) -> None:
    library = Library()
    library.add(_photos(hours, [LISBON]))
    key = data.draw(st.sampled_from(sorted(library.albums)))
    album = library.albums[key]
    library.albums[key] = ExistingAlbum(key, album.kind, "Ours", True, album.photos, album.trip_id)
    for chosen in (level, AlbumLevel.ALBUMS):
        library.regroup(chosen)
        after = library.albums[key]
        assert after.title == "Ours"
        assert album.kind is AlbumKind.EVERYDAY or set(after.photos) == set(album.photos)


def test_a_photo_between_two_events_joins_them_and_a_bridge_makes_them_one() -> None:
    first, second = (
        [photo(f"2024-05-01T1{hour}:00") for hour in range(6)],
        [photo(f"2024-05-04T1{hour}:00") for hour in range(6)],
    )
    library = Library()
    library.add(first)
    library.add(second)
    assert sorted(len(album.photos) for album in library.albums.values()) == [6, 6]
    library.add([photo("2024-05-02T20:00")])
    assert [len(album.photos) for album in library.albums.values()] == [13]
    assert [key for key in library.albums] == [1]


@settings(derandomize=True, deadline=None, max_examples=12)
@given(seed=st.integers(0, 1000), minutes=st.sampled_from([-1440, -60, 0, 480]), data=st.data())
def test_a_wrong_clock_is_found_in_any_order_of_imports(seed: int, minutes: int, data: st.DataObject) -> None:
    photos = journey(Random(seed), together=True, wrong=timedelta(minutes=minutes))
    photos += [photo(datetime(2024, 5, 20)), photo(datetime(2024, 4, 30, 23), camera="Canon EOS 60D")]
    once, often = Library(), Library()
    once.add(photos)
    order = data.draw(st.permutations(photos))
    cuts = data.draw(st.sets(st.integers(1, len(photos) - 1), max_size=3))
    for start, stop in pairwise([0, *sorted(cuts), len(photos)]):
        often.add(order[start:stop])
    assert often.summary() == once.summary()
    assert all(one.clock_shift == timedelta() for one in once.photos.values() if one.camera != "Canon EOS 60D")
