"""A contact sheet: small pictures in a grid, each with its number. Runs in limited child processes (see `decode`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from momentarium_cli.photos import pixels
from momentarium_cli.photos.derived import encode
from momentarium_cli.photos.formats import JPEG
from momentarium_cli.photos.pixels import CannotDecode

CELL_SIDE = 256  # pixels; 4 x 4 of them are 1,024, which models see whole
QUALITY = 75
_NUMBER_SIZE = 28
_PADDING = 4
_BACKGROUND = (32, 32, 32)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A JPEG without metadata; the cells show the pictures with the indices `shown`."""

    data: bytes
    shown: tuple[int, ...]


def contact_sheet(pictures: Sequence[bytes], first: int = 1) -> Sheet | None:
    """Of JPEGs, in their order and numbered from `first` on; those that cannot be decoded are left out. None where
    that is all of them."""
    small = {index: image for index, data in enumerate(pictures) if (image := _small(data))}
    if not small:
        return None
    columns = ceil(sqrt(len(small)))
    rows = ceil(len(small) / columns)
    sheet = Image.new("RGB", (columns * CELL_SIDE, rows * CELL_SIDE), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, image in enumerate(small.values()):
        row, column = divmod(index, columns)
        _cell(sheet, draw, image, first + index, (column * CELL_SIDE, row * CELL_SIDE))
    return Sheet(encode(sheet, QUALITY), tuple(small))


def _small(data: bytes) -> Image.Image | None:
    try:
        with pixels.careful():
            return pixels.show(pixels.open_image(BytesIO(data), JPEG), CELL_SIDE - 2, orientation=1).image
    except CannotDecode:
        return None


def _cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, image: Image.Image, number: int, corner: tuple[int, int]
) -> None:
    """The picture in the middle, its number over the cell's corner."""
    left, top = corner
    sheet.paste(image, (left + (CELL_SIDE - image.width) // 2, top + (CELL_SIDE - image.height) // 2))
    place = (left + _PADDING, top + _PADDING)
    x0, y0, x1, y1 = draw.textbbox(place, str(number), _font())
    draw.rectangle((x0 - _PADDING, y0 - _PADDING, x1 + _PADDING, y1 + _PADDING), "black")
    draw.text(place, str(number), "yellow", _font())


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_NUMBER_SIZE)
