"""Writes into the settings file, which people edit: comments and all other settings stay."""

import contextlib
from collections.abc import Mapping
from typing import Any

from momentarium_cli.cli.session import Session
from momentarium_cli.config import default_config_file
from momentarium_cli.errors import SettingsError


def store(session: Session, section: str, values: Mapping[str, Any]) -> str:
    """Set values of a section, of the session's profile if it has one; only its owner can read the file. Returns where
    it lies."""
    import tomlkit

    from momentarium_cli.rendezvous import write_private

    path = session.config_file or default_config_file()
    text = ""
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text("utf-8")
    document = tomlkit.parse(text)
    table = document
    if session.profile is not None:
        table = document.setdefault("profile", {}).setdefault(session.profile, {})
    table.setdefault(section, {}).update(values)
    try:
        write_private(path, tomlkit.dumps(document))
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.", hint="Use --config FILE.") from error
    return str(path)
