from momentarium_cli.backend.organize.covers import cover
from tests.backend.organize.photos import photo


def test_the_landscape_photo_nearest_to_the_middle_is_the_cover() -> None:
    shapes = [(4000, 3000), (4000, 3000), (3000, 4000), (3000, 4000), (9000, 3000)]
    photos = [photo(None, width=width, height=height) for width, height in shapes]
    assert cover(photos) == photos[1]


def test_without_one_it_is_the_middle() -> None:
    photos = [photo(None) for _ in range(4)]
    assert cover(photos) == photos[1]
    assert cover(photos[:1]) == photos[0]
