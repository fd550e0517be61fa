"""What the service tells of its messages as JSON, with the fields of its OpenAPI document."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.qstash.messages import CALLBACK, FAILURE_CALLBACK, Message, callback_headers
from tests.qstash.schedules import Schedule


@dataclass(frozen=True)
class Answer:
    """What a destination said: status 0 where nothing came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Whether the destination asks to be left alone with this message."""
        return self.status == 489 and self.told.get("Upstash-NonRetryable-Error", "").lower() == "true"

    @property
    def told(self) -> httpx.Headers:
        return httpx.Headers(self.headers)


@dataclass(frozen=True)
class DeadLetter:
    dlq_id: str
    message: Message
    answer: Answer


def message_view(message: Message) -> dict[str, Any]:
    return _present(
        messageId=message.message_id,
        url=message.url,
        method=message.method,
        header=_redacted_headers(message),
        callbackHeader=_lists(callback_headers(message, CALLBACK)),
        failureCallbackHeader=_lists(callback_headers(message, FAILURE_CALLBACK)),
        maxRetries=message.retries,
        retryDelayExpression=message.retry_delay,
        notBefore=round(message.due * 1000),
        createdAt=round(message.created_at * 1000),
        callback=message.callback,
        failureCallback=message.failure_callback,
        scheduleId=message.schedule_id,
        callerIP=message.caller_ip,
        label=message.label,
        labels=message.label.split(",") if message.label else None,
        **_flow_control(message),
        **_redacted_body(message),
    )


def dead_letter_view(letter: DeadLetter) -> dict[str, Any]:
    answer = letter.answer
    told = {"dlqId": letter.dlq_id, "responseStatus": answer.status, "responseHeader": _lists(answer.headers)}
    return message_view(letter.message) | told | _text_or_base64("responseBody", answer.body)


def schedule_view(schedule: Schedule, example: Message) -> dict[str, Any]:
    """`example` is a message as this schedule publishes it."""
    view = message_view(example)
    for name in ("messageId", "url", "notBefore", "maxRetries"):
        del view[name]
    return view | _present(
        scheduleId=schedule.schedule_id,
        cron=schedule.cron,
        destination=schedule.url,
        retries=example.retries,
        createdAt=round(schedule.created_at * 1000),
        isPaused=schedule.paused,
        nextScheduleTime=round(schedule.next_at * 1000),
        lastScheduleTime=round(schedule.last_at * 1000) if schedule.last_at else None,
    )


def callback_body(message: Message, answer: Answer, dlq_id: str | None = None) -> dict[str, Any]:
    """What a callback tells of an attempt; with `dlq_id`, a failure callback of the last one."""
    return _present(
        status=answer.status,
        header=_lists(answer.headers),
        body=base64.b64encode(answer.body).decode(),
        retried=message.retried,
        maxRetries=message.retries,
        dlqId=dlq_id,
        sourceMessageId=message.message_id,
        url=message.url,
        method=message.method,
        sourceHeader=dict(message.forwarded),
        sourceBody=base64.b64encode(message.body).decode(),
        notBefore=str(round(message.due * 1000)),
        createdAt=str(round(message.created_at * 1000)),
        scheduleId=message.schedule_id,
        callerIP=message.caller_ip,
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _lists(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name.title(), []).append(value)
    return lists


def _redacted_headers(message: Message) -> dict[str, list[str]]:
    everything = {"header", "headers"} & set(message.redacted)  # the SDK says one, the documentation the other
    return _lists(
        (name, _hidden(value.encode()) if everything or _named(name, message.redacted) else value)
        for name, value in message.forwarded
    )


def _named(name: str, redacted: list[str]) -> bool:
    return f"header[{name}]" in redacted or f"headers[{name}]" in redacted


def _redacted_body(message: Message) -> dict[str, str]:
    if "body" in message.redacted:
        return {"body": _hidden(message.body)}
    return _text_or_base64("body", message.body)


def _hidden(value: bytes) -> str:
    return "REDACTED:" + hashlib.sha256(value).hexdigest()


def _text_or_base64(name: str, value: bytes) -> dict[str, str]:
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(value).decode()}


def _flow_control(message: Message) -> dict[str, Any]:
    flow = message.flow_control
    if flow is None:
        return {}
    period = round(flow.period) if flow.rate is not None else None
    return _present(flowControlKey=flow.key, parallelism=flow.parallelism, rate=flow.rate, period=period)
