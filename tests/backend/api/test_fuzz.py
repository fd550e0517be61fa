import json
import logging
from pathlib import Path

import pytest

from tests.backend.api.calls import assert_problem
from tests.backend.api.malformed import Generator
from tests.servers import Account, ApiServer


def shoot(api_server: ApiServer, account: Account, count: int, seed: int) -> set[int]:
    """The statuses of many malformed requests, none of them our bug."""
    description = account.http.get("/api/openapi.json").json()
    statuses = set()
    for spoilt in Generator(description, seed).requests(count):
        answer = account.http.request(
            spoilt.method, f"{api_server.url}{spoilt.path}", headers=spoilt.headers, content=spoilt.body
        )
        assert answer.status_code < 500, (spoilt, answer.text)
        if answer.status_code >= 400:
            assert_problem(answer, answer.status_code)
        statuses.add(answer.status_code)
    return statuses


def test_malformed_requests_are_never_our_bug(
    api_server: ApiServer, ann: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    statuses = shoot(api_server, ann, 200, seed=20240512)
    assert statuses >= {200, 400, 404}, "some are good, and some are bad"
    assert not caplog.records


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_many_malformed_requests_are_never_our_bug(api_server: ApiServer, ann: Account, seed: int) -> None:
    shoot(api_server, ann, 2000, seed)


def test_the_generator_says_the_same_every_time(api_server: ApiServer, tmp_path: Path) -> None:
    with api_server.http() as http:
        description = http.get("/api/openapi.json").json()
    first, second = ([*Generator(json.loads(json.dumps(description)), 7).requests(50)] for _ in range(2))
    assert first == second
