"""GET /api/me"""

from fastapi import APIRouter

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer
from momentarium_cli.backend.db import users
from momentarium_cli.models import Me

router = APIRouter()


@router.get("/api/me", **bearer("read"))
def me(caller: CallerDep, services: ServicesDep) -> Me:
    """Whose token this is, what it allows, and how much there is."""
    with services.database.transaction(caller.user_id) as conn:
        library = users.library(conn)
    return Me(
        user_id=caller.user_id,
        email=caller.email,
        scopes=sorted(caller.scopes),
        storage=services.uploads.where,
        storage_free_bytes=services.uploads.free_bytes(),
        regions=dict(services.uploads.regions),
        organizer=services.organizer,
        **library,
    )
