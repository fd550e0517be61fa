"""Every error as RFC 9457 problem+json: our error class says status and code, and nothing else leaks."""

import logging
import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from momentarium_cli.errors import (
    BadRequest,
    MethodNotAllowed,
    MomentariumError,
    NotFound,
    Temporary,
    TooLarge,
)
from momentarium_cli.logs import request_id
from momentarium_cli.models import Problem

log = logging.getLogger(__name__)

_DEFAULT_RETRY_SECONDS = 3


def install(app: FastAPI) -> None:
    app.add_exception_handler(MomentariumError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def answer(error: MomentariumError) -> JSONResponse:
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=str(error),
        code=error.error_code,
        request_id=request_id.get(),
        errors=[dict(item) for item in error.details],
    )
    headers = {}
    if isinstance(error, Temporary):
        headers["Retry-After"] = str(math.ceil(error.retry_after or _DEFAULT_RETRY_SECONDS))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.model_dump(), status_code=error.status, headers=headers, media_type="application/problem+json"
    )


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MomentariumError)  # noqa: S101 -- registered for this class
    if type(error) is MomentariumError:
        return bug(error)
    return answer(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for this class
    details: list[dict[str, Any]] = [
        {"location": _one_line(".".join(str(part) for part in item["loc"])), "reason": _one_line(item["msg"])}
        for item in error.errors()
    ]
    first = details[0]
    return answer(BadRequest(f"{first['location']}: {first['reason']}.", details=details[:100]))


def _one_line(text: str) -> str:
    """What quotes the request may have line breaks in it."""
    return " ".join(text.split())


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class
    known: dict[int, MomentariumError] = {
        404: NotFound("There is nothing at this address."),
        405: MethodNotAllowed("This address does not take this method."),
        408: Temporary("The body stopped coming."),
        413: TooLarge("The body is too large."),
    }
    response = answer(known.get(error.status_code, BadRequest(str(error.detail))))
    response.headers.update(error.headers or {})
    return response


def bug(error: Exception) -> JSONResponse:
    """What is nobody's fault but ours."""
    log.error("internal error", exc_info=error)
    return answer(MomentariumError("Something went wrong in the server.", hint="Its log tells more."))
