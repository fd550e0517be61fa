"""The port to a model that looks at contact sheets, and what a run with it may use and must keep.

question    lines of JSON, with contact sheets of what they tell of, in one request
reply       the text of an answer that ended as it should; whether it says anything sensible is judged elsewhere
decision    what an answer says of one thing that was asked about, checked; it is kept, so that it is paid once
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from pydantic import BaseModel

from momentarium_cli.backend.organize.prices import Usage


class Fault(Enum):
    """Why there is no answer; what is done about it follows."""

    TRUNCATED = "its answer was cut off"
    BLOCKED = "it refuses to answer"
    UNUSABLE = "its answer cannot be used"
    NOT_ALLOWED = "the key is not accepted"
    NO_MODEL = "there is no such model"
    REJECTED = "the request is not accepted"
    BUSY = "it is busy, or a quota is used up"
    FREE_TIER = "the quota of the key's free tier is used up; of that tier Google may use what it gets"
    UNREACHABLE = "it is out of reach"
    LATE = "it did not answer in time"
    SPENT = "organizer.max_cost is reached"


class Unanswered(Exception):
    """`retry_after`: seconds that the vendor asks to wait. `usage` is what is paid all the same, None if unknown."""

    def __init__(self, fault: Fault, *, retry_after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.retry_after = retry_after
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Question:
    """Instructions, then texts and JPEGs in the order in which they are read; `answer` is the shape of the reply."""

    instructions: str
    parts: Sequence[str | bytes]
    answer: type[BaseModel]
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """`usage` is None where the vendor does not tell."""

    text: str
    usage: Usage | None


class Model(Protocol):
    """Used within one event loop; leaving its context closes its connections."""

    async def ask(self, name: str, question: Question, seconds: float, *, flex: bool = False) -> Reply:
        """Ask the model of this name, once; Unanswered after so many seconds, and for every other reason.

        `flex`: for half of the price, if the vendor has time.
        """


class Memory(Protocol):
    """What is kept of earlier runs for one user, and what may be spent. Called from any thread."""

    def recall(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The decisions that are known, by their keys."""

    def keep(self, key: str, decision: Mapping[str, Any]) -> None:
        """From now on this need not be asked."""

    def reserve(self, model: str, cost: float) -> int | None:
        """Note a request of this expected cost, in dollars; None if that is more than may be spent."""

    def settle(self, request: int, usage: Usage, cost: float) -> None:
        """Note what a request did cost."""
