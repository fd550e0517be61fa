"""momentarium doctor"""

from typing import Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import print_json
from momentarium_cli.cli.session import Session

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(app, client=True)
def doctor(session: Session, json: Json = False) -> int:
    """Check that everything Momentarium needs is there and works, and say what to do where it does not."""
    from momentarium_cli.backend.doctor import examine

    code, results = 0, []
    for finding in examine(session.settings):
        results.append({"check": finding.check, "ok": finding.ok, "text": finding.text})
        code = code or finding.exit_code
        if not json:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check}: {finding.text}")
    if json:
        print_json({"schema": 1, "checks": results})
    return code
