"""Asks models about things, several a request: what it does about every fault, and what that costs.

A thing for which nothing comes of it is left, and the reason is noted. Where a job is run in slices, no request is
begun that could not be answered in what is left of one: the next goes on with what was kept.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

from momentarium_cli.backend.organize.base import Watch
from momentarium_cli.backend.organize.model import Fault, Memory, Model, Question, Unanswered
from momentarium_cli.backend.organize.prices import Usage, cost, expected
from momentarium_cli.backend.organize.sheets import Sheets
from momentarium_cli.backend.organize.tasks import Asked, Decisions, Item, Policy, Task

ROOM = 3  # times what an answer usually has, it may have; more is a model that repeats itself
TRIES = 3  # of a model that is busy or out of reach
LEAST_SECONDS = 20.0  # of a slice: with less of it left, a request is the next one's
STAGE = "asking"

_WRAP_UP_SECONDS = 3.0  # of a slice, to write what came of it
_NOTHING_TO_SHOW = "none of its photos can be shown"
_PASSES = frozenset({Fault.BUSY, Fault.FREE_TIER, Fault.UNREACHABLE})
_OF_CONTENT = frozenset({Fault.TRUNCATED, Fault.BLOCKED})  # fewer things in a request may help
_OF_MODEL = frozenset({Fault.NO_MODEL, Fault.LATE})  # it need not be tried again
_FINAL = frozenset({Fault.NOT_ALLOWED, Fault.SPENT})

Connect = Callable[[], AbstractAsyncContextManager[Model]]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A model, and whether it is asked to answer when it has time."""

    name: str
    flex: bool = False


class Asking:
    """One run, of several tasks, in a with-block. `left` counts what nothing came of, by the reason, for the last
    task."""

    def __init__(self, connect: Connect, sheets: Sheets, memory: Memory, policy: Policy, watch: Watch) -> None:
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
        self._watch = watch
        self._heard = time.monotonic()
        self._limit: asyncio.Timeout | None = None
        self._useless: set[_Choice] = set()
        self._over: Fault | None = None
        self._paused = False
        self._new = self._wanted = 0
        self._runner = asyncio.Runner()
        self._opened = AsyncExitStack()
        self._model: Model | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            if self._model:
                self._runner.run(self._opened.aclose())

    def run(self, task: Task, items: Sequence[Item]) -> Decisions:
        """The decisions about these, by number; asked is what is not known yet."""
        self.left = Counter()
        decisions = self._known(items)
        unknown = [item for item in items if item.number not in decisions]
        if unknown:
            self._wanted += len(unknown)
            self._watch.note(STAGE, self._new, self._wanted)
            self._runner.run(self._watched(self._ask(task, unknown, decisions)))
            if self._paused:
                self._watch.end_slice()
            late = len(items) - len(decisions) - self.left.total()
            self.left += Counter({Fault.LATE.value: late})
        return decisions

    def _known(self, items: Sequence[Item]) -> dict[int, Mapping[str, Any]]:
        known = self._memory.recall([item.key for item in items])
        return {item.number: known[item.key] for item in items if item.key in known}

    async def _watched(self, work: Awaitable[None]) -> None:
        asking = asyncio.ensure_future(work)
        try:
            while not asking.done():
                await asyncio.wait({asking}, timeout=0.5)
                self._watch.check_held()
            asking.result()
        finally:
            asking.cancel()

    async def _ask(self, task: Task, items: Sequence[Item], decisions: dict[int, Mapping[str, Any]]) -> None:
        gate = asyncio.Semaphore(self._policy.at_once)
        try:
            model = await self._open()
            silent = time.monotonic() - self._heard
            async with asyncio.timeout(self._policy.silence - silent) as self._limit:
                batches = (
                    _Batch(self, model, task, decisions).ask(batch, gate) for batch in _batches(items, task.most_sheets)
                )
                await asyncio.gather(*batches)
        except TimeoutError:
            self._over = Fault.LATE

    async def _open(self) -> Model:
        if self._model is None:
            self._model = await self._opened.enter_async_context(self._connect())
        return self._model

    # --- what its batches share --------------------------------------------------------------------------------

    async def sheets_of(self, batch: Sequence[Item]) -> list[Asked]:
        """Without those of which something should be shown, and nothing can be."""
        sheets = await asyncio.gather(*(asyncio.to_thread(self._sheets.of, item.shown) for item in batch))
        asked = [Asked(item, found) for item, found in zip(batch, sheets, strict=True) if found or not item.shown]
        self.left += Counter({_NOTHING_TO_SHOW: len(batch) - len(asked)})
        return asked

    def is_over(self) -> Fault | None:
        """Why there is nothing more to ask in this run."""
        return self._over

    def must_pause(self) -> bool:
        """Whether what is to be asked now is left to the next slice."""
        left = self._watch.seconds_left
        self._paused |= left is not None and left < LEAST_SECONDS and self._watch.got_further
        return self._paused

    async def by_any(self, ask: Callable[[_Choice], Awaitable[Fault | None]]) -> Fault | None:
        """Asks one model after another. Where none can answer, the others of this run need not wait for the same."""
        fault = self._over
        for choice in () if self._over else self._choices():
            if choice in self._useless:
                continue
            fault = await ask(choice)
            if fault is None or fault in _OF_CONTENT:
                return fault
            self._note_useless(choice, fault)
            if fault in _FINAL:
                break
        if fault in _FINAL | _PASSES | _OF_MODEL:
            self._over = fault
        return fault or Fault.LATE

    def _choices(self) -> list[_Choice]:
        """A slice is too short to wait until somebody has time."""
        flex = self._policy.flex and self._watch.seconds_left is None
        return [_Choice(name, tier) for name in self._policy.models for tier in ((True, False) if flex else (False,))]

    def _note_useless(self, choice: _Choice, fault: Fault) -> None:
        if fault in _OF_MODEL or (choice.flex and fault in _PASSES):
            self._useless.add(choice)
        if fault is Fault.NO_MODEL:
            self._useless.add(_Choice(choice.name))

    def seconds_for(self, choice: _Choice) -> float:
        """That an answer may take now; of a slice, an equal part for each that may still be asked."""
        deadline = self._policy.flex_deadline if choice.flex else self._policy.deadline
        left = self._watch.seconds_left
        if left is None:
            return deadline
        usable = [other for other in self._choices() if other not in self._useless]
        others = len(usable) - usable.index(choice) if choice in usable else 1
        return min(deadline, (left - _WRAP_UP_SECONDS) / others)

    async def paid(self, model: Model, choice: _Choice, request: Question, output_tokens: int) -> str:
        """The text of an answer. What is expected is noted before, and what it was after."""
        seconds = self.seconds_for(choice)
        if seconds <= 0:
            raise Unanswered(Fault.LATE)
        texts = [request.instructions, *(part for part in request.parts if isinstance(part, str))]
        guess = expected(len(request.parts) + 1 - len(texts), sum(map(len, texts)), output_tokens)
        price = self._price(choice, guess)
        noted = await asyncio.to_thread(self._memory.reserve, choice.name, price)
        if noted is None:
            raise Unanswered(Fault.SPENT)
        self.requests += 1
        self.expected_cost += price
        try:
            reply = await model.ask(choice.name, request, seconds, flex=choice.flex)
        except Unanswered as error:
            await self._settle(noted, choice, error.usage or guess)
            raise
        await self._settle(noted, choice, reply.usage or guess)
        return reply.text

    async def _settle(self, noted: int, choice: _Choice, usage: Usage) -> None:
        price = self._price(choice, usage)
        self.usage = Usage(self.usage.input_tokens + usage.input_tokens, self.usage.output_tokens + usage.output_tokens)
        self.cost += price
        await asyncio.to_thread(self._memory.settle, noted, usage, price)

    def _price(self, choice: _Choice, usage: Usage) -> float:
        return 0.0 if self._policy.free else cost(choice.name, usage, flex=choice.flex)

    async def keep(self, decisions: Sequence[tuple[Item, Mapping[str, Any]]]) -> None:
        for item, decision in decisions:
            await asyncio.to_thread(self._memory.keep, item.key, decision)
        self._new += len(decisions)
        self._heard = time.monotonic()
        if self._limit and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._policy.silence)
        await asyncio.to_thread(self._watch.note, STAGE, self._new, self._wanted)

    @property
    def policy(self) -> Policy:
        return self._policy


