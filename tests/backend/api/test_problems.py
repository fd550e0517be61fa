import json
import socket
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from uuid6 import uuid7

from momentarium_cli.backend.galleries import Galleries
from momentarium_cli.errors import MomentariumError
from tests.backend.api.calls import assert_problem, described, process, upload
from tests.servers import Account, ApiServer

GENERATE = "/api/uploads/generate-urls"


def test_an_address_that_is_not_there_is_404(anyone: Account) -> None:
    for path in ("/", "/api", "/api/me/", "/api/nothing", "/docs", "/redoc", "/files", "/%00", "/é"):
        assert_problem(anyone.http.get(path), 404)


def test_a_method_that_is_not_there_is_405_and_says_which_are(anyone: Account) -> None:
    for method in ("DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "POST"):
        answer = anyone.http.request(method, "/api/me")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET"
        if method != "HEAD":
            assert_problem(answer, 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("change", "where"),
    [({"size_bytes": 0}, "size_bytes"), ({"size_bytes": 2**63}, "size_bytes"), ({"size_bytes": "many"}, "size_bytes"),
     ({"size_bytes": 1.5}, "size_bytes"), ({"sha256": "A" * 64}, "sha256"),
     ({"sha256": "a" * 63}, "sha256"), ({"sha256": "a" * 64 + "\n"}, "sha256"), ({"filename": ""}, "filename"),
     ({"filename": "a\x00b"}, "filename"), ({"filename": "x" * 1025}, "filename"), ({"content_type": "x"}, "content_"),
     ({"content_type": "image/jpeg\n"}, "content_type"), ({"colour": "red"}, "colour"),
     ({"filename": None}, "filename"),
     ({"preview": {"size_bytes": 1, "sha256": "a" * 64, "content_type": "image/png"}}, "preview")],
)  # fmt: skip
def test_what_is_not_the_schema_is_400_and_says_where(anyone: Account, change: dict[str, Any], where: str) -> None:
    answer = anyone.http.post(GENERATE, json={"files": [described(b"x", **change)]})
    problem = assert_problem(answer, 400, "bad_request")
    assert where in problem["errors"][0]["location"]
    assert where in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b'{"files": NaN}', b'{"files": [' * 2000,
     b'{"files": ' + b"9" * 5000 + b"}", b'{"\\ud800": 1}', b'{"files": [], "files": []}', b'{"\\u0000": 1}'],
)  # fmt: skip
def test_a_body_that_is_no_proper_json_is_400(anyone: Account, body: bytes) -> None:
    answer = anyone.http.post(GENERATE, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 400)


@pytest.mark.parametrize(
    "type_", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "image/jpeg", ";", "é"]
)
def test_a_body_of_another_type_is_400(anyone: Account, type_: str | None) -> None:
    body = json.dumps({"files": [described(b"x")]}).encode()
    headers: Any = {"Content-Type": type_.encode("latin-1")} if type_ else {}
    assert_problem(anyone.http.post(GENERATE, content=body, headers=headers), 400)


@pytest.mark.parametrize(
    "value", [b'"a\\u0000b"', b'"\\ud800"', b'"a\\udc00b"', b"NaN", b"Infinity", b"-Infinity", b"1e999", b"[]"]
)
@pytest.mark.parametrize(
    "field", ["original_filename", "source_folder", "camera", "latitude", "taken_at", "storage_key"]
)
def test_text_and_numbers_that_cannot_be_stored_are_400_or_unknown(anyone: Account, field: str, value: bytes) -> None:
    [key] = upload(anyone, b"photo")
    image = json.dumps({"storage_key": key, "original_filename": "a.jpg", "longitude": 7.0, "latitude": 7.0})
    fields = json.loads(image)
    fields.pop(field, None)
    text = json.dumps(fields)[:-1].encode() + b', "' + field.encode() + b'": ' + value + b"}"
    body = b'{"import_id": "' + str(uuid4()).encode() + b'", "images": [' + text + b"]}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid7())}
    answer = anyone.http.post("/api/galleries/process", content=body, headers=headers)
    assert_problem(answer, 422 if field == "storage_key" and b"u0000" in value else 400)


