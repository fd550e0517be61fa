"""The queues a run can be made with: what they need beside the servers, and which settings the servers get."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Event, Thread

from tests.qstash import Chances, running_qstash

_SPEED = 5  # of QStash's clock: its waits are made for minutes
_MISHAPS = Chances(lost=0.03, unanswered=0.04, delayed=0.05, doubled=0.05, given_up=0.15, longest_delay=15)
_GIVING_UP = 0.6  # of messages, where that is what a run is short of


@dataclass(frozen=True)
class Queue:
    """The settings that servers need for it, and what makes it give up more messages or fewer."""

    settings: Mapping[str, str]
    give_up: Callable[[bool], None] = lambda more: None


@contextmanager
def postgres(ports: Sequence[int], seed: int) -> Iterator[Queue]:
    """The queue is in the database; its messages come to harm in the servers (see points.py)."""
    yield Queue({})


@contextmanager
def qstash(ports: Sequence[int], seed: int) -> Iterator[Queue]:
    """QStash calls one address, behind which all servers are."""
    with running_qstash(seed=seed) as server, _balanced(ports) as port:
        server.chance(_MISHAPS)
        server.reorder()
        with server.live(_SPEED):
            settings = {
                "MOMENTARIUM_SERVER_PUBLIC_URL": f"http://127.0.0.1:{port}",
                "MOMENTARIUM_QUEUE_BACKEND": "qstash",
                "MOMENTARIUM_QUEUE_QSTASH_URL": server.url,
                "MOMENTARIUM_QUEUE_QSTASH_TOKEN": server.token,
                "MOMENTARIUM_QUEUE_QSTASH_CURRENT_SIGNING_KEY": server.keys.current,
                "MOMENTARIUM_QUEUE_QSTASH_NEXT_SIGNING_KEY": server.keys.next,
                "MOMENTARIUM_QUEUE_API_SECRET": secrets.token_hex(16),
            }
            more = replace(_MISHAPS, given_up=_GIVING_UP)
            yield Queue(settings, lambda many: server.chance(more if many else _MISHAPS))


QUEUES: Mapping[str, Callable[[Sequence[int], int], AbstractContextManager[Queue]]] = {
    "postgres": postgres,
    "qstash": qstash,
}


@contextmanager
def _balanced(ports: Sequence[int]) -> Iterator[int]:
    """A port whose connections go to the servers in turn, past those that are down."""
    ready, stop = Event(), Event()
    bound: list[int] = []
    turns = itertools.count()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turns)
        for offset in range(len(ports)):
            try:
                there = await asyncio.open_connection("127.0.0.1", ports[(first + offset) % len(ports)])
            except OSError:
                continue
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            return
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
            bound.append(server.sockets[0].getsockname()[1])
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield bound[0]
    finally:
        stop.set()
        thread.join(10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
