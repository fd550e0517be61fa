"""Bounded random access to the bytes of a file: what keeps hostile metadata from costing time or memory."""

from typing import BinaryIO, Self

HEAD_BYTES = 1 << 16  # one read that holds the metadata of nearly every photo
MAX_READS = 4000
MAX_BYTES = 16 << 20
_LARGEST_FILE = 1 << 40  # file systems refuse to seek far beyond what they can hold


class Damaged(ValueError):
    """The structure of a file contradicts itself; the message is a few words."""


class TooMany(Damaged):
    """A file has so many pieces that it can only be meant to cost time."""


class _Budget:
    def __init__(self) -> None:
        self.reads = MAX_READS
        self.bytes = MAX_BYTES

    def spend(self, length: int) -> None:
        self.reads -= 1
        self.bytes -= length
        if self.reads < 0 or self.bytes < 0:
            raise TooMany("too many pieces of metadata")


class Reader:
    """A window [base, end) of a file. All windows of one file share a budget; past it they raise TooMany."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._head = file.read(HEAD_BYTES)
        self._base = 0
        self._end: int | None = None
        self._budget = _Budget()

    def window(self, offset: int, length: int | None = None) -> Self:
        """The part that begins at `offset` of this one; it never reaches beyond this one."""
        part = object.__new__(type(self))
        part._file, part._head, part._budget = self._file, self._head, self._budget
        part._base = self._base + offset
        part._end = self._end if length is None else self._within(part._base + length)
        return part

    def at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`, fewer where the window or the file ends."""
        self._budget.spend(length)
        start = self._base + offset
        stop = self._within(start + length)
        if offset < 0 or stop <= start or stop > _LARGEST_FILE:
            return b""
        if stop <= len(self._head):
            return self._head[start:stop]
        self._file.seek(start)
        return self._file.read(stop - start)

    def exactly(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; raises Damaged where they are not there."""
        found = self.at(offset, length)
        if len(found) != length:
            raise Damaged("the file ends early")
        return found

    def uint(self, offset: int, length: int) -> int:
        """A big-endian unsigned number."""
        return int.from_bytes(self.exactly(offset, length), "big")

    def _within(self, position: int) -> int:
        return position if self._end is None else min(position, self._end)
