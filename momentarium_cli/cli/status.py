"""momentarium status"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import (
    albums_table,
    console,
    count,
    job_line,
    job_lines,
    organizer_lines,
    print_json,
    say,
)
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import JobFailed, NotFound, UsageError

if TYPE_CHECKING:
    from momentarium_cli.client.api import Api
    from momentarium_cli.models import JobStatus

Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="An import or a job; none: the latest import.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Tell of every change, until all jobs have ended.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@command(app, client=True)
def status(session: Session, identifier: Id = None, follow: Follow = False, json: Json = False) -> int:
    """Tell how an import or a job is doing.

    Ends with 6 if a job failed; its photos are safe then, and `momentarium retry JOB` tries again.
    """
    with session.momentarium() as momentarium:
        jobs = _jobs(momentarium.api, identifier)
        if follow:
            jobs = _followed(momentarium.api, jobs, json=json)
    if json:
        print_json({"schema": 1, "jobs": [job.model_dump(mode="json") for job in jobs]})
    else:
        _show(jobs)
    return JobFailed.exit_code if any(job.status == "failed" for job in jobs) else 0


def _jobs(api: "Api", identifier: str | None) -> "list[JobStatus]":
    """The jobs of the import with this id, or the one job; oldest first."""
    if identifier is None:
        latest = [job for job in api.jobs() if job.total]  # one that regroups albums is of no import
        return [job for job in reversed(latest) if job.import_id == latest[0].import_id]
    try:
        wanted = UUID(identifier)
    except ValueError:
        raise UsageError(f"{identifier!r} is no id.", hint="`momentarium upload` shows them.") from None
    of_import = api.jobs(wanted)
    if of_import:
        return of_import[::-1]
    try:
        return [api.job(wanted)[0]]
    except NotFound:
        raise NotFound(f"There is no import and no job {identifier}.") from None


def _followed(api: "Api", jobs: "list[JobStatus]", *, json: bool) -> "list[JobStatus]":
    """The jobs as they ended."""
    from threading import Event

    from momentarium_cli.client.poll import follow

    latest = {}
    for event in follow(api, [str(job.id) for job in jobs], Event()):
        latest[event.job.id] = event.job
        if event.job.status.ended:
            continue
        if json:
            print_json(event.as_json())
        else:
            typer.echo(job_line(event.job))
    return list(latest.values())


def _show(jobs: "list[JobStatus]") -> None:
    if not jobs:
        say("There is no job yet: nothing was uploaded, or an upload was stopped early; repeat it, and it goes on.")
        return
    typer.echo(f"import {jobs[0].import_id}: {count(sum(job.total for job in jobs), 'photo')}")
    for line in job_lines(jobs):
        typer.echo(line)
    for line in organizer_lines(jobs):
        typer.echo(line)
    albums = {album.id: album for job in jobs for album in job.albums}
    if albums:
        console().print(albums_table(albums.values()))
