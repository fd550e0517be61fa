"""How much memory the client takes for large photos, beside a small one: it should be the same.

    python -m tests.benchmarks.large [--hashed 32] [--sent 2] [--folder FOLDER]

The photos are small JPEGs with a hole behind their end, of so many GB. Two of one size are hashed by a dry run, which
must know whether they are the same; one is sent, in parts, to the library on this machine. The memory is the kernel's
figure for the program's own process.
"""

import argparse
import os
import tempfile
from pathlib import Path

from tests.benchmarks.library import make, run, server

_GB = 1 << 30
_SPREAD = 8 << 20  # what two runs of the same differ by


def large(folder: Path, photos: int, gigabytes: float) -> Path:
    make(folder, photos, flat=True)
    for path in folder.iterdir():
        os.truncate(path, round(gigabytes * _GB))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hashed", type=float, default=32, help="GB")
    parser.add_argument("--sent", type=float, default=2, help="GB")
    parser.add_argument("--folder", type=Path, default=None, help="where the photos are made; else in a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ml", dir=options.folder) as name:
        folder, data_dir = Path(name), Path(name) / "d"
        make(folder / "small", 2, flat=True)
        with server(data_dir):
            for how, size in (("--dry-run", options.hashed), ("--no-wait", options.sent)):
                told = "hashed" if how == "--dry-run" else "sent"
                photos = large(folder / told, 2 if how == "--dry-run" else 1, size)
                small = run(data_dir, how, "--json", "--no-previews", str(folder / "small"))
                done = run(data_dir, how, "--json", "--no-previews", str(photos))
                more = done.memory - small.memory
                print(
                    f"{size:g} GB {told} in {done.seconds:.0f} s: {done.memory / 1e6:.0f} MB,"
                    f" {more / 1e6:+.1f} MB beside a small photo (goal {_SPREAD / 1e6:.0f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
