"""Uploads that nobody watches: several at once, budgets, watch, signals at any moment."""

import csv
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from momentarium_cli.client.settling import SETTLE_SECONDS
from tests.acceptance.photos import MAY, event
from tests.acceptance.program import Program, assert_whole, ended, stop
from tests.acceptance.test_interrupted import until


@pytest.fixture
def other(momentarium: Program) -> Path:
    made = momentarium.folder / "other"
    made.mkdir()
    return made


# --- several at once -----------------------------------------------------------------------------------------------


def test_a_run_that_finds_another_leaves_waits_or_hands_over(momentarium: Program, folder: Path, other: Path) -> None:
    photos = event(folder, 60) + event(other, 5, seed=9)
    (folder / "dangling.jpg").symlink_to("nowhere")
    first = momentarium.start("upload", "--json", folder)
    told = until(first, "uploaded")
    first.send_signal(signal.SIGSTOP)  # it takes as long as this test likes
    held = momentarium.run("upload", other)
    assert held.code == 75, held
    assert f"momentarium upload {folder}, pid {first.pid}, since" in held.err
    for quiet in ("--lock-skip", "--lock-join"):
        assert momentarium.ok("upload", "-q", quiet, other).err == ""
    joined = momentarium.ok("upload", "--lock-join", "--json", other.relative_to(momentarium.folder))
    assert [(line["event"], line["handed_over"]) for line in joined.lines] == [("busy", True)]
    first.send_signal(signal.SIGCONT)
    rest = ended(first)
    assert rest.code == 3, rest
    lines = rest.lines
    assert lines[-1]["event"] == "summary" and lines[-1]["found"] == 61, told
    (errand,) = [line for line in lines if line["event"] == "done_for_another"]
    assert errand["summary"]["uploaded"] == 5
    assert_whole(momentarium, photos)


def test_what_was_handed_to_a_killed_run_is_uploaded_by_the_next(
    momentarium: Program, folder: Path, other: Path
) -> None:
    photos = event(folder, 40) + event(other, 5, seed=9)
    first = momentarium.start("upload", "--json", folder)
    until(first, "uploaded")
    first.send_signal(signal.SIGSTOP)
    momentarium.ok("upload", "--lock-join", other)
    first.kill()
    ended(first)
    momentarium.ok("upload", folder)
    assert_whole(momentarium, photos)


def test_a_run_without_photos_of_its_own_does_what_was_handed_over(
    momentarium: Program, folder: Path, other: Path
) -> None:
    photos = event(other, 3)
    (folder / "notes.txt").write_text("no photo")
    first = momentarium.start("upload", "--json", folder)
    until(first, "started")
    first.send_signal(signal.SIGSTOP)
    momentarium.ok("upload", "--lock-join", other)
    first.send_signal(signal.SIGCONT)
    assert ended(first).code == 8
    assert_whole(momentarium, photos)


def join_at_any_moment(momentarium: Program, seed: int) -> None:
    """Two runs that meet by chance: each uploads its own, or the other does it."""
    folders = [momentarium.folder / f"{seed}-{name}" for name in "ab"]
    for index, folder in enumerate(folders):
        folder.mkdir()
        event(folder, 3, seed=1000 + 2 * seed + index)
    first = momentarium.start("upload", "-q", "--lock-join", folders[0])
    time.sleep(seed % 12 * 0.2)
    second = momentarium.start("upload", "-q", "--lock-join", folders[1])
    assert (ended(first).code, ended(second).code) == (0, 0)


def test_runs_that_meet_by_chance_lose_nothing(momentarium: Program) -> None:
    for seed in range(4):
        join_at_any_moment(momentarium, seed * 5)
    assert_whole(momentarium, sorted(momentarium.folder.glob("*-[ab]/**/*.jpg")))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_runs_that_meet_by_chance_lose_nothing(momentarium: Program) -> None:
    for seed in range(100, 160):
        join_at_any_moment(momentarium, seed)
    assert_whole(momentarium, sorted(momentarium.folder.glob("*-[ab]/**/*.jpg")))


# --- quiet and budgets ---------------------------------------------------------------------------------------------


def test_quiet_runs_of_cron(momentarium: Program, folder: Path) -> None:
    quiet = ("upload", "-q", "--lock-skip", folder)
    assert momentarium.ok(*quiet).err == ""  # nothing there yet
    event(folder, 3)
    assert "3 photos uploaded" in momentarium.ok(*quiet).err
    done = momentarium.ok(*quiet)
    assert (done.out, done.err) == ("", "")
    assert momentarium.run("upload", "-q", folder / "unmounted").code == 8


def test_a_transfer_budget_is_spent_run_by_run(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 60)
    half = sum(photo.stat().st_size for photo in photos) // 2
    report = momentarium.folder / "r.csv"
    first = momentarium.run("upload", "--json", "--max-transfer", half, "--report", report, folder)
    assert first.code == 7, first
    assert set(first.counts) == {"uploaded", "pending"}
    assert "budget_reached" in {line["event"] for line in first.lines}
    assert [job["status"] for job in first.summary["jobs"]] == ["completed"]
    assert sum(album["photos"] for album in first.summary["albums"]) == first.counts["uploaded"]
    with report.open(newline="") as file:
        assert Counter(row["outcome"] for row in csv.DictReader(file)) == first.counts
    second = momentarium.upload(folder)
    assert second.counts == {"unchanged": first.counts["uploaded"], "uploaded": first.counts["pending"]}
    assert_whole(momentarium, photos)


