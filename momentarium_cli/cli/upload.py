"""momentarium upload"""

from pathlib import Path
from typing import Annotated

import typer

from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import say
from momentarium_cli.cli.session import Session

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders or photos.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave when all is uploaded; albums come in the background.")]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="Wait no longer for the albums.")]
LockWait = Annotated[bool, typer.Option("--lock-wait", help="Wait for another upload to end; else this ends with 75.")]
BandwidthLimit = Annotated[
    str,
    typer.Option(
        "--bwlimit",
        metavar="RATE",
        help='Send no more than this a second, such as 10M; or by the clock: "08:00,1M 22:00,off".',
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency", metavar="N", min=1, max=64, help="Send so many files at once; else as many as turn out best."
    ),
]
NoPreviews = Annotated[
    bool,
    typer.Option(
        "--no-previews", help="Have the server make the previews, of the originals: faster here where the link is fast."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One event a line as JSON, the summary last.")]
ListSkipped = Annotated[bool, typer.Option("--list-skipped", help="Name every file that is left out, with the reason.")]


@command(app, client=True)
def upload(
    session: Session,
    paths: Paths,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    lock_wait: LockWait = False,
    list_skipped: ListSkipped = False,
    bwlimit: BandwidthLimit = "off",
    concurrency: Concurrency = None,
    no_previews: NoPreviews = False,
    json: Json = False,
) -> int:
    """Upload photos and have them grouped into titled albums.

    Folders are searched with all that is in them; originals are never changed. Run it as often as you like:
    what is there already is not read again, and an upload that was interrupted goes on where it stopped.

    Example: momentarium upload ~/Photos "/media/card/DCIM"
    """
    from momentarium_cli.cli.progress import renderer
    from momentarium_cli.cli.signals import Signals
    from momentarium_cli.client.bandwidth import Timetable
    from momentarium_cli.client.imports import Options
    from momentarium_cli.errors import Stopped

    signals = Signals()
    options = Options(
        dry_run=dry_run,
        wait=not no_wait,
        timeout=timeout,
        previews=not no_previews,
        bandwidth=Timetable.read(bwlimit),
        concurrency=concurrency,
    )
    show = renderer(json=json, interactive=session.interactive, list_skipped=list_skipped, options=options)
    with signals.handled(), session.momentarium(signals.stop) as momentarium:
        try:
            with momentarium.open_import(paths, options=options, lock_wait=lock_wait) as run, show:
                return show.run(run, signals)
        except Stopped as stopped:
            say(str(stopped))
            return signals.exit_code
