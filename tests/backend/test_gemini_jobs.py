"""Jobs whose albums Gemini names, with everything real but Google."""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from PIL import Image

from momentarium_cli.backend import lease as lease_module
from momentarium_cli.backend import worker as worker_module
from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.answers import Answers
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.organize.ai import AIOrganizer
from momentarium_cli.backend.organize.base import Organizers, Watch
from momentarium_cli.backend.organize.gemini import Gemini
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.sheets import Sheets
from momentarium_cli.backend.organize.tasks import Policy
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.backend.wiring import organizers
from momentarium_cli.backend.worker import Worker
from momentarium_cli.config import Organizer
from momentarium_cli.photos.decode import Decoder
from tests import gemini as vendor
from tests.backend.bench import Bench, batch
from tests.backend.test_slices import Ticking
from tests.gemini import KEY, GeminiServer, running_gemini
from tests.openai_server import MODEL, running_openai

MAY = datetime(2024, 5, 1, 10)
ASKING = Organizer(backend="gemini", api_key=KEY)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as opened:
        yield opened


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with running_gemini() as running:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.url)
        yield running


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user()


def picture(seed: int) -> bytes:
    buffer = BytesIO()
    noise = Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3))
    noise.resize((640, 480)).save(buffer, "JPEG")
    return buffer.getvalue()


def accept(bench: Bench, user: int, seeds: Iterable[int]) -> Job:
    """A job of photos five minutes apart."""
    keys = [bench.photo(user, picture(seed)) for seed in seeds]
    return bench.accept_request(user, batch(keys, times=[MAY + timedelta(minutes=5 * seed) for seed in seeds]))


def make_worker(bench: Bench, decoder: Decoder, made: Organizers) -> Worker:
    return Worker(
        bench.jobs,
        PostgresQueue(bench.database.conninfo),
        Verifying(bench.database, bench.storage, bench.jobs, bench.images),
        Previews(bench.database, bench.storage, decoder, Arrivals()),
        Albums(bench.database, bench.jobs, made),
        bench.housekeeping,
    )


def run(
    bench: Bench, decoder: Decoder, user: int, seeds: Iterable[int], settings: Organizer = ASKING
) -> dict[str, Any]:
    """A job of photos five minutes apart, to its end."""
    job = accept(bench, user, seeds)
    made = organizers(settings, bench.database, bench.storage, decoder)
    make_worker(bench, decoder, made).run(job.id, Event())
    return bench.row(job)


def titles(bench: Bench) -> list[str]:
    return [row["title"] for row in bench.run("select title from albums where kind <> 'trip' order by id")]


