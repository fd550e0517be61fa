"""The account at QStash: its signing keys, the schedules in it, and what it shows of a message.

Its refusals are told as errors of ours, each with its remedy.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from qstash.errors import DailyMessageLimitExceededError, QStashError, RateLimitExceededError
from qstash.message import Message
from qstash.schedule import Schedule

from momentarium_cli.backend.queues.qstash import LABEL, SECRET_HEADER, QStashOptions
from momentarium_cli.errors import MomentariumError, NotAllowed, ServerUnreachable, SettingsError, Temporary, Throttled

_PHASE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_LATER = 3600  # seconds; long enough to look at a message and call it back
_SCHEDULE = f"{LABEL}-maintenance-"

_REGION = "Set queue.qstash_url to the address that Upstash's console shows for your region."
_TOKEN = f"Set queue.qstash_token to the token that Upstash's console shows. {_REGION}"
_USED_UP = "Wait until tomorrow, have maintenance less often (queue.maintenance_cron), or choose a larger plan."


@dataclass(frozen=True, slots=True)
class MaintenanceSchedule:
    """`right_secret` is None where QStash does not show whether it brings ours along."""

    id: str
    destination: str
    cron: str
    paused: bool
    right_secret: bool | None


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a message: `status` is that of the answer to it where it failed, 0 where none came."""

    seconds: float
    failed: bool = False
    status: int = 0
    answer: str = ""


class QStashAccount:
    def __init__(self, options: QStashOptions) -> None:
        self._options = options
        self._client = options.client(_PHASE_SECONDS)
        self.schedule_id = _SCHEDULE + options.deployment

    def close(self) -> None:
        self._client.http._client.close()

    def signing_keys(self) -> tuple[str, str]:
        """The current one and the next."""
        with self._translated():
            keys = self._client.signing_key.get()
        return keys.current, keys.next

    # --- maintenance

    def maintenance_schedules(self) -> list[MaintenanceSchedule]:
        """Those of all deployments that share the account."""
        with self._translated():
            schedules = self._client.schedule.list()
        return [self._described(schedule) for schedule in schedules if schedule.schedule_id.startswith(_SCHEDULE)]

    def schedule_maintenance(self, cron: str) -> None:
        """Have the maintenance endpoint called again and again; a second time changes the schedule."""
        with self._translated():
            self._client.schedule.create(
                destination=self._options.maintenance_url,
                cron=cron,
                schedule_id=self.schedule_id,
                retries=0,
                **self._options.proof(),
            )

    def call_maintenance(self, patience: float) -> Called:
        """Have it called once, and wait until it was. Nothing of the message stays. Temporary: that took too long."""
        started = time.monotonic()
        with self._published(retries=0) as message_id:
            while self._is_under_way(message_id):
                if time.monotonic() - started > patience:
                    raise Temporary(
                        f"QStash did not deliver a message within {patience:.0f} s.",
                        hint="Upstash's console tells why.",
                    )
                time.sleep(_LOOK_SECONDS)
            return self._become(message_id, time.monotonic() - started - _LOOK_SECONDS)

    # --- secrecy

    def shows_secret(self) -> list[str]:
        """Where QStash shows our secret in clear, of a message as those of jobs are, which is called back."""
        with self._published(**self._options.callback(), delay=_LATER) as message_id:
            message = self._message(message_id)
        if message is None:
            raise Temporary("QStash does not show a message that waits.", hint="Try again later.")
        places = {"messages": message.headers, "failure callbacks": message.failure_callback_headers}
        return [place for place, headers in places.items() if self._options.api_secret in _values(headers)]

    # --- how

    def _described(self, schedule: Schedule) -> MaintenanceSchedule:
        shown = _values(schedule.headers)
        digest = hashlib.sha256(self._options.api_secret.encode()).hexdigest()
        right = any(value in (self._options.api_secret, f"REDACTED:{digest}") for value in shown) if shown else None
        return MaintenanceSchedule(schedule.schedule_id, schedule.destination, schedule.cron, schedule.paused, right)

    @contextmanager
    def _published(self, **more: Any) -> Iterator[str]:
        """A message to the maintenance endpoint; it is gone in the end, whatever happens."""
        with self._translated():
            published: Any = self._client.message.publish(
                url=self._options.maintenance_url, **self._options.proof(), **more
            )
        try:
            yield published.message_id
        finally:
            with suppress(MomentariumError), self._translated():
                self._client.message.cancel(published.message_id)

    def _is_under_way(self, message_id: str) -> bool:
        """Gone is what two looks do not find: QStash may not know yet what it was given a moment ago."""
        if self._message(message_id) is None:
            time.sleep(_LOOK_SECONDS)
            return self._message(message_id) is not None
        return True

    def _message(self, message_id: str) -> Message | None:
        with self._translated():
            try:
                return self._client.message.get(message_id)
            except QStashError as error:
                if _status(error) == httpx.codes.NOT_FOUND:
                    return None
                raise

    def _become(self, message_id: str, seconds: float) -> Called:
        """What became of a message that is under way no more; a dead letter is removed."""
        with self._translated():
            letters = self._client.dlq.list(filter={"message_id": message_id}).messages
            for letter in letters:
                self._client.dlq.delete(letter.dlq_id)
        if not letters:
            return Called(seconds)
        return Called(seconds, True, letters[0].response_status, letters[0].response_body or "")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        url = self._options.url
        try:
            yield
        except DailyMessageLimitExceededError as error:
            raise Throttled(
                f"The account's {error.limit or ''} messages of today are used up.", hint=_USED_UP
            ) from error
        except RateLimitExceededError as error:
            raise Throttled("QStash is asked too often.", hint="Try again in a moment.") from error
        except QStashError as error:
            raise _refused(url, error) from error
        except (UnicodeEncodeError, httpx.LocalProtocolError):
            raise NotAllowed("queue.qstash_token holds characters that no token has.", hint=_TOKEN) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SettingsError(f"queue.qstash_url {url!r} is not an address.", hint=_REGION) from error
        except httpx.RequestError as error:
            hint = "Check queue.qstash_url and the network."
            raise ServerUnreachable(f"QStash cannot be reached at {url}: {error}.", hint=hint) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"What answers at {url} is not QStash.", hint=_REGION) from error


def _refused(url: str, error: QStashError) -> MomentariumError:
    status, told = _status(error), _told(error)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return NotAllowed(f"QStash at {url} does not take the token.", hint=_TOKEN)
    if status == httpx.codes.NOT_FOUND:
        return SettingsError(f"QStash at {url} does not know the account ({told}).", hint=_REGION)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Temporary(f"QStash at {url} answers with {status} ({told}).", hint="Try again later.")
    return SettingsError(f"QStash refuses with {status}: {told}.", hint="Check the settings of the queue.")


def _status(error: QStashError) -> int:
    """The vendor's error has it in its text alone."""
    match = re.search(r"status: (\d+)", str(error))
    return int(match[1]) if match else 0


def _told(error: QStashError) -> str:
    text = str(error).partition("body: ")[2]
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["error"])
    return " ".join(text.split())[:200] or "without a reason"


def _values(headers: Mapping[str, Sequence[str]] | None) -> list[str]:
    """The values of the header with our secret, as QStash shows them."""
    return [
        value
        for name, values in (headers or {}).items()
        if name.lower().endswith(SECRET_HEADER.lower())
        for value in values
    ]
