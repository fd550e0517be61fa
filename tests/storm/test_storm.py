"""Uploads survive what befalls them: a bad network, servers that die, folders that change, kill -9 at every point.

`python -m tests.storm.run` shows the table of points; its --seed, --keep and --help tell more.
"""

import inspect

import pytest

from momentarium_cli.client.journal import Journal
from momentarium_cli.client.sightings import Sightings
from tests.processes import told_by
from tests.storm.points import TRANSITIONS

READ_ONLY = {
    "close",
    "counts",
    "failed_before",
    "files",
    "jobs_by_import",
    "known",
    "same_file",
    "speed",
    "stored_of",
    "twin",
    "unfinished",
}
INSIDE_OTHERS = {"let_twins_go"}


def test_every_transition_of_the_journal_is_a_point() -> None:
    public = {
        name
        for cls in (Journal, Sightings)
        for name, _ in inspect.getmembers(cls, inspect.isfunction)
        if name[0] != "_"
    }
    watched = {attribute for _, attribute in TRANSITIONS.values()}
    assert public - watched == READ_ONLY | INSIDE_OTHERS


@pytest.mark.timeout(240)
def test_a_few_uploads_survive() -> None:
    told = told_by("tests.storm.run", "--seed", 7, "--people", 2, "--runs", 12, "--each", 0, "--limit-seconds", 12)
    assert " 0 findings" in told, told


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_hundreds_of_uploads_survive_kills_at_every_point() -> None:
    print(told_by("tests.storm.run", "--seed", 1, "--each", 5))
