"""The QStash that tests run is proven with the vendor's SDK: its client publishes, its Receiver accepts what comes."""

import asyncio
import base64
import itertools
import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Lock
from typing import Any

import jwt
import pytest
from qstash import QStash, Receiver
from qstash.errors import DailyMessageLimitExceededError, QStashError, RateLimitExceededError, SignatureError
from qstash.message import PublishResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.qstash import Chances, QStashServer, running_qstash
from tests.servers import answering, listening

EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Destination:
    """Answers as told, one answer a call, and 200 after that. `most_at_once` is how many calls it held together."""

    url: str
    calls: list[Call] = field(default_factory=list)
    answers: deque[Response] = field(default_factory=deque)
    seconds: float = 0
    most_at_once: int = 0
    _open: int = 0
    _lock: Lock = field(default_factory=Lock)

    def will_answer(
        self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"", times: int = 1
    ) -> None:
        self.answers.extend(Response(body, status, headers) for _ in range(times))

    def forget(self) -> None:
        self.calls.clear()
        self.answers.clear()
        self.seconds = self.most_at_once = 0

    def bodies(self) -> list[bytes]:
        return [call.body for call in self.calls]

    async def take(self, request: Request) -> Response:
        call = Call(request.method, request.url.path, dict(request.headers), await request.body())
        self._count(1)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self._count(-1)
        self.calls.append(call)
        return self.answers.popleft() if self.answers else Response(b"done")

    def _count(self, change: int) -> None:
        with self._lock:
            self._open += change
            self.most_at_once = max(self.most_at_once, self._open)


@contextmanager
def receiving() -> Iterator[Destination]:
    with listening() as (listener, url):
        destination = Destination(f"{url}/hook")
        routes = [Route("/{path:path}", destination.take, methods=EVERY_METHOD)]
        with answering(Starlette(routes=routes), listener):
            yield destination


@pytest.fixture(scope="module")
def _destination() -> Iterator[Destination]:
    with receiving() as running:
        yield running


@pytest.fixture
def destination(_destination: Destination) -> Destination:
    """One that has taken no call yet."""
    _destination.forget()
    return _destination


@contextmanager
def sdk(server: QStashServer, token: str | None = None) -> Iterator[QStash]:
    """The vendor's client, which has no way of its own to close its connections."""
    client = QStash(token or server.token, base_url=server.url, retry=False)
    try:
        yield client
    finally:
        client.http._client.close()


@pytest.fixture
def client(qstash_server: QStashServer) -> Iterator[QStash]:
    with sdk(qstash_server) as opened:
        yield opened


def published(client: QStash, destination: Destination, body: str | bytes = b"{}", **options: Any) -> str:
    answer = client.message.publish(url=destination.url, body=body, **options)
    assert isinstance(answer, PublishResponse)
    return answer.message_id


def receiver(server: QStashServer) -> Receiver:
    return Receiver(server.keys.current, server.keys.next)


def verify(receiver: Receiver, call: Call, url: str) -> None:
    receiver.verify(signature=call.headers["upstash-signature"], body=call.body.decode(), url=url)


