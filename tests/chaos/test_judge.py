"""The judge finds what is wrong: a good run is spoilt in one way at a time."""

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import psycopg
import pytest
from PIL import Image
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.backend.worker import Worker
from momentarium_cli.photos.decode import Decoder
from tests.backend.bench import Bench, batch
from tests.chaos import judge
from tests.clusters import Cluster

AUDIT = (Path(__file__).parent / "audit.sql").read_text()
REPOSITORY = Path(__file__).parents[2]
LEASE = timedelta(seconds=3)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def good_run(
    postgres: Cluster, decoder: Decoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The database and store of a good run: of one user, two jobs completed and one cancelled."""
    store = tmp_path_factory.mktemp("good") / "store"
    with postgres.clone() as conninfo:
        database = Database(conninfo)
        _run_well(Bench.on(database, local(store)), decoder)
        database.close()
        yield conninfo, store


def local(store: Path) -> LocalStorage:
    return LocalStorage(store, "http://127.0.0.1:1", Signer("a secret"))


def _run_well(bench: Bench, decoder: Decoder) -> None:
    bench.run(AUDIT)
    user = bench.user()
    previews = Previews(bench.database, bench.storage, decoder, Arrivals())
    albums = Albums(bench.database, bench.jobs, lambda *_: LocalOrganizer())
    verifying = Verifying(bench.database, bench.storage, bench.jobs, bench.images)
    queue = PostgresQueue(bench.database.conninfo)
    worker = Worker(bench.jobs, queue, verifying, previews, albums, bench.housekeeping)
    for month in (3, 6, 9):
        keys = [bench.photo(user, picture(month * 10 + number)) for number in range(2)]
        times = [datetime(2024, month, 1, 10, number) for number in range(2)]
        job = bench.accept_request(user, batch(keys, times=times))
        bench.run("insert into chaos_accepted values (%s, %s, %s)", job.id, user, keys)
        if month == 9:
            bench.jobs.cancel(user, job.id)
        worker.run(job.id, Event())


@pytest.fixture
def store(good_run: tuple[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(good_run[1], tmp_path / "store"))


@pytest.fixture
def bench(postgres: Cluster, good_run: tuple[str, Path], store: Path) -> Iterator[Bench]:
    """What the good run left, to be spoilt."""
    with postgres.clone(str(conninfo_to_dict(good_run[0])["dbname"])) as conninfo:
        database = Database(conninfo)
        yield Bench.on(database, local(store))
        database.close()


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (number, 255 - number, 0)).save(out, "JPEG")
    return out.getvalue()


def judged(bench: Bench, store: Path) -> list[str]:
    with psycopg.connect(bench.database.conninfo, row_factory=dict_row) as conn:
        return list(judge.findings(conn, store, LEASE))


def as_script(bench: Bench, store: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.chaos.judge", bench.database.conninfo, str(store), "3"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_a_good_run_is_good(bench: Bench, store: Path) -> None:
    done = as_script(bench, store)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done
    assert done.stdout.startswith("judged: 3 jobs, 2 completed, 6 photos, 2 albums")


def test_a_bad_run_is_told_a_line_a_finding(bench: Bench, store: Path) -> None:
    bench.run("delete from album_images where album_id = (select min(id) from albums)")
    done = as_script(bench, store)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 4), done  # two photos, the empty album, the summary


OPEN = "alter table processing_jobs disable trigger legal_transition"
FIRST = "(select id from processing_jobs order by idempotency_key limit 1)"
SECOND = "(select id from processing_jobs order by idempotency_key offset 1 limit 1)"
CANCELLED = "(select id from processing_jobs where status = 'failed')"
ALBUM = "(select min(id) from albums)"
OTHER = "(select max(id) from albums)"
TAKEN = (
    "insert into chaos_audit (at, job_id, user_id, old_status, status, old_fence, fence, old_lease_until, lease_until)"
    " select {at}, id, user_id, {change} from processing_jobs where id = " + CANCELLED
)


def taken(change: str, at: str = "clock_timestamp()") -> str:
    return TAKEN.format(at=at, change=change)


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        ([f"delete from processing_jobs where id = {CANCELLED}"], "was accepted and is not there"),
        ([OPEN, f"update processing_jobs set status = 'pending' where id = {CANCELLED}"], "accepted and is pending"),
        ([OPEN, f"update processing_jobs set status = 'pending' where id = {CANCELLED}",
          "delete from chaos_accepted"], "has not ended, it is pending"),
        ([f"delete from album_images where album_id = {ALBUM} and display_order = 1"], "is in 0 primary albums"),
        (["delete from images where id = (select max(id) from images)"], "was accepted and has no row"),
        (["update images set thumb_key = null, decode_error = 'bad' where id = (select min(id) from images)"],
         "has no thumbnail: bad"),
        (["drop index one_primary_album_an_image",
          f"insert into album_images select {OTHER}, image_id, user_id, true, 9, now() from album_images"
          f" where album_id = {ALBUM} and display_order = 1"], "is in 2 primary albums"),
        ([f"insert into albums (user_id, job_id, title, kind) select user_id, job_id, 'again', 'event' from albums"
          f" where id = {ALBUM}"], "(completed) was completed"),
        ([f"update albums set job_id = {CANCELLED} where id = {ALBUM}"], "(failed) was completed"),
        (["insert into albums (user_id, title, kind) select id, 'nobody', 'event' from users"],
         "was not made when job None"),
        ([f"update album_images set is_primary = false where album_id = {ALBUM}",
          "insert into albums (user_id, job_id, title, kind) select user_id, job_id, 'twin', 'event' from albums"
          f" where id = {ALBUM}",
          f"insert into album_images select {OTHER}, image_id, user_id, true, display_order, now() from album_images"
          f" where album_id = {ALBUM}"], "hold the same photos"),
        ([f"delete from album_images where album_id = {ALBUM}"], "holds nothing"),
        ([f"insert into albums (user_id, job_id, title, kind, created_at) select user_id, job_id, 'trip', 'trip',"
          f" created_at from albums where id = {ALBUM}"], "holds nothing"),
        (["alter table images drop constraint images_user_id_sha256_key",
          "update images set sha256 = (select sha256 from images order by id desc limit 1)"], "has photo"),
        ([OPEN, f"update processing_jobs set status = 'pending' where id = {FIRST}"], "from completed to pending"),
        ([OPEN, f"update processing_jobs set status = 'completed' where id = {CANCELLED}"], "from failed to completed"),
        ([f"update processing_jobs set fence = fence - 1 where id = {FIRST}"], "the fence of job"),
        ([f"update processing_jobs set status = 'pending' where id = {CANCELLED}"], "without a new fence"),
        (["alter table processing_jobs disable trigger chaos_note",
          f"update processing_jobs set fence = fence + 1 where id = {FIRST}"], "is not what its last change made"),
        (["delete from chaos_audit where status = 'processing'"], "changed without a trace"),
        ([taken("'processing', 'processing', fence, fence + 1, now() + interval '1 s', now()")],
         "was taken while its lease was live"),
        (["drop index one_processing_job_a_user", OPEN,
          "update processing_jobs set status = 'processing', lease_until = now()"], "were processed at once"),
        ([f"update processing_jobs set status = 'pending', fence = fence + 1 where id = {CANCELLED}",
          "update chaos_audit set at = at - interval '64 s'"], "had jobs due and nobody at work"),
        ([taken("'pending', 'processing', fence, fence + 1, null, now()", "now() - interval '70 s'"),
          "update chaos_audit set lease_until = at + interval '3 s' where lease_until is not null"],
         "had jobs due and nobody at work"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(bench: Bench, store: Path, statements: list[str], finding: str) -> None:
    for statement in statements:
        bench.run(statement)
    found = judged(bench, store)
    assert any(finding in line for line in found), found


@pytest.mark.parametrize("kind", ["originals", "previews", "thumbs"])
def test_an_object_that_is_gone_or_spoilt_is_found(bench: Bench, store: Path, kind: str) -> None:
    first, second = sorted(path for path in (store / kind).rglob("*") if path.is_file())[:2]
    first.unlink()
    second.chmod(0o600)
    second.write_bytes(b"other")
    found = judged(bench, store)
    assert any(f"{first.name} is not in the store" in line for line in found), found
    assert any(f"{second.name} holds other bytes" in line for line in found), found


def test_a_wait_that_is_no_longer_than_allowed_is_none(bench: Bench, store: Path) -> None:
    bench.run(f"update processing_jobs set status = 'pending', fence = fence + 1 where id = {CANCELLED}")
    bench.run("update chaos_audit set at = at - interval '50 s'")
    assert not any(line.startswith("stuck") for line in judged(bench, store))
