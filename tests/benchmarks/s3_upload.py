"""How long `momentarium upload` takes into a bucket, beside `s5cmd cp`, `rclone copy` and `aws s3 cp` of the same.

    python -m tests.benchmarks.s3_upload [--large 300] [--small 2000] [--rounds 3]

Two sets of photos: large ones of 5 MB, small ones of 180 KB. In each round every tool uploads a set into a new bucket
of one SeaweedFS on this machine, in an order of its own. The other tools make no previews, so Momentarium runs twice:

* transfer   with --no-previews: from the first byte that is read to the answer of the last PUT, hashing and signing
             included. Goal: 0.9 times the fastest of the others for small photos, 1.0 times for large ones.
* pipeline   with previews, likewise. Goal: 1.15 times what the fastest of the others takes and what the hashes and
             previews take alone (`tests.benchmarks.upload` says how that floor is measured), one after the other.

* puts       the PUTs alone: signed before, sent by threads that do nothing else.
* bare       each thread hashes a file, signs it with the store's own keys, and sends it; nothing is written down, and
             nobody looks whether it is there. What a transfer takes beyond this is the journal, the server that signs,
             and its look at every original that is stored, which share the processor with the store.

Reading the metadata before, and the server's looking for each original after, are told apart; the other tools do
neither. What bounds a tool is told by the CPU seconds of its own processes, of Momentarium's server and of the store.
"""

import argparse
import hashlib
import json
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from momentarium_cli.backend.storage.base import original_key
from momentarium_cli.models import SignedRequest
from momentarium_cli.wire import Piece, Wire
from tests.benchmarks import photos
from tests.benchmarks.bucket import cpu_seconds, serving, storage_of, watched_cpu
from tests.benchmarks.photos import CAMERA, MESSENGER
from tests.benchmarks.upload import floor
from tests.seaweed import REGION, Seaweed, Server, running_server

SENDERS = 8  # of Momentarium, and for rclone


GOALS = {"small": 0.9, "large": 1.0}
PIPELINE_GOAL = 1.15


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds: of the clock, and of the CPUs by the tool, by Momentarium's server, and by the store. Of the whole run;
    `sending` is the part of it that is compared, `before` and `after` are what is around it."""

    sending: float
    before: float
    after: float
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


def pipeline(setting: Setting, bucket: str) -> Took:
    return momentarium(setting, bucket)


def transfer(setting: Setting, bucket: str) -> Took:
    return momentarium(setting, bucket, "--no-previews")


def momentarium(setting: Setting, bucket: str, *options: str, endpoint: str | None = None) -> Took:
    """With an `endpoint`, the store is reached there."""
    with serving(setting.seaweed, bucket, endpoint) as served:
        pid, server = served.server.pid, cpu_seconds(served.server.pid)
        started, store = time.perf_counter(), cpu_seconds(setting.store.child.pid)
        child = served.program.start("upload", "--no-wait", "--json", *options, setting.folder, stderr=sys.stderr)
        with watched_cpu(child.pid) as client:
            seen = times(child, ("planned", "uploaded", "job"), started)
        done = Took(
            sending=seen["uploaded"] - seen["planned"],
            before=seen["planned"],
            after=seen["job"] - seen["uploaded"],
            client=client[-1],
            server=cpu_seconds(pid) - server,
            store=cpu_seconds(setting.store.child.pid) - store,
        )
    assert child.returncode == 0, options
    return done


def times(child: "subprocess.Popen[str]", names: Sequence[str], started: float) -> dict[str, float]:
    """When the last event of each of these names was told."""
    assert child.stdout
    seen = {json.loads(line)["event"]: time.perf_counter() - started for line in child.stdout}
    child.wait()
    return {name: seen[name] for name in names}


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


def aws(setting: Setting, bucket: str) -> Took:
    options = ["--recursive", "--only-show-errors", "--endpoint-url", setting.seaweed.endpoint]
    return tool(setting, ["aws", "s3", "cp", *options, str(setting.folder), f"s3://{bucket}"], {"AWS_REGION": REGION})


def tool(setting: Setting, command: list[str], environment: dict[str, str]) -> Took:
    """A program that the bench extra brings, beside this Python's own, or one on PATH."""
    beside = Path(sys.executable).with_name(command[0])
    keys = {"AWS_ACCESS_KEY_ID": setting.seaweed.access_key, "AWS_SECRET_ACCESS_KEY": setting.seaweed.secret_key}
    started, store = time.perf_counter(), cpu_seconds(setting.store.child.pid)
    child = subprocess.Popen(
        [str(beside) if beside.exists() else command[0], *command[1:]],
        env=os.environ | keys | environment,
        stdout=subprocess.DEVNULL,
    )
    with watched_cpu(child.pid) as client:
        child.wait()
        wall = time.perf_counter() - started
    assert child.returncode == 0, command
    return Took(wall, 0.0, 0.0, client[-1], 0.0, cpu_seconds(setting.store.child.pid) - store)


