"""Whether QStash and this deployment reach and believe each other: the account is asked, and the webhook is called.

What QStash has to do again and again, its calls for maintenance, is set up here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from urllib.parse import urlsplit

import httpx

from momentarium_cli.backend.addresses import is_inside
from momentarium_cli.backend.findings import Advice, Finding, found
from momentarium_cli.backend.queues.qstash import QStashOptions
from momentarium_cli.backend.queues.qstash_account import Called, MaintenanceSchedule, QStashAccount
from momentarium_cli.backend.webhook import MAINTENANCE_PATH, REFUSAL, Proofs, is_loopback
from momentarium_cli.config import QueueSettings
from momentarium_cli.errors import MomentariumError, ServerUnreachable, SettingsError, Temporary

_CALL_SECONDS = 60.0
_LIVE_SECONDS = 60.0
_FIRST = ("QStash", "public address", "webhook")  # without them the others would only say the same

_START = "Is `momentarium serve` running there? Does server.public_url have the right scheme, host, port and path?"
_FORWARD = f"{_START} QStash's calls must reach it as they are, without a log-in or a redirect before it."
_KEYS = "Set both to those that Upstash's console shows, and restart the servers."
_OTHERS = (
    "It has to run with queue.backend qstash, and with the server.public_url, queue.api_secret and signing keys that "
    'stand here; its log says what it did not like, after "refused".'
)


def examine_qstash(options: QStashOptions, proofs: Proofs, queue: QueueSettings, *, live: bool) -> Iterator[Finding]:
    """Every check that can be made; with `live`, also those that send messages."""
    trusting = not is_loopback(urlsplit(options.process_url).hostname)
    with (
        closing(QStashAccount(options)) as account,
        httpx.Client(timeout=_CALL_SECONDS, trust_env=trusting) as http,
    ):
        checks = _Checks(options, proofs, queue, account, http)
        for name, look in {**checks.looks, **(checks.live_looks if live else {})}.items():
            finding = found(name, look)
            yield finding
            if not finding.ok and name in _FIRST:
                return


class _Checks:
    """Each says what it found, or raises what is broken, with its remedy."""

    def __init__(
        self, options: QStashOptions, proofs: Proofs, queue: QueueSettings, account: QStashAccount, http: httpx.Client
    ) -> None:
        self._options, self._proofs, self._queue = options, proofs, queue
        self._account, self._http = account, http

    @property
    def looks(self) -> Mapping[str, Callable[[], str]]:
        return {
            "QStash": self.account,
            "signing keys": self.signing_keys,
            "public address": self.public_address,
            "webhook": self.webhook,
            "maintenance": self.maintenance,
        }

    @property
    def live_looks(self) -> Mapping[str, Callable[[], str]]:
        return {"secrecy": self.secrecy, "delivery": self.delivery}

    # --- the account -------------------------------------------------------------------------------------------

    def account(self) -> str:
        self._account.signing_keys()
        return f"{self._options.url} takes the token"

    def signing_keys(self) -> str:
        theirs = self._account.signing_keys()
        ours = (self._queue.qstash_current_signing_key, self._queue.qstash_next_signing_key)
        names = ("queue.qstash_current_signing_key", "queue.qstash_next_signing_key")
        other = " and ".join(name for name, our, their in zip(names, ours, theirs, strict=True) if our != their)
        if theirs[0] not in ours:
            raise SettingsError(f"QStash signs with another key than {other}: its calls are refused.", hint=_KEYS)
        if other:
            return Advice(f"other than the account's: {other}; after the next rotation calls are refused. {_KEYS}")
        return "the account's are those that are set"

    # --- the way to us -----------------------------------------------------------------------------------------

    def public_address(self) -> str:
        url, host = self._proofs.destination(""), urlsplit(self._options.process_url).hostname or ""
        if not is_loopback(urlsplit(self._options.url).hostname) and is_inside(host):
            raise SettingsError(
                f"QStash cannot reach {url}, which is an address of this machine or network.",
                hint="Set server.public_url to one that the internet reaches; a tunnel will do for a try.",
            )
        if not url.startswith("https:") and not is_loopback(host):
            raise SettingsError(
                f"On its way to {url} anybody can read the secret that QStash brings along.",
                hint="Have HTTPS there, and set server.public_url to it.",
            )
        return f"QStash calls {url}"

    def webhook(self) -> str:
        self._check_refusal()
        self._check_acceptance()
        return f"{self._proofs.destination('')} refuses calls without proof, and takes those that have it"

    def _check_refusal(self) -> None:
        url = self._options.process_url
        answer = self._call(url, {})
        if answer.status_code == httpx.codes.UNAUTHORIZED and REFUSAL in answer.text:
            return
        to = f" to {answer.headers['location']}" if answer.has_redirect_location else ""
        raise SettingsError(f"{url} answers with {answer.status_code}{to}, which is not Momentarium.", hint=_FORWARD)

    def _check_acceptance(self) -> None:
        url = self._options.maintenance_url
        status = self._call(url, self._proofs.given(MAINTENANCE_PATH, b"", time.time())).status_code
        if status == httpx.codes.UNAUTHORIZED:
            raise SettingsError(f"The server at {url} refuses what these settings prove.", hint=_OTHERS)
        if status != httpx.codes.OK:
            raise Temporary(f"{url} answers with {status}.", hint="Its log tells more.")

    def _call(self, url: str, headers: dict[str, str]) -> httpx.Response:
        try:
            return self._http.post(url, headers=headers)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"{url} cannot be reached: {error}.", hint=_START) from error

    # --- what it does again and again --------------------------------------------------------------------------

    def maintenance(self) -> str:
        schedules = self._account.maintenance_schedules()
        own = next((schedule for schedule in schedules if schedule.id == self._account.schedule_id), None)
        changed = self._set_up(own)
        times = f"{self._queue.maintenance_cron} (queue.maintenance_cron), a message each time"
        said = f"{changed}{self._options.maintenance_url} is called at {times}"
        if own is not None and own.paused:
            return Advice(f"{said}, but the schedule is paused: resume it in Upstash's console")
        if others := [schedule for schedule in schedules if schedule is not own]:
            return Advice(f"{said}; {_told(others)}: delete it in Upstash's console if nobody is there any more")
        return said

    def _set_up(self, schedule: MaintenanceSchedule | None) -> str:
        """Has the schedule as it should be. Returns what was to be done for it, as the beginning of a sentence."""
        why = self._wrong(schedule)
        if why is None:
            return ""
        self._account.schedule_maintenance(self._queue.maintenance_cron)
        return f"set up, for {why}: "

    def _wrong(self, schedule: MaintenanceSchedule | None) -> str | None:
        if schedule is None:
            return "there was no schedule"
        if schedule.destination != self._options.maintenance_url:
            return f"it called {schedule.destination}"
        if schedule.cron != self._queue.maintenance_cron:
            return f"it called at {schedule.cron}"
        if schedule.right_secret is False:
            return "it brought another secret along"
        return None

    # --- live --------------------------------------------------------------------------------------------------

    def secrecy(self) -> str:
        if places := self._account.shows_secret():
            return Advice(
                f"QStash shows queue.api_secret in its {' and '.join(places)}: who may look into the account can read "
                "it. Alone it opens nothing, for a call needs QStash's signature too"
            )
        return "QStash does not show queue.api_secret, neither in messages nor in failure callbacks"

    def delivery(self) -> str:
        called = self._account.call_maintenance(_LIVE_SECONDS)
        if called.failed:
            raise _undelivered(self._options.maintenance_url, called)
        return f"QStash delivered a message within {called.seconds:.1f} s"


def _undelivered(url: str, called: Called) -> MomentariumError:
    if called.status == httpx.codes.UNAUTHORIZED:
        return SettingsError(f"{url} refuses what QStash signs.", hint=_OTHERS)
    if called.status == 0:
        return ServerUnreachable(f"QStash could not reach {url}: {called.answer[:200]}", hint=_FORWARD)
    return Temporary(f"{url} answered QStash with {called.status}.", hint="Its log tells more.")


def _told(schedules: list[MaintenanceSchedule]) -> str:
    return ", ".join(f"so is {schedule.destination} by the schedule {schedule.id}" for schedule in schedules)
