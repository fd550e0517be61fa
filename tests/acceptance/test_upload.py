"""One library that grows, looked at from all sides."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.photos import JULY, MAY, event, photo
from tests.acceptance.program import Done, Program, assert_whole, checksums, program, wait_for

OPENED = """
import os, sys
def _hook(name, arguments):
    if name == "open" and isinstance(arguments[0], str) and {folder!r} in arguments[0]:
        log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, arguments[0].encode() + b"\\n")
        os.close(log)
sys.addaudithook(_hook)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    with program() as made:
        yield made


@pytest.fixture(scope="module")
def photos(shared: Program) -> list[Path]:
    return [*event(shared.folder / "p" / "may", 8), *event(shared.folder / "p" / "july", 5, JULY, seed=1)]


@pytest.fixture(scope="module")
def first(shared: Program, photos: list[Path]) -> Done:
    return shared.run("upload", "--json", shared.folder / "p")


def in_p(shared: Program) -> int:
    return len(list((shared.folder / "p").rglob("*.jpg")))


def test_the_first_upload_tells_what_it_did(first: Done) -> None:
    assert first.code == 0, first
    assert first.counts == {"uploaded": 13}
    assert [job["status"] for job in first.summary["jobs"]] == ["completed"]
    assert [(album["title"], album["photos"]) for album in first.summary["albums"]] == [
        ("1 May 2024", 8),
        ("20 July 2024", 5),
    ]
    assert {line["schema"] for line in first.lines} == {1}
    assert first.lines[0]["event"] == "started"


def test_every_photo_is_in_exactly_one_album(first: Done, shared: Program, photos: list[Path]) -> None:
    assert_whole(shared, photos)


def test_albums_agree_with_the_summary(first: Done, shared: Program) -> None:
    listed = shared.ok("albums", "list", "--json").json
    assert listed["schema"] == 1
    assert {(a["id"], a["title"], a["photo_count"]) for a in listed["albums"]} == {
        (a["id"], a["title"], a["photos"]) for a in first.summary["albums"]
    }
    shown = shared.ok("albums", "show", first.summary["albums"][0]["id"], "--json").json
    assert [photo["original_filename"] for photo in shown["photos"]] == [f"IMG_0501_{i:03}.jpg" for i in range(8)]


def test_people_see_the_albums_too(first: Done, shared: Program) -> None:
    assert "20 July 2024" in shared.ok("albums", "list").out
    shown = shared.ok("albums", "show", first.summary["albums"][0]["id"]).out
    assert "8 photos, 2024-05-01" in shown
    assert "IMG_0501_007.jpg" in shown


def test_the_tree_lists_the_albums_too(first: Done, shared: Program) -> None:
    nodes = shared.ok("albums", "tree", "--json").json["nodes"]
    assert [(node["title"], node["photo_count"], node["albums"]) for node in nodes] == [
        ("20 July 2024", 5, []),
        ("1 May 2024", 8, []),
    ]
    assert "20 July 2024: 5 photos, 2024-07-20" in shared.ok("albums", "tree").out


def albums_but_addresses(made: Program) -> list[dict[str, object]]:
    """Signed addresses change with the hour."""
    return [{**album, "cover_url": None} for album in made.ok("albums", "list", "--json").json["albums"]]


def test_albums_are_regrouped_and_back(first: Done, shared: Program) -> None:
    before = albums_but_addresses(shared)
    assert "completed" in shared.ok("albums", "regroup", "--coarser").out
    assert shared.ok("albums", "tree", "--json").json["level"] == "trips"
    assert "as coarse as they can be" in shared.ok("albums", "regroup", "--coarser").err
    shared.ok("albums", "regroup", "--level", "albums")
    assert albums_but_addresses(shared) == before
    assert shared.run("albums", "regroup").code == 2


def test_an_import_and_each_job_have_a_status(first: Done, shared: Program) -> None:
    import_, job = first.summary["import"], first.summary["jobs"][0]["id"]
    for wanted in ([], [import_], [job]):
        [told] = shared.ok("status", "--json", *wanted).json["jobs"]
        assert (told["id"], told["import_id"], told["status"], told["done"]) == (job, import_, "completed", 13)
    assert f"job {job}: completed" in shared.ok("status", import_).out


