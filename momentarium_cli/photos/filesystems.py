"""Which file systems keep the inode of a file. FAT, exFAT and most of FUSE make one up whenever a file is met again, so
that those of a memory card are others each time it is put in.
"""

import os
from functools import lru_cache
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # see proc(5); only Linux has it
_MADE_UP = ("vfat", "msdos", "exfat", "fuse")


@lru_cache(maxsize=64)
def keeps_inodes(device: int) -> bool:
    """Of the file system on a device, as `st_dev` has it; True where nothing is known of it."""
    return not _type_of(device).startswith(_MADE_UP)


def _type_of(device: int) -> str:
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        major, minor = before.split(" ", 3)[2].split(":")
        if os.makedev(int(major), int(minor)) == device:
            return after.partition(" ")[0]
    return ""
