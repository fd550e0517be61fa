"""The worker on a small real library."""

import errno
import io
import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from PIL import Image

from momentarium_cli.backend import previews as previews_module
from momentarium_cli.backend import worker as worker_module
from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.storage.base import preview_key
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.backend.worker import Worker
from momentarium_cli.errors import StorageUnavailable
from momentarium_cli.models import JobState
from momentarium_cli.photos.checks import check_preview
from momentarium_cli.photos.checksum import sha256_bytes
from momentarium_cli.photos.decode import Decoder
from tests.backend.bench import Bench, batch

DAY = datetime(2024, 5, 12, 10)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as pool:
        yield pool


@pytest.fixture
def worker(bench: Bench, decoder: Decoder) -> Worker:
    return make_worker(bench, decoder)


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def make_worker(bench: Bench, decoder: Decoder) -> Worker:
    queue = PostgresQueue(bench.database.conninfo)
    previews = Previews(bench.database, bench.storage, decoder, Arrivals())
    return Worker(
        bench.jobs,
        queue,
        Verifying(bench.database, bench.storage, bench.jobs, bench.images),
        previews,
        Albums(bench.database, bench.jobs, lambda *_: LocalOrganizer()),
        bench.housekeeping,
    )


def picture(seed: int, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    buffer = io.BytesIO()
    noise = Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3))
    noise.resize(size).save(buffer, "JPEG", **options)
    return buffer.getvalue() + bytes([seed])  # no two are the same


