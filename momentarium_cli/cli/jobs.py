"""momentarium retry, momentarium cancel"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import job_line, print_json
from momentarium_cli.cli.session import Session

if TYPE_CHECKING:
    from momentarium_cli.models import JobStatus

Job = Annotated[UUID, typer.Argument(metavar="JOB", help="The job's id, from `momentarium status`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(app, client=True)
def retry(session: Session, job: Job, json: Json = False) -> None:
    """Organize the photos of a failed or cancelled job again."""
    with session.momentarium() as momentarium:
        _show(momentarium.api.retry(job), json=json)


@command(app, client=True)
def cancel(session: Session, job: Job, json: Json = False) -> None:
    """End a job that has not ended. Its photos stay, without albums, until `momentarium retry`."""
    with session.momentarium() as momentarium:
        _show(momentarium.api.cancel(job), json=json)


def _show(job: "JobStatus", *, json: bool) -> None:
    if json:
        print_json({"schema": 1, "job": job.model_dump(mode="json")})
    else:
        typer.echo(job_line(job))
