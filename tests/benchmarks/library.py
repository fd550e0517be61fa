"""How a large library is looked through: the first pass, and a run that finds nothing new.

    python -m tests.benchmarks.library [--photos 100000] [--flat] [--send] [--folder FOLDER]

The photos are small JPEGs, each with bytes, a size and a capture time of its own, 500 a folder (--flat: all in one).
Each run is the program's own, in a process of its own; its memory is the kernel's figure for that process, without its
decode children. The first pass lasts until `upload --json` says what is planned. After it the journal is told that all
is in the library (--send: it is sent, which takes minutes); then nothing is new.

That the second run opens no photo is the kernel's word: all atimes are set back to 1970, and reading would move them.
"""

import argparse
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import psutil
from PIL import Image

from momentarium_cli.client.embedded import EmbeddedServer
from momentarium_cli.rendezvous import ServerFile

FILES_A_SECOND = 2000
NOTHING_NEW_SECONDS = 5
MEMORY_MB = 200

_A_FOLDER = 500
_FIRST = datetime(2004, 5, 1, 9)
_DATE, _NUMBER = b"2000:00:00 00:00:00", b"#00000000"


def make(folder: Path, photos: int, *, flat: bool) -> None:
    """One small picture, in many files; what follows its end is a hole that costs no space."""
    exif, out = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[0x9003] = _DATE.decode()
    picture = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    picture.save(out, "JPEG", quality=60, exif=exif.tobytes(), comment=_NUMBER)
    jpeg = bytearray(out.getvalue())
    date, number = jpeg.index(_DATE), jpeg.index(_NUMBER)
    for index in range(photos):
        inside = folder if flat else folder / f"{index // _A_FOLDER:04}"
        if index % _A_FOLDER == 0:
            inside.mkdir(parents=True, exist_ok=True)
        jpeg[date : date + len(_DATE)] = f"{_FIRST + timedelta(minutes=97 * index):%Y:%m:%d %H:%M:%S}".encode()
        jpeg[number : number + len(_NUMBER)] = b"#%08d" % index
        with (inside / f"IMG_{index:06}.jpg").open("wb") as file:
            file.write(jpeg)
            file.truncate(len(jpeg) + index)


@dataclass
class Run:
    """How a run of the program went: seconds, those of the processor among them, and its peak memory in bytes."""

    first_pass: float = 0
    seconds: float = 0
    cpu: float = 0
    memory: int = 0
    told: str = ""


def run(data_dir: Path, *arguments: str) -> Run:
    environment = os.environ | {"MOMENTARIUM_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "momentarium_cli", "upload", *arguments]
    done, began, before = Run(), time.perf_counter(), os.times()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        watching = Thread(target=_watch_memory, args=(process, done))
        watching.start()
        assert process.stdout is not None
        for line in process.stdout:
            done.told = line
            if line.startswith('{"event": "planned"'):
                done.first_pass = time.perf_counter() - began
    watching.join()
    assert process.returncode == 0, process.returncode
    done.seconds, after = time.perf_counter() - began, os.times()
    done.cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return done


def _watch_memory(process: "subprocess.Popen[str]", run: Run) -> None:
    while process.poll() is None:
        with suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    run.memory = int(line.split()[1]) << 10
        time.sleep(0.02)


def all_is_in_the_library(data_dir: Path, *, was_sent: bool) -> None:
    """Set all atimes back, which moves the times of change too, and tell the journal."""
    [journal] = (data_dir / "journals").glob("*.sqlite3")
    db = sqlite3.connect(journal)
    rows = db.execute("select id, path from files").fetchall()
    for file_id, path in rows:
        photo = Path(os.fsdecode(path))
        os.utime(photo, ns=(1, photo.stat().st_mtime_ns))
        db.execute("update files set ctime_ns = ? where id = ?", (photo.stat().st_ctime_ns, file_id))
    if not was_sent:
        db.execute("update files set state = 'accepted', counted = 'uploaded', sha256 = lower(hex(randomblob(32)))")
    db.commit()
    db.close()


def opened(folder: Path) -> int:
    """How many photos were read since their atimes were set back."""
    first = next(folder.rglob("*.jpg"))
    read = sum(path.stat().st_atime_ns != 1 for path in folder.rglob("*.jpg"))
    first.read_bytes()
    assert first.stat().st_atime_ns != 1, "this file system does not note when files are read"
    return read


@contextmanager
def server(data_dir: Path) -> Iterator[None]:
    """The backend, there before the first run, ended after the last."""
    try:
        with EmbeddedServer(data_dir):
            yield
    finally:
        found = ServerFile.read(data_dir)
        if found is not None:
            process = psutil.Process(found.pid)
            process.terminate()
            process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--flat", action="store_true", help="all in one folder")
    parser.add_argument("--send", action="store_true", help="upload them, too")
    parser.add_argument("--folder", type=Path, default=None, help="where the photos are made; else in a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ml", dir=options.folder) as name:
        folder, data_dir = Path(name) / "photos", Path(name) / "d"
        folder.mkdir()
        make(folder, options.photos, flat=options.flat)
        print(f"{options.photos:,} photos, {os.cpu_count()} cores")
        with server(data_dir):
            measure(folder, data_dir, options.photos, send=options.send)


def measure(folder: Path, data_dir: Path, photos: int, *, send: bool) -> None:
    how = ["--no-wait"] if send else ["--dry-run"]
    first = run(data_dir, *how, "--json", str(folder))
    rate = photos / first.first_pass
    print(f"first pass {first.first_pass:.1f} s = {rate:,.0f} files/s (goal {FILES_A_SECOND:,})")
    summary = json.loads(first.told)
    print(
        f"{'uploaded' if send else 'dry run'} in {first.seconds:.0f} s: {summary['uploaded'] or summary['pending']:,}"
    )
    all_is_in_the_library(data_dir, was_sent=send)
    second = run(data_dir, "--no-wait", str(folder))
    busy = f"{second.cpu:.1f} s of the processor"
    print(f"nothing new {second.seconds:.1f} s, {busy} (goal {NOTHING_NEW_SECONDS}), {opened(folder)} photos opened")
    peak = max(first.memory, second.memory) / 1e6
    print(
        f"memory {first.memory / 1e6:.0f} MB, nothing new {second.memory / 1e6:.0f} MB (goal {MEMORY_MB}): {peak:.0f}"
    )


if __name__ == "__main__":
    main()
