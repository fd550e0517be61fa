"""What a person called a folder, as opposed to what a camera, a phone or a file manager called it."""

import re
from functools import lru_cache
from pathlib import Path

from momentarium_cli.backend.organize.dates import MONTHS
from momentarium_cli.backend.organize.text import clean

# A name made of these words and numbers alone says nothing of what is in the photos.
_GENERIC = frozenset(Path(__file__).with_name("generic_folders.txt").read_text("utf-8").split())
_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS) + "|Sept"
_MONTHS = frozenset(_MONTH.lower().split("|"))
_NUMBERED = re.compile(r"\d+|[a-z]{0,3}\d+[a-z]{0,3}")  # 2024, IMG001, S21, D5100, 5d
_DCF = re.compile(r"\d{3}[A-Z0-9_ ]{5}")  # 100CANON: the Design rule for Camera File system
_MADE_UP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4,})+|(?=.*\d)[0-9a-f]{10,}|(?:[A-Za-z]+\d+){3,}[A-Za-z]*", re.IGNORECASE)
_OWNER = re.compile(r"([A-Za-z]:)?/(home|users|(run/)?media|volumes|mnt|storage/emulated)/[^/]*/?", re.IGNORECASE)

_YEAR = r"(?P<year>(?:18|19|20|21)\d\d)"
_DATE = (
    rf"{_YEAR}(?:[-. ]?(?:0[1-9]|1[0-2])(?:[-. ]?[0-3]\d)?)?(?!\d)",
    rf"[0-3]?\d[-./ ][01]?\d[-./ ]{_YEAR}",
    rf"(?:[0-3]?\d(?:st|nd|rd|th|\.)? ?(?:[-–] ?[0-3]?\d(?:st|nd|rd|th|\.)? ?)?)?(?:{_MONTH})\.? ?"
    rf"(?:[0-3]?\d(?:st|nd|rd|th)?,? )?{_YEAR}",
)
_DATE_FIRST = tuple(re.compile(rf"(?:{date})[-–—_.,:; ]+", re.IGNORECASE) for date in _DATE)
_DATE_LAST = tuple(re.compile(rf"[-–—_.,:;( ]+(?:{date})\)?\Z", re.IGNORECASE) for date in reversed(_DATE))
_NEEDS_ITS_YEAR = (" of", " in", " from", " since", " to", " for", " until")  # "Class of 2024"


# What is celebrated in few hours, for whose sake people name a folder, in the languages of titles and Dutch.
_OCCASION = re.compile(
    r"\b(?:birthday|b-?day|wedding|anniversary|graduation|christening|baptism|engagement|baby shower)s?\b"
    r"|geburtstag|hochzeit|\btaufe\b|jubiläum|konfirmation|kommunion|einschulung|verlobung"
    r"|anniversaire|\bmariage\b|\bbaptême\b|cumpleaños|\bboda\b|\bbautizo\b|\bcomunión\b|graduación"
    r"|aniversário|aniversario|casamento|batizado|formatura|compleanno|matrimonio|battesimo|\blaurea\b"
    r"|verjaardag|bruiloft|誕生日|結婚式|卒業式|入学式|七五三|生日|婚礼|毕业",
    re.IGNORECASE,
)


def names_occasion(name: str) -> bool:
    """Whether a folder's name says what was celebrated, which is more than where that was."""
    return _OCCASION.search(name) is not None


@lru_cache(maxsize=4096)
def given_name(folder: str | None) -> str | None:
    """The innermost name in a path that a person gave, cleaned, or None.

    Looked for are a folder and the two around it: "Anna's wedding/DCIM/100CANON". What lies above a folder of a
    year or of a month holds many events and names none of them.
    """
    parts = _OWNER.sub("", clean(folder or "").replace("\\", "/")).split("/")
    names = [" ".join(part.replace("_", " ").split()) for part in reversed(parts) if part.strip()]
    for name in names[:3]:
        if not is_generic(name):
            return name
        if _is_month_or_year(name):
            return None
    return None


def is_generic(name: str) -> bool:
    """Whether a folder's name was made by a device or a program, or says no more than a date."""
    if _DCF.fullmatch(name) or _MADE_UP.fullmatch(name.replace(" ", "")):
        return True
    return all(_says_nothing(word) for word in re.split(r"[\W_]+", name.lower()) if word)


def without_date(name: str, years: range) -> str:
    """A folder's name without a leading or trailing date of these years, which the title's own date repeats."""
    for pattern in _DATE_FIRST:
        match = pattern.match(name)
        if match and int(match["year"]) in years:
            return name[match.end() :].strip() or name
    for pattern in _DATE_LAST:
        match = pattern.search(name)
        if match and int(match["year"]) in years:
            rest = name[: match.start()].strip()
            return rest if rest and not rest.lower().endswith(_NEEDS_ITS_YEAR) else name
    return name


def _says_nothing(word: str) -> bool:
    return word in _GENERIC or word in _MONTHS or len(word) == 1 or _NUMBERED.fullmatch(word) is not None


def _is_month_or_year(name: str) -> bool:
    words = re.split(r"[\W_]+", name.lower())
    digits = sum(len(word) for word in words if word.isdigit())
    return all(word.isdigit() or word in _MONTHS for word in words if word) and 0 < digits < 7
