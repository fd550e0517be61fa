"""Jobs from the request that accepts them to their albums, with QStash in between."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from momentarium_cli.backend import deliveries as deliveries_module
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.queues.qstash_account import QStashAccount
from momentarium_cli.backend.wiring import qstash_options
from momentarium_cli.config import QueueSettings, Server, Settings
from tests.backend.api.calls import process, upload
from tests.qstash import QStashServer
from tests.servers import Account, ApiServer, serving

PATIENCE_IS_OVER = "update processing_jobs set woken_at = woken_at - interval '31 seconds'"
LEASES_LAPSE = "update processing_jobs set lease_until = now() where status = 'processing'"


def called_by(qstash_server: QStashServer, url: str, data_dir: Path) -> Settings:
    """The settings of a deployment at `url` that this QStash calls."""
    queue = QueueSettings(
        backend="qstash",
        qstash_url=qstash_server.url,
        qstash_token=qstash_server.token,
        qstash_current_signing_key=qstash_server.keys.current,
        qstash_next_signing_key=qstash_server.keys.next,
        api_secret="a-shared-secret-of-tests",
    )
    return Settings(data_dir=data_dir, server=Server(public_url=url), queue=queue)


@pytest.fixture
def called(tmp_path: Path, database: Database, qstash_server: QStashServer) -> Iterator[ApiServer]:
    def settings(url: str) -> Settings:
        return called_by(qstash_server, url, tmp_path / "data")

    with serving(tmp_path / "data", database, settings) as server:
        yield server


@pytest.fixture
def ann(called: ApiServer) -> Iterator[Account]:
    with called.account("ann@example.com") as account:
        yield account


def run(server: ApiServer, statement: str) -> list[dict[str, Any]]:
    with server.database.administration() as conn:
        cursor = conn.execute(statement)
        return cursor.fetchall() if cursor.description else []


def statuses(server: ApiServer) -> list[str]:
    return [row["status"] for row in run(server, "select status from processing_jobs order by idempotency_key")]


def accept(account: Account, *photos: bytes) -> UUID:
    return UUID(process(account, *upload(account, *photos)).json()["job_id"])


def test_jobs_are_run_by_the_calls_of_qstash_alone(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    for number in range(3):
        accept(ann, f"photo {number}".encode())
    answers = qstash_server.deliver_now(at_once=4)
    assert {answer.status for answer in answers} == {200}
    assert statuses(called) == ["completed"] * 3
    assert qstash_server.waiting == []


def test_one_that_came_too_early_is_woken_by_the_end_of_the_one_before(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    """Its first message was answered while it had to wait; a second one with the same id would be dropped."""
    first, _ = accept(ann, b"one"), accept(ann, b"two")
    job = called.services.jobs.claim(first)
    assert job is not None
    qstash_server.deliver_now()
    assert statuses(called) == ["processing", "pending"]
    called.services.jobs.release(job)
    qstash_server.deliver_now()
    assert statuses(called) == ["completed"] * 2


def test_a_rotation_of_the_keys_needs_nothing_of_us(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    qstash_server.keys.rotate()
    accept(ann, b"photo")
    assert [answer.status for answer in qstash_server.deliver_now()] == [200]
    qstash_server.keys.rotate()
    accept(ann, b"another")
    assert [answer.status for answer in qstash_server.deliver_now()] == [401], "a second one does"


def test_a_message_that_was_lost_is_sent_again_once_it_is_overdue(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    job_id = accept(ann, b"photo")
    qstash_server.lose()
    qstash_server.deliver_now()
    ann.http.get(f"/api/jobs/{job_id}/status")
    assert qstash_server.waiting == [], "it may still come"
    run(called, PATIENCE_IS_OVER)
    for _ in range(3):
        ann.http.get(f"/api/jobs/{job_id}/status")
    assert len(qstash_server.waiting) == 1
    qstash_server.deliver_now()
    assert statuses(called) == ["completed"]


def test_what_could_not_be_published_is_published_by_the_sweep(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    qstash_server.refuse(500)
    accept(ann, b"photo")
    assert qstash_server.waiting == []
    run(called, PATIENCE_IS_OVER)
    called.services.deliveries.maintain()
    qstash_server.deliver_now()
    assert statuses(called) == ["completed"]


def test_a_delivery_that_failed_for_good_is_made_again_by_its_callback(
    called: ApiServer, ann: Account, qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(ann, b"photo")

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(deliveries_module.Deliveries, "run", broken)
    qstash_server.advance(12.2 + 148.5 + 1808.1)
    assert [letter.message.retried for letter in qstash_server.dead_letters] == [3]
    monkeypatch.undo()
    qstash_server.advance(60)
    assert statuses(called) == ["completed"]


def test_a_worker_that_died_is_followed_by_another(
    called: ApiServer, ann: Account, qstash_server: QStashServer
) -> None:
    job_id = accept(ann, b"photo")
    assert called.services.jobs.claim(job_id)
    qstash_server.deliver_now()
    run(called, LEASES_LAPSE)
    run(called, PATIENCE_IS_OVER)
    called.services.jobs.sweep()
    qstash_server.deliver_now()
    assert statuses(called) == ["completed"]


def test_a_job_that_needs_several_slices_is_called_for_each(
    called: ApiServer, ann: Account, qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(ann, b"photo")
    monkeypatch.setattr(deliveries_module, "SLICE_SECONDS", 0)
    qstash_server.deliver_now()
    monkeypatch.undo()
    run(called, LEASES_LAPSE)
    qstash_server.advance(10)
    assert statuses(called) == ["completed"]


def test_maintenance_is_called_by_its_schedule(called: ApiServer, ann: Account, qstash_server: QStashServer) -> None:
    with closing(QStashAccount(qstash_options(called_by(qstash_server, called.url, called.data_dir)))) as account:
        account.schedule_maintenance("*/2 * * * *")
    qstash_server.refuse(500)
    accept(ann, b"photo")
    run(called, PATIENCE_IS_OVER)
    qstash_server.advance(130)
    assert statuses(called) == ["completed"]
