import json
import os
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from momentarium_cli.client import events, export
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.models import AlbumSummary, JobState, JobStatus

JOB = JobStatus(
    id=UUID(int=1),
    import_id=UUID(int=2),
    status=JobState.COMPLETED,
    created_at=datetime(2024, 5, 1, tzinfo=UTC),
)
SAMPLES: dict[str, Any] = {
    "Path": Path("/p/a.jpg"), "str": "text", "int": 3, "float": 1.5, "int | None": 4, "float | None": 1.5,
    "pathlib.Path | None": Path("/p/b.jpg"), "bool": True, "JobStatus": JOB,
    "tuple[momentarium_cli.models.JobStatus, ...]": (JOB,),
    "tuple[momentarium_cli.models.AlbumSummary, ...]": (AlbumSummary(id=1, title="May", photos=3),),
}  # fmt: skip

SAMPLES["Summary"] = Summary("i", 1, 1, 0, 0, 0, 0, 0, 7, 1.5, (JOB,))


def made(cls: type[Event]) -> Event:
    return cls(
        **{
            f.name: SAMPLES[
                f.type.__name__ if isinstance(f.type, type) and not str(f.type).startswith("tuple") else str(f.type)
            ]
            for f in fields(cls)
        }
    )


def kinds(module: Any) -> list[type[Event]]:
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
    return [cls for cls in found if cls is not Event and cls.__module__ == module.__name__]


@pytest.mark.parametrize("module", [events, export], ids=["events", "export"])
def test_every_event_of_a_command_has_a_name_of_its_own(module: Any) -> None:
    names = [cls.name for cls in kinds(module)]
    assert len(names) == len(set(names)) > 2


@pytest.mark.parametrize("cls", [*kinds(events), *kinds(export)], ids=lambda cls: cls.__name__)
def test_every_event_is_json_with_its_name_and_schema_1(cls: type[Event]) -> None:
    line = json.loads(json.dumps(event := made(cls).as_json()))
    assert line["event"] == cls.name
    assert line["schema"] == 1
    assert line == event, "nothing in it needs a conversion of its own"


def test_the_summary_is_what_scripts_rely_on() -> None:
    summary = Summary(
        import_id="i", found=21, uploaded=1, duplicates=2, unchanged=3, skipped=4, failed=5, pending=6,
        bytes_uploaded=7, elapsed_seconds=1.23456, jobs=(JOB,), albums=(AlbumSummary(id=9, title="May", photos=3),),
    )  # fmt: skip
    assert list(summary.as_json().items()) == [
        ("event", "summary"), ("schema", 1), ("import", "i"), ("found", 21), ("uploaded", 1), ("duplicates", 2),
        ("unchanged", 3), ("skipped", 4), ("failed", 5), ("pending", 6), ("bytes_uploaded", 7),
        ("elapsed_seconds", 1.235), ("jobs", [{"id": str(UUID(int=1)), "status": "completed"}]),
        ("albums", [{"id": 9, "title": "May", "photos": 3}]),
    ]  # fmt: skip


def test_paths_that_are_not_utf8_can_be_printed() -> None:
    found = events.Found(Path(os.fsdecode(b"/p/\xff.jpg")), 3)
    assert json.dumps(found.as_json(), ensure_ascii=False).encode()
    assert found.as_json()["path"] == "/p/�.jpg"
