from pathlib import Path
from typing import Any

import pytest

from momentarium_cli import config
from momentarium_cli.errors import SettingsError

FILE = """
data_dir = "~/photos-data"
[server]
port = 9000
host = "0.0.0.0"
[profile.work]
data_dir = "/srv/work"
[profile.work.server]
port = 9100
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, "utf-8")
    return path


def load(file: Path | None = None, environment: dict[str, str] | None = None, **more: Any) -> config.Settings:
    return config.load(file=file, environment=environment or {}, **more)


@pytest.fixture(autouse=True)
def _no_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "default_config_file", lambda: tmp_path / "nowhere" / "config.toml")


def test_without_anything_the_defaults_hold() -> None:
    settings = load()
    assert settings.data_dir.is_absolute()
    assert (settings.server.host, settings.server.port, settings.server.url) == ("127.0.0.1", 8787, None)
    assert set(settings.origins.values()) == {"default"}


def test_an_option_wins_over_the_environment_over_the_file_over_the_default(file: Path) -> None:
    environment = {"MOMENTARIUM_SERVER_PORT": "9001"}
    assert load(file).server.port == 9000
    assert load(file, environment).server.port == 9001
    settings = load(file, environment, options={"server.port": 9002, "server.url": None})
    assert settings.server.port == 9002
    assert settings.server.host == "0.0.0.0"
    assert settings.origins["server.port"] == "option"
    assert settings.origins["server.host"] == "file"
    assert settings.origins["server.url"] == "default"
    assert load(file, environment).origins["server.port"] == "MOMENTARIUM_SERVER_PORT"


def test_a_profile_overlays_the_file(file: Path) -> None:
    settings = load(file, profile="work")
    assert (settings.data_dir, settings.server.port, settings.server.host) == (Path("/srv/work"), 9100, "0.0.0.0")
    assert load(file).server.port == 9000


def test_the_home_folder_may_be_written_as_a_tilde(file: Path) -> None:
    assert load(file).data_dir == Path.home() / "photos-data"


def test_an_empty_variable_is_none() -> None:
    assert load(environment={"MOMENTARIUM_SERVER_PORT": ""}).server.port == 8787


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    file.write_text('colour = "red"\n[server]\nprot = 1\n[organizer]\nbackend = "magic"\n', "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, {"MOMENTARIUM_SERVER_PORT": "many"}, profile="home")
    for part in ("colour", "server.prot", "organizer.backend", "local", "server.port", "MOMENTARIUM_SERVER_PORT",
                 "profile.home"):  # fmt: skip
        assert part in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no file .*mine\.toml"):
        load(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"[server", b"[profile]\nhome = {}", b"[server]\nport = [1]", b"[server]\nport = {}", b"server = 3"],
)
def test_a_spoilt_file_is_a_settings_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError):
        load(path, profile="work")


def test_every_setting_has_an_environment_name_and_says_what_it_is_for() -> None:
    found = list(config.definitions())
    samples = {config.Buckets: "here=photos", float: "7.0", bool: "True"}
    assert len({item.key for item in found}) == len(found) > 10
    for item in found:
        assert item.help
        assert item.environment == "MOMENTARIUM_" + item.key.upper().replace(".", "_")
        given = {item.environment: samples.get(item.kind, (*item.choices, "7")[0])}
        assert str(load(environment=given).value(item.key)).endswith(given[item.environment])


def test_secrets_are_known_as_such() -> None:
    assert {item.key for item in config.definitions() if item.secret} == {
        "server.token", "server.secret_key", "database.url", "database.direct_url", "queue.qstash_token",
        "queue.qstash_current_signing_key", "queue.qstash_next_signing_key", "queue.api_secret",
        "queue.previous_api_secret", "organizer.api_key",
        "organizer.openai_api_key",
    }  # fmt: skip


# --- buckets of several regions ------------------------------------------------------------------------------------

BUCKETS = "MOMENTARIUM_STORAGE_BUCKETS"
TWO = "us-east-1=photos-us,eu-central-1=photos-eu/some/prefix"


def test_buckets_are_a_table_in_the_file_and_text_in_the_environment(file: Path) -> None:
    file.write_text('[storage.buckets]\nus-east-1 = "photos-us"\neu-central-1 = "photos-eu/some/prefix"\n', "utf-8")
    wanted = [("us-east-1", "photos-us"), ("eu-central-1", "photos-eu/some/prefix")]
    for settings in (load(file), load(environment={BUCKETS: TWO}), load(environment={BUCKETS: f" {TWO} "})):
        assert settings.storage.buckets is not None
        assert list(settings.storage.buckets.items()) == wanted
        assert str(settings.storage.buckets) == TWO
    assert dict(load(environment={BUCKETS: "here=photos"}).storage.buckets or {}) == {"here": "photos"}
    assert load(environment={BUCKETS: ""}).storage.buckets is None


def test_what_the_environment_lists_is_all_there_is(file: Path) -> None:
    file.write_text('[storage.buckets]\nus-east-1 = "photos-us"\n', "utf-8")
    assert list(load(file, {BUCKETS: "here=photos"}).storage.buckets or ()) == ["here"]


@pytest.mark.parametrize(
    "text",
    ["photos", "eu=", "=photos", "eu=photos,", "eu=photos us=photos", "eu=photos,eu=others", "e u=photos",
     "eu=pho=tos", "eu.central=photos", f"{'e' * 101}=photos"],
)  # fmt: skip
def test_other_text_is_no_list_of_buckets(text: str) -> None:
    with pytest.raises(SettingsError, match=r"storage\.buckets .*BUCKETS.* like eu-central-1=photos-eu,us-east-1="):
        load(environment={BUCKETS: text})


@pytest.mark.parametrize("content", ["buckets = 3", "buckets = []", "buckets = {}", "[storage.buckets]\neu = 3"])
def test_other_values_in_the_file_are_no_list_of_buckets(file: Path, content: str) -> None:
    file.write_text(f"[storage]\n{content}\n", "utf-8")
    with pytest.raises(SettingsError, match=r"storage\.buckets \(from file\) must be like"):
        load(file)


def test_buckets_stand_for_the_url_and_have_the_regions_to_choose_from() -> None:
    environment = {BUCKETS: TWO, "MOMENTARIUM_STORAGE_URL": "s3://photos", "MOMENTARIUM_STORAGE_REGION": "eu-west-3"}
    with pytest.raises(SettingsError) as caught:
        load(environment=environment | {"MOMENTARIUM_SERVER_PORT": "many"})
    for part in (
        "storage.url and storage.buckets",
        "storage.region eu-west-3",
        "us-east-1, eu-central-1",
        "server.port",
    ):
        assert part in str(caught.value)
    chosen = {BUCKETS: TWO, "MOMENTARIUM_STORAGE_REGION": "eu-central-1"}
    assert load(environment=chosen).storage.region == "eu-central-1"


def test_a_region_that_was_set_for_other_programs_is_no_conflict() -> None:
    assert load(environment={BUCKETS: TWO, "AWS_REGION": "eu-west-3"}).storage.region == "eu-west-3"


def test_a_key_in_the_environment_is_no_consent() -> None:
    settings = load(environment={"GEMINI_API_KEY": "a key"})
    assert (settings.organizer.backend, settings.organizer.api_key) == ("local", "a key")


def test_gemini_needs_a_key_under_any_of_its_names() -> None:
    with pytest.raises(SettingsError, match="GEMINI_API_KEY"):
        load(environment={"MOMENTARIUM_ORGANIZER_BACKEND": "gemini"})
    for name in ("MOMENTARIUM_ORGANIZER_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        settings = load(environment={"MOMENTARIUM_ORGANIZER_BACKEND": "gemini", name: "a key"})
        assert settings.organizer.api_key == "a key"


@pytest.mark.parametrize(
    ("key", "raw"),
    [("flex", "perhaps"), ("share_places", "1"), ("max_cost", "-1"), ("max_cost", "nan"), ("max_cost", "much")],
)
def test_a_switch_is_true_or_false_and_a_cost_is_an_amount(key: str, raw: str) -> None:
    with pytest.raises(SettingsError, match=f"organizer.{key}"):
        load(environment={f"MOMENTARIUM_ORGANIZER_{key.upper()}": raw})


def test_what_is_shared_can_be_switched_off_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "off.toml"
    file.write_text("[organizer]\nshare_places = false\nmax_cost = 2\n", "utf-8")
    assert (load(file).organizer.share_places, load(file).organizer.max_cost) == (False, 2.0)


def test_a_server_of_ones_own_needs_a_model_and_an_address_or_a_key() -> None:
    chosen = {"MOMENTARIUM_ORGANIZER_BACKEND": "openai"}
    with pytest.raises(SettingsError, match=r"openai_model must be set.*openai_base_url or organizer\.openai_api_key"):
        load(environment=chosen)
    chosen["MOMENTARIUM_ORGANIZER_OPENAI_MODEL"] = "qwen3-vl:8b"
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        assert load(environment={**chosen, name: "http://127.0.0.1:11434/v1"}).organizer.backend == "openai"


def test_a_key_of_one_vendor_is_not_told_to_another() -> None:
    organizer = load(environment={"GEMINI_API_KEY": "theirs", "OPENAI_API_KEY": "others"}).organizer
    assert (organizer.backend, organizer.api_key, organizer.openai_api_key) == ("local", "theirs", "others")
