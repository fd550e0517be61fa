import errno
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from momentarium_cli.errors import NothingUsable
from momentarium_cli.photos.choice import Choice
from momentarium_cli.photos.scan import Entry, FileStat, Found, Pruned, Skipped, SkipReason, Unreadable, scan


def fill(root: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(entries: list[Entry], root: Path) -> list[str]:
    return [str(entry.path.relative_to(root)) for entry in entries if isinstance(entry, Found)]


def reasons(entries: list[Entry], root: Path) -> dict[str, SkipReason]:
    left_out = (entry for entry in entries if isinstance(entry, Skipped | Pruned))
    return {str(entry.path.relative_to(root)): entry.reason for entry in left_out}


def test_a_folder_is_told_in_order_its_files_first(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "b/1.JPG", "a/deep/er/3.heic", "z.png", "A.webp")
    assert found(list(scan([tmp_path])), tmp_path) == ["A.webp", "z.png", "a/deep/er/3.heic", "b/1.JPG", "b/2.jpg"]


def test_a_photo_comes_with_its_stat_and_the_format_its_suffix_promises(tmp_path: Path) -> None:
    fill(tmp_path, "p.NEF")
    [entry] = scan([tmp_path / "p.NEF"])
    assert entry == Found(tmp_path / "p.NEF", FileStat.of((tmp_path / "p.NEF").stat()), "nef")


def test_no_file_is_opened(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    list(scan([tmp_path]))
    assert (tmp_path / "a.jpg").stat().st_atime_ns == 1


def test_every_file_is_one_result_with_a_reason(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "film.MOV", "a.xmp", "notes.txt", "._a.jpg", "Thumbs.db", ".trashed-17-a.jpg",
         "x.lrcat", ".b.heic.icloud", "noname")  # fmt: skip
    fill(tmp_path, "empty.jpg", content=b"")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.jpg"))
    entries = list(scan([tmp_path]))
    assert found(entries, tmp_path) == ["a.jpg"]
    assert reasons(entries, tmp_path) == {
        "film.MOV": "video", "a.xmp": "sidecar", "notes.txt": "unsupported", "noname": "unsupported",
        "._a.jpg": "system_junk", "Thumbs.db": "system_junk", ".trashed-17-a.jpg": "system_junk",
        "x.lrcat": "catalogue", ".b.heic.icloud": "placeholder", "empty.jpg": "empty", "s.jpg": "not_a_file",
    }  # fmt: skip
    assert len(entries) == len(list(tmp_path.iterdir()))


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.text and reason.text != reason.value for reason in SkipReason)


def test_junk_and_catalogues_are_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, "@eaDir/a.jpg", ".thumbnails/a.jpg", "$RECYCLE.BIN/a.jpg", ".Trash-1000/a.jpg", "#recycle/a.jpg",
         "lost+found/a.jpg", ".git/a.jpg", "Cat Previews.lrdata/0/a.jpg", "keep/a.jpg")  # fmt: skip
    entries = list(scan([tmp_path]))
    assert found(entries, tmp_path) == ["keep/a.jpg"]
    assert Counter(type(entry) for entry in entries) == {Found: 1, Pruned: 8}
    assert reasons(entries, tmp_path)["Cat Previews.lrdata"] is SkipReason.CATALOGUE


def test_of_a_photo_library_only_the_originals_are_taken(tmp_path: Path) -> None:
    fill(tmp_path, "P.photoslibrary/originals/0/a.heic", "P.photoslibrary/resources/derivatives/a.jpg",
         "P.photoslibrary/database/p.db", "P.photoslibrary/Info.plist", "Old.aplibrary/Masters/b.jpg",
         "Old.aplibrary/Previews/b.jpg")  # fmt: skip
    entries = list(scan([tmp_path]))
    assert found(entries, tmp_path) == ["Old.aplibrary/Masters/b.jpg", "P.photoslibrary/originals/0/a.heic"]


def test_a_junk_folder_that_is_named_is_walked(tmp_path: Path) -> None:
    fill(tmp_path, ".Trash/a.jpg")
    assert found(list(scan([tmp_path / ".Trash"])), tmp_path) == [".Trash/a.jpg"]


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "elsewhere/2.jpg")
    root = tmp_path / "a"
    (root / "loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "zzz").symlink_to(tmp_path / "elsewhere")
    (root / "same.jpg").symlink_to(root / "1.jpg")
    (root / "self.jpg").symlink_to(root / "self.jpg")
    entries = list(scan([root]))
    assert found(entries, root) == ["1.jpg", "out/2.jpg"]
    assert [entry.path.name for entry in entries if isinstance(entry, Unreadable)] == ["self.jpg"]


def test_a_linked_file_is_told_once_even_if_its_folder_comes_later(tmp_path: Path) -> None:
    fill(tmp_path, "z/1.jpg", "z/2.jpg")
    (tmp_path / "a.jpg").symlink_to(tmp_path / "z" / "1.jpg")
    assert found(list(scan([tmp_path])), tmp_path) == ["a.jpg", "z/2.jpg"]


@pytest.mark.parametrize("folder", ["a", "z"], ids=["before", "after"])
def test_a_file_is_a_photo_if_a_link_makes_it_one(tmp_path: Path, folder: str) -> None:
    fill(tmp_path, f"{folder}/abcdef")
    fill(tmp_path, "links/real.jpg")
    for name in ("1.jpg", "2.jpg", "notes.txt"):
        (tmp_path / "links" / name).symlink_to(tmp_path / folder / "abcdef")
    assert found(list(scan([tmp_path])), tmp_path) == ["links/1.jpg", "links/real.jpg"]


@pytest.mark.parametrize("folder", ["a", "z"], ids=["before", "after"])
def test_a_photo_is_found_also_if_a_link_to_it_is_none(tmp_path: Path, folder: str) -> None:
    fill(tmp_path, f"{folder}/1.jpg", f"{folder}/2.jpg")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "1.txt").symlink_to(tmp_path / folder / "1.jpg")
    (tmp_path / "links" / "2-draft.jpg").symlink_to(tmp_path / folder / "2.jpg")
    entries = list(scan([tmp_path], Choice(exclude=("*-draft.jpg",))))
    assert found(entries, tmp_path) == [f"{folder}/1.jpg", f"{folder}/2.jpg"]


