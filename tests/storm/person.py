"""A person who uploads the same folders again and again, while the program is killed at one point after another."""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from tests.storm.launcher import Launcher
from tests.storm.photos import Photos
from tests.storm.points import POINTS, Plan, hits

_PATIENCE_SECONDS = 150
_FULL_DISK = 12  # of so many runs one has no room for its journal
_CALM_ENDS = (0, 3)  # good; some files failed
_ENDS = (*_CALM_ENDS, 5, 7, 143, -9)  # out of reach, or no room; a budget; told to end; killed


@dataclass
class Person:
    """`environment` is that of the program; `runs` gets a line of JSON for each run, and `problems` what went wrong.
    `restore` makes the server forget so many jobs, and perhaps the store their photos; it answers their checksums."""

    user_id: int
    folder: Path
    launcher: Launcher
    environment: Mapping[str, str]
    hits: Path
    runs: Path
    seed: str
    restore: Callable[[int, bool], Sequence[str]]
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.photos = Photos(self.folder, self.seed)
        self._random = random.Random(self.seed)
        self._number = 0
        self._forgotten: dict[str, Any] = {}

    def live(self, more: Callable[[], bool]) -> None:
        try:
            while more() and not self.problems:
                self._suffer()
        except Exception as error:
            self.problems.append(f"person {self.user_id}: {type(error).__name__}: {error}")

    def rest(self) -> None:
        """When it is calm again: a run that ends what is left, and one that finds nothing to do."""
        for _ in range(2):
            self.run(None, [self.photos.main, self.photos.more], calm=True)

    def lose_what_came_last(self) -> None:
        """The server is restored from a backup that does not have it, with or without its store."""
        jobs, gone = self._random.choice((1, 1, 2)), self._random.random() < 0.5
        self._forgotten = {"sha256s": [*self.restore(jobs, gone)], "at": time.time(), "gone": gone}

    # --- runs

    def _suffer(self) -> None:
        if self._random.random() < 1 / _FULL_DISK:
            self.photos.arrive()
            self.run(None, pages=self._random.randint(0, 4))
            return
        target = self._target()
        self.photos.any_of(f"{self.seed} {self._number}")
        prepare = _PREPARATIONS.get(target.partition(" ")[0])
        arguments = prepare(self) if prepare else None
        self.run(target, arguments)

    def _target(self) -> str:
        """One of those where fewest were killed so far."""
        killed = hits(self.hits)["kill"]
        names = self._random.sample(POINTS, len(POINTS))
        return self._random.choice(sorted(names, key=lambda name: killed[name])[:3])

    def run(
        self,
        target: str | None,
        arguments: Sequence[object] | None = None,
        *,
        surely: bool = False,
        calm: bool = False,
        pages: int | None = None,
    ) -> int:
        """Run the program, which dies at `target` if it comes there. Answers its code."""
        self._number += 1
        plan = Plan(
            f"{self.seed} run {self._number}",
            str(self.hits),
            target,
            likely=1 if surely else 0.85,
            ends=0 if surely else 0.1,
            changes=0 if calm else self._random.choice((1, 1, 1, 9)),
            pages=pages,
            stormy=not calm,
        )
        out = self.folder / f"run{self._number}"
        child = self.launcher.start(
            ["upload", "--json", *(arguments or [self.photos.main])], self.environment, out, plan
        )
        try:
            code = child.wait(_PATIENCE_SECONDS)
        except Empty:
            raise AssertionError(f"run {out} did not end") from None
        self._note(plan, out, code, calm)
        return code

    def _note(self, plan: Plan, out: Path, code: int, calm: bool) -> None:
        told = [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")]
        said = Path(f"{out}.err").read_text()
        summary = told[-1] if told and told[-1]["event"] == "summary" else None
        line = {
            "user_id": self.user_id,
            "run": str(out),
            "folders": [str(self.photos.main), str(self.photos.more)],
            "target": plan.target,
            "calm": calm,
            "code": code,
            "uploaded": [event["sha256"] for event in told if event["event"] == "uploaded"],
            "summary": summary,
            "forgotten": self._forgotten,
        }
        self._forgotten = {}
        with self.runs.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._check(code, said, calm, summary)

    def _check(self, code: int, said: str, calm: bool, summary: Any) -> None:
        where = f"run {self._number} of person {self.user_id}"
        if code not in (_CALM_ENDS if calm else _ENDS):
            self.problems.append(f"{where} ended with {code}: {said[-500:]}")
        if "Traceback" in said or "Internal error" in said:
            self.problems.append(f"{where} said {said[-500:]}")
        if code in (0, 3) and summary is None:
            self.problems.append(f"{where} ended with {code} without a summary")


# --- what makes a point one that will be reached -------------------------------------------------------------------

Preparation = Callable[[Person], Sequence[object] | None]


def _with(*happenings: Callable[[Photos], None]) -> Preparation:
    def prepare(person: Person) -> None:
        for happens in happenings:
            happens(person.photos)

    return prepare


def _after_a_run(happens: Callable[[Photos], None]) -> Preparation:
    """For what befalls photos that are in the library."""

    def prepare(person: Person) -> None:
        person.run(None, [person.photos.main, person.photos.more])
        happens(person.photos)

    return prepare


def _uploaded_and_then_linked(person: Person) -> None:
    path = person.photos.beside()
    person.run(None, [person.photos.main, person.photos.more])
    person.photos.link_to(path)


def _after_a_kill(person: Person) -> None:
    """With photos that wait in a batch."""
    person.photos.arrive()
    person.run("sign before", surely=True)


def _accepted_and_then_edited(person: Person) -> None:
    """The server has accepted a batch, which the journal does not know, and it is not any more what it was."""
    person.run(None)
    person.photos.arrive(4)
    person.run("accepted before", surely=True)
    person.photos.edit()


def _nothing_but_copies(person: Person) -> None:
    person.run(None)
    person.photos.copy()


def _uploaded_and_then_lost(person: Person) -> None:
    """Some of them were touched in between, and are in no job of the journal any more."""
    person.photos.arrive()
    person.run(None)
    person.photos.touch()
    if person.run(None) in _CALM_ENDS:  # then the journal knows what the server has
        person.lose_what_came_last()


def _failed_before(person: Person) -> Sequence[object]:
    person.photos.close()
    person.run(None)
    return ["--retry-failed", person.photos.main]


def _more_than_its_budget(person: Person) -> Sequence[object]:
    person.photos.arrive(8)
    return ["--max-transfer", "4k", person.photos.main]


_PREPARATIONS: Mapping[str, Preparation] = {
    "moved": _after_a_run(Photos.rename_folder),
    "linked": _uploaded_and_then_linked,
    "as_before": _after_a_run(Photos.shift_clock),
    "unsupported": _with(Photos.junk),
    "unreadable": _with(Photos.close),
    "failed": _with(Photos.will_vanish),
    "duplicate": _with(Photos.copy),
    "described_anew": _with(Photos.will_change),
    "seen_again": _after_a_kill,
    "release_missing": _after_a_kill,
    "release_pending": _more_than_its_budget,
    "forgotten": _failed_before,
    "renamed": _accepted_and_then_edited,
    "done": _nothing_but_copies,
    "lost": _uploaded_and_then_lost,
}
