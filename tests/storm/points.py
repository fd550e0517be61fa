"""Named points in the life of an upload, and what befalls the program there.

The product knows nothing of this: its functions are wrapped from outside, in the process that is to suffer. A point is
before or after a transition of the journal (`stored after`) or a call out (`put before`). Whoever reaches the one that
the plan names may be killed or told to end there. Photos whose names say so change or vanish while they are uploaded.
"""

import functools
import os
import random
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from momentarium_cli.backend import jobs, worker
from momentarium_cli.client import database, poll, retries, send, transport
from momentarium_cli.client.api import Api
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.plan import Plan as UploadPlan
from momentarium_cli.client.preparation import Preparation
from momentarium_cli.client.sightings import Sightings
from momentarium_cli.client.transport import Transport
from tests.chaos.points import around, hurry, put

READ_SECONDS = 4.0  # before an answer counts as stalled
_BATCH = 4  # photos: so that a run has several batches

# By name: what writes the journal. The first pass notes what it sees, and `commit` makes it last.
TRANSITIONS: Mapping[str, tuple[type, str]] = {
    "begun": (Journal, "__init__"),
    "described": (Sightings, "described"),
    "seen_again": (Sightings, "seen_again"),
    "moved": (Sightings, "moved"),
    "linked": (Sightings, "linked"),
    "unsupported": (Sightings, "unsupported"),
    "unreadable": (Sightings, "unreadable"),
    "forgotten": (Sightings, "forget"),
    "commit": (Journal, "commit"),
    "release_missing": (Journal, "release_missing"),
    "release_pending": (Journal, "release_pending"),
    "close_batch": (Journal, "close_batch"),
    "described_anew": (Journal, "described"),
    "stored": (Journal, "stored"),
    "duplicate": (Journal, "duplicate"),
    "as_before": (Journal, "as_before"),
    "failed": (Journal, "failed"),
    "sent": (Journal, "sent"),
    "accepted": (Journal, "accepted"),
    "renamed": (Journal, "renamed"),
    "done": (Journal, "done"),
    "done_job": (Journal, "done_job"),
    "lost": (Journal, "lost"),
    "note_speed": (Journal, "note_speed"),
}
CALLS = ("sign", "put", "process")
POINTS = [f"{name} {when}" for name in (*TRANSITIONS, *CALLS) for when in ("before", "after")]

VANISHES, GROWS, SHRINKS = "vanishes", "grows", "shrinks"


@dataclass(frozen=True)
class Plan:
    """What one process has to expect. `target` is the point where something is likely to happen, if any."""

    seed: str
    hits: str  # the file that what happened is noted in
    target: str | None = None
    likely: float = 0.85
    ends: float = 0.1  # how often it is told to end instead of being killed
    changes: int = 1  # how often a photo that changes does so
    pages: int | None = None  # how many the journal may still grow by before its disk is full
    stormy: bool = True


class Fate:
    """Decides at every point. What it does is written down first: a killed process tells nothing."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._lock = threading.Lock()
        self._hits = os.open(plan.hits, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._told_to_end = False

    def reach(self, point: str) -> None:
        if point != self._plan.target:
            return
        with self._lock:
            if self._told_to_end or self._random.random() > self._plan.likely:
                return
            self._told_to_end = self._random.random() < self._plan.ends
            action, number = ("end", signal.SIGTERM) if self._told_to_end else ("kill", signal.SIGKILL)
            os.write(self._hits, f"{action} {point}\n".encode())
            os.kill(os.getpid(), number)


def hits(path: Path) -> dict[str, Counter[str]]:
    """How often what happened where: action, then point."""
    found: dict[str, Counter[str]] = {"kill": Counter(), "end": Counter()}
    for line in path.read_text().splitlines() if path.exists() else ():
        action, _, point = line.partition(" ")
        found[action][point] += 1
    return found


def install(plan: Plan) -> None:
    """Wrap what the plan is about, and shorten every time that a run would have to wait for."""
    put(UploadPlan, next_batch=functools.partialmethod(UploadPlan.next_batch, _BATCH))
    if plan.stormy:
        _hurry()
    if plan.pages is not None:
        _fill_disk(plan.pages)
    fate = Fate(plan)
    for name, (owner, attribute) in TRANSITIONS.items():
        put(owner, **{attribute: around(fate, name, getattr(owner, attribute))})
    put(Api, generate_urls=around(fate, "sign", Api.generate_urls), process=around(fate, "process", Api.process))
    _watch_puts(fate)
    if plan.changes:
        _meddle(plan.changes)


def install_in_server() -> None:
    """Leases are short, so that jobs of a server that was killed go on soon."""
    attempts = jobs.MAX_ATTEMPTS
    hurry()
    for module in (jobs, worker):
        put(module, MAX_ATTEMPTS=attempts)


def _hurry() -> None:
    put(transport, READ_SECONDS=READ_SECONDS, MAX_DELAY_SECONDS=0.4)
    put(retries, _MAX_DELAY_SECONDS=0.4, MAX_RETRY_AFTER_SECONDS=0.4)
    put(poll, _SHORTEST_SECONDS=0.1)
    ask = Api.job

    def impatient(*arguments: Any, **options: Any) -> Any:
        status, wait = ask(*arguments, **options)
        return status, min(wait, 0.2)

    put(Api, job=impatient)


def _watch_puts(fate: Fate) -> None:
    whole = Transport.send

    def sent(self: Transport, method: str, url: str, *arguments: Any) -> Any:
        if "/originals/" not in url:
            return whole(self, method, url, *arguments)
        return around(fate, "put", whole)(self, method, url, *arguments)

    put(Transport, send=sent)


def _fill_disk(pages: int) -> None:
    """The journal's disk is full once it has grown by so many pages."""
    connect = database._connect

    def connected(path: Path) -> sqlite3.Connection:
        db = connect(path)
        size = int(db.execute("pragma page_count").fetchone()[0])
        db.execute(f"pragma max_page_count = {size + pages}")
        return db

    put(database, _connect=connected)


# --- photos that change -------------------------------------------------------------------------------------------


def _meddle(times: int) -> None:
    """Photos vanish before they are read, and change between two looks of the program at them."""
    changed = Counter[Path]()
    lock = threading.Lock()

    def change(path: Path) -> None:
        with lock:
            changed[path] += 1
            if changed[path] <= times:
                _change(path)

    begin, look = Preparation.begin, send._check_unchanged

    def begun(self: Preparation, work: Any) -> None:
        if work.file.path.name.startswith(VANISHES):
            work.file.path.unlink(missing_ok=True)
        begin(self, work)

    def looked(path: Path, *arguments: Any) -> None:
        look(path, *arguments)
        change(path)

    put(Preparation, begin=begun)
    put(send, _check_unchanged=looked)


def _change(path: Path) -> None:
    if path.name.startswith(GROWS):
        with path.open("ab") as file:
            file.write(b"more")
    elif path.name.startswith(SHRINKS):
        os.truncate(path, max(1, path.stat().st_size - 7))
