"""How long an upload takes, as a multiple of the work that no uploader can avoid.

    python -m tests.benchmarks.upload [--photos 300] [--rounds 3]

The floor is fixed code, below: two processes that hash each file and make its 1,440-pixel JPEG with Pillow's draft.
Each round measures floor and upload one after the other on the same files, so that a noisy machine hurts both.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from momentarium_cli.client.embedded import EmbeddedServer
from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.config import load
from tests.benchmarks import photos

GOAL = 1.4


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds."""

    floor: float
    start: float
    upload: float
    albums: float


def floor(paths: list[Path]) -> float:
    """Seconds that two processes take to hash every file and make its preview."""
    with get_context("forkserver").Pool(2) as pool:
        pool.map(_hash_and_preview, paths[:2])  # both are up
        started = time.perf_counter()
        pool.map(_hash_and_preview, paths, chunksize=4)
        return time.perf_counter() - started


def _hash_and_preview(path: Path) -> tuple[str, int]:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (1440, 1440))
        image.thumbnail((1440, 1440), Image.Resampling.LANCZOS, reducing_gap=2)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=80)
    return digest, len(out.getvalue())


def measure(folder: Path, paths: list[Path]) -> Round:
    data_dir = Path(tempfile.mkdtemp(prefix="mb"))
    floor_seconds = floor(paths)
    try:
        started = time.perf_counter()
        with EmbeddedServer(data_dir):  # present, so that the backend stays up
            start_seconds = time.perf_counter() - started
            started = time.perf_counter()
            summary = _upload(folder, data_dir)
            upload_seconds = time.perf_counter() - started
            _until_albums(data_dir, summary)
            return Round(floor_seconds, start_seconds, upload_seconds, time.perf_counter() - started)
    finally:
        _end_server(data_dir)
        shutil.rmtree(data_dir, ignore_errors=True)


def _upload(folder: Path, data_dir: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "momentarium_cli", "upload", "--no-wait", "--json", str(folder)]
    environment = os.environ | {"MOMENTARIUM_DATA_DIR": str(data_dir)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    summary: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return summary


def _until_albums(data_dir: Path, summary: dict[str, object]) -> None:
    jobs = summary["jobs"]
    assert isinstance(jobs, list)
    with Momentarium(load(options={"data_dir": data_dir})) as momentarium:
        momentarium.wait([job["id"] for job in jobs])


def _end_server(data_dir: Path) -> None:
    import psutil

    from momentarium_cli.rendezvous import ServerFile

    found = ServerFile.read(data_dir)
    if found is not None:
        process = psutil.Process(found.pid)
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mp") as name:
        paths = photos.make(Path(name), options.photos)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        print(f"{len(paths)} photos of {size / 1e6:.1f} MB, {os.cpu_count()} cores")
        rounds = [measure(Path(name), paths) for _ in range(options.rounds)]
    for each in rounds:
        print(
            f"floor {each.floor:.2f} s, upload {each.upload:.2f} s = {each.upload / each.floor:.2f} x,"
            f" {each.upload / len(paths) * 1000:.1f} ms a photo, albums after {each.albums:.2f} s,"
            f" backend up in {each.start:.2f} s"
        )
    ratio = statistics.median(each.upload / each.floor for each in rounds)
    print(f"median {ratio:.2f} x the floor (goal {GOAL}); bounded by decoding, which the floor does, too")


if __name__ == "__main__":
    main()
