from io import BytesIO

import pytest

from momentarium_cli.photos import jpeg
from momentarium_cli.photos.reader import Damaged, Reader
from tests.photos.pictures import encoded, exif, many_scans, picture, with_segment


def reader(data: bytes) -> Reader:
    return Reader(BytesIO(data))


def test_segments_are_told_up_to_the_first_scan() -> None:
    data = encoded(picture(), exif=exif({0x010F: "x"}))
    found = list(jpeg.segments(reader(data)))
    assert [segment.marker for segment in found[:2]] == [jpeg.APP0, jpeg.APP1]
    assert found[-1].marker == jpeg.SOS
    assert [jpeg.is_exif(reader(data), segment) for segment in found[:2]] == [False, True]


def test_the_frame_tells_the_size() -> None:
    data = encoded(picture(70, 50), progressive=True)
    [frame] = filter(None, (jpeg.frame(reader(data), segment) for segment in jpeg.segments(reader(data))))
    assert (frame.width, frame.height, frame.components, frame.lossy) == (70, 50, 3, True)


def test_a_file_that_ends_before_its_scan_is_damaged() -> None:
    with pytest.raises(Damaged):
        list(jpeg.segments(reader(encoded(picture())[:100])))


@pytest.mark.parametrize("added", [0, 1, 90])
def test_scans_are_counted_through_the_whole_file(added: int) -> None:
    usual = jpeg.count_scans(many_scans(0))
    assert usual > 1
    assert jpeg.count_scans(with_segment(many_scans(added), 0xE7, b"\xff\xda\0\2")) == usual + added


def test_what_stands_behind_the_end_is_not_walked() -> None:
    data = encoded(picture())
    assert jpeg.count_scans(data + data) == 1
