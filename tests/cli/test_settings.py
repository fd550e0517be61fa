import json
from pathlib import Path

import pytest

from momentarium_cli.config import definitions
from tests.cli.conftest import Cli


def test_every_setting_is_shown_with_where_it_came_from(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, config_file: Path
) -> None:
    config_file.parent.mkdir(parents=True)
    config_file.write_text("[server]\nport = 9000\n[profile.home.server]\nport = 9001\n")
    monkeypatch.setenv("MOMENTARIUM_SERVER_HOST", "0.0.0.0")
    said = cli("config", "--server", "https://photos.example.org")
    for item in definitions():
        assert f"{item.key} = " in said.out
        assert item.environment in said.out
    assert "server.port = 9000  (file)" in said.out
    assert "server.host = 0.0.0.0  (MOMENTARIUM_SERVER_HOST)" in said.out
    assert "server.url = https://photos.example.org  (option)" in said.out
    assert "organizer.backend = local  (default)" in said.out
    assert str(config_file) in said.err
    assert "server.port = 9001" in cli("config", "--profile", "home").out


def test_secrets_are_never_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in definitions():
        if item.secret:
            monkeypatch.setenv(item.environment, "hush-hush")
    for arguments in (["config"], ["config", "--json"], ["config", "-vv"]):
        said = cli(*arguments)
        assert said.code == 0
        assert "hush-hush" not in said.out + said.err


def test_all_that_is_wrong_is_told_at_once(cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config_file.parent.mkdir(parents=True)
    config_file.write_text('colour = "blue"\n[server]\nport = "many"\n')
    monkeypatch.setenv("MOMENTARIUM_ORGANIZER_BACKEND", "astrologer")
    said = cli("config")
    assert said.code == 2
    for problem in ("server.port", "organizer.backend", "colour is not a setting"):
        assert problem in said.err
    assert len(said.err.splitlines()) == 1


class TestS3Policy:
    @pytest.fixture
    def in_bucket(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
        monkeypatch.setenv("MOMENTARIUM_STORAGE_URL", "s3://photos/some/place")
        monkeypatch.setenv("MOMENTARIUM_SERVER_PUBLIC_URL", "https://photos.example.org/gallery")
        return cli

    @pytest.fixture
    def in_two(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
        monkeypatch.setenv("MOMENTARIUM_STORAGE_BUCKETS", "eu-central-1=photos-eu,us-east-1=photos-us")
        return cli

    def test_all_documents_of_a_bucket_are_printed(self, in_bucket: Cli) -> None:
        said = in_bucket("config", "s3-policy")
        assert (said.code, said.err) == (0, "")
        (found,) = json.loads(said.out)["buckets"]
        assert found["bucket"] == "photos/some/place"
        assert {"policy", "cors", "lifecycle"} <= found.keys()

    @pytest.mark.parametrize(("only", "first"), [("policy", "Version"), ("cors", "CORSRules"), ("lifecycle", "Rules")])
    def test_one_alone_is_as_aws_takes_it(self, in_bucket: Cli, only: str, first: str) -> None:
        assert next(iter(json.loads(in_bucket("config", "s3-policy", "--only", only).out))) == first

    def test_the_origin_is_that_of_the_public_address(self, in_bucket: Cli) -> None:
        (rule,) = json.loads(in_bucket("config", "s3-policy", "--only", "cors").out)["CORSRules"]
        assert rule["AllowedOrigins"] == ["https://photos.example.org"]

    def test_a_principal_makes_it_a_policy_of_the_bucket(self, in_bucket: Cli) -> None:
        who = "arn:aws:iam::123456789012:role/momentarium"
        said = in_bucket("config", "s3-policy", "--only", "policy", "--principal", who)
        assert all(item["Principal"] == {"AWS": who} for item in json.loads(said.out)["Statement"])

    def test_of_several_buckets_each_has_its_own(self, in_two: Cli) -> None:
        found = json.loads(in_two("config", "s3-policy").out)["buckets"]
        assert [one["bucket"] for one in found] == ["photos-eu", "photos-us"]
        said = in_two("config", "s3-policy", "--only", "policy", "--bucket", "photos-us")
        assert "arn:aws:s3:::photos-us" in said.out
        assert "photos-eu" not in said.out

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [(["--only", "cors"], "Add --bucket, with one of: photos-eu, photos-us."), (["--bucket", "x"], "no bucket x")],
    )
    def test_which_of_several_must_be_clear(self, in_two: Cli, arguments: list[str], told: str) -> None:
        said = in_two("config", "s3-policy", *arguments)
        assert (said.code, said.out) == (2, "")
        assert told in said.err

    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            ("MOMENTARIUM_STORAGE_CDN_URL", "https://d1.cloudfront.net", "origin access control"),
            ("MOMENTARIUM_STORAGE_URL", "s3://arn:aws:s3:eu-west-1:1:accesspoint/p", "s3:DataAccessPointAccount"),
        ],
    )
    def test_what_others_must_allow_besides_is_said(
        self, in_bucket: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
    ) -> None:
        monkeypatch.setenv(name, value)
        said = in_bucket("config", "s3-policy")
        assert told in said.err
        assert json.loads(said.out)

    def test_a_store_that_is_no_bucket_has_none(self, cli: Cli) -> None:
        said = cli("config", "s3-policy")
        assert (said.code, said.out) == (2, "")
        assert said.err == "Error: The originals are not on S3. Set storage.url to s3://bucket first.\n"
