from datetime import datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import httpx
import pytest
from uuid6 import uuid7

from momentarium_cli.backend.api import galleries
from momentarium_cli.backend.db import albums
from tests.backend.api.calls import assert_problem, described, process, upload
from tests.servers import Account, ApiServer


def test_a_batch_becomes_a_job_and_the_job_albums(api_server: ApiServer, ann: Account) -> None:
    keys = upload(ann, b"one", b"two")
    answer = process(ann, *keys)
    job_id = answer.json()["job_id"]
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.headers["Location"] == f"/api/jobs/{job_id}/status"
    assert answer.headers["Retry-After"] == "1"
    status = ann.http.get(answer.headers["Location"])
    assert (status.json()["status"], status.headers["Retry-After"]) == ("pending", "1")
    api_server.worker.run(UUID(job_id), Event())
    status = ann.http.get(answer.headers["Location"])
    assert status.json()["status"] == "completed"
    assert "Retry-After" not in status.headers
    [album] = status.json()["albums"]
    assert album["photos"] == 2
    page = ann.http.get(f"/api/albums/{album['id']}").json()
    assert [photo["decode_error"] is None for photo in page["photos"]] == [False, False]
    for photo, data in zip(page["photos"], (b"one", b"two"), strict=True):
        assert httpx.get(ann.http.base_url.join(photo["original_url"]), trust_env=False).content == data
    [again] = ann.http.post("/api/uploads/generate-urls", json={"files": [described(b"one")]}).json()["files"]
    assert (again["status"], again["original"]) == ("duplicate", None)


def test_the_same_request_again_is_the_same_job_and_says_so(ann: Account) -> None:
    [key] = upload(ann, b"photo")
    body = {"import_id": str(uuid4()), "images": [{"storage_key": key, "original_filename": "a.jpg"}]}
    headers = {"Idempotency-Key": str(uuid7())}
    first, again = (ann.http.post("/api/galleries/process", json=body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    body["import_id"] = str(uuid4())
    assert_problem(ann.http.post("/api/galleries/process", json=body, headers=headers), 409, "conflict")


def test_what_is_not_stored_is_named_with_422(ann: Account, ben: Account) -> None:
    [mine], [theirs] = upload(ann, b"mine"), upload(ben, b"theirs")
    ann.http.post("/api/uploads/generate-urls", json={"files": [described(b"never sent")]})
    problem = assert_problem(process(ann, mine, theirs), 422, "not_as_described")
    assert problem["errors"] == [{"storage_key": theirs, "reason": "not issued"}]


def test_another_s_things_are_404_as_if_they_were_not_there(api_server: ApiServer, ann: Account, ben: Account) -> None:
    job_id = process(ann, *upload(ann, b"photo")).json()["job_id"]
    api_server.worker.run(UUID(job_id), Event())
    [album] = ann.http.get("/api/galleries/me").json()["albums"]
    paths = [("GET", "/api/galleries/{}", ann.user_id, 999), ("GET", "/api/albums/{}", album["id"], 999),
             ("GET", "/api/jobs/{}/status", job_id, uuid4()), ("POST", "/api/jobs/{}/retry", job_id, uuid4()),
             ("POST", "/api/jobs/{}/cancel", job_id, uuid4())]  # fmt: skip
    for method, pattern, anns, nobodys in paths:
        path, never = pattern.format(anns), pattern.format(nobodys)
        assert_problem(ben.http.request(method, path), 404)
        own, other = (ben.http.request(method, each).json() for each in (never, path))
        assert {**own, "request_id": ""} == {**other, "request_id": ""}, "nothing tells the two apart"
    assert ben.http.get("/api/galleries/me").json()["albums"] == []
    assert ben.http.get("/api/jobs").json()["jobs"] == []
    assert ann.http.get(f"/api/galleries/{ann.user_id}").status_code == 200


def test_retry_and_cancel_follow_the_job_s_state(ann: Account) -> None:
    job = f"/api/jobs/{process(ann, *upload(ann, b'photo')).json()['job_id']}"
    assert_problem(ann.http.post(f"{job}/retry"), 409)
    assert ann.http.post(f"{job}/cancel").json()["error_code"] == "cancelled"
    assert_problem(ann.http.post(f"{job}/cancel"), 409)
    answer = ann.http.post(f"{job}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


@pytest.fixture
def many(api_server: ApiServer, ann: Account) -> list[int]:
    """Albums of Ann's, newest first."""
    start = datetime(2024, 5, 12)
    with api_server.database.transaction(ann.user_id) as conn:
        unset = dict.fromkeys(("job_id", "theme_description", "place", "cover_id", "organized_by"))
        made = [
            albums.add(
                conn,
                {
                    "title": f"{n}",
                    "kind": "event",
                    "starts_at": start + timedelta(days=n // 2),
                    "ends_at": start,
                    **unset,
                },
            )
            for n in range(7)
        ]
    return made[::-1]


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_walk_all_albums(ann: Account, many: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = ann.http.get("/api/galleries/me", params=parameters).json()
        seen += [album["id"] for album in page["albums"]]
        cursor = page["next_cursor"]
    assert seen == many


def test_a_gallery_that_did_not_change_is_304(
    api_server: ApiServer, ann: Account, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ann.http.get("/api/galleries/me")
    tag = answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = ann.http.get("/api/galleries/me", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert ben.http.get("/api/galleries/me", headers={"If-None-Match": tag}).status_code == 200
    job_id = process(ann, *upload(ann, b"photo")).json()["job_id"]
    api_server.worker.run(UUID(job_id), Event())
    changed = ann.http.get("/api/galleries/me", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    tag = changed.headers["ETag"]
    monkeypatch.setattr(galleries, "DOWNLOAD_GRID_SECONDS", 7)  # the addresses in it have changed
    assert ann.http.get("/api/galleries/me", headers={"If-None-Match": tag}).status_code == 200


def test_the_jobs_of_an_import_are_listed(ann: Account) -> None:
    job_id = process(ann, *upload(ann, b"photo")).json()["job_id"]
    import_id = ann.http.get(f"/api/jobs/{job_id}/status").json()["import_id"]
    process(ann, *upload(ann, b"another"))
    assert [job["id"] for job in ann.http.get("/api/jobs", params={"import_id": import_id}).json()["jobs"]] == [job_id]
    assert len(ann.http.get("/api/jobs").json()["jobs"]) == 2