def test_a_job_says_that_gemini_named_its_albums_and_what_that_cost(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    row = run(bench, decoder, user, range(6))
    assert (row["status"], row["organized_by"]) == ("completed", "gemini")
    assert titles(bench) == ["Picnic B, 1 May 2024"]
    assert row["result_data"]["organizer"]["cost"] > 0
    status = bench.jobs.status(user, row["id"])
    assert (status.organizer_note, status.organizer_cost) == (None, row["result_data"]["organizer"]["cost"])
    assert (status.done, status.total) == (6, 6)  # photos, whatever was counted meanwhile
    [spent] = bench.run("select model, cost, expected_cost from ai_requests")
    assert spent["cost"] <= spent["expected_cost"]


def test_a_key_alone_sends_nothing(bench: Bench, decoder: Decoder, user: int, server: GeminiServer) -> None:
    row = run(bench, decoder, user, range(6), Organizer(api_key=KEY))
    assert (row["status"], row["organized_by"], server.asked) == ("completed", "local", [])


def test_where_gemini_fails_the_job_is_completed_and_says_why(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    server.key = "another"
    row = run(bench, decoder, user, range(6))
    assert (row["status"], row["organized_by"]) == ("completed", "local")
    assert titles(bench) == ["1 May 2024"]
    told = bench.jobs.status(user, row["id"]).organizer_note
    assert told == "1 of 1 events have local titles: the key is not accepted."


def test_events_that_a_job_does_not_change_are_not_asked_about_again(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    run(bench, decoder, user, range(6))
    run(bench, decoder, user, range(1000, 1006))  # some days later, of the same journey
    assert [len(asked.events) for asked in server.of("names")] == [1, 1]
    assert titles(bench)[0] == "Picnic B, 1 May 2024"


def test_an_album_that_its_owner_named_is_not_asked_about(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    run(bench, decoder, user, range(6))
    bench.run("update albums set title = 'Ours', title_source = 'owner'")
    run(bench, decoder, user, range(6, 9))
    assert titles(bench) == ["Ours"] and len(server.asked) == 1


def test_a_limit_that_is_reached_leaves_local_titles(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    row = run(bench, decoder, user, range(6), Organizer(backend="gemini", api_key=KEY, max_cost=0.0))
    assert (row["organized_by"], server.asked) == ("local", [])
    assert "organizer.max_cost is reached" in row["result_data"]["organizer"]["reason"]


def test_a_server_that_answers_nonsense_costs_no_job(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    server.always = vendor.html
    row = run(bench, decoder, user, range(6))
    assert (row["status"], row["organized_by"], titles(bench)) == ("completed", "local", ["1 May 2024"])


# --- restarts


class Died(BaseException):
    """As if the process had ended here: nothing that is written down follows."""


def test_a_long_job_survives_a_restart_at_every_stage_and_asks_nothing_twice(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = accept(bench, user, [*range(6), *range(5 * DAY, 5 * DAY + 6)])
    died: list[tuple[str, bool]] = []
    progress = bench.jobs.progress

    def tell(job: Job, stage: str, done: int, total: int, *, begins: bool) -> bool:
        told = progress(job, stage, done, total, begins=begins)
        if (stage, done > 0) not in died:
            died.append((stage, done > 0))
            raise Died
        return told

    monkeypatch.setattr(bench.jobs, "progress", tell)
    monkeypatch.setattr(worker_module, "MAX_ATTEMPTS", 20)
    while bench.row(job)["status"] != "completed":
        try:
            made = organizers(ASKING, bench.database, bench.storage, decoder)
            make_worker(bench, decoder, made).run(job.id, Event())
        except* Died:
            bench.jobs.take_over()  # as a server does when it starts
    assert {stage for stage, _ in died} >= {"previews", "organizing", "asking"}
    assert {("previews", True), ("asking", True)} <= set(died)
    assert sorted(photos for _, photos in albums(bench).values()) == [6, 6]
    assert [len(asked.events) for asked in server.of("names")] == [2]


# --- what it changes, and growth


DAY = 24 * 60 // 5  # photos


def albums(bench: Bench) -> dict[int, tuple[str, int]]:
    """Title and number of photos, by id."""
    rows = bench.run(
        "select a.id, a.title, count(*) as photos from albums a join album_images x on x.album_id = a.id"
        " group by a.id order by a.id"
    )
    return {row["id"]: (row["title"], row["photos"]) for row in rows}


def test_merged_albums_stay_one_and_grow_when_more_photos_come(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    server.relate = lambda told: {
        **vendor.NOTHING_TO_CHANGE,
        "merges": [{"events": [1, 2], "title": "Street festival"}],
    }
    run(bench, decoder, user, [*range(6), *range(3 * DAY, 3 * DAY + 6)])
    [(key, first)] = albums(bench).items()
    assert first == ("Street festival, 1–4 May 2024", 12)
    run(bench, decoder, user, range(6, 9))
    assert albums(bench) == {key: ("Street festival, 1–4 May 2024", 15)}


def test_a_part_of_an_event_keeps_its_album_when_more_photos_come(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    server.decide = lambda event: {**vendor.titled(event["event"]), "kind": "mixed"}
    server.look_closer = lambda event: vendor.looked_at(event["event"], 1, 9)
    run(bench, decoder, user, range(16))
    before = albums(bench)
    assert [photos for _, photos in before.values()] == [8, 8]
    run(bench, decoder, user, range(16, 19))
    assert {key: photos for key, (_, photos) in albums(bench).items()} == dict(zip(before, (8, 11), strict=True))


def test_a_part_that_its_owner_named_is_never_changed(
    bench: Bench, decoder: Decoder, user: int, server: GeminiServer
) -> None:
    server.decide = lambda event: {**vendor.titled(event["event"]), "kind": "mixed"}
    server.look_closer = lambda event: vendor.looked_at(event["event"], 1, 9)
    run(bench, decoder, user, range(16))
    ours = min(albums(bench))
    bench.run("update albums set title = 'Ours', title_source = 'owner' where id = %s", ours)
    held = bench.run("select image_id from album_images where album_id = %s order by 1", ours)
    run(bench, decoder, user, range(16, 19))  # of the same event, so they join it
    assert [photos for _, photos in albums(bench).values()] == [11, 8] and albums(bench)[ours][0] == "Ours"
    now = bench.run("select image_id from album_images where album_id = %s order by 1", ours)
    assert now[: len(held)] == held


# --- slices


@pytest.fixture
def slow(bench: Bench, decoder: Decoder, server: GeminiServer) -> Worker:
    """Asks about one event after another."""
    policy = Policy(("gemini-3.5-flash-lite",), "en", at_once=1, sheets_a_request=1, deadline=2.0)
    sheets = Sheets(decoder, lambda photo: picture(photo.id))
    connect = partial(Gemini, KEY, base_url=server.url)

    def made(user_id: int, watch: Watch) -> AIOrganizer:
        memory = Answers(bench.database, user_id, 1.0)
        return AIOrganizer("gemini", LocalOrganizer(), connect, sheets, memory, policy, watch)

    return make_worker(bench, decoder, made)


def in_slices(
    bench: Bench, worker: Worker, job: Job, monkeypatch: pytest.MonkeyPatch, until: float
) -> Iterator[dict[str, Any]]:
    """The job's row after each slice, until it has ended; of the time, whoever asks for it takes a second."""
    while bench.row(job)["status"] not in ("completed", "failed"):
        monkeypatch.setattr(lease_module, "time", Ticking())
        assert worker.run_slice(job.id, Event(), until=until)
        yield bench.row(job)


def test_a_job_with_a_slow_model_goes_on_slice_by_slice_and_pays_for_nothing_twice(
    bench: Bench, slow: Worker, user: int, server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = 8
    job = accept(bench, user, [seed + 20 * DAY * event for event in range(events) for seed in range(5)])
    rows = list(in_slices(bench, slow, job, monkeypatch, until=32))
    assert 3 <= len(rows) <= 12 and max(row["attempt"] for row in rows) == 1
    assert (rows[-1]["status"], rows[-1]["organized_by"]) == ("completed", "gemini")
    assert sum(len(asked.sheets) for asked in server.asked) == events
    assert all(title.startswith("Picnic") for title in titles(bench))


def test_a_model_that_never_answers_in_a_slice_leaves_local_titles(
    bench: Bench, slow: Worker, user: int, server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.always = vendor.hang
    job = accept(bench, user, range(6))
    rows = list(in_slices(bench, slow, job, monkeypatch, until=22))
    assert (rows[-1]["status"], rows[-1]["organized_by"]) == ("completed", "local")
    assert "did not answer in time" in rows[-1]["result_data"]["organizer"]["reason"]


# --- a server of one's own


def test_a_job_whose_albums_a_server_of_ones_own_named(bench: Bench, decoder: Decoder, user: int) -> None:
    with running_openai() as own:
        settings = Organizer(backend="openai", openai_base_url=own.url, openai_model=MODEL, max_cost=0.0)
        row = run(bench, decoder, user, range(6), settings)
    assert (row["status"], row["organized_by"]) == ("completed", "openai")
    assert titles(bench) == ["Picnic B, 1 May 2024"]
    assert row["result_data"]["organizer"]["cost"] == 0
