import hashlib
from io import BytesIO

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from momentarium_cli.photos.derived import derive, difference_hash
from momentarium_cli.photos.pixels import CannotDecode
from momentarium_cli.photos.thumbhash import thumbhash
from tests.photos.pictures import detailed, difference, encoded, picture


def unlike(one: int, other: int) -> int:
    return ((one ^ other) & (1 << 64) - 1).bit_count()


def test_thumbnail_and_hashes_come_from_one_preview() -> None:
    image = picture(1440, 960)
    derived = derive(encoded(image, quality=80))
    thumb = Image.open(BytesIO(derived.thumb))
    assert (derived.width, derived.height, thumb.size) == (1440, 960, (320, 213))
    assert derived.thumb_sha256 == hashlib.sha256(derived.thumb).hexdigest()
    assert difference(thumb, image) < 4
    assert 20 <= len(derived.thumbhash) <= 30
    assert -(2**63) <= derived.phash < 2**63


@pytest.mark.parametrize("size", [(1, 1), (1440, 1), (1, 1440), (40, 30)])
def test_odd_sizes_are_no_problem(size: tuple[int, int]) -> None:
    assert derive(encoded(picture(*size))).thumb


def test_grey_previews_are_no_problem() -> None:
    assert derive(encoded(picture(mode="L"))).thumbhash


def test_like_photos_have_like_hashes() -> None:
    one, smaller, other = picture(800, 600), picture(400, 300), picture(800, 600, seed=7)
    assert unlike(difference_hash(one), difference_hash(smaller)) <= 3
    assert unlike(difference_hash(one), difference_hash(other)) > 12


def test_the_difference_hash_reads_row_by_row_from_the_highest_bit() -> None:
    rising = Image.linear_gradient("L").rotate(90)
    assert difference_hash(rising) == -1
    assert difference_hash(rising.rotate(180)) == 0


def test_what_is_no_jpeg_is_not_decoded() -> None:
    with pytest.raises(CannotDecode):
        derive(encoded(picture(), "PNG"))


def test_thumbhash_agrees_with_the_reference_of_its_format() -> None:
    """Vectors of the reference implementation, for pictures that anyone can draw."""
    drawn = Image.new("RGB", (40, 30))
    drawn.putdata([(x * 6, (x * x + 3 * y * y) % 251, (x * y + 5 * x) % 256) for y in range(30) for x in range(40)])
    assert thumbhash(drawn).hex() == "1df80d1d966066767777887787787777d0a8088888"
    assert thumbhash(drawn.transpose(Image.Transpose.TRANSPOSE)).hex() == "1df80d1d16777770776777678786687888a08d0888"


def test_quality_falls_with_blur_and_with_what_is_black_or_blown_out() -> None:
    sharp = detailed()
    blurred = sharp.filter(ImageFilter.GaussianBlur(6))
    dark, bright = (ImageEnhance.Brightness(sharp).enhance(factor) for factor in (0.05, 8))
    good = derive(encoded(sharp, quality=80)).quality
    assert 0 < good <= 1
    for worse in (blurred, dark, bright, Image.new("RGB", (1440, 960), "grey")):
        assert derive(encoded(worse, quality=80)).quality < good / 2
