"""The queue on QStash: it calls the webhook with each message, and the failure callback where it gave up.

A message is published right after the commit of its job. Where that fails nothing is lost: the job's row is the outbox,
and the sweep publishes again what is overdue.
"""

import json
import logging
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from momentarium_cli.backend.db.pool import Connection
from momentarium_cli.backend.once import Once

if TYPE_CHECKING:
    from qstash import QStash
    from qstash.message import BatchRequest, FlowControl

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 2.0
_PHASE_SECONDS = 1.5  # to connect, and again to be answered
_RETRIES = 3  # as many as every plan allows
_BATCH = 100
SECRET_HEADER = "X-API-Secret"  # noqa: S105 -- its name
LABEL = "momentarium"


@dataclass(frozen=True, slots=True)
class QStashOptions:
    """Where to publish, what is called, and with which secret. `rate`: messages a minute, 0 for no limit.

    `seconds`: how long an answer of the webhook may take.
    """

    url: str
    token: str
    process_url: str
    failed_url: str
    maintenance_url: str
    api_secret: str
    parallelism: int = 10
    rate: int = 0
    seconds: int = 60

    @property
    def deployment(self) -> str:
        """What tells this deployment from others of the same account."""
        return re.sub(r"[^A-Za-z0-9.-]+", "-", urlsplit(self.process_url).netloc)

    def client(self, seconds: float) -> "QStash":
        """The vendor's, whose calls may take so long to connect, and again to be answered."""
        from qstash import QStash  # slow to import

        # Repeating a publication is harmless, the message has an id; the vendor's own waits would be minutes.
        client = QStash(self.token, base_url=self.url, retry={"retries": 1, "backoff": lambda _: 50})
        client.http._client.timeout = seconds  # 600 s otherwise; no other way leads to it
        return client

    def proof(self) -> dict[str, Any]:
        """What every message brings along, and is not shown of it."""
        return {
            "headers": {SECRET_HEADER: self.api_secret},
            "redact": {"header": [SECRET_HEADER]},
            "timeout": self.seconds,
            "label": LABEL,
        }

    def callback(self) -> dict[str, Any]:
        """Who is told where a message is given up."""
        return {
            "failure_callback": self.failed_url,
            "failure_callback_headers": {f"Upstash-Failure-Callback-Forward-{SECRET_HEADER}": self.api_secret},
        }


class QStashQueue:
    patience = timedelta(seconds=30)

    def __init__(self, options: QStashOptions) -> None:
        self._options = options
        self._client = Once(lambda: options.client(_PHASE_SECONDS))
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="qstash")

    def deliver(self, job_id: UUID, fence: int, conn: Connection, *, after: timedelta | None = None) -> None:
        self._outbox(conn).messages.append(self._message(job_id, fence, after))

    def work(self, run: Callable[[UUID], None], stop: Event) -> None:  # noqa: ARG002 -- QStash calls the webhook
        stop.wait()

    def tidy(self, conn: Connection) -> None:
        """QStash keeps its own house."""

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        if client := self._client.if_made():
            client.http._client.close()

    def _outbox(self, conn: Connection) -> "_Outbox":
        """What this transaction is going to publish: together, so that many take no longer than one."""
        for act in conn.after_commit:
            if isinstance(act, _Outbox):
                return act
        conn.after_commit.append(outbox := _Outbox(self._publish))
        return outbox

    def _message(self, job_id: UUID, fence: int, after: timedelta | None) -> "BatchRequest":
        options = self._options
        message: BatchRequest = {
            "url": options.process_url,
            "body": json.dumps({"job_id": str(job_id), "fence": fence}),
            "content_type": "application/json",
            # QStash refuses ids with a colon: "DeduplicationId cannot contain ':'".
            "deduplication_id": f"{job_id}_{fence}",
            "retries": _RETRIES,
            "flow_control": self._flow(),
            **cast("BatchRequest", options.proof() | options.callback()),
        }
        if after:
            message["delay"] = math.ceil(after.total_seconds()) + 1  # what comes too early finds the job still leased
        return message

    def _flow(self) -> "FlowControl":
        flow: FlowControl = {"key": f"{LABEL}-{self._options.deployment}", "parallelism": self._options.parallelism}
        if self._options.rate:
            flow.update({"rate": self._options.rate, "period": "1m"})
        return flow

    def _publish(self, messages: "list[BatchRequest]") -> None:
        """In a thread: the time for a name to be found, and for many small pieces of an answer, has no limit else."""
        publishing = self._threads.submit(self._send, messages)
        try:
            publishing.result(PUBLISH_SECONDS)
        except Exception as error:  # noqa: BLE001 -- whatever it is, what was committed stays so
            publishing.cancel()
            log.warning("%d messages were not published; the sweep does it: %s", len(messages), _told(error))

    def _send(self, messages: "list[BatchRequest]") -> None:
        if len(messages) == 1:
            self._client().message.publish(**cast("dict[str, Any]", messages[0]))
            return
        for start in range(0, len(messages), _BATCH):
            self._client().message.batch(messages[start : start + _BATCH])


class _Outbox:
    """The messages of one transaction."""

    def __init__(self, publish: "Callable[[list[BatchRequest]], None]") -> None:
        self.messages: list[BatchRequest] = []
        self._publish = publish

    def __call__(self) -> None:
        self._publish(self.messages)


def _told(error: Any) -> str:
    return f"{type(error).__name__}: {error}"[:300]