class _Batch:
    """What goes into one request, or into several where one is too much."""

    def __init__(self, run: Asking, model: Model, task: Task, decisions: dict[int, Mapping[str, Any]]) -> None:
        self._run = run
        self._model = model
        self._task = task
        self._decisions = decisions

    async def ask(self, batch: Sequence[Item], gate: asyncio.Semaphore) -> None:
        async with gate:
            if over := self._run.is_over():
                self._run.left[over.value] += len(batch)
            elif not self._run.must_pause():
                await self._settled(await self._run.sheets_of(batch))

    async def _settled(self, asked: Sequence[Asked]) -> None:
        """Every thing has its decision, is left with a reason, or is left to the next slice."""
        if not asked or self._run.must_pause():
            return
        fault = await self._run.by_any(lambda choice: self._by(choice, asked))
        if fault in _OF_CONTENT and len(asked) > 1:
            middle = len(asked) // 2
            await self._settled(asked[:middle])
            await self._settled(asked[middle:])
        elif fault:
            self._run.left[fault.value] += len(asked)

    async def _by(self, choice: _Choice, asked: Sequence[Asked]) -> Fault | None:
        """Asks one model, again where that may help. One that has no time need not be asked again: another may have."""
        wait = self._run.policy.first_wait
        for attempt in range(1, TRIES + 1):
            try:
                await self._once(choice, asked)
            except Unanswered as error:
                pause = wait if error.retry_after is None else error.retry_after
                hopeless = attempt == TRIES or choice.flex or pause > self._longest_pause(choice)
                if error.fault not in _PASSES or hopeless:
                    return error.fault
                await asyncio.sleep(pause)
                wait *= 2
            else:
                return None
        return None

    def _longest_pause(self, choice: _Choice) -> float:
        return min(self._run.policy.patience, self._run.seconds_for(choice))

    async def _once(self, choice: _Choice, asked: Sequence[Asked]) -> None:
        parts: list[str | bytes] = []
        for one in asked:
            parts += [one.item.text, *(sheet.data for sheet in one.sheets)]
        tokens = sum(self._task.output_tokens(one.item) for one in asked)
        request = Question(self._task.instructions, parts, self._task.answer, ROOM * tokens)
        text = await self._run.paid(self._model, choice, request, tokens)
        decided = self._task.read(text, asked)
        if not decided:
            raise Unanswered(Fault.UNUSABLE)
        self._run.answered_by.add(choice.name)
        self._run.left += Counter({Fault.UNUSABLE.value: len(asked) - len(decided)})
        self._decisions.update(decided)
        await self._run.keep([(one.item, decided[one.item.number]) for one in asked if one.item.number in decided])


def _batches(items: Sequence[Item], most_sheets: int) -> Iterator[list[Item]]:
    """In their order, as many together as have so many sheets; at least one."""
    batch: list[Item] = []
    for item in items:
        if batch and sum(one.sheets for one in batch) + item.sheets > most_sheets:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
