"""Follow jobs until they have ended, asking as often as the server wishes."""

import time
from collections.abc import Iterator, Sequence
from threading import Event as StopEvent

from momentarium_cli.client.api import Api
from momentarium_cli.client.events import JobProgress
from momentarium_cli.errors import JobFailed, Stopped

_SHORTEST_SECONDS = 0.2


def follow(api: Api, job_ids: Sequence[str], stop: StopEvent, *, timeout: float | None = None) -> Iterator[JobProgress]:
    """The state of each job whenever it changes, and at last its end; jobs end in their order.

    Raises JobFailed after `timeout` seconds, Stopped when told to stop. A job that fails is an end like any other.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    for job_id in job_ids:
        last = None
        while True:
            status, wait = api.job(job_id)
            if status != last:
                yield JobProgress(status)
                last = status
            if status.status.ended:
                break
            if deadline is not None and time.monotonic() + wait > deadline:
                raise JobFailed(
                    f"Job {job_id} did not end within {timeout:g} s; the photos are safe.",
                    hint=f"`momentarium status {job_id}` tells how it is doing.",
                )
            if stop.wait(max(_SHORTEST_SECONDS, wait)):
                raise Stopped("Stopped. The photos are safe, and the job goes on in the background.")
