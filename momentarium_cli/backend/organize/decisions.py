"""Reads what a model answered. Nothing in it is trusted: what is not exactly as it must be does not count."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from momentarium_cli.backend.organize.dates import MONTHS
from momentarium_cli.backend.organize.languages import ENGLISH
from momentarium_cli.backend.organize.model import Fault, Unanswered
from momentarium_cli.backend.organize.questions import LONGEST_THEME, LONGEST_TITLE
from momentarium_cli.backend.organize.text import clean

LONGEST_ANSWER = 200_000  # characters; twelve events are a few thousand
LEAST_CONFIDENCE = 40

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


class Decided(BaseModel):
    """One event of an answer, as a model writes it. The fields' order is the one in which they are asked for."""

    model_config = ConfigDict(strict=True)

    event: int
    title: str
    theme: str
    cover: int
    confidence: int


class Answer(BaseModel):
    events: list[Decided]


@dataclass(frozen=True, slots=True)
class Decision:
    """What counts of an answer about one event; `title` has neither dates nor links, `cover` is a cell's number.

    What is None stays as it was.
    """

    title: str | None
    theme: str | None
    cover: int | None


def read(text: str, cells: Mapping[int, int], language: str = ENGLISH) -> dict[int, Decision]:
    """What an answer decides, by event; `cells` has the events that were asked about and how many cells each has.

    Left out is what was not asked, what is not complete, and events with two answers. Unanswered: it is no answer.
    """
    found = [decided for item in _items(text) if (decided := _decided(item)) and decided.event in cells]
    times = Counter(decided.event for decided in found)
    return {
        decided.event: _decision(decided, cells[decided.event], language)
        for decided in found
        if times[decided.event] == 1
    }


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


def _items(text: str) -> Collection[Any]:
    if len(text) > LONGEST_ANSWER:
        raise Unanswered(Fault.UNUSABLE)
    try:
        items = json.loads(text)["events"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Unanswered(Fault.UNUSABLE) from error
    if not isinstance(items, list):
        raise Unanswered(Fault.UNUSABLE)
    return items


def _decided(item: Any) -> Decided | None:
    try:
        return Decided.model_validate(item)
    except ValidationError:
        return None


def _decision(decided: Decided, cells: int, language: str) -> Decision:
    sure = decided.confidence >= LEAST_CONFIDENCE
    title = checked(decided.title, LONGEST_TITLE, language) if sure else None
    return Decision(
        title=title if title and any(c.isalpha() for c in title) else None,
        theme=checked(decided.theme, LONGEST_THEME, language),
        cover=decided.cover if 1 <= decided.cover <= cells else None,
    )
