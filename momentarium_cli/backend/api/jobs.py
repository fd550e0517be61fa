"""Jobs: how they are doing, retry, cancel."""

from uuid import UUID

from fastapi import APIRouter, Response

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer
from momentarium_cli.models import Jobs, JobStatus

router = APIRouter()

FIRST_POLL_SECONDS = 1
POLL_SECONDS = 3


@router.get("/api/jobs", **bearer("read"))
def of_import(caller: CallerDep, services: ServicesDep, import_id: UUID | None = None, albums: bool = True) -> Jobs:
    """The jobs of an import, or the latest jobs; newest first. `albums=false`: without those that they made."""
    return Jobs(jobs=services.jobs.of_import(caller.user_id, import_id, with_albums=albums))


@router.get("/api/jobs/{job_id}/status", **bearer("read"))
def status(job_id: UUID, response: Response, caller: CallerDep, services: ServicesDep) -> JobStatus:
    """How a job is doing; while it has not ended, Retry-After says when to ask again."""
    found = services.jobs.status(caller.user_id, job_id)
    if not found.status.ended:
        just_begun = found.done == 0
        response.headers["Retry-After"] = str(FIRST_POLL_SECONDS if just_begun else POLL_SECONDS)
    return found


@router.post("/api/jobs/{job_id}/retry", status_code=202, **bearer("upload"))
def retry(job_id: UUID, caller: CallerDep, services: ServicesDep) -> JobStatus:
    """Run a failed job again, from the beginning."""
    return services.jobs.retry(caller.user_id, job_id)


@router.post("/api/jobs/{job_id}/cancel", **bearer("upload"))
def cancel(job_id: UUID, caller: CallerDep, services: ServicesDep) -> JobStatus:
    """End a job that has not ended; its photos stay."""
    return services.jobs.cancel(caller.user_id, job_id)
