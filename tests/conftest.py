"""What any test may use: a real PostgreSQL, a database of one's own on it, a real object store, a QStash, and a backend
behind a live server."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.backend.db.embedded import EmbeddedPostgres
from momentarium_cli.backend.db.pool import Database
from tests.clusters import Cluster
from tests.folders import short_folder
from tests.qstash import QStashServer, running_qstash
from tests.seaweed import Seaweed, running_seaweed
from tests.servers import ApiServer, serving


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of this test process, with a migrated template."""
    with short_folder() as folder:
        embedded = EmbeddedPostgres(folder, "a password for tests")
        try:
            yield Cluster.prepared(embedded.start())
        finally:
            embedded.stop()


@pytest.fixture
def conninfo(postgres: Cluster) -> Iterator[str]:
    """The owner's way to a database at this version's schema, without rows."""
    with postgres.clone() as cloned:
        yield cloned


@pytest.fixture
def database(conninfo: str) -> Iterator[Database]:
    """A database at this version's schema, without rows."""
    opened = Database(conninfo)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """An object store of this test process that speaks S3."""
    with running_seaweed() as running:
        yield running


@pytest.fixture
def qstash_server() -> Iterator[QStashServer]:
    """A QStash without messages, whose clock stands still."""
    with running_qstash() as running:
        yield running


@pytest.fixture
def api_server(tmp_path: Path, database: Database) -> Iterator[ApiServer]:
    """The backend behind a live server; its worker works only when a test lets it."""
    with serving(tmp_path / "data", database) as server:
        yield server


# --- where CI is set, what cannot be tested is a failure -----------------------------------------------------------


def pytest_configure() -> None:
    """Run in the background, or by nohup, this process would hand down that these signals are ignored."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores of a small machine: tests wait for servers more than they compute."""
    return max(4, os.cpu_count() or 1)


def _no_skips(report: Any) -> None:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _no_skips(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _no_skips(report)
    return report
