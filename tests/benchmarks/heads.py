"""How long `process` takes to verify 1,000 originals that lie in a SeaweedFS on this machine, and to register them.

    python -m tests.benchmarks.heads [--images 1000] [--rounds 3]

Each round stores new objects by signed requests, has them all headed once from here, as the server does it, and then
sends POST /api/galleries/process. The objects are no pictures: nothing decodes them before it answers.
"""

import argparse
import hashlib
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from uuid6 import uuid7

from momentarium_cli.backend.storage.s3 import S3Storage
from tests.acceptance.program import wait_for
from tests.benchmarks.bucket import Serving, serving, storage_of
from tests.seaweed import running_seaweed

GOAL_SECONDS = 2.0
SENDERS = 8


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds."""

    heads: float
    process: float


def store(served: Serving, number: int) -> list[str]:
    """The keys of so many new objects."""
    bodies = [secrets.token_bytes(1000) for _ in range(number)]
    files = [
        {
            "filename": f"IMG_{index:04}.jpg",
            "content_type": "image/jpeg",
            "size_bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        for index, body in enumerate(bodies)
    ]
    slots = posted(served, "/api/uploads/generate-urls", {"files": files})["files"]

    def put(slot: Any, body: bytes) -> None:
        target = slot["original"]
        served.http.put(target["url"], headers=target["headers"], content=body).raise_for_status()

    with ThreadPoolExecutor(SENDERS) as threads:
        list(threads.map(put, slots, bodies))
    return [slot["storage_key"] for slot in slots]


def posted(served: Serving, path: str, body: dict[str, Any], **headers: str) -> Any:
    answer = served.http.post(path, json=body, headers=headers)
    answer.raise_for_status()
    return answer.json()


def heads_seconds(storage: S3Storage, keys: list[str]) -> float:
    started = time.perf_counter()
    found = storage.heads(keys)
    seconds = time.perf_counter() - started
    assert len(found) == len(keys)
    return seconds


def process_seconds(served: Serving, keys: list[str]) -> float:
    images = [{"storage_key": key, "original_filename": f"{index}.jpg"} for index, key in enumerate(keys)]
    body = {"import_id": str(uuid7()), "images": images}
    started = time.perf_counter()
    job_id = posted(served, "/api/galleries/process", body, **{"Idempotency-Key": str(uuid7())})["job_id"]
    seconds = time.perf_counter() - started
    wait_for(lambda: has_ended(served, job_id), 600)  # so that its work is not in the next round
    return seconds


def has_ended(served: Serving, job_id: str) -> bool:
    status = served.http.get(f"/api/jobs/{job_id}/status").raise_for_status().json()["status"]
    return status in ("completed", "failed")


def measure(served: Serving, storage: S3Storage, number: int) -> Round:
    keys = store(served, number)
    done = Round(heads_seconds(storage, keys), process_seconds(served, keys))
    print(f"heads {done.heads:.2f} s, process {done.process:.2f} s", flush=True)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with running_seaweed() as seaweed:
        bucket = seaweed.new_bucket()
        with serving(seaweed, bucket) as served:
            storage = storage_of(seaweed, bucket)
            rounds = [measure(served, storage, options.images) for _ in range(options.rounds)]
    heads, process = (statistics.median(getattr(each, name) for each in rounds) for name in ("heads", "process"))
    print(f"{options.images} originals: heads {heads:.2f} s, process {process:.2f} s (goal {GOAL_SECONDS:g} s)")


if __name__ == "__main__":
    main()
