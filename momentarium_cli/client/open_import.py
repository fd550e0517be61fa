"""An import while it has its turn at the library, and what other runs hand over to it meanwhile."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from momentarium_cli.client.budget import Budget
from momentarium_cli.client.imports import Import, Options
from momentarium_cli.client.journal import Journal
from momentarium_cli.client.settling import Settling
from momentarium_cli.client.turns import Turn

if TYPE_CHECKING:
    from momentarium_cli.client.sdk import Momentarium

log = logging.getLogger(__name__)


class IfHeld(StrEnum):
    """What an import does if another one into the same library is running on this machine."""

    FAIL = "fail"
    WAIT = "wait"
    HAND_OVER = "hand over"  # its paths and options, to that one


class OpenImport:
    """A turn at the library that lasts as long as the block: the own import, and those that others hand over.

    Their options are their own, the budget is one for all; the time it gives runs while the turn is waited for, too.
    With `settling` the own import leaves to a later one what is still being written; for others there is no later one.
    """

    def __init__(
        self,
        momentarium: "Momentarium",
        paths: Sequence[Path],
        options: Options,
        if_held: IfHeld,
        budget: Budget | None = None,
        settling: Settling | None = None,
    ) -> None:
        self._momentarium, self._paths, self._options = momentarium, paths, options
        self._if_held, self._settling = if_held, settling
        self._budget = budget or Budget(momentarium.stop)

    def __enter__(self) -> Self:
        self._me = self._momentarium.me()
        self._base = self._momentarium.settings.data_dir / "journals" / str(self._me.library_id)
        self._turn = Turn(self._base)
        self._turn.begin(
            " ".join(["momentarium upload", *map(str, self._paths)]),
            stop=self._budget.deadline,
            wait=self._if_held is not IfHeld.FAIL,
            hand_over=_packed(self._paths, self._options) if self._if_held is IfHeld.HAND_OVER else None,
            accept=not self._options.dry_run,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._turn.end()

    def imports(self) -> Iterator[tuple[Import, str | None]]:
        """The own import, then others with the name of the run that handed them over. Each must have been run before
        the next is asked for. What is left when the run stops, is done by the next."""
        with self._momentarium.api.transport.waiting_until(self._budget.deadline):
            yield from self._imports()

    def _imports(self) -> Iterator[tuple[Import, str | None]]:
        with self._import(self._paths, self._options, self._settling) as own:
            yield own, None
        if self._options.dry_run or self._budget.is_set():
            return
        for errand in self._turn.errands():
            try:
                paths, options = _unpacked(errand.wanted)
            except (ValidationError, KeyError, TypeError) as error:  # of another version, which knew other options
                log.warning("what %s handed over cannot be understood: %s", errand.what, error)
                continue
            with self._import(paths, options) as other:
                yield other, errand.what
            if self._budget.is_set():
                return

    @contextmanager
    def _import(self, paths: Sequence[Path], options: Options, settling: Settling | None = None) -> Iterator[Import]:
        with closing(Journal(self._base.with_suffix(".sqlite3"))) as journal:
            yield Import(
                self._momentarium.api,
                self._me,
                journal,
                paths,
                options=options,
                staging=self._momentarium.staging,
                region=self._momentarium.settings.storage.region,
                stop=self._momentarium.stop,
                budget=self._budget,
                settling=settling,
            )


def _packed(paths: Sequence[Path], options: Options) -> dict[str, Any]:
    """What is to be imported, as JSON has it."""
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 -- without following links
    return {"paths": absolute, "options": TypeAdapter(Options).dump_python(options, mode="json")}


def _unpacked(wanted: Mapping[str, Any]) -> tuple[list[Path], Options]:
    return [Path(path) for path in wanted["paths"]], TypeAdapter(Options).validate_python(wanted["options"])
