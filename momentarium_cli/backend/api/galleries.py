"""Galleries: process a batch into albums, and read them."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer
from momentarium_cli.backend.db.jobs import Job
from momentarium_cli.backend.storage.base import DOWNLOAD_GRID_SECONDS
from momentarium_cli.errors import NotFound
from momentarium_cli.models import AlbumPage, AlbumTree, Gallery, JobAccepted, JobState, Process, Regroup

router = APIRouter()

FIRST_POLL_SECONDS = 1


@router.post("/api/galleries/process", status_code=202, **bearer("upload"))
def process(
    body: Process,
    idempotency_key: Annotated[UUID, Header(description="the batch's UUID; the same request again is the same job")],
    response: Response,
    caller: CallerDep,
    services: ServicesDep,
) -> JobAccepted:
    """Register uploaded photos and have them organized in the background."""
    return _accepted(*services.jobs.accept(caller.user_id, body, idempotency_key), response)


def _accepted(job: Job, replayed: bool, response: Response) -> JobAccepted:
    response.headers["Location"] = f"/api/jobs/{job.id}/status"
    response.headers["Retry-After"] = str(FIRST_POLL_SECONDS)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return JobAccepted(job_id=job.id, status=JobState(job.status))


@router.get("/api/galleries/{user_id}", response_model=Gallery, **bearer("read"))
def gallery(
    user_id: str,
    request: Request,
    response: Response,
    caller: CallerDep,
    services: ServicesDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Gallery | Response:
    """The user's albums, newest first; `me` is whoever asks."""
    if user_id not in ("me", str(caller.user_id)):
        raise NotFound("There is no such gallery.")
    tag = f'"{caller.user_id}-{services.galleries.version(caller.user_id)}-{int(time.time()) // DOWNLOAD_GRID_SECONDS}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _names(request.headers.get("If-None-Match", ""), tag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return services.galleries.gallery(caller.user_id, cursor=cursor, limit=limit)


def _names(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; a proxy that compresses makes it a weak one."""
    return tag in (part.strip().removeprefix("W/") for part in header.split(","))


@router.get("/api/albums/tree", **bearer("read"))
def tree(
    caller: CallerDep,
    services: ServicesDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AlbumTree:
    """Trips with their albums, and albums that are in none, each with its chapters; newest first."""
    return services.galleries.tree(caller.user_id, cursor=cursor, limit=limit)


@router.post("/api/albums/regroup", status_code=202, **bearer("edit"))
def regroup(
    body: Regroup,
    idempotency_key: Annotated[
        UUID, Header(description="a new UUID, version 7; the same request again is the same job")
    ],
    response: Response,
    caller: CallerDep,
    services: ServicesDep,
) -> JobAccepted:
    """Make all albums anew in the background, at this level of the tree; those that their owner touched stay."""
    return _accepted(*services.jobs.regroup(caller.user_id, body.level, idempotency_key), response)


@router.get("/api/albums/{album_id}", **bearer("read"))
def album(
    album_id: int,
    caller: CallerDep,
    services: ServicesDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> AlbumPage:
    """An album and its photos, a page at a time."""
    return services.galleries.album(caller.user_id, album_id, cursor=cursor, limit=limit)
