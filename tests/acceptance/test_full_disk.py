"""A disk that is full costs no photo: the remedy is one line, and with more space it goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.photos import JULY, MAY, event
from tests.acceptance.program import Program, assert_whole, may_mount, program

DISK_BYTES = 260 << 20


@pytest.fixture
def cramped() -> Iterator[Program]:
    """A library on a disk of its own, which is small."""
    if not may_mount():
        pytest.skip("only root may mount a small disk")
    with program() as made:
        made.data_dir.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs"]
        subprocess.run(["mount", *options, str(made.data_dir)], check=True)
        try:
            yield made
            made.end()
        finally:
            subprocess.run(["umount", "--lazy", str(made.data_dir)], check=True)


def fill(made: Program, *, leave: int) -> Path:
    """A file that leaves so many bytes."""
    filler = made.data_dir / "filler"
    with filler.open("wb") as file:
        size = shutil.disk_usage(made.data_dir).free - leave
        os.posix_fallocate(file.fileno(), 0, size)
    return filler


def test_a_full_disk_ends_with_5_and_the_remedy(cramped: Program) -> None:
    photos = event(cramped.folder / "p", 6)
    cramped.upload(cramped.folder / "p")

    photos += event(cramped.folder / "p", 6, JULY, seed=1)
    filler = fill(cramped, leave=32 << 20)  # less than what the database keeps to itself
    done = cramped.run("upload", "--json", cramped.folder / "p")
    assert (done.code, len(done.err.splitlines())) == (5, 1), done
    assert done.counts == {"unchanged": 6, "pending": 6}
    assert "MB left to fill" in done.err
    assert "Free some space" in done.err

    filler.unlink()
    assert cramped.upload(cramped.folder / "p").counts == {"unchanged": 6, "uploaded": 6}
    assert_whole(cramped, photos)


def test_a_disk_without_a_single_byte_loses_nothing(cramped: Program) -> None:
    photos = event(cramped.folder / "p", 6)
    cramped.upload(cramped.folder / "p")

    photos += event(cramped.folder / "q", 20, MAY.replace(month=9), seed=2)
    filler = fill(cramped, leave=0)
    done = cramped.run("upload", cramped.folder / "q")
    assert done.code == 5, done
    assert "Internal error" not in done.err
    assert "ree some space" in done.err
    assert "Traceback" not in done.err
    cramped.end()
    done = cramped.run("upload", cramped.folder / "q")
    assert done.code == 5, done
    assert "Internal error" not in done.err

    filler.unlink()
    cramped.upload(cramped.folder / "q")
    assert_whole(cramped, photos)
