import time
from threading import Event, Timer

import pytest

from momentarium_cli.backend import arrivals
from momentarium_cli.backend.arrivals import Arrivals


def waited(arriving: Arrivals, stop: Event, *, worked: float = 1.0) -> float:
    started = time.monotonic()
    arriving.wait_for_quiet(stop, worked=worked)
    return time.monotonic() - started


@pytest.fixture(autouse=True)
def _shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(arrivals, "_AT_MOST_SECONDS", 0.4)


def test_where_nothing_arrives_nobody_waits() -> None:
    assert waited(Arrivals(), Event()) < 0.05


def test_decoding_waits_until_it_is_quiet() -> None:
    arriving = Arrivals()
    arriving.mark()
    Timer(0.05, arriving.mark).start()
    assert 0.14 < waited(arriving, Event()) < 0.35


def test_but_not_for_ever_and_not_when_it_is_to_stop() -> None:
    arriving = Arrivals()
    timers = [Timer(0.05 * number, arriving.mark) for number in range(16)]
    for timer in timers:
        timer.start()
    assert 0.35 < waited(arriving, Event()) < 0.6
    assert 0.04 < waited(arriving, Event(), worked=0.01) < 0.3, "who works for a moment waits for five"
    stop = Event()
    stop.set()
    assert waited(arriving, stop) < 0.1
    for timer in timers:
        timer.join()
