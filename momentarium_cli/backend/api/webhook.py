"""What the queue calls: run a job, hear of a message that did not arrive, keep house.

A request without both proofs gets one and the same answer, whatever is wrong with it; the log says what.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from contextvars import copy_context
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from momentarium_cli.backend.api.auth import ServicesDep, webhook
from momentarium_cli.backend.api.problems import answer
from momentarium_cli.backend.deliveries import Deliveries
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.webhook import (
    FAILED_PATH,
    MAINTENANCE_PATH,
    MAX_BODY_BYTES,
    PROCESS_PATH,
    REFUSAL,
    NotProven,
)
from momentarium_cli.errors import BadRequest, NotAllowed, NotFound, Temporary
from momentarium_cli.logs import request_id

router = APIRouter()
log = logging.getLogger(__name__)

_Act = Callable[[], object]


class _Never(BadRequest):
    """A message that will not succeed however often it comes."""

    status = 489  # with the header below, QStash does not try again
    code = "never"
    title = "Never"


class _Message(BaseModel):
    """What we publish."""

    model_config = ConfigDict(extra="ignore")

    job_id: UUID
    fence: int = Field(ge=0, lt=1 << 63)


class _Failure(BaseModel):
    """What a failure callback tells; `sourceBody` is our message in base64."""

    model_config = ConfigDict(extra="ignore")

    status: int = 0
    retried: int = 0
    source_body: str = Field(alias="sourceBody")


@router.post(PROCESS_PATH, **webhook())
async def process(request: Request, services: ServicesDep) -> JSONResponse:
    """Run the job that a message names, for a while."""
    return await _answered(request, services, _run)


@router.post(FAILED_PATH, **webhook())
async def failed(request: Request, services: ServicesDep) -> JSONResponse:
    """Take note of a message that was not delivered."""
    return await _answered(request, services, _undelivered)


@router.post(MAINTENANCE_PATH, **webhook())
async def maintenance(request: Request, services: ServicesDep) -> JSONResponse:
    """Deliver again what is overdue, and delete what nobody needs."""
    return await _answered(request, services, _maintain)


def _run(deliveries: Deliveries, body: bytes) -> _Act:
    message = _Message.model_validate_json(body)
    return lambda: deliveries.run(message.job_id)


def _undelivered(deliveries: Deliveries, body: bytes) -> _Act:
    failure = _Failure.model_validate_json(body)
    message = _Message.model_validate_json(base64.b64decode(failure.source_body, validate=True))
    reason = f"Its message was not delivered in {failure.retried + 1} tries, the last one ended with {failure.status}."
    return lambda: deliveries.undelivered(message.job_id, message.fence, reason)


def _maintain(deliveries: Deliveries, _: bytes) -> _Act:
    return deliveries.maintain


async def _answered(request: Request, services: Services, read: Callable[[Deliveries, bytes], _Act]) -> JSONResponse:
    try:
        body = await _proven_body(request, services)
    except NotProven as error:
        log.warning("refused %s: %s", request.scope["path"], error.reason)
        return _refusal()
    try:
        act = read(services.deliveries, body)
    except ValueError as error:
        return _never(f"it is none of our messages: {type(error).__name__}")
    try:
        await _in_thread(services, act)
    except NotFound as error:
        return _never(error.message)
    except Temporary as error:
        return answer(Temporary(error.message, retry_after=error.retry_after))
    return JSONResponse({"status": "ok"})


async def _proven_body(request: Request, services: Services) -> bytes:
    """The body as it came, once it is proven whose it is; nothing is parsed before."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise NotProven("body too large")
    if services.proofs is None:
        raise NotProven("no queue calls this server")
    services.proofs.check(request.scope["path"], request.headers.raw, bytes(body), time.time())
    return bytes(body)


async def _in_thread(services: Services, act: _Act) -> None:
    """In a thread of the deliveries' own: they take long, and must not keep the requests of users waiting."""
    await asyncio.get_running_loop().run_in_executor(services.deliveries.threads, copy_context().run, act)


def _refusal() -> JSONResponse:
    """The same to the last byte: the body has no id of the request, only the header has."""
    token = request_id.set("-")
    try:
        return answer(NotAllowed(REFUSAL))
    finally:
        request_id.reset(token)


def _never(reason: str) -> JSONResponse:
    log.warning("a message can never succeed: %s", reason)
    response = answer(_Never("The message names nothing that can be done."))
    response.headers["Upstash-NonRetryable-Error"] = "true"
    return response
