"""How near the albums of the shipped organizer come to those that people made.

    python -m tests.benchmarks.organize_quality DIR [--assignments OUT] [--chosen] [--json]

Each CSV in DIR is a collection: `photo,taken_at,utc_offset,latitude,longitude,camera,album`, one row a photo. The
organizer is asked through its port and never sees `album`. --assignments writes `photo,album` for each collection,
the primary album alone. --chosen chooses the constants of the rule anew for each collection, on the others alone.
ORGANIZING.md, beside this file, says what else was tried.
"""

import argparse
import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))

from momentarium_cli.backend.organize.base import Photo, Proposal
from momentarium_cli.backend.organize.events import RULE, Rule
from momentarium_cli.backend.organize.homes import find_homes, spots
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.order import instant
from tests.backend.organize.measures import b_cubed_f1, boundary_f1, found, nmi

Labels = Sequence[Hashable]
Measures = dict[str, float]

HOUR = timedelta(hours=1)
GRID = [  # what the constants are chosen from; the first of equal ones is taken
    Rule(pause * HOUR, rest, large, day * HOUR)
    for pause in (48, 36, 60, 72)
    for rest in (0.75, 0.5, 1.0, 1.5)
    for large in (40, 30, 60, 80)
    for day in (24, 20, 30)
]


@dataclass(frozen=True, slots=True)
class Collection:
    """Photos in capture order, what the owner called them, and the owner's album of each."""

    name: str
    photos: Sequence[Photo]
    names: Sequence[str]
    albums: Labels


def read(path: Path) -> Collection:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    photos = [_photo(index, row) for index, row in enumerate(rows)]
    return Collection(path.stem, photos, [row["photo"] for row in rows], [row["album"] for row in rows])


def _photo(key: int, row: Mapping[str, str]) -> Photo:
    taken = datetime.fromisoformat(row["taken_at"])
    return Photo(
        id=key,
        filename=f"{row['photo']}.jpg",
        taken_at=taken,
        taken_sort=(taken - _offset(row["utc_offset"])).replace(tzinfo=UTC),
        latitude=float(row["latitude"]) if row["latitude"] else None,
        longitude=float(row["longitude"]) if row["longitude"] else None,
        camera=row["camera"] or None,
    )


def _offset(text: str) -> timedelta:
    """ "-05:00"; nothing where it is not known, so that wall time stands for UTC."""
    return (datetime.strptime(text, "%z").utcoffset() if text else None) or timedelta()


def organized(collection: Collection, rule: Rule = RULE) -> Sequence[Proposal]:
    """As the backend asks it: with the homes that the whole library shows."""
    return LocalOrganizer(rule=rule).organize(collection.photos, [], find_homes(spots(collection.photos)))


def labels(collection: Collection, proposals: Sequence[Proposal]) -> Labels:
    albums = {key: index for index, proposal in enumerate(proposals) for key in proposal.photo_ids}
    return [albums[photo.id] for photo in collection.photos]


def measures(ours: Labels, theirs: Labels) -> Measures:
    return {
        "B-cubed F1": b_cubed_f1(ours, theirs),
        "NMI": nmi(ours, theirs),
        "boundary F1": boundary_f1(ours, theirs),
        "found >= .5": found(ours, theirs, 0.5),
        "found >= .75": found(ours, theirs, 0.75),
    }


def tree(proposals: Sequence[Proposal]) -> list[frozenset[int]]:
    """The photos of every node: chapters, albums, trips; a node with one child is that child."""
    nodes = {frozenset(proposal.photo_ids) for proposal in proposals}
    trips: dict[Hashable, set[int]] = defaultdict(set)
    for proposal in proposals:
        nodes.update(_chapters(proposal))
        if proposal.trip is not None:
            trips[proposal.trip].update(proposal.photo_ids)
    return list(nodes | {frozenset(photos) for photos in trips.values()})


def _chapters(proposal: Proposal) -> list[frozenset[int]]:
    begins = [0, *(proposal.photo_ids.index(key) for key in proposal.chapter_ids), len(proposal.photo_ids)]
    return [frozenset(proposal.photo_ids[start:stop]) for start, stop in pairwise(begins)]


def measured_tree(collection: Collection, proposals: Sequence[Proposal]) -> Measures:
    nodes = tree(proposals)
    leaves = sum(len(proposal.chapter_ids) + 1 for proposal in proposals)
    theirs: dict[Hashable, set[int]] = defaultdict(set)
    for photo, album in zip(collection.photos, collection.albums, strict=True):
        theirs[album].add(photo.id)
    hit = [any(2 * len(node & album) >= len(node | album) for node in nodes) for album in theirs.values()]
    return {"found at any level": mean(hit), "nodes a leaf": len(nodes) / leaves}


