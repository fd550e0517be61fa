import threading
import time

from momentarium_cli.client.budget import Budget, Limit


def test_without_limits_it_is_the_signal_to_stop() -> None:
    stop = threading.Event()
    budget = Budget(stop)
    budget.sent(10**15)
    assert not budget.is_set()
    assert not budget.wait(0.01)
    stop.set()
    assert budget.is_set() and budget.wait() and budget.deadline.is_set()
    assert budget.reached is None


def test_time_is_over_for_all() -> None:
    budget = Budget(threading.Event(), max_seconds=0.05)
    assert not budget.is_set()
    assert budget.wait(5)
    assert budget.reached is Limit.DURATION
    assert budget.deadline.wait(0)


def test_bytes_are_over_for_what_sends() -> None:
    budget = Budget(threading.Event(), max_bytes=100)
    budget.sent(60)
    assert not budget.is_set()
    budget.sent(60)
    assert budget.reached is Limit.TRANSFER
    assert budget.is_set() and not budget.deadline.is_set()


def test_waiting_ends_with_the_signal() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    assert Budget(stop, max_seconds=60).wait(30)
    assert time.monotonic() - began < 20
