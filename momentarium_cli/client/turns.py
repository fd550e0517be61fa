"""Whose turn it is: on this machine one run at a time imports into a library. Others wait, or hand over what they want.

<library>.lock        held by the run whose turn it is
<library>.turn/door   held for a moment, to hand over and to end a turn, so that one happens before the other
<library>.turn/over   the turn ends: nothing is handed over any more
<library>.turn/*.json what was handed over, until it is done: a run that dies leaves it to the next one
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as StopEvent
from typing import Any
from uuid import uuid4

from filelock import FileLock

from momentarium_cli.errors import LockHeld, Stopped
from momentarium_cli.rendezvous import Lock, private_folder, write_private

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2


class HandedOver(LockHeld):
    """Another run holds the lock, and will do what this one was to do."""

    code = "handed_over"


@dataclass(frozen=True, slots=True)
class Errand:
    """What another run handed over, as it said it; `what` is how it called itself."""

    what: str
    wanted: Mapping[str, Any]
    files: tuple[Path, ...]  # more than one where the same was handed over again


class Turn:
    """One run's turn at a library; `base` is the path of its files without a suffix. End what was begun."""

    def __init__(self, base: Path) -> None:
        self._lock = Lock(base.with_suffix(".lock"))
        self._folder = private_folder(base.with_suffix(".turn"))
        self._door = FileLock(self._folder / "door", thread_local=False)
        self._over = self._folder / "over"

    def begin(
        self,
        what: str,
        *,
        stop: StopEvent,
        wait: bool = False,
        hand_over: Mapping[str, Any] | None = None,
        accept: bool = True,
    ) -> None:
        """Take the lock. Where another run holds it, give it `hand_over` and raise HandedOver, else `wait` or raise
        LockHeld. With `accept`, what others hand over comes from `errands`. Raises Stopped when told to stop."""
        while not self._taken(what, hand_over, patient=wait):
            if stop.wait(_LOOK_SECONDS):
                raise Stopped("Stopped while waiting for another upload to end; nothing was done.")
        with self._door:
            if accept:
                self._over.unlink(missing_ok=True)
            else:
                self._close()

    def end(self) -> None:
        with self._door:
            self._close()
        self._lock.release()

    def errands(self) -> Iterator[Errand]:
        """What others handed over, and dead runs left; each is done when the next is asked for. After the last one
        nothing more is accepted."""
        while errands := self._next():
            for errand in errands:
                yield errand
                for file in errand.files:
                    file.unlink(missing_ok=True)

    def _taken(self, what: str, hand_over: Mapping[str, Any] | None, *, patient: bool) -> bool:
        try:
            self._lock.acquire(what=what)
        except LockHeld:
            if hand_over is None and not patient:
                raise
            return hand_over is not None and self._handed_over(what, hand_over)
        return True

    def _handed_over(self, what: str, wanted: Mapping[str, Any]) -> bool:
        """Raises HandedOver; or says whether the holder died meanwhile, so that the turn is ours."""
        with self._door:
            if self._over.exists():
                return False
            file = self._folder / f"{time.time_ns():020}-{uuid4().hex}.json"
            write_private(file, json.dumps({"what": what, "wanted": wanted}))
            try:
                self._lock.acquire(what=what)
            except LockHeld as held:
                raise HandedOver(held.message, hint="It does this, too, before it ends.") from None
            file.unlink()
            return True

    def _next(self) -> list[Errand]:
        with self._door:
            errands: dict[str, Errand] = {}
            for errand in filter(None, map(_read, sorted(self._folder.glob("*.json")))):
                same = errands.setdefault(_key(errand), errand)
                if same is not errand:
                    errands[_key(errand)] = replace(same, files=same.files + errand.files)
            if not errands:
                self._close()
            return list(errands.values())

    def _close(self) -> None:
        with suppress(OSError):  # on a full disk nothing can be handed over either
            self._over.touch()


def _key(errand: Errand) -> str:
    return json.dumps(errand.wanted, sort_keys=True)


def _read(file: Path) -> Errand | None:
    try:
        content = json.loads(file.read_text("utf-8"))
        return Errand(str(content["what"]), dict(content["wanted"]), (file,))
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s is nothing that was handed over (%s); it is put aside", file, error)
        file.replace(file.with_suffix(".damaged"))
        return None
