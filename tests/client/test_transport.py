import itertools
import socket
import struct
import time
from threading import Event, Thread, Timer
from typing import Any

import pytest

from momentarium_cli import errors
from momentarium_cli.client import transport as module
from momentarium_cli.client.answers import classes
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import (
    BadRequest,
    Conflict,
    DatabaseUnavailable,
    InsufficientStorage,
    LockHeld,
    MomentariumError,
    NotAllowed,
    NotAsDescribed,
    ServerUnreachable,
    Stopped,
    Temporary,
    Throttled,
)
from tests.client.loopback import Answer, Drop, Loopback, Reply, as_json, in_turn, loopback, problem

OK = as_json({"fine": True})


class Talk:
    """A transport to a loopback server."""

    def __init__(self, server: Loopback, transport: Transport) -> None:
        self.server, self.transport = server, transport

    def get(self, patience: float = 5.0) -> Any:
        return self.transport.call("GET", "/api/me", patience=patience).json()


@pytest.fixture
def talk(request: pytest.FixtureRequest) -> Any:
    """Call it with what the server is to answer."""

    def begin(answer: Answer | Reply, stop: Event | None = None) -> Talk:
        server = context(answer if callable(answer) else in_turn(answer))
        transport = Transport(FixedServer(server.url, "mom_secret"), stop)
        request.addfinalizer(transport.close)
        return Talk(server, transport)

    def context(answer: Answer) -> Loopback:
        manager = loopback(answer)
        server = manager.__enter__()
        request.addfinalizer(lambda: manager.__exit__(None, None, None))
        return server

    return begin


def test_a_call_carries_the_token_and_json(talk: Any) -> None:
    made: Talk = talk(OK)
    made.transport.call("POST", "/api/x", body={"a": "é"}, params={"q": "1"}, headers={"Idempotency-Key": "k"})
    [request] = made.server.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/x?q=1", b'{"a": "\\u00e9"}')
    assert request.headers["Authorization"] == "Bearer mom_secret"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "k"


def test_a_busy_server_is_asked_again_when_it_says(talk: Any) -> None:
    made: Talk = talk(in_turn(problem(DatabaseUnavailable("busy"), **{"Retry-After": "1"}), OK))
    began = time.monotonic()
    assert made.get() == {"fine": True}
    assert 0.9 < time.monotonic() - began < 3
    assert len(made.server.requests) == 2


def test_a_connection_that_is_cut_is_tried_again(talk: Any) -> None:
    made: Talk = talk(in_turn(Drop(), Drop(), OK))
    assert made.get() == {"fine": True}
    assert len(made.server.requests) == 3


def test_a_server_that_does_not_answer_in_time_is_asked_again(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.3)
    hang = Event()

    def answer(_: Any) -> Reply:
        if len(made.server.requests) == 1:
            hang.wait(5)
        return OK

    made: Talk = talk(answer)
    assert made.get() == {"fine": True}
    hang.set()


def test_patience_ends(talk: Any) -> None:
    made: Talk = talk(problem(errors.StorageUnavailable("the store is away"), **{"Retry-After": "1"}))
    began = time.monotonic()
    with pytest.raises(errors.StorageUnavailable, match="the store is away"):
        made.get(patience=0.5)
    assert time.monotonic() - began < 3


def test_nobody_there_is_told_with_the_address(unused_url: str) -> None:
    transport = Transport(FixedServer(unused_url, "mom_secret"))
    with pytest.raises(ServerUnreachable, match=f"{unused_url} cannot be reached.*Check that it runs"):
        transport.call("GET", "/api/me", patience=0.2)
    transport.close()


@pytest.mark.parametrize(
    "other",
    [Reply(404, b"404 page not found"), Reply(200, b"<html>Sign in</html>"), Reply(302, b""), Reply(408, b"")],
    ids=["404", "sign-in page", "redirect", "408"],
)
def test_what_answers_while_a_server_restarts_is_waited_out(talk: Any, other: Reply) -> None:
    made: Talk = talk(in_turn(OK, other, other, OK))
    assert made.get() == {"fine": True}
    assert made.get() == {"fine": True}
    assert len(made.server.requests) == 4


def test_what_never_answered_as_a_server_is_told_at_once(talk: Any) -> None:
    made: Talk = talk(Reply(404, b"404 page not found"))
    with pytest.raises(errors.NotMomentarium, match=r"What answers at server\.url is not Momentarium"):
        made.get()
    assert len(made.server.requests) == 1


def test_a_store_of_a_server_that_restarts_is_away(talk: Any) -> None:
    made: Talk = talk(in_turn(OK, Reply(404, b"404 page not found")))
    made.get()
    with pytest.raises(ServerUnreachable):
        made.transport.send("PUT", "/files/k", {}, b"x")


def test_a_server_that_moved_is_looked_for(talk: Any, unused_url: str) -> None:
    made: Talk = talk(OK)

    class Moving:
        url, token = unused_url, "mom_secret"

        def revive(self) -> None:
            self.url = made.server.url

    transport = Transport(Moving())
    assert transport.call("GET", "/api/me").json() == {"fine": True}
    transport.close()


def test_a_stop_interrupts_waiting(talk: Any) -> None:
    stop = Event()
    made: Talk = talk(problem(Throttled("slower"), **{"Retry-After": "10"}), stop)
    Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        made.get(patience=60)
    assert time.monotonic() - began < 3


ANSWERED = [cls for cls in classes(MomentariumError) if not issubclass(cls, Temporary) and cls is not MomentariumError]


