"""Starts the program again and again: `python -m tests.storm.launcher`, an order a line, until its input ends.

It imports the program once and forks every run of it from that, so that one costs no more than it does itself. Its
output tells which process a run is, and how that ended. Without rights over files, so that root is denied what others
are.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

REPOSITORY = Path(__file__).parents[2]
_QUIET = (
    "ignore::UserWarning:multiprocessing.resource_tracker"  # killed programs leave semaphores, which it clears away
)
_LOOK_SECONDS = 0.01


@dataclass
class Child:
    """A run of the program. `code` is there once it has ended, negative where a signal ended it."""

    pid: int
    _ends: SimpleQueue[int] = field(default_factory=SimpleQueue)

    def wait(self, seconds: float) -> int:
        """Its exit code; TimeoutError after so many seconds."""
        return self._ends.get(timeout=seconds)

    def ended(self, code: int) -> None:
        self._ends.put(code)


class Launcher:
    """The side of whoever gives the orders; thread-safe. Use it in a with-block."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._children: dict[int, Child] = {}
        self._begun: SimpleQueue[Child] = SimpleQueue()
        self._closed = False
        self.pids: set[int] = set()

    def __enter__(self) -> "Launcher":
        self._process = subprocess.Popen(
            [*unprivileged(), sys.executable, "-m", "tests.storm.launcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=_environment(),
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join(10)

    def start(self, arguments: Sequence[object], environment: Mapping[str, str], out: Path, plan: Any = None) -> Child:
        """Run the program with these arguments; what it prints is in `out`, and what it says beside that in `out`.err.

        `plan` is of points.Plan; without one it is a server.
        """
        order = {
            "arguments": [*map(str, arguments)],
            "environment": dict(environment),
            "out": str(out),
            "plan": asdict(plan) if plan else None,
        }
        assert self._process.stdin is not None
        with self._lock:
            if self._closed:
                raise InterruptedError("the storm is over")
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._begun.get(timeout=60)

    def kill_all(self) -> None:
        """Nothing that was started goes on, and nothing else begins."""
        self._closed = True
        for pid in list(self._children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, pid, *code = line.split()
            if what == "begun":
                child = self._children[int(pid)] = Child(int(pid))
                self.pids.add(child.pid)
                self._begun.put(child)
            else:
                self._children.pop(int(pid)).ended(int(code[0]))


def unprivileged() -> list[str]:
    """What a command begins with so that root, too, is denied what files' rights deny."""
    if os.geteuid() != 0:
        return []
    assert shutil.which("setpriv"), "setpriv is missing: it is in util-linux"
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOMENTARIUM_", "AWS_"))}
    return kept | {"PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": _QUIET}


# --- the launcher itself -------------------------------------------------------------------------------------------


def main() -> int:
    _import_program()
    running: set[int] = set()
    while True:
        if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            running.add(pid := _forked(json.loads(line)))
            print("begun", pid, flush=True)
        _bury(running)
    _end(running)
    return 0


def _import_program() -> None:
    from momentarium_cli.backend import server  # noqa: F401 -- so that those who are forked need not
    from momentarium_cli.cli.app import register
    from momentarium_cli.client import sdk  # noqa: F401
    from tests.storm import points  # noqa: F401

    register()


def _bury(running: set[int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        running.discard(pid)
        print("ended", pid, os.waitstatus_to_exitcode(status), flush=True)


def _end(running: set[int]) -> None:
    """Ask all to end, and then do not ask."""
    for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        for pid in running:
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while running and time.monotonic() < deadline:
            _bury(running)
            time.sleep(_LOOK_SECONDS)


def _forked(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(order)
    return pid


def _become(order: Mapping[str, Any]) -> None:
    from momentarium_cli.cli import run
    from tests.storm import points

    code = 1
    try:
        os.environ.update(order["environment"])
        os.setpgid(0, 0)  # what it leaves behind can be found
        _redirect(order["out"])
        if order["plan"] is None:
            points.install_in_server()
        else:
            points.install(points.Plan(**order["plan"]))
        code = run(order["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(out: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    told = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    talk = os.open(f"{out}.err", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (told, 1), (talk, 2)):
        os.dup2(source, target)


if __name__ == "__main__":
    sys.exit(main())
