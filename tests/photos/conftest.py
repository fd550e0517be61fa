import os
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
import pytest

from momentarium_cli.photos.decode import Decoder

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC too

REAL = Path(os.environ.get("MOMENTARIUM_TEST_PHOTOS") or Path(__file__).parents[2].parent / "shared" / "photos")


def real_photos(*patterns: str) -> list[Path]:
    """Real photos, where they are at hand; the tests that use them have nothing to do where they are not."""
    return sorted(path for pattern in patterns for path in REAL.glob(pattern)) if REAL.is_dir() else []


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """Two children, with little memory and time."""
    with Decoder(2, memory_bytes=1 << 30, cpu_seconds=1, wall_seconds=30) as pool:
        yield pool
