"""Photos of 12 megapixels and about 3 MB, made quickly: a few pictures, each in many files with a time of its own."""

import io
import random
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image

SIZE = (4032, 3024)
_PICTURES = 6
_NOISE_SIZE = (900, 675)  # noise scaled up gives JPEGs of about 3 MB, as phones make them
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
    noise = random.Random(seed).randbytes(_NOISE_SIZE[0] * _NOISE_SIZE[1] * 3)
    image = Image.frombytes("RGB", _NOISE_SIZE, noise).resize(SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


def _dated(jpeg: bytes, taken: datetime) -> bytes:
    exif = Image.Exif()
    exif[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    payload = exif.tobytes()
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    return jpeg[:2] + segment + jpeg[2:]
