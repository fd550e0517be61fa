"""momentarium users"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentarium_cli.cli.app import CONTEXT, ListByDefault, app, command
from momentarium_cli.cli.output import console, count, duration, plain, print_json, say, size, table
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from momentarium_cli.backend.db.pool import Connection

users = typer.Typer(
    help="Who may use this server. Run it where the server runs.", cls=ListByDefault, context_settings=CONTEXT
)
app.add_typer(users, name="users")

SCOPES = ("read", "upload", "edit")

Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Name = Annotated[str, typer.Option("--name", help="What the token is for.")]
OnlyName = Annotated[str | None, typer.Option("--name", help="Only the tokens of this name; none: all of them.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="read, upload or edit; may be repeated. None: all.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(users)
def add(session: Session, email: Email, name: Name = "first", scope: Scopes = None) -> None:
    """Add a user and print a token for them. The token is shown once; only its checksum is kept."""
    from momentarium_cli.backend.db import users as rows

    if "@" not in email.strip("@"):
        raise UsageError(f"{email!r} is no e-mail address.")
    scopes = _scopes(scope)
    with _administration(session) as conn:
        user_id = rows.add(conn, email)
        if user_id is None:
            raise Conflict(f"There is a user {email} already.", hint="`momentarium users token` gives a new token.")
        typer.echo(_new_token(conn, user_id, name, scopes))


@command(users)
def token(session: Session, email: Email, name: Name = "another", scope: Scopes = None) -> None:
    """Print a new token for a user."""
    from momentarium_cli.backend.db import users as rows

    scopes = _scopes(scope)
    with _administration(session) as conn:
        user = rows.by_email(conn, email)
        user_id = _user_id(user, email)
        if user and user["leaving_since"]:
            raise Conflict(f"{email} is being removed.", hint="`momentarium users remove` finishes that.")
        typer.echo(_new_token(conn, user_id, name, scopes))


@command(users)
def revoke(session: Session, email: Email, name: OnlyName = None) -> None:
    """Revoke a user's tokens: one by its name, or all."""
    from momentarium_cli.backend.db import users as rows

    with _administration(session) as conn:
        revoked = rows.revoke_tokens(conn, _user_id(rows.by_email(conn, email), email), name)
    if not revoked:
        raise NotFound(f"{email} has no such token.", hint="`momentarium users list` shows who has tokens.")
    say(f"Revoked {revoked} of the tokens of {email}.")


@command(users)
def remove(session: Session, email: Email, yes: Yes = False) -> None:
    """Remove a user with all their photos and albums, for good.

    Nothing of theirs is accepted from the first moment on. If it is interrupted, the same command goes on. The user of
    this machine can be removed too: the next server that starts here gives them an empty library.
    """
    from momentarium_cli.backend import leaving
    from momentarium_cli.backend.db import users as rows
    from momentarium_cli.backend.wiring import open_database, open_storage

    with open_database(session.settings) as opened:
        with opened.database.administration() as conn:
            user_id = _user_id(rows.by_email(conn, email), email)
            photos, total = rows.holdings(conn, user_id)
        what = f"{email} and {count(photos, 'photo')} ({size(total)})"
        _ask(f"Delete {what} for good?", yes=yes)
        for event in leaving.remove(opened.database, open_storage(session.settings), user_id):
            match event:
                case leaving.Deleted(objects):
                    say(f"{count(objects, 'object')} deleted.")
                case leaving.Waiting(seconds):
                    say(f"Waiting for {duration(seconds)}: until then an upload that has begun may still arrive.")
    say(f"Deleted {what}.")


@command(users, "list")
def list_(session: Session, json: Json = False) -> None:
    """List the users of this server."""
    from momentarium_cli.backend.db import users as rows

    with _administration(session) as conn:
        found = rows.list_all(conn)
    if json:
        print_json({"schema": 1, "users": found})
        return
    made = table("ID", "E-mail", "Photos", "Tokens", "Since", right=("ID", "Photos", "Tokens"))
    for user in found:
        numbers = (f"{user['photos']:,}", str(user["tokens"]))
        made.add_row(str(user["id"]), plain(user["email"]), *numbers, f"{user['created_at']:%Y-%m-%d}")
    console().print(made, markup=False)


def _ask(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to be asked.", hint="Add --yes.")
    typer.confirm(question, abort=True, err=True)


def _scopes(given: list[str] | None) -> list[str]:
    unknown = set(given or ()) - set(SCOPES)
    if unknown:
        raise UsageError(f"{', '.join(sorted(unknown))} is no scope.", hint=f"Scopes are: {', '.join(SCOPES)}.")
    return given or list(SCOPES)


@contextmanager
def _administration(session: Session) -> "Iterator[Connection]":
    from momentarium_cli.backend.wiring import open_database

    with open_database(session.settings) as opened, opened.database.administration() as conn:
        yield conn


def _new_token(conn: "Connection", user_id: int, name: str, scopes: list[str]) -> str:
    from momentarium_cli.backend import secrets
    from momentarium_cli.backend.db import users as rows

    made = secrets.new_token()
    rows.add_token(conn, user_id, name, made, scopes)
    return made


def _user_id(user: dict[str, Any] | None, email: str) -> int:
    if user is None:
        raise NotFound(f"There is no user {email}.", hint="`momentarium users list` shows who there is.")
    return int(user["id"])
