"""Tells that photos may have come below some folders. It only wakes: what there is, a look at the folders tells."""

import logging
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event, Thread
from typing import Self

from watchfiles import Change, watch

from momentarium_cli.photos import formats

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_TROUBLE_SECONDS = 60.0


class Changes(AbstractContextManager["Changes"]):
    """`happened` is set whenever a photo or folder below `paths` was made, changed or renamed, and when one of `paths`
    comes back. Nothing below `ignored` counts. Folders may come and go.
    """

    def __init__(self, paths: Sequence[Path], *, ignored: Path) -> None:
        self.happened = Event()
        self.trouble = ""  # why the system does not tell of changes, if it does not
        self._ignored = str(ignored.resolve()) + os.sep
        self._end = Event()
        self._threads = [Thread(target=self._follow, args=(path,), daemon=True, name="watch") for path in paths]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _follow(self, path: Path) -> None:
        while not self._end.is_set():
            try:
                self._watch(path, _identity(path))
            except FileNotFoundError:
                self._end.wait(_LOOK_SECONDS)
            except (OSError, RuntimeError) as error:  # too many folders, or a file system that does not tell
                log.warning("changes below %s are not told: %s", path, error)
                self.trouble = str(error)
                self._end.wait(_TROUBLE_SECONDS)

    def _watch(self, path: Path, identity: tuple[int, int]) -> None:
        """Until it is another folder, or none: a disk was taken out or put in."""
        self.happened.set()
        told = watch(
            path,
            watch_filter=None,
            stop_event=self._end,
            rust_timeout=round(_LOOK_SECONDS * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for changes in told:
            if any(self._counts(*change) for change in changes):
                self.happened.set()
            if (Change.deleted, str(path)) in changes or _identity(path) != identity:
                return

    def _counts(self, change: Change, path: str) -> bool:
        if change is Change.deleted or os.path.realpath(path).startswith(self._ignored):
            return False
        return Path(path).suffix.lower() in formats.SUPPORTED_SUFFIXES or Path(path).is_dir()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
