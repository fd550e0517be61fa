"""Patterns as in .gitignore, given by options and by ignore files: what they say of files and folders.

A folder's ignore file speaks of all below it, and one further down has precedence. Unlike git's, patterns do not tell
capital letters from small ones: cameras write .JPG where people write *.jpg.
"""

import codecs
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from momentarium_cli.errors import UsageError

if TYPE_CHECKING:
    from pathspec import PathSpec
    from pathspec.pattern import Pattern

    Patterns = PathSpec[Pattern]

IGNORE_FILE = ".momentariumignore"
_END = "\0"  # of a name: no name holds it, so a pattern that ends in it is not of what lies below


@dataclass(frozen=True, slots=True)
class Rules:
    """What patterns say of the entries of one folder, which itself is not left out.

    `below` is the folder's path below the one that is uploaded, "" or ending in a slash; `ignores` are the patterns of
    ignore files with the `below` of their folders, the deepest first. Of several patterns the last that matches counts.
    What `include` names it names with all below it; the others are of single files and folders, as nothing in a folder
    that is left out is looked at.
    """

    include: "Patterns | None"
    exclude: "Patterns | None"
    below: str = ""
    ignores: "tuple[tuple[str, Patterns], ...]" = ()

    @classmethod
    def of(cls, include: Sequence[str], exclude: Sequence[str]) -> Self:
        """UsageError: a pattern means nothing."""
        return cls(_patterns(include), _of_single_names(exclude))

    def inside(self, name: str) -> "Rules":
        """The rules of a folder in this one."""
        return Rules(self.include, self.exclude, f"{self.below}{name}/", self.ignores)

    def with_ignore_file(self, path: Path) -> "Rules":
        """The rules of this folder, once its ignore file was read; lines that mean nothing are passed. OSError."""
        lines = os.fsdecode(path.read_bytes().removeprefix(codecs.BOM_UTF8)).splitlines()
        spec = _of_single_names([line for line in lines if _means_something(line)])
        ignores = ((self.below, spec), *self.ignores) if spec else self.ignores
        return Rules(self.include, self.exclude, self.below, ignores)

    def leave_out(self, name: str) -> bool:
        """Whether the file of this name is left out."""
        path = f"{self.below}{name}"
        if self.include is not None and not self.include.match_file(path.lower()):
            return True
        return self._excluded(path + _END)

    def leave_out_folder(self, name: str) -> bool:
        """Whether nothing in the folder of this name is taken."""
        return self._excluded(f"{self.below}{name}{_END}/")

    def _excluded(self, path: str) -> bool:
        if self.exclude is not None and self.exclude.match_file(path.lower()):
            return True
        for below, spec in self.ignores:
            said = spec.check_file(path[len(below) :].lower()).include
            if said is not None:
                return said
        return False


def _patterns(lines: Sequence[str]) -> "Patterns | None":
    """None where there are none."""
    if not lines:
        return None
    from pathspec import PathSpec

    try:
        return PathSpec.from_lines("gitignore", [line.lower() for line in lines])
    except (ValueError, re.error) as error:
        raise UsageError(f"{error}.", hint="Patterns are written as in .gitignore.") from error


def _of_single_names(lines: Sequence[str]) -> "Patterns | None":
    """Patterns of paths whose last name ends in `_END`."""
    _patterns(lines)  # it tells what means nothing
    return _patterns([_ended(line) for line in lines])


def _ended(line: str) -> str:
    text = line if line.endswith("\\ ") else line.rstrip()
    name = text.removesuffix("/")
    slash = text[len(name) :]
    if name.endswith("/**"):
        name += "/*"
    return f"{name}{_END}{slash}"


def _means_something(line: str) -> bool:
    try:
        return _patterns([line]) is not None
    except UsageError:
        return False
