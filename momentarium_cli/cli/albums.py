"""momentarium albums"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli.app import CONTEXT, ListByDefault, app, command
from momentarium_cli.cli.output import albums_table, console, count, dates, plain, print_json, say, table
from momentarium_cli.cli.session import Session

if TYPE_CHECKING:
    from momentarium_cli.models import AlbumNode, Chapter

albums = typer.Typer(help="List albums, and show what is in one.", cls=ListByDefault, context_settings=CONTEXT)
app.add_typer(albums, name="albums")

_NONE = "There are no albums yet. Start with: momentarium upload FOLDER"

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
        found = list(momentarium.tree())
    if json:
        print_json({"schema": 1, "nodes": [node.model_dump(mode="json") for node in found]})
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
def show(session: Session, album_id: AlbumId, json: Json = False) -> None:
    """Show an album and its photos."""
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
    made = table("ID", "Taken", "File", "Size", "Camera", right=("ID",))
    for photo in shown:
        dated = photo.taken_at if photo.taken_at_source != "mtime" else None
        taken = f"{dated:%Y-%m-%d %H:%M}" if dated else "–"
        pixels = f"{photo.width} × {photo.height}" if photo.width else "–"
        made.add_row(str(photo.id), taken, plain(photo.original_filename), pixels, plain(photo.camera or "–"))
    console().print(made, markup=False)
