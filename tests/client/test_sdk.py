import subprocess
import sys
from pathlib import Path

import pytest

import momentarium_cli
from momentarium_cli import Momentarium, MomentariumError
from momentarium_cli.config import Server, Settings
from momentarium_cli.errors import JobFailed, NotAllowed
from tests.client.conftest import Library
from tests.client.photos import event


def test_the_public_names_are_there_and_no_others() -> None:
    for name in momentarium_cli.__all__:
        assert getattr(momentarium_cli, name)
    with pytest.raises(AttributeError, match="nothing"):
        momentarium_cli.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, momentarium_cli; print([m for m in sys.modules if m in ('httpx', 'pydantic', 'typer')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


def test_a_program_uploads_and_reads_its_albums(library: Library, tmp_path: Path) -> None:
    photos = event(tmp_path / "p", 3)
    with library.working(), Momentarium(library.settings) as momentarium:
        summary = momentarium.upload([tmp_path / "p"])
        ends = momentarium.wait([job.id for job in summary.jobs], timeout=60)
        shown = [(album.title, album.photo_count) for album in momentarium.gallery()]
        _, page = momentarium.album(next(momentarium.gallery()).id)
        first = next(page)
        assert b"".join(momentarium.download(first.original_url)) == photos[0].read_bytes()
    assert (summary.uploaded, [job.status for job in ends], shown) == (3, ["completed"], [("1 May 2024", 3)])


def test_waiting_ends_after_the_timeout(library: Library, tmp_path: Path) -> None:
    event(tmp_path / "p", 1)
    with Momentarium(library.settings) as momentarium:
        summary = momentarium.upload([tmp_path / "p"])
        with pytest.raises(JobFailed, match="the photos are safe"):
            momentarium.wait([job.id for job in summary.jobs], timeout=0.1)


def test_a_server_needs_a_token(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, server=Server(url="http://127.0.0.1:1"))
    with pytest.raises(NotAllowed, match="momentarium login"), Momentarium(settings):
        pass


def test_errors_share_a_base() -> None:
    assert issubclass(NotAllowed, MomentariumError)
