from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Program, program


@pytest.fixture
def momentarium() -> Iterator[Program]:
    """The program with an empty library of its own."""
    with program() as made:
        yield made


@pytest.fixture
def folder(momentarium: Program) -> Path:
    made = momentarium.folder / "photos"
    made.mkdir()
    return made
