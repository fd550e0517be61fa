"""Whether bytes are a preview as Momentarium makes them: what the server asks before it believes a client."""

from collections import deque
from io import BytesIO
from typing import NamedTuple

from momentarium_cli.photos import jpeg
from momentarium_cli.photos.reader import Damaged, Reader, TooMany

PREVIEW_SIDE = 1440
MAX_PREVIEW_BYTES = 8 << 20  # noise of 1,440 x 1,440 at quality 80 stays below 2 MB
MAX_SCANS = 100  # each costs a decoder a pass over the picture; programs write about ten
_ALLOWED = frozenset((jpeg.SOI, jpeg.EOI, jpeg.SOS, jpeg.APP0, jpeg.APP14, 0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD))


class PreviewFacts(NamedTuple):
    """A preview's size in pixels and bytes."""

    width: int
    height: int
    size: int


class BadPreview(ValueError):
    """Bytes are no preview of ours; the message says why in plain words, without a subject."""


def inspect(data: bytes) -> PreviewFacts:
    """Facts of a preview, without decoding it. Raises BadPreview where anything is not as it should be."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise BadPreview("it is not a JPEG")
    if len(data) > MAX_PREVIEW_BYTES:
        raise BadPreview(f"it is larger than {MAX_PREVIEW_BYTES >> 20} MiB")
    width, height = _walk(data)
    if not 0 < max(width, height) <= PREVIEW_SIDE:
        raise BadPreview(f"it is larger than {PREVIEW_SIDE} pixels ({width} x {height})")
    return PreviewFacts(width, height, len(data))


def check_preview(data: bytes) -> str | None:
    """None if the bytes are a preview as it should be, else why not."""
    try:
        inspect(data)
    except BadPreview as error:
        return str(error)
    return None


def check_cost(data: bytes) -> str | None:
    """Why decoding a JPEG would cost far more than its size suggests, or None."""
    try:
        deque(jpeg.segments(Reader(BytesIO(data))), maxlen=0)
    except TooMany as error:
        return f"it is damaged: {error}"
    except Damaged:
        pass  # decoders make something of much that is damaged, so the scans count all the same
    if data.count(b"\xff\xda") <= MAX_SCANS or jpeg.count_scans(data) <= MAX_SCANS:  # the cheap count is never too low
        return None
    return f"it has more than {MAX_SCANS} scans"


def _walk(data: bytes) -> tuple[int, int]:
    """Through all segments to the very end: nothing may stand between, and nothing behind."""
    width = height = scans = 0
    marker, offset = jpeg.SOI, 0
    for marker, offset in jpeg.markers(data):
        if marker not in _ALLOWED:
            raise BadPreview(f"it carries metadata or something unusual (marker {marker:#x})")
        if marker in (0xC0, 0xC1, 0xC2):
            height = int.from_bytes(data[offset + 5 : offset + 7], "big")
            width = int.from_bytes(data[offset + 7 : offset + 9], "big")
        scans += marker == jpeg.SOS
    if marker != jpeg.EOI or scans > MAX_SCANS:
        raise BadPreview("it is cut off" if marker != jpeg.EOI else f"it has more than {MAX_SCANS} scans")
    if offset + 2 != len(data):
        raise BadPreview("something stands behind its end")
    return width, height
