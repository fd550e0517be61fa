"""A chaos run of jobs: `python -m tests.chaos.run --jobs 1000 --seed 1`. Exits with 1 where something is wrong.

Real servers on one database and one store are killed, frozen and told to end at named points, and PostgreSQL with them,
while users upload, cancel and retry. Then it becomes calm; when every job has ended, the judge reads what is left.
"""

import argparse
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psycopg

from momentarium_cli.backend.db import users as user_rows
from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.errors import MomentariumError
from tests.chaos import points
from tests.chaos.keeper import hits
from tests.chaos.load import Load, User
from tests.chaos.queues import QUEUES, Queue
from tests.folders import short_folder

REPOSITORY = Path(__file__).parents[2]
_SETTLE_SECONDS = 150
_QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"  # killed servers leave semaphores, which it clears away
_RAISED = re.compile(r"[A-Za-z_.]+(Error|Exception|Unavailable|Shutdown)\b")


@dataclass(frozen=True)
class Options:
    jobs: int
    seed: int
    queue: str
    users: int
    servers: int
    peace_seconds: float  # that a server is left alone after its start, on average
    each: int  # kills that every point must have seen
    limit_seconds: float  # no new jobs after that
    keep: Path | None  # where to copy what the run left, logs above all


@dataclass
class Run:
    options: Options
    folder: Path
    postgres: EmbeddedPostgres
    conninfo: str

    @property
    def points(self) -> list[str]:
        return points.names(self.options.queue)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def prepare(self) -> list[User]:
        """A database at this version's schema with the users and what the judge needs."""
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            conn.execute("alter system set fsync = off")  # nothing here has to outlive a power cut
            conn.execute("select pg_reload_conf()")
        migrate(self.conninfo)
        with psycopg.connect(self.conninfo) as conn:
            conn.execute((Path(__file__).parent / "audit.sql").read_text().encode())
        database = Database(self.conninfo)
        try:
            return [_add_user(database, number) for number in range(self.options.users)]
        finally:
            database.close()

    def servers(self, ports: Sequence[int], queue: Mapping[str, str]) -> list[dict[str, str]]:
        """Their settings, as environment."""
        common = {
            **queue,
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(self.folder),
            "MOMENTARIUM_DATABASE_URL": self.conninfo,
            "MOMENTARIUM_STORAGE_URL": f"file://{self.store}",
            "MOMENTARIUM_SERVER_SECRET_KEY": secrets.token_hex(32),
        }
        return [
            common
            | {"MOMENTARIUM_DATA_DIR": str(self.folder / f"server{number}"), "MOMENTARIUM_SERVER_PORT": str(port)}
            for number, port in enumerate(ports)
        ]

    @contextmanager
    def kept(self, servers: list[dict[str, str]]) -> Iterator["subprocess.Popen[str]"]:
        """The servers, which are started again whenever they end."""
        described = self.folder / "run.json"
        described.write_text(
            json.dumps(
                {
                    "folder": str(self.folder),
                    "seed": self.options.seed,
                    "queue": self.options.queue,
                    "peace_seconds": self.options.peace_seconds,
                    "servers": servers,
                }
            )
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MOMENTARIUM_")}
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.keeper", str(described)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=environment | {"PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": _QUIET},
        )
        try:
            yield keeper
        finally:
            if keeper.stdin and not keeper.stdin.closed:
                keeper.stdin.close()
            keeper.wait(60)

    def covered(self, names: Iterable[str]) -> bool:
        killed = hits(self.folder)["kill"]
        return all(killed[point] >= self.options.each for point in names)

    def revive_postgres(self) -> None:
        try:
            if not self.postgres.running:
                self.postgres.start()
        except MomentariumError as error:
            print(f"PostgreSQL: {error}", flush=True)


def _add_user(database: Database, number: int) -> User:
    token = secrets.token_hex(16)
    with database.administration() as conn:
        user_id = user_rows.add(conn, f"user{number}@example.com")
        assert user_id is not None
        user_rows.add_token(conn, user_id, "chaos", token, ("read", "upload", "edit"))
    return User(user_id, token)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [int(listener.getsockname()[1]) for listener in taken]


