"""What --include, --exclude and ignore files leave of a folder."""

import os
import subprocess
from pathlib import Path

import pytest

from momentarium_cli.photos.choice import Choice
from momentarium_cli.photos.scan import Found, NotChosen, Pruned, Skipped, SkipReason, Unreadable, scan


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def taken(root: Path, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    entries = scan([root], Choice(include=include, exclude=exclude))
    return [str(entry.path.relative_to(root)) for entry in entries if isinstance(entry, Found)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill(tmp_path, "a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef", "private/e.jpg", "x/private/f.jpg")
    return tmp_path


def test_without_patterns_everything_is_taken(root: Path) -> None:
    assert len(taken(root)) == 6


def test_patterns_do_not_tell_capital_letters_from_small_ones(root: Path) -> None:
    assert taken(root, exclude=("*.png", "*.JPG")) == ["2024/raw/d.nef"]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("private/", ["a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef"]),
        ("/private", ["a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef", "x/private/f.jpg"]),
        ("2024/**", ["a.jpg", "b.PNG", "private/e.jpg", "x/private/f.jpg"]),
        ("2024/*.jpg", ["a.jpg", "b.PNG", "2024/raw/d.nef", "private/e.jpg", "x/private/f.jpg"]),
    ],
)
def test_patterns_are_of_paths_below_the_named_folder(root: Path, exclude: str, left: list[str]) -> None:
    assert taken(root, exclude=(exclude,)) == left


def test_a_later_pattern_takes_something_back(root: Path) -> None:
    assert taken(root, exclude=("*", "!2024", "!2024/c.jpg")) == ["2024/c.jpg"]


def test_include_takes_only_what_it_names_and_exclude_has_the_last_word(root: Path) -> None:
    assert taken(root, include=("*.jpg",)) == ["a.jpg", "2024/c.jpg", "private/e.jpg", "x/private/f.jpg"]
    assert taken(root, include=("*.jpg", "*.nef"), exclude=("private",)) == ["a.jpg", "2024/c.jpg", "2024/raw/d.nef"]
    assert taken(root, include=("2024/",)) == ["2024/c.jpg", "2024/raw/d.nef"]


def test_an_ignore_file_speaks_of_all_below_it_and_a_deeper_one_has_precedence(root: Path) -> None:
    (root / ".momentariumignore").write_text("# what nobody needs\n*.nef\nprivate/e.jpg\n\n")
    (root / "2024" / "raw" / ".momentariumignore").write_text("!d.nef\n")
    (root / "x" / ".momentariumignore").write_text("*.jpg\n")
    assert taken(root) == ["a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef"]


def test_ignore_files_are_of_the_folder_that_is_named_and_below(root: Path) -> None:
    (root / ".momentariumignore").write_text("*.jpg\n")
    assert taken(root / "2024") == ["c.jpg", "raw/d.nef"]


def test_what_options_exclude_no_ignore_file_takes_back(root: Path) -> None:
    (root / ".momentariumignore").write_text("!a.jpg\n")
    assert "a.jpg" not in taken(root, exclude=("a.jpg",))


def test_an_ignore_file_may_hold_anything(root: Path) -> None:
    (root / ".momentariumignore").write_bytes(b"\xef\xbb\xbfa.jpg\r\n!\n\xff\xfe*\n\\\nb.png\r\n")
    fill(root, os.fsdecode(b"\xff\xfe.jpg"), "c.jpg")
    assert taken(root)[:2] == ["c.jpg", "2024/c.jpg"]


def test_what_is_left_out_is_told_and_is_not_skipped(root: Path) -> None:
    fill(root, "notes.txt", "film.mov")
    (root / ".momentariumignore").touch()
    entries = list(scan([root], Choice(exclude=("private/", "*.png", "*.mov"))))
    left_out = {
        entry.path.relative_to(root).as_posix(): entry.reason for entry in entries if isinstance(entry, NotChosen)
    }
    assert left_out == dict.fromkeys(("b.PNG", "film.mov"), SkipReason.EXCLUDED)
    assert [entry.path for entry in entries if isinstance(entry, Skipped)] == [root / "notes.txt"]
    assert [entry.path for entry in entries if isinstance(entry, Pruned)] == [root / "private", root / "x" / "private"]


def test_a_folder_whose_ignore_file_cannot_be_read_is_not_walked(root: Path) -> None:
    """What it would leave out may be private."""
    (root / "2024" / ".momentariumignore").mkdir()
    entries = list(scan([root]))
    [unreadable] = [entry for entry in entries if isinstance(entry, Unreadable)]
    assert unreadable.path == root / "2024" / ".momentariumignore"
    assert not any(isinstance(entry, Found) and entry.path.is_relative_to(root / "2024") for entry in entries)


def test_git_leaves_out_the_same_files(root: Path) -> None:
    (root / ".momentariumignore").write_text("*.jpg\n!2024/*.jpg\nraw/\n/x/**/f.jpg\n")
    (root / "2024" / ".momentariumignore").write_text("!raw/\n*.heic\n")
    fill(root, "2024/h.heic", "2024/deep/c.jpg", "h.heic")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "config", "core.excludesFile", "/dev/null"], cwd=root, check=True)
    for file in root.rglob(".momentariumignore"):
        (file.parent / ".gitignore").write_bytes(file.read_bytes())
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(taken(root)) == sorted(name for name in listed if not name.endswith("ignore"))