def test_a_time_budget_ends_a_run_wherever_it_is(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 150)
    momentarium.ok("status")  # the server is there
    for seconds in (1, 2, 4, 8, 16, 32, 300):
        done = momentarium.run("upload", "--json", "--max-duration", seconds, folder)
        assert done.summary["failed"] == 0
        if done.code == 0:
            break
        assert done.code == 7, done
    assert done.code == 0
    assert_whole(momentarium, photos)


# --- watch ---------------------------------------------------------------------------------------------------------


@contextmanager
def watching(
    momentarium: Program, folder: Path, *options: str, number: int = signal.SIGTERM
) -> Iterator["subprocess.Popen[str]"]:
    """A watch, which must end cleanly by this signal."""
    watch = momentarium.start("upload", "--watch", *options, folder)
    try:
        yield watch
        watch.send_signal(number)
        assert ended(watch).code == 128 + number
    finally:
        watch.kill()
        watch.communicate()


def settle() -> None:
    """What was written before counts as whole."""
    time.sleep(SETTLE_SECONDS)


def test_a_watch_uploads_what_comes_once_it_is_whole(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 3)
    settle()
    with watching(momentarium, folder, "--json") as watch:
        until(watch, "summary")
        photos += event(folder / "later", 2, MAY.replace(year=2019), seed=5)
        content = photos[-1].read_bytes()
        photos[-1].write_bytes(content[: len(content) // 2])
        with photos[-1].open("ab") as file:
            until(watch, "summary")
            assert len(momentarium.originals()) == 4
            file.write(content[len(content) // 2 :])
        until(watch, "summary")
    assert_whole(momentarium, photos)


def test_a_watch_of_an_empty_folder_takes_what_comes_at_once_and_says_nothing_before(
    momentarium: Program, folder: Path
) -> None:
    with watching(momentarium, folder, "--json") as watch:
        assert '"found": 0,' in until(watch, "summary")
        photos = event(folder, 2)
        assert '"uploaded": 2,' in until(watch, "summary")
    assert_whole(momentarium, photos)


def test_a_watch_survives_its_folder_and_its_server(momentarium: Program, folder: Path) -> None:
    event(folder, 3)
    settle()
    away = folder.with_name("away")
    with watching(momentarium, folder, "--json") as watch:
        until(watch, "summary")
        folder.rename(away)
        if (server := momentarium.server) is not None:
            os.kill(server.pid, signal.SIGKILL)
        event(away / "later", 2, MAY.replace(year=2019), seed=5)
        settle()
        away.rename(folder)
        until(watch, "summary")
    assert_whole(momentarium, sorted(folder.rglob("*.jpg")))


def test_a_watch_leaves_the_lock_to_others_between_rounds(momentarium: Program, folder: Path, other: Path) -> None:
    photos = event(folder, 3) + event(other, 2, seed=9)
    settle()
    with watching(momentarium, folder, "--json", number=signal.SIGINT) as watch:
        until(watch, "summary")
        momentarium.ok("upload", "--lock-wait", other)
    assert_whole(momentarium, photos)


# --- signals -------------------------------------------------------------------------------------------------------


ALL_MOMENTS = ["started", "found", "planned", "uploaded", "job"]
ALL_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SLICE = list(zip(ALL_MOMENTS, [*ALL_SIGNALS, *ALL_SIGNALS], strict=False))


@pytest.mark.parametrize(("moment", "number"), SLICE)
def test_a_signal_to_all_its_processes_ends_a_run_cleanly_at_any_moment(
    momentarium: Program, folder: Path, moment: str, number: signal.Signals
) -> None:
    end_by(momentarium, folder, moment, number)


@pytest.mark.long
@pytest.mark.parametrize("number", ALL_SIGNALS)
@pytest.mark.parametrize("moment", ALL_MOMENTS)
def test_every_signal_ends_a_run_cleanly_at_every_moment(
    momentarium: Program, folder: Path, moment: str, number: signal.Signals
) -> None:
    end_by(momentarium, folder, moment, number)


def end_by(momentarium: Program, folder: Path, moment: str, number: signal.Signals) -> None:
    photos = event(folder, 40)
    run = momentarium.start("upload", "--json", folder, start_new_session=True)
    until(run, moment)
    os.killpg(run.pid, number)
    done = ended(run)
    assert done.code == 128 + number, done
    assert "Stopped." in done.err or "nothing was done" in done.err
    assert "Traceback" not in done.err and "Error" not in done.err
    again = momentarium.upload(folder)
    assert set(again.counts) <= {"unchanged", "uploaded"}
    assert_whole(momentarium, photos)
    assert previews(momentarium) == len(photos)


def previews(made: Program) -> int:
    return sum(1 for path in (made.data_dir / "objects" / "previews").rglob("*") if path.is_file())


def test_a_second_signal_ends_a_watch_at_once(momentarium: Program, folder: Path) -> None:
    event(folder, 100)
    watch = momentarium.start("upload", "--watch", "--json", folder)
    until(watch, "started")
    for _ in range(2):
        watch.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    assert ended(watch).code in (143, -signal.SIGTERM)
    if (server := momentarium.server) is not None:
        stop(server.pid)
