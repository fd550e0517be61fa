"""Photos with a capture time, small and different from one another."""

from datetime import datetime, timedelta
from pathlib import Path

from tests.photos.pictures import encoded, exif, picture

MAY = datetime(2024, 5, 1, 10)


def dated(path: Path, taken: datetime = MAY, *, seed: int = 1) -> Path:
    """A JPEG taken then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = exif(photo={0x9003: f"{taken:%Y:%m:%d %H:%M:%S}"})
    path.write_bytes(encoded(picture(64, 48, seed), exif=tags))
    return path


def event(folder: Path, number: int, *, begins: datetime = MAY, seed: int = 0) -> list[Path]:
    """Photos of one event, ten minutes apart."""
    return [
        dated(
            folder / f"{begins:%m%d}-{index:03}.jpg", begins + timedelta(minutes=10 * index), seed=seed * 1000 + index
        )
        for index in range(number)
    ]
