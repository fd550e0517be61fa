"""How a route is opened. Every route says so; one that does not fails a test.

bearer    a token of a user, with a scope
signed    the address itself is the proof
webhook   the queue's two proofs
public    anyone
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from momentarium_cli.backend.db import users
from momentarium_cli.backend.db.users import Caller
from momentarium_cli.backend.services import Services
from momentarium_cli.errors import Forbidden, NotAllowed
from momentarium_cli.models import Problem

SCOPES = ("read", "upload", "edit")

_scheme = HTTPBearer(auto_error=False)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "content": {"application/problem+json": {}}},
    "5XX": {"model": Problem, "content": {"application/problem+json": {}}},
}


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(_services)]


def _caller(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)],
) -> Caller:
    if credentials is None:
        raise NotAllowed("A bearer token is needed.", hint="Run `momentarium login`.")
    with services.database.transaction(None) as conn:
        caller = users.authenticate(conn, credentials.credentials)
    if caller is None:
        raise NotAllowed("The token is not valid.", hint="Run `momentarium login` with a new one.")
    scope = request.scope["route"].openapi_extra["x-scope"]
    if scope not in caller.scopes:
        raise Forbidden(f'The token does not have the scope "{scope}".', code="insufficient_scope")
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


def bearer(scope: str) -> dict[str, Any]:
    """Keyword arguments of a route that needs a token with this scope."""
    return _route("bearer", {"x-scope": scope})


def signed() -> dict[str, Any]:
    """Keyword arguments of a route whose address is signed."""
    return _route("signed", {})


def webhook() -> dict[str, Any]:
    """Keyword arguments of a route that only the queue may call; the route itself checks it, with the raw body."""
    return _route("webhook", {})


def public() -> dict[str, Any]:
    """Keyword arguments of a route that anyone may call."""
    return _route("public", {})


def _route(opened_by: str, extra: dict[str, str]) -> dict[str, Any]:
    return {"openapi_extra": {"x-opened-by": opened_by, **extra}, "responses": _PROBLEMS}
