"""A call that is made while the caller goes on."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_thread(call: Callable[[], T], name: str) -> Future[T]:
    """What the call returns or raises; a program that ends does not wait for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 -- it is raised where the future is asked
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future
