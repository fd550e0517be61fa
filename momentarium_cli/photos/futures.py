"""Futures that follow from other futures."""

from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def gathered(parts: list[Future[list[T]]]) -> Future[list[T]]:
    """The lists of all parts in one, once the last is done; fails as the first part that did."""
    outer: Future[list[T]] = Future()
    left = iter(range(len(parts) - 1, -1, -1))  # next() of an iterator is atomic

    def finished(_: Future[list[T]]) -> None:
        if next(left) == 0:
            failure = next((found for part in parts if (found := error(part))), None)
            resolve(outer, failure, [] if failure else [item for part in parts for item in part.result()])

    for part in parts:
        part.add_done_callback(finished)
    return outer


def error(done: Future[Any]) -> BaseException | None:
    """What a finished future failed with; one that was cancelled has a CancelledError."""
    return CancelledError() if done.cancelled() else done.exception()


def copy(target: Future[T], done: Future[T]) -> None:
    """Settles `target` as `done` was."""
    failure = error(done)
    if failure is None:
        resolve(target, None, done.result())
    else:
        fail(target, failure)


def resolve(future: Future[T], failure: BaseException | None, value: T) -> None:
    """Fails the future, or gives it the value where there is no failure."""
    if failure is not None:
        fail(future, failure)
    else:
        with suppress(InvalidStateError):  # cancelled meanwhile
            future.set_result(value)


def fail(future: Future[Any], failure: BaseException) -> None:
    """Fails the future, unless it is settled already."""
    with suppress(InvalidStateError):  # cancelled or closed meanwhile
        future.set_exception(failure)
