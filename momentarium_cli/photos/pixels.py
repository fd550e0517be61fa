"""Opens pictures with care and brings them into the form that is shown: upright, small, sRGB, opaque.

Imports Pillow; meant to run in a limited child process (see `decode`).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from typing import IO, NamedTuple

import pillow_heif
from PIL import (  # the plugins are named, so that Pillow never loads the many that are not allowed here
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from momentarium_cli.photos import exif, formats
from momentarium_cli.photos.formats import Format

MAX_PIXELS = 100_000_000
MAX_SIDE = 30_000

_PLUGINS = {
    formats.JPEG.name: JpegImagePlugin.JpegImageFile.format,
    formats.PNG.name: PngImagePlugin.PngImageFile.format,
    formats.WEBP.name: WebPImagePlugin.WebPImageFile.format,
    formats.GIF.name: GifImagePlugin.GifImageFile.format,
    formats.TIFF.name: TiffImagePlugin.TiffImageFile.format,
    formats.AVIF.name: AvifImagePlugin.AvifImageFile.format,
    formats.HEIC.name: "HEIF",
    formats.HEIF.name: "HEIF",
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BAND_PIXELS = 4_000_000


class CannotDecode(ValueError):
    """A picture cannot be decoded; the message says why in plain words, without a subject."""


@contextmanager
def careful() -> Iterator[None]:
    """Everything that decodes runs inside: whatever a decoder raises comes out as CannotDecode."""
    _set_up()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except CannotDecode:
            raise
        except Exception as error:
            raise CannotDecode(plain(error)) from error


@lru_cache(maxsize=1)
def _set_up() -> None:
    """One child a core: threads of the decoders would only fight for it."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.register_heif_opener(decode_threads=1, aux_images=False, depth_images=False)


def plain(error: Exception) -> str:
    """What went wrong, in one line for a person."""
    if isinstance(error, MemoryError):
        return "it needs more memory than a decoder may use"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return "it has more than 100 megapixels"
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged at its beginning"
    text = exif.clean(str(error)) or type(error).__name__
    return "it is cut off: the file ends early" if "truncated" in text.lower() else f"it is damaged: {text}"


def open_image(file: IO[bytes], format_: Format) -> ImageFile.ImageFile:
    """Opens, without decoding, a picture of exactly this format; refuses what is too large. Within `careful`."""
    plugin = _PLUGINS[format_.name]
    image = Image.open(file, formats=(plugin,) if plugin else ())
    check_size(*image.size)
    return image


def check_size(width: int, height: int) -> None:
    """Raises CannotDecode above 100 megapixels or 30,000 pixels a side."""
    if width * height > MAX_PIXELS:
        raise CannotDecode(f"it has more than 100 megapixels ({width} x {height})")
    if max(width, height) > MAX_SIDE:
        raise CannotDecode(f"it is longer than 30,000 pixels ({width} x {height})")


def fitting(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """The size in a square of `long_side`, never enlarged, each side at least 1."""
    width, height = size
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class Shown(NamedTuple):
    """A picture as it is shown, and whether it was lying on its side."""

    image: Image.Image
    turned: bool


def show(image: Image.Image, long_side: int, orientation: int | None = None) -> Shown:
    """The picture upright, in sRGB or grey, opaque, at most `long_side` pixels; decodes no more than that needs.

    `orientation` (1 to 8) overrides the picture's own. Within `careful`.
    """
    image.draft("RGB", fitting(image.size, long_side))
    image.load()
    own = _orientation(image) if orientation is None else orientation
    small = _turn(_flatten(_shrink(image, fitting(image.size, long_side))), own)
    small = to_srgb(small, image.info.get("icc_profile"))
    small.info = {}  # Pillow would write a comment or XMP into the preview
    return Shown(small, own >= 5)


def _orientation(image: Image.Image) -> int:
    """Read after loading, for TIFF files are turned by Pillow while they load."""
    with suppress(Exception):  # broken EXIF costs the orientation, not the picture
        value = int(image.getexif().get(0x0112, 1))
        return value if value in _TURNS else 1
    return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _shrink(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Averages whole pixels down to twice the target or more, then filters: as good, and faster."""
    factor = int(min(image.width / target[0], image.height / target[1]) / 2)
    deep = _depth(image)
    image = _reduced(image, factor, deep) if factor > 1 else _plain_mode(image, deep)
    return image if image.size == target else image.resize(target, Image.Resampling.LANCZOS)


def _reduced(image: Image.Image, factor: int, deep: float) -> Image.Image:
    """Band by band, so that a large picture is never held twice."""
    rows = max(1, _BAND_PIXELS // image.width // factor) * factor
    size = (-(-image.width // factor), -(-image.height // factor))
    reduced: Image.Image | None = None
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        band = _plain_mode(band, deep).reduce(factor)
        reduced = reduced or Image.new(band.mode, size)
        reduced.paste(band, (0, top // factor))
    return reduced or image


def _depth(image: Image.Image) -> float:
    """The value that is white, where pixels are deeper than 8 bits."""
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return 255.0
    top = image.getextrema()[1]
    steps = (1.0, 255.0, 65535.0, 4294967295.0) if image.mode == "F" else (255.0, 65535.0, 4294967295.0)
    return next((step for step in steps if isinstance(top, int | float) and top <= step), steps[-1])


def _plain_mode(image: Image.Image, deep: float) -> Image.Image:
    """In a mode that can be averaged: L, RGB, RGBA or CMYK."""
    if deep != 255 or image.mode in ("I", "F"):
        wide = image.convert("I") if image.mode.startswith("I;16") else image
        return wide.convert("F").point(lambda value: value * (255 / deep)).convert("L")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _flatten(image: Image.Image) -> Image.Image:
    """On white, as a page or a print would show it."""
    if image.mode != "RGBA":
        return image
    opaque = Image.new("RGB", image.size, "white")
    opaque.paste(image, mask=image.getchannel("A"))
    return opaque


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In sRGB, by its colour profile; a profile that does not fit is as good as none."""
    transform = _transform(profile, image.mode) if profile else None
    if transform is not None:
        return transform.apply(image)
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where nothing is to be converted. Photos of one camera carry one profile."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower() and mode in ("L", "RGB"):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
