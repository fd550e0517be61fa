"""Titles for real photos of many cameras and years, where they are at hand: hardly two of them belong together."""

from pathlib import Path

import numpy as np
import pytest

from momentarium_cli.backend.organize.base import Photo, Proposal
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.places import gazetteer
from momentarium_cli.models import TakenAtSource
from momentarium_cli.photos import metadata
from momentarium_cli.photos.formats import UnsupportedPhoto
from tests.photos.conftest import REAL, real_photos

GOLDEN = Path(__file__).with_name("golden_real_titles.txt")

if_at_hand = pytest.mark.parametrize("photos", [real_photos("**/*.*")] if REAL.is_dir() else [], ids=["real"])


def described(paths: list[Path]) -> list[Photo]:
    """What an upload knows of each file that is a photo."""
    found = []
    for key, path in enumerate(paths):
        try:
            said = metadata.read(path, mtime_ns=path.stat().st_mtime_ns).metadata
        except UnsupportedPhoto:
            continue
        dated = said.taken_at_source not in (None, TakenAtSource.MTIME)
        found.append(
            Photo(
                key,
                path.name,
                said.taken_at if dated else None,
                said.taken_sort if dated else None,
                said.latitude,
                said.longitude,
                said.altitude,
                said.camera,
                str(path.parent.relative_to(REAL)),
            )
        )
    return found


def organized(paths: list[Path]) -> list[tuple[Proposal, list[Photo]]]:
    """Each album with its photos."""
    photos = described(paths)
    by_id = {photo.id: photo for photo in photos}
    proposals = LocalOrganizer().organize(photos, [], find_homes(spots(photos)))
    return [(proposal, [by_id[key] for key in proposal.photo_ids]) for proposal in proposals]


def golden(paths: list[Path]) -> list[str]:
    lines = []
    for proposal, photos in organized(paths):
        days = sorted(f"{photo.taken_at:%Y-%m-%d}" for photo in photos if photo.taken_at)
        lines.append(f"{days[0] if days else '-'} {days[-1] if days else '-'} {len(photos)} {proposal.title}")
    return lines


@if_at_hand
def test_titles_read_as_they_should(photos: list[Path]) -> None:
    """Whoever changes titles on purpose writes `golden()` into the file, and reads it."""
    assert golden(photos) == GOLDEN.read_text("utf-8").splitlines()


@if_at_hand
def test_no_title_comes_twice_and_each_is_of_the_year_of_all_its_photos(photos: list[Path]) -> None:
    found = organized(photos)
    assert len({proposal.title for proposal, _ in found}) == len(found)
    for proposal, held in found:
        assert all(str(photo.taken_at.year) in proposal.title for photo in held if photo.taken_at)


@if_at_hand
def test_every_place_that_is_named_is_one_where_a_photo_was_taken(photos: list[Path]) -> None:
    for proposal, held in organized(photos):
        where = [(photo.latitude, photo.longitude) for photo in held if photo.latitude is not None]
        visited = [place for place in gazetteer().lookup(np.array(where, np.float64)) if place] if where else []
        known = {name for place in visited for name in (place.name, place.country)}
        assert proposal.place is None or set(proposal.place.replace(" & ", ", ").split(", ")) <= known
