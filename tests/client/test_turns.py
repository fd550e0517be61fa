"""One run at a time imports into a library; what others hand over is never lost."""

import os
import random
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.client.turns import HandedOver, Turn
from momentarium_cli.errors import LockHeld, Stopped
from tests.processes import line, python


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "library"


def begun(base: Path, **options: Any) -> Turn:
    turn = Turn(base)
    turn.begin("this run", stop=threading.Event(), **options)
    return turn


def wanted(turn: Turn) -> list[Any]:
    return [errand.wanted["id"] for errand in turn.errands()]


def test_whoever_comes_second_is_told_who_is_at_it(base: Path) -> None:
    first = begun(base)
    with pytest.raises(LockHeld, match=f"this run, pid {os.getpid()}, since"):
        begun(base)
    first.end()
    begun(base).end()


def test_waiting_ends_when_the_turn_does_or_when_told_to(base: Path) -> None:
    first = begun(base)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped, match="nothing was done"):
        Turn(base).begin("second", stop=stop, wait=True)
    threading.Timer(0.3, first.end).start()
    begun(base, wait=True).end()


def test_what_is_handed_over_comes_to_the_holder_once(base: Path) -> None:
    first = begun(base)
    for number in (1, 2, 1):
        with pytest.raises(HandedOver, match="before it ends"):
            begun(base, hand_over={"id": number})
    assert wanted(first) == [1, 2]
    assert wanted(first) == []
    first.end()


def test_what_comes_while_an_errand_is_done_is_done_too(base: Path) -> None:
    first = begun(base)
    with pytest.raises(HandedOver):
        begun(base, hand_over={"id": 1})
    done = []
    for errand in first.errands():
        done.append(errand.wanted["id"])
        if len(done) < 3:
            with pytest.raises(HandedOver):
                begun(base, hand_over={"id": len(done) + 1})
    assert done == [1, 2, 3]
    first.end()


def test_a_turn_that_is_over_accepts_nothing_more(base: Path) -> None:
    first = begun(base)
    assert wanted(first) == []
    threading.Timer(0.3, first.end).start()
    second = begun(base, hand_over={"id": 1})
    assert wanted(second) == []
    second.end()


def test_a_turn_that_does_no_errands_is_waited_for(base: Path) -> None:
    first = begun(base, accept=False)
    threading.Timer(0.3, first.end).start()
    begun(base, hand_over={"id": 1}).end()


def test_what_a_holder_left_undone_is_for_the_next(base: Path) -> None:
    first = begun(base)
    with pytest.raises(HandedOver):
        begun(base, hand_over={"id": 1})
    assert next(first.errands()).wanted["id"] == 1
    first.end()
    second = begun(base)
    assert wanted(second) == [1]
    second.end()


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"what": "x"}', '{"what": "x", "wanted": 5}'])
def test_rubbish_is_put_aside(base: Path, rubbish: str) -> None:
    turn = begun(base)
    (base.with_suffix(".turn") / "0.json").write_text(rubbish)
    assert wanted(turn) == []
    turn.end()


HOLD = """
import sys
from pathlib import Path
from threading import Event
from momentarium_cli.client.turns import Turn
turn = Turn(Path(sys.argv[1]))
turn.begin("holding", stop=Event())
print("held", flush=True)
sys.stdin.read()
"""


def test_the_turn_of_a_killed_holder_is_free_and_its_errands_are_kept(base: Path) -> None:
    with python(HOLD, base) as holder:
        assert line(holder) == "held"
        with pytest.raises(HandedOver, match=f"holding, pid {holder.pid}"):
            begun(base, hand_over={"id": 1})
        holder.kill()
        holder.wait()
        turn = begun(base, hand_over={"id": 2})
        assert wanted(turn) == [1]
        turn.end()


# --- races: processes that come and go -----------------------------------------------------------------------------

RUN = """
import os, random, sys, time
from pathlib import Path
from threading import Event
from momentarium_cli.client.turns import HandedOver, Turn

base, done, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
sys.stdin.readline()

def do(number):
    time.sleep(chance.choice((0, 0, 0.002)))
    with done.open("a") as file:
        file.write(f"{number}\\n")

for number in map(int, sys.argv[4:]):
    time.sleep(chance.random() * 0.01)
    turn = Turn(base)
    try:
        turn.begin("run", stop=Event(), hand_over={"id": number})
    except HandedOver:
        print(number, flush=True)
        continue
    do(number)
    for errand in turn.errands():
        do(errand.wanted["id"])
    turn.end()
    print(number, flush=True)
"""
_RUNS = 12


def race(folder: Path, seed: int, *, processes: int = 4, kills: int = 0) -> tuple[set[int], set[int], int]:
    """What runs were told that it is or will be done, what was done, and how much is left for later runs."""
    folder.mkdir()
    done = folder / "done"
    done.touch()
    chance = random.Random(seed)
    with ExitStack() as stack:
        children = []
        for index in range(processes):
            numbers = range(index * _RUNS, (index + 1) * _RUNS)
            child = stack.enter_context(python(RUN, folder / "library", done, seed + index, *numbers))
            children.append(child)
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        for child in chance.sample(children, kills):
            time.sleep(chance.random() * 0.15)
            child.send_signal(signal.SIGKILL)
        promised = {int(number) for child in children for number in child.communicate(timeout=60)[0].split()}
    left = len(list((folder / "library.turn").glob("*.json")))
    return promised, {int(number) for number in done.read_text().split()}, left


def test_no_run_is_lost_however_they_meet(tmp_path: Path) -> None:
    for seed in range(3):
        promised, done, left = race(tmp_path / str(seed), seed)
        assert promised == done == set(range(4 * _RUNS))
        assert left == 0


def test_what_killed_runs_had_accepted_is_done_by_the_next(tmp_path: Path) -> None:
    for seed in range(3):
        promised, done, _ = race(tmp_path / str(seed), seed, kills=2)
        last = begun(tmp_path / str(seed) / "library", wait=True)
        assert promised <= done | set(wanted(last))
        last.end()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_run_is_lost_in_hundreds_of_races(tmp_path: Path) -> None:
    for seed in range(100, 250):
        promised, done, left = race(tmp_path / str(seed), seed)
        assert promised == done == set(range(4 * _RUNS)), seed
        assert left == 0
    for seed in range(250, 400):
        promised, done, _ = race(tmp_path / str(seed), seed, kills=2)
        last = begun(tmp_path / str(seed) / "library", wait=True)
        assert promised <= done | set(wanted(last)), seed
        last.end()
