"""What a decode child may use. Called inside the child; what a platform does not have is left out."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import TypeVar

if sys.platform != "win32":
    import resource

T = TypeVar("T")

# A decoder needs none of the parent's secrets; everything else is dropped.
_KEPT = ("PATH", "LANG", "LC_", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR", "PYTHON", "LD_", "DYLD_")


@dataclass(frozen=True, slots=True)
class Limits:
    """Address space in bytes; seconds of processor time and of the clock for one task; niceness added."""

    memory_bytes: int = 1 << 30
    cpu_seconds: float = 10
    wall_seconds: float = 15
    nice: int = 0


def enter_child(limits: Limits) -> None:
    """Once in each child, before its first task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a Python handler would wait for the decoder to come back
    _drop_environment()
    silence()
    _end_with_parent()
    if limits.nice and hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(limits.nice)
    if sys.platform != "win32":
        _lower(resource.RLIMIT_CORE, 0)
        _lower(resource.RLIMIT_AS, limits.memory_bytes)


@contextmanager
def beyond_hangup() -> Iterator[None]:
    """Processes that are started meanwhile, and theirs, outlive the terminal: its end is the parent's to handle."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def allow_cpu(seconds: float) -> None:
    """Before each task: the limit counts from the start of the process, and children live on."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + 1 + seconds), soft_only=True)


def guarded(work: Callable[[], T], cpu_seconds: float) -> T:
    """Runs one task within its processor time."""
    allow_cpu(cpu_seconds)
    return work()


def _lower(kind: int, value: int, *, soft_only: bool = False) -> None:
    with suppress(OSError, ValueError):  # macOS has RLIMIT_AS, and refuses it
        hard = resource.getrlimit(kind)[1]
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, hard if soft_only else ceiling))


def _drop_environment() -> None:
    for name in list(os.environ):
        if not name.upper().startswith(_KEPT):
            del os.environ[name]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy reserves address space for every thread


def silence() -> None:
    """The C libraries talk about damaged photos on the terminal; what matters comes back as an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    """A parent that was killed cannot stop its children."""
    connection.wait([sentinel])
    os._exit(1)
