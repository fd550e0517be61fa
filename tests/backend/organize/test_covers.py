from momentarium_cli.backend.organize.covers import cover, cover_of_any
from tests.backend.organize.photos import photo


def test_the_landscape_photo_nearest_to_the_middle_is_the_cover() -> None:
    shapes = [(4000, 3000), (4000, 3000), (3000, 4000), (3000, 4000), (9000, 3000)]
    photos = [photo(None, width=width, height=height) for width, height in shapes]
    assert cover(photos) == photos[1]


def test_without_one_it_is_the_middle() -> None:
    photos = [photo(None) for _ in range(4)]
    assert cover(photos) == photos[1]
    assert cover(photos[:1]) == photos[0]


def test_a_sharp_photo_covers_rather_than_a_blurred_one_in_the_middle() -> None:
    photos = [photo(None, width=4000, height=3000, quality=quality) for quality in (0.4, 0.6, 0.1, 0.5, 0.3)]
    assert cover(photos) == photos[1]


def test_of_equally_good_ones_it_is_rather_one_from_the_middle_than_from_the_way_there() -> None:
    photos = [photo(None, width=4000, height=3000, quality=quality) for quality in (0.6, 0.2, 0.5, 0.2, 0.6)]
    assert cover(photos) == photos[2]


def test_of_photos_without_a_time_the_cover_of_parts_is_that_of_all() -> None:
    photos = [photo(None, quality=quality) for quality in (0.2, None, 0.7, 0.7)]
    assert cover_of_any([cover_of_any(photos[:2]), *photos[2:]]) == cover_of_any(photos) == photos[2]
