"""A memory, and nobody who watches, for organizers that ask a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from momentarium_cli.backend.organize.prices import Usage


@dataclass
class Notebook:
    """A memory that does not outlive the test."""

    limit: float = 1.0
    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    spent: list[float] = field(default_factory=list)

    def recall(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {key: self.known[key] for key in keys if key in self.known}

    def keep(self, key: str, decision: Mapping[str, Any]) -> None:
        self.known[key] = decision

    def reserve(self, model: str, cost: float) -> int | None:
        if sum(self.spent) + cost > self.limit:
            return None
        self.spent.append(cost)
        return len(self.spent) - 1

    def settle(self, request: int, usage: Usage, cost: float) -> None:
        self.spent[request] = cost


class Unwatched:
    """A run that nobody ends; `noted` is what it said of how far it was."""

    seconds_left: float | None = None
    got_further = False

    def __init__(self) -> None:
        self.noted: list[tuple[int, int]] = []

    def check_held(self) -> None:
        """Nobody takes it."""

    def note(self, stage: str, done: int, total: int) -> None:
        self.noted.append((done, total))

    def end_slice(self) -> None:
        """There are none."""
