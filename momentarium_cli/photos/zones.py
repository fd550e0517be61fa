"""Minutes between wall time and UTC: from GPS clocks, from the zone of a position, from this machine's zone."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_ODD_OFFSETS = frozenset((5 * 60 + 45, 8 * 60 + 45, 12 * 60 + 45))  # Nepal, Eucla, Chatham; else whole half hours
_MOST = 14 * 60  # as far as zones go; local mean times of the nineteenth century went further
_STALE = timedelta(minutes=5)  # a fix older than that says nothing of the wall clock


def from_gps_clock(wall: datetime, utc: datetime) -> int | None:
    """The offset that makes the camera's wall time agree with the GPS clock, if one that exists does."""
    minutes = round((wall - utc) / timedelta(minutes=15)) * 15
    exists = -12 * 60 <= minutes <= 14 * 60 and (minutes % 30 == 0 or minutes in _ODD_OFFSETS)
    return minutes if exists and abs(wall - utc - timedelta(minutes=minutes)) <= _STALE else None


def at_position(latitude: float, longitude: float, wall: datetime) -> int | None:
    """The offset in force at a position at a local wall time; None where no zone data is installed, or none was."""
    zone = _zone(latitude, longitude)
    return None if zone is None else _minutes(wall.replace(tzinfo=zone))


def local_at_position(latitude: float, longitude: float, utc: datetime) -> tuple[datetime, int | None] | None:
    """Wall time and offset at a position, of a moment in UTC."""
    zone = _zone(latitude, longitude)
    return None if zone is None else _split(utc.replace(tzinfo=UTC).astimezone(zone))


def local_here(utc: datetime) -> tuple[datetime, int | None]:
    """Wall time and offset in the zone of this machine, of a moment in UTC."""
    return _split(utc.replace(tzinfo=UTC).astimezone())


def _zone(latitude: float, longitude: float) -> ZoneInfo | None:
    from tzfpy import get_tz

    return _named(get_tz(longitude, latitude))


@lru_cache(maxsize=600)
def _named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None


def _minutes(moment: datetime) -> int | None:
    minutes = round((moment.utcoffset() or timedelta()) / timedelta(minutes=1))
    return minutes if abs(minutes) <= _MOST else None


def _split(moment: datetime) -> tuple[datetime, int | None]:
    return moment.replace(tzinfo=None), _minutes(moment)
