"""A storm of uploads: `python -m tests.storm.run --seed 1`. Exits with 1 where something is wrong.

Several people upload their folders again and again through forwarders that spoil what passes, while the program is
killed at named points, the server dies and comes back, and the folders change. Then it becomes calm; everybody uploads
once more and once again, and the judge reads what is left.
"""

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty

import psutil

from momentarium_cli.backend.db import users as user_rows
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from tests.chaos.run import errors
from tests.faults import Faults, faulty
from tests.folders import short_folder
from tests.seaweed import REGION, Seaweed, running_seaweed
from tests.storm.launcher import REPOSITORY, Launcher, unprivileged
from tests.storm.person import Person
from tests.storm.points import POINTS, hits
from tests.storm.restored import forget_last_jobs
from tests.storm.weather import Weather

_SETTLE_SECONDS = 90


@dataclass(frozen=True)
class Options:
    seed: int
    people: int
    runs: int  # of all people together, at least
    each: int  # kills that every point must have seen
    limit_seconds: float  # no new runs after that
    restart_seconds: float  # between two deaths of the server, on average
    cut_seconds: float  # between two cuts of the network, on average
    keep: Path | None  # where to copy what the run left


@dataclass
class Server:
    """`momentarium serve`, which is started again whenever it ends."""

    launcher: Launcher
    environment: Mapping[str, str]
    out: Path
    ends: Counter[int] = field(default_factory=Counter)

    def start(self) -> None:
        self._child = self.launcher.start(["serve"], self.environment, self.out)

    @property
    def pid(self) -> int:
        return self._child.pid

    def tend(self) -> None:
        with suppress(Empty):
            self.ends[self._child.wait(0.001)] += 1
            self.start()

    def stop(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        self.stop(signal.SIGTERM)
        self.ends[self._child.wait(40)] += 1


@dataclass
class World:
    """Everything but the people."""

    options: Options
    folder: Path
    conninfo: str
    seaweed: Seaweed
    launcher: Launcher
    stopped: bool = False

    def __post_init__(self) -> None:
        self.weather = Weather(self.options.seed, self.puts)
        self.bucket = self.seaweed.new_bucket()

    @property
    def puts(self) -> Path:
        return self.folder / "puts.jsonl"

    @property
    def runs(self) -> Path:
        return self.folder / "runs.jsonl"

    @property
    def hits(self) -> Path:
        return self.folder / "hits"

    def server(self, port: int, store: Faults) -> Server:
        environment = {
            "AWS_ACCESS_KEY_ID": self.seaweed.access_key,
            "AWS_SECRET_ACCESS_KEY": self.seaweed.secret_key,
            "AWS_ENDPOINT_URL_S3": store.url,
            "AWS_REGION": REGION,
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(self.folder),
            "MOMENTARIUM_DATABASE_URL": self.conninfo,
            "MOMENTARIUM_DATA_DIR": str(self.folder / "server"),
            "MOMENTARIUM_SERVER_PORT": str(port),
            "MOMENTARIUM_SERVER_SECRET_KEY": secrets.token_hex(32),
            "MOMENTARIUM_STORAGE_URL": f"s3://{self.bucket}",
        }
        return Server(self.launcher, environment, self.folder / "server.out")

    def person(self, number: int, database: Database, api: Faults) -> Person:
        token = secrets.token_hex(16)
        with database.administration() as conn:
            user_id = user_rows.add(conn, f"person{number}@example.com")
            assert user_id is not None
            user_rows.add_token(conn, user_id, "storm", token, ("read", "upload", "edit"))
        folder = self.folder / f"person{number}"
        environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(folder),
            "MOMENTARIUM_DATA_DIR": str(folder / "data"),
            "MOMENTARIUM_SERVER_URL": api.url,
            "MOMENTARIUM_SERVER_TOKEN": token,
        }
        seed = f"{self.options.seed} person {number}"
        restore = partial(self.restore, database, user_id)
        return Person(user_id, folder, self.launcher, environment, self.hits, self.runs, seed, restore)

    def restore(self, database: Database, user_id: int, jobs: int, with_store: bool) -> list[str]:
        """The database, and perhaps the store, as a backup of them was so many jobs ago. Answers the checksums of what
        is lost."""
        keys = forget_last_jobs(database, user_id, jobs)
        if with_store and keys:
            listed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            self.seaweed.client().delete_objects(Bucket=self.bucket, Delete=listed)
        return [key.rpartition("/")[2] for key in keys]

    def covered(self) -> bool:
        killed = hits(self.hits)["kill"]
        return all(killed[point] >= self.options.each for point in POINTS)

    def number_of_runs(self) -> int:
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0

    def judged(self) -> int:
        described = self.folder / "store.json"
        described.write_text(
            json.dumps(
                {
                    "endpoint_url": self.seaweed.endpoint,
                    "aws_access_key_id": self.seaweed.access_key,
                    "aws_secret_access_key": self.seaweed.secret_key,
                    "region_name": REGION,
                    "bucket": self.bucket,
                }
            )
        )
        judge = [*unprivileged(), sys.executable, "-m", "tests.storm.judge", self.conninfo]
        return subprocess.run([*judge, described, self.puts, self.runs], cwd=REPOSITORY, check=False).returncode


