from pathlib import Path

import pytest

from momentarium_cli.backend.db.pool import Database
from tests.backend.bench import Bench


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench.on(database, tmp_path / "objects")
