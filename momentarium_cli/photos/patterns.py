"""Patterns as in .gitignore, given by options and by ignore files: what they say of files and folders.

A folder's ignore file speaks of all below it, and one further down has precedence. Unlike git's, patterns do not tell
capital letters from small ones: cameras write .JPG where people write *.jpg.
"""

import codecs
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from momentarium_cli.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec as Patterns

IGNORE_FILE = ".momentariumignore"


@dataclass(frozen=True, slots=True)
class Rules:
    """What patterns say of the entries of one folder.

    `below` is the folder's path below the one that is uploaded, "" or ending in a slash; `ignores` are the patterns of
    ignore files with the `below` of their folders, the deepest first.
    """

    include: "Patterns | None"
    exclude: "Patterns | None"
    below: str = ""
    ignores: "tuple[tuple[str, Patterns], ...]" = ()

    @classmethod
    def of(cls, include: Sequence[str], exclude: Sequence[str]) -> Self:
        """UsageError: a pattern means nothing."""
        return cls(_patterns(include), _patterns(exclude))

    def inside(self, name: str) -> "Rules":
        """The rules of a folder in this one."""
        return Rules(self.include, self.exclude, f"{self.below}{name}/", self.ignores)

    def with_ignore_file(self, path: Path) -> "Rules":
        """The rules of this folder, once its ignore file was read; lines that mean nothing are passed. OSError."""
        lines = os.fsdecode(path.read_bytes().removeprefix(codecs.BOM_UTF8)).splitlines()
        spec = _patterns([line for line in lines if _means_something(line)])
        ignores = ((self.below, spec), *self.ignores) if spec else self.ignores
        return Rules(self.include, self.exclude, self.below, ignores)

    def leave_out(self, name: str) -> bool:
        """Whether the file of this name is left out."""
        if self.include is None and self.exclude is None and not self.ignores:
            return False
        path = f"{self.below}{name}".lower()
        if self.include is not None and not self.include.match_file(path):
            return True
        return self._excluded(path)

    def leave_out_folder(self, name: str) -> bool:
        """Whether nothing in the folder of this name is taken; where a pattern takes something back, it is walked."""
        specs = [spec for spec in (self.exclude, *(spec for _, spec in self.ignores)) if spec is not None]
        takes_back = any(pattern.include is False for spec in specs for pattern in spec.patterns)
        return not takes_back and bool(specs) and self._excluded(f"{self.below}{name}/".lower())

    def _excluded(self, path: str) -> bool:
        if self.exclude is not None and self.exclude.match_file(path):
            return True
        for below, spec in self.ignores:
            said = spec.check_file(path[len(below) :]).include
            if said is not None:
                return said
        return False


def _patterns(lines: Sequence[str]) -> "Patterns | None":
    """None where there are none."""
    if not lines:
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines([line.lower() for line in lines])
    except ValueError as error:
        raise UsageError(f"{error}.", hint="Patterns are written as in .gitignore.") from error


def _means_something(line: str) -> bool:
    try:
        return _patterns([line]) is not None
    except UsageError:
        return False
