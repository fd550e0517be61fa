"""Reads what a model answered. Nothing in it is trusted: what is not exactly as it must be does not count."""

import json
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from momentarium_cli.backend.organize.dates import MONTHS
from momentarium_cli.backend.organize.languages import ENGLISH
from momentarium_cli.backend.organize.model import Fault, Unanswered
from momentarium_cli.backend.organize.text import clean

LONGEST_ANSWER = 200_000  # characters; twelve events are a few thousand
LONGEST_TITLE = 60
LONGEST_THEME = 200
LEAST_CONFIDENCE = 40

Shape = TypeVar("Shape", bound=BaseModel)

_CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LINK = re.compile(r"://|www\.|@|\w\.[a-z]{2,}", re.IGNORECASE)
_MARKUP = re.compile(r"[<>{}\[\]`\\|]")
_MONTH = "|".join(MONTHS)
_SURE_MONTH = "|".join(name for name in MONTHS if name not in ("March", "May"))  # these two are words, too
_DATE = re.compile(
    rf"(?<!\d)(?:1[89]|2[01])\d\d(?!\d)|\d\s*[./-]\s*\d"
    rf"|\b(?:in|of|early|late|mid)[ -](?:{_MONTH})\b|\d(?:st|nd|rd|th|\.)? (?:of )?(?:{_MONTH})\b|\b(?:{_MONTH}) \d"
    r"|\d+\s*[年月日]",
    re.IGNORECASE,
)


def title(text: str, language: str = ENGLISH) -> str | None:
    """The text if it may be shown as a title."""
    line = checked(text, LONGEST_TITLE, language)
    return line if line and any(character.isalpha() for character in line) else None


def checked(text: str, limit: int, language: str = ENGLISH) -> str | None:
    """The text in one line if it may be shown: short, without links, markup, control characters and dates."""
    line = clean(text)
    if not 0 < len(line) <= limit or any(unicodedata.category(c) in _CONTROLS for c in text):
        return None
    return None if any(pattern.search(line) for pattern in (_LINK, _MARKUP, _DATE, _months(language))) else line


@lru_cache(maxsize=16)
def _months(language: str) -> re.Pattern[str]:
    """The names of months, which of other languages are hardly ever anything else."""
    if language == ENGLISH:
        return re.compile(rf"\b(?:{_SURE_MONTH})\b", re.IGNORECASE)
    from babel.dates import get_month_names

    names = get_month_names("wide", locale=language).values()
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b", re.IGNORECASE)


def items(text: str, name: str) -> list[Any]:
    """The list of this name that an answer is. Unanswered: it is not."""
    found = document(text).get(name)
    if not isinstance(found, list):
        raise Unanswered(Fault.UNUSABLE)
    return found


def document(text: str) -> dict[str, Any]:
    """The JSON object that an answer is. Unanswered: it is not."""
    if len(text) > LONGEST_ANSWER:
        raise Unanswered(Fault.UNUSABLE)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unanswered(Fault.UNUSABLE) from error
    if not isinstance(found, dict):
        raise Unanswered(Fault.UNUSABLE)
    return found


def valid(model: type[Shape], values: Sequence[Any]) -> list[Shape]:
    """Those that have this shape exactly."""
    found: list[Shape] = []
    for value in values:
        with suppress(ValidationError):
            found.append(model.model_validate(value))
    return found
