"""Photos are deleted, users are removed, and the store is looked after, by the real program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.backend.wiring import open_database
from momentarium_cli.config import Settings
from tests.acceptance.photos import event
from tests.acceptance.program import Program, program


@pytest.fixture(scope="module")
def library() -> Iterator[Program]:
    """A library with two albums, of six photos each."""
    with program() as made:
        event(made.folder / "p", 6)
        made.upload(made.folder / "p")
        yield made


def shown(library: Program) -> dict[str, Any]:
    [album] = library.ok("albums", "list", "--json").json["albums"]
    found: dict[str, Any] = library.ok("albums", "show", album["id"], "--json").json
    return found


def sql(library: Program, statement: str) -> None:
    with open_database(Settings(data_dir=library.data_dir)) as opened, opened.database.administration() as conn:
        conn.execute(statement)


def objects(library: Program) -> list[Path]:
    store = library.data_dir / "objects"
    return [path for path in store.rglob("*") if path.is_file() and "incoming" not in path.parts]


def test_photos_go_into_the_bin_and_for_good(library: Program) -> None:
    first, second, third, *_ = [photo["id"] for photo in shown(library)["photos"]]
    assert f" {first} " in f" {library.ok('albums', 'show', shown(library)['album']['id']).out} "
    assert library.ok("photos", "delete", first, second).err == "2 photos put into the bin.\n"
    assert shown(library)["album"]["photo_count"] == 4 and len(objects(library)) == 18
    assert library.ok("photos", "delete", second, third, "--for-good").err == "2 photos deleted for good.\n"
    assert shown(library)["album"]["photo_count"] == 3 and len(objects(library)) == 12


def test_a_photo_that_is_not_there_is_told_and_the_others_are_deleted(library: Program) -> None:
    last = shown(library)["photos"][-1]["id"]
    done = library.run("photos", "delete", 999_999, last)
    assert (done.code, done.err) == (3, "failed: There is no photo 999999.\n1 photo put into the bin.\n")


def test_a_clean_store_is_found_clean(library: Program) -> None:
    done = library.ok("storage", "check", "--json")
    [summary] = done.lines
    assert summary["event"] == "summary"
    assert {kind["kind"]: (kind["objects"], kind["missing"], kind["orphans"]) for kind in summary["kinds"]} == {
        "originals": (4, 0, 0), "previews": (4, 0, 0), "thumbs": (4, 0, 0),
    }  # fmt: skip
    assert "originals" in library.ok("storage", "check").out


def test_what_is_missing_and_what_nobody_knows_is_named(library: Program) -> None:
    lost = library.originals()[0]
    stranger = lost.parent.with_name("ff") / ("f" * 64)
    stranger.parent.mkdir(exist_ok=True)
    lost.rename(stranger)
    try:
        done = library.run("storage", "check")
        assert done.code == 3
        assert f"{lost.name} (IMG_0501_" in done.out and f"orphan: originals/1/{'f' * 64}" in done.out
        lost.write_bytes(stranger.read_bytes())
        found = library.ok("storage", "check", "--json").lines
        assert [event["event"] for event in found] == ["orphan", "summary"]
    finally:
        stranger.rename(lost)


def test_old_uploads_are_told_and_then_deleted(library: Program) -> None:
    before = objects(library)
    library.end()  # it would be first
    sql(
        library,
        "insert into uploads (user_id, storage_key, sha256, size_bytes, content_type, issued_at)"
        " select 1, 'originals/1/' || repeat(d, 64), repeat(d, 64), 1000, 'image/jpeg', '2024-05-01'"
        "   from unnest(array['0', '1', '2']) as d",
    )
    planned = library.ok("storage", "sweep", "--dry-run", "--json").lines
    assert planned[-1] == {"event": "summary", "schema": 1, "uploads": 3, "bytes": 3000, "dry_run": True}
    assert library.ok("storage", "sweep", "--limit", 1).err == "1 upload deleted, of up to 1.0 kB.\n"
    done = library.ok("storage", "sweep")
    assert len(done.out.splitlines()) == 2 and "1.0 kB, begun 2024-05-01" in done.out
    assert library.ok("storage", "sweep", "--json").lines[-1]["uploads"] == 0
    assert objects(library) == before


def test_a_user_is_removed_with_all_that_is_theirs(library: Program) -> None:
    email = "local@localhost"
    refused = library.run("users", "remove", email)
    assert refused.code == 2 and "--yes" in refused.err
    assert library.run("users", "remove", "nobody@example.com", "--yes").code == 2
    sql(library, "update uploads set issued_at = now() - interval '1 hour'")
    done = library.ok("users", "remove", email, "--yes")
    assert f"Deleted {email} and 4 photos" in done.err
    assert objects(library) == []
    assert library.ok("users", "list", "--json").json["users"] == []
    library.end()
    assert library.ok("albums", "list", "--json").json["albums"] == [], "the next server begins with an empty library"
    assert library.upload(library.folder / "p").counts == {"uploaded": 6}
