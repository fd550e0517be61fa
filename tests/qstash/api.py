"""The paths of the service's HTTP API, as far as the vendor's SDK and this product call them."""

import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.qstash.messages import Refused
from tests.qstash.schedules import Schedule
from tests.qstash.service import Service
from tests.qstash.views import dead_letter_view, message_view, schedule_view

T = TypeVar("T")
PAGE = 100
Endpoint = Callable[[Request], Awaitable[Response]]
_FILTERS = ("messageId", "url", "scheduleId", "responseStatus", "label", "callerIp")


@dataclass
class Api:
    """`refusals` are given to the next requests, one each."""

    service: Service
    token: str
    refusals: deque[Refused] = field(default_factory=deque)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[self._route(*row) for row in self._table()])

    def _table(self) -> list[tuple[str, str, Endpoint]]:
        return [
            ("POST", "/v2/publish/{destination:path}", self.publish),
            ("POST", "/v2/batch", self.batch),
            ("GET", "/v2/messages/{id}", self.message),
            ("DELETE", "/v2/messages/{id}", self.cancel),
            ("DELETE", "/v2/messages", self.cancel_many),
            ("GET", "/v2/dlq", self.dead_letters),
            ("DELETE", "/v2/dlq", self.delete_dead_letters),
            ("POST", "/v2/dlq/retry/{id}", self.retry_dead_letter),
            ("GET", "/v2/dlq/{id}", self.dead_letter),
            ("DELETE", "/v2/dlq/{id}", self.delete_dead_letter),
            ("GET", "/v2/schedules", self.schedules),
            ("GET", "/v2/schedules/{id}", self.schedule),
            ("DELETE", "/v2/schedules/{id}", self.delete_schedule),
            ("PATCH", "/v2/schedules/{id}/pause", self.pause_schedule),
            ("PATCH", "/v2/schedules/{id}/resume", self.resume_schedule),
            ("POST", "/v2/schedules/{destination:path}", self.create_schedule),
            ("GET", "/v2/keys", self.keys),
            ("POST", "/v2/keys/rotate", self.rotate_keys),
        ]

    def _route(self, method: str, path: str, endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                return await endpoint(request)
            except Refused as refused:
                return JSONResponse({"error": str(refused)}, refused.status, refused.headers)

        return Route(path, answer, methods=[method])

    def _admit(self, request: Request) -> None:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise Refused(401, "unable to authenticate: invalid token")
        if self.refusals:
            raise self.refusals.popleft()

    # --- messages

    async def publish(self, request: Request) -> Response:
        url = _destination(request, "/v2/publish/")
        told, status = self._publish(url, await request.body(), request.headers, request)
        return JSONResponse(told, status)

    async def batch(self, request: Request) -> Response:
        """A message that is refused has an error in its place; the others are published."""
        return JSONResponse([self._publish_item(item, request) for item in await request.json()])

    async def message(self, request: Request) -> Response:
        return JSONResponse(message_view(_named(request, self.service.waiting)))

    async def cancel(self, request: Request) -> Response:
        if not self.service.cancel([request.path_params["id"]]):
            raise Refused(404, "message not found")
        return JSONResponse({"cancelled": 1}, 202)

    async def cancel_many(self, request: Request) -> Response:
        """The SDK names the messages in a body, the documentation in the query."""
        body = json.loads(await request.body() or b"{}")
        named = body.get("messageIds") or request.query_params.getlist("messageIds")
        return JSONResponse({"cancelled": self.service.cancel(named or None)}, 202)

    def _publish(self, url: str, body: bytes, asked: Headers, request: Request) -> tuple[dict[str, Any], int]:
        message_id, deduplicated = self.service.publish(url, body, asked, _caller(request))
        told = {"messageId": message_id}
        return (told | {"deduplicated": True}, 202) if deduplicated else (told, 200)

    def _publish_item(self, item: dict[str, Any], request: Request) -> dict[str, Any]:
        body = (item.get("body") or "").encode()
        try:
            return self._publish(item["destination"], body, Headers(item.get("headers")), request)[0]
        except Refused as refused:
            return {"error": str(refused)}

    # --- dead letters

    async def dead_letters(self, request: Request) -> Response:
        """A page of what the query's filters leave; the cursor is the id of the next page's first."""
        views = [dead_letter_view(letter) for letter in list(self.service.dead_letters.values())]
        found = [view for view in views if _passes(view, request)]
        start = [view["dlqId"] for view in found].index(cursor) if (cursor := request.query_params.get("cursor")) else 0
        end = start + min(PAGE, int(request.query_params.get("count", PAGE)))
        following = {"cursor": found[end]["dlqId"]} if end < len(found) else {}
        return JSONResponse({"messages": found[start:end]} | following)

    async def dead_letter(self, request: Request) -> Response:
        return JSONResponse(dead_letter_view(_named(request, self.service.dead_letters)))

    async def delete_dead_letter(self, request: Request) -> Response:
        letter = _named(request, self.service.dead_letters)
        del self.service.dead_letters[letter.dlq_id]
        return Response()

    async def delete_dead_letters(self, request: Request) -> Response:
        named = json.loads(await request.body())["dlqIds"]
        deleted = [self.service.dead_letters.pop(dlq_id, None) for dlq_id in named]
        return JSONResponse({"deleted": sum(letter is not None for letter in deleted)})

    async def retry_dead_letter(self, request: Request) -> Response:
        message_id = self.service.republish(_named(request, self.service.dead_letters), request.headers)
        return JSONResponse({"messageId": message_id}, 201)

    # --- schedules

    async def create_schedule(self, request: Request) -> Response:
        url = _destination(request, "/v2/schedules/")
        asked = request.headers
        return JSONResponse({"scheduleId": self.service.schedule(url, await request.body(), asked, _caller(request))})

    async def schedules(self, _request: Request) -> Response:
        return JSONResponse([self._schedule_view(schedule) for schedule in list(self.service.schedules.values())])

    async def schedule(self, request: Request) -> Response:
        return JSONResponse(self._schedule_view(_named(request, self.service.schedules)))

    async def delete_schedule(self, request: Request) -> Response:
        self.service.schedules.pop(request.path_params["id"], None)
        return Response()

    async def pause_schedule(self, request: Request) -> Response:
        _named(request, self.service.schedules).paused = True
        return Response()

    async def resume_schedule(self, request: Request) -> Response:
        _named(request, self.service.schedules).paused = False
        return Response()

    def _schedule_view(self, schedule: Schedule) -> dict[str, Any]:
        return schedule_view(schedule, self.service.message_of(schedule))

    # --- keys

    async def keys(self, _request: Request) -> Response:
        keys = self.service.keys
        return JSONResponse({"current": keys.current, "next": keys.next})

    async def rotate_keys(self, request: Request) -> Response:
        self.service.keys.rotate()
        return await self.keys(request)


def _named(request: Request, table: Mapping[str, T]) -> T:
    """What the path names."""
    if request.path_params["id"] not in table:
        raise Refused(404, "not found")
    return table[request.path_params["id"]]


def _destination(request: Request, prefix: str) -> str:
    """What follows in the path and in the query, as it was sent."""
    path: str = request.scope["raw_path"].decode("ascii")
    query: str = request.scope["query_string"].decode("ascii")
    return path.removeprefix(prefix) + (f"?{query}" if query else "")


def _caller(request: Request) -> str:
    return request.client.host if request.client else ""


def _passes(view: dict[str, Any], request: Request) -> bool:
    wanted = {name: request.query_params[name] for name in _FILTERS if name in request.query_params}
    return all(str(view.get(name.replace("Ip", "IP"))) in value.split(",") for name, value in wanted.items())
