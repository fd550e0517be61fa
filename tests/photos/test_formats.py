import pytest
from PIL import Image

from momentarium_cli.photos import formats
from momentarium_cli.photos.formats import identify
from tests.photos.pictures import encoded, picture


@pytest.mark.parametrize(
    ("pillow", "name"),
    [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("TIFF", "tiff"), ("AVIF", "avif")],
)
def test_pictures_are_known_by_their_first_bytes_whatever_they_are_called(pillow: str, name: str) -> None:
    found = identify(encoded(picture(), pillow)[:64], ".xyz")
    assert found and found.name == name


@pytest.mark.parametrize(
    ("header", "suffix", "name"),
    [
        (b"II*\0\x08\0\0\0", ".DNG", "dng"),
        (b"MM\0*\0\0\0\x08", ".nef", "nef"),
        (b"II*\0\x08\0\0\0", ".arw", "arw"),
        (b"II*\0\x10\0\0\0CR\x02\0", ".jpg", "cr2"),
        (b"II*\0\x08\0\0\0", "", "tiff"),
        (b"II\x1a\0\0\0HEAPCCDR", "", "crw"),
        (b"FUJIFILMCCD-RAW 0201", "", "raf"),
        (b"IIRO\x08\0\0\0", "", "orf"),
        (b"IIU\0\x18\0\0\0", "", "rw2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "", "cr3"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "", "avif"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "", "heif"),
    ],
)
def test_the_suffix_decides_only_among_formats_that_share_their_first_bytes(
    header: bytes, suffix: str, name: str
) -> None:
    found = identify(header, suffix)
    assert found and found.name == name


@pytest.mark.parametrize(
    "header",
    [b"", b"\xff\xd8", b"%PDF-1.7", b"<svg xmlns=", b"\0\0\0\x18ftypqt  \0\0\0\0heic", b"8BPS\0\x01",
     b"RIFF\0\0\0\0AVI ", bytes(64)],
)  # fmt: skip
def test_everything_else_is_no_photo(header: bytes) -> None:
    assert identify(header, ".jpg") is None


def test_suffixes_and_content_types_belong_to_one_format_each() -> None:
    assert len(formats.BY_CONTENT_TYPE) == len(formats.FORMATS) == 17
    assert len(formats.SUPPORTED_SUFFIXES) == sum(len(format_.extensions) for format_ in formats.FORMATS)


def test_pillow_is_only_asked_for_what_is_named() -> None:
    from momentarium_cli.photos import pixels

    assert set(pixels._PLUGINS) == {format_.name for format_ in formats.FORMATS if not format_.raw}
    assert not {"EPS", "PSD", "SVG", "PDF", "FITS"} & {str(name) for name in pixels._PLUGINS.values()}
    assert all(name in Image.OPEN or name == "HEIF" for name in pixels._PLUGINS.values())
