"""Whose inodes say that a file is the same, by the list of mounts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from momentarium_cli.photos import filesystems
from momentarium_cli.photos.filesystems import keeps_inodes
from momentarium_cli.photos.scan import FileStat

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
42 22 8:17 / /media/a\\040card rw,nosuid shared:5 - {type} /dev/sdb1 rw,user_id=0
"""
CARD = os.makedev(8, 17)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    keeps_inodes.cache_clear()
    yield
    keeps_inodes.cache_clear()


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "mountinfo"
    monkeypatch.setattr(filesystems, "_MOUNTS", made)
    return made


@pytest.mark.parametrize("type_", ["vfat", "exfat", "fuseblk", "fuse.sshfs"])
def test_a_card_makes_them_up(mounts: Path, type_: str) -> None:
    mounts.write_text(MOUNTS.format(type=type_))
    assert not keeps_inodes(CARD)
    assert keeps_inodes(os.makedev(254, 0))


@pytest.mark.parametrize("type_", ["ext4", "btrfs", "xfs", "nfs4", "ntfs3"])
def test_a_disk_keeps_them(mounts: Path, type_: str) -> None:
    mounts.write_text(MOUNTS.format(type=type_))
    assert keeps_inodes(CARD)


def test_what_is_not_told_is_taken_for_a_disk(mounts: Path) -> None:
    assert keeps_inodes(CARD)
    mounts.write_text("")
    assert keeps_inodes(os.makedev(8, 1))


def test_a_photo_on_a_card_has_no_inode(mounts: Path, tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    here = f"1 0 {os.major(device)}:{os.minor(device)} / / rw - vfat /dev/sdb1 rw\n"
    mounts.write_text(here)
    assert FileStat.of(tmp_path.stat()).inode == 0