def storm(world: World) -> list[str]:
    """The run itself. Answers what went wrong beside what the judge will find."""
    began = time.monotonic()
    migrate(world.conninfo)
    with ExitStack() as stack:
        store = stack.enter_context(faulty(world.seaweed.endpoint))
        api = stack.enter_context(faulty(f"http://127.0.0.1:{(port := _free_port())}"))
        store.rule, store.told, api.rule = world.weather.to_store, world.weather.heard, world.weather.to_api
        server = world.server(port, store)
        database = Database(world.conninfo)
        stack.callback(database.close)
        people = [world.person(number, database, api) for number in range(world.options.people)]
        trouble = Trouble(world, server)
        server.start()
        _wait(lambda: _answers(port), server.tend, "the server to answer")
        _together(world, [partial(person.live, lambda: _more(world, began)) for person in people], trouble.tend)
        world.weather.calm = True
        _together(world, [person.rest for person in people], server.tend)
        _wait(lambda: _jobs_ended(database), server.tend, "all jobs to end")
        left = _left_behind(world.launcher, server)
        server.end()
    _print_table(world)
    print(f"{world.number_of_runs()} runs in {time.monotonic() - began:.0f} s; the server ended {dict(server.ends)}")
    print(f"what befell requests: {dict(world.weather.befell.most_common())}")
    problems = [problem for person in people for problem in person.problems]
    return problems + left + _missed(world) + errors(world.folder.glob("*/**/logs/*"))


@dataclass
class Trouble:
    """What befalls the server and the network, now and then, while people upload."""

    world: World
    server: Server

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.world.options.seed} trouble")
        now = self._told = self._began = time.monotonic()
        self._restart_at = now + self._about(self.world.options.restart_seconds)
        self._cut_at = now + self._about(self.world.options.cut_seconds)

    def tend(self) -> None:
        now = time.monotonic()
        self.server.tend()
        if now > self._restart_at:
            self._restart_at = now + self._about(self.world.options.restart_seconds)
            self.server.stop(self._random.choice((signal.SIGKILL, signal.SIGTERM)))
        if now > self._cut_at:
            self._cut_at = now + self._about(self.world.options.cut_seconds)
            self.world.weather.cut(self._random.uniform(1, 4))
        if now > self._told + 10:
            self._told = now
            killed = hits(self.world.hits)["kill"]
            few = min(killed[point] for point in POINTS)
            runs = self.world.number_of_runs()
            print(f"{now - self._began:4.0f} s: {runs} runs, {killed.total()} kills, {few} at least", flush=True)

    def _about(self, seconds: float) -> float:
        return self._random.uniform(0.5, 1.5) * seconds


def _more(world: World, began: float) -> bool:
    """Whether there should be another run: until there were enough, and every point saw enough of it."""
    if world.stopped or time.monotonic() > began + world.options.limit_seconds:
        return False
    return world.number_of_runs() < world.options.runs or not world.covered()


def _together(world: World, works: Sequence[Callable[[], None]], meanwhile: Callable[[], None]) -> None:
    """Do all of this at once; whoever interrupts it need not wait for its end."""
    with ThreadPoolExecutor(len(works)) as threads:
        futures = [threads.submit(work) for work in works]
        try:
            while not all(future.done() for future in futures):
                meanwhile()
                time.sleep(0.03)
        except BaseException:
            world.stopped = True
            world.launcher.kill_all()
            raise
        for future in futures:
            future.result()


def _wait(until: Callable[[], bool], meanwhile: Callable[[], None], what: str) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not until():
        assert time.monotonic() < deadline, f"waited {_SETTLE_SECONDS} s for {what}"
        meanwhile()
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _jobs_ended(database: Database) -> bool:
    with database.administration() as conn:
        return not conn.execute("select from processing_jobs where status in ('pending', 'processing')").fetchall()


def _left_behind(launcher: Launcher, server: Server) -> list[str]:
    """Processes of runs that have ended."""
    deadline = time.monotonic() + 10
    while found := _processes(launcher.pids - {server.pid}):
        if time.monotonic() > deadline:
            return [f"left behind: {process}" for process in found]
        time.sleep(0.1)
    return []


def _processes(groups: set[int]) -> list[str]:
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) in groups and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.info['cmdline'] or [])[:120]}")
    return found


def _print_table(world: World) -> None:
    happened = hits(world.hits)
    print(f"{'point':28}" + "".join(f"{action:>10}" for action in happened))
    for point in POINTS:
        print(f"{point:28}" + "".join(f"{counter[point]:10}" for counter in happened.values()))
    print(f"{'all':28}" + "".join(f"{counter.total():10}" for counter in happened.values()))


def _missed(world: World) -> list[str]:
    killed, each = hits(world.hits)["kill"], world.options.each
    return [f"missed: only {killed[point]} kills at {point}" for point in POINTS if killed[point] < each]


def main(options: Options) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends a run wants nothing left behind
    with short_folder() as folder, running_seaweed() as seaweed:
        postgres = EmbeddedPostgres(folder, secrets.token_hex(16))
        try:
            with Launcher() as launcher:
                world = World(options, folder, postgres.start(), seaweed, launcher)
                problems = storm(world)
            sys.stdout.flush()
            verdict = world.judged()
        finally:
            if options.keep:
                shutil.copytree(folder, options.keep, symlinks=True, ignore=shutil.ignore_patterns("run", "postgres"))
            postgres.stop()
    print(*problems, sep="\n", end="\n" if problems else "")
    print("good" if not verdict and not problems else "NOT GOOD")
    return 1 if verdict or problems else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--limit-seconds", type=float, default=1800)
    parser.add_argument("--restart-seconds", type=float, default=40)
    parser.add_argument("--cut-seconds", type=float, default=15)
    parser.add_argument("--keep", type=Path)
    return Options(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main(_options()))
