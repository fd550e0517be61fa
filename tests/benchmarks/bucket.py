"""The program's server with a bucket of a SeaweedFS as its store, and the CPU time that processes take."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

import httpx
import psutil

from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.rendezvous import ServerFile
from tests.acceptance.program import Program, program, wait_for
from tests.seaweed import REGION, Seaweed

_LOOK_SECONDS = 0.2  # each look goes through all processes of the machine


@dataclass(frozen=True)
class Serving:
    """A server with an empty library; `http` speaks for its user."""

    program: Program
    server: ServerFile
    http: httpx.Client


@contextmanager
def serving(seaweed: Seaweed, bucket: str, endpoint: str | None = None) -> Iterator[Serving]:
    """The store is reached at `endpoint`, if that is another than its own."""
    environment = {
        "MOMENTARIUM_SERVER_PORT": "0",
        "MOMENTARIUM_STORAGE_URL": f"s3://{bucket}",
        "AWS_ENDPOINT_URL_S3": endpoint or seaweed.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": seaweed.access_key,
        "AWS_SECRET_ACCESS_KEY": seaweed.secret_key,
    }
    with program(**environment) as made, (made.folder / "log").open("wb") as log:
        child = made.start("serve", stdout=log, stderr=log)
        try:
            server = wait_for(lambda: made.server)
            headers = {"Authorization": f"Bearer {server.token}"}
            with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as http:
                wait_for(lambda: http.get("/api/me").is_success)
                yield Serving(made, server, http)
        finally:
            child.terminate()
            child.wait(30)


def storage_of(seaweed: Seaweed, bucket: str) -> S3Storage:
    options = S3Options(bucket, endpoint_url=seaweed.endpoint, region=REGION)
    return S3Storage.connect(options, session=seaweed.session())


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far; of those that have ended, what their parent waited for."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return sum(_used(each) for each in [process, *process.children(recursive=True)])
    return 0.0


def _used(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


@contextmanager
def watched_cpu(pid: int) -> Iterator[list[float]]:
    """The list ends with the CPU seconds of a process that ends in the block, and of its children, by looking often."""
    used: dict[int, float] = {}
    told: list[float] = []
    stop = Event()

    def watch() -> None:
        while not stop.wait(_LOOK_SECONDS):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                for each in [process, *process.children(recursive=True)]:
                    used[each.pid] = max(used.get(each.pid, 0.0), _used(each))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()
        told.append(sum(used.values()))
