"""momentarium photos"""

from typing import Annotated

import typer

from momentarium_cli.cli.app import CONTEXT, app, command
from momentarium_cli.cli.output import count, say
from momentarium_cli.cli.session import Session
from momentarium_cli.errors import NotFound

photos = typer.Typer(help="What can be done with single photos.", context_settings=CONTEXT, no_args_is_help=True)
app.add_typer(photos, name="photos")

FAILURES = 3

Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="Photos' numbers, from `momentarium albums show`.")]
ForGood = Annotated[bool, typer.Option("--for-good", help="With their originals, which cannot be brought back.")]


@photos.callback()
def _group() -> None: ...


@command(photos, client=True)
def delete(session: Session, ids: Ids, for_good: ForGood = False) -> int:
    """Delete photos from the library: into the bin, or for good. Files on this machine are not touched.

    What this machine has uploaded once it does not upload again, so they stay deleted.
    """
    deleted, wanted = 0, list(dict.fromkeys(ids))
    with session.momentarium() as momentarium:
        for photo_id in wanted:
            try:
                momentarium.delete(photo_id, for_good=for_good)
            except NotFound as error:
                say(f"failed: {error}")
            else:
                deleted += 1
    say(f"{count(deleted, 'photo')} {'deleted for good' if for_good else 'put into the bin'}.")
    return 0 if deleted == len(wanted) else FAILURES
