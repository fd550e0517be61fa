"""How near the concurrency that `momentarium upload` finds comes to the best that could be fixed, on two links.

    python -m tests.benchmarks.links [--link good|bad] [--rounds 5]

A good link has a round trip of 1 ms and no other bound, a bad one 150 ms and 8 Mbit/s with stalls and resets
(`tests.benchmarks.shaping`). Between client and store, which is a SeaweedFS on this machine, lies the link; each round
uploads the same photos with each concurrency once, in an order that turns. Compared is the best of the rounds, from the
first byte that is read to the answer of the last PUT: luck with resets is not what is measured. Goal: what is found
takes at most 1.15 times as long as the best that was fixed.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import photos, s3_upload
from tests.benchmarks.photos import MESSENGER
from tests.benchmarks.s3_upload import Setting
from tests.benchmarks.shaping import BAD, GOOD, Link, linked
from tests.seaweed import Server, running_server

GOAL = 1.15


@dataclass(frozen=True, slots=True)
class Course:
    """A link, how many photos of 180 KB go over it, and the fixed levels that are tried."""

    link: Link
    number: int
    levels: tuple[int, ...]


COURSES = {"good": Course(GOOD, 2000, (1, 2, 4, 8, 16, 32)), "bad": Course(BAD, 60, (1, 2, 4, 8, 16, 32))}


def seconds(setting: Setting, link: Link, level: int | None, seed: int) -> float:
    """What an upload takes over the link; without a level it finds its own."""
    bucket = setting.seaweed.new_bucket()
    options = ["--no-previews", *(["--concurrency", str(level)] if level else [])]
    with linked(setting.seaweed.endpoint, link, seed) as endpoint:
        took = s3_upload.momentarium(setting, bucket, *options, endpoint=endpoint)
    s3_upload.check_stored(setting, bucket)
    return took.sending


def measure(course: Course, store: Server, rounds: int) -> None:
    levels: list[int | None] = [None, *course.levels]
    best: dict[int | None, float] = {}
    with tempfile.TemporaryDirectory(prefix="mp") as name:
        photos.make(Path(name), course.number, camera=MESSENGER)
        setting = Setting(store, Path(name), course.number)
        for turn in range(rounds):
            for level in [*levels[turn % len(levels) :], *levels[: turn % len(levels)]]:
                took = seconds(setting, course.link, level, seed=turn)
                best[level] = min(best.get(level, took), took)
                print(f"  {course.link.name}, round {turn + 1}, {level or 'found'}: {took:.2f} s", flush=True)
    fixed = min(course.levels, key=lambda level: best[level])
    told = ", ".join(f"{level}: {best[level]:.2f} s" for level in course.levels)
    print(
        f"{course.link.name} link, best of {rounds}: {told}; found: {best[None]:.2f} s"
        f" = {best[None] / best[fixed]:.2f} x that of {fixed} (goal {GOAL})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--link", choices=sorted(COURSES), help="one of them alone")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running_server() as store:
        for name in [options.link] if options.link else COURSES:
            measure(COURSES[name], store, options.rounds)


if __name__ == "__main__":
    main()
