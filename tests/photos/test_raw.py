"""RAW files of the tests are TIFF structures that hold what a camera puts there: tags, sensor data, a JPEG."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from momentarium_cli.photos import preview
from momentarium_cli.photos.formats import DNG
from momentarium_cli.photos.pixels import CannotDecode
from momentarium_cli.photos.raw import show_raw
from tests.photos.conftest import real_photos
from tests.photos.pictures import difference, encoded, exif, picture, tiff


def raw(*parts: bytes, orientation: int = 1) -> bytes:
    tags = tiff([(0x0112, 3, 1, orientation.to_bytes(4, "little"))])
    return tags + b"sensor data".join((b"", *parts, b""))


def test_the_largest_embedded_jpeg_is_shown() -> None:
    small, large = encoded(picture(160, 120)), encoded(picture(640, 480, seed=2))
    assert show_raw(raw(small, large, small), DNG, 1440).size == (640, 480)


def test_the_preview_is_turned_as_the_raw_file_says() -> None:
    upright = picture(64, 48)
    lying = encoded(upright.transpose(Image.Transpose.ROTATE_90), quality=95)
    assert difference(show_raw(raw(lying, orientation=6), DNG, 1440), upright) < 6


def test_a_preview_with_an_orientation_of_its_own_is_turned_once() -> None:
    upright = picture(64, 48)
    lying = encoded(upright.transpose(Image.Transpose.ROTATE_90), quality=95, exif=exif({0x0112: 6}))
    assert difference(show_raw(raw(lying, orientation=6), DNG, 1440), upright) < 6


def test_a_broken_preview_gives_way_to_a_whole_one() -> None:
    broken = encoded(picture(800, 600, seed=2)).replace(b"\xff\xda", b"\xff\xd9", 1)
    assert show_raw(raw(broken, encoded(picture(160, 120))), DNG, 1440).size == (160, 120)


def test_without_a_preview_there_is_a_reason() -> None:
    with pytest.raises(CannotDecode, match="no preview"):
        show_raw(raw(), DNG, 1440)


def test_a_raw_file_is_uploaded_with_the_type_its_suffix_tells(tmp_path: Path) -> None:
    (tmp_path / "a.nef").write_bytes(raw(encoded(picture(320, 240))))
    prepared = preview.prepare(tmp_path / "a.nef")
    assert prepared.content_type == "image/x-nikon-nef"
    assert prepared.preview and Image.open(BytesIO(prepared.preview)).size == (320, 240)
    remade = preview.remake(tmp_path / "a.nef", content_type=prepared.content_type)
    assert remade.data == prepared.preview


def test_real_raw_files_have_a_preview_or_a_reason() -> None:
    for path in real_photos("raw/*.[rdnc]*", "raw/*.CR3"):
        prepared = preview.prepare(path)
        assert prepared.preview or prepared.decode_error == "the RAW file holds no preview that can be read", path.name
    for path in real_photos("raw/exiv2_Canon-R6-pruned.CR3"):
        prepared = preview.prepare(path)
        assert prepared.preview and preview.inspect(prepared.preview)[:2] == (1440, 960)
