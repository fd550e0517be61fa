"""The whole way, with real photos of many cameras, where they are at hand."""

from collections import Counter
from pathlib import Path

import pytest

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.program import Program
from tests.photos.conftest import REAL


@pytest.mark.parametrize("photos", [REAL] if REAL.is_dir() else [], ids=["real"])
def test_real_photos_are_each_in_one_album_and_come_back_byte_for_byte(
    momentarium: Program, photos: Path, tmp_path: Path
) -> None:
    files = [path for path in photos.rglob("*") if path.is_file()]
    first = momentarium.run("upload", "--json", photos)
    assert first.code == 0, first.err
    assert first.summary["found"] == len(files)
    stored = first.summary["uploaded"]
    assert stored + first.summary["skipped"] == len(files)
    assert sum(album["photos"] for album in first.summary["albums"]) == stored
    assert momentarium.run("upload", "--json", photos).counts == {
        "unchanged": stored,
        "skipped": first.summary["skipped"],
    }
    assert momentarium.run("export", tmp_path).code == 0
    exported = Counter(sha256_file(path) for path in tmp_path.rglob("*") if path.is_file())
    skipped = {line["path"] for line in first.lines if line["event"] == "skipped"}
    assert exported == Counter(sha256_file(path) for path in files if str(path) not in skipped)
