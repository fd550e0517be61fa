"""Runs that are interrupted, gently or not: nothing is lost, nothing is double, the next run finishes."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.photos import MAY, event
from tests.acceptance.program import Done, Program, assert_whole, checksums, ended, program, wait_for

_NEW = 30
VICTIMS = ["client", "server", "postgres"]


def until(process: "subprocess.Popen[str]", name: str) -> str:
    """What an upload with --json prints until this event."""
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if json.loads(line)["event"] == name:
            return told
    raise AssertionError(f"it ended without {name}: {told}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_an_upload_cleanly(momentarium: Program, folder: Path, number: int, code: int) -> None:
    photos = event(folder, 100)
    process = momentarium.start("upload", "--json", folder)
    told = until(process, "uploaded")
    process.send_signal(number)
    rest = ended(process)
    done = Done(rest.code, told + rest.out, rest.err)
    assert done.code == code, done
    assert set(done.counts) == {"uploaded", "pending"}
    uploaded, pending = done.counts["uploaded"], done.counts["pending"]
    assert f"Stopped. {uploaded} photo" in done.err
    assert f"{pending} to go: run the same command again" in done.err
    assert len(momentarium.originals()) == uploaded
    again = momentarium.upload(folder)
    assert again.counts == {"unchanged": uploaded, "uploaded": pending}
    assert again.summary["import"] == done.summary["import"]
    assert_whole(momentarium, photos)


def test_a_second_signal_ends_at_once(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 100)
    process = momentarium.start("upload", "--json", folder)
    until(process, "uploaded")
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert ended(process).code in (130, -signal.SIGINT)  # the latter once the interpreter itself is on its way out
    assert time.monotonic() - began < 2
    momentarium.upload(folder)
    assert_whole(momentarium, photos)


def test_a_signal_while_waiting_for_albums_leaves_the_job_running(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 20)
    process = momentarium.start("upload", "--json", folder)
    until(process, "job")
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert done.code == 143, done
    assert "20 photos safe, 0 to go" in done.err
    wait_for(lambda: momentarium.ok("status", "--json").json["jobs"][0]["status"] == "completed")
    assert_whole(momentarium, photos)


# --- kill -9 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def battered() -> Iterator[Program]:
    """One library that all of these runs share: it has to stand all of it."""
    with program() as made:
        yield made


def kill(made: Program, process: "subprocess.Popen[str]", victim: str) -> None:
    server = made.server
    pids = {"client": process.pid, "server": server.pid if server else None, "postgres": made.postmaster}
    pid = pids[victim]
    if pid is not None:
        with suppress(ProcessLookupError):  # it has ended by itself meanwhile
            os.kill(pid, signal.SIGKILL)


def batter(made: Program, victim: str, seed: int, moment: str | None = None) -> None:
    """Upload photos of a new event and kill the victim: at the first event of this name, or at any moment."""
    photos = made.folder / "photos"
    before = sorted(photos.rglob("*.jpg"))
    index = len(before) // _NEW
    event(photos / f"{index:03}", _NEW, MAY + timedelta(days=30 * index), seed=1000 + index)
    process = made.start("upload", "--json", photos)
    if moment is None:
        time.sleep(0.3 + random.Random(f"{victim} {seed}").random() * 2.5)
    else:
        until(process, moment)
    kill(made, process, victim)
    interrupted = ended(process)
    expected = {"client": (-signal.SIGKILL, 0), "server": (0, 5), "postgres": (0, 5)}[victim]
    assert interrupted.code in expected, interrupted
    assert "Internal error" not in interrupted.err
    done = made.upload(photos)
    assert done.counts.get("unchanged", 0) >= len(before)
    assert "pending" not in done.counts
    assert_whole(made, sorted(photos.rglob("*.jpg")))


@pytest.mark.parametrize(
    ("victim", "moment"), [("client", "uploaded"), ("server", "uploaded"), ("postgres", "planned")]
)
def test_a_kill_in_the_middle_loses_and_doubles_nothing(battered: Program, victim: str, moment: str) -> None:
    batter(battered, victim, 0, moment)


def test_what_was_battered_can_be_exported_byte_for_byte(battered: Program) -> None:
    photos = sorted((battered.folder / "photos").rglob("*.jpg"))
    battered.ok("export", battered.folder / "out")
    written = [path for path in (battered.folder / "out").rglob("*") if path.is_file()]
    assert checksums(written) == checksums(photos)
    assert len(written) == len(photos)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", VICTIMS)
def test_dozens_of_kills_lose_and_double_nothing(victim: str) -> None:
    with program() as made:
        for seed in range(100, 112):
            batter(made, victim, seed)