def gap(hours: float) -> Callable[[Collection], Labels]:
    """A new album at every gap of so many hours."""

    def rule(collection: Collection) -> Labels:
        times = [instant(photo) for photo in collection.photos]
        ends = {index for index in range(1, len(times)) if times[index] - times[index - 1] >= hours * HOUR}
        return _numbered(ends, len(times))

    return rule


def size_aware(collection: Collection) -> Labels:
    """A run is cut at its largest gap if that has 96 hours, or 24 and the run more than 40 photos; then its parts."""
    times = [instant(photo) for photo in collection.photos]

    def cuts(run: range) -> set[int]:
        if len(run) < 2:
            return set()
        cut = max(run[1:], key=lambda index: (times[index] - times[index - 1], -index))
        pause = times[cut] - times[cut - 1]
        if pause >= 96 * HOUR or (len(run) > 40 and pause >= 24 * HOUR):
            return {cut} | cuts(range(run.start, cut)) | cuts(range(cut, run.stop))
        return set()

    return _numbered(cuts(range(len(times))), len(times))


def _numbered(begins: set[int], size: int) -> Labels:
    return [sum(index >= begin for begin in begins) for index in range(size)]


def calendar(form: str) -> Callable[[Collection], Labels]:
    """An album a month or a day of local time; `form` is strftime's."""
    return lambda collection: [photo.taken_at and photo.taken_at.strftime(form) for photo in collection.photos]


BASELINES: Mapping[str, Callable[[Collection], Labels]] = {
    "gap of 36 h": gap(36),
    "gap of 24 h": gap(24),
    "calendar month": calendar("%Y-%m"),
    "calendar day": calendar("%Y-%m-%d"),
    "size-aware split": size_aware,
}


def chosen(collections: Sequence[Collection]) -> dict[str, tuple[Rule, Measures]]:
    """For each collection the constants that are best for the others, and what they get on it."""
    got = {
        (rule, one.name): measures(labels(one, organized(one, rule)), one.albums)
        for rule in GRID
        for one in collections
    }
    result = {}
    for left_out in collections:
        others = [one.name for one in collections if one is not left_out]
        best = max(GRID, key=lambda rule: mean(got[rule, name]["B-cubed F1"] for name in others))
        result[left_out.name] = best, got[best, left_out.name]
    return result


def report(collections: Sequence[Collection], *, choose: bool) -> dict[str, dict[str, Measures]]:
    """Measures by rule and collection, with "mean" over the collections."""
    rows: dict[str, dict[str, Measures]] = {
        name: {one.name: measures(rule(one), one.albums) for one in collections} for name, rule in BASELINES.items()
    }
    ours = {one.name: organized(one) for one in collections}
    rows["Momentarium"] = {
        one.name: measures(labels(one, ours[one.name]), one.albums) | measured_tree(one, ours[one.name])
        for one in collections
    }
    if choose:
        rows["chosen without it"] = {name: got for name, (_, got) in chosen(collections).items()}
    return {rule: got | {"mean": _mean(list(got.values()))} for rule, got in rows.items()}


def _mean(rows: Sequence[Measures]) -> Measures:
    return {name: mean(row[name] for row in rows) for name in rows[0]}


def write(collection: Collection, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ours = labels(collection, organized(collection))
    with (folder / f"{collection.name}.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["photo", "album"])
        lines.writerows(zip(collection.names, (f"album-{label}" for label in ours), strict=True))


def _print(rows: Mapping[str, Mapping[str, Measures]]) -> None:
    for name in next(iter(rows.values())):
        print(name)
        for rule, got in rows.items():
            print(f"  {rule:20}", *(f"{measure} {value:.3f} " for measure, value in got[name].items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--assignments", type=Path, metavar="OUT")
    parser.add_argument("--chosen", action="store_true", help="choose the constants leaving each collection out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    collections = [read(path) for path in sorted(options.folder.rglob("*.csv"))]
    if not collections:
        parser.error(f"no CSV in {options.folder}")
    for one in collections if options.assignments else ():
        write(one, options.assignments)
    rows = report(collections, choose=options.chosen)
    if options.json:
        print(json.dumps({"rules": rows, "photos": dict(Counter({c.name: len(c.photos) for c in collections}))}))
    else:
        _print(rows)
    if options.chosen and not options.json:
        for name, (rule, _) in chosen(collections).items():
            print(f"without {name}:", asdict(rule))


if __name__ == "__main__":
    main()
