"""The local store's signed addresses: PUT and GET /files/{key}."""

import asyncio
from collections.abc import Awaitable, Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from momentarium_cli.backend.api.auth import ServicesDep, signed
from momentarium_cli.backend.services import Services
from momentarium_cli.backend.storage.base import Body, SignedFiles, disposition
from momentarium_cli.errors import BadRequest, Forbidden, NotFound
from momentarium_cli.models import Adopt

router = APIRouter()

_SLICE_BYTES = 1 << 20


@router.put("/files/{key:path}", status_code=201, **signed())
async def put(key: str, request: Request, services: ServicesDep) -> Response:
    """Store the body, an object or a part of one, if it is what was signed."""
    services.arrivals.mark()
    await _receive(request, await asyncio.to_thread(_place, _local(services), key, request))
    services.arrivals.mark()
    return Response(status_code=201)


def _place(store: SignedFiles, key: str, request: Request) -> Body:
    query = _query(request, key)
    if "part" in query:
        return store.receive_part(query.get("upload", ""), store.check_part(key, query, request.headers))
    return store.receive(key, store.check_upload(key, query, request.headers))


@router.post("/files/{key:path}", status_code=201, **signed())
def adopt(key: str, body: Adopt, request: Request, services: ServicesDep) -> Response:
    """Store a file that a client on the same file system laid into the store's folder, if it is what was signed."""
    store = _local(services)
    store.adopt(key, store.check_upload(key, _query(request, key), body.headers), body.staged)
    services.arrivals.mark()
    return Response(status_code=201)


@router.get("/files/{key:path}", response_class=FileResponse, **signed())
def get(key: str, request: Request, services: ServicesDep) -> FileResponse:
    """The object, as the address says: shown, or downloaded under a name."""
    path, content_type, name = _local(services).check_download(key, _query(request, key))
    return FileResponse(
        path,
        media_type=content_type,
        headers={
            "Content-Disposition": disposition(name),
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, max-age=3600, immutable",
        },
    )


def _local(services: Services) -> SignedFiles:
    if services.files is None:
        raise NotFound("There is nothing at this address.")
    return services.files


def _query(request: Request, key: str) -> Mapping[str, str]:
    """The query, where every name is there once; and the path is the key's, with no line break that routing cut off."""
    repeated = len(request.query_params.multi_items()) != len(request.query_params)
    if repeated or request.scope["path"] != f"/files/{key}":
        raise Forbidden("The request is not the one that was signed.", code="bad_signature")
    return request.query_params


async def _receive(request: Request, incoming: Body) -> None:
    """Hash and write off the loop, in slices, one of them under way while the next comes in."""
    pending: Awaitable[None] | None = None
    slice_: list[bytes] = []
    length = 0
    try:
        async for chunk in request.stream():
            slice_.append(chunk)
            length += len(chunk)
            if length >= _SLICE_BYTES:
                if pending is not None:
                    await pending
                pending = asyncio.ensure_future(asyncio.to_thread(incoming.write, slice_))
                slice_, length = [], 0
        if pending is not None:
            await pending
        await asyncio.to_thread(_finish, incoming, slice_)
    except ClientDisconnect:
        raise BadRequest("The body ended before its time.", code="bad_length") from None
    finally:
        if pending is not None:
            await asyncio.gather(pending, return_exceptions=True)
        await asyncio.to_thread(incoming.abort)


def _finish(incoming: Body, rest: list[bytes]) -> None:
    incoming.write(rest)
    incoming.commit()
