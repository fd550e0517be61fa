from momentarium_cli.backend.organize.grouping import group
from momentarium_cli.models import AlbumKind
from tests.backend.organize.photos import album, burst, photo


def test_an_everyday_album_is_continued_by_the_month_or_the_year_that_it_has_most_photos_of() -> None:
    may = [photo(f"2024-05-{day:02}T10:00") for day in (1, 7, 13, 19, 25)]
    june = photo("2024-06-01T10:00")
    existing = [album(1, [*may, june], AlbumKind.EVERYDAY), album(2, [photo("2024-01-20T10:00")], AlbumKind.EVERYDAY)]
    assert group([photo("2024-05-30T10:00")], existing)[0].album == existing[0]
    assert group([photo("2024-06-20T10:00")], existing)[0].album == existing[1]
    assert group([photo("2023-06-20T10:00")], existing)[0].album is None


def test_of_several_albums_of_a_kind_the_largest_continues_then_the_oldest() -> None:
    small, large = album(1, [photo(None)], AlbumKind.UNDATED), album(2, [photo(None)] * 2, AlbumKind.UNDATED)
    assert group([photo(None)], [small, large])[0].album == large
    assert group([photo(None)], [album(5, [photo(None)], AlbumKind.UNDATED), small])[0].album == small


def test_an_event_never_continues_an_album_of_another_kind() -> None:
    existing = [album(1, burst("2024-05-12T09:00", 4), AlbumKind.EVERYDAY)]
    [found] = group(burst("2024-05-12T10:00", 6), existing)
    assert (found.kind, found.album) == (AlbumKind.EVENT, None)


def test_few_photos_join_the_event_beside_them() -> None:
    existing = [album(1, burst("2024-05-12T09:00", 6))]
    [found] = group([photo("2024-05-14T09:00")], existing)
    assert found.album == existing[0]


def test_undated_photos_that_an_owner_moved_into_an_event_stay_at_its_end() -> None:
    undated = photo(None)
    held = album(1, [undated, *burst("2024-05-12T09:00", 6)])
    [found] = group([photo("2024-05-12T10:00")], [held])
    assert found.whole[-1] == undated
