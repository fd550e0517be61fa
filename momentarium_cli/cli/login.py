"""momentarium login"""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import say
from momentarium_cli.cli.session import Session
from momentarium_cli.cli.settings_file import store
from momentarium_cli.config import Settings
from momentarium_cli.errors import UsageError

Url = Annotated[str | None, typer.Argument(metavar="[URL]", help="The server's address; none: it is asked for.")]


@command(app, client=True)
def login(session: Session, url: Url = None) -> None:
    """Use a server: check the token and store both in the settings file, readable by you alone.

    Example: momentarium login https://photos.example.org
    """
    url = url or session.settings.server.url or typer.prompt("Server", err=True)
    token = session.settings.server.token if session.settings.origins["server.token"] == "option" else None
    _check_address(str(url))
    token = token or _asked_token()
    settings = _with(session.settings, str(url), str(token))
    with replace(session, settings=settings).momentarium() as momentarium:
        me = momentarium.me()
    path = store(session, "server", {"url": settings.server.url, "token": settings.server.token})
    say(f"Logged in to {url} as {me.email}; stored in {path}.")


def _asked_token() -> str:
    """From a person without echo; from a pipe as its first line."""
    token = typer.prompt("Token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not token.strip():
        raise UsageError("No token was given.", hint="`momentarium users token EMAIL` on the server prints one.")
    return str(token).strip()


def _check_address(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is not an address.", hint="It begins with https:// or http://.")


def _with(settings: Settings, url: str, token: str) -> Settings:
    return replace(settings, server=replace(settings.server, url=url.rstrip("/"), token=token))
