"""Settings, and where each came from: option > environment > file > default.

A setting is a field of one of the classes below; its key is `section.field`, its environment name
MOMENTARIUM_<SECTION>_<FIELD>. The file is `config.toml` of the user's config folder or the one given with
--config; a table [profile.NAME] overlays it with --profile NAME. All problems are reported at once.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_config_path, user_data_path

from momentarium_cli.errors import SettingsError

ENVIRONMENT_PREFIX = "MOMENTARIUM_"
_REGION = re.compile(r"[A-Za-z0-9-]{1,100}")
_BUCKET = re.compile(r"[^\s,=]+")


def _setting(
    default: Any, help: str, *, secret: bool = False, choices: tuple[str, ...] = (), also: tuple[str, ...] = ()
) -> Any:
    """`also`: the vendors' own environment names, read where ours is not set."""
    return field(default=default, metadata={"help": help, "secret": secret, "choices": choices, "also": also})


@dataclass(frozen=True, slots=True)
class Buckets(Mapping[str, str]):
    """Region to bucket or bucket/prefix, best first. As text REGION=BUCKET,REGION=BUCKET; in the file a table."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: Any) -> "Buckets":
        """ValueError: this is neither."""
        pairs = tuple(raw.items()) if isinstance(raw, Mapping) else tuple(map(_pair, str(raw).split(",")))
        right = all(
            _REGION.fullmatch(region) and isinstance(bucket, str) and _BUCKET.fullmatch(bucket)
            for region, bucket in pairs
        )
        if not pairs or not right or len(dict(pairs)) < len(pairs):
            raise ValueError
        return cls(pairs)

    def __getitem__(self, region: str) -> str:
        return dict(self.pairs)[region]

    def __iter__(self) -> Iterator[str]:
        return (region for region, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return ",".join(f"{region}={bucket}" for region, bucket in self.pairs)


def _pair(text: str) -> tuple[str, str]:
    region, _, bucket = text.partition("=")
    return region.strip(), bucket.strip()


@dataclass(frozen=True, slots=True)
class Server:
    url: str | None = _setting(None, "the backend's address; none: one is started on this machine")
    token: str | None = _setting(None, "the token that `momentarium login` stores", secret=True)
    public_url: str | None = _setting(None, "the address that clients use, for signed links; none: links are relative")
    secret_key: str | None = _setting(None, "signs file addresses and cursors; made at the first start", secret=True)
    host: str = _setting("127.0.0.1", "the address `momentarium serve` listens on")
    port: int = _setting(8787, "the port `momentarium serve` listens on; 0 takes a free one")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    url: str | None = _setting(None, "a PostgreSQL 18 to use; none: one is kept under data_dir", secret=True)
    direct_url: str | None = _setting(None, "the same database past the pooler, where `url` is a pooler", secret=True)


@dataclass(frozen=True, slots=True)
class StorageSettings:
    url: str | None = _setting(
        None, "where originals lie: file:///folder, or s3://bucket; none: objects/ under data_dir"
    )
    buckets: Buckets | None = _setting(
        None, "instead of url, a bucket in each of several regions, best first: REGION=BUCKET,REGION=BUCKET"
    )
    endpoint_url: str | None = _setting(
        None,
        "the address of a store that speaks S3, {region} in it is replaced; none: AWS",
        also=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    )
    region: str | None = _setting(
        None,
        "the region of the bucket; of several, the one this machine uploads to; none: the nearest",
        also=("AWS_REGION", "AWS_DEFAULT_REGION"),
    )
    addressing_style: str | None = _setting(
        None, "path or virtual; none: path where endpoint_url is set", choices=("path", "virtual")
    )
    cdn_url: str | None = _setting(None, "the CloudFront distribution that downloads go through; none: the bucket")
    cdn_key_id: str | None = _setting(None, "the id of the public key that CloudFront trusts")
    cdn_private_key_file: str | None = _setting(None, "the private key that belongs to it, a PEM file")
    cdn_policy: Literal["canned", "custom"] = _setting(
        "canned", "the kind of policy in CloudFront's addresses", choices=("canned", "custom")
    )
    cdn_hash: Literal["sha1", "sha256"] = _setting(
        "sha1", "what CloudFront's addresses are signed with", choices=("sha1", "sha256")
    )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    backend: Literal["postgres", "qstash"] = _setting(
        "postgres",
        "who wakes the workers: the database, or QStash by calling this server",
        choices=("postgres", "qstash"),
    )
    qstash_url: str = _setting(
        "https://qstash.upstash.io", "the address of QStash in your region", also=("QSTASH_URL",)
    )
    qstash_token: str | None = _setting(None, "the token to publish with", secret=True, also=("QSTASH_TOKEN",))
    qstash_current_signing_key: str | None = _setting(
        None, "the key that QStash signs its calls with", secret=True, also=("QSTASH_CURRENT_SIGNING_KEY",)
    )
    qstash_next_signing_key: str | None = _setting(
        None, "the key it signs with after the next rotation", secret=True, also=("QSTASH_NEXT_SIGNING_KEY",)
    )
    qstash_parallelism: int = _setting(10, "how many jobs QStash may have running at once")
    qstash_rate: int = _setting(0, "how many jobs QStash may start a minute; 0: no limit")
    maintenance_cron: str = _setting(
        "*/2 * * * *", "when QStash calls for what is overdue, as cron has it, in UTC; each time is a message"
    )
    api_secret: str | None = _setting(
        None, "the secret that QStash has to bring along; 16 characters or more", secret=True
    )
    previous_api_secret: str | None = _setting(
        None, "the one before, while messages with it are still under way", secret=True
    )


@dataclass(frozen=True, slots=True)
class Organizer:
    backend: Literal["local", "gemini", "openai"] = _setting(
        "local",
        "who makes the albums; gemini: with what small pictures of events show, which Google gets; openai: the same"
        " with a server that speaks OpenAI's protocol, such as Ollama",
        choices=("local", "gemini", "openai"),
    )
    language: str = _setting(
        "en",
        "the language of titles and descriptions: en, de, fr, es, pt, it, ja or zh",
        choices=("en", "de", "fr", "es", "pt", "it", "ja", "zh"),
    )
    api_key: str | None = _setting(
        None, "the key for Gemini; alone it sends nothing", secret=True, also=("GEMINI_API_KEY", "GOOGLE_API_KEY")
    )
    model: str = _setting("gemini-3.5-flash-lite", "the model that is asked")
    fallback_models: str = _setting(
        "gemini-3.1-flash-lite", "the models that are asked where that one does not answer: MODEL,MODEL"
    )
    openai_base_url: str | None = _setting(
        None, "the server that speaks OpenAI's protocol, such as http://127.0.0.1:11434/v1", also=("OPENAI_BASE_URL",)
    )
    openai_api_key: str | None = _setting(
        None, "the key for it, if it wants one; alone it sends nothing", secret=True, also=("OPENAI_API_KEY",)
    )
    openai_model: str | None = _setting(None, "the model of it that is asked; it must be one that sees pictures")
    max_cost: float = _setting(1.0, "dollars that the requests of a month, and so of any run, may cost")
    flex: bool = _setting(False, "pay half, for answers that may take minutes")
    share_places: bool = _setting(True, "tell the model the names of an event's places")
    share_folder_names: bool = _setting(True, "tell the model the names that you gave to folders")


@dataclass(frozen=True, slots=True)
class Settings:
    data_dir: Path = _setting(None, "database, originals, journal and logs; none: the user's data folder")
    server: Server = field(default_factory=Server)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    organizer: Organizer = field(default_factory=Organizer)
    origins: Mapping[str, str] = field(default_factory=dict)

    def value(self, key: str) -> Any:
        """The value of the setting with this key, such as "server.port"."""
        found: Any = self
        for part in key.split("."):
            found = getattr(found, part)
        return found


_SECTIONS: Mapping[str, type[Any]] = {
    "server": Server,
    "database": DatabaseSettings,
    "storage": StorageSettings,
    "queue": QueueSettings,
    "organizer": Organizer,
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One setting: its key, environment name, default and what it is for."""

    key: str
    environment: str
    default: Any
    help: str
    secret: bool
    choices: tuple[str, ...]
    also: tuple[str, ...]
    kind: type


