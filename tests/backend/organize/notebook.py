"""A memory for organizers that ask a model."""

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
