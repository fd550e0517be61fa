"""A line a file, in CSV and JSON, also where the run ends early."""

import csv
import json
from contextlib import closing
from pathlib import Path

import pytest

from momentarium_cli.cli.report import Report
from momentarium_cli.client import events
from momentarium_cli.client.events import Event
from momentarium_cli.errors import UsageError
from tests.cli.test_progress import summary

TOLD: list[Event] = [
    events.Started("i", "http://127.0.0.1:1", "/store"),
    events.Unchanged(Path("/p/old.jpg")),
    events.Found(Path("/p/a.jpg"), 500),
    events.Found(Path("/p/b, \"quoted\".jpg"), 600),
    events.Found(Path("/p/c\udcff.jpg"), 700),
    events.Found(Path("/p/d.jpg"), 800),
    events.Skipped(Path("/p/film.mov"), "video", "a video; only photos are read"),
    events.Uploaded(Path("/p/a.jpg"), 500, "ab12"),
    events.Duplicate(Path("/p/b, \"quoted\".jpg"), image_id=7),
    events.Failed(Path("/p/c\udcff.jpg"), "no permission"),
]  # fmt: skip
ROWS = [
    ("/p/old.jpg", "unchanged", None, None, None),
    ("/p/film.mov", "skipped", None, None, "a video; only photos are read"),
    ("/p/a.jpg", "uploaded", 500, "ab12", None),
    ('/p/b, "quoted".jpg', "duplicate", 600, None, "the same bytes as photo 7"),
    ("/p/c�.jpg", "failed", 700, None, "no permission"),
]
PENDING = ("/p/d.jpg", "pending", 800, None, None)


def begun(path: Path) -> Report:
    report = Report(path)
    for event in TOLD:
        report.show(event)
    return report


def write(path: Path) -> None:
    report = begun(path)
    report.end(summary(pending=1))
    report.close()


@pytest.mark.parametrize("name", ["r.jsonl", "r.JSON"])
def test_json_has_an_object_a_line(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    rows = [tuple(json.loads(line).values()) for line in (tmp_path / name).read_text("utf-8").splitlines()]
    assert rows == [*ROWS, PENDING]


def test_csv_has_a_header_and_quotes_what_must_be(tmp_path: Path) -> None:
    write(tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "outcome", "size_bytes", "sha256", "reason"]
    assert rows == [["" if value is None else str(value) for value in row] for row in [*ROWS, PENDING]]


def test_a_run_that_was_killed_leaves_whole_lines(tmp_path: Path) -> None:
    with closing(begun(tmp_path / "r.jsonl")):
        lines = (tmp_path / "r.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == [row[1] for row in ROWS]


def test_an_earlier_report_stays_until_there_is_something_to_tell(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("before")
    report = Report(tmp_path / "r.csv")
    report.close()
    assert (tmp_path / "r.csv").read_text() == "before"


@pytest.mark.parametrize("name", ["r", "r.txt", "nowhere/r.csv"])
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Report(tmp_path / name)


def test_a_report_that_cannot_be_written_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").mkdir()
    write(tmp_path / "r.csv")
    assert capfd.readouterr().err == f"The report {tmp_path / 'r.csv'} cannot be written: Is a directory.\n"
