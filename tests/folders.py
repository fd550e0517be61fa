"""Folders for tests that need a short path, or many small files."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30


@contextmanager
def short_folder() -> Iterator[Path]:
    """Short, for the path of a socket has at most 107 bytes; in memory where there is room, for it is much faster."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="mom-", dir=_MEMORY if roomy else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
