"""Child processes for tests: Python code in a process of its own, waited for and never left behind."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO


@contextmanager
def python(code: str, *arguments: object, prefix: Sequence[str] = ()) -> Iterator["subprocess.Popen[str]"]:
    """Run code in another process; it is killed at the end, if it still runs."""
    child = subprocess.Popen(
        [*prefix, sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def line(child: "subprocess.Popen[str]") -> str:
    """The next line that the child prints."""
    stdout: IO[str] | None = child.stdout
    assert stdout is not None
    return stdout.readline().strip()
