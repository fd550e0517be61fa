"""What may befall a delivery on its way: ordered by a test for the next ones, or drawn by chance from a seed."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from random import Random


class Kind(Enum):
    LOST = "never delivered, and forgotten: the service promises that this does not happen"
    UNANSWERED = "delivered, but its answer is lost: so it comes again"
    DELAYED = "delivered later"
    DOUBLED = "delivered twice at the same time"
    GIVEN_UP = "never delivered, as if every try had failed: what was to be called then is called, if anything was"


@dataclass(frozen=True)
class Mishap:
    kind: Kind
    seconds: float = 0


@dataclass(frozen=True)
class Chances:
    """The share of deliveries that each mishap befalls, and the longest delay in seconds."""

    lost: float = 0
    unanswered: float = 0
    delayed: float = 0
    doubled: float = 0
    given_up: float = 0
    longest_delay: float = 60

    def draw(self, random: Random) -> Mishap | None:
        dice = random.random()
        for kind, share in self._shares():
            if dice < share:
                return Mishap(kind, random.uniform(0, self.longest_delay))
            dice -= share
        return None

    def _shares(self) -> Iterator[tuple[Kind, float]]:
        shares = (self.lost, self.unanswered, self.delayed, self.doubled, self.given_up)
        return zip((Kind.LOST, Kind.UNANSWERED, Kind.DELAYED, Kind.DOUBLED, Kind.GIVEN_UP), shares, strict=True)


@dataclass
class Mishaps:
    random: Random
    chances: Chances = Chances()
    _ordered: deque[Mishap] = field(default_factory=deque)

    def order(self, mishap: Mishap, times: int) -> None:
        self._ordered.extend([mishap] * times)

    def next(self) -> Mishap | None:
        return self._ordered.popleft() if self._ordered else self.chances.draw(self.random)
