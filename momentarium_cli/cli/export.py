"""momentarium export"""

from pathlib import Path
from typing import Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import count, plain, print_json, say, size
from momentarium_cli.cli.session import Session

FAILURES = 3

Destination = Annotated[Path, typer.Argument(metavar="DEST", help="A folder; it is made if there is none.")]
AlbumIds = Annotated[
    list[int] | None, typer.Option("--album", metavar="ALBUM", help="Only this album; may be repeated.")
]
Json = Annotated[bool, typer.Option("--json", help="One event a line as JSON, the summary last.")]


@command(app, client=True)
def export(session: Session, destination: Destination, album: AlbumIds = None, json: Json = False) -> int:
    """Write the albums as folders, with the originals byte for byte.

    What is there already is checked and not written again, so an export can be repeated and interrupted.
    """
    from momentarium_cli.cli.signals import Signals
    from momentarium_cli.client import export as work
    from momentarium_cli.errors import Stopped

    signals, written, kept, failed, total = Signals(), 0, 0, 0, 0
    with signals.handled(), session.momentarium(signals.stop) as momentarium:
        try:
            for event in work.export(
                momentarium, destination.expanduser(), album_ids=frozenset(album or ()), stop=signals.stop
            ):
                if json:
                    print_json(event.as_json())
                match event:
                    case work.AlbumBegun() if not json:
                        typer.echo(f"{plain(event.title)}: {count(event.photos, 'photo')}")
                    case work.Written():
                        written, kept = written + event.new, kept + (not event.new)
                        total += event.size_bytes
                    case work.NotWritten():
                        failed += 1
                        say(f"failed: {plain(str(event.path))}: {event.error}")
        except Stopped as stopped:
            say(str(stopped))
    if json:
        counts = {"written": written, "unchanged": kept, "failed": failed, "bytes": total}
        print_json({"event": "summary", "schema": 1, **counts})
    else:
        done = f"{count(written, 'photo')} written, {kept:,} there already, {failed:,} failed"
        say(f"{done} ({size(total)}) in {destination}.")
    if signals.stop.is_set():
        return signals.exit_code
    return FAILURES if failed else 0
