"""Measures the local organizer on albums that people made, where these are at hand."""

import csv
import os
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

import pytest

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.local import LocalOrganizer
from tests.backend.organize.measures import b_cubed_f1, boundary_f1, found, nmi

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("MOMENTARIUM_TEST_ALBUMS", ROOT.parent / "shared" / "eval" / "albums"))
COLLECTIONS = sorted(FOLDER.glob("*.csv"))


@pytest.mark.skipif(not COLLECTIONS, reason=f"no collections in {FOLDER}")
def test_comes_near_to_the_albums_that_people_made() -> None:
    measured = [measure(collection) for collection in COLLECTIONS]
    means = {name: mean(one[name] for one in measured) for name in measured[0]}
    print({name: round(value, 3) for name, value in means.items()})
    assert means["B-cubed F1"] >= 0.85
    assert means["found at IoU .5"] >= 0.70


def measure(collection: Path) -> dict[str, float]:
    photos, theirs = read(collection)
    labels = {key: index for index, one in enumerate(LocalOrganizer().organize(photos, [])) for key in one.photo_ids}
    ours = [labels[photo.id] for photo in photos]
    return {
        "B-cubed F1": b_cubed_f1(ours, theirs),
        "NMI": nmi(ours, theirs),
        "boundary F1": boundary_f1(ours, theirs),
        "found at IoU .5": found(ours, theirs, 0.5),
        "found at IoU .75": found(ours, theirs, 0.75),
    }


def read(collection: Path) -> tuple[list[Photo], list[Hashable]]:
    """The photos in capture order, and the owner's album of each."""
    with collection.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [photo(index, row) for index, row in enumerate(rows)], [row["album"] for row in rows]


def photo(key: int, row: dict[str, str]) -> Photo:
    taken = datetime.fromisoformat(row["taken_at"])
    return Photo(
        id=key,
        filename=f"{row['photo']}.jpg",
        taken_at=taken,
        taken_sort=(taken - offset(row["utc_offset"])).replace(tzinfo=UTC),
        latitude=float(row["latitude"]) if row["latitude"] else None,
        longitude=float(row["longitude"]) if row["longitude"] else None,
        camera=row["camera"] or None,
    )


def offset(text: str) -> timedelta:
    """ "-05:00"; nothing where it is not known, so that wall time stands for UTC."""
    if not text:
        return timedelta()
    return datetime.strptime(text, "%z").utcoffset() or timedelta()
