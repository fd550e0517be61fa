"""Data goes to standard output, talk to standard error."""

import json
import sys
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console
    from rich.table import Table

    from momentarium_cli.models import Album, AlbumSummary, JobStatus


_PIPE_WIDTH = 160  # nobody's terminal: wide enough for the longest titles
_LISTED_JOBS = 5


def console(*, err: bool = False) -> "Console":
    from rich.console import Console

    person = (sys.stderr if err else sys.stdout).isatty()
    return Console(
        stderr=err, highlight=False, emoji=False, soft_wrap=not person, width=None if person else _PIPE_WIDTH
    )


def say(text: str) -> None:
    """A line for people."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def table(*columns: str, right: "Iterable[str]" = ()) -> "Table":
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def plain(text: str) -> str:
    """Text from photos, folders and servers without what would control the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def dates(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return "–"
    first = f"{start:%Y-%m-%d}"
    last = f"{end:%Y-%m-%d}" if end else first
    return first if first == last else f"{first} – {last}"


def size(number: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def albums_table(albums: "Iterable[Album | AlbumSummary]") -> "Table":
    from momentarium_cli.models import Album

    made = table("ID", "Album", "Photos", "Dates", right=("ID", "Photos"))
    for album in albums:
        photos = album.photo_count if isinstance(album, Album) else album.photos
        made.add_row(str(album.id), _markup_free(album.title), f"{photos:,}", dates(album.starts_at, album.ends_at))
    return made


def job_line(job: "JobStatus") -> str:
    """A job in one line."""
    line = f"job {job.id}: {job.status.value}"
    if not job.status.ended and job.stage:
        line += f", {job.stage} {job.done:,} of {job.total:,}"
        line += f", {duration(job.seconds_left)} left" if job.seconds_left is not None else ""
    if job.error_message:
        line += f" ({plain(job.error_message)})"
    return line


def job_lines(jobs: "Iterable[JobStatus]") -> "Iterator[str]":
    """Each job in a line. A large import has hundreds: of those in the same state only the first are told."""
    listed: Counter[str] = Counter()
    for job in jobs:
        listed[job.status.value] += 1
        if listed[job.status.value] <= _LISTED_JOBS:
            yield job_line(job)
    for state, number in listed.items():
        if number > _LISTED_JOBS:
            yield f"… and {number - _LISTED_JOBS:,} more {state}."


def organizer_lines(jobs: "Iterable[JobStatus]") -> "Iterator[str]":
    """What became of asking a model: what did not come of it, and what it did cost."""
    jobs = list(jobs)
    yield from dict.fromkeys(plain(job.organizer_note) for job in jobs if job.organizer_note)
    if dollars := sum(job.organizer_cost or 0 for job in jobs):
        yield f"Asking the model cost ${dollars:.4f}."


def _markup_free(text: str) -> str:
    from rich.markup import escape

    return escape(plain(text))
