"""Child processes for tests: Python code in a process of its own, waited for and never left behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_REPOSITORY = Path(__file__).parents[1]


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


def told_by(module: str, *arguments: object) -> str:
    """What `python -m module` prints when it ends well; one that is stopped by the time-out of its test leaves nothing
    running."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=_REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            told, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            raise
    assert process.returncode == 0, told
    return told
