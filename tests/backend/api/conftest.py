from collections.abc import Iterator
from contextlib import closing

import pytest

from momentarium_cli.backend.db.pool import Database
from tests.clusters import Cluster
from tests.servers import Account, ApiServer, serving


@pytest.fixture
def ann(api_server: ApiServer) -> Iterator[Account]:
    with api_server.account("ann@example.com") as account:
        yield account


@pytest.fixture
def ben(api_server: ApiServer) -> Iterator[Account]:
    with api_server.account("ben@example.com") as account:
        yield account


@pytest.fixture(scope="module")
def shared(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One server for all tests of a module: for requests that are refused."""
    data_dir = tmp_path_factory.mktemp("data")
    with (
        postgres.clone() as conninfo,
        closing(Database(conninfo)) as database,
        serving(data_dir, database) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def anyone(shared: ApiServer) -> Iterator[Account]:
    """A user of the shared server."""
    with shared.account("anyone@example.com") as account:
        yield account
