"""Flow control: how many messages of one key may be on their way at once, and how many start in a period."""

from collections import Counter
from dataclasses import dataclass, field

from tests.qstash.messages import FlowControl, Message


@dataclass
class Flows:
    """`active` counts what is on its way, by key. A message brings its own limits, as the vendor keeps them."""

    active: Counter[str] = field(default_factory=Counter)
    _periods: dict[str, tuple[float, int]] = field(default_factory=dict)

    def admit(self, message: Message, now: float) -> bool:
        """Whether it may go now; where the rate forbids it, it is due when the period ends."""
        flow = message.flow_control
        if flow is None:
            return True
        if flow.parallelism is not None and self.active[flow.key] >= flow.parallelism:
            return False
        if flow.rate is not None and not self._within_rate(flow, flow.rate, message, now):
            return False
        self.active[flow.key] += 1
        return True

    def release(self, message: Message) -> None:
        flow = message.flow_control
        if flow is not None:
            self.active[flow.key] -= 1

    def _within_rate(self, flow: FlowControl, rate: int, message: Message, now: float) -> bool:
        start, count = self._periods.get(flow.key, (now, 0))
        if now >= start + flow.period:
            start, count = now, 0
        if count >= rate:
            message.due = start + flow.period
            return False
        self._periods[flow.key] = (start, count + 1)
        return True
