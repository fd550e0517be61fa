"""What --include, --exclude and ignore files leave of a folder."""

import os
import random
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


@pytest.mark.parametrize(
    "patterns",
    [
        ("*.png", "!cover.png", "private/"),
        ("private", "!cover.png"),
        ("private/", "!private/cover.png"),
        ("!2024/", "private"),
    ],
)
def test_nothing_in_a_folder_that_is_left_out_is_taken_back(root: Path, patterns: tuple[str, ...]) -> None:
    fill(root, "cover.png", "private/cover.png", "x/private/cover.png")
    assert not any("private" in name for name in taken(root, exclude=patterns))
    (root / ".momentariumignore").write_text("\n".join(patterns))
    assert not any("private" in name for name in taken(root))


def test_no_ignore_file_takes_back_what_another_folder_s_leaves_out(root: Path) -> None:
    (root / ".momentariumignore").write_text("!e.jpg\nprivate/\n")
    (root / "2024" / ".momentariumignore").write_text("!raw/\n")
    assert taken(root) == ["a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef"]


def test_a_folder_that_is_taken_back_is_walked_and_its_files_are_judged_each(root: Path) -> None:
    assert taken(root, exclude=("*", "!*.jpg")) == ["a.jpg"]
    assert taken(root, exclude=("*", "!*/", "!*.jpg")) == ["a.jpg", "2024/c.jpg", "private/e.jpg", "x/private/f.jpg"]
    assert taken(root, exclude=("*.jpg", "!2024/")) == ["b.PNG", "2024/raw/d.nef"]


def test_include_takes_only_what_it_names_and_exclude_has_the_last_word(root: Path) -> None:
    assert taken(root, include=("*.jpg",)) == ["a.jpg", "2024/c.jpg", "private/e.jpg", "x/private/f.jpg"]
    assert taken(root, include=("*.jpg", "*.nef"), exclude=("private",)) == ["a.jpg", "2024/c.jpg", "2024/raw/d.nef"]
    assert taken(root, include=("2024/",)) == ["2024/c.jpg", "2024/raw/d.nef"]
    assert taken(root, include=("*.jpg", "!private/")) == ["a.jpg", "2024/c.jpg"]


def test_an_ignore_file_speaks_of_all_below_it_and_a_deeper_one_has_precedence(root: Path) -> None:
    (root / ".momentariumignore").write_text("# what nobody needs\n*.nef\nprivate/e.jpg\n\n")
    (root / "2024" / "raw" / ".momentariumignore").write_text("!d.nef\n")
    (root / "x" / ".momentariumignore").write_text("*.jpg\n")
    assert taken(root) == ["a.jpg", "b.PNG", "2024/c.jpg", "2024/raw/d.nef"]


def test_ignore_files_are_of_the_folder_that_is_named_and_below(root: Path) -> None:
    (root / ".momentariumignore").write_text("*.jpg\n")
    assert taken(root / "2024") == ["c.jpg", "raw/d.nef"]


def test_a_folder_s_name_may_be_longer_in_small_letters(root: Path) -> None:
    fill(root, "İİ/a.jpg", "İİ/b.jpg")
    (root / "İİ" / ".momentariumignore").write_text("/a.jpg\n")
    assert taken(root / "..", include=("İİ/",)) == [f"{root.name}/İİ/b.jpg"]


def test_what_options_exclude_no_ignore_file_takes_back(root: Path) -> None:
    (root / ".momentariumignore").write_text("!a.jpg\n")
    assert "a.jpg" not in taken(root, exclude=("a.jpg",))


def test_an_ignore_file_may_hold_anything(root: Path) -> None:
    (root / ".momentariumignore").write_bytes(b"\xef\xbb\xbfa.jpg\r\n!\n\xff\xfe*\n\\\n[z-a]\nb.png\r\n")
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


def git_takes(root: Path) -> list[str]:
    """What git sees of the folder where it minds the same patterns."""
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for file in root.rglob(".momentariumignore"):
        (file.parent / ".gitignore").write_bytes(file.read_bytes())
    settings = ["-c", "core.excludesFile=/dev/null", "-c", "core.ignorecase=true"]
    command = ["git", *settings, "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in listed if name and not name.endswith("ignore"))


def test_git_leaves_out_the_same_files(root: Path) -> None:
    (root / ".momentariumignore").write_text("*.jpg\n!2024/*.jpg\nraw/\n/x/**/f.jpg\n")
    (root / "2024" / ".momentariumignore").write_text("!raw/\n*.heic\n")
    fill(root, "2024/h.heic", "2024/deep/c.jpg", "h.heic")
    assert sorted(taken(root)) == git_takes(root)


def some_pattern(chance: random.Random) -> str:
    names = ("a", "b", "ab", "a*", "*", "?", "[ab]", "[!a]*", "**", "*.jpg", "a.jpg", "*.png", "\\a", "b.png ")
    path = "/".join(chance.choice(names) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))
    return (
        chance.choice(("", "", "!")) + chance.choice(("", "", "/")) + path + chance.choice(("", "", "/", "/**", "/ "))
    )


def some_folder(root: Path, chance: random.Random) -> None:
    """Files in folders of a few names, again and again; three of the folders have ignore files."""
    for _ in range(20):
        folders = chance.choices(("a", "b", "ab"), k=chance.randrange(4))
        fill(root, "/".join((*folders, chance.choice(("a.jpg", "b.jpg", "b.png")))))
    folders_below = sorted(path for path in root.rglob("*") if path.is_dir())
    for folder in (root, *chance.sample(folders_below, k=min(2, len(folders_below)))):
        patterns = [some_pattern(chance) for _ in range(chance.randint(1, 5))]
        (folder / ".momentariumignore").write_text("\n".join(patterns))


def test_git_leaves_out_the_same_files_whatever_the_patterns(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(200)]
    for number, folder in enumerate(folders):
        some_folder(folder, random.Random(number))
    seen = git_takes(tmp_path)
    for folder in folders:
        expected = [name.partition("/")[2] for name in seen if name.startswith(f"{folder.name}/")]
        assert sorted(taken(folder)) == expected, folder
