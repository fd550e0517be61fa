"""How long generate-urls takes for files that are new, as a multiple of boto3's own time for the same signed URLs.

    python -m tests.benchmarks.signing [--files 1000] [--rounds 7]

Each file has a preview, so there are two URLs a file. A round asks the API, over HTTP and with all that it does besides
(rows in the database, JSON), and has boto3 sign the same requests, with the same headers bound; one after the other and
first by turns, so that a noisy machine hurts both.
"""

import argparse
import base64
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.bucket import Serving, cpu_seconds, serving
from tests.seaweed import Seaweed, running_seaweed

GOAL = 1.4
SIZE = 3_000_000
PREVIEW_SIZE = 150_000
_BOUND = ["X-Amz-Expires", "X-Amz-SignedHeaders"]

Json = dict[str, Any]


def new_files(number: int) -> list[Json]:
    return [
        {
            "filename": f"IMG_{index:04}.jpg",
            "content_type": "image/jpeg",
            "size_bytes": SIZE,
            "sha256": secrets.token_hex(32),
            "preview": {"size_bytes": PREVIEW_SIZE, "sha256": secrets.token_hex(32)},
        }
        for index in range(number)
    ]


def by_api(served: Serving, files: list[Json]) -> list[Json]:
    answer = served.http.post("/api/uploads/generate-urls", json={"files": files})
    answer.raise_for_status()
    slots = answer.json()["files"]
    return [slot[kind] for slot in slots for kind in ("original", "preview")]


def by_boto3(client: Any, bucket: str, files: list[Json]) -> list[str]:
    described = [
        (f"{kind}/1/{each['sha256']}{suffix}", each["size_bytes"], each["sha256"])
        for file in files
        for kind, suffix, each in (("originals", "", file), ("previews", ".jpg", file["preview"]))
    ]
    return [
        client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": bucket,
                "Key": key,
                "ContentType": "image/jpeg",
                "ContentLength": size,
                "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode(),
                "IfNoneMatch": "*",
            },
            ExpiresIn=300,
        )
        for key, size, sha256 in described
    ]


def check_same(ours: list[Json], theirs: list[str]) -> None:
    """The same addresses, with the same bound."""
    for mine, other in zip((each["url"] for each in ours), theirs, strict=True):
        assert urlsplit(mine)[:3] == urlsplit(other)[:3], (mine, other)
        bound = [[parse_qs(urlsplit(url).query)[name] for name in _BOUND] for url in (mine, other)]
        assert bound[0] == bound[1], bound


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds, those of the CPUs (also the server's), and what was made."""

    wall: float
    cpu: float
    made: Any

    @classmethod
    def of(cls, served: Serving, task: Callable[[], Any]) -> "Timed":
        started, before = time.perf_counter(), _cpu(served)
        made = task()
        return cls(time.perf_counter() - started, _cpu(served) - before, made)


def _cpu(served: Serving) -> float:
    return time.process_time() + cpu_seconds(served.server.pid)


def measure(seaweed: Seaweed, served: Serving, bucket: str, files: list[Json], *, api_first: bool) -> float:
    """The ratio, which is printed with its two times."""
    client = seaweed.client()
    tasks = {"api": lambda: by_api(served, files), "boto3": lambda: by_boto3(client, bucket, files)}
    done = {name: Timed.of(served, tasks[name]) for name in sorted(tasks, reverse=not api_first)}
    ours, theirs = done["api"], done["boto3"]
    check_same(ours.made, theirs.made)
    ratio = ours.wall / theirs.wall
    print(
        f"generate-urls {ours.wall:.3f} s, boto3 {theirs.wall:.3f} s = {ratio:.2f} x"
        f" (CPU {ours.cpu:.2f} s and {theirs.cpu:.2f} s)",
        flush=True,
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with running_seaweed() as seaweed:
        bucket = seaweed.new_bucket()
        with serving(seaweed, bucket) as served:
            by_api(served, new_files(10))  # connections are open, and what is imported late is there
            by_boto3(seaweed.client(), bucket, new_files(10))
            ratios = [
                measure(seaweed, served, bucket, new_files(options.files), api_first=number % 2 == 0)
                for number in range(options.rounds)
            ]
    print(f"{2 * options.files} URLs: median {statistics.median(ratios):.2f} x boto3's own time (goal {GOAL})")


if __name__ == "__main__":
    main()