def puts(setting: Setting, bucket: str) -> Took:
    signed = signer(setting, bucket)
    requests = {path: signed(path) for path in sorted(setting.folder.rglob("*.jpg"))}
    return sent(setting, requests.__getitem__)


def bare(setting: Setting, bucket: str) -> Took:
    return sent(setting, signer(setting, bucket))


def signer(setting: Setting, bucket: str) -> Callable[[Path], SignedRequest]:
    """Hashes a file, and signs what stores it."""
    store = storage_of(setting.seaweed, bucket)

    def signed(path: Path) -> SignedRequest:
        with path.open("rb", buffering=0) as file:
            key = original_key(1, hashlib.file_digest(file, "sha256").hexdigest())
            return store.upload_target(key, content_type="image/jpeg", size=file.tell())

    return signed


def sent(setting: Setting, signed: Callable[[Path], SignedRequest]) -> Took:
    """All files, by threads that do nothing else."""
    waiting = SimpleQueue[Path]()
    for path in sorted(setting.folder.rglob("*.jpg")):
        waiting.put(path)
    wire = Wire(ssl.create_default_context, connect_seconds=5, read_seconds=60)

    def send(_: int) -> None:
        with suppress(Empty):
            while True:
                path = waiting.get_nowait()
                request = signed(path)
                with path.open("rb", buffering=0) as file:
                    body = [Piece(file, 0, int(request.headers["Content-Length"]))]
                    assert wire.send(request.method, request.url, request.headers, body, keep=1000).status == 200

    own, stores = time.process_time(), cpu_seconds(setting.store.child.pid)
    started = time.perf_counter()
    with closing(wire), ThreadPoolExecutor(SENDERS) as threads:
        list(threads.map(send, range(SENDERS)))
    wall = time.perf_counter() - started
    return Took(wall, 0.0, 0.0, time.process_time() - own, 0.0, cpu_seconds(setting.store.child.pid) - stores)


OTHERS: dict[str, Callable[[Setting, str], Took]] = {"s5cmd": s5cmd, "rclone": rclone, "aws": aws}
TOOLS = {"transfer": transfer, "pipeline": pipeline, "puts": puts, "bare": bare, **OTHERS}


def measure(setting: Setting, turn: int) -> dict[str, Took]:
    """One round, which is printed as it goes."""
    names = random.Random(turn).sample(list(TOOLS), len(TOOLS))  # none always follows the same
    took = {}
    for name in names:
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
    around = f", {took.before:.2f} s before and {took.after:.2f} s after it" if took.before else ""
    return (
        f"{took.sending:.2f} s{around}; CPU {took.client + took.server + took.store:.1f} s"
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
        floors, done = [], []
        for turn in range(rounds):
            done.append(measure(setting, turn))
            floors.append(floor(paths))
            print(f"  hashes and previews alone: {floors[-1]:.2f} s", flush=True)
    judge(kind, {name: median(done, name) for name in TOOLS}, statistics.median(floors), total)


def judge(kind: str, took: dict[str, Took], previews: float, total: int) -> None:
    print(f"{kind}, medians:")
    for name, each in took.items():
        print(f"  {name}: {told(each)}; {total / each.sending / 1e6:.0f} MB/s")
    best = min(OTHERS, key=lambda name: took[name].sending)
    fastest, ours, whole = took[best].sending, took["transfer"].sending, took["pipeline"]
    both = fastest + previews
    print(
        f"  transfer: {ours:.2f} s = {ours / fastest:.2f} x {best}, the fastest of the others (goal {GOALS[kind]})\n"
        f"  the PUTs alone: {took['puts'].sending / fastest:.2f} x {best}; with hashing and signing, and nothing else:"
        f" {took['bare'].sending / fastest:.2f} x\n"
        f"  pipeline: {whole.sending:.2f} s = {whole.sending / both:.2f} x {both:.2f} s, which is {best}'s"
        f" {fastest:.2f} s and {previews:.2f} s for hashes and previews alone (goal {PIPELINE_GOAL})\n"
        f"  the last 202: {whole.before + whole.sending + whole.after:.2f} s after the start of the program"
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
