"""The closer look, at events of which the first one said little: all their photos, on as many sheets as they need.

It may find that an event is several, one after another, and photos that belong to none of it. What belongs together by
the name that a person gave to a folder stays together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.decisions import (
    LEAST_CONFIDENCE,
    LONGEST_THEME,
    checked,
    items,
    title,
    valid,
)
from momentarium_cli.backend.organize.events import ENOUGH, FEW
from momentarium_cli.backend.organize.naming import THEMES, TITLES, cover_key
from momentarium_cli.backend.organize.prices import EVENT_TOKENS
from momentarium_cli.backend.organize.questions import DATA_NOT_ORDERS, Subject, key_of
from momentarium_cli.backend.organize.sheets import MAX_CELLS, representatives
from momentarium_cli.backend.organize.tasks import Asked, Decisions, Item, Policy
from momentarium_cli.backend.organize.titles import folder_name

SHARE = 1 / 3  # of the events of a run: as many sheets may be looked at closer, but those of one event at least
MOST_PARTS = 8
STRAYS = 0.25  # of an event's photos: where more do not belong, it is not known what it is

_INSTRUCTIONS = f"""You look at events in a person's photo library that one contact sheet said too little about. Each \
comes as one line of JSON and contact sheets: its photos in the order of time, each cell with its number in the upper \
left corner, counted on from sheet to sheet.
Answer for every event, by its number:
parts: usually one. Several, in the order of time, only where one occasion clearly ends and another begins, such as a \
museum and then a birthday. Each has
first: the number of the cell that it begins with; of the first part, 1.
title: what happened, in {TITLES}
theme: {THEMES}
cover: the number of the cell that stands best for the part.
confidence: 0 to 100, how sure you are of the title, and that it is a part of its own.
strays: the numbers of cells that clearly belong to no occasion at all, such as a receipt; usually none.
{DATA_NOT_ORDERS}"""


class Part(BaseModel):
    model_config = ConfigDict(strict=True)

    first: int
    title: str
    theme: str
    cover: int
    confidence: int


class Seen(BaseModel):
    model_config = ConfigDict(strict=True)

    event: int
    parts: list[Part]
    strays: list[int]


class Answer(BaseModel):
    events: list[Seen]


@dataclass(frozen=True, slots=True)
class LookingCloser:
    """A decision has `parts`, each with the index among the photos shown that it begins with, title, theme and cover as
    `Naming` has them; and `strays`, indices among the photos shown."""

    policy: Policy
    answer = Answer

    @property
    def instructions(self) -> str:
        return _INSTRUCTIONS.format(language=self.policy.language)

    @property
    def most_sheets(self) -> int:
        return self.policy.sheets_a_request

    def output_tokens(self, item: Item) -> int:
        return EVENT_TOKENS + 60 * (item.sheets - 1)

    def item(self, subject: Subject) -> Item:
        shown = representatives(subject.photos, self.policy.closer_sheets * MAX_CELLS)
        key = key_of(f"closer {self.policy.asking}", subject.facts, shown)
        return Item(subject.number, subject.line, key, shown)

    def read(self, text: str, asked: Sequence[Asked]) -> Decisions:
        """What counts of an answer; left out are events with two answers, and with parts that are not in order."""
        by_number = {one.item.number: one for one in asked}
        found = [seen for seen in valid(Seen, items(text, "events")) if seen.event in by_number]
        times = Counter(seen.event for seen in found)
        return {
            seen.event: self._decision(seen, by_number[seen.event])
            for seen in found
            if times[seen.event] == 1 and _in_order(seen, by_number[seen.event])
        }

    def _decision(self, seen: Seen, asked: Asked) -> dict[str, Any]:
        index = {photo.id: number for number, photo in enumerate(asked.item.shown)}
        cells = [index[photo_id] for photo_id in asked.photo_ids]
        parts = seen.parts if all(part.confidence >= LEAST_CONFIDENCE for part in seen.parts) else seen.parts[:1]
        return {
            "parts": [{"first": cells[part.first - 1], **self._looks(part, asked)} for part in parts],
            "strays": [cells[cell - 1] for cell in dict.fromkeys(seen.strays) if 1 <= cell <= len(cells)],
        }

    def _looks(self, part: Part, asked: Asked) -> dict[str, Any]:
        sure, language = part.confidence >= LEAST_CONFIDENCE, self.policy.language
        return {
            "title": title(part.title, language) if sure else None,
            "theme": checked(part.theme, LONGEST_THEME, language),
            "cover": cover_key(part.cover, asked),
        }


def _in_order(seen: Seen, asked: Asked) -> bool:
    firsts = [part.first for part in seen.parts]
    ascending = all(before < after for before, after in pairwise(firsts))
    return 0 < len(firsts) <= MOST_PARTS and firsts[0] == 1 and firsts[-1] <= len(asked.photo_ids) and ascending


def unclear(subjects: Sequence[Subject], named: Decisions, task: LookingCloser) -> list[Item]:
    """The events to look at closer: the least clear first, and no more than they may cost."""
    doubtful = [subject for subject in subjects if _confidence(named.get(subject.number)) < LEAST_CONFIDENCE]
    doubtful.sort(key=lambda subject: (_confidence(named.get(subject.number)), subject.number))
    left = max(task.policy.closer_sheets, int(SHARE * len(subjects)))
    chosen: list[Item] = []
    for item in map(task.item, doubtful):
        if item.sheets <= left:
            chosen.append(item)
            left -= item.sheets
    return sorted(chosen, key=lambda item: item.number)


def _confidence(decision: Mapping[str, Any] | None) -> int:
    """An event that got no answer is not unclear: it would get none again."""
    return int(decision["confidence"]) if decision else 100


def strays_of(subject: Subject, decision: Mapping[str, Any], shown: Sequence[Photo]) -> list[Photo]:
    """The photos that do not belong to an event; none where that would be much of it, or its folder says they do."""
    found = [shown[index] for index in decision["strays"]]
    few = len(found) <= STRAYS * len(subject.photos) and len(subject.photos) - len(found) >= ENOUGH
    return found if few and folder_name(subject.photos) is None else []


def parts_of(subject: Subject, decision: Mapping[str, Any], shown: Sequence[Photo]) -> list[list[Photo]]:
    """The event's photos by parts, without its strays; one part where it cannot be several."""
    strays = {photo.id for photo in strays_of(subject, decision, shown)}
    kept = [photo for photo in subject.photos if photo.id not in strays]
    order = {photo.id: index for index, photo in enumerate(subject.photos)}
    begins = [order[shown[part["first"]].id] for part in decision["parts"]]
    begins[0] = 0
    ends = [*begins[1:], len(subject.photos)]
    parts = [
        [photo for photo in kept if begin <= order[photo.id] < end] for begin, end in zip(begins, ends, strict=True)
    ]
    if min(map(len, parts)) < FEW or folder_name(subject.photos) is not None:
        return [kept]
    return parts
