"""POST /api/uploads/generate-urls"""

from fastapi import APIRouter

from momentarium_cli.backend.api.auth import CallerDep, ServicesDep, bearer
from momentarium_cli.models import GenerateUrls, UploadSlots

router = APIRouter()


@router.post("/api/uploads/generate-urls", **bearer("upload"))
def generate_urls(body: GenerateUrls, caller: CallerDep, services: ServicesDep) -> UploadSlots:
    """Signed requests for files about to be uploaded; those that are here already are told."""
    services.arrivals.mark()
    return services.uploads.issue(caller.user_id, body.files, body.import_id)
