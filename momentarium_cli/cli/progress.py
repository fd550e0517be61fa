"""An import as it goes on, for whoever shows it, and how it ended; as JSON lines for programs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from momentarium_cli.cli.output import count, print_json, say
from momentarium_cli.cli.signals import Signals
from momentarium_cli.client import events
from momentarium_cli.client.budget import Limit
from momentarium_cli.client.events import Event, Summary
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.errors import JobFailed, MomentariumError, NothingUsable, Stopped
from momentarium_cli.models import JobState

FAILURES = 3
BUDGET = 7


class Listener(Protocol):
    """Is told what an import tells, beside whoever shows it."""

    def show(self, event: Event) -> None: ...

    def end(self, summary: Summary) -> None: ...


class News:
    """What the rounds of a watch tell: in later ones nothing of what is as it was, and no failure twice."""

    def __init__(self) -> None:
        self.first = True
        self._failures: set[tuple[Path, str]] = set()

    def is_new(self, event: Event) -> bool:
        match event:
            case events.Failed():
                known = (event.path, event.error) in self._failures
                self._failures.add((event.path, event.error))
                return not known
            case events.Uploaded() | events.Duplicate() | events.Warned() | events.BudgetReached():
                return True
        return self.first


class Renderer(AbstractContextManager["Renderer"], ABC):
    """Shows the events of an import, then how it ended; of a round of a watch only the `news`."""

    def __init__(self, options: Options, listeners: Sequence[Listener] = (), news: News | None = None) -> None:
        self._options = options
        self._listeners = listeners
        self._news = news
        self._budget: Limit | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def run(self, import_: Import, signals: Signals) -> int:
        """Run the import and return the exit code."""
        summary: Summary | None = None
        error: MomentariumError | None = None
        try:
            for event in import_.events():
                if isinstance(event, Summary):
                    summary = event
                else:
                    self._happened(event)
        except Stopped:
            pass
        except MomentariumError as raised:
            error = raised
        summary = summary or import_.summary()
        for listener in self._listeners:
            listener.end(summary)
        self.end(summary)
        return self._exit_code(summary, error, signals)

    def _happened(self, event: Event) -> None:
        if isinstance(event, events.BudgetReached):
            self._budget = Limit(event.budget)
        if self._news is not None and not self._news.is_new(event):
            return
        for listener in self._listeners:
            listener.show(event)
        self.show(event)

    def _exit_code(self, summary: Summary, error: MomentariumError | None, signals: Signals) -> int:
        if error is not None:
            raise error
        if signals.stop.is_set():
            say(_what_is_safe(summary))
            return signals.exit_code
        if summary.found == summary.skipped and not self._may_find_nothing:
            return self._nothing()
        if summary.failed:
            return FAILURES
        if any(job.status is JobState.FAILED for job in summary.jobs):
            return JobFailed.exit_code
        return 0 if self._budget is None else BUDGET

    @property
    def _may_find_nothing(self) -> bool:
        """A watch waits for photos that are not there yet."""
        return self._budget is not None or self._news is not None or self._options.is_selective

    def _nothing(self) -> int:
        """What comes of folders without a photo."""
        raise NothingUsable("No photo was found.", hint="Name folders that hold photos; --list-skipped tells more.")

    @abstractmethod
    def show(self, event: Event) -> None:
        """Something happened."""

    @abstractmethod
    def end(self, summary: Summary) -> None:
        """It is over."""


class JsonLines(Renderer):
    """The summary is the last line, also where imports for others came in between; there is none of a round in which
    nothing was told."""

    _summary: Summary | None = None
    _told = False

    def show(self, event: Event) -> None:
        if not isinstance(event, events.Sent):
            self._told = True
            print_json(event.as_json())

    def end(self, summary: Summary) -> None:
        self._summary = summary if self._told or self._news is None else None

    def __exit__(self, *_: object) -> None:
        if self._summary is not None:
            print_json(self._summary.as_json())


class JsonErrand(Renderer):
    """An import for another run is one line: who asked for it, and what became of it."""

    def __init__(self, options: Options, listeners: Sequence[Listener], errand: str) -> None:
        super().__init__(options, listeners)
        self._errand = errand

    def show(self, event: Event) -> None:
        """Its events are of no concern to who reads those of this run."""

    def end(self, summary: Summary) -> None:
        print_json(events.DoneForAnother(self._errand, summary).as_json())


def _what_is_safe(summary: Summary) -> str:
    done = summary.uploaded + summary.duplicates + summary.unchanged
    if not summary.pending:
        return f"Stopped. {count(done, 'photo')} safe, 0 to go; their albums are being made in the background."
    return f"Stopped. {count(done, 'photo')} safe, {summary.pending:,} to go: run the same command again to go on."
