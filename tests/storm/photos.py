"""One person's photos, and what befalls them between the runs: all that people and their machines do to folders.

Files are told by their names: those that points.py changes, `closed…` that may not be read, `junk…` that is no photo.
"""

import os
import random
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.storm.points import GROWS, SHRINKS, VANISHES

_BEGINS = datetime(2023, 1, 7, 10)
_HOUR = 3600


class Photos:
    """`main` is what is uploaded; `more` is beside it, and links lead there."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.main, self.more = folder / "photos", folder / "more"
        self._random = random.Random(seed)
        self._seed = seed
        self._number = 0
        self._events = 0
        self.arrive()
        self._new(self.more)

    # --- what comes

    def arrive(self, number: int = 3) -> None:
        """Photos of a new event."""
        self._events += 1
        folder = self.main / f"event {self._events}"
        for _ in range(number):
            self._new(folder)

    def copy(self) -> None:
        """The same bytes under other names, and nothing new: a card that was copied twice."""
        self._events += 1
        folder = self.main / f"copies {self._events}"
        folder.mkdir()
        for number in range(2):
            shutil.copyfile(self._any(), folder / f"copy {number}.jpg")

    def case_twins(self) -> None:
        """Two names that are one where case does not count."""
        self._number += 1
        for name in (f"twin {self._number}.jpg", f"TWIN {self._number}.JPG"):
            self._new(self.main, name)

    def hard_link(self) -> None:
        self._link(os.link)

    def link(self) -> None:
        """A link to a photo among the others, or to all of a folder."""
        self._link(lambda path, link: link.symlink_to(path))
        self._link(lambda path, link: link.with_suffix("").symlink_to(path.parent, target_is_directory=True))

    def beside(self) -> Path:
        """A photo beside those that are uploaded."""
        return self._new(self.more)

    def link_to(self, path: Path) -> None:
        (self.main / f"out {self._next()}.jpg").symlink_to(path)

    def link_out(self) -> None:
        self.link_to(self._of(self.more))

    def will_vanish(self) -> None:
        self._new(self.main, f"{VANISHES} {self._next()}.jpg")

    def will_change(self) -> None:
        for kind in (GROWS, SHRINKS):
            self._new(self.main, f"{kind} {self._next()}.jpg")

    def junk(self) -> None:
        (self.main / f"junk {self._next()}.jpg").write_bytes(b"no photo")
        (self.main / f"junk {self._next()}.jpg").touch()

    def close(self) -> None:
        """A photo that may not be read, and a folder likewise."""
        self._new(self.main, f"closed {self._next()}.jpg").chmod(0)
        folder = self.main / f"closed {self._next()}"
        self._new(folder)
        folder.chmod(0)

    def open(self) -> None:
        for path in sorted(self.main.glob("closed *")):
            path.chmod(0o755)

    # --- what becomes of what is there

    def rename_folder(self) -> None:
        folders = [path for path in sorted(self.main.iterdir()) if path.is_dir() and not path.is_symlink()]
        folders = [path for path in folders if not path.name.startswith("closed")]
        folder = self._random.choice(folders)
        folder.rename(folder.with_name(f"moved {self._next()}"))

    def shift_clock(self) -> None:
        """As a disk does that keeps local time, when the clock is set to summer time."""
        by = self._random.choice((_HOUR, -_HOUR)) * 10**9
        for path in self._random.sample(files := self._files(self.main), min(3, len(files))):
            found = path.stat()
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + by))

    def touch(self) -> None:
        """The first photos of the latest event, as a program does that writes them again as they are."""
        for path in self._files(self.main / f"event {self._events}")[:2]:
            path.touch()

    def edit(self, times: int = 1) -> None:
        """Other bytes under the name of one of the latest."""
        for path in sorted(self._files(self.main), key=lambda path: path.stat().st_mtime_ns)[-times:]:
            path.write_bytes(self._bytes())

    def remove(self) -> None:
        self._any().unlink()

    # --- inside

    def any_of(self, seed: str) -> None:
        """Something new, and anything else."""
        chance = random.Random(seed)
        happenings: list[Callable[[], None]] = [
            self.arrive, self.copy, self.case_twins, self.hard_link, self.link, self.link_out, self.will_vanish,
            self.will_change, self.junk, self.close, self.open, self.rename_folder, self.shift_clock, self.edit,
            self.remove,
        ]  # fmt: skip
        self.arrive(2)
        chance.choice(happenings)()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _new(self, folder: Path, name: str | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name or f"IMG_{self._next():04}.jpg")
        path.write_bytes(self._bytes())
        return path

    def _bytes(self) -> bytes:
        """A JPEG of 64 × 48 that was never there, taken ten minutes after the one before it, a week after the event."""
        number = self._next()
        taken = _BEGINS + timedelta(days=7 * self._events, minutes=10 * number)
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{taken:%Y:%m:%d %H:%M:%S}"
        out = BytesIO()
        noise = random.Random(f"{self._seed} {number}").randbytes(8 * 6 * 3)
        Image.frombytes("RGB", (8, 6), noise).resize((64, 48)).save(out, "JPEG", exif=exif)
        return out.getvalue()

    def _files(self, folder: Path) -> list[Path]:
        """Photos that can be read, without links."""
        found = (path for path in folder.rglob("*.jpg") if path.is_file() and not path.is_symlink())
        return sorted(path for path in found if not path.name.startswith(("junk", "closed")))

    def _of(self, folder: Path) -> Path:
        return self._random.choice(self._files(folder))

    def _any(self) -> Path:
        return self._of(self.main)

    def _link(self, make: Callable[[Path, Path], object]) -> None:
        path = self._any()
        make(path, self.main / f"linked {self._next()}.jpg")
