"""momentarium upload"""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentarium_cli.cli import units
from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.session import Session
from momentarium_cli.client.order import Order
from momentarium_cli.errors import UsageError

if TYPE_CHECKING:
    from momentarium_cli.cli.metrics import Metrics
    from momentarium_cli.cli.report import Report
    from momentarium_cli.client.bandwidth import Timetable
    from momentarium_cli.photos.choice import Choice

# The panels of --help.
CHOOSING = "What is uploaded"
SENDING = "How it is sent"
ENDING = "What is waited for"
UNATTENDED = "For cron and scripts"

Paths = Annotated[list[Path] | None, typer.Argument(metavar="PATH", help="Folders or photos.", show_default=False)]
DryRun = Annotated[
    bool, typer.Option("--dry-run", rich_help_panel=CHOOSING, help="Show what would be done, and do nothing.")
]
ListSkipped = Annotated[
    bool,
    typer.Option("--list-skipped", rich_help_panel=CHOOSING, help="Name every file that is left out, with the reason."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE",
        rich_help_panel=CHOOSING,
        help="Only photos taken then or later: 2024, 2024-06, 2024-06-15, or 7d, 2w, 6m, 1y ago.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", rich_help_panel=CHOOSING, help="Only photos taken then or before."),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include", metavar="PATTERN", rich_help_panel=CHOOSING, help="Only files like this, as in .gitignore."
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        rich_help_panel=CHOOSING,
        help="No files or folders like this; a file .momentariumignore in a folder says the same.",
    ),
]
MinSize = Annotated[
    int | None,
    typer.Option(
        "--min-size",
        metavar="SIZE",
        parser=units.size,
        rich_help_panel=CHOOSING,
        help="Only files of this size or more, such as 100k.",
    ),
]
Type = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPES", rich_help_panel=CHOOSING, help="Only these types: jpeg,heic,raw."),
]
RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", rich_help_panel=CHOOSING, help="Only files that failed in earlier runs."),
]
InOrder = Annotated[Order, typer.Option("--order", rich_help_panel=SENDING, help="What is uploaded first.")]
NoWait = Annotated[
    bool,
    typer.Option(
        "--no-wait", rich_help_panel=ENDING, help="Leave when all is uploaded; albums come in the background."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        parser=units.seconds,
        rich_help_panel=ENDING,
        help="Wait no longer for the albums.",
    ),
]
BandwidthLimit = Annotated[
    str,
    typer.Option(
        "--bwlimit",
        metavar="RATE",
        rich_help_panel=SENDING,
        help='Send no more than this a second, such as 10M; or by the clock: "08:00,1M 22:00,off".',
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        min=1,
        max=64,
        rich_help_panel=SENDING,
        help="Send so many files at once; else as many as turn out best.",
    ),
]
NoPreviews = Annotated[
    bool,
    typer.Option(
        "--no-previews",
        rich_help_panel=SENDING,
        help="Have the server make the previews, of the originals: faster here where the link is fast.",
    ),
]
MaxDuration = Annotated[
    float | None,
    typer.Option(
        "--max-duration",
        metavar="DURATION",
        parser=units.seconds,
        rich_help_panel=SENDING,
        help="End after this time, such as 2h; a later run goes on. The code is 7.",
    ),
]
MaxTransfer = Annotated[
    int | None,
    typer.Option(
        "--max-transfer",
        metavar="SIZE",
        parser=units.size,
        rich_help_panel=SENDING,
        help="End once so many bytes are sent, such as 10G.",
    ),
]
LockWait = Annotated[
    bool,
    typer.Option(
        "--lock-wait", rich_help_panel=UNATTENDED, help="Wait for another upload to end; else this ends with 75."
    ),
]
LockSkip = Annotated[
    bool,
    typer.Option("--lock-skip", rich_help_panel=UNATTENDED, help="Do nothing while another upload is running."),
]
LockJoin = Annotated[
    bool,
    typer.Option(
        "--lock-join", rich_help_panel=UNATTENDED, help="Hand all over to the upload that is running, and leave."
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", rich_help_panel=UNATTENDED, help="Print nothing if nothing is new and nothing failed."
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", rich_help_panel=UNATTENDED, help="Go on: upload what comes, once it is whole."),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        rich_help_panel=UNATTENDED,
        help="Write a line for every file: FILE.csv, or FILE.jsonl for JSON.",
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-file",
        metavar="FILE",
        rich_help_panel=UNATTENDED,
        help="Write how it went for Prometheus: FILE.prom.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=UNATTENDED, help="One event a line as JSON, the summary last.")
]


@command(app, client=True)
def upload(
    session: Session,
    paths: Paths = None,
    dry_run: DryRun = False,
    list_skipped: ListSkipped = False,
    since: Since = None,
    until: Until = None,
    include: Include = None,
    exclude: Exclude = None,
    min_size: MinSize = None,
    type_: Type = None,
    retry_failed: RetryFailed = False,
    order: InOrder = Order.OLDEST,
    bwlimit: BandwidthLimit = "off",
    concurrency: Concurrency = None,
    no_previews: NoPreviews = False,
    max_duration: MaxDuration = None,
    max_transfer: MaxTransfer = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    lock_wait: LockWait = False,
    lock_skip: LockSkip = False,
    lock_join: LockJoin = False,
    quiet: Quiet = False,
    watch: Watch = False,
    report: ReportFile = None,
    metrics_file: MetricsFile = None,
    json: Json = False,
) -> int:
    """Upload photos and have them grouped into titled albums.

    Folders are searched with all that is in them; originals are never changed. Run it as often as you like:
    what is there already is not read again, and an upload that was interrupted goes on where it stopped.

    Example: momentarium upload ~/Photos "/media/card/DCIM"
    """
    from momentarium_cli.cli.consent import ask_once
    from momentarium_cli.cli.running import Look, Running
    from momentarium_cli.cli.signals import Signals
    from momentarium_cli.client.budget import Budget
    from momentarium_cli.client.imports import Options
    from momentarium_cli.client.open_import import IfHeld

    understood = understand(
        paths=paths,
        dry_run=dry_run,
        since=since,
        until=until,
        include=include,
        exclude=exclude,
        min_size=min_size,
        type_=type_,
        retry_failed=retry_failed,
        bwlimit=bwlimit,
        lock_wait=lock_wait,
        lock_skip=lock_skip,
        lock_join=lock_join,
        watch=watch,
        report=report,
        metrics_file=metrics_file,
    )
    if not json and not dry_run and not quiet:
        ask_once(session, paths or [])
    signals = Signals()
    patient = lock_wait or (watch and not lock_skip)
    running = Running(
        session,
        paths or [],
        lambda: Options(
            dry_run=dry_run,
            wait=not no_wait,
            timeout=timeout,
            order=order,
            choice=understood.choose(),
            retry_failed=retry_failed,
            bandwidth=understood.bandwidth,
            concurrency=concurrency,
            previews=not no_previews,
        ),
        signals,
        Budget(signals.stop, max_seconds=max_duration, max_bytes=max_transfer),
        if_held=IfHeld.HAND_OVER if lock_join else IfHeld.WAIT if patient else IfHeld.FAIL,
        skip=lock_skip,
        report=understood.report,
        metrics=understood.metrics,
    )
    look = Look(json=json, interactive=session.interactive, quiet=quiet, list_skipped=list_skipped)
    gc.freeze()  # what is there now stays, and is not looked through again and again
    with signals.handled():
        return running.watch(look) if watch else running.once(look)


@dataclass(frozen=True, slots=True)
class Understood:
    """What options of upload say that are text to its parser. `choose` counts from today how long ago something was."""

    choose: "Callable[[], Choice]"
    bandwidth: "Timetable"
    report: "Report | None"
    metrics: "Metrics | None"


def understand(
    *,
    paths: Paths,
    dry_run: DryRun,
    since: Since,
    until: Until,
    include: Include,
    exclude: Exclude,
    min_size: MinSize,
    type_: Type,
    retry_failed: RetryFailed,
    bwlimit: BandwidthLimit,
    lock_wait: LockWait,
    lock_skip: LockSkip,
    lock_join: LockJoin,
    watch: Watch,
    report: ReportFile,
    metrics_file: MetricsFile,
    **_: object,
) -> Understood:
    """Check what the parser of upload let through. UsageError: no upload can be run so."""
    from momentarium_cli.cli.metrics import Metrics
    from momentarium_cli.cli.report import Report
    from momentarium_cli.client.bandwidth import Timetable

    _one_at_most({"--lock-wait": lock_wait, "--lock-skip": lock_skip, "--lock-join": lock_join})
    _one_at_most({"--dry-run": dry_run, "--lock-join": lock_join, "--watch": watch})
    _one_at_most({"--retry-failed": retry_failed, "--watch": watch})
    if not paths and not retry_failed:
        raise UsageError("There is nothing to upload.", hint="Name folders or photos: momentarium upload ~/Photos.")
    choose = partial(_choice, since, until, include, exclude, min_size, type_)
    choose()  # what means nothing is told at once
    return Understood(
        choose,
        Timetable.read(bwlimit),
        Report(report) if report else None,
        Metrics(metrics_file, paths or []) if metrics_file else None,
    )


def _one_at_most(options: Mapping[str, bool]) -> None:
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other.")


def _choice(
    since: str | None,
    until: str | None,
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    min_size: int | None,
    types: str | None,
) -> "Choice":
    from momentarium_cli.photos import choice

    today = date.today()
    return choice.Choice(
        since=choice.first_day(since, today) if since else None,
        until=choice.last_day(until, today) if until else None,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        min_size=min_size or 0,
        types=choice.types(types) if types else frozenset(),
    )
