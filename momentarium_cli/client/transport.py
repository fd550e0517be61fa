"""HTTP: the only module that knows httpx. Bodies to a store go by `wire`, unless a proxy is in between.

A call is repeated while the server is out of reach or says so itself (429, 5xx), with full-jitter exponential
back-off, for as long as `patience` lasts. What the server says is wrong becomes the same error class here as there.
"""

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from ssl import SSLContext
from threading import Event, Lock
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from momentarium_cli import __version__
from momentarium_cli.client.answers import api_error, not_ours, stored_error
from momentarium_cli.client.store_errors import MAX_BYTES, is_lasting
from momentarium_cli.errors import BadRequest, NotAllowed, NotMomentarium, ServerUnreachable, Stopped, Temporary
from momentarium_cli.wire import Body, Piece, Reply, Wire, WireError, WireTimeout

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 10.0
MAX_RETRY_AFTER_SECONDS = 30.0
PATIENCE_SECONDS = 60.0  # with a server that is out of reach
MAX_CONNECTIONS = 32

_USER_AGENT = f"momentarium/{__version__}"
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
    """A successful answer: its status, headers and JSON, if it has any. Raises NotMomentarium where it is no JSON."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        try:
            self._json = None if response.status_code == 204 else json.loads(response.content)
        except ValueError as error:
            raise not_ours() from error

    def json(self) -> Any:
        return self._json


class Transport:
    """Calls of the API, and bodies to the store."""

    def __init__(self, server: Server, stop: Event | None = None) -> None:
        _check_sendable(server)
        self.server = server
        self._stop = stop or Event()
        self._clients: dict[tuple[bool, bool], httpx.Client] = {}
        self._making = Lock()
        self._wire = Wire(_tls, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
        self._direct: dict[str, bool] = {}  # by origin
        self._met = False  # the server answered as Momentarium does

    def close(self) -> None:
        self._wire.close()
        for client in self._clients.values():
            client.close()

    @contextmanager
    def waiting_until(self, stop: Event) -> Iterator[None]:
        """In the block, waiting for a server that is away ends with Stopped once this is set."""
        before, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = before

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
                self._pause(max(delay, min(error.retry_after or 0, MAX_RETRY_AFTER_SECONDS)))
                if isinstance(error, ServerUnreachable):
                    self.server.revive()
        raise AssertionError("the last delay is None")

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> int:
        """One request to the store, as signed. Returns the status if it is good; raises our error for it if not."""
        url = self.absolute(url)
        with self._to_store(url):
            send = self._wire.send if self._is_direct(url) else self._by_proxy
            reply = send(method, url, {"User-Agent": _USER_AGENT, **headers}, body, keep=MAX_BYTES)
        with self._away_once_met() if self._is_own(url) else nullcontext():
            _check_stored(url, reply)
        return reply.status

    def _by_proxy(self, method: str, url: str, headers: Mapping[str, str], body: Body, *, keep: int) -> Reply:
        read = body if isinstance(body, bytes) else map(_bytes, body)
        with self._client(url).stream(method, url, headers=dict(headers), content=read) as response:
            return _reply(response, keep)

    def _is_direct(self, url: str) -> bool:
        origin = url[: url.find("/", len("https://"))]  # asked for every photo
        if origin not in self._direct:
            self._direct[origin] = _is_loopback(url) or not _has_proxy(urlsplit(url).scheme, httpx.URL(url).host)
        return self._direct[origin]

    def stream(self, url: str) -> Iterator[bytes]:
        """The bytes at a signed address."""
        url = self.absolute(url)
        with self._to_store(url), self._client(url).stream("GET", url) as response:
            if not response.is_success:
                _check_stored(url, _reply(response, MAX_BYTES))
            yield from response.iter_raw(1 << 18)

    def seconds_to(self, url: str, timeout: float) -> float:
        """How long an address takes to answer anything; ServerUnreachable after `timeout` seconds."""
        with self._to_store(url):
            return self._client(url).head(url, timeout=timeout).elapsed.total_seconds()

    def _to_store(self, url: str) -> AbstractContextManager[None]:
        return _translated(url, *([] if self._is_own(url) else [_CHECK_STORE]))

    def _is_own(self, url: str) -> bool:
        return url.startswith(self.server.url.rstrip("/") + "/")

    @contextmanager
    def _away_once_met(self) -> Iterator[None]:
        """While a server restarts, a proxy before it may answer in its place: it is away, once it was there."""
        try:
            yield
        except NotMomentarium as error:
            if self._met:
                raise ServerUnreachable(error.message, hint=error.hint) from error
            raise

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
        with self._away_once_met():
            if not response.is_success:
                retry_after = response.headers.get("Retry-After")
                raise api_error(_origin(url), response.status_code, retry_after, response.content)
            answer = Answer(response)
        self._met = True
        return answer

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
    except (httpx.TimeoutException, WireTimeout) as error:
        raise ServerUnreachable(f"{_origin(where)} did not answer in time.", hint="Try again later.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadRequest(f"{where!r} is not an address.", hint="Check server.url.") from error
    except (httpx.RequestError, WireError) as error:
        raise ServerUnreachable(f"{_origin(where)} cannot be reached: {error}.", hint=hint) from error


def _new_client(*, secure: bool, loopback: bool) -> httpx.Client:
    return httpx.Client(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        headers={"User-Agent": _USER_AGENT},
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


def _has_proxy(scheme: str, host: str) -> bool:
    proxies = getproxies()
    return (scheme in proxies or "all" in proxies) and not proxy_bypass(host)


def _tls() -> SSLContext:
    """The certificates that httpx trusts."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _bytes(piece: bytes | Piece) -> bytes:
    return piece.read() if isinstance(piece, Piece) else piece


def _reply(response: httpx.Response, keep: int) -> Reply:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > keep:
            break
    return Reply(response.status_code, response.headers, body)


def _check_stored(url: str, reply: Reply) -> None:
    """Raise the error that a store's answer is, if it is one."""
    if not 200 <= reply.status < 300:
        raise stored_error(_origin(url), reply.status, reply.headers.get("Retry-After"), reply.body)