@pytest.mark.parametrize(("wanted", "text"), [("nonsense", "is no id"), ("0" * 32, "no import and no job")])
def test_an_unknown_id_is_told(first: Done, shared: Program, wanted: str, text: str) -> None:
    done = shared.run("status", wanted)
    assert (done.code, text in done.err, done.out) == (2, True, "")


def test_a_second_upload_reads_no_photo(first: Done, shared: Program, tmp_path: Path) -> None:
    log = tmp_path / "opened"
    (tmp_path / "sitecustomize.py").write_text(OPENED.format(folder=str(shared.folder / "p"), log=str(log)))
    watched = Program(shared.folder, {"PYTHONPATH": f"{tmp_path}:{shared.environment['PYTHONPATH']}"})
    assert watched.upload(shared.folder / "p").counts == {"unchanged": in_p(shared)}
    assert not log.exists(), log.read_text()
    extra = photo(shared.folder / "p" / "extra.jpg", MAY, seed=99)
    watched.upload("--dry-run", extra)
    assert str(extra) in log.read_text(), "the watch works"
    extra.unlink()


def test_photos_of_a_known_event_make_its_album_grow(first: Done, shared: Program, photos: list[Path]) -> None:
    before, number = shared.albums(), in_p(shared)
    photos += event(shared.folder / "p" / "more", 2, MAY.replace(hour=12), seed=5)
    done = shared.upload(shared.folder / "p")
    assert done.counts == {"uploaded": 2, "unchanged": number}
    [grown] = done.summary["albums"]
    assert grown["id"] == first.summary["albums"][0]["id"]
    after = shared.albums()
    assert after.keys() == before.keys()
    assert sum(map(len, after.values())) == sum(map(len, before.values())) + 2
    assert_whole(shared, photos)


def test_an_export_is_byte_for_byte_and_its_repeat_writes_nothing(
    first: Done, shared: Program, photos: list[Path]
) -> None:
    done = shared.ok("export", shared.folder / "out", "--json")
    assert done.lines[-1]["written"] == len(photos)
    written = [path for path in (shared.folder / "out").rglob("*") if path.is_file()]
    assert checksums(written) == checksums(photos)
    assert len(written) == len(photos)
    before = {path: path.stat().st_ctime_ns for path in written}
    again = shared.ok("export", shared.folder / "out", "--json").lines[-1]
    assert (again["written"], again["unchanged"]) == (0, len(photos))
    assert {path: path.stat().st_ctime_ns for path in written} == before
    written[0].write_bytes(b"damaged")
    assert shared.ok("export", shared.folder / "out", "--json").lines[-1]["written"] == 1
    assert written[0].read_bytes() == b"damaged", "nothing is overwritten"
    beside = written[0].with_stem(f"{written[0].stem} (2)")
    assert checksums([beside, *written[1:]]) == checksums(photos)


def test_a_single_file_will_do(first: Done, shared: Program, photos: list[Path]) -> None:
    photos.append(photo(shared.folder / "alone.jpg", JULY.replace(hour=11), seed=77))
    done = shared.run("upload", photos[-1])
    assert done.code == 0
    assert "1 file found: 1 photo uploaded" in done.err
    assert "20 July 2024" in done.out
    assert_whole(shared, photos)


@pytest.mark.parametrize("arguments", [["/nowhere/at/all"], ["empty"], ["empty", "/nowhere"], ["--dry-run", "empty"]])
def test_nothing_usable_is_8_in_one_line(first: Done, shared: Program, arguments: list[str]) -> None:
    (shared.folder / "empty").mkdir(exist_ok=True)
    (shared.folder / "empty" / "notes.txt").write_text("x")
    done = shared.run("upload", *arguments)
    assert done.code == (3 if len(arguments) == 2 and arguments[0] == "empty" else 8), done
    assert done.out == ""
    if "/nowhere/at/all" in arguments:
        assert done.err == "Error: Nothing to read: /nowhere/at/all. Name folders or photos that exist.\n"


