"""Health: whether the process lives, and whether it can work."""

from fastapi import APIRouter

from momentarium_cli.backend.api.auth import ServicesDep, public

router = APIRouter()


@router.get("/healthz", **public())
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", **public())
def readyz(services: ServicesDep) -> dict[str, str]:
    """The database answers; 503 where it does not."""
    with services.database.transaction(None) as conn:
        conn.execute("select 1")
    return {"status": "ready"}
