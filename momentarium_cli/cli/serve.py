"""momentarium serve"""

import gc
from enum import StrEnum
from typing import Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import say
from momentarium_cli.cli.session import Session


class Role(StrEnum):
    ALL = "all"
    API = "api"
    WORKER = "worker"


RoleOption = Annotated[Role, typer.Option("--role", help="What it does, where several share a database.url.")]
UntilIdle = Annotated[bool, typer.Option("--until-idle", hidden=True)]


@command(app)
def serve(session: Session, role: RoleOption = Role.ALL, until_idle: UntilIdle = False) -> None:
    """Run the backend on this machine: the API and the worker that makes the albums.

    Other machines reach it with --server and a token: `momentarium users add EMAIL` gives one. Without a
    database.url it brings its own PostgreSQL. `momentarium upload` starts a server for itself where none runs.
    """
    from momentarium_cli import logs
    from momentarium_cli.backend import server

    logs.setup(session.settings.data_dir, "server", verbose=session.verbose)
    if until_idle:
        server.ignore_terminal()
    if role is Role.WORKER:
        server.work(session.settings, ready=lambda: say("Working. Ctrl-C ends it."))
    else:
        server.serve(session.settings, worker=role is Role.ALL, until_idle=until_idle, ready=_ready)


def _ready(url: str) -> None:
    gc.freeze()  # what is there now stays; looking through it again and again took a tenth of the processor's time
    typer.echo(f"Serving on {url}. Ctrl-C ends it.", err=True)
