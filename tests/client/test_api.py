from collections.abc import Iterator
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.client.api import Api
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import BadRequest, NotAllowed, NotFound
from momentarium_cli.models import UploadFile, UploadStatus
from tests.client.conftest import Library
from tests.client.loopback import as_json, in_turn, loopback

SHA = "ab" * 32


def test_me_says_whose_library_it_is(api: Api, library: Library) -> None:
    me = api.me()
    assert (me.user_id, me.email, me.photos, me.albums) == (library.account.user_id, "ann@example.com", 0, 0)
    assert me.storage == str(library.objects)


def test_there_is_a_slot_for_each_file_in_order(api: Api) -> None:
    files = [
        UploadFile(filename=f"{sha}.jpg", content_type="image/jpeg", size_bytes=3, sha256=sha * 32)
        for sha in ("cd", "ab", "ef")
    ]
    slots = api.generate_urls(files, UUID(str(uuid7())))
    assert [slot.storage_key.rpartition("/")[2] for slot in slots] == [file.sha256 for file in files]
    assert all(slot.status is UploadStatus.UPLOAD and slot.original for slot in slots)


def test_a_wrong_token_is_told_at_once(library: Library) -> None:
    transport = Transport(FixedServer(library.server.url, "mom_wrong"))
    with pytest.raises(NotAllowed):
        Api(transport).me()
    transport.close()


@pytest.mark.parametrize("call", ["job", "retry", "cancel"])
def test_a_job_that_is_not_there_is_not_found(api: Api, call: str) -> None:
    with pytest.raises(NotFound):
        getattr(api, call)(uuid7())


def test_an_empty_library_has_no_albums_and_no_jobs(api: Api) -> None:
    assert list(api.albums()) == []
    assert api.jobs() == []
    assert api.jobs(uuid7()) == []


@pytest.fixture
def other_version() -> Iterator[Api]:
    """A server whose answers are JSON, but not those of this version."""
    with loopback(in_turn(as_json({"user_id": "x"}))) as server:
        transport = Transport(FixedServer(server.url, "mom_x"))
        yield Api(transport)
        transport.close()


def test_an_answer_of_another_shape_is_told_with_the_remedy(other_version: Api) -> None:
    with pytest.raises(BadRequest, match=r"not understood.*of the same version"):
        other_version.me()
