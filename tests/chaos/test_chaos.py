"""Jobs survive what befalls the servers: kill -9 at every point, freezing, the death of PostgreSQL, bad messages.

`python -m tests.chaos.run` shows the table of points; its --seed, --keep and --help tell more.
"""

import pytest

from tests.chaos.queues import QUEUES
from tests.processes import told_by


@pytest.mark.timeout(240)
@pytest.mark.parametrize("queue", QUEUES)
def test_a_few_jobs_survive(queue: str) -> None:
    options = f"--queue {queue} --seed 4 --jobs 40 --users 12 --servers 3 --each 0 --limit-seconds 120"
    told = told_by("tests.chaos.run", *options.split())
    assert " 0 findings" in told, told


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("queue", QUEUES)
def test_a_thousand_jobs_survive_kills_at_every_point(queue: str) -> None:
    print(told_by("tests.chaos.run", "--queue", queue, "--seed", 1, "--jobs", 1000, "--each", 5))
