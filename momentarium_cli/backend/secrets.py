"""Secrets this machine made for itself, kept under data_dir, readable by their owner alone."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from momentarium_cli.errors import SettingsError
from momentarium_cli.rendezvous import Lock, write_private


@dataclass(frozen=True, slots=True)
class Secrets:
    """signing_key signs addresses and cursors; local_token is the embedded client's; both never leave the machine."""

    signing_key: str
    database_password: str
    local_token: str


def load(data_dir: Path) -> Secrets:
    """Read data_dir/secrets.json; the first to ask makes it."""
    path = data_dir / "secrets.json"
    with Lock(data_dir / "run" / "secrets.lock").acquire(what="reading secrets", wait=30):
        if not path.exists():
            write_private(path, json.dumps(asdict(_new()), indent=2))
        try:
            return Secrets(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{path} is damaged: {error}.", hint="Restore it from a backup.") from error


def _new() -> Secrets:
    return Secrets(
        signing_key=secrets.token_urlsafe(32),
        database_password=secrets.token_urlsafe(24),
        local_token=new_token(),
    )


def new_token() -> str:
    """A bearer token: 256 random bits, so its SHA-256 is all that need be stored."""
    return "mom_" + secrets.token_urlsafe(32)
