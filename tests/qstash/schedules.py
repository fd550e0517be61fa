"""Schedules: what is published again and again, as a cron expression says, in UTC or in a zone that it names."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from croniter import croniter
from starlette.datastructures import Headers


@dataclass
class Schedule:
    """`asked` is the publisher's headers, `next_at` in the clock's seconds. A paused one lets its times pass."""

    schedule_id: str
    url: str
    body: bytes
    asked: Headers
    created_at: float
    caller_ip: str
    next_at: float = 0
    last_at: float | None = None
    paused: bool = False

    @property
    def cron(self) -> str:
        return self.asked["Upstash-Cron"]

    def move_on(self, now: float) -> None:
        """To the first time after `now`; ValueError where the expression is none."""
        zone, expression = _zone_and_expression(self.cron)
        self.next_at = croniter(expression, datetime.fromtimestamp(now, zone)).get_next(float)


def _zone_and_expression(cron: str) -> tuple[ZoneInfo, str]:
    """Of "*/5 * * * *" or "CRON_TZ=America/New_York */5 * * * *"; a resolution of a minute, so five fields."""
    zone, expression = cron.removeprefix("CRON_TZ=").split(" ", 1) if cron.startswith("CRON_TZ=") else ("UTC", cron)
    if len(expression.split()) != 5:
        raise ValueError(f"invalid cron: {cron}")
    return ZoneInfo(zone), expression