@pytest.mark.parametrize("cls", ANSWERED, ids=lambda cls: cls.code)
def test_an_error_is_the_same_class_here_as_there(talk: Any, cls: type[MomentariumError]) -> None:
    made: Talk = talk(problem(cls("What happened.", hint="What to do.")))
    with pytest.raises(MomentariumError) as caught:
        made.get()
    assert type(caught.value) is cls
    assert str(caught.value) == "What happened. What to do."
    assert len(made.server.requests) == 1, "what is wrong stays wrong: it is not asked again"


def test_an_error_brings_its_details(talk: Any) -> None:
    made: Talk = talk(problem(NotAsDescribed("gone", details=[{"storage_key": "k", "reason": "missing"}])))
    with pytest.raises(NotAsDescribed) as caught:
        made.get()
    assert caught.value.details == ({"storage_key": "k", "reason": "missing"},)


def test_a_code_of_its_own_keeps_the_class_of_its_status(talk: Any) -> None:
    made: Talk = talk(problem(Conflict("key used", code="key_reused")))
    with pytest.raises(Conflict) as caught:
        made.get()
    assert caught.value.error_code == "key_reused"


def test_a_bug_of_the_server_is_no_error_in_the_settings(talk: Any) -> None:
    made: Talk = talk(problem(MomentariumError("oops", code="something_new")))
    with pytest.raises(MomentariumError) as caught:
        made.get()
    assert caught.value.exit_code == 1


def test_a_full_store_is_not_asked_again(talk: Any) -> None:
    made: Talk = talk(problem(InsufficientStorage("full")))
    with pytest.raises(InsufficientStorage):
        made.get()
    assert len(made.server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}),
        Reply(404, b"<html>Not found</html>"),
        Reply(302, b"", {"Location": "/login"}),
        Reply(200, b""),
        Reply(403, b'["not", "a", "problem"]'),
    ],
    ids=["page", "404", "redirect", "empty", "list"],
)
def test_whatever_else_answers_is_told_not_to_be_momentarium(talk: Any, reply: Reply) -> None:
    made: Talk = talk(reply)
    with pytest.raises(BadRequest, match=r"is not Momentarium\. Check the address"):
        made.get()


def test_a_proxy_that_is_out_of_order_is_asked_again(talk: Any) -> None:
    made: Talk = talk(in_turn(Reply(502, b"<html>Bad gateway</html>"), Reply(429, b"slow"), OK))
    assert made.get() == {"fine": True}


def test_proxies_of_the_environment_are_not_for_this_machine(
    talk: Any, unused_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, unused_url)
    assert talk(OK).get() == {"fine": True}


def test_proxies_of_the_environment_are_for_the_outside(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy: Loopback = talk(OK).server
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    transport = Transport(FixedServer("http://photos.example.org", "mom_secret"))
    assert transport.call("GET", "/api/me").json() == {"fine": True}
    assert proxy.requests[0].path == "http://photos.example.org/api/me"
    transport.close()


@pytest.mark.parametrize("url", ["photos.example.org", "localhost:8787", "ftp://x", "http://host:port", "http://[::1"])
def test_what_is_no_address_is_told_so(url: str) -> None:
    with pytest.raises(BadRequest, match=r"is not an address\. Check server\.url\."):
        transport = Transport(FixedServer(url, "mom_secret"))
        try:
            transport.call("GET", "/api/me")
        finally:
            transport.close()


@pytest.mark.parametrize("token", ["mom_é", "mom_a\nb", "mom a"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        Transport(FixedServer("http://127.0.0.1:1", token))
    assert "mom" not in str(caught.value).replace("momentarium", "")


def test_a_body_is_sent_with_exactly_the_signed_headers(talk: Any) -> None:
    made: Talk = talk(Reply(201, b""))
    headers = {"Content-Type": "image/jpeg", "Content-Length": "4", "If-None-Match": "*"}
    assert made.transport.send("PUT", made.server.url + "/files/k?signature=s", headers, iter([b"ab", b"cd"])) == 201
    [request] = made.server.requests
    assert request.body == b"abcd"
    assert "Authorization" not in request.headers, "the token is for the API alone"
    assert "Transfer-Encoding" not in request.headers


def test_a_connection_that_is_cut_in_the_middle_of_a_body_is_told(talk: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_cut, args=(listener, 100_000), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        chunks = itertools.repeat(bytes(1 << 16), 400)
        with pytest.raises(ServerUnreachable, match=f"{url} cannot be reached"):
            talk(OK).transport.send("PUT", f"{url}/bucket/key", {"Content-Length": str(400 << 16)}, chunks)


def _cut(listener: socket.socket, after: int) -> None:
    """Take one connection, and reset it after so many bytes."""
    connection, _ = listener.accept()
    with connection:
        while after > 0:
            after -= len(connection.recv(1 << 14))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_the_query_of_a_signed_address_is_not_told(unused_url: str) -> None:
    transport = Transport(FixedServer(unused_url, "mom_secret"))
    with pytest.raises(ServerUnreachable) as caught:
        transport.send("PUT", unused_url + "/files/k?signature=hush", {}, b"")
    assert "hush" not in str(caught.value)
    transport.close()


def test_a_download_streams_the_bytes_as_they_are(talk: Any) -> None:
    data = bytes(range(256)) * 5000
    made: Talk = talk(Reply(200, data))
    assert b"".join(made.transport.stream(made.server.url + "/files/k")) == data


def test_a_download_that_is_refused_is_an_error_of_ours(talk: Any) -> None:
    made: Talk = talk(problem(errors.Forbidden("expired")))
    with pytest.raises(errors.Forbidden):
        list(made.transport.stream(made.server.url + "/files/k"))


def test_every_error_class_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in classes(MomentariumError)]
    assert len(codes) == len(set(codes))
    assert LockHeld.code in codes
