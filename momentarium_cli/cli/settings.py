"""momentarium config"""

from typing import Annotated, Any

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import plain, print_json, say
from momentarium_cli.cli.session import Session
from momentarium_cli.config import Definition, default_config_file, definitions

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(app, client=True)
def config(session: Session, json: Json = False) -> None:
    """Show every setting, its value, and where it came from."""
    file = session.config_file or default_config_file()
    if json:
        values = {item.key: _as_json(session, item) for item in definitions()}
        print_json({"schema": 1, "file": str(file), "settings": values})
        return
    for item in definitions():
        value = _value(session, item)
        shown = "none" if value is None else plain(str(value))
        typer.echo(f"{item.key} = {shown}  ({session.settings.origins[item.key]})")
        typer.echo(f"    {item.help}  [{item.environment}]")
    say(f"The settings file is {file}{'' if file.exists() else ' (there is none yet)'}.")


def _value(session: Session, item: Definition) -> Any:
    value = session.settings.value(item.key)
    return "***" if item.secret and value is not None else value


def _as_json(session: Session, item: Definition) -> dict[str, Any]:
    value = _value(session, item)
    return {
        "value": value if value is None or isinstance(value, int) else str(value),
        "from": session.settings.origins[item.key],
        "environment": item.environment,
    }
