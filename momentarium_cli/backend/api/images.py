"""Photos: delete them."""

from typing import Annotated

from fastapi import APIRouter, Query

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer

router = APIRouter()


@router.delete("/api/images/{image_id}", status_code=204, **bearer("edit"))
def delete(
    image_id: int,
    caller: CallerDep,
    services: ServicesDep,
    for_good: Annotated[bool, Query(description="not into the bin, but with its objects")] = False,
) -> None:
    """Put a photo into the bin, from which uploading it again brings it back; or delete it for good."""
    if for_good:
        services.images.delete_for_good(caller.user_id, image_id)
    else:
        services.images.put_into_bin(caller.user_id, image_id)
