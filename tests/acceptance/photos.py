"""Photos as a camera writes them, small and seeded."""

import random
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

from PIL import Image

MAY = datetime(2024, 5, 1, 10)
JULY = datetime(2024, 7, 20, 9)


def photo(path: Path, taken: datetime | None = MAY, *, seed: int = 0) -> Path:
    """A JPEG of 640 × 480."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random(seed).randbytes(80 * 60 * 3)
    image = Image.frombytes("RGB", (80, 60), noise).resize((640, 480), Image.Resampling.BILINEAR)
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = f"{taken:%Y:%m:%d %H:%M:%S}"
    out = BytesIO()
    image.save(out, "JPEG", quality=80, exif=exif)
    path.write_bytes(out.getvalue())
    return path


def event(folder: Path, number: int, begins: datetime = MAY, *, seed: int = 0) -> list[Path]:
    """Photos of one event, ten minutes apart."""
    return [
        photo(folder / f"IMG_{begins:%m%d}_{i:03}.jpg", begins + timedelta(minutes=10 * i), seed=seed * 1000 + i)
        for i in range(number)
    ]
