"""How an import is shown: bars, lines and JSON tell the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from momentarium_cli.cli.progress import News
from momentarium_cli.cli.running import Look
from momentarium_cli.cli.signals import Signals
from momentarium_cli.client import events
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Options
from momentarium_cli.errors import InsufficientStorage, MomentariumError, NothingUsable, Stopped
from momentarium_cli.models import AlbumSummary, JobState, JobStatus
from momentarium_cli.photos.choice import EVERYTHING, Choice

NO_COUNTS = dict.fromkeys(("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending"), 0)


def job(state: JobState) -> JobStatus:
    return JobStatus(id=UUID(int=1), import_id=UUID(int=2), status=state, created_at=datetime(2024, 5, 1, tzinfo=UTC))


def summary(*, jobs: tuple[JobStatus, ...] = (), albums: tuple[AlbumSummary, ...] = (), **counts: int) -> Summary:
    numbers = NO_COUNTS | counts
    return Summary(
        import_id="i",
        found=sum(numbers.values()),
        **numbers,
        bytes_uploaded=1000,
        elapsed_seconds=2,
        jobs=jobs,
        albums=albums,
    )


class Import:
    """Tells these events, and ends as told."""

    def __init__(self, told: list[Event], end: Summary, error: MomentariumError | None = None) -> None:
        self.told, self.end, self.error = told, end, error

    def events(self) -> Iterator[Event]:
        yield from self.told
        if self.error:
            raise self.error
        yield self.end

    def summary(self) -> Summary:
        return self.end


ALL: list[Event] = [
    events.Started("i", "http://127.0.0.1:1", "/store"),
    events.Found(Path("/p/a.jpg"), 500),
    events.Found(Path("/p/b.jpg"), 500),
    events.Unchanged(Path("/p/c.jpg")),
    events.Skipped(Path("/p/d.mov"), "video", "a video; only photos are read"),
    events.LeftOut(Path("/p/.git"), "system_junk", "made by the system"),
    events.Warned(Path("/p/a.jpg"), "uploaded without a preview: it is cut off"),
    events.Planned(2, 1000, 1),
    events.Sent(500, 500),
    events.Uploaded(Path("/p/a.jpg"), 500, "ab"),
    events.Failed(Path("/p/b\x1b[31m.jpg"), "no permission"),
    events.JobStarted(str(UUID(int=1)), 1),
    events.JobProgress(job(JobState.COMPLETED)),
]
END = summary(
    uploaded=1, unchanged=1, skipped=1, failed=1, jobs=(job(JobState.COMPLETED),),
    albums=(AlbumSummary(id=1, title="May", photos=1),),
)  # fmt: skip


def show(
    import_: Import, *, json: bool = False, interactive: bool = False, list_skipped: bool = False,
    dry_run: bool = False, quiet: bool = False, signals: Signals | None = None, choice: Choice = EVERYTHING,
) -> int:  # fmt: skip
    look = Look(json=json, interactive=interactive, quiet=quiet, list_skipped=list_skipped)
    with look.renderer(Options(dry_run=dry_run, choice=choice)) as shown:
        return shown.run(import_, signals or Signals())  # type: ignore[arg-type]


@pytest.mark.parametrize("interactive", [True, False], ids=["bars", "lines"])
def test_people_see_albums_counts_reasons_and_failures(interactive: bool, capfd: pytest.CaptureFixture[str]) -> None:
    assert show(Import(ALL, END), interactive=interactive) == 3
    out, err = capfd.readouterr()
    assert "May" in out
    assert "4 files found: 1 photo uploaded (1.0 kB), 1 unchanged, 1 skipped, 1 failed, in 2.0 s." in err
    assert "skipped: 1 × a video; only photos are read" in err
    assert "failed: /p/b�[31m.jpg: no permission" in err
    assert "uploaded without a preview" in err
    assert "The originals are in /store.\nThis was import i." in err
    assert "d.mov" not in err


@pytest.mark.parametrize("interactive", [True, False], ids=["bars", "lines"])
def test_what_is_left_out_is_named_on_request(interactive: bool, capfd: pytest.CaptureFixture[str]) -> None:
    show(Import(ALL, END), interactive=interactive, list_skipped=True)
    err = capfd.readouterr().err
    assert "skipped /p/d.mov: a video; only photos are read" in err
    assert "left out /p/.git: made by the system" in err


def test_programs_get_one_event_a_line_and_the_summary_last(capfd: pytest.CaptureFixture[str]) -> None:
    assert show(Import(ALL, END), json=True) == 3
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == [event.name for event in ALL if event.name != "sent"] + ["summary"]
    assert err == ""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (summary(uploaded=1), 0),
        (summary(unchanged=1), 0),
        (summary(uploaded=1, failed=1), 3),
        (summary(uploaded=1, jobs=(job(JobState.FAILED),)), 6),
        (summary(uploaded=1, failed=1, jobs=(job(JobState.FAILED),)), 3),
        (summary(uploaded=1, skipped=5), 0),
    ],
)
def test_how_it_went_is_the_exit_code(end: Summary, code: int) -> None:
    assert show(Import([], end)) == code


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_but_skipped_files_is_nothing_usable(json: bool, dry_run: bool) -> None:
    with pytest.raises(NothingUsable, match="Name folders that hold photos"):
        show(Import([], summary(skipped=2)), json=json, dry_run=dry_run)


@pytest.mark.parametrize("json", [True, False])
def test_an_error_comes_after_the_counts(json: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InsufficientStorage):
        show(Import(ALL, summary(uploaded=1, pending=1), InsufficientStorage("full")), json=json)
    out, err = capfd.readouterr()
    assert "1 pending" in err or '"pending": 1' in out


def test_an_error_before_anything_was_found_stands_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NothingUsable):
        show(Import([], summary(), NothingUsable("Nothing to read.")))
    assert capfd.readouterr() == ("", "")


def test_a_signal_says_what_is_safe(capfd: pytest.CaptureFixture[str]) -> None:
    signals = Signals()
    signals.number = 15
    signals.stop.set()
    assert show(Import([], summary(uploaded=3, unchanged=1, pending=7), Stopped("stopped")), signals=signals) == 143
    assert "4 photos safe, 7 to go: run the same command again" in capfd.readouterr().err


def test_a_dry_run_tells_the_plan(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[Event] = [events.Planned(3, 2000, 1), events.Estimated(2, 1500, 90.4, 1, 0.06)]
    assert show(Import(told, summary(pending=2, duplicates=1, unchanged=3)), dry_run=True) == 0
    err: Any = capfd.readouterr().err
    assert "Would upload 2 photos (1.5 kB) in 1 batch, about 1 album; nothing was done." in err
    assert "At the speed of earlier uploads that takes about 1 min 30 s." in err
    assert "Asking Gemini about them costs at most about $0.06." in err
    assert "1 duplicate, 3 unchanged, 0 skipped, 0 unreadable." in err


def test_a_choice_that_leaves_nothing_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    left_out: list[Event] = [events.LeftOut(Path("/p/a.jpg"), "other_day", "not taken then")]
    assert show(Import(left_out, summary()), choice=Choice(min_size=1)) == 0
    assert "0 files found: nothing new" in (err := capfd.readouterr().err)
    assert "left out: 1 × not taken then" in err


# --- quiet, budgets, rounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [summary(unchanged=5), summary(duplicates=1), summary(), summary(skipped=1)])
def test_quiet_is_silent_where_nothing_is_new(end: Summary, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[Event] = [
        events.Started("i", "u", "/store"),
        events.Unchanged(Path("/p/c.jpg")),
        events.Planned(0, 0, 0),
    ]
    assert show(Import(told, end), quiet=True, interactive=True) == 0
    assert capfd.readouterr() == ("", "")


def test_quiet_tells_albums_counts_and_failures(capfd: pytest.CaptureFixture[str]) -> None:
    assert show(Import(ALL, END), quiet=True) == 3
    out, err = capfd.readouterr()
    assert "May" in out
    assert "1 photo uploaded" in err and "no permission" in err
    assert "job" not in err and "/store" not in err


def test_quiet_tells_of_a_job_that_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert show(Import([], summary(unchanged=1, jobs=(job(JobState.FAILED),))), quiet=True) == 6
    assert "failed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        (summary(uploaded=1, pending=9), 7, "--max-transfer is reached, 9 to go: run the same command again to go on."),
        (summary(), 7, "--max-transfer is reached; run"),
        (summary(uploaded=1, failed=1, pending=2), 3, "2 to go"),
    ],
)
def test_a_budget_that_is_reached_has_a_code_of_its_own(
    end: Summary, code: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert show(Import([events.BudgetReached("max_transfer")], end)) == code
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("interactive", [True, False], ids=["bars", "lines"])
def test_the_first_albums_are_told_while_others_are_uploaded(
    interactive: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    album = AlbumSummary(id=1, title="May \x1b[31m", photos=3)
    told: list[Event] = [events.Albums("j", (album,)), events.Albums("k", (album.model_copy(update={"photos": 4}),))]
    show(Import(told, summary(uploaded=4)), interactive=interactive)
    assert capfd.readouterr().err.count("Ready: May �[31m, 3 photos") == 1


def rounds(*ends: tuple[list[Event], Summary], json: bool = False) -> None:
    look = Look(json=json, news=News())
    assert look.news is not None
    for told, end in ends:
        with look.renderer(Options()) as shown:
            shown.run(Import(told, end), Signals())  # type: ignore[arg-type]
        look.news.first = False


STARTED = events.Started("i", "u", "/store")
BROKEN = events.Failed(Path("/p/b.jpg"), "no permission")
SAME = ([STARTED, events.Unchanged(Path("/p/c.jpg")), BROKEN], summary(unchanged=1, failed=1))
NEW = ([STARTED, events.Uploaded(Path("/p/d.jpg"), 5, "ab"), BROKEN], summary(unchanged=1, uploaded=1, failed=1))


def test_rounds_of_a_watch_tell_a_failure_once_and_then_only_what_is_new(capfd: pytest.CaptureFixture[str]) -> None:
    rounds(SAME, SAME, SAME)
    once = capfd.readouterr().err
    assert once.count("no permission") == 1
    assert once.count("found:") == 1
    rounds(SAME, NEW)
    err = capfd.readouterr().err
    assert err.count("found:") == 2
    assert err.count("no permission") == 1


def test_rounds_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    rounds(SAME, SAME, NEW, json=True)
    told = [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()]
    assert told == ["started", "unchanged", "failed", "summary", "uploaded", "summary"]


def test_an_import_for_another_run_is_one_line_before_the_summary(capfd: pytest.CaptureFixture[str]) -> None:
    look = Look(json=True)
    with look.renderer(Options()) as own, look.renderer(Options(), errand="momentarium upload /q") as other:
        own.run(Import([STARTED], summary(uploaded=1)), Signals())  # type: ignore[arg-type]
        other.run(Import([STARTED, BROKEN], summary(failed=1)), Signals())  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["started", "done_for_another", "summary"]
    assert lines[1]["errand"] == "momentarium upload /q"
    assert (lines[1]["summary"]["failed"], lines[2]["uploaded"]) == (1, 1)