def test_a_dry_run_does_nothing_and_tells_the_plan(first: Done, shared: Program, photos: list[Path]) -> None:
    new = event(shared.folder / "p" / "new", 3, MAY.replace(month=11), seed=9)
    stored, albums, number = shared.originals(), shared.albums(), in_p(shared) - len(new)
    done = shared.run("upload", "--dry-run", shared.folder / "p")
    assert done.code == 0
    assert "Would upload 3 photos" in done.err
    assert "nothing was done" in done.err
    assert (shared.originals(), shared.albums()) == (stored, albums)
    assert shared.upload(shared.folder / "p").counts == {"uploaded": 3, "unchanged": number}
    photos += new


def test_without_waiting_the_albums_come_by_themselves(first: Done, shared: Program, photos: list[Path]) -> None:
    photos += event(shared.folder / "q", 2, MAY.replace(year=2020), seed=11)
    done = shared.upload("--no-wait", shared.folder / "q")
    [job] = done.summary["jobs"]
    assert job["status"] in ("pending", "processing", "completed")
    wait_for(lambda: shared.ok("status", job["id"], "--json").json["jobs"][0]["status"] == "completed")
    assert_whole(shared, photos)


NAMES = [
    b"new\nline.jpg", b"quo'te\".jpg", "📷 ünïcode.jpg".encode(), b"x" * 251 + b".jpg", b"not-utf8-\xff\xfe.jpg",
    b" leading.jpg", b"-rf.jpg", b"%s{}$HOME.jpg", b"a;b&c|d.jpg", b"tab\there.jpg",
]  # fmt: skip


def test_whatever_the_names_photos_are_uploaded_and_exported(first: Done, shared: Program, photos: list[Path]) -> None:
    odd = [
        photo(Path(os.fsdecode(os.fsencode(shared.folder) + b"/odd/" + name)), MAY.replace(year=2010), seed=200 + i)
        for i, name in enumerate(NAMES)
    ]
    assert shared.upload(shared.folder / "odd").counts == {"uploaded": len(odd)}
    photos += odd
    assert_whole(shared, photos)
    shared.ok("export", shared.folder / "all")
    written = [path for path in (shared.folder / "all").rglob("*") if path.is_file()]
    assert checksums(written) == checksums(photos)
    names = {os.fsencode(path.name) for path in written}
    assert {"📷 ünïcode.jpg".encode(), b"new_line.jpg", b"not-utf8-__.jpg".replace(b"__", "��".encode())} <= names


def test_what_is_broken_is_kept_and_said(first: Done, shared: Program, photos: list[Path]) -> None:
    bad = shared.folder / "bad"
    whole = photo(bad / "whole.jpg", MAY.replace(year=2011), seed=300).read_bytes()
    (bad / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (bad / "scrambled.jpg").write_bytes(whole[:300] + os.urandom(2000))
    (bad / "zero.jpg").touch()
    (bad / "text.jpg").write_text("this is no photo, whatever its name says")
    (bad / "bomb.png").write_bytes(bomb())
    done = shared.run("upload", "--json", bad)
    assert done.code == 0
    assert done.counts == {"uploaded": 4, "skipped": 2}
    warned = {Path(line["path"]).name for line in done.lines if line["event"] == "warning"}
    assert {"scrambled.jpg", "bomb.png"} <= warned
    photos += [bad / name for name in ("whole.jpg", "cut.jpg", "scrambled.jpg", "bomb.png")]
    assert_whole(shared, photos)


def bomb() -> bytes:
    """A PNG of 12,000 × 12,000 pixels in a few kilobytes."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1501 * 12_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_photos_that_cannot_be_read_are_named_and_end_with_3(first: Done, shared: Program) -> None:
    folder = shared.folder / "unreadable"
    photo(folder / "good.jpg", MAY.replace(year=2012), seed=400)
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "closed.jpg").symlink_to(closed(folder))
    done = shared.run("upload", folder)
    assert done.code == 3, done
    assert "3 files found: 1 photo uploaded" in done.err
    assert "2 failed" in done.err
    assert "dangling.jpg: No such file or directory" in done.err
    assert "closed.jpg: Permission denied" in done.err
    again = shared.run("upload", "--json", folder)
    assert (again.code, again.counts) == (3, {"unchanged": 1, "failed": 2})


def closed(folder: Path) -> Path:
    """A file that cannot be opened; root may open all but what the kernel itself refuses."""
    if os.geteuid() == 0:
        return next(path for path in Path("/sys/bus").glob("*/drivers_probe"))
    path = folder.parent / "closed.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    return path
