"""Photos of 12 megapixels and about 3 MB, made quickly: a few pictures, each in many files with a time of its own."""

import io
import random
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image, ImageChops

SIZE = (4032, 3024)
_PICTURES = 6
_GRAIN = (2016, 1512)  # brightness noise of this size, and smooth colours: about the entropy of a phone's photo
_FIRST = datetime(2024, 5, 1, 9)


def make(folder: Path, number: int, *, seed: int = 7) -> list[Path]:
    """`number` files in `folder`, taken over some weeks with breaks between the days."""
    random.seed(seed)
    pictures = [_picture(random.randrange(1 << 30)) for _ in range(min(_PICTURES, number))]
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(number):
        taken = _FIRST + timedelta(days=index // 20 * 5, minutes=7 * (index % 20))
        path = folder / f"IMG_{index:05}.jpg"
        path.write_bytes(_dated(pictures[index % len(pictures)], taken))
        made.append(path)
    return made


def _picture(seed: int) -> bytes:
    source = random.Random(seed)
    colours = Image.frombytes("RGB", (48, 36), source.randbytes(48 * 36 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", _GRAIN, source.randbytes(_GRAIN[0] * _GRAIN[1])).point(lambda v: 108 + v * 40 // 256)
    brightness, blue, red = colours.convert("YCbCr").split()
    brightness = ImageChops.add(brightness, grain.resize(SIZE, Image.Resampling.BICUBIC), offset=-128)
    out = io.BytesIO()
    Image.merge("YCbCr", (brightness, blue, red)).convert("RGB").save(out, "JPEG", quality=88)
    return out.getvalue()


def _dated(jpeg: bytes, taken: datetime) -> bytes:
    exif = Image.Exif()
    exif[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    payload = exif.tobytes()
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    return jpeg[:2] + segment + jpeg[2:]
