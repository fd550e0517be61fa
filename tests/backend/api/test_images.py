import pytest

from tests.backend.api.calls import assert_problem, described, process, upload
from tests.servers import Account, ApiServer


def photo(account: Account, server: ApiServer, data: bytes = b"photo") -> int:
    """A photo without an album; its number."""
    assert process(account, *upload(account, data)).status_code == 202
    with server.database.administration() as conn:
        row = conn.execute("select max(id) as id from images where user_id = %s", [account.user_id]).fetchone()
    assert row is not None
    return int(row["id"])


def status(account: Account, data: bytes = b"photo") -> str:
    """What the server says of a photo that is about to be uploaded."""
    answer = account.http.post("/api/uploads/generate-urls", json={"files": [described(data)]})
    return str(answer.json()["files"][0]["status"])


def test_a_photo_goes_into_the_bin(ann: Account, api_server: ApiServer) -> None:
    image_id = photo(ann, api_server)
    for _ in range(2):
        answer = ann.http.delete(f"/api/images/{image_id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert status(ann) == "in_bin"


def test_a_photo_goes_for_good(ann: Account, api_server: ApiServer) -> None:
    image_id = photo(ann, api_server)
    assert ann.http.delete(f"/api/images/{image_id}", params={"for_good": "true"}).status_code == 204
    assert status(ann) == "upload"
    assert not [path for path in (api_server.data_dir / "objects" / "originals").rglob("*") if path.is_file()]
    assert_problem(ann.http.delete(f"/api/images/{image_id}"), 404, "not_found")


@pytest.mark.parametrize("for_good", ["false", "true"])
def test_another_s_photo_is_not_there(ann: Account, ben: Account, api_server: ApiServer, for_good: str) -> None:
    image_id = photo(ann, api_server)
    assert_problem(ben.http.delete(f"/api/images/{image_id}", params={"for_good": for_good}), 404, "not_found")
    assert status(ann) == "duplicate"


def test_only_who_may_edit_may_delete(ann: Account, api_server: ApiServer) -> None:
    with api_server.account("eve@example.com", scopes=("read", "upload")) as eve:
        assert_problem(eve.http.delete("/api/images/1"), 403, "insufficient_scope")


@pytest.mark.parametrize("image_id", ["x", "1.5", "9" * 40, "-1"])
def test_a_number_that_is_none_is_no_bug(ann: Account, image_id: str) -> None:
    assert ann.http.delete(f"/api/images/{image_id}").status_code in (400, 404)


def test_a_photo_that_is_being_deleted_is_to_be_asked_for_again(ann: Account, api_server: ApiServer) -> None:
    upload(ann, b"photo")
    with api_server.database.administration() as conn:
        conn.execute("update uploads set state = 'deleting', deleting_since = now()")
    answer = ann.http.post("/api/uploads/generate-urls", json={"files": [described(b"photo")]})
    assert_problem(answer, 503, "being_deleted")
    assert answer.headers["Retry-After"] == "2"
