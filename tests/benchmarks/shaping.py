"""A link of a given latency, rate and temper, as a forwarder of TCP connections in a process of its own."""

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

_CHUNK = 16 << 10


@dataclass(frozen=True, slots=True)
class Link:
    """`rate` is bytes a second of all connections together on their way to the server, None where nothing but the
    processor bounds it, and `window` what a connection may have on its way at once, as TCP has it. Of every chunk of
    16 KiB, so many in a thousand stall their connection for `stall_seconds`, and so many reset it."""

    name: str
    round_trip: float
    rate: float | None = None
    window: int = 1 << 20
    stalls: float = 0.0
    stall_seconds: float = 0.0
    resets: float = 0.0


GOOD = Link("good", 0.001)
BAD = Link("bad", 0.150, rate=1e6, window=128 << 10, stalls=2, stall_seconds=2.0, resets=0.5)


@contextmanager
def linked(upstream: str, link: Link, seed: int) -> Iterator[str]:
    """The address at which `upstream` is reached over the link."""
    parts = urlsplit(upstream)
    context = get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_run, args=(there, parts.hostname, parts.port, link, seed), daemon=True)
    child.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        child.terminate()
        child.join()


def _run(told: Connection, host: str, port: int, link: Link, seed: int) -> None:
    asyncio.run(_Forwarder(host, port, link, seed).serve(told))


class _Forwarder:
    def __init__(self, host: str, port: int, link: Link, seed: int) -> None:
        self._host, self._port, self._link = host, port, link
        self._random = random.Random(seed)
        self._free_at = 0.0  # when the link has sent what was given to it

    async def serve(self, told: Connection) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._link.window // 2)
        server = await asyncio.start_server(self._connected, sock=listener, limit=_CHUNK)
        told.send(listener.getsockname()[1])
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._link.round_trip)  # the handshake
        with suppress(OSError):
            to_server, from_server = None, None
            to_server, from_server = await asyncio.open_connection(self._host, self._port, limit=1 << 18)
            up = asyncio.create_task(self._pump(reader, from_server, shaped=True))
            down = asyncio.create_task(self._pump(to_server, writer, shaped=False))
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()
            from_server.close()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, shaped: bool) -> None:
        """Bytes from one side to the other, half a round trip later; a reset ends it."""
        on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(max(1, self._link.window // _CHUNK))
        arriving = asyncio.create_task(self._arrive(on_their_way, writer))
        try:
            while data := await reader.read(_CHUNK):
                if shaped and await self._meets_trouble():
                    return
                sent_at = await self._sent(len(data)) if shaped else time.monotonic()
                await on_their_way.put((sent_at + self._link.round_trip / 2, data))
            await on_their_way.put((0.0, b""))
            await arriving
        except OSError:
            return
        finally:
            arriving.cancel()

    async def _arrive(self, on_their_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await on_their_way.get()
            if not data:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.write(data)
            await writer.drain()

    async def _meets_trouble(self) -> bool:
        drawn = self._random.uniform(0, 1000)
        if drawn < self._link.stalls:
            await asyncio.sleep(self._link.stall_seconds)
        return drawn >= 1000 - self._link.resets

    async def _sent(self, size: int) -> float:
        """When the last byte has left; the connections have their turns on what the link can carry."""
        now = time.monotonic()
        if self._link.rate is None:
            return now
        self._free_at = max(self._free_at, now) + size / self._link.rate
        await asyncio.sleep(self._free_at - now)
        return self._free_at
