"""Imports as the SDK runs them, and what they told."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Options
from tests.client.conftest import Library

QUICK = Options(wait=False)


def run(library: Library, *paths: Path, options: Options = QUICK) -> list[Event]:
    with library.open() as momentarium:
        return list(momentarium.events(paths, options=options))


def summary(told: list[Event]) -> Summary:
    assert isinstance(told[-1], Summary)
    assert adds_up(told[-1])
    return told[-1]


def adds_up(value: Summary) -> bool:
    parts = (value.uploaded, value.duplicates, value.unchanged, value.skipped, value.failed, value.pending)
    return value.found == sum(parts)


def counts(value: Summary) -> dict[str, int]:
    """What is not 0."""
    names = ("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending")
    return {name: number for name in names if (number := getattr(value, name))}


def names(told: Iterable[Event], kind: type[Event]) -> list[str]:
    """Of the files that events of this kind are about."""
    found: list[Any] = [each for each in told if isinstance(each, kind)]
    return [each.path.name for each in found]
