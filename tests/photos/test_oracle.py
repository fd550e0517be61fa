"""Our bounded reader says what exifread says, on real photos of many cameras."""

import logging
from pathlib import Path

import pytest

from momentarium_cli.models import TakenAtSource
from momentarium_cli.photos import metadata
from tests.photos.conftest import real_photos


def exifread_tags(path: Path) -> dict[str, str]:
    import exifread

    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    with path.open("rb") as file:
        return {name: str(value) for name, value in exifread.process_file(file, details=False).items()}


@pytest.mark.parametrize("path", real_photos("cameras/*.jpg", "cameras/*.JPG"), ids=lambda path: path.name)
def test_capture_time_and_camera_are_those_that_exifread_finds(path: Path) -> None:
    try:
        tags = exifread_tags(path)
    except Exception:
        return  # it lets IndexError and the like out of broken files; ours must read those, which other tests hold
    ours = metadata.read(path, mtime_ns=0).metadata
    if ours.taken_at_source is TakenAtSource.EXIF and "EXIF DateTimeOriginal" in tags:
        assert ours.taken_at is not None
        assert ours.taken_at.strftime("%Y:%m:%d %H:%M:%S") == tags["EXIF DateTimeOriginal"].strip()
    if model := tags.get("Image Model", "").replace("\x00", "").strip():
        assert ours.camera is not None
        assert " ".join(model.split()).split()[-1] in ours.camera
