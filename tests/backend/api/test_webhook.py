"""The queue's endpoints on a live server: forged requests, what a delivery does, failure callbacks, maintenance."""

import base64
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.previews import Previews
from momentarium_cli.config import QueueSettings, Server, Settings
from momentarium_cli.errors import DatabaseUnavailable, StorageUnavailable
from tests.backend.api.calls import assert_problem, process, upload
from tests.backend.forgeries import CURRENT_KEY, NEXT_KEY, OTHER_SECRET, SECRET, Sent, Signer, forgeries
from tests.servers import Account, ApiServer, serving

NOBODY = "http://127.0.0.1:1"  # where publishing fails


@pytest.fixture
def called(tmp_path: Any, database: Database) -> Iterator[ApiServer]:
    """A backend that QStash calls."""

    def settings(url: str) -> Settings:
        queue = QueueSettings(
            backend="qstash",
            qstash_url=NOBODY,
            qstash_token="a token",
            qstash_current_signing_key=CURRENT_KEY,
            qstash_next_signing_key=NEXT_KEY,
            api_secret=SECRET,
            previous_api_secret=OTHER_SECRET,
        )
        return Settings(data_dir=tmp_path / "data", server=Server(public_url=url), queue=queue)

    with serving(tmp_path / "data", database, settings) as server:
        yield server


@pytest.fixture
def ann(called: ApiServer) -> Iterator[Account]:
    with called.account("ann@example.com") as account:
        yield account


def send(server: ApiServer, sent: Sent) -> httpx.Response:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.headers]
    with server.http() as http:
        return http.post(sent.path, headers=headers, content=sent.body)


def signed(server: ApiServer, path: str, value: Any) -> Sent:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return signer(server).sent(body=body, path=path)


def signer(server: ApiServer) -> Signer:
    return Signer(server.url, now=int(time.time()))


def deliver(server: ApiServer, job_id: object, fence: int = 0) -> httpx.Response:
    return send(server, signed(server, "/api/jobs/process", {"job_id": str(job_id), "fence": fence}))


def fail(server: ApiServer, job_id: object, fence: int, **more: Any) -> httpx.Response:
    """QStash gave a message up."""
    source = json.dumps({"job_id": str(job_id), "fence": fence}).encode()
    told = {"status": 502, "retried": 3, "maxRetries": 3, "sourceMessageId": "msg_1", "header": {"X": ["y"]}, **more}
    return send(server, signed(server, "/api/jobs/failed", {"sourceBody": base64.b64encode(source).decode(), **told}))


def run(server: ApiServer, statement: str, *values: Any) -> list[dict[str, Any]]:
    with server.database.administration() as conn:
        cursor = conn.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def job(server: ApiServer, job_id: str) -> dict[str, Any]:
    return run(server, "select * from processing_jobs where id = %s", job_id)[0]


def accepted(account: Account, photo: bytes) -> str:
    """A job that no worker knows of."""
    answer = process(account, *upload(account, photo))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


class TestForgeries:
    def test_all_get_the_same_401_to_the_last_byte_and_change_nothing(
        self, called: ApiServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        forged = forgeries(signer(called))
        answers = {name: send(called, sent) for name, sent in forged.items() if "in 11 s" not in name}
        for name in ("valid in 11 s", "issued in 11 s"):  # by now they would be good
            answers[name] = send(called, forgeries(signer(called))[name])
        assert answers.keys() == forged.keys()
        looks = {
            name: (
                answer.status_code,
                answer.content,
                [item for item in answer.headers.raw if item[0].lower() not in (b"date", b"x-request-id")],
            )
            for name, answer in answers.items()
        }
        first = next(iter(looks.values()))
        assert {name for name, look in looks.items() if look != first} == set()
        assert_problem(next(iter(answers.values())), 401, "unauthorized")
        assert run(called, "select 1 from processing_jobs") == []
        for reason in ("secret", "signature", "expired", "subject", "body too large"):
            assert f"refused /api/jobs/process: {reason}" in caplog.text
        assert not any(secret in caplog.text for secret in (SECRET, CURRENT_KEY, NEXT_KEY))

    @pytest.mark.parametrize("path", ["/api/jobs/failed", "/api/maintenance"])
    def test_the_other_endpoints_are_closed_as_well(self, called: ApiServer, path: str) -> None:
        good = signed(called, "/api/jobs/process", {"job_id": str(uuid4()), "fence": 0})
        assert send(called, Sent(good.headers, good.body, path)).content == send(called, Sent([], b"")).content

    def test_where_no_queue_calls_there_is_no_good_request(self, api_server: ApiServer, called: ApiServer) -> None:
        for path in ("/api/jobs/process", "/api/jobs/failed", "/api/maintenance"):
            assert send(api_server, signed(api_server, path, {})).content == send(called, Sent([], b"")).content


class TestMessages:
    def test_one_about_no_job_is_never_tried_again(self, called: ApiServer) -> None:
        self.assert_never(deliver(called, uuid4()))

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"job_id": "x", "fence": 0}', b'{"job_id": 7}'])
    def test_one_that_is_none_of_ours_is_never_tried_again(self, called: ApiServer, body: bytes) -> None:
        self.assert_never(send(called, signed(called, "/api/jobs/process", body)))
        self.assert_never(send(called, signed(called, "/api/jobs/failed", body)))

    def assert_never(self, answer: httpx.Response) -> None:
        assert_problem(answer, 489, "never")
        assert answer.headers["Upstash-NonRetryable-Error"] == "true"