def preview(seed: int, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    return picture(seed, size, **options)[:-1]


def upload(bench: Bench, user: int, original: bytes, small: bytes | None = None, kept: bytes | None = None) -> str:
    """A photo and its preview in the store, as an upload leaves them; `kept` lies there in place of the preview."""
    key = bench.issue(user, original, small)
    bench.storage.put(key, original, content_type="image/jpeg")
    if small:
        beside = preview_key(user, sha256_bytes(small))
        bench.storage.put(beside, small, content_type="image/jpeg")
        if kept is not None:
            bench.storage.path(beside).write_bytes(kept)
    return key


def image(bench: Bench, key: str) -> dict[str, object]:
    [row] = bench.run("select * from images where storage_key = %s", key)
    return row


def run(bench: Bench, worker: Worker, job: Job) -> dict[str, object]:
    worker.run(job.id, Event())
    return bench.row(job)


def test_every_photo_of_a_library_ends_in_exactly_one_primary_album(bench: Bench, worker: Worker, user: int) -> None:
    keys = [upload(bench, user, picture(seed), preview(seed)) for seed in range(8)]
    undated = upload(bench, user, picture(9), preview(9))
    times = [DAY + timedelta(minutes=5 * number) for number in range(6)] + [DAY + timedelta(days=60)] * 2
    job = bench.accept_request(user, batch([*keys, undated], times=times))
    row = run(bench, worker, job)
    assert (row["status"], row["organized_by"], row["done"], row["stage"]) == ("completed", "local", 9, None)
    counts = bench.run(
        "select i.id, count(a.album_id) as n from images i left join album_images a on a.image_id = i.id"
        " and a.is_primary group by i.id"
    )
    assert [item["n"] for item in counts] == [1] * 9
    gallery = bench.galleries.gallery(user)
    assert {album.kind.value for album in gallery.albums} >= {"event", "undated"}
    assert sum(album.photo_count for album in gallery.albums) == 9
    assert all(album.cover_url and album.title for album in gallery.albums)
    assert sum(album.photos for album in bench.jobs.status(user, job.id).albums) == 9
    [quick] = bench.jobs.of_import(user, job.import_id, with_albums=False)
    assert (quick.id, quick.albums) == (job.id, [])


def test_a_good_preview_is_kept_and_everything_is_derived_from_it(bench: Bench, worker: Worker, user: int) -> None:
    small = preview(1, (640, 480))
    key = upload(bench, user, picture(1), small)
    run(bench, worker, bench.accept(user, key))
    row = image(bench, key)
    assert row["preview_key"] == preview_key(user, sha256_bytes(small))
    assert row["decode_error"] is None and row["thumbhash"] and row["phash"] is not None
    with bench.storage.open(str(row["thumb_key"])) as file, Image.open(file) as thumb:
        assert max(thumb.size) == 320


def test_a_photo_that_the_store_did_not_keep_whole_fails_its_job_by_name_and_a_retry_goes_on_without_it(
    bench: Bench, worker: Worker, user: int
) -> None:
    keys = [upload(bench, user, picture(seed), preview(seed)) for seed in range(2)]
    job = bench.accept(user, *keys)
    bench.run("update images set verified = false")  # as where the store cannot tell
    bench.storage.path(keys[1]).write_bytes(b"other bytes")
    row = run(bench, worker, job)
    assert (row["status"], row["error_code"], row["attempt"]) == ("failed", "not_as_described", 1)
    assert "1.jpg is not what was uploaded. Upload again" in str(row["error_message"])
    assert bench.storage.head(keys[1]) is None
    assert bench.jobs.status(user, job.id).damaged == [keys[1]]
    bench.jobs.retry(user, job.id)
    assert run(bench, worker, job)["status"] == "completed"
    assert bench.jobs.status(user, job.id).damaged == [keys[1]], "whoever sent it may ask only now"
    assert image(bench, keys[0])["verified"] is True
    assert [album.photo_count for album in bench.galleries.gallery(user).albums] == [1]


def damaged(bench: Bench, user: int) -> tuple[str, Job]:
    """A photo that the store did not keep whole, and its job."""
    key = upload(bench, user, picture(1), preview(1))
    job = bench.accept(user, key)
    bench.run("update images set verified = false")  # as where the store cannot tell
    bench.storage.path(key).write_bytes(b"other bytes")
    return key, job


def test_a_worker_whose_job_was_taken_over_deletes_no_photo(
    bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, job = damaged(bench, user)
    is_whole = Verifying._is_whole

    def taken_over(*arguments: Any) -> bool:
        bench.run("update processing_jobs set lease_until = now()")
        assert bench.jobs.claim(job.id)
        return is_whole(*arguments)

    monkeypatch.setattr(Verifying, "_is_whole", taken_over)
    row = run(bench, worker, job)
    assert (row["status"], row["attempt"], row["error_code"], row["result_data"]) == ("processing", 2, None, None)
    assert image(bench, key) and bench.storage.head(key)
    assert [upload["state"] for upload in bench.run("select state from uploads")] == ["registered"]
    assert bench.galleries.version(user) == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_worker_that_dies_while_it_fails_a_job_leaves_no_damaged_photo_untold(
    bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Whether before it is committed or after: another one tells it, or it was told."""
    key, job = damaged(bench, user)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as deadly, pytest.raises(SystemExit):
        if late:
            deadly.setattr(bench.housekeeping, "delete", die)
        else:
            deadly.setattr(bench.jobs, "_wake_next", die)
        worker.run(job.id, Event())
    assert bench.jobs.status(user, job.id).damaged == ([key] if late else [])
    assert bool(bench.run("select 1 from images")) is not late
    bench.run("update processing_jobs set lease_until = now() where status = 'processing'")
    assert run(bench, worker, job)["status"] == "failed"
    assert bench.jobs.status(user, job.id).damaged == [key]
    assert bench.run("select 1 from images") == []


def test_a_damaged_photo_leaves_the_library_although_the_store_is_away(
    bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, job = damaged(bench, user)

    def away(keys: object) -> None:
        raise StorageUnavailable("The store was away.")

    with monkeypatch.context() as gone:
        gone.setattr(bench.storage, "delete", away)
        assert run(bench, worker, job)["status"] == "failed"
    assert bench.jobs.status(user, job.id).damaged == [key]
    assert bench.run("select 1 from images") == [] and bench.storage.head(key)
    bench.run("update uploads set deleting_since = deleting_since - interval '21 minutes'")
    assert [upload.storage_key for upload in bench.housekeeping.sweep()] == [key]
    assert bench.storage.head(key) is None
    assert upload(bench, user, picture(1)) == key, "it can be uploaded again"


def test_a_decoder_that_cannot_run_says_nothing_against_the_photos(bench: Bench, user: int) -> None:
    broken = Decoder(1)
    broken.close()
    key = upload(bench, user, picture(1), preview(1))
    row = run(bench, make_worker(bench, broken), bench.accept(user, key))
    assert (row["status"], row["attempt"]) == ("processing", 1), "it is put off"
    assert "No preview can be looked at: the decoder was closed" in str(row["error_message"])
    assert image(bench, key)["decode_error"] is None


def with_exif(seed: int) -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "A camera"
    return preview(seed, exif=tags)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (seed, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


BAD_PREVIEWS = {
    "none was promised": (None, None),
    "it never came": (b"never uploaded", b""),
    "it has metadata": (with_exif(2), None),
    "it is too large": (preview(2, (1500, 40)), None),
    "it is no JPEG": (png(2), None),
    "it is cut off": (preview(2)[:-100], None),
    "it is no picture": (b"\xff\xd8\xff" + b"not a picture" * 50, None),
    "something stands behind its end": (preview(2) + b"<script>", None),
    "it is a picture that cannot be decoded": (
        preview(2).replace(b"\xff\xc4", b"\xff\xc4", 1)[:150] + b"\xff\xd9",
        None,
    ),
}


@pytest.mark.parametrize(("small", "kept"), BAD_PREVIEWS.values(), ids=BAD_PREVIEWS.keys())
def test_a_preview_that_is_missing_wrong_or_a_lie_is_remade_from_the_original(
    bench: Bench, worker: Worker, user: int, small: bytes | None, kept: bytes | None
) -> None:
    key = upload(bench, user, picture(2, (2000, 1500)), small, kept)
    if kept == b"":
        bench.storage.delete([preview_key(user, sha256_bytes(small or b""))])
    assert run(bench, worker, bench.accept(user, key))["status"] == "completed"
    row = image(bench, key)
    assert row["decode_error"] is None
    assert row["preview_key"] != (preview_key(user, sha256_bytes(small)) if small else None)
    with bench.storage.open(str(row["preview_key"])) as file:
        data = file.read()
    assert check_preview(data) is None
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.size == (1440, 1080)
    assert row["thumb_key"]


UNDECODABLE = {
    "text that says it is a photo": b"this is no photo at all",
    "a photo cut off in its header": picture(3)[:30],
    "a PDF": b"%PDF-1.7 and so on",
}


@pytest.mark.parametrize("original", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_what_cannot_be_decoded_says_why_and_keeps_nobody_else_waiting(
    bench: Bench, worker: Worker, user: int, original: bytes
) -> None:
    bad, good = upload(bench, user, original), upload(bench, user, picture(4), preview(4))
    assert run(bench, worker, bench.accept(user, bad, good))["status"] == "completed"
    row = image(bench, bad)
    assert row["decode_error"] and row["thumb_key"] is None and row["preview_key"] is None
    assert image(bench, good)["thumb_key"]
    assert sum(album.photo_count for album in bench.galleries.gallery(user).albums) == 2
    [shown] = [
        photo
        for album in bench.galleries.gallery(user).albums
        for photo in bench.galleries.album(user, album.id).photos
        if photo.id == row["id"]
    ]
    assert (shown.decode_error, shown.preview_url) == (row["decode_error"], None)


def test_an_original_that_vanished_keeps_nobody_else_waiting(bench: Bench, worker: Worker, user: int) -> None:
    gone, good = upload(bench, user, picture(5)), upload(bench, user, picture(6), preview(6))
    job = bench.accept(user, gone, good)
    bench.storage.delete([gone])
    assert run(bench, worker, job)["status"] == "completed"
    assert "not in the store" in str(image(bench, gone)["decode_error"])


def test_an_original_that_is_a_file_here_is_looked_at_where_it_is(
    bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews_module, "_local_copy", None)
    key = upload(bench, user, picture(5))
    assert run(bench, worker, bench.accept(user, key))["status"] == "completed"
    assert image(bench, key)["thumb_key"]


@pytest.mark.parametrize("store", ["bucket"], indirect=True)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_original_that_is_too_large_to_be_copied_here_keeps_nobody_else_waiting(
    bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    large, good = upload(bench, user, picture(5)), upload(bench, user, picture(6), preview(6))
    assert run(bench, worker, bench.accept(user, large, good))["status"] == "completed"
    assert image(bench, large)["decode_error"] == "it is too large for the server's temporary folder"
    assert image(bench, good)["thumb_key"]


@pytest.mark.parametrize("store", ["bucket"], indirect=True)
def test_an_original_is_copied_here_from_a_bucket(bench: Bench, worker: Worker, user: int) -> None:
    key = upload(bench, user, picture(5))
    assert run(bench, worker, bench.accept(user, key))["status"] == "completed"
    assert image(bench, key)["thumb_key"]


def test_what_the_client_could_not_decode_is_not_tried_again(bench: Bench, worker: Worker, user: int) -> None:
    key = upload(bench, user, picture(7))
    run(bench, worker, bench.accept(user, key, decode_error="it is damaged"))
    assert image(bench, key)["decode_error"] == "it is damaged"
    assert image(bench, key)["thumb_key"] is None


def test_a_second_job_of_the_same_event_extends_its_album(bench: Bench, worker: Worker, user: int) -> None:
    def batch_of(seeds: range) -> Job:
        keys = [upload(bench, user, picture(seed), preview(seed)) for seed in seeds]
        return bench.accept_request(user, batch(keys, times=[DAY + timedelta(minutes=seed) for seed in seeds]))

    run(bench, worker, batch_of(range(0, 10, 2)))
    [first] = bench.galleries.gallery(user).albums
    second = batch_of(range(1, 10, 2))
    run(bench, worker, second)
    [album] = bench.galleries.gallery(user).albums
    assert (album.id, album.photo_count) == (first.id, 10)
    shown = bench.galleries.album(user, album.id).photos
    times = [photo.taken_at for photo in shown if photo.taken_at]
    assert times == sorted(times) and len(times) == 10
    assert [(made.id, made.photos) for made in bench.jobs.status(user, second.id).albums] == [(album.id, 5)]


class TestTrouble:
    def trouble(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(Albums, "_read", fail)

    @pytest.mark.parametrize("error", [StorageUnavailable("The store was away."), ValueError("a bug")])
    def test_a_job_that_fails_is_put_off_and_given_up_after_five_attempts(
        self, bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        self.trouble(bench, monkeypatch, error)
        job = bench.accept(user, upload(bench, user, picture(1), preview(1)))
        for attempt in range(1, 6):
            row = run(bench, worker, job)
            assert row["attempt"] == attempt
            if attempt < 5:
                assert row["status"] == "processing", "its lease runs until it is tried again"
                assert str(error) in str(row["error_message"])
                worker.run(job.id, Event())
                assert bench.row(job)["attempt"] == attempt, "not before its time"
                bench.run("update processing_jobs set lease_until = now()")
        status = bench.jobs.status(user, job.id)
        assert (status.status, status.error_code) == (JobState.FAILED, "gave_up")
        assert str(error) in (status.error_message or "") and "photos are safe" in (status.error_message or "")
        monkeypatch.undo()
        bench.jobs.retry(user, job.id)
        assert run(bench, worker, job)["status"] == "completed"

    def test_a_job_whose_worker_died_each_time_is_given_up(self, bench: Bench, worker: Worker, user: int) -> None:
        job = bench.accept(user, upload(bench, user, picture(1), preview(1)))
        for _ in range(5):
            assert bench.jobs.claim(job.id)
            bench.run("update processing_jobs set lease_until = now()")
        row = run(bench, worker, job)
        assert (row["status"], row["error_code"]) == ("failed", "gave_up")

    def test_a_worker_that_is_stopped_lets_go_at_once(self, bench: Bench, worker: Worker, user: int) -> None:
        job = bench.accept(user, upload(bench, user, picture(1), preview(1)))
        stop = Event()
        stop.set()
        for _ in range(7):
            worker.run(job.id, stop)
        row = run(bench, worker, job)
        assert row["status"] == "completed", "being interrupted is no failed attempt"

    def test_a_job_that_is_cancelled_meanwhile_makes_no_albums(
        self, bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = bench.accept(user, upload(bench, user, picture(1), preview(1)))
        read = Albums._read

        def cancelled(self: Albums, job: Job) -> object:
            bench.jobs.cancel(user, job.id)
            return read(self, job)

        monkeypatch.setattr(Albums, "_read", cancelled)
        row = run(bench, worker, job)
        assert (row["status"], row["error_code"]) == ("failed", "cancelled")
        assert bench.run("select 1 from albums") == []

    def test_an_interrupted_job_goes_on_where_it_was(
        self, bench: Bench, worker: Worker, user: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = [upload(bench, user, picture(seed), preview(seed)) for seed in range(3)]
        job = bench.accept(user, *keys)
        self.trouble(bench, monkeypatch, StorageUnavailable("away"))
        run(bench, worker, job)
        monkeypatch.undo()
        monkeypatch.setattr(Decoder, "submit", None)  # nothing is decoded a second time
        bench.run("update processing_jobs set lease_until = now()")
        assert run(bench, worker, job)["status"] == "completed"


def test_a_worker_runs_all_that_is_delivered_and_what_nobody_delivered(
    bench: Bench, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_SWEEP_SECONDS", 0.2)
    users = [bench.user(), bench.user()]
    jobs = [bench.accept(user, upload(bench, user, picture(seed), preview(seed))) for user in users for seed in (1, 2)]
    bench.run("delete from procrastinate_jobs")  # every message is lost
    stop = Event()
    thread = Thread(target=make_worker(bench, decoder).work, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 20
    while bench.jobs.open_count() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert [bench.row(job)["status"] for job in jobs] == ["completed"] * 4
