from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from random import Random

import pytest
from PIL import Image

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.sheets import MAX_CELLS, Sheets, representatives
from momentarium_cli.photos.decode import Decoder
from tests.backend.organize.photos import burst


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as opened:
        yield opened


def shown(size: int, *phashes: int) -> list[Photo]:
    photos = burst("2024-05-12T10:00", size)
    random = Random(1)
    hashes = phashes or tuple(random.getrandbits(63) for _ in range(size))
    return [
        replace(photo, thumb_key=f"thumbs/{photo.id}.jpg", phash=phash)
        for photo, phash in zip(photos, hashes, strict=True)
    ]


def thumbnail() -> bytes:
    buffer = BytesIO()
    Image.effect_noise((320, 240), 60).convert("RGB").save(buffer, "JPEG", quality=78)
    return buffer.getvalue()


def test_of_few_photos_all_are_shown_and_of_many_sixteen_from_first_to_last() -> None:
    few, many = shown(5), shown(400)
    assert representatives(few) == few
    chosen = representatives(many)
    assert len(chosen) == MAX_CELLS
    assert (chosen[0], chosen[-1]) == (many[0], many[-1])
    steps = [many.index(later) - many.index(sooner) for sooner, later in pairwise(chosen)]
    assert min(steps) >= 26 and max(steps) <= 27


def test_of_photos_that_show_the_same_the_best_is_shown() -> None:
    photos = shown(5, 0, 0b111111, -1, -1 ^ 0b1111111, 1 << 62)
    photos[4] = replace(photos[4], quality=0.9)
    assert representatives(photos) == [photos[4], photos[2], photos[3]]


def test_around_each_of_the_sixteen_places_the_best_is_shown() -> None:
    photos = [replace(photo, quality=(index % 7) / 10) for index, photo in enumerate(shown(400))]
    assert all((photo.quality or 0) >= 0.6 for photo in representatives(photos))


def test_photos_without_a_thumbnail_are_not_shown() -> None:
    first, second = shown(2)
    assert representatives([replace(first, thumb_key=None), second]) == [second]


def test_a_sheet_says_which_photo_is_in_which_cell(decoder: Decoder) -> None:
    first, second, third = shown(3)
    pictures = {first.id: thumbnail(), second.id: b"broken", third.id: thumbnail()}
    [sheet] = Sheets(decoder, lambda photo: pictures.get(photo.id)).of([first, second, third])
    assert sheet.photo_ids == (first.id, third.id)
    assert Sheets(decoder, lambda photo: None).of([first]) == []


def test_cells_are_counted_on_from_sheet_to_sheet(decoder: Decoder) -> None:
    photos, picture = shown(20), thumbnail()
    first, second = Sheets(decoder, lambda photo: picture if photo is not photos[3] else None).of(photos)
    assert first.photo_ids == tuple(photo.id for photo in photos[:16] if photo is not photos[3])
    assert second.photo_ids == tuple(photo.id for photo in photos[16:])
