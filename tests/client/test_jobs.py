"""The first albums can be looked at while the rest uploads."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event as StopEvent
from uuid import UUID

import pytest

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.events import Event
from momentarium_cli.client.jobs import Jobs
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.records import FileState
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import NotFound
from momentarium_cli.models import AlbumSummary, JobState, JobStatus
from momentarium_cli.models import Jobs as Listed
from tests.client.journals import accepted, state_of
from tests.client.loopback import Drop, Loopback, Reply, Request, loopback, problem

FIRST, SECOND, IMPORT = UUID(int=1), UUID(int=2), UUID(int=9)


def status(job_id: UUID, state: JobState, *albums: tuple[int, int]) -> JobStatus:
    made = [AlbumSummary(id=number, title=f"Album {number}", photos=photos) for number, photos in albums]
    created = datetime(2024, 5, 1, tzinfo=UTC)
    return JobStatus(id=job_id, import_id=IMPORT, status=state, created_at=created, albums=made)


class Server:
    """Tells of jobs what it was told of them."""

    def __init__(self) -> None:
        self.jobs = {FIRST: status(FIRST, JobState.PROCESSING), SECOND: status(SECOND, JobState.PENDING)}
        self.unlisted: set[UUID] = set()
        self.is_away = False

    def answer(self, request: Request) -> Reply:
        if self.is_away:
            raise Drop
        if request.path == f"/api/jobs?import_id={IMPORT}":
            listed = [job for job in self.jobs.values() if job.id not in self.unlisted]
            return Reply(body=Listed(jobs=listed).model_dump_json().encode())
        job = self.jobs.get(UUID(request.path.split("/")[3]))
        if job is None:
            return problem(NotFound("There is no such job."))
        return Reply(body=job.model_dump_json().encode(), headers={"Retry-After": "0"})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def calls(server: Server) -> Iterator[Loopback]:
    with loopback(server.answer) as running:
        yield running


@pytest.fixture
def both(calls: Loopback, journal: Journal) -> Iterator[Jobs]:
    transport = Transport(FixedServer(calls.url, "mom_x"))
    made = Jobs(Api(transport), journal, StopEvent())
    made.began(str(FIRST), IMPORT)
    made.began(str(SECOND), IMPORT)
    yield made
    transport.close()


def glanced(jobs: Jobs) -> list[Event]:
    """What is told of one answer; nothing where it is not asked for."""
    told = list(jobs.glance())
    while jobs._asked is not None:
        told += jobs.glance()
    return told


def test_albums_are_told_as_soon_as_a_job_has_ended(both: Jobs, server: Server) -> None:
    assert [type(each) for each in glanced(both)] == [events.JobProgress]
    server.jobs[FIRST] = status(FIRST, JobState.COMPLETED, (1, 3))
    assert [type(each) for each in glanced(both)] == [events.JobProgress, events.Albums]
    assert [album.title for album in both.albums] == ["Album 1"]


def test_what_has_not_changed_is_not_told(both: Jobs) -> None:
    assert len(glanced(both)) == 1
    assert glanced(both) == []


def test_the_next_job_is_looked_at_once_the_first_has_ended(both: Jobs, server: Server, calls: Loopback) -> None:
    server.jobs[FIRST] = status(FIRST, JobState.FAILED)
    glanced(both)
    glanced(both)
    assert [request.path.split("/")[3] for request in calls.requests] == [str(FIRST), str(SECOND)]
    server.jobs[SECOND] = status(SECOND, JobState.COMPLETED)
    list(both.follow(timeout=5))
    assert [job.status for job in both.known] == [JobState.FAILED, JobState.COMPLETED]
    assert len(calls.requests) == 3, "what has ended is not asked for again"


def test_a_server_that_is_away_does_not_hold_up_the_upload(both: Jobs, server: Server, calls: Loopback) -> None:
    server.is_away = True
    assert glanced(both) == []
    asked = len(calls.requests)
    server.is_away = False
    assert glanced(both) == []
    assert len(calls.requests) == asked, "it is left alone for a while"


def test_it_is_asked_no_more_often_than_it_wishes(
    both: Jobs, server: Server, calls: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("momentarium_cli.client.jobs.time.monotonic", lambda: now[0])
    both._ask_at = 0
    glanced(both)
    both._ask_at = 1003.0
    glanced(both)
    assert len(calls.requests) == 1
    now[0] = 1003.0
    glanced(both)
    assert len(calls.requests) == 2


def test_however_many_jobs_of_an_import_there_are_they_are_asked_for_at_once(both: Jobs, calls: Loopback) -> None:
    told = [event.job.id for event in both.look() if isinstance(event, events.JobProgress)]
    assert told == [FIRST, SECOND]
    assert len(calls.requests) == 1


def test_a_job_that_its_import_no_longer_tells_of_is_asked_for_alone(both: Jobs, server: Server) -> None:
    server.unlisted = {SECOND}
    list(both.look())
    assert [job.status for job in both.known] == [JobState.PROCESSING, JobState.PENDING]


@pytest.mark.parametrize(
    "asked",
    [glanced, lambda jobs: list(jobs.follow(timeout=5)), lambda jobs: list(jobs.look())],
    ids=["glance", "follow", "look"],
)
def test_a_job_that_a_restored_server_has_lost_holds_up_nothing(
    both: Jobs, server: Server, journal: Journal, asked: Callable[[Jobs], list[Event]]
) -> None:
    accepted(journal, FIRST, "/p/a.jpg")
    del server.jobs[FIRST]
    server.jobs[SECOND] = status(SECOND, JobState.COMPLETED)
    [warned] = [each for each in asked(both) if isinstance(each, events.Warned)]
    assert warned.path == journal.path and warned.text.startswith("the server has lost a photo that it had")
    assert journal.unfinished() == [] and journal.jobs_by_import() == {}
    list(both.follow(timeout=5))
    assert [job.id for job in both.known] == [SECOND]


def test_what_a_job_found_damaged_is_to_be_sent_again(both: Jobs, server: Server, journal: Journal) -> None:
    _, bad = accepted(journal, FIRST, "/p/a.jpg", "/p/b.jpg")
    server.jobs[FIRST] = status(FIRST, JobState.FAILED).model_copy(update={"damaged": [f"originals/1/{bad}"]})
    list(both.look())
    assert [state_of(journal, path) for path in ("/p/a.jpg", "/p/b.jpg")] == [FileState.ACCEPTED, FileState.FOUND]
    assert [batch.job_id for batch in journal.unfinished()] == [str(FIRST)], "which tells of it until it is retried"


def test_an_album_that_several_jobs_filled_counts_the_photos_of_all(both: Jobs, server: Server) -> None:
    server.jobs = {
        FIRST: status(FIRST, JobState.COMPLETED, (1, 3)),
        SECOND: status(SECOND, JobState.COMPLETED, (1, 4), (2, 1)),
    }
    list(both.look())
    assert {album.id: album.photos for album in both.albums} == {1: 7, 2: 1}
