from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from momentarium_cli.backend.organize.languages import WORDS
from momentarium_cli.backend.storage.local import LocalStorage
from momentarium_cli.backend.storage.regions import RegionalStorage
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_client import S3Options
from momentarium_cli.backend.wiring import open_backend, open_database, open_storage, s3_buckets, storage_root
from momentarium_cli.config import Buckets, DatabaseSettings, Settings, StorageSettings, definitions
from momentarium_cli.config import Organizer as OrganizerSettings
from momentarium_cli.errors import DatabaseUnavailable, SettingsError
from tests.backend.bench import Bench, batch


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


# --- buckets -------------------------------------------------------------------------------------------------------

TWO = Buckets.parse("eu-central-1=photos-eu,us-east-1=photos-us/some/prefix")
ACCESS_POINT = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"


@pytest.mark.parametrize(
    ("settings", "buckets"),
    [
        ({}, []),
        ({"url": "file:///srv/photos", "endpoint_url": "https://s3.{region}.example.com"}, []),
        ({"url": "s3://photos", "region": "eu-west-1"}, [S3Options("photos", region="eu-west-1")]),
        ({"url": "s3://photos/some/prefix/"}, [S3Options("photos", "some/prefix/")]),
        ({"url": f"s3://{ACCESS_POINT}"}, [S3Options(ACCESS_POINT)]),
        (
            {"url": "s3://photos", "endpoint_url": "https://s3.{region}.example.com", "region": "fr"},
            [S3Options("photos", endpoint_url="https://s3.fr.example.com", region="fr")],
        ),
        (
            {"buckets": TWO, "region": "us-east-1", "addressing_style": "virtual"},
            [
                S3Options("photos-eu", region="eu-central-1", addressing_style="virtual"),
                S3Options("photos-us", "some/prefix/", region="us-east-1", addressing_style="virtual"),
            ],
        ),
        (
            {"buckets": TWO, "endpoint_url": "https://s3.{region}.example.com"},
            [
                S3Options("photos-eu", "", "https://s3.eu-central-1.example.com", "eu-central-1"),
                S3Options("photos-us", "some/prefix/", "https://s3.us-east-1.example.com", "us-east-1"),
            ],
        ),
    ],
)
def test_the_buckets_are_those_of_the_settings_best_first(settings: dict[str, Any], buckets: list[S3Options]) -> None:
    assert list(s3_buckets(StorageSettings(**settings))) == buckets


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "s3://"}, "s3://bucket"),
        ({"url": "s3://photos/a b"}, "s3://bucket"),
        ({"url": "s3://photos", "endpoint_url": "https://s3.{region}.example.com"}, r"storage\.region"),
        ({"buckets": Buckets.parse("here=/")}, "eu-central-1=photos-eu"),
        ({"buckets": Buckets.parse("here=photos/ä")}, "eu-central-1=photos-eu"),
        ({"buckets": Buckets.parse(f"here=photos,there={ACCESS_POINT}")}, "Multi-Region Access Point.*itself.*storage"),
    ],
)
def test_buckets_that_cannot_be_used_are_refused_with_the_reason(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        s3_buckets(StorageSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "kind", "where"),
    [
        ({}, LocalStorage, "objects"),
        ({"url": "s3://photos"}, S3Storage, "s3://photos"),
        (
            {"buckets": TWO},
            RegionalStorage,
            "s3://photos-eu (eu-central-1), s3://photos-us/some/prefix (us-east-1)",
        ),
    ],
)
def test_the_store_is_of_the_kind_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], kind: type, where: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    store = open_storage(Settings(data_dir=tmp_path, storage=StorageSettings(**settings)))
    assert isinstance(store, kind)
    assert store.where.endswith(where)
    if kind is RegionalStorage:
        assert dict(store.regions) == {
            "eu-central-1": "https://photos-eu.s3.eu-central-1.amazonaws.com/",
            "us-east-1": "https://photos-us.s3.amazonaws.com/some/prefix/",
        }


# --- the organizer -------------------------------------------------------------------------------------------------


def test_the_languages_to_choose_from_are_those_that_titles_are_written_in() -> None:
    [setting] = [item for item in definitions() if item.key == "organizer.language"]
    assert (setting.choices, setting.default) == (tuple(WORDS), "en")


def test_albums_are_titled_in_the_language_of_the_settings(tmp_path: Path, conninfo: str) -> None:
    settings = Settings(
        data_dir=tmp_path, database=DatabaseSettings(url=conninfo), organizer=OrganizerSettings(language="de")
    )
    with open_database(settings) as opened, open_backend(settings, opened.database) as backend:
        bench = Bench.on(opened.database, open_storage(settings))
        user = bench.user()
        times = [datetime(2024, 5, 1, 10 + hour) for hour in range(5)]
        job = bench.accept_request(user, batch([bench.photo(user) for _ in times], times=times))
        backend.worker().run(job.id, Event())
        [album] = bench.galleries.gallery(user).albums
    assert album.title == "1. Mai 2024"
