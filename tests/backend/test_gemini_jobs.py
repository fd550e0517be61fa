"""Jobs whose albums Gemini names, with everything real but Google."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from PIL import Image

from momentarium_cli.backend.albums import Albums
from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.previews import Previews
from momentarium_cli.backend.queues.postgres import PostgresQueue
from momentarium_cli.backend.verifying import Verifying
from momentarium_cli.backend.wiring import organizers
from momentarium_cli.backend.worker import Worker
from momentarium_cli.config import Organizer
from momentarium_cli.photos.decode import Decoder
from tests import gemini as vendor
from tests.backend.bench import Bench, batch
from tests.gemini import KEY, GeminiServer, running_gemini

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


def run(bench: Bench, decoder: Decoder, user: int, seeds: range, settings: Organizer = ASKING) -> dict[str, Any]:
    """A job of photos five minutes apart, to its end."""
    keys = [bench.photo(user, picture(seed)) for seed in seeds]
    job = bench.accept_request(user, batch(keys, times=[MAY + timedelta(minutes=5 * seed) for seed in seeds]))
    worker = Worker(
        bench.jobs,
        PostgresQueue(bench.database.conninfo),
        Verifying(bench.database, bench.storage, bench.images),
        Previews(bench.database, bench.storage, decoder, Arrivals()),
        Albums(bench.database, bench.jobs, organizers(settings, bench.database, bench.storage, decoder)),
        bench.housekeeping,
    )
    worker.run(job.id, Event())
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
    assert bench.jobs.status(user, row["id"]).organizer_note is None
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
