"""Named points in the life of a job, and what befalls a server there.

The product knows nothing of this: its functions are wrapped from outside, in the process that is to suffer. A point is
before or after a commit (`claim before commit`) or before or after a call out (`store.open before`). Whoever reaches
one may be killed, frozen or told to end, or find PostgreSQL killed, as the seed and the plan have it.
"""

import functools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from momentarium_cli.backend import arrivals, deliveries, jobs, lease, worker
from momentarium_cli.backend.db import images as image_rows
from momentarium_cli.backend.db import jobs as job_rows
from momentarium_cli.backend.db import pool
from momentarium_cli.backend.db import uploads as upload_rows
from momentarium_cli.backend.db.pool import Connection, Database
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.queues import postgres as postgres_queue
from momentarium_cli.backend.storage.base import checksum_of
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.errors import StorageUnavailable
from momentarium_cli.photos.decode import Decoder

LEASE_SECONDS = 3.0
RENEW_SECONDS = 0.7
SWEEP_SECONDS = 0.5
MAX_ATTEMPTS = 3

# What a transaction does is told by the function that does it; one that finds nothing to do is no such transaction.
TRANSACTIONS: dict[str, tuple[Any, str]] = {
    "issue": (upload_rows, "issue"),
    "accept": (job_rows, "add"),
    "claim": (job_rows, "claim"),
    "renew": (job_rows, "renew"),
    "progress": (job_rows, "progress"),
    "derived": (image_rows, "derived"),
    "complete": (job_rows, "complete"),
    "fail": (job_rows, "fail"),
    "postpone": (job_rows, "postpone"),
    "release": (job_rows, "release"),
    "retry": (job_rows, "retry"),
    "cancel": (job_rows, "cancel"),
    "sweep": (job_rows, "wake_overdue"),
}
CALLS: Mapping[str, tuple[Any, str]] = {
    "store.head": (LocalStorage, "head"),
    "store.open": (LocalStorage, "open"),
    "store.put": (LocalStorage, "write"),
    "organizer": (LocalOrganizer, "organize"),
}
UNDELIVERED: dict[str, tuple[Any, str]] = {  # only a queue that gives messages up comes here
    "redeliver": (job_rows, "redeliver"),
    "fail undelivered": (job_rows, "fail_undelivered"),
}
_OTHER_CALLS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("decoder", "deliver"),
    "qstash": ("decoder", "deliver", "publish"),
}


def names(queue: str) -> list[str]:
    """Every point that a run with this queue passes."""
    undelivered = of_undelivered() if queue == "qstash" else []
    calls = [f"{name} {when}" for name in (*CALLS, *_OTHER_CALLS[queue]) for when in ("before", "after")]
    return _commits(TRANSACTIONS) + undelivered + calls


def of_undelivered() -> list[str]:
    """The points around the commits that follow from a message that was given up."""
    return _commits(UNDELIVERED)


def _commits(transactions: Iterable[str]) -> list[str]:
    return [f"{name} {when} commit" for name in transactions for when in ("before", "after")]


@dataclass(frozen=True)
class Plan:
    """What one server process has to expect. `targets` are points where something is likely to happen."""

    seed: str
    targets: tuple[str, ...]
    peace_seconds: float  # nothing happens so soon after the start
    folder: str  # of the run: hits, calm, and PostgreSQL's
    queue: str
    likely: float = 0.8
    anywhere: float = 0.001


class Reaching(Protocol):
    """What is told of every point that is reached, and may not return."""

    def reach(self, point: str) -> None: ...


class Fate:
    """Decides at every point. What it does is written down first: a killed process tells nothing."""

    _ACTIONS = ("kill", "freeze", "end", "postgres")
    _WEIGHTS = (76, 10, 10, 4)
    _ENDING = (10, 5, 81, 4)  # where a job is to be let go of first

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._lock = threading.Lock()
        self._peace_until = time.monotonic() + plan.peace_seconds
        self._folder = Path(plan.folder)
        self._hits = os.open(self._folder / "hits", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @property
    def calm(self) -> bool:
        return time.monotonic() < self._peace_until or (self._folder / "calm").exists()

    def chance(self, odds: float) -> bool:
        with self._lock:
            return self._random.random() < odds

    def between(self, low: float, high: float) -> float:
        with self._lock:
            return self._random.uniform(low, high)

    def reach(self, point: str) -> None:
        if self.calm or not self.chance(self._plan.likely if point in self._plan.targets else self._plan.anywhere):
            return
        with self._lock:
            [action] = self._random.choices(self._ACTIONS, self._weights(point))
            os.write(self._hits, f"{action} {point}\n".encode())
            self._do(action)

    def _weights(self, point: str) -> tuple[int, ...]:
        ends = any(target.startswith("release") for target in self._plan.targets) and not point.startswith("release")
        return self._ENDING if ends else self._WEIGHTS

    def _do(self, action: str) -> None:
        if action == "postgres":
            kill_postgres(self._folder)
        else:
            number = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "end": signal.SIGTERM}[action]
            os.kill(os.getpid(), number)


def kill_postgres(folder: Path) -> None:
    """kill -9 of the postmaster, if it runs."""
    try:
        pid = int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres":
            os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return


