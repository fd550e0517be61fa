"""The running server, and what a test may tell it."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from threading import Event, Thread

import httpx

from tests.qstash.api import Api
from tests.qstash.courier import Courier, Delivery
from tests.qstash.messages import Message, Refused
from tests.qstash.mishaps import Chances, Kind, Mishap, Mishaps
from tests.qstash.service import Service
from tests.qstash.signing import SigningKeys, identifier
from tests.qstash.views import DeadLetter
from tests.servers import answering, listening

AT_ONCE = 64  # deliveries of the service as a whole


@dataclass(frozen=True)
class QStashServer:
    """A running QStash. Give `token` and `url` to the SDK, and the keys to who receives."""

    url: str
    token: str
    service: Service
    courier: Courier
    refusals: deque[Refused]

    # --- what there is

    @property
    def keys(self) -> SigningKeys:
        return self.service.keys

    @property
    def waiting(self) -> list[Message]:
        """What is to be delivered yet, now or later."""
        return list(self.service.waiting.values())

    @property
    def dead_letters(self) -> list[DeadLetter]:
        return list(self.service.dead_letters.values())

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt so far, also those of callbacks, in the order of their answers."""
        return list(self.courier.deliveries)

    # --- time

    def deliver_now(self, at_once: int = 1) -> list[Delivery]:
        """Everything that is due, also what becomes due by it; so many at once, where flow control allows it."""
        before = len(self.courier.deliveries)
        with ThreadPoolExecutor(at_once) as threads:
            while taken := self.service.take_due():
                list(threads.map(self.courier.attempt, taken))
        return self.deliveries[before:]

    def advance(self, seconds: float, at_once: int = 1) -> list[Delivery]:
        """Let time pass, and deliver each thing when it is due."""
        before = len(self.courier.deliveries)
        end = self.service.clock.now + seconds
        while (due := self.service.next_event()) is not None and due <= end:
            self.service.clock.now = max(self.service.clock.now, due)
            self.deliver_now(at_once)
        self.service.clock.now = end
        return self.deliveries[before:]

    @contextmanager
    def live(self, speed: float = 1) -> Iterator[None]:
        """Deliver by itself, from threads, while the clock runs `speed` times as fast as the true one."""
        stop = Event()
        thread = Thread(target=self._run, args=(stop, speed))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: Event, speed: float) -> None:
        before = time.monotonic()
        attempts: list[Future[None]] = []
        with ThreadPoolExecutor(AT_ONCE) as threads:
            while not stop.wait(0.005):
                now = time.monotonic()
                self.service.clock.now += (now - before) * speed
                before = now
                attempts += [threads.submit(self.courier.attempt, message) for message in self.service.take_due()]
        for attempt in attempts:
            attempt.result()

    # --- mishaps

    def duplicate(self, message_id: str, times: int = 1, at_once: int = 1) -> list[int]:
        """Deliver a message again, whatever became of it; the statuses of the answers, from which nothing follows."""
        answers = self.courier.send_again(self.service.known[message_id], times, at_once)
        return [answer.status for answer in answers]

    def lose(self, times: int = 1) -> None:
        """The next attempts are not made, and their messages forgotten."""
        self.courier.mishaps.order(Mishap(Kind.LOST), times)

    def lose_answers(self, times: int = 1) -> None:
        """The next deliveries arrive, but count as failed."""
        self.courier.mishaps.order(Mishap(Kind.UNANSWERED), times)

    def delay(self, seconds: float, times: int = 1) -> None:
        """The next attempts are made so much later."""
        self.courier.mishaps.order(Mishap(Kind.DELAYED, seconds), times)

    def double(self, times: int = 1) -> None:
        """The next deliveries come twice at the same time."""
        self.courier.mishaps.order(Mishap(Kind.DOUBLED), times)

    def reorder(self) -> None:
        """From now on, what is due at the same time is delivered in an order drawn from the seed."""
        self.service.reordered = True

    def chance(self, chances: Chances) -> None:
        """From now on, mishaps come by chance, drawn from the seed."""
        self.courier.mishaps.chances = chances

    # --- refusals

    def refuse(self, status: int, message: str = "internal server error", times: int = 1) -> None:
        """The next requests to the API are refused."""
        self.refusals.extend([Refused(status, message)] * times)

    def exceed_rate(self, times: int = 1) -> None:
        """The next requests exceed the limit of a second."""
        self._limit("Burst-RateLimit", 100, self.service.clock.now + 1, times)

    def exceed_day(self, times: int = 1) -> None:
        """The next requests exceed the day's messages."""
        self._limit("RateLimit", 1_000, self.service.clock.now + 86_400, times)

    def _limit(self, family: str, limit: int, reset: float, times: int) -> None:
        headers = {f"{family}-Limit": str(limit), f"{family}-Remaining": "0", f"{family}-Reset": str(int(reset))}
        self.refusals.extend([Refused(429, "rate limit exceeded", headers)] * times)


@contextmanager
def running_qstash(seed: int = 4) -> Iterator[QStashServer]:
    """A QStash without messages; ids, keys and chances follow from the seed."""
    names = Random(seed)
    service = Service(names, SigningKeys.fresh(names))
    api = Api(service, identifier("token-", names))
    unpooled = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # destinations come and go
    with listening() as (listener, url), httpx.Client(trust_env=False, verify=False, limits=unpooled) as http:
        courier = Courier(service, Mishaps(Random(seed)), http)
        with answering(api.app, listener):
            yield QStashServer(url, api.token, service, courier, api.refusals)
