"""Measures the local organizer on albums that people made, where these are at hand."""

import os
from pathlib import Path

import pytest

from tests.benchmarks.organize_quality import read, report, write

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("MOMENTARIUM_TEST_ALBUMS", ROOT.parent / "shared" / "eval" / "albums"))
COLLECTIONS = sorted(FOLDER.glob("*.csv"))

pytestmark = pytest.mark.skipif(not COLLECTIONS, reason=f"no collections in {FOLDER}")


def test_comes_nearer_to_the_albums_that_people_made_than_a_split_by_gaps_and_size() -> None:
    rows = report([read(path) for path in COLLECTIONS], choose=False)
    ours, split = rows["Momentarium"], rows["size-aware split"]
    assert ours["mean"]["B-cubed F1"] > split["mean"]["B-cubed F1"]
    assert ours["mean"]["found >= .5"] > split["mean"]["found >= .5"]
    assert all(got["B-cubed F1"] >= split[name]["B-cubed F1"] - 0.02 for name, got in ours.items())


def test_most_albums_are_a_node_of_a_small_tree() -> None:
    ours = report([read(path) for path in COLLECTIONS], choose=False)["Momentarium"]
    assert ours["mean"]["found at any level"] >= 0.90
    assert all(got["nodes a leaf"] <= 1.5 for got in ours.values())


def test_assignments_name_every_photo_once(tmp_path: Path) -> None:
    for path in COLLECTIONS:
        write(read(path), tmp_path)
        lines = (tmp_path / path.name).read_text("utf-8").splitlines()
        assert lines[0] == "photo,album"
        assert [line.split(",")[0] for line in lines[1:]] == list(read(path).names)