class TestPublishing:
    def test_a_message_arrives_byte_for_byte_with_its_headers(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        body = '{"job":  "é", "n": 1.0}\n'.encode() + b"\xff\x00"
        message_id = published(
            client, destination, body, content_type="application/octet-stream", headers={"X-API-Secret": "s3cret"}
        )
        qstash_server.deliver_now()
        (call,) = destination.calls
        assert (call.method, call.path, call.body) == ("POST", "/hook", body)
        assert call.headers["content-type"] == "application/octet-stream"
        assert call.headers["x-api-secret"] == "s3cret"
        assert call.headers["user-agent"] == "Upstash-QStash"
        assert call.headers["upstash-message-id"] == message_id
        assert call.headers["upstash-retried"] == "0"
        assert not [name for name in call.headers if name.startswith("upstash-forward")]

    def test_json_and_the_method_and_the_query_of_the_destination(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        url = f"{destination.url}/a%20b?x=1&y=%2F"
        client.message.publish_json(url=url, body={"a": [1]}, method="PUT")
        qstash_server.deliver_now()
        (call,) = destination.calls
        assert (call.method, json.loads(call.body), call.headers["content-type"]) == (
            "PUT", {"a": [1]}, "application/json",
        )  # fmt: skip
        verify(receiver(qstash_server), call, url)

    def test_nothing_comes_before_its_delay_or_its_time(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        published(client, destination, b"later", delay="1m30s")
        published(client, destination, b"soon", not_before=int(time.time()) + 20)
        published(client, destination, b"now")
        qstash_server.deliver_now()
        assert destination.bodies() == [b"now"]
        qstash_server.advance(21)
        assert destination.bodies() == [b"now", b"soon"]
        qstash_server.advance(68)
        assert destination.bodies() == [b"now", b"soon"]
        qstash_server.advance(2)
        assert destination.bodies() == [b"now", b"soon", b"later"]

    def test_a_duplicate_is_accepted_and_not_delivered_for_ten_minutes(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        first = client.message.publish(url=destination.url, body=b"1", deduplication_id="job-1")
        again = client.message.publish(url=destination.url, body=b"2", deduplication_id="job-1")
        assert isinstance(first, PublishResponse) and isinstance(again, PublishResponse)
        assert (first.deduplicated, again) == (False, PublishResponse(first.message_id, True))
        qstash_server.advance(600)
        published(client, destination, b"3", deduplication_id="job-1")
        qstash_server.deliver_now()
        assert destination.bodies() == [b"1", b"3"]

    def test_the_same_content_is_a_duplicate_where_that_is_asked_for(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        for secret in ("one", "one", "two"):
            published(client, destination, b"x", headers={"X": secret}, content_based_deduplication=True)
        qstash_server.deliver_now()
        assert len(destination.calls) == 2

    def test_a_batch(self, qstash_server: QStashServer, client: QStash, destination: Destination) -> None:
        answers = client.message.batch_json(
            [{"url": destination.url, "body": {"n": n}, "deduplication_id": f"{n % 2}"} for n in range(3)]
        )
        assert [getattr(answer, "deduplicated") for answer in answers] == [False, False, True]  # noqa: B009
        qstash_server.deliver_now()
        assert [json.loads(body) for body in destination.bodies()] == [{"n": 0}, {"n": 1}]

    def test_one_bad_message_of_a_batch_stops_no_other(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        with pytest.raises(KeyError, match="messageId"):  # which is all that the SDK says of it
            client.message.batch([{"url": "nowhere"}, {"url": destination.url, "body": "x"}])
        qstash_server.deliver_now()
        assert destination.bodies() == [b"x"]

    def test_a_message_is_seen_while_it_waits_and_can_be_cancelled(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        message_id = published(
            client,
            destination,
            b"x",
            delay=60,
            retries=2,
            label="job",
            retry_delay="1000 * (1 + retried)",
            callback=destination.url,
            flow_control={"key": "k", "rate": 10, "period": "1m", "parallelism": 2},
        )
        seen = client.message.get(message_id)
        assert (seen.url, seen.body, seen.max_retries, seen.label) == (destination.url, "x", 2, "job")
        assert seen.not_before == seen.created_at + 60_000
        assert seen.flow_control is not None and seen.flow_control.period == 60
        client.message.cancel(message_id)
        with pytest.raises(QStashError, match="404"):
            client.message.cancel(message_id)
        others = [published(client, destination) for _ in range(3)]
        assert client.message.cancel_many(others[:2]) == 2
        assert client.message.cancel_all() == 1
        assert qstash_server.advance(120) == []

    def test_what_is_redacted_is_delivered_and_not_shown(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        message_id = published(
            client,
            destination,
            b"private",
            headers={"X-API-Secret": "s3cret", "X-Plain": "plain"},
            redact={"body": True, "header": ["X-API-Secret"]},
        )
        seen = client.message.get(message_id)
        assert seen.headers is not None and seen.headers["X-Plain"] == ["plain"]
        assert seen.headers["X-Api-Secret"][0].startswith("REDACTED:")
        assert seen.body is not None and seen.body.startswith("REDACTED:")
        qstash_server.deliver_now()
        assert (destination.calls[0].body, destination.calls[0].headers["x-api-secret"]) == (b"private", "s3cret")


class TestRefusals:
    def test_another_token(self, qstash_server: QStashServer, destination: Destination) -> None:
        with sdk(qstash_server, "another") as stranger, pytest.raises(QStashError, match=r"401.*invalid token"):
            published(stranger, destination)
        assert qstash_server.waiting == []

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"deduplication_id": "job:1"}, "400.*cannot contain ':'"),
            ({"retries": 6}, "412.*quota maxRetries exceeded"),
            ({"delay": "soon"}, "400.*not a duration"),
            ({"retry_delay": "__import__('os')"}, "400.*not a retry delay"),
            ({"callback": "nowhere"}, "400.*invalid scheme"),
            ({"failure_callback": "nowhere"}, "400.*invalid scheme"),
            ({"method": "BREW"}, "400.*invalid method"),
            ({"flow_control": {"key": "k", "parallelism": 0}}, "400.*flow control"),
            ({"body": b"x" * ((1 << 20) + 1)}, "500.*quota maxMessageSize exceeded"),
        ],
    )
    def test_what_the_service_does_not_accept(
        self, qstash_server: QStashServer, client: QStash, destination: Destination, options: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(QStashError, match=told):
            published(client, destination, **options)
        assert qstash_server.waiting == []

    def test_limits_and_breakdowns(self, qstash_server: QStashServer, client: QStash, destination: Destination) -> None:
        qstash_server.exceed_rate()
        qstash_server.exceed_day()
        qstash_server.refuse(503)
        with pytest.raises(RateLimitExceededError) as rate:
            published(client, destination)
        with pytest.raises(DailyMessageLimitExceededError) as day:
            published(client, destination)
        with pytest.raises(QStashError, match="status: 503"):
            published(client, destination)
        assert (rate.value.remaining, day.value.remaining) == ("0", "0")
        assert published(client, destination)


class TestSignatures:
    def test_the_receiver_accepts_what_is_signed(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        published(client, destination, '{"é": 1}')
        qstash_server.deliver_now()
        verify(receiver(qstash_server), destination.calls[0], destination.url)

    def test_the_claims(self, qstash_server: QStashServer, client: QStash, destination: Destination) -> None:
        published(client, destination, b"x")
        destination.will_answer(500)
        qstash_server.advance(60)
        tokens = [call.headers["upstash-signature"] for call in destination.calls]
        assert jwt.get_unverified_header(tokens[0]) == {"alg": "HS256", "typ": "JWT"}
        first, second = (
            jwt.decode(token, qstash_server.keys.current, algorithms=["HS256"], issuer="Upstash") for token in tokens
        )
        assert first.keys() == {"iss", "sub", "exp", "nbf", "iat", "jti", "body"}
        assert first["exp"] - first["nbf"] == 300
        assert abs(first["iat"] - time.time()) < 10
        assert first["jti"] != second["jti"]
        assert first["sub"] == destination.url

    def test_a_changed_body_address_key_or_signature_is_refused(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        published(client, destination, b"body")
        qstash_server.deliver_now()
        (call,) = destination.calls
        good = receiver(qstash_server)
        spoilt = call.headers["upstash-signature"][:-4] + "AAAA"
        for judge, what, url in (
            (good, replace(call, body=b"Body"), destination.url),
            (good, call, destination.url + "/"),
            (good, replace(call, headers={"upstash-signature": spoilt}), destination.url),
            (Receiver("sig_other", "sig_another"), call, destination.url),
        ):
            with pytest.raises(SignatureError):
                verify(judge, what, url)

    def test_keys_rotate_and_a_receiver_survives_one_rotation(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        before = client.signing_key.get()
        of_old_keys = Receiver(before.current, before.next)
        for rotation in range(3):
            published(client, destination, f"{rotation}")
            qstash_server.deliver_now()
            rotated = client.signing_key.rotate()
        assert rotated == client.signing_key.get()
        signed_by_current, signed_by_next, signed_by_newer = destination.calls
        verify(of_old_keys, signed_by_current, destination.url)
        verify(of_old_keys, signed_by_next, destination.url)
        with pytest.raises(SignatureError):
            verify(of_old_keys, signed_by_newer, destination.url)


class TestRetries:
    def test_the_vendors_schedule_until_the_dead_letter_queue(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(503, times=6)
        published(client, destination, retries=5)
        deliveries = qstash_server.advance(3 * 86_400)
        waits = [after.at - before.at for before, after in itertools.pairwise(deliveries)]
        assert [int(wait) for wait in waits] == [12, 148, 1808, 22026, 86400]
        assert [call.headers["upstash-retried"] for call in destination.calls] == ["0", "1", "2", "3", "4", "5"]
        assert len(qstash_server.dead_letters) == 1

    def test_three_retries_where_none_are_named(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(500, times=9)
        published(client, destination)
        assert len(qstash_server.advance(86_400)) == 4

    def test_the_publishers_formula(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(500, times=3)
        published(client, destination, retry_delay="min(pow(2, retried) * 1000, 1500)")
        deliveries = qstash_server.advance(10)
        assert [round(delivery.at - deliveries[0].at, 3) for delivery in deliveries] == [0, 1, 2.5, 4]

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"Retry-After": "0"}, 0),
            ({"Retry-After": "40"}, 40),
            ({"Retry-After": "6m5s"}, 365),
            ({"X-RateLimit-Reset-Tokens": "7"}, 7),
            ({"Retry-After": "86401"}, 12),
            ({"Retry-After": "tomorrow"}, 12),
        ],
    )
    def test_the_destination_says_when(
        self,
        qstash_server: QStashServer,
        client: QStash,
        destination: Destination,
        headers: dict[str, str],
        seconds: int,
    ) -> None:
        destination.will_answer(503, headers)
        published(client, destination)
        first, second = qstash_server.advance(86_400)
        assert int(second.at - first.at) == seconds

    def test_the_destination_names_a_date(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        date = format_datetime(datetime.fromtimestamp(time.time() + 3_600, UTC), usegmt=True)
        destination.will_answer(503, {"Retry-After": date})
        published(client, destination)
        first, second = qstash_server.advance(86_400)
        assert second.at - first.at == pytest.approx(3_600, abs=5)

    def test_489_ends_it_only_with_its_header(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(489)
        destination.will_answer(489, {"Upstash-NonRetryable-Error": "true"})
        published(client, destination)
        assert [delivery.status for delivery in qstash_server.advance(86_400)] == [489, 489]
        assert len(qstash_server.dead_letters) == 1

    def test_nobody_there_and_an_answer_too_late_count_as_failures(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.seconds = 0.5
        published(client, destination, timeout="100ms", retries=0)
        client.message.publish(url="http://127.0.0.1:9/", body=b"x", retries=0)
        assert [delivery.status for delivery in qstash_server.deliver_now()] == [0, 0]
        assert len(qstash_server.dead_letters) == 2


class TestCallbacks:
    def test_a_failure_callback_is_signed_and_tells_of_the_message(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        with receiving() as failed:
            destination.will_answer(489, {"Upstash-NonRetryable-Error": "true"}, b"no such job")
            message_id = published(
                client,
                destination,
                b'{"job": 1}',
                headers={"X": "y"},
                failure_callback=failed.url,
                failure_callback_headers={"Forward-X-API-Secret": "s3cret", "X-Not-Passed-On": "1"},
            )
            qstash_server.deliver_now()
            (call,) = failed.calls
            verify(receiver(qstash_server), call, failed.url)
        told = json.loads(call.body)
        assert (told["status"], told["retried"], told["maxRetries"]) == (489, 0, 3)
        assert (told["sourceMessageId"], told["url"], told["method"]) == (message_id, destination.url, "POST")
        assert base64.b64decode(told["sourceBody"]) == b'{"job": 1}'
        assert base64.b64decode(told["body"]) == b"no such job"
        assert told["sourceHeader"]["x"] == "y"
        assert client.dlq.get(told["dlqId"]).message_id == message_id
        assert call.headers["upstash-message-id"] != message_id
        assert call.headers["x-api-secret"] == "s3cret"
        assert "x-not-passed-on" not in call.headers

    def test_a_failure_callback_is_tried_again_as_its_message_was(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        with receiving() as failed:
            destination.will_answer(500, times=2)
            failed.will_answer(500)
            published(client, destination, retries=1, failure_callback=failed.url)
            qstash_server.advance(60)
            assert [call.headers["upstash-retried"] for call in failed.calls] == ["0", "1"]

    def test_a_callback_comes_after_each_attempt(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        with receiving() as callback:
            destination.will_answer(500)
            published(client, destination, callback=callback.url)
            qstash_server.advance(60)
            assert [json.loads(body)["status"] for body in callback.bodies()] == [500, 200]


class TestDeadLetters:
    def test_are_listed_found_and_deleted(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(404, body=b"not here", times=5)
        ids = [published(client, destination, f"{n}", retries=0, label=f"job-{n}") for n in range(5)]
        qstash_server.deliver_now()
        first = client.dlq.list(count=3)
        rest = client.dlq.list(cursor=first.cursor)
        assert [letter.message_id for letter in (*first.messages, *rest.messages)] == ids
        assert rest.cursor is None
        (found,) = client.dlq.list(filter={"label": "job-3"}).messages
        assert (found.message_id, found.response_status, found.response_body) == (ids[3], 404, "not here")
        client.dlq.delete(found.dlq_id)
        with pytest.raises(QStashError, match="404"):
            client.dlq.get(found.dlq_id)
        assert client.dlq.delete_many([letter.dlq_id for letter in first.messages]) == 3
        assert [letter.message.message_id for letter in qstash_server.dead_letters] == [ids[4]]

    def test_are_published_again_as_new_messages(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(500, times=2)
        message_id = published(client, destination, b"x", retries=0, headers={"X-API-Secret": "s"})
        qstash_server.deliver_now()
        (letter,) = client.dlq.list().messages
        answer = client.http.request(
            path=f"/v2/dlq/retry/{letter.dlq_id}", method="POST", headers={"Upstash-Retries": "1"}
        )
        qstash_server.advance(60)
        assert [call.headers["upstash-message-id"] for call in destination.calls] == [
            message_id, answer["messageId"], answer["messageId"],
        ]  # fmt: skip
        assert destination.calls[2].headers["x-api-secret"] == "s"
        assert client.dlq.list().messages == []


class TestSchedules:
    def test_publish_at_their_times_until_paused_or_deleted(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        schedule_id = client.schedule.create_json(
            destination=destination.url, cron="*/5 * * * *", body={"a": 1}, schedule_id="maintenance", retries=0
        )
        assert schedule_id == "maintenance"
        qstash_server.advance(1_500)
        assert len(destination.calls) == 5
        verify(receiver(qstash_server), destination.calls[0], destination.url)
        assert {call.headers["upstash-schedule-id"] for call in destination.calls} == {"maintenance"}
        assert len({call.headers["upstash-message-id"] for call in destination.calls}) == 5
        client.schedule.pause("maintenance")
        assert client.schedule.get("maintenance").paused
        qstash_server.advance(1_500)
        client.schedule.resume("maintenance")
        qstash_server.advance(300)
        client.schedule.delete("maintenance")
        qstash_server.advance(1_500)
        assert len(destination.calls) == 6

    def test_the_same_id_replaces_a_schedule(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        for cron in ("* * * * *", "0 3 * * *"):
            client.schedule.create(destination=destination.url, cron=cron, schedule_id="one", label="x")
        (schedule,) = client.schedule.list()
        assert (schedule.cron, schedule.destination, schedule.paused) == ("0 3 * * *", destination.url, False)

    @pytest.mark.parametrize("cron", ["often", "* * * * * *", "61 * * * *", "CRON_TZ=Nowhere/Here * * * * *"])
    def test_what_is_no_cron_expression(self, client: QStash, destination: Destination, cron: str) -> None:
        with pytest.raises(QStashError, match="400"):
            client.schedule.create(destination=destination.url, cron=cron)

    def test_an_id_with_other_signs(self, client: QStash, destination: Destination) -> None:
        with pytest.raises(QStashError, match="400"):
            client.schedule.create(destination=destination.url, cron="* * * * *", schedule_id="maintenance:1")

    def test_the_hour_of_a_zone(self, client: QStash, destination: Destination) -> None:
        client.schedule.create(destination=destination.url, cron="CRON_TZ=Asia/Tokyo 0 9 * * *", schedule_id="tokyo")
        following = client.schedule.get("tokyo").next_schedule_time
        assert following is not None
        assert datetime.fromtimestamp(following / 1000, UTC).hour == 0


class TestFlowControl:
    def test_no_more_at_once_than_the_key_allows(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.seconds = 0.02
        for _ in range(9):
            published(client, destination, flow_control={"key": "deployment", "parallelism": 3})
        qstash_server.deliver_now(at_once=9)
        assert (len(destination.calls), destination.most_at_once) == (9, 3)

    def test_no_more_in_a_period_than_the_rate(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        for _ in range(5):
            published(client, destination, flow_control={"key": "ai", "rate": 2, "period": "1m"})
        qstash_server.deliver_now()
        counts = [len(destination.calls)]
        for _ in range(3):
            qstash_server.advance(60)
            counts.append(len(destination.calls))
        assert counts == [2, 4, 5, 5]


class TestMishaps:
    def test_a_duplicate_comes_again_as_it_was(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.seconds = 0.05
        message_id = published(client, destination, b"x")
        qstash_server.deliver_now()
        assert qstash_server.duplicate(message_id, 20, at_once=20) == [200] * 20
        assert destination.bodies() == [b"x"] * 21
        assert {call.headers["upstash-message-id"] for call in destination.calls} == {message_id}
        assert destination.most_at_once > 10

    def test_what_a_test_orders_befalls_the_next_deliveries(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        qstash_server.lose()
        qstash_server.lose_answers()
        qstash_server.delay(100)
        qstash_server.double()
        for name in ("lost", "unanswered", "delayed", "doubled"):
            published(client, destination, name)
        qstash_server.deliver_now()
        assert destination.bodies() == [b"unanswered", b"doubled", b"doubled"]
        qstash_server.advance(13)
        assert destination.bodies()[3:] == [b"unanswered"]
        qstash_server.advance(100)
        assert destination.bodies()[4:] == [b"delayed"]
        assert (qstash_server.waiting, qstash_server.dead_letters) == ([], [])

    def test_chances_and_order_follow_from_the_seed(self, destination: Destination) -> None:
        def run(seed: int) -> list[bytes]:
            destination.calls.clear()
            with running_qstash(seed) as server, sdk(server) as publisher:
                server.chance(Chances(lost=0.1, unanswered=0.1, delayed=0.3, doubled=0.1))
                server.reorder()
                for n in range(40):
                    published(publisher, destination, f"{n}")
                server.advance(86_400)
                assert server.waiting == []
            return destination.bodies()

        assert run(1) == run(1) != run(2)

    def test_live_it_delivers_by_itself_and_its_clock_runs(
        self, qstash_server: QStashServer, client: QStash, destination: Destination
    ) -> None:
        destination.will_answer(503)
        with qstash_server.live(speed=200):
            published(client, destination, b"x")
            deadline = time.monotonic() + 10
            while len(destination.calls) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        assert [delivery.status for delivery in qstash_server.deliveries] == [503, 200]
