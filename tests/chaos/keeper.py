"""Keeps servers alive that do not stay alive: `python -m tests.chaos.keeper RUN.json`, until its input ends.

It imports the program once and forks each server from that, so that a server is back a moment after its death. Every
one is `momentarium serve` in a process of its own. Its output tells how servers ended that nobody killed.
"""

import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import momentarium_cli.backend.server  # noqa: F401 -- so that those who are forked need not
from momentarium_cli.cli import run
from momentarium_cli.cli.app import main as _main  # noqa: F401
from tests.chaos import points

_KILLED = -signal.SIGKILL
_GOOD_ENDS = (_KILLED, 0, 5, 130, 143)  # 5: it was started while PostgreSQL was down


@dataclass
class Slot:
    """A place for a server: its settings as environment, who is there now, and who is frozen until when."""

    number: int
    environment: dict[str, str]
    pid: int = 0
    thaw_at: float | None = None
    start_at: float = 0


@dataclass
class Keeper:
    folder: Path
    seed: int
    slots: list[Slot]
    peace_seconds: float
    queue: str
    _born: int = 0
    ends: Counter[int] = field(default_factory=Counter)

    def tend(self) -> None:
        """Bury, thaw and start, once."""
        now = time.monotonic()
        while (news := _news()) is not None:
            self._hear(*news, now)
        for slot in self.slots:
            if slot.thaw_at is not None and now > slot.thaw_at:
                slot.thaw_at = None
                os.kill(slot.pid, signal.SIGCONT)
            if not slot.pid and now > slot.start_at:
                slot.pid = self._fork(slot)

    def end(self) -> None:
        """Ask all to end, and wait for them."""
        for slot in self.slots:
            slot.start_at = float("inf")
            if slot.pid:
                os.kill(slot.pid, signal.SIGCONT)
                os.kill(slot.pid, signal.SIGTERM)
        deadline = time.monotonic() + 40
        while any(slot.pid for slot in self.slots):
            self.tend()
            time.sleep(0.02)
            if time.monotonic() > deadline:
                for slot in self.slots:
                    if slot.pid:
                        print(f"server {slot.number} did not end", flush=True)
                        os.kill(slot.pid, signal.SIGKILL)
                deadline = float("inf")

    def _hear(self, pid: int, status: int, now: float) -> None:
        slot = next(slot for slot in self.slots if slot.pid == pid)
        if os.WIFSTOPPED(status):
            slot.thaw_at = now + points.LEASE_SECONDS + random.Random(f"{self.seed} {self._born}").uniform(0.5, 2)
            return
        code = os.waitstatus_to_exitcode(status)
        self.ends[code] += 1
        slot.pid, slot.thaw_at = 0, None
        slot.start_at = max(slot.start_at, now + (0.5 if code > 0 else 0))
        if code not in _GOOD_ENDS:
            print(f"server {slot.number} ended with {code}", flush=True)

    def _fork(self, slot: Slot) -> int:
        plan = self._plan()
        pid = os.fork()
        if pid == 0:
            _become_server(slot, plan)
        return pid

    def _plan(self) -> points.Plan:
        """Likely is one of the points where fewest were killed so far, and two where fewer were than elsewhere."""
        self._born += 1
        chance = random.Random(f"{self.seed} plan {self._born}")
        killed = hits(self.folder)["kill"]
        names = sorted(chance.sample(known := points.names(self.queue), len(known)), key=lambda name: killed[name])
        targets = (names[0], *chance.sample(names[: len(names) // 2], 2))
        peace = chance.uniform(0.5, 1.5) * self.peace_seconds
        return points.Plan(f"{self.seed} server {self._born}", targets, peace, str(self.folder), self.queue)


def hits(folder: Path) -> dict[str, Counter[str]]:
    """How often what happened where: action, then point."""
    found: dict[str, Counter[str]] = {action: Counter() for action in points.Fate._ACTIONS}
    path = folder / "hits"
    for line in path.read_text().splitlines() if path.exists() else ():
        action, _, point = line.partition(" ")
        found[action][point] += 1
    return found


def _news() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _become_server(slot: Slot, plan: points.Plan) -> None:
    code = 1
    try:
        os.environ.update(slot.environment)
        out = os.open(Path(plan.folder) / f"server{slot.number}.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (out, 2)):
            os.dup2(source, target)
        points.install(plan)
        code = run(["serve"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main(path: Path) -> int:
    described: dict[str, Any] = json.loads(path.read_text())
    slots = [Slot(number, environment) for number, environment in enumerate(described["servers"])]
    keeper = Keeper(Path(described["folder"]), described["seed"], slots, described["peace_seconds"], described["queue"])
    try:
        while not select.select([sys.stdin], [], [], 0.02)[0]:
            keeper.tend()
    finally:
        keeper.end()
    print(f"servers ended: {dict(sorted(keeper.ends.items()))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