def test_surrogate_pairs_and_odd_but_proper_text_are_stored(anyone: Account) -> None:
    [key] = upload(anyone, b"photo")
    assert process(anyone, key, camera="📷 \u202e\u200b\ufffe", source_folder="a/../\\b\n").status_code == 202


def test_a_thousand_files_are_taken_and_one_more_is_not(anyone: Account) -> None:
    files = [described(b"%d" % number) for number in range(1001)]
    assert len(anyone.http.post(GENERATE, json={"files": files[:1000]}).json()["files"]) == 1000
    assert_problem(anyone.http.post(GENERATE, json={"files": files}), 400)
    assert_problem(anyone.http.post(GENERATE, json={"files": []}), 400)


def test_a_body_that_is_too_large_is_413(anyone: Account) -> None:
    large = b'{"files": "' + b"x" * (9 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    assert_problem(anyone.http.post(GENERATE, content=large, headers=headers), 413, "too_large")
    slices = (large[at : at + (1 << 20)] for at in range(0, len(large), 1 << 20))
    assert_problem(anyone.http.post(GENERATE, content=slices, headers=headers), 413, "too_large")


@pytest.mark.parametrize("key", [None, "", "x", "7", "00000000-0000-0000-0000-00000000000g"])
def test_a_batch_needs_an_idempotency_key(anyone: Account, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"import_id": str(uuid4()), "images": [{"storage_key": "x", "original_filename": "a"}]}
    problem = assert_problem(anyone.http.post("/api/galleries/process", json=body, headers=headers), 400)
    assert "idempotency-key" in problem["detail"].lower()


@pytest.mark.parametrize(
    "path",
    ["/api/galleries/me?limit=0", "/api/galleries/me?limit=201", "/api/galleries/me?limit=x", "/api/albums/x",
     "/api/galleries/me?cursor=forged", "/api/galleries/me?cursor=a.b", "/api/galleries/me?cursor=%00",
     "/api/albums/1?cursor=%F0%9F%92%A9", "/api/jobs?import_id=x", "/api/jobs/x/status", "/api/albums/1.5",
     "/api/albums/" + "9" * 5000],
)  # fmt: skip
def test_spoilt_addresses_are_400(anyone: Account, path: str) -> None:
    assert_problem(anyone.http.get(path), 400)


@pytest.mark.parametrize(
    "path",
    ["/api/albums/0", "/api/albums/-1", "/api/albums/9223372036854775808", "/api/albums/" + "9" * 300,
     "/api/galleries/0", "/api/galleries/x", "/api/galleries/9223372036854775808", "/api/galleries/Me",
     "/api/jobs/01a2076d-b027-74d6-ae25-bcb4899cb34e/status"],
)  # fmt: skip
def test_what_is_not_there_is_404(anyone: Account, path: str) -> None:
    assert_problem(anyone.http.get(path), 404)


def test_a_bug_is_a_500_that_tells_nothing(shared: ApiServer, anyone: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ZeroDivisionError("a secret"), MomentariumError("a secret")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(Galleries, "gallery", fail)
        answer = anyone.http.get("/api/galleries/me")
        assert "secret" not in json.dumps(assert_problem(answer, 500, "internal"))
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]


def test_every_answer_has_an_id_and_is_not_sniffed(anyone: Account) -> None:
    answers = [anyone.http.get(path) for path in ("/healthz", "/api/me", "/nothing", "/api/galleries/me")]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert answers[2].json()["request_id"] == answers[2].headers["X-Request-ID"]


def test_a_client_that_goes_away_in_the_middle_is_no_bug(
    shared: ApiServer, anyone: Account, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(shared.url)
    head = f"POST {GENERATE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {anyone.token}\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert anyone.http.get("/api/me").status_code == 200
    assert "internal error" not in caplog.text


def test_the_description_names_problems_and_how_each_route_is_opened(shared: ApiServer) -> None:
    description = httpx.get(f"{shared.url}/api/openapi.json", trust_env=False).json()
    assert description["openapi"].startswith("3.1")
    for item in description["paths"].values():
        for operation in item.values():
            assert operation["x-opened-by"]
            assert "application/problem+json" in operation["responses"]["4XX"]["content"]
