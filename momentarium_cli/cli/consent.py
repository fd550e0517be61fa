"""Whether an AI may see the photos: asked once, of a person at a terminal, where a key is there and nobody has decided.

A key is no yes. The albums are made by the server. One on this machine that is yet to be started reads what is answered
here; of any other, whoever runs it decides.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from momentarium_cli.cli.output import count, say
from momentarium_cli.cli.session import Session
from momentarium_cli.cli.settings_file import store
from momentarium_cli.config import Organizer
from momentarium_cli.errors import NothingUsable, SettingsError
from momentarium_cli.models import GEMINI_DOLLARS_A_THOUSAND_PHOTOS


def ask_once(session: Session, paths: Sequence[Path]) -> None:
    """Ask where there is something to decide, and store the answer in the settings file."""
    if not is_open(session) or not _is_person():
        return
    photos = _photos(paths)
    if not photos:
        return
    settings = session.settings.organizer
    say(question(settings, photos))
    yes = typer.confirm("Let Gemini see your events from now on?", default=False, err=True)
    values = {"backend": "gemini" if yes else "local"}
    if yes and session.settings.origins["organizer.api_key"] != "file":
        values["api_key"] = str(settings.api_key)  # later runs, such as those of cron, have other environments
    try:
        path = store(session, "organizer", values)
    except SettingsError as error:
        say(f"{error} Nothing is sent.")
        return
    said = "Gemini is asked, with the key that is set" if yes else "Nothing is sent"
    say(f"{said}; that is stored in {path}, as organizer.backend.")


def is_open(session: Session) -> bool:
    """Whether this command will start a server that would find a key, and no decision."""
    from momentarium_cli.rendezvous import ServerFile

    settings = session.settings
    return (
        settings.server.url is None
        and settings.origins["organizer.backend"] == "default"
        and settings.organizer.api_key is not None
        and ServerFile.read(settings.data_dir) is None
    )


def question(settings: Organizer, photos: int) -> str:
    """What a person must know to answer."""
    named = [
        what
        for what, shared in (("places", settings.share_places), ("named folders", settings.share_folder_names))
        if shared
    ]
    names = f", the names of its {' and '.join(named)}" if named else ""
    dollars = max(0.01, GEMINI_DOLLARS_A_THOUSAND_PHOTOS * photos / 1000)
    return (
        "A key for Google's Gemini is set. Gemini could give your albums titles by what the photos show, and see what\n"
        "belongs together. Without it, albums are made on this machine alone.\n"
        f"  What would leave it: of each event small pictures without metadata, its dates{names}.\n"
        "  Never an original, a position or a file name. With a key of the free tier Google may use what it gets.\n"
        f"  What it costs: at most about ${dollars:.2f} for {_these(photos)}, and never more than"
        f" ${settings.max_cost:.2f} a month (organizer.max_cost)."
    )


def _these(photos: int) -> str:
    return "this photo" if photos == 1 else f"these {count(photos, 'photo')}"


def _is_person() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _photos(paths: Sequence[Path]) -> int:
    """How many there are to be seen at the paths; those that are there already are among them."""
    from momentarium_cli.photos.scan import Found, scan

    try:
        return sum(isinstance(entry, Found) for entry in scan([path.expanduser() for path in paths]))
    except NothingUsable:
        return 0
