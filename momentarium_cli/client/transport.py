"""HTTP: the only module that knows httpx.

A call is repeated while the server is out of reach or says so itself (429, 5xx), with full-jitter exponential
back-off, for as long as `patience` lasts. What the server says is wrong becomes the same error class here as there.
"""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Lock
from typing import Any, Protocol

import httpx

from momentarium_cli import __version__
from momentarium_cli.client.store_errors import MAX_BYTES, is_lasting, store_error
from momentarium_cli.errors import (
    BadRequest,
    MomentariumError,
    NotAllowed,
    ServerUnreachable,
    Stopped,
    Temporary,
    Throttled,
)

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # with a server that is out of reach
MAX_CONNECTIONS = 32

_CHECK_SERVER = "Check that it runs and that server.url is right."
_CHECK_STORE = "It is the store: check that it runs and can be reached from here."


class Server(Protocol):
    """Where the backend is. It may move: an embedded one that died is started again, on another port."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...

    def revive(self) -> None:
        """Bring it back if that is ours to do."""


class FixedServer:
    """A Server that stays where it is."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def revive(self) -> None:
        """Nothing that we could do."""


class Answer:
    """A successful answer: its status, headers and JSON."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._content = response.content

    def json(self) -> Any:
        try:
            return json.loads(self._content)
        except ValueError as error:
            raise _not_ours() from error


class Transport:
    """Calls of the API, and bodies to the store."""

    def __init__(self, server: Server, stop: Event | None = None) -> None:
        _check_sendable(server)
        self.server = server
        self._stop = stop or Event()
        self._clients: dict[tuple[bool, bool], httpx.Client] = {}
        self._making = Lock()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def absolute(self, url: str) -> str:
        """An address as the server gave it, which may be one of its own without saying where it is."""
        return self.server.url.rstrip("/") + url if url.startswith("/") else url

    def _client(self, url: str) -> httpx.Client:
        """Made when first needed: loading the certificates takes longer than many a command without TLS."""
        key = (not url.startswith("http://"), _is_loopback(url))
        with self._making:
            if key not in self._clients:
                self._clients[key] = _new_client(secure=key[0], loopback=key[1])
            return self._clients[key]

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> Answer:
        """One call of the API, repeated for up to `patience` seconds while the server is out of reach."""
        for delay in _delays(patience):
            try:
                return self._once(method, path, body, params, headers)
            except Temporary as error:
                if delay is None or error.status == 507 or is_lasting(error):
                    raise
                self._pause(max(delay, min(error.retry_after or 0, MAX_DELAY_SECONDS)))
                if isinstance(error, ServerUnreachable):
                    self.server.revive()
        raise AssertionError("the last delay is None")

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes) -> int:
        """One request to the store, as signed. Returns the status if it is good; raises our error for it if not."""
        url = self.absolute(url)
        with (
            self._to_store(url),
            self._client(url).stream(method, url, headers=dict(headers), content=body) as response,
        ):
            _check_stored(response)
            return response.status_code

    def stream(self, url: str) -> Iterator[bytes]:
        """The bytes at a signed address."""
        url = self.absolute(url)
        with self._to_store(url), self._client(url).stream("GET", url) as response:
            if not response.is_success:
                _check_stored(response)
            yield from response.iter_raw(1 << 18)

    def seconds_to(self, url: str, timeout: float) -> float:
        """How long an address takes to answer anything; ServerUnreachable after `timeout` seconds."""
        with self._to_store(url):
            return self._client(url).head(url, timeout=timeout).elapsed.total_seconds()

    def _to_store(self, url: str) -> AbstractContextManager[None]:
        own = url.startswith(self.server.url.rstrip("/") + "/")
        return _translated(url, *([] if own else [_CHECK_STORE]))

    def _once(
        self,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        url = self.absolute(path)
        with _translated(url):
            response = self._client(url).request(
                method,
                url,
                content=None if body is None else json.dumps(body).encode(),
                params=params,
                headers={
                    "Authorization": f"Bearer {self.server.token}",
                    **({} if body is None else {"Content-Type": "application/json"}),
                    **(headers or {}),
                },
            )
        if response.is_success:
            return Answer(response)
        raise _error(response, response.content)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped("Stopped while waiting for the server.")


def _delays(patience: float) -> Iterator[float | None]:
    """Pauses between tries; None says that this try is the last."""
    deadline, ceiling = time.monotonic() + patience, FIRST_DELAY_SECONDS
    while time.monotonic() < deadline:
        yield random.uniform(0, ceiling)  # noqa: S311 -- jitter, no secret
        ceiling = min(ceiling * 2, MAX_DELAY_SECONDS)
    yield None


@contextmanager
def _translated(url: str, hint: str = _CHECK_SERVER) -> Iterator[None]:
    where = url.partition("?")[0]
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServerUnreachable(f"{_origin(where)} did not answer in time.", hint="Try again later.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadRequest(f"{where!r} is not an address.", hint="Check server.url.") from error
    except httpx.RequestError as error:
        raise ServerUnreachable(f"{_origin(where)} cannot be reached: {error}.", hint=hint) from error


def _new_client(*, secure: bool, loopback: bool) -> httpx.Client:
    return httpx.Client(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        headers={"User-Agent": f"momentarium/{__version__}"},
        trust_env=not loopback,
        verify=secure,
    )


def _check_sendable(server: Server) -> None:
    """Settings that no request could carry are told before the first one, without showing the token."""
    with _translated(server.url):
        httpx.URL(server.url)
    if not server.token.isascii() or not server.token.isprintable() or " " in server.token:
        raise NotAllowed("The token holds characters that no token has.", hint="Run `momentarium login` again.")


def _origin(url: str) -> str:
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode()}"


def _is_loopback(url: str) -> bool:
    """Proxies of the environment are for the outside."""
    return httpx.URL(url).host in ("127.0.0.1", "::1", "localhost")


def _check_stored(response: httpx.Response) -> None:
    """Read an answer of the store, of which no more matters than how it begins; raise the error that it is."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            break
    if not response.is_success:
        origin = _origin(str(response.url))
        raise store_error(origin, response.status_code, body, _retry_after(response)) or _error(response, body)


def _error(response: httpx.Response, body: bytes) -> MomentariumError:
    """The error that the server raised, as it was raised there."""
    try:
        problem = json.loads(body)
        detail, code = str(problem["detail"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return _for_status(response)
    cls = _by_status(response.status_code)
    for candidate in _classes(MomentariumError):
        if candidate.code == code:
            cls = candidate
    return cls(detail, code=code, retry_after=_retry_after(response), details=problem.get("errors", ()))


def _for_status(response: httpx.Response) -> MomentariumError:
    if response.status_code == 429:
        return Throttled("The server asks to go slower.", retry_after=_retry_after(response))
    if response.status_code >= 500:
        message = f"{_origin(str(response.url))} answers {response.status_code}."
        return Temporary(message, retry_after=_retry_after(response))
    return _not_ours()


def _not_ours() -> MomentariumError:
    return BadRequest(
        "What answers at server.url is not Momentarium.",
        hint="Check the address, and that no proxy or sign-in page answers in its place.",
    )


def _by_status(status: int) -> type[MomentariumError]:
    if status == MomentariumError.status:
        return MomentariumError
    return next((cls for cls in _classes(MomentariumError) if cls.status == status), BadRequest)


def _classes(cls: type[MomentariumError]) -> Iterator[type[MomentariumError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _classes(child)


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
