"""momentarium storage"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli.app import CONTEXT, app, command
from momentarium_cli.cli.output import console, count, duration, plain, print_json, say, size, table
from momentarium_cli.cli.session import Session

if TYPE_CHECKING:
    from momentarium_cli.backend.copying import Event, Outcome, Planned, Tally
    from momentarium_cli.backend.db.housekeeping import Doomed
    from momentarium_cli.backend.db.pool import Database
    from momentarium_cli.backend.inventory import Compared, Missing, Orphan
    from momentarium_cli.backend.storage.base import Storage
    from momentarium_cli.config import Settings

storage = typer.Typer(
    help="Look after the store of this server. Run it where the server runs.",
    context_settings=CONTEXT,
    no_args_is_help=True,
)
app.add_typer(storage, name="storage")

MISSING = FAILURES = 3

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many; none: all.")]
Json = Annotated[bool, typer.Option("--json", help="One finding a line as JSON, the summary last.")]
To = Annotated[str, typer.Option("--to", metavar="URL", help="file:///folder, or s3://bucket.", show_default=False)]
From = Annotated[
    str | None, typer.Option("--from", metavar="URL", help="The store to copy; none: that of storage.url.")
]
Verify = Annotated[bool, typer.Option("--verify", help="Also read all that is there already, and compare its SHA-256.")]
DryCopy = Annotated[bool, typer.Option("--dry-run", help="Only tell how much would be copied.")]


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


@command(storage)
def copy(
    session: Session,
    to: To,
    from_: From = None,
    verify: Verify = False,
    dry_run: DryCopy = False,
    json: Json = False,
) -> int:
    """Copy a library into another store while it is in use, every object proven by its SHA-256.

    Nothing is overwritten or deleted, and what is there already is not copied again: run it until nothing is new, and
    after an interruption. Both stores use the credentials, storage.endpoint_url and storage.region that are set.

    Example: momentarium storage copy --to s3://my-photos
    """
    from momentarium_cli.backend.copying import Copier
    from momentarium_cli.cli.signals import Signals
    from momentarium_cli.errors import NothingUsable, Stopped

    source = _store_at(session, from_, "--from", must_exist=True)
    target = _store_at(session, to, "--to")
    _refuse_same(source, target)
    signals = Signals()
    copier = Copier(source, target, stop=signals.stop, verify=verify)
    shown = _Copying(json=json, interactive=session.interactive)
    try:
        with signals.handled(), shown.meter:
            for event in copier.events(dry_run=dry_run):
                shown.show(event)
    except Stopped as stopped:
        say(str(stopped))
        return signals.exit_code
    finally:
        shown.end(copier.tally, _url(source), _url(target), dry_run=dry_run)
    if not copier.tally.found:
        raise NothingUsable(f"There is nothing in {_url(source)}.", hint="--from names the store to copy.")
    return FAILURES if copier.tally.failed else 0


class _Copying:
    """Shows a copy as it goes on, and how it ended."""

    def __init__(self, *, json: bool, interactive: bool) -> None:
        from momentarium_cli.cli.meter import Bar, Lines, Meter

        self.meter = Meter() if json else Bar() if interactive else Lines()
        self._json = json
        self._planned = False
        self._began = time.monotonic()

    def show(self, event: "Event") -> None:
        from momentarium_cli.backend.copying import Compared, Listed, Moved, Planned

        match event:
            case Listed():
                self._planned = False
                self.meter.begin(f"Comparing {event.kind}", event.objects, 0)
            case Compared():
                self.meter.add(event.objects)
            case Planned():
                self._planned = True
                self._print("planned", event)
                objects, total = event.objects + event.to_verify, event.bytes + event.bytes_to_verify
                self.meter.begin(f"Copying {event.kind}", objects, total)
            case Moved():
                self.meter.add(0, event.bytes)
            case _:
                self._outcome(event)

    def _outcome(self, event: "Outcome") -> None:
        from momentarium_cli.backend.copying import Failed

        if self._planned:
            self.meter.add(1)
        if self._planned or type(event).__name__ != "There":
            self._print(type(event).__name__.lower(), event)
        if isinstance(event, Failed) and not self._json:
            self.meter.say(f"failed: {event.storage_key}: {event.error}")

    def _print(self, name: str, event: "Planned | Outcome") -> None:
        if self._json:
            print_json({"event": name, "schema": 1, **asdict(event)})

    def end(self, tally: "Tally", source: str, target: str, *, dry_run: bool) -> None:
        if self._json:
            counts = asdict(tally) | {"pending": tally.pending, "dry_run": dry_run}
            print_json({"event": "summary", "schema": 1, **counts, "from": source, "to": target})
        elif dry_run:
            say(f"Would copy {count(tally.to_copy, 'object')} ({size(tally.bytes_to_copy)}); nothing was done.")
        elif tally.found:
            seconds = time.monotonic() - self._began
            parts = [
                f"{count(tally.found, 'object')} found",
                f"{tally.copied:,} copied ({size(tally.bytes_copied)})",
                f"{tally.there:,} there already",
            ]
            more = {"deleted meanwhile": tally.vanished, "failed": tally.failed, "to go": tally.pending}
            parts += [f"{number:,} {what}" for what, number in more.items() if number]
            say(f"From {source} to {target} in {duration(seconds)}: {', '.join(parts)}.")


def _store_at(session: Session, url: str | None, option: str, *, must_exist: bool = False) -> "Storage":
    """The store that the settings name, or another one in the same way."""
    from momentarium_cli.backend.wiring import open_storage, storage_root
    from momentarium_cli.errors import UsageError

    settings = session.settings
    if url is not None:
        if not url.startswith(("s3://", "file:///")):
            raise UsageError(f"{option} {url!r} is not a store.", hint="Write file:///folder or s3://bucket.")
        settings = replace(settings, storage=replace(settings.storage, url=url, buckets=None, cdn_url=None))
    if must_exist and not _in_buckets(settings) and not storage_root(settings).is_dir():
        raise UsageError(f"There is no folder {storage_root(settings)}.", hint="--from names the store to copy.")
    return open_storage(settings)


def _in_buckets(settings: "Settings") -> bool:
    from momentarium_cli.backend.wiring import s3_buckets

    return bool(s3_buckets(settings.storage))


def _url(store: "Storage") -> str:
    """As --from and --to take it."""
    return Path(store.where).as_uri() if Path(store.where).is_absolute() else store.where


def _refuse_same(source: "Storage", target: "Storage") -> None:
    from momentarium_cli.errors import UsageError

    here, there = Path(source.where), Path(target.where)
    if source.where == target.where or (here.is_dir() and there.is_dir() and here.samefile(there)):
        raise UsageError(f"{_url(source)} cannot be copied into itself.", hint="--from names the store to copy.")


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