def install(plan: Plan) -> None:
    """Wrap what the plan is about, and shorten every time that a run would have to wait for."""
    fate = Fate(plan)
    hurry()
    _watch_transactions(fate)
    for name, (owner, attribute) in CALLS.items():
        put(owner, **{attribute: around(fate, name, getattr(owner, attribute))})
    _watch_decoder(fate)
    _spoil_store(fate)
    _slow_organizer(fate)
    if plan.queue == "qstash":
        _spoil_publishing(fate)
    else:
        _spoil_messages(fate)


def hurry() -> None:
    put(jobs, LEASE=timedelta(seconds=LEASE_SECONDS), MAX_ATTEMPTS=MAX_ATTEMPTS)
    put(lease, RENEW_SECONDS=RENEW_SECONDS)
    put(worker, _SWEEP_SECONDS=SWEEP_SECONDS, _RETRY_SECONDS=(0.2, 0.5), MAX_ATTEMPTS=MAX_ATTEMPTS)
    put(postgres_queue, _POLL_SECONDS=0.5)
    put(postgres_queue.PostgresQueue, patience=timedelta(seconds=SWEEP_SECONDS))
    put(pool, _IDLE_SECONDS=2.0)
    put(deliveries, SLICE_SECONDS=2.2)
    put(arrivals, _QUIET_SECONDS=0.02, _AT_MOST_SECONDS=0.1)


def put(owner: object, **values: object) -> None:
    for name, value in values.items():
        assert hasattr(owner, name), f"{owner} has no {name}"
        setattr(owner, name, value)


def around(fate: Reaching, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        fate.reach(f"{name} before")
        answer = call(*arguments, **options)
        fate.reach(f"{name} after")
        return answer

    return wrapped


# --- commits -------------------------------------------------------------------------------------------------------

_here = threading.local()  # a transaction stays in its thread


def _watch_transactions(fate: Fate) -> None:
    for name, (module, attribute) in (TRANSACTIONS | UNDELIVERED).items():
        put(module, **{attribute: _telling(name, getattr(module, attribute))})
    connection = Database._connection

    @contextmanager
    def watched(self: Database) -> Iterator[Connection]:
        with connection(self) as conn:
            _here.doing = []
            yield conn
            doing = list(_here.doing)
            for name in doing:
                fate.reach(f"{name} before commit")
        for name in doing:
            fate.reach(f"{name} after commit")

    put(Database, _connection=watched)


def _telling(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        answer = call(*arguments, **options)
        if answer or name in ("issue", "derived"):  # these answer nothing
            _here.doing.append(name)
        return answer

    return wrapped


# --- calls out -----------------------------------------------------------------------------------------------------


def _watch_decoder(fate: Fate) -> None:
    submit = Decoder._submit

    def submitted(self: Decoder, work: Callable[[], Any], size: int) -> Any:
        fate.reach("decoder before")
        future = submit(self, work, size)
        future.add_done_callback(lambda _: fate.reach("decoder after"))
        return future

    put(Decoder, _submit=submitted)


def _spoil_store(fate: Fate) -> None:
    """One object in sixteen is hard to read."""
    read = LocalStorage.open

    def unreliable(self: LocalStorage, key: str) -> Any:
        if checksum_of(key).startswith("0") and not fate.calm and fate.chance(0.7):
            raise StorageUnavailable("The store was told to fail.")
        return read(self, key)

    put(LocalStorage, open=unreliable)


def _slow_organizer(fate: Fate) -> None:
    """One in twelve takes long enough for the lease to be renewed."""
    organize = LocalOrganizer.organize

    @functools.wraps(organize)
    def slow(*arguments: Any) -> Any:
        if not fate.calm and fate.chance(1 / 12):
            time.sleep(fate.between(0.8, 2.5))
        return organize(*arguments)

    put(LocalOrganizer, organize=slow)


def _spoil_messages(fate: Fate) -> None:
    """Of a hundred messages five are lost, five are late and five come twice."""
    deliver = around(fate, "deliver", postgres_queue.PostgresQueue.deliver)

    def unreliable(*arguments: Any, after: timedelta | None = None) -> None:
        late = (after or timedelta(0)) + timedelta(seconds=fate.between(0.5, 4))
        fault = fate.between(0, 100)
        if fault < 5:
            return
        deliver(*arguments, after=late if fault < 10 else after)
        if fault > 95:
            deliver(*arguments, after=late)

    put(postgres_queue.PostgresQueue, deliver=unreliable)


def _spoil_publishing(fate: Fate) -> None:
    """Of a hundred publications three fail; what may happen to a message later is QStash's (see queues.py)."""
    from momentarium_cli.backend.queues.qstash import QStashQueue

    put(QStashQueue, patience=timedelta(seconds=4 * SWEEP_SECONDS))
    put(QStashQueue, deliver=around(fate, "deliver", QStashQueue.deliver))
    send = around(fate, "publish", QStashQueue._send)

    def unreliable(*arguments: Any) -> None:
        if not fate.calm and fate.chance(0.03):
            raise ConnectionError("QStash was told to be out of reach.")
        send(*arguments)

    put(QStashQueue, _send=unreliable)
