from pathlib import Path

import pytest

from momentarium_cli.backend.wiring import open_database, storage_root
from momentarium_cli.config import DatabaseSettings, Settings, StorageSettings
from momentarium_cli.errors import DatabaseUnavailable, SettingsError


@pytest.mark.parametrize(
    ("url", "folder"),
    [(None, "/data/objects"), ("file:///srv/photos", "/srv/photos"), ("file://localhost/srv/p", "/srv/p"),
     ("file:///srv/my%20photos", "/srv/my photos")],
)  # fmt: skip
def test_the_store_lies_under_the_data_folder_or_where_the_settings_say(url: str | None, folder: str) -> None:
    assert storage_root(Settings(data_dir=Path("/data"), storage=StorageSettings(url=url))) == Path(folder)


@pytest.mark.parametrize("url", ["file://other/srv", "file:relative", "ftp://x/y", "photos", ""])
def test_any_other_address_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"storage\.url"):
        storage_root(Settings(data_dir=Path("/data"), storage=StorageSettings(url=url)))


def test_a_database_that_the_settings_name_is_used_and_brought_up_to_date(tmp_path: Path, conninfo: str) -> None:
    settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=conninfo))
    with open_database(settings) as opened, opened.database.administration() as conn:
        assert opened.embedded is None
        assert conn.execute("select count(*) as n from users").fetchone() == {"n": 0}
    assert not (tmp_path / "postgres").exists()


def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url="postgresql://x:y@127.0.0.1:1/x"))
    with pytest.raises(DatabaseUnavailable), open_database(settings):
        pass
