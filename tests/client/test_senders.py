import time
from concurrent.futures import Future, wait
from random import Random
from threading import Event, Lock

import pytest

from momentarium_cli.client.concurrency import Level
from momentarium_cli.client.senders import Senders
from momentarium_cli.errors import Stopped, StorageUnavailable, Throttled


class Work:
    """Counts how many are sent at once."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.at_once = self.most = self.sent = 0

    def send(self, seconds: float = 0.005) -> None:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(seconds)
        with self.lock:
            self.at_once -= 1
            self.sent += 1


def test_no_more_than_the_level_says_are_sent_at_once() -> None:
    work = Work()
    with Senders(Level(3), Event()) as senders:
        wait([senders.submit(work.send) for _ in range(20)])
    assert (work.most, work.sent) == (3, 20)


class Given(Level):
    """A level that a test sets."""

    given = 4

    @property
    def limit(self) -> int:
        return self.given


def test_a_level_that_falls_and_rises_is_followed() -> None:
    level, work = Given(), Work()
    with Senders(level, Event()) as senders:
        for level.given in (4, 1, 8, 2):
            work.most = 0
            wait([senders.submit(work.send) for _ in range(40)])
            assert work.most == level.given


def test_a_level_that_falls_while_files_wait_leaves_none_behind() -> None:
    level, work, random = Given(), Work(), Random(3)
    with Senders(level, Event()) as senders:
        futures = [senders.submit(lambda: work.send(0.001)) for _ in range(400)]
        while not all(future.done() for future in futures):
            level.given = random.randint(1, 12)
            time.sleep(0.002)
    assert work.sent == 400


def test_what_goes_wrong_is_told_by_its_future_and_counted() -> None:
    level = Level()

    def fail() -> None:
        raise Throttled("slower")

    with Senders(level, Event()) as senders:
        with pytest.raises(Throttled):
            senders.submit(fail).result(5)
        assert level._window.failed == 1
        for error in (StorageUnavailable("away"), KeyError("a bug")):
            with pytest.raises(type(error)):
                senders.submit(lambda error=error: (_ for _ in ()).throw(error)).result(5)  # type: ignore[misc]


def test_who_waits_for_its_turn_when_the_run_stops_is_not_sent() -> None:
    stop, work = Event(), Work()
    with Senders(Level(1), stop) as senders:
        first = senders.submit(lambda: work.send(0.1))
        time.sleep(0.02)
        second = senders.submit(work.send)
        stop.set()
        first.result(5)
        with pytest.raises(Stopped):
            second.result(5)
    assert work.sent == 1


def test_at_the_end_what_has_begun_is_finished_and_what_was_cancelled_is_not_sent() -> None:
    work, futures = Work(), list[Future[None]]()
    with Senders(Level(2), Event()) as senders:
        futures += [senders.submit(lambda: work.send(0.05)) for _ in range(10)]
        time.sleep(0.02)
        for future in futures:
            future.cancel()
    assert work.sent == 2
    assert sum(future.cancelled() for future in futures) == 8
