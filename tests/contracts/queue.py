"""What every queue holds to: it wakes a worker soon, once the transaction is committed, whatever restarts meanwhile."""

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from uuid import UUID, uuid4

import pytest

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.errors import DatabaseUnavailable

SOON = 3.0  # seconds; milliseconds as a rule
QUIET = 0.4
_FENCES = itertools.count(1)


class Listener:
    """What a worker was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[UUID, float]] = []
        self.reaction: Callable[[UUID], None] = lambda _: None

    def __call__(self, job_id: UUID) -> None:
        self.told.append((job_id, time.monotonic()))
        self.reaction(job_id)

    @property
    def ids(self) -> list[UUID]:
        return [job_id for job_id, _ in self.told]

    def wait_for(self, job_id: UUID, seconds: float = SOON) -> None:
        deadline = time.monotonic() + seconds
        while job_id not in self.ids:
            assert time.monotonic() < deadline, "not delivered"
            time.sleep(0.005)


@contextmanager
def working(queue: Queue) -> Iterator[Listener]:
    """A worker that notes what it is told."""
    listener, stop = Listener(), Event()
    thread = Thread(target=queue.work, args=(listener, stop))
    thread.start()
    time.sleep(0.15)  # it listens now; what comes sooner is found when it next looks
    try:
        yield listener
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "work ends when it is told to stop"


def deliver(queue: Queue, database: Database, job_id: UUID, after: timedelta | None = None) -> None:
    with database.transaction(None) as conn:
        queue.deliver(job_id, next(_FENCES), conn, after=after)


class QueueContract(ABC):
    """Subclasses give the fixtures `queue` and `database`."""

    @pytest.fixture
    @abstractmethod
    def queue(self, database: Database) -> Queue: ...

    def test_a_job_is_delivered_once_soon_after_the_commit(self, queue: Queue, database: Database) -> None:
        job_id = uuid4()
        with working(queue) as listener:
            with database.transaction(None) as conn:
                queue.deliver(job_id, 0, conn)
                time.sleep(QUIET)
                assert listener.ids == [], "not before the commit"
            listener.wait_for(job_id)
            time.sleep(QUIET)
        assert listener.ids == [job_id]

    def test_what_was_delivered_before_anybody_worked_waits(self, queue: Queue, database: Database) -> None:
        ids = [uuid4() for _ in range(5)]
        for job_id in ids:
            deliver(queue, database, job_id)
        with working(queue) as listener:
            for job_id in ids:
                listener.wait_for(job_id)
        assert sorted(listener.ids) == sorted(ids)

    def test_after_a_rollback_nothing_is_delivered(self, queue: Queue, database: Database) -> None:
        with working(queue) as listener:
            with pytest.raises(ZeroDivisionError), database.transaction(None) as conn:
                queue.deliver(uuid4(), 0, conn)
                raise ZeroDivisionError
            last = uuid4()
            deliver(queue, database, last)
            listener.wait_for(last)
            time.sleep(QUIET)
        assert listener.ids == [last]

    def test_a_delayed_job_comes_after_its_delay(self, queue: Queue, database: Database) -> None:
        job_id, delay = uuid4(), 1.0
        with working(queue) as listener:
            started = time.monotonic()
            deliver(queue, database, job_id, timedelta(seconds=delay))
            listener.wait_for(job_id, delay + 2 + SOON)
        assert listener.told[0][1] - started >= delay

    def test_an_urgent_one_does_not_wait_for_a_delayed_one(self, queue: Queue, database: Database) -> None:
        job_id = uuid4()
        with working(queue) as listener:
            deliver(queue, database, job_id, timedelta(hours=1))
            deliver(queue, database, job_id)
            listener.wait_for(job_id)

    def test_twice_is_harmless_and_leaves_the_transaction_usable(self, queue: Queue, database: Database) -> None:
        first, second = uuid4(), uuid4()
        with database.transaction(None) as conn:
            queue.deliver(first, 0, conn)
            queue.deliver(first, 0, conn)
            queue.deliver(second, 0, conn)
        deliver(queue, database, first)
        with working(queue) as listener:
            listener.wait_for(first)
            listener.wait_for(second)

    def test_a_job_delivered_while_it_runs_comes_again(self, queue: Queue, database: Database) -> None:
        job_id = uuid4()
        with working(queue) as listener:

            def react(told: UUID) -> None:
                listener.reaction = lambda _: None
                deliver(queue, database, told)

            listener.reaction = react
            deliver(queue, database, job_id)
            deadline = time.monotonic() + SOON
            while len(listener.told) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        assert listener.ids == [job_id, job_id]

    def test_an_error_of_a_job_is_not_the_end_of_the_worker(self, queue: Queue, database: Database) -> None:
        bad, good = uuid4(), uuid4()
        with working(queue) as listener:

            def react(told: UUID) -> None:
                if told == bad:
                    raise ValueError("on purpose")

            listener.reaction = react
            for job_id in (bad, good):
                deliver(queue, database, job_id)
                listener.wait_for(job_id)

    def test_two_jobs_run_at_once(self, queue: Queue, database: Database) -> None:
        """One user's large job must not keep all others waiting."""
        slow, quick, release = uuid4(), uuid4(), Event()
        with working(queue) as listener:

            def react(told: UUID) -> None:
                if told == slow:
                    release.wait(10)

            listener.reaction = react
            deliver(queue, database, slow)
            listener.wait_for(slow)
            deliver(queue, database, quick)
            listener.wait_for(quick)
            release.set()

    def test_an_idle_worker_stops_at_once(self, queue: Queue) -> None:
        with working(queue):
            time.sleep(0.2)
            started = time.monotonic()
        assert time.monotonic() - started < 3

    def test_tidying_takes_nothing_away_that_is_to_be_delivered(self, queue: Queue, database: Database) -> None:
        job_id = uuid4()
        deliver(queue, database, job_id)
        with database.transaction(None) as conn:
            queue.tidy(conn)
        with working(queue) as listener:
            listener.wait_for(job_id)


class SurvivesRestarts(ABC):
    """For queues on a server that can go away: subclasses also give `restart`, which kills and starts it."""

    @abstractmethod
    def restart(self) -> None: ...

    @pytest.mark.parametrize("times", [1, 2])
    def test_after_a_restart_it_is_neither_deaf_nor_dead(self, queue: Queue, database: Database, times: int) -> None:
        with working(queue) as listener:
            deliver(queue, database, first := uuid4())
            listener.wait_for(first)
            for _ in range(times):
                self.restart()
            deliver_patiently(queue, database, second := uuid4())
            listener.wait_for(second, 10)
            time.sleep(1.5)  # whatever begins anew has done so by now
            for _ in range(3):
                deliver(queue, database, later := uuid4())
                started = time.monotonic()
                listener.wait_for(later)
                assert time.monotonic() - started < 1, "it hears, rather than looks every two seconds"
                time.sleep(0.2)


def deliver_patiently(queue: Queue, database: Database, job_id: UUID) -> None:
    """The first connections after a restart may be of before."""
    deadline = time.monotonic() + 10
    while True:
        try:
            deliver(queue, database, job_id)
        except DatabaseUnavailable:
            assert time.monotonic() < deadline
        else:
            return
