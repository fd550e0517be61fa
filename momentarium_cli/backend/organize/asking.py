"""Asks a model about events, several a request: what it does about every fault, and what that costs.

An event for which nothing comes of it is left as it is, and the reason is noted.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from momentarium_cli.backend.organize.decisions import Decision, read
from momentarium_cli.backend.organize.model import Fault, Memory, Model, Question, Unanswered
from momentarium_cli.backend.organize.prices import Usage, cost, expected
from momentarium_cli.backend.organize.questions import Sharing, Subject, question
from momentarium_cli.backend.organize.sheets import NumberedSheet, Sheets

AT_ONCE = 4  # requests
EVENTS_A_REQUEST = 10
TRIES = 3  # of a model that is busy or out of reach

_NOTHING_TO_SHOW = "none of its photos can be shown"
_PASSES = frozenset({Fault.BUSY, Fault.UNREACHABLE})
_OF_CONTENT = frozenset({Fault.TRUNCATED, Fault.BLOCKED})  # fewer events in a request may help
_OF_MODEL = frozenset({Fault.NO_MODEL, Fault.LATE})  # it need not be tried again
_FINAL = frozenset({Fault.NOT_ALLOWED, Fault.SPENT})

Connect = Callable[[], AbstractAsyncContextManager[Model]]
_Asked = Sequence[tuple[Subject, NumberedSheet]]


@dataclass(frozen=True, slots=True)
class Policy:
    """How a model is asked; `models` are tried in this order. Times are seconds.

    `deadline` is for one answer, `patience` the longest wait before another try, `run_seconds` for all of a run.
    """

    models: tuple[str, ...]
    language: str
    sharing: Sharing = field(default_factory=Sharing)
    flex: bool = False
    deadline: float = 60.0
    first_wait: float = 1.0
    patience: float = 30.0
    run_seconds: float = 300.0

    @property
    def asking(self) -> str:
        """What besides the event makes the answer."""
        return f"{self.models[0]} {self.language}"


class Asking:
    """One run. `decisions` are by the number of the subject, their cover by the key of its thumbnail; `left` counts
    the events for which nothing came of it, by the reason."""

    def __init__(self, connect: Connect, sheets: Sheets, memory: Memory, policy: Policy) -> None:
        self.decisions: dict[int, Mapping[str, Any]] = {}
        self.left: Counter[str] = Counter()
        self.usage = Usage(0, 0)
        self.expected_cost = 0.0
        self.cost = 0.0
        self.requests = 0
        self.answered_by: set[str] = set()
        self._connect = connect
        self._sheets = sheets
        self._memory = memory
        self._policy = policy
        self._useless: set[str] = set()
        self._over: Fault | None = None

    def run(self, subjects: Sequence[Subject], check: Callable[[], None]) -> None:
        """Ask about what is not known yet. `check` is called now and then; what it raises ends the run."""
        keys = {subject.number: subject.key(self._policy.asking) for subject in subjects}
        known = self._memory.recall(list(keys.values()))
        self.decisions = {number: known[key] for number, key in keys.items() if key in known}
        unknown = [subject for subject in subjects if subject.number not in self.decisions]
        if unknown:
            asyncio.run(self._watched(unknown, check))
            done = self.decisions.keys()
            late = sum(1 for subject in subjects if subject.number not in done) - self.left.total()
            self.left += Counter({Fault.LATE.value: late})

    async def _watched(self, subjects: Sequence[Subject], check: Callable[[], None]) -> None:
        asking = asyncio.ensure_future(self._ask(subjects))
        try:
            while not asking.done():
                await asyncio.wait({asking}, timeout=0.5)
                check()
            asking.result()
        finally:
            asking.cancel()

    async def _ask(self, subjects: Sequence[Subject]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        batches = [subjects[start : start + EVENTS_A_REQUEST] for start in range(0, len(subjects), EVENTS_A_REQUEST)]
        try:
            async with asyncio.timeout(self._policy.run_seconds), self._connect() as model:
                await asyncio.gather(*(self._batch(model, batch, gate) for batch in batches))
        except TimeoutError:
            self._over = Fault.LATE

    async def _batch(self, model: Model, batch: Sequence[Subject], gate: asyncio.Semaphore) -> None:
        async with gate:
            if self._over:
                self.left[self._over.value] += len(batch)
                return
            sheets = await asyncio.gather(*(asyncio.to_thread(self._sheets.sheet, subject.shown) for subject in batch))
            asked = [(subject, sheet) for subject, sheet in zip(batch, sheets, strict=True) if sheet]
            self.left += Counter({_NOTHING_TO_SHOW: len(batch) - len(asked)})
            if asked:
                await self._settled(model, asked)

    async def _settled(self, model: Model, asked: _Asked) -> None:
        """Every event has its decision, or is left with a reason."""
        fault = await self._by_any(model, asked)
        if fault in _OF_CONTENT and len(asked) > 1:
            middle = len(asked) // 2
            await self._settled(model, asked[:middle])
            await self._settled(model, asked[middle:])
        elif fault:
            self.left[fault.value] += len(asked)

    async def _by_any(self, model: Model, asked: _Asked) -> Fault | None:
        """Asks one model after another. Where none can answer, the others of this run need not wait for the same."""
        fault = self._over
        for name in () if self._over else self._policy.models:
            if name in self._useless:
                continue
            fault = await self._by(model, name, asked)
            if fault is None or fault in _OF_CONTENT:
                return fault
            if fault in _OF_MODEL:
                self._useless.add(name)
            if fault in _FINAL:
                break
        if fault in _FINAL | _PASSES | _OF_MODEL:
            self._over = fault
        return fault or Fault.LATE

    async def _by(self, model: Model, name: str, asked: _Asked) -> Fault | None:
        """Asks one model, again where that may help."""
        wait = self._policy.first_wait
        for attempt in range(1, TRIES + 1):
            try:
                await self._once(model, name, asked)
            except Unanswered as error:
                pause = wait if error.retry_after is None else error.retry_after
                if error.fault not in _PASSES or attempt == TRIES or pause > self._policy.patience:
                    return error.fault
                await asyncio.sleep(pause)
                wait *= 2
            else:
                return None
        return None

    async def _once(self, model: Model, name: str, asked: _Asked) -> None:
        request = question([(subject, sheet.data) for subject, sheet in asked], self._policy.language)
        text = await self._paid(model, name, request)
        decided = read(text, {subject.number: len(sheet.photo_ids) for subject, sheet in asked}, self._policy.language)
        if not decided:
            raise Unanswered(Fault.UNUSABLE)
        self.answered_by.add(name)
        self.left += Counter({Fault.UNUSABLE.value: len(asked) - len(decided)})
        for subject, sheet in asked:
            if subject.number in decided:
                await self._keep(subject, sheet, decided[subject.number])

    async def _paid(self, model: Model, name: str, request: Question) -> str:
        """The text of an answer. What is expected is noted before, and what it was after."""
        prompt = len(request.instructions) + sum(len(line) for line, _ in request.events)
        guess = expected(len(request.events), prompt)
        price = cost(name, guess, flex=self._policy.flex)
        noted = await asyncio.to_thread(self._memory.reserve, name, price)
        if noted is None:
            raise Unanswered(Fault.SPENT)
        self.requests += 1
        self.expected_cost += price
        try:
            reply = await model.ask(name, request, self._policy.deadline)
        except Unanswered as error:
            await self._settle(noted, name, error.usage or guess)
            raise
        await self._settle(noted, name, reply.usage or guess)
        return reply.text

    async def _settle(self, noted: int, name: str, usage: Usage) -> None:
        price = cost(name, usage, flex=self._policy.flex)
        self.usage = Usage(self.usage.input_tokens + usage.input_tokens, self.usage.output_tokens + usage.output_tokens)
        self.cost += price
        await asyncio.to_thread(self._memory.settle, noted, usage, price)

    async def _keep(self, subject: Subject, sheet: NumberedSheet, decision: Decision) -> None:
        thumbs = {photo.id: photo.thumb_key for photo in subject.shown}
        cover = thumbs[sheet.photo_ids[decision.cover - 1]] if decision.cover else None
        kept = {"title": decision.title, "theme": decision.theme, "cover": cover}
        self.decisions[subject.number] = kept
        await asyncio.to_thread(self._memory.keep, subject.key(self._policy.asking), kept)
