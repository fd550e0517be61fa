from typing import Any, cast

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from momentarium_cli.backend.api import auth
from momentarium_cli.backend.api.app import ROUTERS, create_app
from momentarium_cli.backend.services import Services
from tests.backend.api.calls import assert_problem
from tests.servers import Account, ApiServer

APP = create_app(cast("Services", None))
ROUTES = [route for router in ROUTERS for route in router.routes]


def opened_by(route: APIRoute) -> str:
    return str((route.openapi_extra or {}).get("x-opened-by"))


def asks_for_a_token(route: APIRoute) -> bool:
    """Whether the function that finds the caller is among what it depends on."""
    waiting = list(route.dependant.dependencies)
    while waiting:
        dependency = waiting.pop()
        if dependency.call is auth._caller:
            return True
        waiting += dependency.dependencies
    return False


def test_all_routes_are_known() -> None:
    described = {(method.upper(), path) for path, item in APP.openapi()["paths"].items() for method in item}
    known = {(method, route.path) for route in ROUTES if isinstance(route, APIRoute) for method in route.methods or ()}
    assert {(method, path.replace(":path", "")) for method, path in known} == described
    others = {route.path for route in APP.routes if type(route) is Route}
    assert others == {"/api/openapi.json"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_every_route_says_how_it_is_opened_and_is(route: Any) -> None:
    assert isinstance(route, APIRoute)
    assert opened_by(route) in ("bearer", "signed", "webhook", "public")
    assert asks_for_a_token(route) == (opened_by(route) == "bearer")
    if opened_by(route) == "bearer":
        assert (route.openapi_extra or {})["x-scope"] in auth.SCOPES


def test_what_anyone_may_call_is_short() -> None:
    assert {route.path for route in ROUTES if isinstance(route, APIRoute) and opened_by(route) == "public"} == {
        "/healthz", "/readyz",
    }  # fmt: skip


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer x", "Bearer mom_wrong", "Basic YTpi", "mom_wrong", "Bearer é",
               "Bearer " + "x" * 5000],
)  # fmt: skip
def test_without_a_good_token_it_is_401(shared: ApiServer, header: str | None) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header is not None else {}
    with shared.http() as http:
        answer = http.get("/api/me", headers=cast("Any", headers))
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
def test_a_token_that_was_revoked_or_has_expired_is_401(api_server: ApiServer, ann: Account, change: str) -> None:
    assert ann.http.get("/api/me").status_code == 200
    with api_server.database.administration() as conn:
        conn.execute(f"update api_tokens set {change}")
    assert_problem(ann.http.get("/api/me"), 401)


def test_every_route_for_a_token_is_closed_without_one_and_without_its_scope(api_server: ApiServer) -> None:
    with (
        api_server.http() as nobody,
        api_server.account("editor@example.com", ["edit"]) as editor,
        api_server.account("reader@example.com", ["read"]) as reader,
    ):
        for route in ROUTES:
            assert isinstance(route, APIRoute)
            if opened_by(route) != "bearer":
                continue
            path = route.path.format(
                job_id="00000000-0000-0000-0000-000000000000", user_id="me", album_id=1, image_id=1
            )
            for method in route.methods or ():
                assert_problem(nobody.request(method, path), 401)
                narrow = reader if (route.openapi_extra or {})["x-scope"] == "edit" else editor
                assert_problem(narrow.http.request(method, path), 403, "insufficient_scope")


def test_me_says_whose_token_this_is(api_server: ApiServer) -> None:
    with api_server.account("ann@example.com", ["read"]) as ann:
        answer = ann.http.get("/api/me")
    me = answer.json()
    assert (me["user_id"], me["email"], me["scopes"]) == (ann.user_id, "ann@example.com", ["read"])
    assert me["storage_free_bytes"] > 0 and me["library_id"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_tokens_do_not_come_in_addresses(api_server: ApiServer, ann: Account) -> None:
    answer = httpx.get(f"{api_server.url}/api/me?token={ann.token}&access_token={ann.token}", trust_env=False)
    assert_problem(answer, 401)
