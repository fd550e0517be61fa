"""The queue on PostgreSQL: procrastinate wakes workers, and that is all it does.

Its rows are deleted when done, it retries nothing, and what a killed worker left as "doing" is swept away: the sweep
over processing_jobs is the only recovery.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

from momentarium_cli.backend.db.pool import Connection

log = logging.getLogger(__name__)

_QUEUE = "jobs"
_TASK = "run_job"
_POLL_SECONDS = 2.0  # delayed messages are seen by polling only
_RESTART_SECONDS = 0.5


class _Connector(PsycopgConnector):
    """After a restart of PostgreSQL the listening connection is gone for good: listen again."""

    async def listen_notify(self, on_notification: Any, channels: Iterable[str]) -> None:
        channels = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification=on_notification, channels=channels)
            except ConnectorException as error:
                log.info("listening for jobs was interrupted: %s", error)
            else:
                return
            await asyncio.sleep(_RESTART_SECONDS)


class PostgresQueue:
    """`direct_conninfo` reaches PostgreSQL past a pooler: LISTEN does not work through one."""

    patience = timedelta(seconds=5)  # else every poll and sweep would write to the rows of all jobs that wait in line

    def __init__(self, direct_conninfo: str, *, concurrency: int = 2) -> None:
        self._conninfo = direct_conninfo
        self._concurrency = concurrency
        # Deferring uses the caller's connection, so this app is never opened.
        self._deferrer = App(connector=SyncPsycopgConnector(conninfo=direct_conninfo))

    def deliver(self, job_id: UUID, fence: int, conn: Connection, *, after: timedelta | None = None) -> None:  # noqa: ARG002
        at = datetime.now(UTC) + after if after else None
        # A delayed message has a lock of its own: it would otherwise swallow an urgent one.
        lock = f"{job_id}@{at.timestamp():.0f}" if at else str(job_id)
        # A savepoint, so that AlreadyEnqueued, which means "awake already", leaves the transaction usable.
        with suppress(AlreadyEnqueued), conn.transaction():
            task = self._deferrer.configure_task(
                _TASK, queue=_QUEUE, queueing_lock=lock, schedule_at=at, connection=conn
            )
            try:
                task.defer(job_id=str(job_id))
            except ConnectorException as error:
                raise error.__cause__ or error from None  # the database's own error, which whoever has `conn` knows

    def work(self, run: Callable[[UUID], None], stop: Event) -> None:
        asyncio.run(self._work(run, stop))

    async def _work(self, run: Callable[[UUID], None], stop: Event) -> None:
        stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
        while not stop.is_set():
            worker = asyncio.create_task(self._run_worker(run))
            await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
            worker.cancel()
            try:
                await worker
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 -- whatever ends the worker, the next one starts
                log.warning("the queue's worker ended, starting again: %s", error)
            if not stop.is_set():
                await asyncio.sleep(_RESTART_SECONDS)
        await stopped

    async def _run_worker(self, run: Callable[[UUID], None]) -> None:
        app = App(connector=_Connector(conninfo=self._conninfo, min_size=1, max_size=self._concurrency + 2))

        @app.task(name=_TASK, queue=_QUEUE)
        def run_job(job_id: str) -> None:
            run(UUID(job_id))

        async with app.open_async():
            await app.run_worker_async(
                queues=[_QUEUE],
                concurrency=self._concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=_POLL_SECONDS,
                shutdown_graceful_timeout=5,
            )

    def tidy(self, conn: Connection) -> None:
        """Delete messages that a killed worker left as "doing"."""
        conn.execute(
            "delete from procrastinate_jobs j where j.status = 'doing' and j.queue_name = %s and not exists"
            " (select from procrastinate_workers w where w.id = j.worker_id"
            "  and w.last_heartbeat > now() - interval '60 seconds')",
            (_QUEUE,),
        )
