"""The judge finds what is wrong: what good runs left is spoilt in one way at a time."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.local import LocalStorage
from tests.backend.bench import Bench
from tests.storm.judge import Folders, Left, Row, needless

PHOTOS = [b"\xff\xd8\xff photo %d" % number for number in range(3)]
OPEN = "alter table processing_jobs disable trigger legal_transition"


@pytest.fixture
def left(database: Database, tmp_path: Path) -> Iterator[Left]:
    """Of one user with three photos in an album, one of them twice in the folder, and two runs in calm."""
    bench = Bench.on(database, LocalStorage(tmp_path / "store", "http://127.0.0.1:1", Signer("a secret")))
    user = bench.user()
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, data in enumerate([*PHOTOS, PHOTOS[0]]):
        (folder / f"{number}.jpg").write_bytes(data)
    (folder / "junk.jpg").write_bytes(b"junk")
    (folder / "gone.jpg").symlink_to("nowhere")
    keys = [bench.photo(user, data) for data in PHOTOS]
    bench.accept(user, *keys)
    for statement in (
        OPEN,
        "update processing_jobs set status = 'completed'",
        "insert into albums (user_id, job_id, title, kind) select user_id, id, 'all', 'event' from processing_jobs",
        "insert into album_images select a.id, i.id, i.user_id, true, i.id, now() from albums a, images i",
    ):
        bench.run(statement)
    originals = {key: key.rpartition("/")[2] for key in keys}
    with psycopg.connect(database.conninfo, row_factory=dict_row) as conn:
        yield Left(conn, originals, [put(key) for key in keys], calm_runs(user, folder, list(originals.values())))


def put(key: str, signed: str = "20240501T100000Z", began: float = 1714557601, **more: Any) -> Row:
    """Signed at 10:00:00 UTC, sent a second later and stored a tenth after that."""
    return {
        "key": key,
        "signed": signed,
        "began": began,
        "ended": began + 0.1,
        "status": 200,
        "passed_on": True,
        **more,
    }


def calm_runs(user: int, folder: Path, uploaded: list[str]) -> list[Row]:
    common = {"user_id": user, "folders": [str(folder)], "calm": True, "code": 3, "forgotten": {}}
    counts = {"found": 6, "uploaded": 3, "duplicates": 1, "unchanged": 0, "skipped": 1, "failed": 1, "pending": 0}
    nothing = counts | {"uploaded": 0, "duplicates": 0, "unchanged": 4, "bytes_uploaded": 0}
    return [
        {**common, "run": "first", "uploaded": uploaded, "summary": counts | {"bytes_uploaded": 99}},
        {**common, "run": "second", "uploaded": [], "summary": nothing},
    ]


def test_good_runs_are_good(left: Left) -> None:
    assert list(left.findings()) == []


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        (["delete from album_images where display_order = (select min(id) from images)"], "is in 0 primary albums"),
        (["update images set deleted_at = now() where id = (select min(id) from images)"], "has no row"),
        ([OPEN, "update processing_jobs set status = 'failed', error_code = 'gave_up'"], "is failed (gave_up)"),
        ([OPEN, "update processing_jobs set status = 'pending'"], "is of job"),
        (["insert into albums (user_id, title, kind) select id, 'nobody', 'event' from users"], "which is not there"),
        (["alter table images drop constraint images_user_id_sha256_key",
          "update images set sha256 = (select sha256 from images order by id desc limit 1)"], "twice"),
        (["drop index one_primary_album_an_image",
          "insert into albums (user_id, job_id, title, kind) select user_id, job_id, 'twin', 'event' from albums",
          "insert into album_images select a.id, i.id, i.user_id, true, i.id, now() from albums a, images i"
          " where a.title = 'twin'"], "hold the same photos"),
        (["drop index one_primary_album_an_image",
          "insert into albums (user_id, job_id, title, kind) select user_id, job_id, 'more', 'event' from albums",
          "insert into album_images select a.id, i.id, i.user_id, true, 1, now() from albums a, images i"
          " where a.title = 'more' and i.id = (select min(id) from images)"], "is in 2 primary albums"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_database_is_found(left: Left, statements: list[str], finding: str) -> None:
    for statement in statements:
        left.conn.execute(statement.encode())
    found = list(left.findings())
    assert any(finding in line for line in found), found


def test_an_original_that_is_gone_or_spoilt_is_found(left: Left) -> None:
    first, second, third = left.originals
    found = list(replace(left, originals={second: "other", third: left.originals[third]}).findings())
    assert any(f"{left.originals[first]} of user" in line and "not in the store" in line for line in found), found
    assert any(line.startswith("lost: first said that") for line in found), found
    assert any(f"{second} holds other bytes" in line for line in found), found


def spoilt_runs(left: Left, spoil: Callable[[list[Row]], object]) -> list[str]:
    runs = [{**run, "summary": dict(run["summary"])} for run in left.runs]
    spoil(runs)
    return list(replace(left, runs=runs).findings())


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda runs: runs[0]["summary"].update(uploaded=4), "do not add up"),
        (lambda runs: runs[0]["summary"].update(uploaded=2, duplicates=2), "counts 2 uploaded and names 3"),
        (lambda runs: runs[0]["summary"].update(duplicates=0, pending=1), "'pending': (1, 0)"),
        (lambda runs: runs[1]["summary"].update(unchanged=3, duplicates=1), "'unchanged': (3, 4)"),
        (lambda runs: runs[1]["summary"].update(bytes_uploaded=1), "'bytes_uploaded': (1, 0)"),
        (lambda runs: runs[1].update(code=0), "ended with 0 instead of 3"),
        (lambda runs: runs[1].update(summary=None), "'found': (None, 6)"),
        (lambda runs: runs[1].update(calm=False), "is not the second of two runs in calm"),
        (lambda runs: runs[1].update(uploaded=runs[0]["uploaded"][:1]), "was told 2 times"),
    ],
)
def test_totals_that_are_wrong_are_found(left: Left, spoil: Callable[[list[Row]], object], finding: str) -> None:
    found = spoilt_runs(left, spoil)
    assert any(finding in line for line in found), found


def test_what_a_run_that_was_killed_told_may_be_told_again(left: Left) -> None:
    killed = {**left.runs[0], "run": "killed", "code": -9, "calm": False, "summary": None}
    assert list(replace(left, runs=[killed, *left.runs]).findings()) == []


def told_again(left: Left, gone: bool) -> tuple[Left, str]:
    """A run that came to its end told all, the server forgot the first of them, and two runs tell of them again."""
    sha256 = left.runs[0]["uploaded"][0]
    forgotten = {"sha256s": [sha256], "at": 1714557700.0, "gone": gone}
    earlier = {**left.runs[0], "run": "earlier", "calm": False}
    return replace(left, runs=[earlier, {**left.runs[0], "forgotten": forgotten}, left.runs[1]]), sha256


def test_what_was_forgotten_may_be_told_again_and_nothing_else(left: Left) -> None:
    spoilt, sha256 = told_again(left, gone=False)
    found = list(spoilt.findings())
    assert len(found) == 2 and all("was told 2 times" in line for line in found), found
    assert not any(sha256 in line for line in found)


@pytest.mark.parametrize("gone", [True, False])
def test_what_was_told_before_a_store_was_restored_may_be_gone_with_its_file(left: Left, gone: bool) -> None:
    spoilt, sha256 = told_again(left, gone)
    last = {**spoilt.runs[1], "uploaded": spoilt.runs[0]["uploaded"][1:]}
    originals = {key: value for key, value in left.originals.items() if value != sha256}
    found = list(replace(spoilt, runs=[spoilt.runs[0], last, spoilt.runs[2]], originals=originals).findings())
    assert any(f"earlier said that {sha256}" in line for line in found) is not gone, found


def test_a_photo_that_was_never_uploaded_is_found(left: Left, tmp_path: Path) -> None:
    (tmp_path / "photos" / "new.jpg").write_bytes(b"\xff\xd8\xff new")
    found = list(left.findings())
    assert any("is not in the store" in line for line in found), found
    assert any("'found': (6, 7)" in line for line in found), found


# --- what was sent -------------------------------------------------------------------------------------------------


def test_what_is_sent_once_or_again_after_it_was_refused_is_no_finding() -> None:
    again = put("b", "20240501T100009Z", 1714557610)
    assert list(needless([put("a"), put("b", status=503), again])) == []


def test_what_is_signed_and_sent_after_it_was_stored_is_found() -> None:
    [found] = needless([put("a"), put("a", "20240501T100003Z", 1714557604, status=412)])
    assert "a was signed and sent after it was stored" in found


def test_what_was_signed_before_the_first_was_stored_may_come_later() -> None:
    assert list(needless([put("a"), put("a", began=1714557604, status=412)])) == []
    assert list(needless([put("a", passed_on=False), put("a", began=1714557604)])) == []


def test_what_is_stored_twice_is_found() -> None:
    [found] = needless([put("a"), put("a", began=1714557604)])
    assert "a was stored twice" in found


AGAIN = put("a", "20240501T100004Z", 1714557605)


@pytest.mark.parametrize(("at", "found"), [(1714557602, 0), (1714557600, 2), (1714557606, 2)])
def test_what_was_forgotten_and_gone_in_between_is_stored_again(at: float, found: int) -> None:
    assert len(list(needless([put("a"), AGAIN], {"a": [at]}, {"a": [at]}))) == found


def test_what_was_forgotten_and_is_there_is_sent_again_and_not_stored() -> None:
    forgotten = {"a": [1714557602.0]}
    assert list(needless([put("a"), {**AGAIN, "status": 412}], forgotten)) == []
    assert list(needless([put("a"), AGAIN], forgotten)) == ["needless: a was stored twice"]
    assert list(needless([put("a"), AGAIN], {"b": [1714557602.0]}, {"b": [1714557602.0]})) != []


def test_what_was_forgotten_once_is_sent_again_once() -> None:
    again, once_more = ({**AGAIN, "status": 412}, put("a", "20240501T100008Z", 1714557609, status=412))
    [found] = needless([put("a"), again, once_more], {"a": [1714557602.0]})
    assert "a was signed and sent after it was stored" in found


def test_what_was_signed_before_it_was_forgotten_and_comes_later_tells_nothing_of_it() -> None:
    late = put("a", began=1714557603, status=412)
    assert list(needless([put("a"), late, {**AGAIN, "status": 412}], {"a": [1714557602.0]})) == []


# --- folders -------------------------------------------------------------------------------------------------------


def test_what_is_reached_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(PHOTOS[0])
    os.link(tmp_path / "a" / "1.jpg", tmp_path / "a" / "another name.jpg")
    (tmp_path / "a" / "link.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    (tmp_path / "all").symlink_to(tmp_path / "a")
    folders = Folders.below([tmp_path, tmp_path / "a"])
    assert (folders.photos.total(), len(folders.photos), folders.skipped, folders.failed) == (2, 1, 0, 0)
