"""How long `momentarium upload --no-wait` takes into a bucket, beside `rclone copy` and `s5cmd cp` of the same files.

    python -m tests.benchmarks.s3_upload [--large 300] [--small 2000] [--rounds 3]

Two sets of photos: large ones of 5 MB, small ones of 180 KB. In each round every tool uploads a set into a new bucket
of one SeaweedFS on this machine, in an order that turns. What bounds a tool is told by the CPU seconds of its own
processes, of Momentarium's server and of the store, and by how long the photos' hashes and previews alone take
(`tests.benchmarks.upload` says how that floor is measured): the other tools make no previews.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.program import Done
from tests.benchmarks import photos
from tests.benchmarks.bucket import cpu_seconds, serving, watched_cpu
from tests.benchmarks.photos import CAMERA, MESSENGER
from tests.benchmarks.upload import floor
from tests.seaweed import REGION, Seaweed, Server, running_server

SENDERS = 8  # of Momentarium, and for rclone


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds: of the clock, and of the CPUs by the tool, by Momentarium's server, and by the store."""

    wall: float
    client: float
    server: float
    store: float


@dataclass(frozen=True, slots=True)
class Setting:
    store: Server
    folder: Path
    number: int

    @property
    def seaweed(self) -> Seaweed:
        return self.store.seaweed


def momentarium(setting: Setting, bucket: str) -> Took:
    with serving(setting.seaweed, bucket) as served, (served.program.folder / "told").open("w+") as out:
        pid, before = served.server.pid, cpu_seconds(served.server.pid)
        child = served.program.start("upload", "--no-wait", "--json", setting.folder, stdout=out, stderr=out)
        took = waited(setting, child, lambda: cpu_seconds(pid) - before)
        out.seek(0)
        done = Done(child.returncode, out.read(), "")
        assert (done.code, done.counts) == (0, {"uploaded": setting.number}), done
        return took


def rclone(setting: Setting, bucket: str) -> Took:
    options = ["--config", os.devnull, "--s3-no-check-bucket", "--transfers", str(SENDERS), "--checkers", str(SENDERS)]
    own = {
        "RCLONE_S3_PROVIDER": "SeaweedFS",
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_ENDPOINT": setting.seaweed.endpoint,
        "RCLONE_S3_REGION": REGION,
    }
    return tool(setting, ["rclone", "copy", *options, str(setting.folder), f":s3:{bucket}"], own)


def s5cmd(setting: Setting, bucket: str) -> Took:
    own = {"S3_ENDPOINT_URL": setting.seaweed.endpoint, "AWS_REGION": REGION}
    return tool(setting, ["s5cmd", "--log", "error", "cp", f"{setting.folder}/", f"s3://{bucket}/"], own)


def tool(setting: Setting, command: list[str], environment: dict[str, str]) -> Took:
    """A program that the test extra brings, beside this Python's own, or one on PATH."""
    beside = Path(sys.executable).with_name(command[0])
    keys = {"AWS_ACCESS_KEY_ID": setting.seaweed.access_key, "AWS_SECRET_ACCESS_KEY": setting.seaweed.secret_key}
    child = subprocess.Popen(
        [str(beside) if beside.exists() else command[0], *command[1:]],
        env=os.environ | keys | environment,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    took = waited(setting, child, lambda: 0.0)
    assert child.returncode == 0, command
    return took


def waited(setting: Setting, child: "subprocess.Popen[str]", server: Callable[[], float]) -> Took:
    """What it took since just now until the child has ended."""
    started, before = time.perf_counter(), cpu_seconds(setting.store.child.pid)
    with watched_cpu(child.pid) as client:
        child.wait()
        wall = time.perf_counter() - started
    return Took(wall, client[-1], server(), cpu_seconds(setting.store.child.pid) - before)


TOOLS: dict[str, Callable[[Setting, str], Took]] = {"momentarium": momentarium, "rclone": rclone, "s5cmd": s5cmd}


def measure(setting: Setting, turn: int) -> dict[str, Took]:
    """One round, which is printed as it goes."""
    names = list(TOOLS)
    took = {}
    for name in [*names[turn % 3 :], *names[: turn % 3]]:
        bucket = setting.seaweed.new_bucket()
        took[name] = TOOLS[name](setting, bucket)
        check_stored(setting, bucket)
        print(f"  {name}: {told(took[name])}", flush=True)
    return took


def check_stored(setting: Setting, bucket: str) -> None:
    """All files are in the bucket. It is removed: the next tool has as much memory and disk as this one had."""
    client = setting.seaweed.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    assert sum(not key.startswith(("previews/", "thumbs/")) for key in keys) == setting.number
    for start in range(0, len(keys), 1000):
        some = [{"Key": key} for key in keys[start : start + 1000]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
    client.delete_bucket(Bucket=bucket)


def told(took: Took) -> str:
    return (
        f"{took.wall:.2f} s; CPU {took.client + took.server + took.store:.1f} s"
        f" (tool {took.client:.1f}, server {took.server:.1f}, store {took.store:.1f})"
    )


def median(rounds: list[dict[str, Took]], name: str) -> Took:
    return Took(*(statistics.median(getattr(each[name], field) for each in rounds) for field in Took.__slots__))


def compare(kind: str, camera: photos.Camera, number: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mp") as name, running_server() as store:
        paths = photos.make(Path(name), number, camera=camera)
        total = sum(path.stat().st_size for path in paths)
        print(f"{kind}: {number} photos of {total / number / 1e6:.2f} MB, {os.cpu_count()} cores", flush=True)
        setting = Setting(store, Path(name), number)
        done = [measure(setting, turn) for turn in range(rounds)]
        previews = floor(paths)
    ours = median(done, "momentarium")
    print(f"{kind}, medians of {rounds}:")
    for tool_name in TOOLS:
        took = median(done, tool_name)
        ratio = f"momentarium takes {ours.wall / took.wall:.2f} x its time"
        print(f"  {tool_name}: {told(took)}; {total / took.wall / 1e6:.0f} MB/s; {ratio}")
    busy = (ours.client + ours.server + ours.store) / (ours.wall * (os.cpu_count() or 1))
    print(
        f"  momentarium keeps the cores busy for {busy:.0%} of its time; hashes and previews alone take"
        f" {previews:.2f} s on two of them, {previews / ours.wall:.0%} of it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=300, help="photos of 5 MB; 0: none")
    parser.add_argument("--small", type=int, default=2000, help="photos of 180 KB; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for kind, camera, number in (("large", CAMERA, options.large), ("small", MESSENGER, options.small)):
        if number:
            compare(kind, camera, number, options.rounds)


if __name__ == "__main__":
    main()
