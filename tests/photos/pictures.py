"""Photos for the tests: small, made here, the same on every run."""

import random
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

EXIF_IFD, GPS_IFD = 0x8769, 0x8825


def picture(width: int = 64, height: int = 48, seed: int = 1, mode: str = "RGB") -> Image.Image:
    """Four corners of different colours, with something random inside: every turn of it looks different."""
    chance = random.Random(seed)
    small = Image.new("RGB", (8, 6))
    small.putdata([tuple(chance.randrange(256) for _ in range(3)) for _ in range(48)])
    for place, colour in (((0, 0), "red"), ((7, 0), "lime"), ((0, 5), "blue"), ((7, 5), "white")):
        small.putpixel(place, tuple(Image.new("RGB", (1, 1), colour).tobytes()))
    return small.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def detailed(seed: int = 1) -> Image.Image:
    """The same as large as a preview, with a hundred fine lines: there is something to be sharp."""
    chance = random.Random(seed)
    image = picture(1440, 960, seed)
    for _ in range(100):
        ends = [(chance.randrange(1440), chance.randrange(960)) for _ in range(2)]
        ImageDraw.Draw(image).line(ends, fill=chance.choice(["black", "white"]), width=3)
    return image


def encoded(image: Image.Image, format_: str = "JPEG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def exif(
    image: Mapping[int, Any] | None = None,
    photo: Mapping[int, Any] | None = None,
    gps: Mapping[int, Any] | None = None,
) -> bytes:
    tags = Image.Exif()
    tags.update(dict(image or {}))
    tags.get_ifd(EXIF_IFD).update(dict(photo or {}))
    tags.get_ifd(GPS_IFD).update(dict(gps or {}))
    return tags.tobytes()


def photo(path: Path, data: bytes | None = None, **parts: Mapping[int, Any]) -> Path:
    """Writes a JPEG, with EXIF tags if any are given, and says where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if data is not None else encoded(picture(), exif=exif(**parts)))
    return path


def gps(latitude: float, longitude: float, **more: Any) -> dict[int, Any]:
    """The GPS tags of a position in degrees."""
    tags: dict[int, Any] = {
        1: "N" if latitude >= 0 else "S",
        2: (abs(latitude), 0.0, 0.0),
        3: "E" if longitude >= 0 else "W",
        4: (abs(longitude), 0.0, 0.0),
    }
    return tags | {int(tag.removeprefix("tag")): value for tag, value in more.items()}


def tiff(entries: list[tuple[int, int, int, bytes]], order: str = "<") -> bytes:
    """A bare TIFF structure of (tag, type, count, four bytes) with one directory."""
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "IH", 8, len(entries)) + body + bytes(4)


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    """The JPEG with one more segment right behind its start."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: small, and dear to decode."""
    jpeg = encoded(picture(256, 256), progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * scans + jpeg[-2:]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures, in steps of 255."""
    from PIL import ImageChops, ImageStat

    size = (32, 32)
    pair = [image.convert("RGB").resize(size) for image in (one, other)]
    return sum(ImageStat.Stat(ImageChops.difference(*pair)).mean) / 3
