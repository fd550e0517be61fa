"""Jobs that are run for a while at a time, as a queue does that waits for the answer."""

import time
from collections.abc import Iterator
from threading import Event

import pytest

from momentarium_cli.backend import lease as lease_module
from momentarium_cli.backend import previews as previews_module
from momentarium_cli.backend.worker import Worker
from momentarium_cli.photos.decode import Decoder
from tests.backend.bench import Bench
from tests.backend.test_worker import make_worker, picture, preview, upload


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as pool:
        yield pool


@pytest.fixture
def worker(bench: Bench, decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(previews_module, "_AT_ONCE", 1)
    return make_worker(bench, decoder)


class Ticking:
    """A clock that goes on by one whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_a_long_job_goes_on_slice_by_slice_and_loses_no_attempt(
    bench: Bench, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = bench.user()
    job = bench.accept(user, *(upload(bench, user, picture(seed), preview(seed)) for seed in range(8)))
    done: list[int] = []
    while bench.row(job)["status"] != "completed":
        assert len(done) < 10
        monkeypatch.setattr(lease_module, "time", Ticking())
        assert worker.run_slice(job.id, Event(), until=8)
        done.append(len(bench.run("select 1 from images where thumb_key is not null")))
        assert bench.row(job)["attempt"] <= 1
    assert len(done) > 2 and done == sorted(done)
    assert len(bench.run("select 1 from albums")) == 1


def test_a_job_that_gets_no_further_in_a_slice_is_given_up_at_last(bench: Bench, worker: Worker) -> None:
    user = bench.user()
    job = bench.accept(user, upload(bench, user, picture(1), preview(1)))
    for _ in range(5):
        bench.run("update processing_jobs set lease_until = now() where status = 'processing'")
        worker.run_slice(job.id, Event(), until=time.monotonic())
    row = bench.row(job)
    assert (row["status"], row["error_code"]) == ("failed", "gave_up")
    assert "within the time of a slice" in str(row["error_message"])


def test_there_is_nothing_to_run_where_somebody_else_does(bench: Bench, worker: Worker) -> None:
    job = bench.accept(bench.user())
    assert bench.jobs.claim(job.id)
    assert not worker.run_slice(job.id, Event())
