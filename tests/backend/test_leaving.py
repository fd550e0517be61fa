"""Removing a user leaves nothing of theirs, and touches nobody else's."""

import pytest

from momentarium_cli.backend import leaving
from momentarium_cli.backend.db import users
from momentarium_cli.backend.leaving import Deleted, Waiting
from momentarium_cli.errors import StorageUnavailable
from tests.backend.bench import Bench, on_every_store
from tests.backend.test_housekeeping import photo, stored, upload

pytestmark = on_every_store


@pytest.fixture
def user(bench: Bench) -> int:
    return bench.user("ann@example.com")


def quiet(bench: Bench) -> None:
    """What was handed out is good no more."""
    bench.run("update uploads set issued_at = issued_at - interval '6 minutes'")


def removed(bench: Bench, user: int) -> list[Deleted | Waiting]:
    return list(leaving.remove(bench.database, bench.storage, user))


def test_all_that_is_theirs_goes_and_what_is_others_stays(bench: Bench, user: int) -> None:
    other = bench.user("ben@example.com")
    for owner in (user, other):
        photo(bench, owner, b"photo")
        upload(bench, owner, b"not a photo yet", b"its preview")
    theirs = {key for key in stored(bench) if key.split("/")[1] == str(other)}
    quiet(bench)
    assert sum(event.objects for event in removed(bench, user) if isinstance(event, Deleted)) == 5
    assert stored(bench) == theirs
    assert [row["id"] for row in bench.run("select id from users")] == [other]
    for table in ("uploads", "images", "processing_jobs", "api_tokens"):
        assert bench.run(f"select 1 from {table} where user_id = {user}") == []
    assert len(bench.run("select 1 from images")) == 1


def test_from_the_first_moment_no_token_is_good_and_no_job_goes_on(bench: Bench, user: int) -> None:
    with bench.database.administration() as conn:
        users.add_token(conn, user, "laptop", "mom_x", ["read"])
    job = bench.jobs.claim(bench.accept(user).id)
    assert job is not None
    removing = leaving.remove(bench.database, bench.storage, user)
    next(removing)
    with bench.database.transaction(None) as conn:
        assert users.authenticate(conn, "mom_x") is None
    assert not bench.jobs.renew(job)
    assert bench.row(job)["error_code"] == "cancelled"


def test_it_waits_for_what_may_still_arrive_and_deletes_that_too(
    bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = bench.issue(user, b"on its way")
    waited: list[float] = []

    def five_minutes_later(seconds: float) -> None:
        waited.append(seconds)
        bench.storage.put(late, b"on its way", content_type="image/jpeg")
        quiet(bench)

    monkeypatch.setattr(leaving, "sleep", five_minutes_later)
    events = removed(bench, user)
    assert [type(event) for event in events] == [Waiting, Deleted]
    assert 290 < waited[0] <= 300
    assert stored(bench) == set() and bench.run("select 1 from users") == []


def test_it_waits_for_the_worker_of_a_job_that_it_cancelled(
    bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def a_minute_later(seconds: float) -> None:
        waited.append(seconds)
        bench.run("update processing_jobs set completed_at = completed_at - interval '61 seconds'")

    monkeypatch.setattr(leaving, "sleep", a_minute_later)
    job = bench.accept(user)
    quiet(bench)
    assert bench.jobs.claim(job.id) is not None
    removed(bench, user)
    assert len(waited) == 1 and 50 < waited[0] <= 60


def test_one_that_was_interrupted_goes_on(bench: Bench, user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(bench, user, b"photo")
    quiet(bench)
    with monkeypatch.context() as away:

        def fail(keys: object) -> None:
            raise StorageUnavailable("The store was away.")

        away.setattr(bench.storage, "delete", fail)
        with pytest.raises(StorageUnavailable):
            removed(bench, user)
    assert len(stored(bench)) == 3 and len(bench.run("select 1 from users where leaving_since is not null")) == 1
    removed(bench, user)
    assert stored(bench) == set() and bench.run("select 1 from users") == []


def test_a_user_whose_number_begins_like_theirs_keeps_everything(bench: Bench) -> None:
    numbers = [bench.user() for _ in range(11)]
    assert str(numbers[9]).startswith(str(numbers[0]))
    photo(bench, numbers[0], b"photo")
    photo(bench, numbers[9], b"photo")
    quiet(bench)
    removed(bench, numbers[0])
    assert {key.split("/")[1] for key in stored(bench)} == {str(numbers[9])}
