"""Runs an import and those that others hand over to it, and shows them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from momentarium_cli.cli.bars import Bars
from momentarium_cli.cli.metrics import Metrics
from momentarium_cli.cli.output import print_json, say
from momentarium_cli.cli.people import ForPeople, Lines, Quiet
from momentarium_cli.cli.progress import BUDGET, JsonErrand, JsonLines, Listener, News, Renderer
from momentarium_cli.cli.report import Report
from momentarium_cli.cli.session import Session
from momentarium_cli.cli.signals import Signals
from momentarium_cli.cli.watch import Watch
from momentarium_cli.client import events
from momentarium_cli.client.budget import Budget
from momentarium_cli.client.changes import Changes
from momentarium_cli.client.imports import Options
from momentarium_cli.client.open_import import IfHeld
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.turns import HandedOver
from momentarium_cli.errors import JobFailed, LockHeld, MomentariumError, NothingUsable, Stopped


@dataclass(frozen=True, slots=True)
class Look:
    """How imports are shown."""

    json: bool = False
    interactive: bool = False
    quiet: bool = False
    list_skipped: bool = False
    news: News | None = None  # of a watch

    def renderer(self, options: Options, listeners: Sequence[Listener] = (), *, errand: str | None = None) -> Renderer:
        """For an import of this run, or the `errand` of another."""
        if self.json:
            if errand is not None:
                return JsonErrand(options, listeners, errand)
            return JsonLines(options, listeners, self.news)
        cls: type[ForPeople] = Bars if self.interactive else Lines
        if self.quiet or (self.news is not None and not self.news.first):
            cls = Quiet
        return cls(options, listeners, self.news, list_skipped=self.list_skipped)


class Running:
    """What an upload does, once or again and again, and whom it tells. With `skip` it leaves the lock to who has it.

    `options` are asked for by each import: what was 7 days ago is another day in a later round of a watch.
    """

    def __init__(
        self,
        session: Session,
        paths: Sequence[Path],
        options: Callable[[], Options],
        signals: Signals,
        budget: Budget,
        *,
        if_held: IfHeld,
        skip: bool = False,
        report: Report | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._session, self._paths, self._options = session, paths, options
        self._signals, self._budget = signals, budget
        self._if_held, self._skip = if_held, skip
        self._report, self._metrics = report, metrics
        self._listeners = [each for each in (self._report, self._metrics) if each is not None]

    def once(self, look: Look) -> int:
        with self._reporting():
            return self._unless_held(lambda: self._recorded(lambda: self._import(look, self._paths)), look)

    def watch(self, look: Look) -> int:
        news = News()
        look = replace(look, news=news)

        def upload(paths: Sequence[Path], settling: Settling) -> None:
            self._recorded(partial(self._import, look, paths, settling))
            news.first = False

        if not (look.quiet or look.json):
            say(f"Watching {', '.join(map(str, self._paths))}; Ctrl-C ends it.")
        with self._reporting(), Changes(self._paths, ignored=self._session.settings.data_dir) as changes:
            Watch(self._paths, upload, self._budget.is_set).run(changes)
        return self._signals.exit_code if self._signals.stop.is_set() else BUDGET

    def _import(self, look: Look, paths: Sequence[Path], settling: Settling | None = None) -> int:
        """One import, and what others hand over meanwhile; its exit code. Raises LockHeld."""
        try:
            with self._session.momentarium(self._signals.stop) as momentarium, ExitStack() as stack:
                opened = momentarium.open_import(
                    paths, options=self._options(), if_held=self._if_held, budget=self._budget, settling=settling
                )
                code = 0
                failed: MomentariumError | None = None
                for import_, errand in stack.enter_context(opened).imports():
                    show = stack.enter_context(look.renderer(import_.options, self._listeners, errand=errand))
                    run = partial(show.run, import_, self._signals)
                    try:
                        ended = run() if errand is None else _errand(run, errand, look)
                    except (JobFailed, NothingUsable) as error:  # what others handed over is done all the same
                        ended, failed = error.exit_code, failed or error
                    code = code or ended
                if failed is not None:
                    raise failed
                return code
        except Stopped as stopped:
            say(str(stopped))
            return self._signals.exit_code if self._signals.stop.is_set() else BUDGET

    def _recorded(self, run: Callable[[], int]) -> int:
        return self._metrics.recording(run) if self._metrics else run()

    def _reporting(self) -> AbstractContextManager[object]:
        return closing(self._report) if self._report else nullcontext()

    def _unless_held(self, run: Callable[[], int], look: Look) -> int:
        """Where another run has the lock and takes over, or this one is to skip, all is well."""
        try:
            return run()
        except LockHeld as held:
            handed_over = isinstance(held, HandedOver)
            if not (handed_over or self._skip):
                raise
            if look.json:
                print_json(events.Busy(held.message, handed_over).as_json())
            elif not look.quiet:
                say(str(held) if handed_over else f"{held.message} Nothing was done.")
            return 0


def _errand(run: Callable[[], int], errand: str, look: Look) -> int:
    if not (look.quiet or look.json):
        say(f"Now what another run handed over: {errand}")
    try:
        return run()
    except NothingUsable as error:
        say(str(error))
        return NothingUsable.exit_code
