"""Near duplicates are made of real photos, where these are at hand, else of drawn ones."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from io import BytesIO
from random import Random

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from momentarium_cli.backend.organize.alike import best, best_first, bursts, distinct
from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.grouping import group
from momentarium_cli.models import AlbumKind
from momentarium_cli.photos.derived import derive
from tests.backend.organize.photos import photo
from tests.photos.conftest import real_photos
from tests.photos.pictures import detailed

Change = Callable[[Image.Image], Image.Image]


@cache
def scenes() -> list[Image.Image]:
    """Pictures that show different things."""
    return list(_real()) or [detailed(seed) for seed in range(12)]


def _real() -> Iterator[Image.Image]:
    for path in real_photos("cameras/*.jpg")[:24]:
        with suppress(OSError), Image.open(path) as opened:  # some are broken on purpose
            opened.draft("RGB", (1440, 1440))
            image = opened.convert("RGB")
            if min(image.size) >= 400:
                yield image


def shown(image: Image.Image, at: str, camera: str = "Pixel 8") -> Photo:
    """A photo of this picture, as the backend knows it."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    derived = derive(buffer.getvalue())
    return photo(at, camera=camera, phash=derived.phash, quality=derived.quality, thumb_key=derived.thumb_sha256)


def moved(image: Image.Image, share: float) -> Image.Image:
    """The camera moved a little: the edges, and all else by some pixels, are others."""
    width, height = image.size
    return image.crop((round(2 * share * width), round(share * height), width, height - round(share * height)))


def smaller(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


def brighter(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.25)


@pytest.mark.parametrize("change", [smaller, brighter, lambda image: image.convert("L")])
def test_copies_other_sizes_and_edited_versions_show_the_same_whenever_they_come(change: Change) -> None:
    found = [
        distinct([shown(scene, "2024-05-12T10:00"), shown(change(scene), "2024-05-12T17:00", "Laptop")])
        for scene in scenes()
    ]
    assert sum(len(groups) == 1 for groups in found) >= 0.95 * len(found)


def test_frames_of_a_burst_show_the_same_and_unlike_photos_of_the_same_seconds_do_not() -> None:
    frames = [
        [shown(moved(scene, share), f"2024-05-12T10:00:0{second}") for second, share in enumerate((0, 0.01, 0.02))]
        for scene in scenes()
    ]
    assert sum(len(distinct(burst)) == 1 for burst in frames) >= 0.9 * len(frames)
    firsts = [replace(burst[0], id=number) for number, burst in enumerate(frames)]
    assert len(distinct(firsts)) >= 0.95 * len(firsts)


def test_the_frames_of_a_burst_that_come_a_day_later_are_another() -> None:
    first = shown(scenes()[0], "2024-05-12T10:00")
    later = replace(first, id=first.id + 1, taken_sort=None, taken_at=first.taken_at, phash=(first.phash or 0) ^ 0xFFF)
    assert len(distinct([first, replace(later, taken_sort=first.taken_sort)])) == 1
    assert len(distinct([first, shown(scenes()[1], "2024-05-13T10:00")])) == 2


def test_the_best_of_a_burst_is_the_one_that_is_not_blurred_and_is_shown_first() -> None:
    for scene in scenes():
        blurred = scene.filter(ImageFilter.GaussianBlur(scene.width / 240))
        frames = [shown(blurred, "2024-05-12T10:00:00"), shown(scene, "2024-05-12T10:00:01")]
        assert best(frames) == frames[1]
        other = photo("2024-05-12T11:00", camera="Pixel 8")
        assert best_first([*frames, other]) == [frames[1], frames[0], other]


def test_photos_of_which_nothing_is_known_are_each_for_themselves() -> None:
    unknown = [photo("2024-05-12T10:00", phash=None) for _ in range(3)]
    assert [len(found) for found in distinct(unknown)] == [1, 1, 1]
    assert bursts(unknown) == [range(1), range(1, 2), range(2, 3)]
    assert bursts([]) == []


def test_one_burst_is_no_event() -> None:
    frames = [photo(f"2024-05-12T10:00:{second:02}", phash=second % 2) for second in range(30)]
    assert [found.kind for found in group(frames, [])] == [AlbumKind.EVERYDAY]
    others = [photo(f"2024-05-12T1{hour}:00", phash=0x0F0F0F0F0F0F0F0F << hour) for hour in range(1, 5)]
    assert [found.kind for found in group([*frames, *others], [])] == [AlbumKind.EVENT]


def test_a_burst_does_not_make_an_album_large() -> None:
    """Twenty photos a day on two days stay together, also with fifty frames of one jump between them."""
    random = Random(1)
    days = [
        photo(f"2024-05-{day}T1{number % 10}:{number // 10:02}", phash=random.getrandbits(63))
        for day in (12, 13)
        for number in range(18)
    ]
    jump = [photo(f"2024-05-12T20:00:{second:02}", phash=0x1234567812345678) for second in range(50)]
    [found] = group([*days, *jump], [])
    assert len(found.photos) == 86


def test_thousands_of_frames_of_one_scene_take_neither_long_nor_much_memory() -> None:
    frames = [
        photo(f"2024-05-12T{10 + second // 3600}:{second // 60 % 60:02}:{second % 60:02}") for second in range(6000)
    ]
    still = [replace(frame, phash=0b11 << number % 3, camera=str(number)) for number, frame in enumerate(frames)]
    assert len(distinct(still)) == 1


def test_with_eyes_a_burst_is_one_also_if_the_camera_was_moved_a_lot() -> None:
    base = Random(1).getrandbits(256)
    near, other = base ^ (1 << 60) - 1, base ^ ((1 << 120) - 1 << 100)
    frames = [
        photo(f"2024-05-12T10:00:0{second}", phash=phash, look=look)
        for second, (phash, look) in enumerate([(0, base), (-1, near), (0x0F0F0F0F0F0F0F0F, other)])
    ]
    assert [len(found) for found in distinct(frames)] == [2, 1]
    later = photo("2024-05-12T18:00", phash=0x00FF00FF00FF00FF, look=base ^ (1 << 40) - 1)
    assert [len(found) for found in distinct([*frames, later])] == [3, 1]
    assert len(distinct([frames[0], replace(later, look=near)])) == 2
