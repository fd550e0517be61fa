"""What the server makes of a preview, from one decode: thumbnail, thumbhash, perceptual hash."""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageFilter, ImageStat

from momentarium_cli.photos import pixels, thumbhash, vision
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.formats import JPEG

THUMB_SIDE = 320
THUMB_QUALITY = 78
_EDGES = ImageFilter.Kernel((3, 3), (0, -1, 0, -1, 4, -1, 0, -1, 0), scale=1, offset=128)  # the Laplacian
_SHARP = 150.0  # variance of the Laplacian at which a picture counts as half sharp
_BLACK, _WHITE = 12, 243  # grey values beyond which nothing is to be seen
_CLIPPED = 0.5  # of the pixels: a picture with so many of these is lost
_FLAT = 40.0  # standard deviation of grey values; less is fog, or the inside of a pocket


@dataclass(frozen=True, slots=True)
class Derived:
    """Of a preview: its size in pixels; a JPEG of at most 320 pixels; hashes.

    `phash` is a 64-bit difference hash, from -2**63 to 2**63-1 as PostgreSQL's bigint keeps it; the number of
    differing bits tells how unlike two photos are. `quality` is from 0 (blurred, black or blown out) to 1. `look` are
    the bits of `vision`, None where that is not installed.
    """

    width: int
    height: int
    thumb: bytes
    thumb_sha256: str
    thumbhash: bytes
    phash: int
    quality: float
    look: bytes | None = None


def derive(preview: bytes) -> Derived:
    """Everything from the preview's bytes. Raises CannotDecode."""
    with pixels.careful():
        image = pixels.open_image(BytesIO(preview), JPEG)
        width, height = image.size
        small = pixels.show(image, THUMB_SIDE, orientation=1).image
        thumb = encode(small, THUMB_QUALITY)
        tiny = small.convert("RGB").resize(pixels.fitting(small.size, thumbhash.MAX_SIDE), Image.Resampling.BOX)
        return Derived(
            width,
            height,
            thumb,
            sha256_bytes(thumb),
            thumbhash.thumbhash(tiny),
            difference_hash(small),
            quality(image),
            vision.look(small),
        )


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


def quality(image: Image.Image) -> float:
    """How sharp a picture is, by the variance of its Laplacian (Pech-Pacheco et al. 2000), times how well exposed."""
    grey = image.convert("L")
    edges = float(ImageStat.Stat(grey.filter(_EDGES)).var[0])
    histogram = grey.histogram()
    clipped = (sum(histogram[:_BLACK]) + sum(histogram[_WHITE + 1 :])) / sum(histogram)
    exposed = max(0.0, 1 - clipped / _CLIPPED)
    contrast = min(1.0, ImageStat.Stat(grey).stddev[0] / _FLAT)
    return round(edges / (edges + _SHARP) * exposed * contrast, 4)
