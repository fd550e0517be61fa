import os
import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.migrate import migrate
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.backend.queues.postgres import PostgresQueue
from tests.contracts.queue import QueueContract, SurvivesRestarts, deliver, working
from tests.folders import short_folder


class TestPostgresQueue(QueueContract):
    @pytest.fixture
    def queue(self, database: Database) -> Queue:
        return PostgresQueue(database.conninfo)


@pytest.fixture(scope="module")
def killable() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that no other test uses."""
    with short_folder() as folder:
        yield (started := EmbeddedPostgres(folder, "a password for tests"))
        started.stop()


class TestPostgresQueueOnAPostgresThatIsKilled(SurvivesRestarts):
    @pytest.fixture
    def database(self, killable: EmbeddedPostgres) -> Iterator[Database]:
        self.killable = killable
        migrate(conninfo := killable.start())
        yield (opened := Database(conninfo))
        opened.close()

    @pytest.fixture
    def queue(self, database: Database) -> Queue:
        return PostgresQueue(database.conninfo)

    def restart(self) -> None:
        os.kill(int((self.killable.folder / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)
        while self.killable.running:
            time.sleep(0.005)
        self.killable.start()


def test_what_a_killed_worker_left_is_tidied_away(database: Database) -> None:
    queue = PostgresQueue(database.conninfo)
    kept, left = uuid4(), uuid4()
    for job_id in (kept, left):
        deliver(queue, database, job_id)
    with database.administration() as conn:
        conn.execute("insert into procrastinate_workers (last_heartbeat) values (now() - interval '2 minutes')")
        conn.execute(
            "update procrastinate_jobs set status = 'doing', worker_id = (select max(id) from procrastinate_workers)"
            " where args ->> 'job_id' = %s",
            [str(left)],
        )
    with database.transaction(None) as conn:
        queue.tidy(conn)
    with database.administration() as conn:
        rows = conn.execute("select args ->> 'job_id' as id, status::text from procrastinate_jobs").fetchall()
    assert rows == [{"id": str(kept), "status": "todo"}]


def test_nothing_stays_of_what_was_delivered(database: Database) -> None:
    queue, job_id = PostgresQueue(database.conninfo), uuid4()
    deliver(queue, database, job_id)
    with working(queue) as listener:
        listener.wait_for(job_id)
    with database.administration() as conn:
        assert conn.execute("select 1 from procrastinate_jobs").fetchall() == []
