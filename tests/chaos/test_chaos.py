"""Jobs survive what befalls the servers: kill -9 at every point, freezing, the death of PostgreSQL, bad messages.

`python -m tests.chaos.run` shows the table of points; its --seed, --keep and --help tell more.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.queues import QUEUES

REPOSITORY = Path(__file__).parents[2]


def chaos(*arguments: object) -> str:
    """What a good run prints; one that is stopped by the time-out of its test leaves nothing running."""
    command = [sys.executable, "-m", "tests.chaos.run", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            told, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            raise
    assert process.returncode == 0, told
    return told


@pytest.mark.timeout(240)
@pytest.mark.parametrize("queue", QUEUES)
def test_a_few_jobs_survive(queue: str) -> None:
    told = chaos(
        "--queue", queue, "--seed", 4, "--jobs", 40, "--users", 12, "--servers", 3, "--each", 0, "--limit-seconds", 120
    )
    assert " 0 findings" in told, told


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("queue", QUEUES)
def test_a_thousand_jobs_survive_kills_at_every_point(queue: str) -> None:
    print(chaos("--queue", queue, "--seed", 1, "--jobs", 1000, "--each", 5))
