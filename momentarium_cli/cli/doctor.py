"""momentarium doctor"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import print_json
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import MomentariumError

if TYPE_CHECKING:
    from momentarium_cli.backend.doctor import Finding

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(app, client=True)
def doctor(session: Session, json: Json = False) -> int:
    """Check that everything Momentarium needs is there and works, and say what to do where it does not."""
    from momentarium_cli.backend.doctor import examine

    code, results = 0, []
    for finding in (*examine(session.settings), *_server(session)):
        results.append({"check": finding.check, "ok": finding.ok, "text": finding.text})
        code = code or finding.exit_code
        if not json:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check}: {finding.text}")
    if json:
        print_json({"schema": 1, "checks": results})
    return code


def _server(session: Session) -> "Iterator[Finding]":
    """Whether the server that is set answers, and takes the token."""
    from momentarium_cli.backend.doctor import Finding

    if session.settings.server.url is None:
        return
    try:
        with session.momentarium() as momentarium:
            me = momentarium.me()
    except MomentariumError as error:
        yield Finding("server", False, str(error), error.exit_code)
    else:
        yield Finding("server", True, f"{session.settings.server.url} answers, for {me.email}")
