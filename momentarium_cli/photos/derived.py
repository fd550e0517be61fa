"""What the server makes of a preview, from one decode: thumbnail, thumbhash, perceptual hash."""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from momentarium_cli.photos import pixels, thumbhash
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.formats import JPEG

THUMB_SIDE = 320
THUMB_QUALITY = 78


@dataclass(frozen=True, slots=True)
class Derived:
    """Of a preview: its size in pixels; a JPEG of at most 320 pixels; hashes.

    `phash` is a 64-bit difference hash, from -2**63 to 2**63-1 as PostgreSQL's bigint keeps it; the number of
    differing bits tells how unlike two photos are.
    """

    width: int
    height: int
    thumb: bytes
    thumb_sha256: str
    thumbhash: bytes
    phash: int


def derive(preview: bytes) -> Derived:
    """Everything from the preview's bytes. Raises CannotDecode."""
    with pixels.careful():
        image = pixels.open_image(BytesIO(preview), JPEG)
        width, height = image.size
        small = pixels.show(image, THUMB_SIDE, orientation=1).image
        thumb = encode(small, THUMB_QUALITY)
        tiny = small.convert("RGB").resize(pixels.fitting(small.size, thumbhash.MAX_SIDE), Image.Resampling.BOX)
        return Derived(width, height, thumb, sha256_bytes(thumb), thumbhash.thumbhash(tiny), difference_hash(small))


def encode(image: Image.Image, quality: int) -> bytes:
    """As JPEG, without any metadata."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def difference_hash(image: Image.Image) -> int:
    """Whether it gets brighter from left to right, at 8 x 8 places; row by row, the first bit the highest."""
    grey = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (grey[row * 9 + column] < grey[row * 9 + column + 1])
    return bits - (1 << 64) if bits >> 63 else bits