@pytest.mark.parametrize("folder", ["a", "z"], ids=["before", "after"])
def test_what_is_no_photo_under_any_name_is_told_once(tmp_path: Path, folder: str) -> None:
    fill(tmp_path, f"{folder}/1.txt")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "1.mov").symlink_to(tmp_path / folder / "1.txt")
    (tmp_path / "links" / "2.txt").symlink_to(tmp_path / folder / "1.txt")
    assert len(list(scan([tmp_path, tmp_path / folder / "1.txt"]))) == 1


def test_a_link_into_a_folder_that_could_not_be_listed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/1.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    listing = os.scandir

    def refusing(folder: Path) -> object:
        if folder == tmp_path / "a":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listing(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    entries = list(scan([tmp_path / "a", tmp_path]))
    assert entries[0] == Unreadable(tmp_path / "a", "Permission denied")
    assert found(entries, tmp_path) == ["b.jpg"]


def test_a_link_to_what_is_chosen_away_brings_nothing_back(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert found(list(scan([tmp_path / "a", tmp_path / "b.jpg"], Choice(exclude=("1.jpg",)))), tmp_path) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 0)])
def test_overlapping_paths_give_each_file_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    fill(tmp_path, "a/1.jpg", "a/b/2.jpg")
    paths = [tmp_path, tmp_path / "a" / "1.jpg", tmp_path / "a" / "b"]
    entries = list(scan([paths[place] for place in order]))
    assert sorted(found(entries, tmp_path)) == ["a/1.jpg", "a/b/2.jpg"]


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.link(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert found(list(scan([tmp_path])), tmp_path) == ["a.jpg", "b.jpg"]


def test_a_missing_path_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    entries = list(scan([tmp_path / "gone", tmp_path]))
    assert entries[0] == Unreadable(tmp_path / "gone", "No such file or directory")
    assert found(entries, tmp_path) == ["a.jpg"]


def test_nothing_usable_names_what_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NothingUsable, match="gone"):
        scan([tmp_path / "gone"])
    with pytest.raises(NothingUsable):
        scan([])


def test_a_folder_that_vanishes_is_unreadable_and_the_scan_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, "0.jpg", "b/2.jpg", "c/3.jpg")
    entries = scan([tmp_path])
    seen = [next(entries)]
    (tmp_path / "b" / "2.jpg").unlink()
    (tmp_path / "b").rmdir()
    seen += entries
    assert found(seen, tmp_path) == ["0.jpg", "c/3.jpg"]
    assert [entry.path.name for entry in seen if isinstance(entry, Unreadable)] == ["b"]


def test_names_survive_whatever_bytes_they_have(tmp_path: Path) -> None:
    names = [b"new\nline.jpg", b"quote'\".jpg", "🏔️.jpg".encode(), b"n" * 251 + b".jpg", b"\xff\xfe latin \xe9.jpg",
             b" .jpg", b"-rf.jpg"]  # fmt: skip
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    seen = [os.fsencode(entry.path.name) for entry in scan([tmp_path])]
    assert seen == sorted(names)


def test_a_sparse_photo_is_no_placeholder(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(1 << 20)
    assert found(list(scan([tmp_path])), tmp_path) == ["a.jpg"]


def test_deep_folders_need_no_recursion(tmp_path: Path) -> None:
    folders = [tmp_path.joinpath(*"d" * depth) for depth in range(1, 1200)]
    for folder in folders:
        folder.mkdir()
    photo = folders[-1] / "a.jpg"
    photo.write_bytes(b"x")
    assert [entry.path for entry in scan([tmp_path])] == [photo]
    photo.unlink()
    for folder in reversed(folders):  # what tidies up behind tests does recurse
        folder.rmdir()


def test_importing_the_scan_loads_no_image_library() -> None:
    code = (
        "import sys, momentarium_cli.photos.scan;"
        "print({'PIL', 'numpy', 'pydantic', 'rawpy', 'pebble', 'multiprocessing'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"
