import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from momentarium_cli.client import nearest as module
from momentarium_cli.client.nearest import Nearest
from momentarium_cli.client.transport import FixedServer, Transport
from tests.client.loopback import Drop, Loopback, Reply, Request, loopback


class Regions:
    """Addresses that answer after some seconds each, or as a test tells them."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.transport = Transport(FixedServer("http://127.0.0.1:1", "mom_x"))
        self.servers: dict[str, Loopback] = {}

    def add(self, name: str, seconds: float = 0.0, error: Exception | None = None) -> None:
        def answer(_: Request) -> Reply:
            time.sleep(seconds)
            if error:
                raise error
            return Reply(403)

        self.servers[name] = self.stack.enter_context(loopback(answer))

    def nearest(self, preferred: str | None = None) -> Nearest:
        return Nearest(self.transport, {name: server.url for name, server in self.servers.items()}, preferred)

    def asked(self) -> int:
        return sum(len(server.requests) for server in self.servers.values())


@pytest.fixture
def regions() -> Iterator[Regions]:
    made = Regions()
    with made.stack:
        yield made
    made.transport.close()


def test_the_one_that_answers_first_is_taken_and_remembered(regions: Regions) -> None:
    regions.add("far", 0.2)
    regions.add("near", 0.02)
    nearest = regions.nearest()
    assert nearest.region == nearest.region == "near"
    assert regions.asked() == 6
    assert {request.method for server in regions.servers.values() for request in server.requests} == {"HEAD"}
    assert not any("Authorization" in request.headers for request in regions.servers["near"].requests)


def test_the_one_that_is_set_is_taken_unmeasured(regions: Regions) -> None:
    regions.add("far", 0.2)
    regions.add("near")
    assert regions.nearest("far").region == "far"
    assert regions.asked() == 0


def test_one_that_the_store_does_not_have_is_no_choice(regions: Regions) -> None:
    regions.add("far", 0.2)
    regions.add("near")
    assert regions.nearest("mars").region == "near"


@pytest.mark.parametrize("number", [0, 1])
def test_where_there_is_no_choice_nothing_is_measured(regions: Regions, number: int) -> None:
    for name in ["only"][:number]:
        regions.add(name)
    assert regions.nearest("only").region is None
    assert regions.asked() == 0


def test_one_that_does_not_answer_is_not_taken(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.3)
    regions.add("cut", error=Drop())
    regions.add("mute", 1)
    regions.add("slow", 0.1)
    assert regions.nearest().region == "slow"


def test_where_none_answers_there_is_none_and_no_error(regions: Regions) -> None:
    regions.add("cut", error=Drop())
    nearest = Nearest(regions.transport, {"cut": regions.servers["cut"].url, "odd": "s3://[bucket"}, None)
    assert nearest.region is None
