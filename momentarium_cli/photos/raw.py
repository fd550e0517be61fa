"""The preview that a camera puts into its RAW files; the sensor's data itself is never developed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from momentarium_cli.photos import exif, jpeg, pixels
from momentarium_cli.photos.containers import Header, read_header
from momentarium_cli.photos.formats import JPEG, Format
from momentarium_cli.photos.pixels import CannotDecode
from momentarium_cli.photos.reader import Damaged, Reader

GOOD_SIDE = 1000  # an embedded preview smaller than that is worth looking for a larger one
MAX_CANDIDATES = 64
_START = re.compile(rb"\xff\xd8\xff[\xc0\xc2\xc4\xdb\xdd-\xef\xfe]")


class _Candidate(NamedTuple):
    pixels: int
    offset: int


def show_raw(data: bytes, format_: Format, long_side: int) -> Image.Image:
    """The embedded preview, upright and at most `long_side` pixels. Raises CannotDecode where there is none."""
    orientation = _orientation(data, format_)
    best: Image.Image | None = None
    for picture in _embedded(data):
        with suppress(CannotDecode):
            best = _larger(best, _show(picture, long_side, orientation))
        if best and max(best.size) >= min(GOOD_SIDE, long_side):
            break
    if best is None:
        raise CannotDecode("the RAW file holds no preview that can be read")
    return best


def _embedded(data: bytes) -> Iterator[bytes | Image.Image]:
    """What LibRaw finds, then what looks like a JPEG, the largest first."""
    found = _by_libraw(data)
    if found is not None:
        yield found
    for candidate in sorted(_candidates(data), reverse=True):
        yield data[candidate.offset :]


def _larger(one: Image.Image | None, other: Image.Image) -> Image.Image:
    return other if one is None or max(other.size) > max(one.size) else one


def _show(picture: bytes | Image.Image, long_side: int, orientation: int) -> Image.Image:
    """A JPEG that states an orientation of its own is turned by that, others by the RAW file's."""
    with pixels.careful():
        if isinstance(picture, bytes):
            image = pixels.open_image(BytesIO(picture), JPEG)
            return pixels.show(image, long_side, None if 0x0112 in image.getexif() else orientation).image
        pixels.check_size(*picture.size)
        return pixels.show(picture, long_side, orientation).image


def _by_libraw(data: bytes) -> bytes | Image.Image | None:
    import rawpy

    try:
        with rawpy.imread(BytesIO(data)) as photo:
            thumb = photo.extract_thumb()
            return thumb.data if isinstance(thumb.data, bytes) else Image.fromarray(thumb.data)
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, TypeError):
        return None


def _candidates(data: bytes) -> Iterator[_Candidate]:
    """JPEGs that decoders read; the sensor's data of many cameras is a lossless JPEG, which is left out."""
    for number, found in enumerate(_START.finditer(data)):
        size = _frame_size(data, found.start())
        if size:
            yield _Candidate(size, found.start())
        if number > MAX_CANDIDATES:
            return


def _frame_size(data: bytes, offset: int) -> int:
    with suppress(Damaged):
        reader = Reader(BytesIO(data)).window(offset)
        for segment in jpeg.segments(reader):
            frame = jpeg.frame(reader, segment)
            if frame:
                return frame.width * frame.height if frame.lossy else 0
    return 0


def _orientation(data: bytes, format_: Format) -> int:
    header = Header(file_size=len(data))
    with suppress(Exception):  # broken metadata costs the orientation, not the picture
        read_header(format_, Reader(BytesIO(data)), header)
    return exif.orientation(header.tags)
