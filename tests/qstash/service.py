"""The service itself: messages that wait, dead letters and schedules, and what is due by its clock."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from threading import RLock

from starlette.datastructures import Headers

from tests.qstash.clock import Clock
from tests.qstash.flows import Flows
from tests.qstash.messages import Message, Refused, check_destination, deduplication_id, first_attempt
from tests.qstash.schedules import Schedule
from tests.qstash.signing import SigningKeys, identifier
from tests.qstash.views import Answer, DeadLetter

DEDUPLICATION_WINDOW = 600.0  # seconds


@dataclass
class Service:
    """`waiting` is what is not yet delivered nor failed, `known` all that was ever published."""

    random: Random
    keys: SigningKeys
    clock: Clock = field(default_factory=Clock)
    waiting: dict[str, Message] = field(default_factory=dict)
    known: dict[str, Message] = field(default_factory=dict)
    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    reordered: bool = False
    lock: RLock = field(default_factory=RLock)
    _flows: Flows = field(default_factory=Flows)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _on_the_way: set[str] = field(default_factory=set)
    _published: dict[str, tuple[str, float]] = field(default_factory=dict)  # by deduplication id

    # --- what publishers do

    def publish(self, url: str, body: bytes, asked: Headers, caller_ip: str) -> tuple[str, bool]:
        """The message's id, and whether one of the last ten minutes stands in its place."""
        with self.lock:
            message = self._message(url, body, asked, caller_ip)
            earlier = self._earlier(deduplication_id(url, body, asked), message)
            if earlier is None:
                self._accept(message)
            return earlier or message.message_id, earlier is not None

    def cancel(self, message_ids: Sequence[str] | None) -> int:
        """How many will not be delivered any more; all where none are named."""
        with self.lock:
            chosen = list(self.waiting) if message_ids is None else message_ids
            return sum(self.waiting.pop(message_id, None) is not None for message_id in chosen)

    def republish(self, letter: DeadLetter, overrides: Headers) -> str:
        """The id of a new message like the dead one, which is removed."""
        with self.lock:
            old = letter.message
            given = {name: value for name, value in overrides.items() if name.startswith("upstash-")}
            message = self._message(old.url, old.body, Headers(dict(old.asked) | given), old.caller_ip)
            del self.dead_letters[letter.dlq_id]
            self._accept(message)
            return message.message_id

    def schedule(self, url: str, body: bytes, asked: Headers, caller_ip: str) -> str:
        """The id of a schedule, new or in the place of the one with the given id."""
        with self.lock:
            check_destination(url)
            schedule_id = asked.get("Upstash-Schedule-Id") or identifier("scd_", self.random)
            if not re.fullmatch(r"[\w.-]+", schedule_id, re.ASCII):
                raise Refused(400, "invalid schedule id")
            schedule = Schedule(schedule_id, url, body, asked, self.clock.now, caller_ip)
            try:
                schedule.move_on(self.clock.now)
            except (ValueError, KeyError) as error:
                raise Refused(400, f"invalid cron: {error}") from error
            self.message_of(schedule)
            self.schedules[schedule_id] = schedule
            return schedule_id

    def message_of(self, schedule: Schedule) -> Message:
        """A message as the schedule publishes it, not published."""
        message = self._message(schedule.url, schedule.body, schedule.asked, schedule.caller_ip)
        return replace(message, schedule_id=schedule.schedule_id)

    def _message(self, url: str, body: bytes, asked: Headers, caller_ip: str) -> Message:
        now = self.clock.now
        try:
            due = first_attempt(asked, now)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        message = Message(identifier("msg_", self.random), url, body, asked, now, due, caller_ip)
        message.check()
        return message

    def _earlier(self, key: str | None, message: Message) -> str | None:
        """The id of a message published under this key within the window; else the window of this one begins."""
        if key is None:
            return None
        earlier, since = self._published.get(key, ("", -DEDUPLICATION_WINDOW))
        if self.clock.now < since + DEDUPLICATION_WINDOW:
            return earlier
        self._published[key] = (message.message_id, self.clock.now)
        return None

    def _accept(self, message: Message) -> None:
        self.waiting[message.message_id] = self.known[message.message_id] = message

    # --- what the clock brings

    def next_event(self) -> float | None:
        """When something is due next that is not already on its way."""
        with self.lock:
            times = [message.due for message in self.waiting.values() if message.message_id not in self._on_the_way]
            times += [schedule.next_at for schedule in list(self.schedules.values())]
            return min(times, default=None)

    def take_due(self) -> list[Message]:
        """The messages whose next attempt begins now. Each has to be given back with `end`."""
        with self.lock:
            self._run_schedules()
            now = self.clock.now
            ready = [message for message in self.waiting.values() if message.due <= now]
            ready = [message for message in ready if message.message_id not in self._on_the_way]
            ready.sort(key=lambda message: message.due)
            if self.reordered:
                self.random.shuffle(ready)
            taken = [message for message in ready if self._flows.admit(message, now)]
            self._on_the_way.update(message.message_id for message in taken)
            return taken

    def _run_schedules(self) -> None:
        for schedule in list(self.schedules.values()):
            while schedule.next_at <= self.clock.now:
                if not schedule.paused:
                    schedule.last_at = schedule.next_at
                    self._accept(self.message_of(schedule))
                schedule.move_on(schedule.next_at)

    # --- how attempts end

    def end(self, message: Message) -> None:
        """It is not on its way any more: delivered, failed, or waiting for its next attempt."""
        with self.lock:
            self._on_the_way.discard(message.message_id)
            self._flows.release(message)

    def forget(self, message: Message) -> bool:
        """Whether it still waited: a message that was cancelled meanwhile does not."""
        with self.lock:
            return self.waiting.pop(message.message_id, None) is not None

    def postpone(self, message: Message, seconds: float) -> None:
        with self.lock:
            message.due = self.clock.now + seconds

    def bury(self, message: Message, answer: Answer) -> DeadLetter:
        """The letter in the dead-letter queue; its id has the form of the vendor's."""
        with self.lock:
            letter = DeadLetter(f"{self.clock.milliseconds}-{next(self._numbers)}", message, answer)
            self.dead_letters[letter.dlq_id] = letter
            return letter