def _boolean(raw: Any) -> bool:
    """ValueError: this is neither true nor false."""
    text = str(raw).lower()
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _amount(raw: Any) -> float:
    """ValueError: this is no number, or less than nothing."""
    value = float(raw)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


_READ: Mapping[type, Callable[[Any], Any]] = {
    Path: lambda raw: Path(raw).expanduser().absolute(),
    Buckets: Buckets.parse,
    bool: _boolean,
    float: _amount,
}
_LOOKS: Mapping[type, str] = {
    int: "a number",
    float: "a number, 0 or more",
    bool: "true or false",
    Buckets: "like eu-central-1=photos-eu,us-east-1=photos-us",
}


def definitions() -> Iterator[Definition]:
    """Every setting, in the order of the documentation."""
    yield _definition("", next(f for f in fields(Settings) if f.name == "data_dir"))
    for section, cls in _SECTIONS.items():
        for item in fields(cls):
            yield _definition(f"{section}.", item)


def _definition(prefix: str, item: "Field[Any]") -> Definition:
    key = prefix + item.name
    kind = next((kind for kind in (bool, int, float, Path, Buckets) if item.type in (kind, kind | None)), str)
    return Definition(
        key=key,
        environment=ENVIRONMENT_PREFIX + key.replace(".", "_").upper(),
        default=None if item.default is MISSING else item.default,
        help=item.metadata["help"],
        secret=item.metadata["secret"],
        choices=item.metadata["choices"],
        also=item.metadata["also"],
        kind=kind,
    )


