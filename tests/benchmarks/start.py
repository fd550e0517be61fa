"""How soon an instance of the API answers on a platform that starts it by its name: `backend.wiring:asgi`.

    python -m tests.benchmarks.start [--rounds 7]

The settings are those of such a platform: PostgreSQL (migrated already), S3, QStash. In each round a new process
imports what a bare FastAPI application on psycopg needs and ends, then another one begins to serve; its seconds are
counted from its start to the first answer of /readyz. What they are bound by is told by the seconds of CPU.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from tests.acceptance.test_s3 import in_a_bucket
from tests.acceptance.test_servers import free_port
from tests.benchmarks.bucket import cpu_seconds
from tests.seaweed import Seaweed, running_server

GOAL_SECONDS = 1.0
_LOOK_SECONDS = 0.005
_BARE = "import fastapi, psycopg_pool, uvicorn"


@contextmanager
def settings(folder: Path, seaweed: Seaweed) -> Iterator[dict[str, str]]:
    """The environment of an instance."""
    postgres = EmbeddedPostgres(folder, "a password of benchmarks")
    try:
        conninfo = postgres.start()
        migrate(conninfo)
        yield {
            **os.environ,
            **in_a_bucket(seaweed, seaweed.new_bucket()),
            "MOMENTARIUM_DATA_DIR": str(folder / "data"),
            "MOMENTARIUM_DATABASE_URL": conninfo,
            "MOMENTARIUM_SERVER_SECRET_KEY": "a key that all instances have",
            "MOMENTARIUM_SERVER_PUBLIC_URL": "https://photos.example.com",
            "MOMENTARIUM_QUEUE_BACKEND": "qstash",
            "MOMENTARIUM_QUEUE_API_SECRET": "a-shared-secret-of-benchmarks",
            "QSTASH_TOKEN": "a token of benchmarks",
            "QSTASH_CURRENT_SIGNING_KEY": "sig_current_of_benchmarks",
            "QSTASH_NEXT_SIGNING_KEY": "sig_next_of_benchmarks",
        }
    finally:
        postgres.stop()


def bare(environment: dict[str, str]) -> float:
    """Seconds that the libraries alone take."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _BARE], env=environment, check=True)
    return time.perf_counter() - started


def instance(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until it answers, and of CPU that it took for that."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "momentarium_cli.backend.wiring:asgi", "--port", str(port)]
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while not _ready(port):
                assert process.poll() is None, "it ended"
                time.sleep(_LOOK_SECONDS)
            return time.perf_counter() - started, cpu_seconds(process.pid)
        finally:
            process.terminate()


def _ready(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        running_server() as store,
        settings(Path(folder), store.seaweed) as environment,
    ):
        instance(environment)  # compiles what was never imported
        rounds = [(bare(environment), *instance(environment)) for _ in range(options.rounds)]
    libraries, answers, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"median of {len(rounds)}: it answers after {answers:.2f} s (goal {GOAL_SECONDS:.0f} s), {cpu:.2f} s of CPU;"
        f" the libraries alone take {libraries:.2f} s, it {answers / libraries:.1f} x as long"
    )


if __name__ == "__main__":
    main()
