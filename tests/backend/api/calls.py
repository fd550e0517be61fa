"""What a client does with the API, step by step."""

import hashlib
from typing import Any
from uuid import uuid4

import httpx
from uuid6 import uuid7

from tests.servers import Account


def described(data: bytes, **more: Any) -> dict[str, Any]:
    """A file as generate-urls wants it."""
    return {
        "filename": "a.jpg",
        "content_type": "image/jpeg",
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **more,
    }


def upload(account: Account, *photos: bytes) -> list[str]:
    """Stores photos; answers their keys."""
    answer = account.http.post("/api/uploads/generate-urls", json={"files": [described(data) for data in photos]})
    assert answer.status_code == 200, answer.text
    slots = answer.json()["files"]
    for slot, data in zip(slots, photos, strict=True):
        target = slot["original"]
        if target:
            address = account.http.base_url.join(target["url"])
            put = httpx.put(address, headers=target["headers"], content=data, trust_env=False)
            assert put.status_code == 201, put.text
    return [slot["storage_key"] for slot in slots]


def process(account: Account, *keys: str, key: str | None = None, **more: Any) -> httpx.Response:
    images = [{"storage_key": item, "original_filename": "a.jpg", **more} for item in keys]
    headers = {"Idempotency-Key": key or str(uuid7())}
    return account.http.post(
        "/api/galleries/process", json={"import_id": str(uuid4()), "images": images}, headers=headers
    )


def assert_problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """RFC 9457, with our additions."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"] and problem["detail"] and problem["code"] and problem["request_id"]
    assert "\n" not in problem["detail"]
    if code is not None:
        assert problem["code"] == code
    return problem
