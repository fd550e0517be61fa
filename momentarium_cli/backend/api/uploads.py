"""Uploads: signed requests, and the end of what came in parts."""

from fastapi import APIRouter, Response

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer
from momentarium_cli.models import CompleteUpload, GenerateUrls, UploadSlots

router = APIRouter()


@router.post("/api/uploads/generate-urls", **bearer("upload"))
def generate_urls(body: GenerateUrls, caller: CallerDep, services: ServicesDep) -> UploadSlots:
    """Signed requests for files about to be uploaded; those that are here already are told."""
    services.arrivals.mark()
    return services.uploads.issue(caller.user_id, body.files, body.import_id, body.region)


@router.post("/api/uploads/complete", status_code=204, **bearer("upload"))
def complete(body: CompleteUpload, caller: CallerDep, services: ServicesDep) -> Response:
    """Make one of the parts that were sent; the same again is no error."""
    services.arrivals.mark()
    services.uploads.complete(caller.user_id, body.storage_key)
    return Response(status_code=204)
