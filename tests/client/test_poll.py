import time
from collections.abc import Callable, Iterator
from threading import Event, Timer
from typing import Any
from uuid import UUID

import pytest

from momentarium_cli.client import poll
from momentarium_cli.client.api import Api
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import JobFailed, Stopped
from momentarium_cli.models import JobState
from tests.client.loopback import Request, as_json, loopback

JOBS = [str(UUID(int=number)) for number in (1, 2)]

Script = dict[str, list[dict[str, Any]]]


@pytest.fixture
def following() -> Iterator[Callable[[Script], Api]]:
    """An Api whose jobs go through these states, one a question; the last one stays."""
    script: Script = {}

    def answer(request: Request) -> Any:
        job_id = request.path.split("/")[3]
        states = script[job_id]
        state = states.pop(0) if len(states) > 1 else states[0]
        value = {"id": job_id, "import_id": job_id, "created_at": "2024-05-01T10:00:00Z", **state}
        return as_json(value, 200, **{"Retry-After": "0"})

    with loopback(answer) as server:
        transport = Transport(FixedServer(server.url, "mom_x"))

        def begin(states: Script) -> Api:
            script.update(states)
            return Api(transport)

        yield begin
        transport.close()


def states(*names: str) -> list[dict[str, Any]]:
    return [{"status": name} for name in names]


def test_a_job_is_told_whenever_it_changes_and_at_its_end(following: Callable[[Script], Api]) -> None:
    api = following({JOBS[0]: states("pending", "pending", "processing", "completed")})
    told = [progress.job.status for progress in poll.follow(api, JOBS[:1], Event())]
    assert told == [JobState.PENDING, JobState.PROCESSING, JobState.COMPLETED]


def test_a_job_that_fails_is_an_end_and_the_next_one_is_followed(following: Callable[[Script], Api]) -> None:
    api = following({JOBS[0]: states("failed"), JOBS[1]: states("completed")})
    told = [(str(progress.job.id), progress.job.status) for progress in poll.follow(api, JOBS, Event())]
    assert told == [(JOBS[0], JobState.FAILED), (JOBS[1], JobState.COMPLETED)]


def test_no_job_is_followed_at_once(following: Callable[[Script], Api]) -> None:
    assert list(poll.follow(following({}), [], Event())) == []


def test_after_the_timeout_the_photos_are_said_to_be_safe(following: Callable[[Script], Api]) -> None:
    api = following({JOBS[0]: states("processing")})
    with pytest.raises(JobFailed, match=f"within 0.5 s; the photos are safe.*momentarium status {JOBS[0]}"):
        list(poll.follow(api, JOBS[:1], Event(), timeout=0.5))


def test_a_stop_ends_the_waiting(following: Callable[[Script], Api]) -> None:
    api, stop = following({JOBS[0]: states("processing")}), Event()
    Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped, match="goes on in the background"):
        list(poll.follow(api, JOBS[:1], stop))
    assert time.monotonic() - began < 2
