import pytest

from momentarium_cli.photos.checks import check_preview, inspect
from tests.photos.pictures import encoded, exif, many_scans, picture, with_segment

GOOD = encoded(picture(1440, 900))


def test_a_plain_small_jpeg_is_a_preview() -> None:
    assert check_preview(GOOD) is None
    assert inspect(GOOD) == (1440, 900, len(GOOD))
    assert check_preview(encoded(picture(), progressive=True)) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG"),
        (encoded(picture(), "PNG"), "not a JPEG"),
        (encoded(picture(1441, 10)), "larger than 1440 pixels"),
        (encoded(picture(), exif=exif({0x010F: "x"})), "metadata"),
        (encoded(picture(), icc_profile=b"x" * 200), "metadata"),
        (encoded(picture(), comment=b"hello"), "metadata"),
        (with_segment(GOOD, 0xED, b"Photoshop 3.0\0"), "metadata"),
        (GOOD + b"<script>", "behind its end"),
        (GOOD[:-2], "cut off"),
        (GOOD[:300], "cut off"),
        (many_scans(200), "scans"),
        (b"\xff\xd8\xff\xd9", "larger than 1440 pixels"),
        (GOOD + bytes(9 << 20), "larger than 8 MiB"),
    ],
)
def test_everything_else_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    assert reason in (check_preview(data) or "")