def chaos(run: Run) -> list[str]:
    """The run itself. Answers what went wrong beside what the judge will find."""
    options = run.options
    users = run.prepare()
    ports = _free_ports(options.servers)
    began = time.monotonic()
    with QUEUES[options.queue](ports, options.seed) as queue, run.kept(run.servers(ports, queue.settings)) as keeper:
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        load = Load(urls, run.conninfo, options.seed, lambda accepted: _more(run, accepted, began))
        _last(run, queue, load, load.run(users), began)
        seconds = time.monotonic() - began
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.close()
        said = keeper.stdout.read().splitlines()
    _print_table(run)
    print(f"{load.accepted} jobs in {seconds:.0f} s, {load.accepted / seconds:.1f} jobs/s; {dict(load.asked)}")
    print(*said, sep="\n")
    few = [f"only {load.accepted} of {options.jobs} jobs within the time"] if load.accepted < options.jobs else []
    return (
        load.problems
        + [line for line in said if "servers ended" not in line]
        + few
        + errors(run.folder.glob("server*/logs/*"))
        + _missed(run)
    )


def _last(run: Run, queue: Queue, load: Load, threads: Sequence[Thread], began: float) -> None:
    """Kill PostgreSQL now and then and start it again, until there was enough; then let every job end."""
    chance = random.Random(f"{run.options.seed} postgres")
    told = began
    postgres_at = began + chance.uniform(5, 15)
    over_at = float("inf")
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.1)
        now = time.monotonic()
        run.revive_postgres()
        queue.give_up(load.accepted > run.options.jobs // 2 and not run.covered(points.of_undelivered()))
        if over_at == float("inf") and not _more(run, load.accepted, began):
            (run.folder / "calm").touch()
            over_at = now + _SETTLE_SECONDS
        elif over_at == float("inf") and now > postgres_at:
            points.kill_postgres(run.folder)
            postgres_at = now + chance.uniform(10, 40)
        if now > over_at:
            load.stopped.set()
        if now > told + 10:
            told = now
            print(f"{now - began:4.0f} s: {load.accepted} jobs, {_told(run)}", flush=True)


def _more(run: Run, accepted: int, began: float) -> bool:
    """Whether there should be another job: until there were enough, and every point saw enough of it."""
    if time.monotonic() > began + run.options.limit_seconds:
        return False
    return accepted < run.options.jobs or not run.covered(run.points)


def _told(run: Run) -> str:
    return ", ".join(f"{counter.total()} {action}" for action, counter in hits(run.folder).items())


def _print_table(run: Run) -> None:
    happened = hits(run.folder)
    print(f"{'point':28}" + "".join(f"{action:>10}" for action in happened))
    for point in run.points:
        print(f"{point:28}" + "".join(f"{counter[point]:10}" for counter in happened.values()))
    print(f"{'all':28}" + "".join(f"{counter.total():10}" for counter in happened.values()))


def _missed(run: Run) -> list[str]:
    killed = hits(run.folder)["kill"]
    return [
        f"missed: only {killed[point]} kills at {point}" for point in run.points if killed[point] < run.options.each
    ]


def errors(logs: Iterable[Path]) -> list[str]:
    """What programs did not expect: lines of their logs that say ERROR, with the last line of the traceback."""
    found = Counter[str]()
    for log in logs:
        lines = log.read_text("utf-8", "replace").splitlines()
        for number, line in enumerate(lines):
            if " ERROR momentarium_cli" in line:
                raised = (later for later in lines[number + 1 : number + 200] if _RAISED.match(later))
                found[f"{line.partition(' ERROR ')[2].partition('] ')[2][:100]} … {next(raised, '')[:200]}"] += 1
    return [f"{number} times: {text}" for text, number in found.items()]


def _judged(run: Run) -> int:
    judge = [sys.executable, "-m", "tests.chaos.judge", run.conninfo, str(run.store), str(points.LEASE_SECONDS)]
    return subprocess.run(judge, cwd=REPOSITORY, check=False).returncode


def main(options: Options) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends a run wants nothing left behind
    with short_folder() as folder:
        postgres = EmbeddedPostgres(folder, secrets.token_hex(16))
        run = Run(options, folder, postgres, postgres.start())
        try:
            problems = chaos(run)
            sys.stdout.flush()
            verdict = _judged(run)
            if options.keep:
                shutil.copytree(folder, options.keep, ignore=shutil.ignore_patterns("run", "postgres"))
        finally:
            postgres.stop()
    print(*problems, sep="\n", end="\n" if problems else "")
    print("good" if not verdict and not problems else "NOT GOOD")
    return 1 if verdict or problems else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queue", choices=QUEUES, default="postgres")
    parser.add_argument("--users", type=int, default=24)
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--peace-seconds", type=float, default=2)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--limit-seconds", type=float, default=1500)
    parser.add_argument("--keep", type=Path)
    return Options(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main(_options()))
