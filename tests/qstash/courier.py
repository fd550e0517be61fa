"""Attempts: a message goes to its destination, and the answer says what becomes of it."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.qstash import retrying
from tests.qstash.messages import CALLBACK, FAILURE_CALLBACK, Message, of_callback
from tests.qstash.mishaps import Kind, Mishaps
from tests.qstash.service import Service
from tests.qstash.views import Answer, callback_body


@dataclass(frozen=True)
class Delivery:
    """One attempt, made at `at` of the clock, and what its destination said: status 0 where nothing came back."""

    message_id: str
    url: str
    retried: int
    at: float
    status: int
    answer: bytes


@dataclass
class Courier:
    service: Service
    mishaps: Mishaps
    http: httpx.Client
    deliveries: list[Delivery] = field(default_factory=list)

    def attempt(self, message: Message) -> None:
        """One attempt, with the mishap that befalls it."""
        try:
            self._attempt(message)
        finally:
            self.service.end(message)

    def send(self, message: Message) -> Answer:
        """The delivery alone: nothing follows from its answer."""
        at, retried = self.service.clock.now, message.retried
        answer = self._answer(message)
        self.deliveries.append(Delivery(message.message_id, message.url, retried, at, answer.status, answer.body))
        return answer

    def send_again(self, message: Message, times: int, at_once: int) -> list[Answer]:
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.send, [message] * times))

    def _attempt(self, message: Message) -> None:
        mishap = self.mishaps.next()
        match mishap.kind if mishap else None:
            case Kind.LOST:
                self.service.forget(message)
            case Kind.DELAYED:
                assert mishap
                self.service.postpone(message, mishap.seconds)
            case Kind.UNANSWERED:
                self.send(message)
                self._settle(message, Answer(0, [], b"the answer was lost"))
            case Kind.DOUBLED:
                self._settle(message, self.send_again(message, 2, at_once=2)[0])
            case Kind.GIVEN_UP if message.failure_callback is not None:
                self._fail(message, Answer(0, [], b"every try failed"))
            case _:
                self._settle(message, self.send(message))

    def _settle(self, message: Message, answer: Answer) -> None:
        tried_enough = message.retried >= message.retries
        if message.callback is not None:
            self._call_back(message, message.callback, CALLBACK, callback_body(message, answer))
        if answer.good:
            self.service.forget(message)
        elif answer.final or tried_enough:
            self._fail(message, answer)
        else:
            self.service.postpone(message, retrying.wait(message.retried, message.retry_delay, answer.told))
            message.retried += 1

    def _fail(self, message: Message, answer: Answer) -> None:
        if not self.service.forget(message):
            return
        letter = self.service.bury(message, answer)
        if message.failure_callback is not None:
            body = callback_body(message, answer, letter.dlq_id)
            self._call_back(message, message.failure_callback, FAILURE_CALLBACK, body)

    def _call_back(self, message: Message, url: str, prefix: str, body: Mapping[str, Any]) -> None:
        """A callback is a message of its own, signed and tried again like any other."""
        self.service.publish(url, json.dumps(body).encode(), of_callback(message, prefix), message.caller_ip)

    def _answer(self, message: Message) -> Answer:
        try:
            response = self.http.request(
                message.method,
                message.url,
                content=message.body,
                headers=self._headers(message),
                timeout=message.timeout,
            )
        except httpx.RequestError as error:
            return Answer(0, [], str(error).encode())
        return Answer(response.status_code, response.headers.multi_items(), response.content)

    def _headers(self, message: Message) -> list[tuple[str, str]]:
        schedule = [("Upstash-Schedule-Id", message.schedule_id)] if message.schedule_id else []
        return [
            *message.forwarded,
            ("User-Agent", "Upstash-QStash"),
            ("Upstash-Message-Id", message.message_id),
            ("Upstash-Retried", str(message.retried)),
            ("Upstash-Caller-IP", message.caller_ip),
            ("Upstash-Signature", self.service.keys.signature(message.url, message.body)),
            *schedule,
        ]
