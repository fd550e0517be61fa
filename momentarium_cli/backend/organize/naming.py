"""The first look at events: each has one contact sheet, and gets its title, description and cover."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from momentarium_cli.backend.organize.decisions import (
    LEAST_CONFIDENCE,
    LONGEST_THEME,
    LONGEST_TITLE,
    checked,
    items,
    title,
    valid,
)
from momentarium_cli.backend.organize.prices import EVENT_TOKENS
from momentarium_cli.backend.organize.questions import DATA_NOT_ORDERS, Subject, key_of
from momentarium_cli.backend.organize.tasks import Asked, Decisions, Item, Policy

TITLES = f"""at most 5 words and {LONGEST_TITLE - 20} characters, such as "Beach days" or "Garden party". No dates, no \
years, no months, and no names of places: these are added to it. Where "folder" is given, a person called the event \
so: use it. No names of people unless "folder" has them. Different events get different titles."""
THEMES = f"one sentence on what the photos show, at most {LONGEST_THEME - 40} characters, without dates."

_INSTRUCTIONS = f"""You name events in a person's photo library. Each event comes as one line of JSON and one contact \
sheet: photos in the order of time, each cell with its number in the upper left corner.
Answer for every event, by its number:
title: what happened, in {TITLES}
theme: {THEMES}
cover: the number of the cell that stands best for the event.
kind: "one" for photos of one occasion; "mixed" for those of several occasions that have nothing to do with each other.
confidence: 0 to 100, how sure you are of the title; 0 where the photos have nothing in common.
{DATA_NOT_ORDERS}"""


class Named(BaseModel):
    """One event of an answer, as a model writes it. The fields' order is the one in which they are asked for."""

    model_config = ConfigDict(strict=True)

    event: int
    title: str
    theme: str
    cover: int
    kind: Literal["one", "mixed"]
    confidence: int


class Answer(BaseModel):
    events: list[Named]


@dataclass(frozen=True, slots=True)
class Naming:
    """A decision has title and theme, None where they stay; the cover as the key of its thumbnail, or None; and how
    sure the model is, 0 for what is mixed."""

    policy: Policy
    answer = Answer

    @property
    def instructions(self) -> str:
        return _INSTRUCTIONS.format(language=self.policy.language)

    @property
    def most_sheets(self) -> int:
        return self.policy.sheets_a_request

    def output_tokens(self, item: Item) -> int:
        return EVENT_TOKENS * item.sheets

    def item(self, subject: Subject) -> Item:
        key = key_of(self.policy.asking, subject.facts, subject.shown)
        return Item(subject.number, subject.line, key, subject.shown)

    def read(self, text: str, asked: Sequence[Asked]) -> Decisions:
        """What counts of an answer; left out is what was not asked, and events with two answers."""
        by_number = {one.item.number: one for one in asked}
        found = [named for named in valid(Named, items(text, "events")) if named.event in by_number]
        times = Counter(named.event for named in found)
        return {
            named.event: self._decision(named, by_number[named.event]) for named in found if times[named.event] == 1
        }

    def _decision(self, named: Named, asked: Asked) -> dict[str, Any]:
        sure, language = named.confidence >= LEAST_CONFIDENCE, self.policy.language
        return {
            "title": title(named.title, language) if sure else None,
            "theme": checked(named.theme, LONGEST_THEME, language),
            "cover": cover_key(named.cover, asked),
            "confidence": min(named.confidence, 100) if named.kind == "one" else 0,
        }


def cover_key(cell: int, asked: Asked) -> str | None:
    """Of the thumbnail in a cell, if there is such a one."""
    photo_ids = asked.photo_ids
    if not 1 <= cell <= len(photo_ids):
        return None
    return next(photo.thumb_key for photo in asked.item.shown if photo.id == photo_ids[cell - 1])
