"""What EXIF tags say, checked: what is absurd is not known. Tag numbers are those of EXIF 2.32 (CIPA DC-008)."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from momentarium_cli.photos.tiff import Directory, Tags

FIRST_YEAR = 1826  # the oldest photograph there is
MAX_CAMERA = 200

_DATE = re.compile(r"\s*(\d{4})[:/.-](\d\d)[:/.-](\d\d)[T ]+([ \d]\d)[:.]([ \d]\d)(?:[:.]([ \d]\d))?")
_OFFSET = re.compile(r"\s*([+-])\s*(\d\d?):?(\d\d)\s*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]+")
_UNSET = frozenset(datetime(year, 1, 1) for year in (1904, 1970, 1980))  # zero for QuickTime, Unix and FAT


class Taken(NamedTuple):
    """A capture time: local wall time, and minutes east of UTC where a tag says them."""

    at: datetime
    offset: int | None


class Position(NamedTuple):
    """Degrees north and east (WGS 84), metres above the sea."""

    latitude: float
    longitude: float
    altitude: float | None


def original(tags: Tags) -> Taken | None:
    """DateTimeOriginal with OffsetTimeOriginal, or OffsetTime."""
    return _taken(tags, 0x9003, 0x9011)


def digitized(tags: Tags) -> Taken | None:
    """DateTimeDigitized, which other tools call CreateDate, with its offset."""
    return _taken(tags, 0x9004, 0x9012)


def written(tags: Tags) -> Taken | None:
    """DateTime: when the camera, or a later program, wrote the file. Old cameras set nothing else."""
    return _taken(tags, 0x0132, 0x9010)


def _taken(tags: Tags, date: int, offset: int) -> Taken | None:
    at = parse_date(_text(tags.exif, date) or _text(tags.image, date))
    if at is None:
        return None
    minutes = parse_offset(_text(tags.exif, offset))
    return Taken(at, parse_offset(_text(tags.exif, 0x9010)) if minutes is None else minutes)


def parse_date(text: str) -> datetime | None:
    """ "2024:05:12 10:15:30" and its common misspellings; None if it is no plausible moment."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return plausible(datetime(year, month, day, hour, minute, min(second, 59)))
    except ValueError:
        return None


def plausible(moment: datetime | None) -> datetime | None:
    """The moment, unless it is before photography, after next year, or the zero of some clock."""
    if moment is None or moment in _UNSET or not FIRST_YEAR <= moment.year <= datetime.now(UTC).year + 1:
        return None
    return moment


def parse_offset(text: str) -> int | None:
    """Minutes east of UTC, of "+02:00", "-0330" or "Z"."""
    if text.strip() == "Z":
        return 0
    found = _OFFSET.match(text)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return (minutes if found[1] == "+" else -minutes) if minutes <= 14 * 60 and int(found[3]) < 60 else None


def gps_utc(tags: Tags) -> datetime | None:
    """GPSDateStamp and GPSTimeStamp: the moment of the position fix, in UTC without a zone."""
    clock = _numbers(tags.gps, 0x0007, 3)
    if clock is None:
        return None
    day = parse_date(f"{_text(tags.gps, 0x001D)} 00:00:00")
    seconds = clock[0] * 3600 + clock[1] * 60 + clock[2]
    return day + timedelta(seconds=int(seconds)) if day and 0 <= seconds < 86_401 else None


def position(tags: Tags) -> Position | None:
    """Where the photo was taken; 0°/0° is what devices write that do not know."""
    latitude, longitude = _degrees(tags.gps, 0x0001, "NS", 90), _degrees(tags.gps, 0x0003, "EW", 180)
    if latitude is None or longitude is None or (abs(latitude) < 1e-6 and abs(longitude) < 1e-6):
        return None
    return Position(latitude, longitude, _altitude(tags.gps))


def _degrees(gps: Directory, reference: int, letters: str, limit: int) -> float | None:
    """Degrees, minutes and seconds, with the sign of the letter (N or E: positive) in the tag before."""
    letter = _text(gps, reference)[:1].upper()
    numbers = _numbers(gps, reference + 1, 1)
    if not letter or letter not in letters or numbers is None:
        return None
    parts = (*numbers[:3], 0.0, 0.0)
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    if min(parts) < 0 or parts[1] > 60 or parts[2] > 60 or degrees > limit:
        return None
    return round(-degrees if letter == letters[1] else degrees, 7)


def _altitude(gps: Directory) -> float | None:
    numbers = _numbers(gps, 0x0006, 1)
    if numbers is None or not 0 <= numbers[0] <= 50_000:
        return None
    below = (_numbers(gps, 0x0005, 1) or (0,))[0] == 1
    return None if below and numbers[0] > 1_000 else round(-numbers[0] if below else numbers[0], 2)


def camera(tags: Tags) -> str | None:
    """ "Make Model", the make left out where the model repeats it."""
    return name_camera(_text(tags.image, 0x010F), _text(tags.image, 0x0110))


def name_camera(make: str, model: str) -> str | None:
    """One line of at most 200 characters."""
    make, model = clean(make), clean(model)
    repeated = model and model.split()[0].casefold() in make.casefold().split()
    return clean(model if repeated else f"{make} {model}") or None


def clean(text: str) -> str:
    """The text in one line: no control characters, single spaces, cut."""
    return " ".join(_CONTROL.sub(" ", text).split())[:MAX_CAMERA].strip()


def orientation(tags: Tags) -> int:
    """1 to 8; 1 where the tag is missing or absurd."""
    value = _numbers(tags.image, 0x0112, 1)
    return int(value[0]) if value and value[0] in range(1, 9) else 1


def size(directory: Directory, width: int = 0x0100, height: int = 0x0101) -> tuple[int, int]:
    """The size that a directory states; (0, 0) if it states none."""
    across, down = _numbers(directory, width, 1), _numbers(directory, height, 1)
    return (int(across[0]), int(down[0])) if across and down else (0, 0)


def _text(directory: Directory, tag: int) -> str:
    value = directory.get(tag)
    return value if isinstance(value, str) else ""


def _numbers(directory: Directory, tag: int, least: int) -> tuple[float, ...] | None:
    """The numbers of a tag, if there are at least so many and all are finite."""
    value = directory.get(tag)
    if value is None or isinstance(value, str) or len(value) < least or not all(map(math.isfinite, value)):
        return None
    return value
