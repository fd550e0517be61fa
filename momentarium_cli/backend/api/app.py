"""The application: every route, what happens around requests, and how errors look."""

from fastapi import FastAPI

from momentarium_cli import __version__
from momentarium_cli.backend.api import files, galleries, health, images, jobs, me, problems, uploads, webhook
from momentarium_cli.backend.api.middleware import Envelope
from momentarium_cli.backend.services import Services

ROUTERS = (
    uploads.router,
    galleries.router,
    images.router,
    jobs.router,
    me.router,
    files.router,
    webhook.router,
    health.router,
)


def create_app(services: Services) -> FastAPI:
    app = FastAPI(
        title="Momentarium",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    app.add_middleware(Envelope)
    for router in ROUTERS:
        app.include_router(router)
    return app