def default_config_file() -> Path:
    return user_config_path("momentarium", appauthor=False) / "config.toml"


def load(
    *,
    file: Path | None = None,
    profile: str | None = None,
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read all settings. `options` are the command line's, by key; those that are None were not given.

    SettingsError lists everything that is wrong at once.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    from_file = _read_file(file, profile, problems)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for item in definitions():
        raw, origin = _find(item, given, environment, from_file)
        origins[item.key] = origin
        values[item.key] = _parse(item, raw, origin, problems)
    unknown = from_file.keys() - {item.key for item in definitions()}
    problems += [f"{key} is not a setting" for key in sorted(unknown)]
    problems += _conflicts(values, origins)
    if problems:
        raise SettingsError("; ".join(problems) + ".", hint="`momentarium config` lists all settings.")
    return _assemble(values, origins)


def _find(
    item: Definition, given: Mapping[str, Any], environment: Mapping[str, str], from_file: Mapping[str, Any]
) -> tuple[Any, str]:
    if item.key in given:
        return given[item.key], "option"
    for name in (item.environment, *(item.also if item.key not in from_file else ())):
        if environment.get(name):
            return environment[name], name
    if item.key in from_file:
        return from_file[item.key], "file"
    return item.default, "default"


def _parse(item: Definition, raw: Any, origin: str, problems: list[str]) -> Any:
    if raw is None:
        return None
    try:
        value = _READ.get(item.kind, item.kind)(raw)
    except (TypeError, ValueError):
        problems.append(f"{item.key} (from {origin}) must be {_LOOKS.get(item.kind, 'text')}")
        return item.default
    if item.choices and value not in item.choices:
        problems.append(f"{item.key} (from {origin}) must be one of: {', '.join(item.choices)}")
    return value


def _conflicts(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Gemini needs a key, and another server a model. Several buckets stand for the url, and `region` is one of theirs;
    AWS's own variable was not set for us alone."""
    if values["organizer.backend"] == "gemini" and not values["organizer.api_key"]:
        yield "organizer.api_key (or GEMINI_API_KEY) must be set where organizer.backend is gemini"
    if values["organizer.backend"] == "openai":
        if not values["organizer.openai_model"]:
            yield "organizer.openai_model must be set where organizer.backend is openai"
        if not values["organizer.openai_base_url"] and not values["organizer.openai_api_key"]:
            yield "organizer.openai_base_url or organizer.openai_api_key must be set where organizer.backend is openai"
    buckets, region = values["storage.buckets"], values["storage.region"]
    if buckets is None:
        return
    if values["storage.url"] is not None:
        yield "storage.url and storage.buckets cannot both be set"
    if region is not None and region not in buckets and not origins["storage.region"].startswith("AWS_"):
        yield f"storage.region {region} is none of storage.buckets: {', '.join(buckets)}"


def _assemble(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    sections = {
        name: cls(**{f.name: values[f"{name}.{f.name}"] for f in fields(cls)}) for name, cls in _SECTIONS.items()
    }
    data_dir = values["data_dir"] or user_data_path("momentarium", appauthor=False)
    return Settings(data_dir=data_dir, origins=origins, **sections)


def _read_file(file: Path | None, profile: str | None, problems: list[str]) -> dict[str, Any]:
    path = file or default_config_file()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        document = {}
        if file is not None:
            problems.append(f"there is no file {file}")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path} cannot be read: {error}")
        document = {}
    profiles = document.pop("profile", {})
    chosen: Any = {}
    if profile is not None:
        chosen = profiles.get(profile) if isinstance(profiles, dict) else None
        if not isinstance(chosen, dict):
            problems.append(f"{path} has no [profile.{profile}]")
            chosen = {}
    return {**_flatten(document), **_flatten(chosen)}


def _flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat
