"""momentarium storage"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli.app import CONTEXT, app, command
from momentarium_cli.cli.output import console, count, plain, print_json, say, size, table
from momentarium_cli.cli.session import Session

if TYPE_CHECKING:
    from momentarium_cli.backend.db.housekeeping import Doomed
    from momentarium_cli.backend.db.pool import Database
    from momentarium_cli.backend.inventory import Compared, Missing, Orphan
    from momentarium_cli.backend.storage.base import Storage

storage = typer.Typer(
    help="Look after the store of this server. Run it where the server runs.",
    context_settings=CONTEXT,
    no_args_is_help=True,
)
app.add_typer(storage, name="storage")

MISSING = 3

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many; none: all.")]
Json = Annotated[bool, typer.Option("--json", help="One finding a line as JSON, the summary last.")]


@command(storage)
def check(session: Session, json: Json = False) -> int:
    """Compare the store with the database: what is missing, and what nobody knows.

    Ends with 3 if something is missing. Objects that nobody knows do no harm; they are told, and left alone.
    """
    from momentarium_cli.backend.inventory import Compared, Inventory, Missing

    kinds: list[Compared] = []
    found: Counter[tuple[str, str]] = Counter()
    with _opened(session) as (database, store):
        for event in Inventory(database, store).check():
            if isinstance(event, Compared):
                kinds.append(event)
                continue
            what = "missing" if isinstance(event, Missing) else "orphan"
            found.update({(event.kind, what): 1, (event.kind, f"{what} bytes"): event.size_bytes or 0})
            _tell(what, event, json=json)
    if json:
        print_json({"event": "summary", "schema": 1, "kinds": [_counts(kind, found) for kind in kinds]})
    else:
        _show(kinds, found)
    return MISSING if any(found[kind.kind, "missing"] for kind in kinds) else 0


@command(storage)
def sweep(session: Session, dry_run: DryRun = False, limit: Limit = None, json: Json = False) -> None:
    """Delete the objects of uploads that were begun more than 7 days ago and never became photos.

    A server does so by itself every few minutes.
    """
    from momentarium_cli.backend.housekeeping import Housekeeping

    deleted, total = 0, 0
    with _opened(session) as (database, store):
        housekeeping = Housekeeping(database, store)
        for upload in housekeeping.plan(limit) if dry_run else housekeeping.sweep(limit=limit):
            deleted, total = deleted + 1, total + upload.size_bytes
            _tell_upload(upload, json=json)
    if json:
        summary = {"uploads": deleted, "bytes": total, "dry_run": dry_run}
        print_json({"event": "summary", "schema": 1, **summary})
    else:
        say(f"{count(deleted, 'upload')} {'would be ' if dry_run else ''}deleted, of up to {size(total)}.")


@contextmanager
def _opened(session: Session) -> "Iterator[tuple[Database, Storage]]":
    from momentarium_cli.backend.wiring import open_database, open_storage

    with open_database(session.settings) as opened:
        yield opened.database, open_storage(session.settings)


def _tell(what: str, event: "Orphan | Missing", *, json: bool) -> None:
    values = asdict(event)
    if json:
        print_json({"event": what, "schema": 1, **values})
        return
    details = [plain(str(values["filename"]))] if values.get("filename") else []
    details += [size(event.size_bytes)] if event.size_bytes is not None else []
    typer.echo(f"{what}: {event.storage_key}" + (f" ({', '.join(details)})" if details else ""))


def _counts(kind: "Compared", found: "Counter[tuple[str, str]]") -> dict[str, str | int]:
    names = {
        "missing": "missing",
        "missing_bytes": "missing bytes",
        "orphans": "orphan",
        "orphan_bytes": "orphan bytes",
    }
    counted = {name: found[kind.kind, what] for name, what in names.items()}
    return {"kind": kind.kind, "objects": kind.objects, "expected": kind.expected, **counted}


def _show(kinds: "list[Compared]", found: "Counter[tuple[str, str]]") -> None:
    columns = ("Objects", "Expected", "Missing", "Orphans")
    made = table("Kind", *columns, right=columns)
    for kind in kinds:
        bad = [found[kind.kind, what] for what in ("missing", "orphan")]
        told = [
            f"{number:,}"
            + (f" ({size(found[kind.kind, f'{what} bytes'])})" if found[kind.kind, f"{what} bytes"] else "")
            for number, what in zip(bad, ("missing", "orphan"), strict=True)
        ]
        made.add_row(kind.kind, f"{kind.objects:,}", f"{kind.expected:,}", *told)
    console().print(made, markup=False)


def _tell_upload(upload: "Doomed", *, json: bool) -> None:
    if json:
        values = {"storage_key": upload.storage_key, "bytes": upload.size_bytes, "issued_at": upload.issued_at}
        print_json({"event": "upload", "schema": 1, **values})
    else:
        typer.echo(f"{upload.storage_key} ({size(upload.size_bytes)}, begun {upload.issued_at:%Y-%m-%d})")
