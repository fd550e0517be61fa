"""The library moves to another store while it is in use: the steps of the README, with the real program."""

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from momentarium_cli.photos.checksum import sha256_file
from tests.acceptance.photos import JULY, MAY, event
from tests.acceptance.program import Program, checksums, ended, program
from tests.seaweed import REGION, Seaweed


@pytest.fixture
def library(seaweed: Seaweed) -> Iterator[Program]:
    """The program with its originals in a folder, and with what it needs to reach buckets."""
    with program(
        AWS_ENDPOINT_URL_S3=seaweed.endpoint,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=seaweed.access_key,
        AWS_SECRET_ACCESS_KEY=seaweed.secret_key,
    ) as made:
        yield made


@pytest.fixture
def bucket(seaweed: Seaweed) -> str:
    return f"s3://{seaweed.new_bucket()}"


def exported(made: Program, folder: str) -> dict[str, str]:
    made.ok("export", made.folder / folder)
    root = made.folder / folder
    return {str(path.relative_to(root)): sha256_file(path) for path in root.rglob("*") if path.is_file()}


def counts(summary: dict[str, int]) -> dict[str, int]:
    """What is not 0; it adds up."""
    names = ("copied", "there", "vanished", "failed", "pending")
    assert summary["found"] == sum(summary[name] for name in names)
    return {name: summary[name] for name in names if summary[name]}


def test_a_library_moves_while_photos_are_uploaded(library: Program, bucket: str) -> None:
    photos = library.folder / "p"
    event(photos, 12)
    library.upload(photos)
    old = (library.data_dir / "objects").as_uri()

    # 1, while photos arrive
    event(photos, 24, JULY, seed=1)
    upload = library.start("upload", "--json", photos)
    first = library.run("storage", "copy", "--to", bucket)
    assert first.code == 0 and re.search(rf"From {old} to {bucket} in .*: [0-9]+ objects found, .* copied", first.err)
    assert ended(upload).code == 0

    # 2, until nothing is new
    library.ok("storage", "copy", "--to", bucket)
    again = library.ok("storage", "copy", "--to", bucket, "--json").lines
    assert [line["event"] for line in again] == ["planned"] * 3 + ["summary"]
    assert counts(again[-1]) == {"there": 3 * 36}

    # photos that come in between, then 3
    event(photos, 6, MAY + timedelta(days=30), seed=2)
    library.upload(photos)
    before = exported(library, "before")
    library.end()
    moved = replace(library, extra={**library.extra, "MOMENTARIUM_STORAGE_URL": bucket})
    assert moved.run("storage", "check").code == 3, "what came in between is missing"

    # 4
    refused = moved.run("storage", "copy", "--to", bucket)
    assert refused.code == 2 and "cannot be copied into itself. --from names the store to copy." in refused.err
    assert "18 copied" in moved.ok("storage", "copy", "--from", old, "--to", bucket, "--verify").err
    kinds = moved.ok("storage", "check", "--json").lines[-1]["kinds"]
    assert {kind["kind"]: (kind["objects"], kind["missing"], kind["orphans"]) for kind in kinds} == {
        "originals": (42, 0, 0), "previews": (42, 0, 0), "thumbs": (42, 0, 0),
    }  # fmt: skip
    assert exported(moved, "after") == before
    assert sorted(before.values()) == checksums(list(photos.iterdir()))
    assert moved.upload(photos).counts == {"unchanged": 42}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_copy_cleanly_and_the_next_one_goes_on(library: Program, number: int) -> None:
    event(library.folder / "p", 60)
    library.upload(library.folder / "p")
    target = library.folder / "disk"
    copy = library.start("storage", "copy", "--to", target.as_uri(), "--json")
    assert copy.stdout is not None
    while '"copied"' not in copy.stdout.readline():
        pass
    copy.send_signal(number)
    done = ended(copy)
    assert done.code in (128 + number, 0)  # the latter where it was on its way out already
    assert "Internal error" not in done.err
    stored = [path for path in target.rglob("*") if path.is_file()]
    assert len(stored) == counts(json.loads(done.out.splitlines()[-1]))["copied"]
    assert list((target / "incoming").iterdir()) == []
    library.ok("storage", "copy", "--to", target.as_uri())
    originals = sorted(path.name for path in (target / "originals").rglob("*") if path.is_file())
    assert originals == checksums(list((library.folder / "p").iterdir()))


def test_what_is_rotten_is_named_and_all_else_is_copied(library: Program, bucket: str) -> None:
    event(library.folder / "p", 3)
    library.upload(library.folder / "p")
    rotten = library.originals()[0]
    rotten.write_bytes(bytes(100))
    done = library.run("storage", "copy", "--to", bucket)
    assert done.code == 3
    assert f"failed: originals/1/{rotten.name}: the bytes in the source are not those of its key" in done.err
    assert "9 objects found, 8 copied" in done.err and "1 failed" in done.err
    told = library.run("storage", "copy", "--to", bucket, "--json").lines
    assert counts(told[-1]) == {"there": 8, "failed": 1}
    assert [line["storage_key"] for line in told if line["event"] == "failed"] == [f"originals/1/{rotten.name}"]


def test_a_dry_run_tells_how_much_there_is(library: Program, bucket: str) -> None:
    event(library.folder / "p", 3)
    library.upload(library.folder / "p")
    assert re.search(
        r"Would copy 9 objects \(.* kB\); nothing was done",
        library.ok("storage", "copy", "--to", bucket, "--dry-run").err,
    )
    summary = library.ok("storage", "copy", "--to", bucket, "--dry-run", "--json").lines[-1]
    assert counts(summary) == {"pending": 9} and summary["to_copy"] == 9


def test_what_cannot_be_meant_is_refused(library: Program, bucket: str) -> None:
    def refused(*options: object) -> tuple[int, str]:
        done = library.run("storage", "copy", *options)
        return done.code, done.err

    own = library.data_dir / "objects"
    nowhere: Path = library.folder / "typo"
    assert refused("--to", bucket)[0] == 2, "there is no library yet"
    library.ok("albums", "list")
    assert refused("--to", bucket) == (
        8,
        f"Error: There is nothing in {own.as_uri()}. --from names the store to copy.\n",
    )
    assert "is not a store" in refused("--to", "my-photos")[1]
    assert refused("--to", own.as_uri())[0] == 2
    link = library.folder / "link"
    link.symlink_to(own)
    assert refused("--to", link.as_uri())[0] == 2, "the same folder by another name"
    assert refused("--from", nowhere.as_uri(), "--to", bucket) == (
        2,
        f"Error: There is no folder {nowhere}. --from names the store to copy.\n",
    )
    assert not nowhere.exists()


def test_a_store_out_of_reach_is_told_in_one_line(library: Program, seaweed: Seaweed) -> None:
    event(library.folder / "p", 3)
    library.upload(library.folder / "p")
    done = library.run("storage", "copy", "--to", "s3://no-such-bucket")
    assert done.code == 5
    assert done.err.splitlines()[-1].startswith("Error: There is no bucket no-such-bucket. Create it")
