"""Photos made quickly: a few pictures, each in many files with a time of its own."""

import io
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image, ImageChops

_PICTURES = 6
_FIRST = datetime(2024, 5, 1, 9)


@dataclass(frozen=True, slots=True)
class Camera:
    """What photos are like: pixels, and the quality of their JPEGs."""

    width: int
    height: int
    quality: int


PHONE = Camera(4032, 3024, 88)  # about 3 MB
CAMERA = Camera(4032, 3024, 95)  # about 5 MB
MESSENGER = Camera(896, 672, 88)  # about 180 KB


def make(folder: Path, number: int, *, camera: Camera = PHONE, seed: int = 7) -> list[Path]:
    """`number` files in `folder`, taken over some weeks with breaks between the days."""
    random.seed(seed)
    pictures = [_picture(camera, random.randrange(1 << 30)) for _ in range(min(_PICTURES, number))]
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(number):
        taken = _FIRST + timedelta(days=index // 20 * 5, minutes=7 * (index % 20))
        path = folder / f"IMG_{index:05}.jpg"
        path.write_bytes(_dated(pictures[index % len(pictures)], taken))
        made.append(path)
    return made


def _picture(camera: Camera, seed: int) -> bytes:
    """Smooth colours, and brightness noise at half the size: about the entropy of a phone's photo."""
    source, size, half = random.Random(seed), (camera.width, camera.height), (camera.width // 2, camera.height // 2)
    colours = Image.frombytes("RGB", (48, 36), source.randbytes(48 * 36 * 3)).resize(size, Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", half, source.randbytes(half[0] * half[1])).point(lambda v: 108 + v * 40 // 256)
    brightness, blue, red = colours.convert("YCbCr").split()
    brightness = ImageChops.add(brightness, grain.resize(size, Image.Resampling.BICUBIC), offset=-128)
    out = io.BytesIO()
    Image.merge("YCbCr", (brightness, blue, red)).convert("RGB").save(out, "JPEG", quality=camera.quality)
    return out.getvalue()


def _dated(jpeg: bytes, taken: datetime) -> bytes:
    exif = Image.Exif()
    exif[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    payload = exif.tobytes()
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    return jpeg[:2] + segment + jpeg[2:]