class TestDeliveries:
    def test_a_job_runs_inside_the_request_and_again_is_harmless(self, called: ApiServer, ann: Account) -> None:
        job_id = accepted(ann, b"photo")
        for _ in range(3):
            assert deliver(called, job_id).status_code == 200
        row = job(called, job_id)
        assert (row["status"], row["attempt"]) == ("completed", 1)
        assert len(run(called, "select 1 from albums")) == 1

    @pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.long)])
    def test_many_times_fifty_at_once_it_is_one_set_of_albums(
        self, called: ApiServer, ann: Account, times: int
    ) -> None:
        job_id = accepted(ann, b"photo")
        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(lambda _: deliver(called, job_id), range(times)))
        assert {answer.status_code for answer in answers} == {200}
        assert (job(called, job_id)["status"], job(called, job_id)["attempt"]) == ("completed", 1)
        assert len(run(called, "select 1 from albums")) == 1

    def test_a_job_of_another_worker_and_one_that_waits_behind_it_are_left_alone(
        self, called: ApiServer, ann: Account
    ) -> None:
        first, second = accepted(ann, b"one"), accepted(ann, b"two")
        assert run(called, "select * from claim_job(%s, '60 seconds')", first)
        for job_id in (first, second):
            assert deliver(called, job_id).status_code == 200
        assert [job(called, job_id)["status"] for job_id in (first, second)] == ["processing", "pending"]

    def test_one_that_ended_wakes_the_next_with_a_message_that_is_no_duplicate(
        self, called: ApiServer, ann: Account
    ) -> None:
        first, second = accepted(ann, b"one"), accepted(ann, b"two")
        before = job(called, second)["fence"]
        deliver(called, first)
        assert job(called, second)["fence"] > before

    @pytest.mark.parametrize(
        ("of", "method", "error"),
        [
            (Jobs, "claim", DatabaseUnavailable("away")),
            (Previews, "examine", StorageUnavailable("away")),
        ],
    )
    def test_while_database_or_store_is_away_it_is_503(
        self,
        called: ApiServer,
        ann: Account,
        monkeypatch: pytest.MonkeyPatch,
        of: type,
        method: str,
        error: Exception,
    ) -> None:
        job_id = accepted(ann, b"photo")

        def away(*_: object) -> None:
            raise error

        monkeypatch.setattr(of, method, away)
        answer = deliver(called, job_id)
        assert_problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        monkeypatch.undo()
        run(called, "update processing_jobs set lease_until = now() where status = 'processing'")
        assert deliver(called, job_id).status_code == 200
        assert job(called, job_id)["status"] == "completed"

    def test_accepting_a_job_does_not_depend_on_the_queue(self, called: ApiServer, ann: Account) -> None:
        started = time.monotonic()
        accepted(ann, b"photo")  # nobody listens where it is published
        assert time.monotonic() - started < 3


class TestFailureCallbacks:
    def test_a_job_that_nobody_has_is_delivered_again_with_another_fence(self, called: ApiServer, ann: Account) -> None:
        job_id = accepted(ann, b"photo")
        assert fail(called, job_id, 0).status_code == 200
        row = job(called, job_id)
        assert (row["status"], row["fence"], row["attempt"]) == ("pending", 1, 1)

    @pytest.mark.parametrize("fence", [0, 2, 99])
    def test_with_another_fence_it_says_nothing_about_the_job(
        self, called: ApiServer, ann: Account, fence: int
    ) -> None:
        job_id = accepted(ann, b"photo")
        run(called, "update processing_jobs set fence = 1")
        before = job(called, job_id)
        assert fail(called, job_id, fence).status_code == 200
        assert job(called, job_id) == before

    def test_nor_while_the_lease_holds_nor_when_it_is_done(self, called: ApiServer, ann: Account) -> None:
        job_id = accepted(ann, b"photo")
        run(called, "select * from claim_job(%s, '60 seconds')", job_id)
        before = job(called, job_id)
        fail(called, job_id, before["fence"])
        assert job(called, job_id) == before
        run(called, "update processing_jobs set lease_until = now()")
        deliver(called, job_id)
        done = job(called, job_id)
        fail(called, job_id, done["fence"])
        assert job(called, job_id) == done

    def test_a_lease_that_lapsed_does_not_keep_it_from_being_delivered_again(
        self, called: ApiServer, ann: Account
    ) -> None:
        job_id = accepted(ann, b"photo")
        run(called, "select * from claim_job(%s, '0 seconds')", job_id)
        fail(called, job_id, 1)
        assert job(called, job_id)["fence"] == 2

    def test_after_the_fifth_attempt_the_job_fails_and_says_why(self, called: ApiServer, ann: Account) -> None:
        job_id = accepted(ann, b"photo")
        for fence in range(6):
            fail(called, job_id, fence)
        status = ann.http.get(f"/api/jobs/{job_id}/status").json()
        assert (status["status"], status["error_code"]) == ("failed", "gave_up")
        assert "502" in status["error_message"] and "photos are safe" in status["error_message"]

    def test_about_a_job_that_is_gone_there_is_nothing_to_do(self, called: ApiServer) -> None:
        assert fail(called, uuid4(), 0).status_code == 200


class TestMaintenance:
    def test_what_is_overdue_is_woken(self, called: ApiServer, ann: Account) -> None:
        job_id = accepted(ann, b"photo")
        maintained = signed(called, "/api/maintenance", b"")
        assert send(called, maintained).status_code == 200
        assert job(called, job_id)["fence"] == 0, "its message may still come"
        run(called, "update processing_jobs set woken_at = now() - interval '31 seconds'")
        assert send(called, maintained).status_code == 200
        assert job(called, job_id)["fence"] == 1

    def test_uploads_that_never_became_photos_are_deleted(self, called: ApiServer, ann: Account) -> None:
        upload(ann, b"photo")
        run(called, "update uploads set issued_at = now() - interval '8 days'")
        send(called, signed(called, "/api/maintenance", b"{}"))
        assert run(called, "select 1 from uploads") == []
