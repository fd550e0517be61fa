"""The queue on QStash, beside a QStash on loopback that the vendor's SDK publishes to."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.queues.base import Queue
from momentarium_cli.backend.queues.qstash import PUBLISH_SECONDS, QStashOptions, QStashQueue
from tests.contracts.queue import QueueContract
from tests.qstash import QStashServer
from tests.servers import answering, listening

SECRET = "a-shared-secret-of-tests"


def options(server: QStashServer, us: str = "https://photos.example.com", url: str | None = None) -> QStashOptions:
    return QStashOptions(
        url=url or server.url,
        token=server.token,
        process_url=f"{us}/api/jobs/process",
        failed_url=f"{us}/api/jobs/failed",
        maintenance_url=f"{us}/api/maintenance",
        api_secret=SECRET,
        parallelism=4,
        rate=60,
    )


class _Called(QStashQueue):
    """Runs what QStash calls with while somebody works, as the API does; nobody there is 503."""

    run: Callable[[UUID], None] | None = None

    def work(self, run: Callable[[UUID], None], stop: Event) -> None:
        self.run = run
        super().work(run, stop)
        self.run = None

    def called(self, request: Request) -> Response:
        if self.run is None:
            return Response(status_code=503, headers={"Retry-After": "1"})
        self.run(UUID(json.loads(request.state.body)["job_id"]))
        return Response()


@pytest.fixture
def queue(qstash_server: QStashServer) -> Iterator[QStashQueue]:
    opened = QStashQueue(options(qstash_server))
    yield opened
    opened.close()


class TestQStashQueue(QueueContract):
    @pytest.fixture
    def queue(self, database: Database, qstash_server: QStashServer) -> Iterator[Queue]:
        with listening() as (listener, url):
            opened = _Called(options(qstash_server, url))

            async def process(request: Request) -> Response:
                request.state.body = await request.body()
                from starlette.concurrency import run_in_threadpool

                return await run_in_threadpool(opened.called, request)

            app = Starlette(routes=[Route("/api/jobs/process", process, methods=["POST"])])
            with answering(app, listener), qstash_server.live():
                yield opened
            opened.close()


def publish(queue: QStashQueue, database: Database, *ids: UUID, fence: int = 3, after: timedelta | None = None) -> None:
    with database.transaction(None) as conn:
        for job_id in ids:
            queue.deliver(job_id, fence, conn, after=after)


class TestPublishing:
    def test_a_message_says_all_that_qstash_has_to_know(
        self, queue: QStashQueue, database: Database, qstash_server: QStashServer
    ) -> None:
        publish(queue, database, job_id := uuid4())
        [message] = qstash_server.waiting
        assert json.loads(message.body) == {"job_id": str(job_id), "fence": 3}
        assert message.url == "https://photos.example.com/api/jobs/process"
        assert message.failure_callback == "https://photos.example.com/api/jobs/failed"
        assert (message.retries, message.timeout, message.label) == (3, 60, "momentarium")
        assert ("x-api-secret", SECRET) in [(name.lower(), value) for name, value in message.forwarded]
        assert message.redacted == ["header[x-api-secret]"]
        assert message.asked["Upstash-Deduplication-Id"] == f"{job_id}_3"
        assert message.asked["Upstash-Failure-Callback-Forward-X-API-Secret"] == SECRET
        flow = message.flow_control
        assert flow is not None
        assert (flow.key, flow.parallelism, flow.rate, flow.period) == ("momentarium-photos.example.com", 4, 60, 60)

    def test_a_delay_is_rounded_up_so_that_it_does_not_come_before_its_time(
        self, queue: QStashQueue, database: Database, qstash_server: QStashServer
    ) -> None:
        publish(queue, database, uuid4(), after=timedelta(seconds=2.5))
        [message] = qstash_server.waiting
        assert message.due - message.created_at == 4

    def test_the_same_fence_is_the_same_message_and_another_is_not(
        self, queue: QStashQueue, database: Database, qstash_server: QStashServer
    ) -> None:
        job_id = uuid4()
        for fence in (1, 1, 2):
            publish(queue, database, job_id, fence=fence)
        assert len(qstash_server.waiting) == 2

    def test_many_of_one_transaction_go_together(
        self, queue: QStashQueue, database: Database, qstash_server: QStashServer
    ) -> None:
        publish(queue, database, *(uuid4() for _ in range(250)))
        assert len(qstash_server.waiting) == 250


class TestWhereItCannotPublish:
    """What was committed stays committed, and whoever asked is not told and does not wait."""

    def quick(self, queue: QStashQueue, database: Database, *ids: UUID) -> None:
        started = time.monotonic()
        publish(queue, database, *(ids or (uuid4(),)))
        assert time.monotonic() - started < PUBLISH_SECONDS + 2  # of which a busy machine may need most

    @pytest.mark.parametrize("status", [400, 401, 412, 500, 503])
    def test_a_refusal_is_logged(
        self,
        queue: QStashQueue,
        database: Database,
        qstash_server: QStashServer,
        status: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        qstash_server.refuse(status, "not today")
        self.quick(queue, database)
        assert "1 messages were not published" in caplog.text
        assert SECRET not in caplog.text and qstash_server.token not in caplog.text

    def test_a_limit_is_logged(
        self, queue: QStashQueue, database: Database, qstash_server: QStashServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        qstash_server.exceed_day()
        self.quick(queue, database)
        assert "DailyMessageLimitExceeded" in caplog.text

    def test_nobody_there(
        self, database: Database, qstash_server: QStashServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with listening() as (_, url):
            pass  # it is free again
        self.quick(QStashQueue(options(qstash_server, url=url)), database)
        assert "not published" in caplog.text

    def test_one_that_takes_the_request_and_says_nothing(
        self, database: Database, qstash_server: QStashServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            queue = QStashQueue(options(qstash_server, url=f"http://127.0.0.1:{deaf.getsockname()[1]}"))
            self.quick(queue, database, *(uuid4() for _ in range(150)))
        assert "150 messages were not published" in caplog.text
        queue.close()
