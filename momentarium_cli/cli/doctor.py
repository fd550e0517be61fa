"""momentarium doctor"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import print_json
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import MomentariumError

if TYPE_CHECKING:
    from momentarium_cli.backend.findings import Finding

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Live = Annotated[bool, typer.Option("--live", help="Also have QStash deliver a message, and the model answer.")]


@command(app, client=True)
def doctor(session: Session, json: Json = False, live: Live = False) -> int:
    """Check that everything Momentarium needs is there and works, and say what to do where it does not.

    A bucket is tried with small objects that are deleted again. Where QStash calls this server, its schedule for
    maintenance is set up. With --live, a model that is set looks at one red picture, for a fraction of a cent. "note"
    is what works, but could be better, or could not be looked at. Ends with 0 unless something fails.
    """
    from momentarium_cli.backend.doctor import examine

    code, results = 0, []
    for finding in (*examine(session.settings, live=live), *_server(session)):
        values = {"check": finding.check, "ok": finding.ok, "advice": finding.advice, "text": finding.text}
        results.append(values)
        code = code or finding.exit_code
        if not json:
            typer.echo(f"{_label(finding)}  {finding.check}: {finding.text}")
    if json:
        print_json({"schema": 1, "checks": results})
    return code


def _label(finding: "Finding") -> str:
    if not finding.ok:
        return "FAIL"
    return "note" if finding.advice else "ok  "


def _server(session: Session) -> "Iterator[Finding]":
    """Whether the server that is set answers, and takes the token."""
    from momentarium_cli.backend.findings import Finding

    if session.settings.server.url is None:
        return
    try:
        with session.momentarium() as momentarium:
            me = momentarium.me()
    except MomentariumError as error:
        yield Finding("server", False, str(error), error.exit_code)
    else:
        yield Finding("server", True, f"{session.settings.server.url} answers, for {me.email}")
