"""Walks folders and says of every file whether it is a photo to take, by name and stat. Opens only ignore files."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from momentarium_cli.errors import NothingUsable
from momentarium_cli.photos import formats, leftout
from momentarium_cli.photos.choice import EVERYTHING, Choice
from momentarium_cli.photos.filesystems import keeps_inodes
from momentarium_cli.photos.leftout import SkipReason
from momentarium_cli.photos.patterns import IGNORE_FILE, Rules

__all__ = ["Entry", "FileStat", "Found", "NotChosen", "Pruned", "SkipReason", "Skipped", "Unreadable", "scan", "walk"]

# Windows: reading OFFLINE and RECALL_* files downloads them (WinNT.h). macOS: SF_DATALESS (sys/stat.h) likewise.
# st_blocks == 0 proves nothing: btrfs and ZFS keep small files inline, and many FUSE file systems report no blocks.
_RECALLED = 0x1000 | 0x40000 | 0x400000
_SF_DATALESS = 0x40000000


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells that a file is still the same; times in nanoseconds since 1970. An inode that says nothing is 0."""

    dev: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, result: os.stat_result) -> Self:
        inode = result.st_ino if keeps_inodes(result.st_dev) else 0
        return cls(result.st_dev, inode, result.st_size, result.st_mtime_ns, result.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Found:
    """A photo, by its suffix; `format_hint` is a `Format.name`."""

    path: Path
    stat: FileStat
    format_hint: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out."""

    path: Path
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that the system does not let us see; `error` is its reason."""

    path: Path
    error: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """A folder that is not entered; its files are not counted."""

    path: Path
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class NotChosen:
    """A file that the run is not to take; it is not counted."""

    path: Path
    reason: SkipReason


Entry = Found | Skipped | Unreadable | Pruned | NotChosen


def scan(paths: Sequence[Path], choice: Choice = EVERYTHING) -> Iterator[Entry]:
    """Everything under `paths`, in a fixed order: a folder's files by name, then its folders by name.

    Links are followed; a file or folder that is reached twice is told once, and a file once more where only another of
    its names makes it a photo. Every file that is not below a `Pruned` folder is one Found, Skipped, Unreadable or
    NotChosen. Raises NothingUsable if no path can be used.
    """
    if not any(_exists(path) for path in paths):
        names = ", ".join(str(path) for path in paths) or "no path was given"
        raise NothingUsable(f"Nothing to read: {names}.", hint="Name folders or photos that exist.")
    return walk(((path, path) for path in paths), choice)


def walk(places: Iterable[tuple[Path, Path]], choice: Choice = EVERYTHING) -> Iterator[Entry]:
    """Of each path and the folder that it lies in or below: what `scan` of that folder tells of the path.

    A path that is not there is Unreadable.
    """
    so_far = _Walk(choice)
    return (entry for path, top in places for entry in so_far.path(path, top))


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


class _Walk:
    """What was seen so far: folders by device and inode, single files by their real path and whether as photos."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._reached: set[tuple[int, int]] = set()
        self._listed: set[tuple[int, int]] = set()
        self._singles: dict[str, bool] = {}

    def path(self, path: Path, top: Path) -> Iterator[Entry]:
        rules = self._rules(path, top)
        if not isinstance(rules, Rules):
            yield rules
            return
        try:
            found = path.stat()
        except OSError as error:
            yield Unreadable(path, _reason(error))
            return
        if stat.S_ISDIR(found.st_mode):
            yield from self._tree(path, rules)
        else:
            yield from self._single(path, found, rules)

    def _rules(self, path: Path, top: Path) -> Rules | NotChosen | Unreadable:
        """The rules of a folder, or of the one a file is in, where `top` is walked; or why that does not get there."""
        rules, folder = self._choice.rules, top
        for name in path.relative_to(top).parts:
            ignore_file = folder / IGNORE_FILE
            try:
                if os.path.lexists(ignore_file):
                    rules = rules.with_ignore_file(ignore_file)
            except OSError as error:
                return Unreadable(path, f"{ignore_file}: {_reason(error)}")
            folder /= name
            if folder == path and not os.path.isdir(path):  # noqa: PTH112 -- pathlib's raises
                break
            if rules.leave_out_folder(name):
                return NotChosen(path, SkipReason.EXCLUDED)
            rules = rules.inside(name)
        return rules

    def _tree(self, top: Path, rules: Rules) -> Iterator[Entry]:
        pending = [(top, os.path.realpath(top), rules)]
        while pending:
            folder, real, rules = pending.pop()
            below: list[tuple[Path, str, Rules]] = []
            reading = folder
            try:
                key = _key(folder)
                if key in self._reached:
                    continue
                self._reached.add(key)
                names, links = _listing(folder)
                if IGNORE_FILE in names:
                    reading = folder / IGNORE_FILE
                    rules = rules.with_ignore_file(reading)
                self._listed.add(key)
            except OSError as error:
                yield Unreadable(reading, _reason(error))  # without its ignore file, what a folder holds may be private
                continue
            for name in names:
                if name != IGNORE_FILE:
                    yield from self._entry(name, name in links, folder, real, rules, below)
            pending.extend(reversed(below))

    def _entry(
        self, name: str, linked: bool, folder: Path, real: str, rules: Rules, below: list[tuple[Path, str, Rules]]
    ) -> Iterator[Entry]:
        path = folder / name
        try:
            found = path.stat()
        except OSError as error:
            yield Unreadable(path, _reason(error))
            return
        if stat.S_ISDIR(found.st_mode):
            reason = leftout.folder_reason(name, folder.name)
            if reason is None and rules.leave_out_folder(name):
                reason = SkipReason.EXCLUDED
            if reason:
                yield Pruned(path, reason)
            else:
                inside = os.path.realpath(path) if linked else os.path.join(real, name)  # noqa: PTH118
                below.append((path, inside, rules.inside(name)))
        elif linked:
            yield from self._single(path, found, rules)
        else:
            entry = self._judge(path, name, found, rules)
            before = self._singles.get(os.path.join(real, name)) if self._singles else None  # noqa: PTH118 - 3x faster
            if not _is_told(entry, before):
                yield entry

    def _single(self, path: Path, found: os.stat_result, rules: Rules) -> Iterator[Entry]:
        """A file reached by a link or named by the caller: its own folder may have told it, or may still do."""
        entry = self._judge(path, path.name, found, rules)
        real = Path(os.path.realpath(path))
        before = self._singles.get(str(real))
        if self._is_listed(real.parent):
            before = before or _skip_reason(real, real.name, real.suffix.lower(), found) is None
        if not _is_told(entry, before):
            self._singles[str(real)] = isinstance(entry, Found)
            yield entry

    def _judge(self, path: Path, name: str, found: os.stat_result, rules: Rules) -> Entry:
        if rules.leave_out(name):
            return NotChosen(path, SkipReason.EXCLUDED)
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - 3x faster
        if reason := _skip_reason(path, name, suffix, found):
            return Skipped(path, reason)
        format_name = formats.BY_SUFFIX[suffix].name
        if reason := self._choice.against_file(found.st_size, format_name):
            return NotChosen(path, reason)
        return Found(path, FileStat.of(found), format_name)

    def _is_listed(self, folder: Path) -> bool:
        try:
            return _key(folder) in self._listed
        except OSError:
            return False


def _key(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_told(entry: Entry, before: bool | None) -> bool:
    """Whether a file needs no other entry; `before` is whether it was told as a photo, None if it was not told."""
    return before is not None and (before or not isinstance(entry, Found))


def _listing(folder: Path) -> tuple[list[str], set[str]]:
    """The names in a folder, in order, and which of them are links. Of a folder of 200,000 files more is too much."""
    names, links = [], set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            with suppress(OSError):  # its stat tells
                if entry.is_symlink():
                    links.add(entry.name)
    return sorted(names, key=os.fsencode), links


def _skip_reason(path: Path, name: str, suffix: str, found: os.stat_result) -> SkipReason | None:
    if not stat.S_ISREG(found.st_mode):
        return SkipReason.NOT_A_FILE
    if reason := leftout.file_reason(name, suffix):
        return reason
    if suffix not in formats.SUPPORTED_SUFFIXES:
        return SkipReason.CATALOGUE if leftout.is_library(path.parent.name) else leftout.suffix_reason(suffix)
    if found.st_size == 0:
        return SkipReason.EMPTY
    return SkipReason.PLACEHOLDER if _in_the_cloud(found) else None


def _in_the_cloud(found: os.stat_result) -> bool:
    """Whether reading this file would download it first."""
    attributes = getattr(found, "st_file_attributes", 0)
    return bool(attributes & _RECALLED or getattr(found, "st_flags", 0) & _SF_DATALESS)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
