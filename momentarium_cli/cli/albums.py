"""momentarium albums"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from momentarium_cli.cli.app import CONTEXT, ListByDefault, app, command
from momentarium_cli.cli.output import albums_table, console, count, dates, job_line, plain, print_json, say, table
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import JobFailed, UsageError

if TYPE_CHECKING:
    from momentarium_cli.client.api import Api
    from momentarium_cli.models import AlbumLevel, AlbumNode, Chapter, JobAccepted

albums = typer.Typer(help="List albums, and show what is in one.", cls=ListByDefault, context_settings=CONTEXT)
app.add_typer(albums, name="albums")

_NONE = "There are no albums yet. Start with: momentarium upload FOLDER"

Finer = Annotated[bool, typer.Option("--finer", help="More albums, of smaller parts.")]
Coarser = Annotated[bool, typer.Option("--coarser", help="Fewer albums, of larger parts.")]
Level = Annotated[Literal["chapters", "albums", "trips"] | None, typer.Option("--level", help="Make albums of these.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is done.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AlbumId = Annotated[int, typer.Argument(metavar="ALBUM", help="The album's number, from `momentarium albums list`.")]


@command(albums, "list", client=True)
def list_(session: Session, json: Json = False) -> None:
    """List all albums, newest first."""
    with session.momentarium() as momentarium:
        found = list(momentarium.gallery())
    if json:
        print_json({"schema": 1, "albums": [album.model_dump(mode="json") for album in found]})
    elif found:
        console().print(albums_table(found))
    else:
        say(_NONE)


@command(albums, client=True)
def tree(session: Session, json: Json = False) -> None:
    """Show trips with their albums, and albums with their chapters, newest first."""
    with session.momentarium() as momentarium:
        found, level = list(momentarium.tree()), momentarium.api.level()
    if json:
        print_json({"schema": 1, "level": level, "nodes": [node.model_dump(mode="json") for node in found]})
    elif found:
        for node in found:
            typer.echo("\n".join(_branch(node)))
    else:
        say(_NONE)


def _branch(node: "AlbumNode", indent: str = "") -> "Iterator[str]":
    yield f"{indent}{node.id}  {plain(node.title)}: {_extent(node)}"
    for album in node.albums:
        yield from _branch(album, f"{indent}    ")
    for chapter in node.chapters:
        yield f"{indent}    – {_extent(chapter)}"


def _extent(part: "AlbumNode | Chapter") -> str:
    return f"{count(part.photo_count, 'photo')}, {dates(part.starts_at, part.ends_at)}"


@command(albums, client=True)
def regroup(
    session: Session, finer: Finer = False, coarser: Coarser = False, level: Level = None, no_wait: NoWait = False
) -> int:
    """Make all albums anew, of finer or coarser parts of the tree. What you renamed or arranged stays as it is.

    Trips hold albums, and albums have chapters: any of the three can be the albums. Later uploads keep to it.

    Example: momentarium albums regroup --coarser
    """
    if [finer, coarser, level is not None].count(True) != 1:
        raise UsageError("Give one of --finer, --coarser and --level.")
    from momentarium_cli.models import AlbumLevel

    with session.momentarium() as momentarium:
        wanted = AlbumLevel(level) if level else _next(momentarium.api.level(), 1 if coarser else -1)
        if wanted is None:
            say(f"The albums are as {'coarse' if coarser else 'fine'} as they can be.")
            return 0
        return _followed(momentarium.api, momentarium.regroup(wanted), wait=not no_wait)


def _next(level: "AlbumLevel", step: int) -> "AlbumLevel | None":
    levels = list(type(level))
    place = levels.index(level) + step
    return levels[place] if 0 <= place < len(levels) else None


def _followed(api: "Api", job: "JobAccepted", *, wait: bool) -> int:
    if not wait:
        typer.echo(f"job {job.job_id}: {job.status.value}")
        return 0
    from threading import Event

    from momentarium_cli.client.poll import follow

    *_, last = follow(api, [str(job.job_id)], Event())
    typer.echo(job_line(last.job))
    return JobFailed.exit_code if last.job.status == "failed" else 0


@command(albums, client=True)
def show(session: Session, album_id: AlbumId, json: Json = False) -> None:
    """Show an album and its photos; of a trip its albums, too."""
    with session.momentarium() as momentarium:
        album, photos = momentarium.album(album_id)
        shown = list(photos)
    if json:
        values = {"album": album.model_dump(mode="json"), "photos": [photo.model_dump(mode="json") for photo in shown]}
        print_json({"schema": 1, **values})
        return
    typer.echo(plain(album.title))
    if album.theme_description:
        typer.echo(plain(album.theme_description))
    typer.echo(f"{count(album.photo_count, 'photo')}, {dates(album.starts_at, album.ends_at)}")
    for part in album.albums:
        typer.echo("\n".join(_branch(part, "    ")))
    made = table("ID", "Taken", "File", "Size", "Camera", right=("ID",))
    for photo in shown:
        dated = photo.taken_at if photo.taken_at_source != "mtime" else None
        taken = f"{dated:%Y-%m-%d %H:%M}" if dated else "–"
        if photo.clock_shift_seconds:
            taken += f" ({_shift(photo.clock_shift_seconds)})"
        pixels = f"{photo.width} × {photo.height}" if photo.width else "–"
        made.add_row(str(photo.id), taken, plain(photo.original_filename), pixels, plain(photo.camera or "–"))
    console().print(made, markup=False)


def _shift(seconds: int) -> str:
    """What must be added to a time: "+90 min", "-365 days"."""
    return f"{round(seconds / 86_400):+,} days" if abs(seconds) >= 2 * 86_400 else f"{seconds // 60:+} min"
