"""What every organizer holds to, whatever makes its albums."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from momentarium_cli.backend.organize.base import TITLE_LIMIT, ExistingAlbum, Home, Organizer, Photo, Proposal
from momentarium_cli.models import AlbumKind

_LIMITS = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)
_START = datetime(2024, 5, 1)
_HOME = Home(0.0, 0.0, date(1900, 1, 1), date(2100, 12, 31))
_names = st.text(st.characters(exclude_categories=()), min_size=1, max_size=30)
_times = st.none() | st.one_of(
    st.integers(0, 40_000).map(lambda minutes: _START + timedelta(minutes=minutes)),
    st.datetimes(datetime(1826, 1, 1), datetime(2100, 12, 31)),
)
_positions = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@st.composite
def libraries(draw: st.DrawFn) -> tuple[list[Photo], list[ExistingAlbum]]:
    """New photos and existing albums, of any time, place and name."""
    photos = [_photo(draw, key) for key in range(draw(st.integers(0, 40)))]
    cut = draw(st.integers(0, len(photos)))
    homes: dict[int, list[Photo]] = {}
    for photo in photos[cut:]:
        homes.setdefault(draw(st.integers(1, 4)), []).append(photo)
    kinds = st.sampled_from([kind for kind in AlbumKind if kind is not AlbumKind.TRIP])
    albums = [
        ExistingAlbum(key, draw(kinds), f"Title {key}", draw(st.booleans()), tuple(held)) for key, held in homes.items()
    ]
    return photos[:cut], albums


def _photo(draw: st.DrawFn, key: int) -> Photo:
    taken, position = draw(_times), draw(_positions)
    offset = timedelta(hours=draw(st.integers(-12, 14)))
    return Photo(
        id=key,
        filename=draw(_names),
        taken_at=taken,
        taken_sort=(taken - offset).replace(tzinfo=UTC) if taken else None,
        latitude=position[0] if position else None,
        longitude=position[1] if position else None,
        altitude=draw(st.none() | st.floats(-12_000, 100_000)),
        source_folder=draw(st.none() | _names),
        width=draw(st.none() | st.integers(1, 10_000)),
        height=draw(st.none() | st.integers(1, 10_000)),
        thumb_key=draw(st.none() | st.just(f"thumbs/1/{key}.jpg")),
    )


class OrganizerContract:
    """Subclasses give the fixture `organizer`."""

    def test_has_a_name(self, organizer: Organizer) -> None:
        assert organizer.name

    def test_makes_nothing_of_nothing(self, organizer: Organizer) -> None:
        assert list(organizer.organize([], [])) == []

    @_LIMITS
    @given(libraries())
    def test_puts_every_new_photo_into_exactly_one_proposal(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        photos, existing = library
        placed = Counter(key for proposal in organizer.organize(photos, existing) for key in proposal.photo_ids)
        assert placed == Counter(photo.id for photo in photos)

    @_LIMITS
    @given(libraries(), st.data())
    def test_photos_that_may_move_are_placed_once_and_those_of_touched_albums_are_not_named(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]], data: st.DataObject
    ) -> None:
        photos, existing = library
        loose = [
            album for album in existing if not album.edited and album.kind in (AlbumKind.EVENT, AlbumKind.EVERYDAY)
        ]
        movable = [photo for album in loose for photo in album.photos if data.draw(st.booleans())]
        proposals = organizer.organize([*photos, *movable], existing, [_HOME])
        placed = Counter(key for proposal in proposals for key in proposal.photo_ids)
        assert placed == Counter(photo.id for photo in (*photos, *movable))

    @_LIMITS
    @given(libraries())
    def test_chapters_begin_with_photos_of_the_album(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        photos, existing = library
        held = {album.id: {photo.id for photo in album.photos} for album in existing}
        for proposal in organizer.organize(photos, existing):
            whole = held.get(proposal.album_id or 0, set()) | set(proposal.photo_ids)
            assert whole.issuperset(proposal.chapter_ids)

    @_LIMITS
    @given(libraries())
    def test_continues_an_album_at_most_once_and_keeps_its_kind(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        photos, existing = library
        kinds = {album.id: album.kind for album in existing}
        proposals = [proposal for proposal in organizer.organize(photos, existing) if proposal.album_id is not None]
        continued = [proposal.album_id for proposal in proposals]
        assert len(set(continued)) == len(continued)
        assert all(kinds[proposal.album_id or 0] is proposal.kind for proposal in proposals)

    @_LIMITS
    @given(libraries())
    def test_proposes_no_empty_album_and_covers_it_with_a_photo_of_its_own(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        photos, existing = library
        held = {album.id: {photo.id for photo in album.photos} for album in existing}
        for proposal in organizer.organize(photos, existing):
            whole = held.get(proposal.album_id or 0, set()) | set(proposal.photo_ids)
            assert whole
            assert proposal.cover_id is None or proposal.cover_id in whole

    @_LIMITS
    @given(libraries())
    def test_writes_titles_that_fit_on_one_line(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        for proposal in organizer.organize(*library):
            assert 0 < len(proposal.title) <= TITLE_LIMIT
            for text in _texts(proposal):
                assert text.strip()
                assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]

    @_LIMITS
    @given(libraries())
    def test_keeps_the_title_that_an_owner_gave(
        self, organizer: Organizer, library: tuple[list[Photo], list[ExistingAlbum]]
    ) -> None:
        photos, existing = library
        edited = {album.id: album.title for album in existing if album.edited}
        for proposal in organizer.organize(photos, existing):
            if proposal.album_id in edited:
                assert proposal.title == edited[proposal.album_id]


def _texts(proposal: Proposal) -> Sequence[str]:
    return [text for text in (proposal.title, proposal.theme_description, proposal.place) if text is not None]
