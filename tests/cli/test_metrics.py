"""What Prometheus gets of the last run."""

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from momentarium_cli.cli.metrics import Metrics
from momentarium_cli.client.events import Summary
from momentarium_cli.errors import LockHeld, ServerUnreachable, UsageError
from tests.cli.test_progress import summary


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "momentarium.prom"


def read(file: Path) -> dict[str, float]:
    families = text_string_to_metric_families(file.read_text("utf-8"))
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["paths"] for sample in samples} == {'/p/"a" /p/b'}
    return {
        sample.labels.get("outcome", sample.name.removeprefix("momentarium_upload_")): sample.value
        for sample in samples
    }


def run(file: Path, end: Summary, code: int = 0) -> dict[str, float]:
    metrics = Metrics(file, [Path('/p/"a"'), Path("/p/b")])

    def upload() -> int:
        metrics.end(end)
        return code

    assert metrics.recording(upload) == code
    return read(file)


def test_a_run_is_counted_and_timed(file: Path) -> None:
    told = run(file, summary(uploaded=3, failed=1), 3)
    assert {name: told[name] for name in ("uploaded", "failed", "pending")} == {
        "uploaded": 3,
        "failed": 1,
        "pending": 0,
    }
    assert (told["last_run_bytes"], told["last_run_exit_code"]) == (1000, 3)
    assert abs(told["last_run_timestamp_seconds"] - time.time()) < 60
    assert told["last_run_duration_seconds"] >= 0
    assert "last_success_timestamp_seconds" not in told


@pytest.mark.parametrize(("code", "good"), [(0, True), (7, True), (3, False), (143, False)])
def test_the_last_success_outlasts_failures(file: Path, code: int, good: bool) -> None:
    before = run(file, summary(uploaded=1))["last_success_timestamp_seconds"]
    after = run(file, summary(), code)["last_success_timestamp_seconds"]
    assert (after > before) is good


def test_an_error_is_a_run_with_its_code(file: Path) -> None:
    def upload() -> int:
        raise ServerUnreachable("gone")

    with pytest.raises(ServerUnreachable):
        Metrics(file, [Path('/p/"a"'), Path("/p/b")]).recording(upload)
    assert read(file)["last_run_exit_code"] == 5


def test_finding_another_run_at_work_is_none(file: Path) -> None:
    def upload() -> int:
        raise LockHeld("held")

    with pytest.raises(LockHeld):
        Metrics(file, []).recording(upload)
    assert not file.exists()


def test_everyone_may_read_it_and_nothing_else_is_left(file: Path) -> None:
    run(file, summary())
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o444 == 0o444


def test_rubbish_is_replaced(file: Path) -> None:
    file.write_bytes(b"\xff{")
    assert "last_success_timestamp_seconds" not in run(file, summary(), 3)


@pytest.mark.parametrize("name", ["momentarium.txt", "nowhere/momentarium.prom"])
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Metrics(tmp_path / name, [])
