from pathlib import Path

import pytest

from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.signing import Signer
from momentarium_cli.backend.storage.base import Storage
from momentarium_cli.backend.storage.local import LocalStorage
from tests.backend.bench import Bench
from tests.backend.storage.stores import opened
from tests.seaweed import Seaweed


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder; or a bucket, where a test asks for one by `on_every_store`."""
    if getattr(request, "param", "disk") == "disk":
        return LocalStorage(tmp_path / "objects", "http://127.0.0.1:1", Signer("a secret"))
    seaweed: Seaweed = request.getfixturevalue("seaweed")
    return opened(seaweed, seaweed.new_bucket())


@pytest.fixture
def bench(database: Database, store: Storage) -> Bench:
    return Bench.on(database, store)
