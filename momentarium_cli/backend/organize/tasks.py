"""What is asked of models: the kinds of questions, the things they are about, and how they may be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

from pydantic import BaseModel

from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.questions import Sharing
from momentarium_cli.backend.organize.sheets import MAX_CELLS, NumberedSheet

Decisions = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Policy:
    """How models are asked; `models` are tried in this order. Times are seconds.

    `deadline` is for one answer, `flex_deadline` for one at half of the price, `patience` the longest wait before
    another try, `silence` the longest without any answer before a run is given up. `closer_sheets` is the most of one
    event that is looked at closer. `free`: no request costs anything.
    """

    models: tuple[str, ...]
    language: str
    sharing: Sharing = field(default_factory=Sharing)
    flex: bool = False
    free: bool = False
    at_once: int = 4  # requests
    sheets_a_request: int = 10
    closer_sheets: int = 8
    deadline: float = 60.0
    flex_deadline: float = 600.0
    first_wait: float = 1.0
    patience: float = 30.0
    silence: float = 180.0

    @property
    def asking(self) -> str:
        """What besides the question makes the answer."""
        return f"{self.models[0]} {self.language}"


@dataclass(frozen=True, slots=True)
class Item:
    """A thing to ask about, by its number: what is told of it, the photos that are shown of it, if there are any, and
    what its decision is kept under."""

    number: int
    text: str
    key: str
    shown: Sequence[Photo] = ()

    @property
    def sheets(self) -> int:
        return max(1, ceil(len(self.shown) / MAX_CELLS))


@dataclass(frozen=True, slots=True)
class Asked:
    """A thing with its sheets; `photo_ids` are in the order of the numbers of their cells."""

    item: Item
    sheets: Sequence[NumberedSheet]

    @property
    def photo_ids(self) -> list[int]:
        return [photo_id for sheet in self.sheets for photo_id in sheet.photo_ids]


class Task(Protocol):
    """A kind of question; `answer` is the shape of what is answered, `most_sheets` are those of a request."""

    @property
    def instructions(self) -> str: ...

    @property
    def answer(self) -> type[BaseModel]: ...

    @property
    def most_sheets(self) -> int: ...

    def output_tokens(self, item: Item) -> int:
        """That an answer about this usually has."""

    def read(self, text: str, asked: Sequence[Asked]) -> Decisions:
        """What an answer decides, by number, fit to be kept. Left out is what does not count. Unanswered: nothing
        does."""
