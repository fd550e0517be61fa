import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from momentarium_cli.cli import output
from momentarium_cli.models import AlbumSummary, JobState, JobStatus


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2_500_000_000, "2.5 GB"),
        (3e15, "3,000.0 TB"),
    ],
)
def test_bytes_are_told_as_people_read_them(number: float, text: str) -> None:
    assert output.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (3.25, "3.2 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_061, "25 h 1 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text


def test_one_is_singular() -> None:
    assert [output.count(number, "photo") for number in (0, 1, 1234)] == ["0 photos", "1 photo", "1,234 photos"]


def test_dates_are_one_or_two() -> None:
    may, june = datetime(2024, 5, 1, 10), datetime(2024, 6, 2)
    assert [output.dates(*pair) for pair in ((None, None), (may, None), (may, may), (may, june))] == [
        "–", "2024-05-01", "2024-05-01", "2024-05-01 – 2024-06-02",
    ]  # fmt: skip


def test_text_cannot_control_the_terminal() -> None:
    assert output.plain("a\x1b[31mb\r\nc\u202ed é📷") == "a�[31mb��c�d é📷"


def test_titles_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither markup nor emoji codes of the terminal library."""
    title = "[red]Rome[/red] :car: [/]"
    output.console().print(output.albums_table([AlbumSummary(id=1, title=title, photos=1)]))
    assert title in capsys.readouterr().out


def test_json_is_one_line_of_utf8(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"title": "Zürich\n📷", "at": datetime(2024, 5, 1)})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "Zürich\\n📷" in out
    assert json.loads(out) == {"title": "Zürich\n📷", "at": "2024-05-01 00:00:00"}


def test_of_hundreds_of_jobs_in_the_same_state_only_the_first_are_listed() -> None:
    def job(number: int, state: JobState) -> JobStatus:
        return JobStatus(id=UUID(int=number), import_id=UUID(int=0), status=state, created_at=datetime.now(UTC))

    lines = list(
        output.job_lines(job(number, JobState.PENDING if number else JobState.FAILED) for number in range(100))
    )
    assert lines[0] == f"job {UUID(int=0)}: failed"
    assert lines[1:6] == [f"job {UUID(int=number)}: pending" for number in range(1, 6)]
    assert lines[6:] == ["… and 94 more pending."]
